"""Speeds near a teacher: closed forms against other sums, L against the flow itself, clusters of a run."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit.trajectory import Trajectory

PLANE = wl.laws.Normal(0.0, 1.0, dim=2)


def neuron(activation=wl.activations.relu, weight=False):
    return wl.units.Neuron(activation, bias=False, output_weight=weight)


def taught(rows, masses, unit=None, law=PLANE, **more):
    return wl.problems.teacher_student(unit or neuron(), wl.Particles(np.array(rows), np.array(masses)), law, **more)


OPPOSITE = taught([[1.0, 0.0], [-1.0, 0.0]], [0.8, 0.2], nodes=6)


def test_opposite_relu_clusters_decouple_exactly():
    """H_11 = H_22 = 1/2, H_12 = 0: rates .4 and .1, twice each."""
    rates = wl.analysis.teacher_rates(OPPOSITE)
    assert rates.closed_form
    np.testing.assert_allclose(rates.rates, [0.4, 0.4, 0.1, 0.1], rtol=1e-14)
    np.testing.assert_allclose(rates.decoupled, [[0.4, 0.4], [0.1, 0.1]], rtol=1e-14)
    assert rates.ratio_exact is True
    assert rates.neutral.shape == (0, 2, 2)
    double = wl.analysis.teacher_rates(
        taught([[1.0, 0.0], [-1.0, 0.0]], [0.8, 0.2], nodes=2, loss=wl.losses.squared(1.0))
    )
    np.testing.assert_allclose(double.rates, 2.0 * rates.rates, rtol=1e-14)


def test_the_ratio_is_exact_only_where_both_conditions_hold():
    """At right angles M = ((pi/2) 1 + m m^T - n n^T)/(2 pi); at length 1 H_jj has 0, c^2/2 and (1 + c^2)/2."""
    coupled = wl.analysis.teacher_rates(taught([[1.0, 0.0], [0.0, 1.0]], [0.8, 0.2], nodes=2))
    assert coupled.ratio_exact is False
    assert coupled.coupling == pytest.approx((0.5 * np.pi + 1.0) / np.pi, rel=1e-12)
    assert coupled.mismatch == pytest.approx(0.0, abs=1e-12)
    weighted = taught([[1.0, 1.0, 0.0], [2.0, -1.0, 0.0]], [0.8, 0.2], neuron(weight=True), nodes=2)
    apart = wl.analysis.teacher_rates(weighted)
    assert apart.ratio_exact is False
    assert apart.coupling == pytest.approx(0.0, abs=1e-12)
    assert apart.mismatch == pytest.approx(1.5 / 2.5, rel=1e-12)
    np.testing.assert_allclose(apart.decoupled, [[0.8, 0.4, 0.0], [0.5, 0.4, 0.0]], atol=1e-14)
    assert "1 atom in R^2" in repr(wl.analysis.teacher_rates(taught([[1.0, 0.0]], [1.0], nodes=2)))


def angular(a, b, slopes, charges=None):
    """H of two atoms for N(0, 1) in the plane: the angle by Gauss-Legendre between the kinks, E r^2 = 2."""
    (l0, l1), (c, e) = slopes, charges or (1.0, 1.0)
    ends = np.concatenate([np.arctan2(v[1], v[0]) + np.array([0.5, 1.5]) * np.pi for v in (a, b)]) % (2 * np.pi)
    ends = np.concatenate([np.sort(ends), [np.sort(ends)[0] + 2 * np.pi]])
    node, weight = np.polynomial.legendre.leggauss(24)
    total = 0.0
    for lo, hi in itertools.pairwise(ends):
        t = 0.5 * (hi + lo) + 0.5 * (hi - lo) * node
        u = np.stack([np.cos(t), np.sin(t)])
        p, q = np.array(a) @ u, np.array(b) @ u
        sp, sq = np.where(p > 0, l1, l0), np.where(q > 0, l1, l0)
        first, second = c * sp * u, e * sq * u
        if charges:
            first, second = np.vstack([sp * p, first]), np.vstack([sq * q, second])
        total = total + 2.0 * np.einsum("at,bt,t->ab", first, second, weight) * 0.5 * (hi - lo) / (2 * np.pi)
    return total


@pytest.mark.parametrize("weight", [False, True])
def test_closed_forms_against_the_angle(weight):
    rows = np.array([[1.0, 0.2], [-0.4, 0.9], [-2.0, -0.4]])
    slopes = (-0.3, 1.0)
    unit = neuron(wl.activations.leaky_relu(slopes[0]), weight)
    charges = np.array([0.7, -1.5, 2.0])
    full = np.column_stack([charges, rows]) if weight else rows
    p = taught(full, [0.5, 0.3, 0.2], unit, nodes=2)
    rates = wl.analysis.teacher_rates(p)
    np.testing.assert_allclose(rates.masses, [0.5, 0.3, 0.2])
    for i in range(3):
        for j in range(3):
            pair = (charges[i], charges[j]) if weight else None
            by_hand = angular(rows[i], rows[j], slopes, pair)
            np.testing.assert_allclose(rates.covariance[i, :, j, :], by_hand, atol=2e-13)
    # L is H times the masses, and its spectrum that of L itself.
    h = rates.covariance.reshape(rates.matrix.shape)
    np.testing.assert_allclose(rates.matrix, h * np.repeat(rates.masses, full.shape[1]), atol=1e-15)
    both = np.sort(np.linalg.eigvals(rates.matrix).real)[::-1]
    np.testing.assert_allclose(rates.rates, both[: len(rates.rates)], rtol=1e-9)
    for rate, mode in zip(rates.rates, rates.modes, strict=True):
        np.testing.assert_allclose(rates.matrix @ mode.ravel(), rate * mode.ravel(), atol=1e-12)
    # One neutral direction an atom with weights: c grows as |w| shrinks.
    assert len(rates.neutral) == (3 if weight else 0)
    if weight:
        scaling = np.column_stack([charges, -rows])
        np.testing.assert_allclose(rates.matrix @ np.r_[scaling[0], np.zeros(6)], 0.0, atol=1e-13)
        np.testing.assert_allclose(rates.matrix @ rates.neutral[1].ravel(), 0.0, atol=1e-12)


def test_correlated_and_spherical_inputs_in_space():
    """10^6 samples: each entry of H is known to about 3e-3 of its size; five errors are allowed."""
    rows, rng = np.array([[1.0, 0.5, 0.0], [-0.3, 1.0, 0.7]]), np.random.default_rng(0)
    root = np.array([[1.0, 0.0, 0.0], [0.5, 0.8, 0.0], [-0.2, 0.3, 0.6]])
    z = rng.normal(size=(300_000, 3))
    ball = 2.0 * z / np.linalg.norm(z, axis=1, keepdims=True)
    laws = [(wl.laws.Gaussian(np.zeros(3), root @ root.T), z @ root.T), (wl.laws.Sphere(3, 2.0), ball)]
    for law, x in laws:
        rates = wl.analysis.teacher_rates(taught(rows, [0.6, 0.4], law=law, nodes=None))
        assert rates.closed_form
        slopes = (x @ rows.T > 0)[:, :, None] * x[:, None, :]
        table = np.einsum("nkd,nle->nkdle", slopes, slopes)
        error = table.std(axis=0) / np.sqrt(len(x))
        assert np.all(np.abs(rates.covariance - table.mean(axis=0)) < 5.0 * error + 1e-12)


@pytest.mark.parametrize(
    "more", [{}, {"mobility": wl.mobilities.Diagonal(output=0.3, weight=2.0)}, {"loss": wl.losses.squared(1.5)}]
)
def test_the_matrix_is_the_derivative_of_the_flow(more):
    """Clusters moved by h: the change of the velocity is -L h, by central differences, to h^2."""
    unit = wl.units.Neuron(wl.activations.tanh)
    rows = np.array([[1.0, 0.8, -0.3, 0.1], [-0.7, 0.2, 1.1, -0.4]])
    masses = np.array([0.7, 0.3])
    p = wl.problems.teacher_student(unit, wl.Particles(rows, masses), PLANE, nodes=6, **more)
    rates = wl.analysis.teacher_rates(p)
    assert not rates.closed_form
    step = 1e-5

    @jax.jit
    def velocity(flat):
        theta, w = p.unpack(wl.Particles(flat.reshape(2, 4), jnp.asarray(masses)))
        v = p.velocity(theta, p.variation(theta, w).gradient)
        return p.pack(v, w).positions.ravel()

    slopes = [(velocity(rows.ravel() + step * e) - velocity(rows.ravel() - step * e)) / (2 * step) for e in np.eye(8)]
    np.testing.assert_allclose(rates.matrix, -np.stack(slopes, axis=1), atol=1e-8)
    assert rates.ratio_exact is False


def test_frozen_columns_and_spheres():
    rows = np.array([[0.5, 1.0, 0.0], [1.5, 0.6, 0.8]])
    p = taught(
        rows, [0.7, 0.3], neuron(wl.activations.tanh, True), nodes=4, mobility=wl.mobilities.Diagonal(output=0.0)
    )
    frozen = wl.analysis.teacher_rates(p)
    # Two frozen columns; a direction of rate zero is a unit vector of one of them.
    assert len(frozen.neutral) == 2
    np.testing.assert_allclose(np.abs(frozen.neutral[:, :, 1:]), 0.0, atol=1e-7)
    ball = taught(rows[:, 1:], [0.7, 0.3], neuron(wl.activations.tanh), nodes=4, domain=wl.domains.Sphere())
    on_circle = wl.analysis.teacher_rates(ball)
    assert len(on_circle.rates) == 2
    np.testing.assert_allclose(np.einsum("mkd,kd->mk", on_circle.modes, rows[:, 1:]), 0.0, atol=1e-12)
    with pytest.raises(ValueError, match="on a wall"):
        wl.analysis.teacher_rates(taught(rows[:, 1:], [0.7, 0.3], nodes=2, domain=wl.domains.Box(-1.0, 1.0)))


def test_odd_units_with_opposite_atoms_have_neutral_directions():
    """tanh with c_2 = -c_1: grad phi is even, so alpha_1 e_1 + alpha_2 e_2 alone is seen."""
    rates = wl.analysis.teacher_rates(
        taught([[1.0, 0.3], [-1.0, -0.3]], [0.6, 0.4], neuron(wl.activations.tanh), nodes=8)
    )
    assert len(rates.rates) == 2
    assert len(rates.neutral) == 2
    np.testing.assert_allclose(0.6 * rates.neutral[:, 0] + 0.4 * rates.neutral[:, 1], 0.0, atol=1e-10)


def synthetic(rates=(2.0, 0.5), blocks=(), stray=0.0):
    """Clusters whose means decay exactly at these rates, and a particle that ends far away."""
    times = np.linspace(0.0, 6.0, 61)
    atoms = np.array([[1.0, 0.0], [-1.0, 0.0]])
    decay = np.exp(-np.array(rates) * times[:, None])
    spread = np.array([[0.0, 0.1], [0.0, -0.1]])
    moved = atoms + decay[:, :, None] * np.array([0.3, -0.4])
    rows = [moved[:, 0] + spread[0], moved[:, 0] + spread[1], moved[:, 1], np.tile([5.0, 5.0], (61, 1))]
    shares = np.array([0.4, 0.4, 0.2, 0.0]) * (1.0 - stray) + stray * np.eye(4)[3]
    return Trajectory(
        times, np.stack(rows, axis=1), np.tile(shares, (61, 1)), blocks, {}, wl.Outcome.SUCCESS, "", 1, 0.0, {}
    )


def test_clusters_are_timed():
    found = wl.analysis.teacher_rates(OPPOSITE).measured(synthetic())
    np.testing.assert_allclose(found.masses, [0.8, 0.2])
    assert found.elsewhere == 0.0
    np.testing.assert_allclose(found.errors[0], [0.5, 0.5])
    # Straight lines of log e are exact here.
    np.testing.assert_allclose(found.to_tenth, np.log(10.0) / np.array([2.0, 0.5]), rtol=1e-12)
    np.testing.assert_allclose(found.to_hundredth[0], np.log(100.0) / 2.0, rtol=1e-12)
    assert np.isnan(found.to_hundredth[1])  # e^-3 = .05 at the end
    np.testing.assert_allclose(found.late_rates, [2.0, 0.5], rtol=1e-8)
    stray = wl.analysis.teacher_rates(OPPOSITE).measured(synthetic(stray=0.25))
    np.testing.assert_allclose([*stray.masses, stray.elsewhere], [0.6, 0.15, 0.25])
    assert "say nothing" in stray.verdict
    assert "say nothing" not in found.verdict


def test_late_rates_stop_at_the_solver_s_floor():
    run = synthetic(rates=(4.0, 0.5))
    noise = np.where(run.times[:, None] > 3.5, 3e-7, 0.0)
    run.positions[:, :2, 1] += noise
    assert wl.analysis.teacher_rates(OPPOSITE).measured(run).late_rates[0] == pytest.approx(4.0, rel=0.02)


def test_an_atom_without_particles_has_no_numbers():
    found = wl.analysis.teacher_rates(OPPOSITE).measured(synthetic(), near=1e-2)
    assert found.masses[0] == 0.0
    assert np.isnan(found.errors[:, 0]).all()
    assert np.isnan(found.to_tenth[0])
    assert np.isnan(found.late_rates[0])


def test_a_flow_near_its_teacher_has_the_coupled_rates():
    """Two particles start off their atoms along the slowest mode, and stay on it: e falls as exp(-rate t)."""
    p = taught([[1.0, 0.2], [-0.5, 1.0]], [0.8, 0.2], neuron(wl.activations.tanh), nodes=6)
    rates = wl.analysis.teacher_rates(p)
    start = wl.Particles(rates.atoms + 1e-5 * rates.modes[-1], rates.masses)
    end = 3.0 / rates.rates[-1]
    run = wl.evolve(
        p, start, wl.GradientFlow(wl.integrators.Tsit5(1e-11, 1e-14)), t1=end, save_at=np.linspace(0.0, end, 31)
    )
    np.testing.assert_allclose(rates.measured(run).late_rates, rates.rates[-1], rtol=1e-3)
    np.testing.assert_allclose(rates.measured(run).to_tenth, np.log(10.0) / rates.rates[-1], rtol=1e-3)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"loss": wl.losses.huber()}, "k .f - y"),
        ({"penalty": wl.penalties.l2(0.1)}, "penalty"),
        ({"scale": wl.scales.Power(0.5)}, "mean-field"),
        ({"masses": [0.8, 0.3]}, "sum 1.1"),
        ({"masses": [1.2, -0.2]}, "positive"),
        ({"rows": [[1.0, 0.0], [0.0, 0.0]]}, "weight 0"),
        ({"unit": neuron(wl.activations.tanh), "nodes": None}, "nodes"),
    ],
)
def test_what_is_refused(more, said):
    parts = {"rows": [[1.0, 0.0], [0.0, 1.0]], "masses": [0.8, 0.2], "nodes": 2} | more
    with pytest.raises(ValueError, match=said):
        wl.analysis.teacher_rates(taught(**parts))


def test_a_teacher_of_another_unit_is_refused():
    other = wl.data.Teacher(neuron(wl.activations.tanh), wl.Particles(np.ones((1, 2))), inputs=2)
    p = wl.Problem(neuron(), wl.data.gauss_hermite(2, other, dim=2))
    known = wl.analysis.identifiable(p)
    for call in (wl.analysis.teacher_rates, known.compare, known.stationary):
        with pytest.raises(ValueError, match="another unit"):
            call(p if call is wl.analysis.teacher_rates else wl.Particles(np.ones((1, 2))))
    # Two measures of the student's own are compared all the same.
    same = wl.Particles(np.ones((1, 2)))
    assert known.compare(same, same).function_error == 0.0
