"""Rates and verdicts against cases solved by hand, against the flow itself, and against finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.stats

import widelimit as wl
from widelimit.analysis.atoms._atoms import atoms
from widelimit.analysis.atoms._linearisation import linearise
from widelimit.problem.data import require_nodes


def moments(powers, targets, **more):
    """phi(a, x_q) = a^powers[q]: the network's values are moments of a, and psi = SUM (f_q - y_q) a^powers[q]."""
    n = len(powers)

    def unit(theta, x):
        return jnp.dot(x, jnp.stack([theta.a**power for power in powers]))

    data = wl.data.Samples(np.eye(n), np.asarray(targets))
    return wl.Problem(wl.units.Function(unit, columns=["a"]), data, wl.losses.squared(0.5 * n), **more)


# psi' = (f_1 - y_1) + 2 a (f_2 - y_2) is zero at a = 1 for (1 - y_1) + 2 (1 - y_2) = 0; psi'' = 2 (1 - y_2); K = 5.
STABLE = moments((1, 2), (1.4, 0.8))
SADDLE = moments((1, 2), (0.6, 1.2))
# psi = (2p - 1 - y_1) a + (1 - y_2) a^2 + (1 - y_4) a^4 for mass p at 1, the rest at -1: two wells for y_4 < 1.
HEAVY = 0.7


def two_wells(depth):
    """psi' vanishes at +-1, psi'' = 8 depth there."""
    return moments((1, 2, 4), (2 * HEAVY - 1, 1.0 + 2.0 * depth, 1.0 - depth))


def atom(*rows, weights=None):
    return wl.Particles(np.asarray(rows, float), weights)


def test_one_atom_by_hand():
    s = wl.analysis.stability(STABLE, atom([1.0]))
    assert s.is_stationary
    assert s.residual < 1e-15
    np.testing.assert_allclose(s.hessians, [[[0.4]]], rtol=1e-14)
    np.testing.assert_allclose(s.spread_rates, [[0.4]], rtol=1e-14)
    np.testing.assert_allclose(s.rates, [5.4], rtol=1e-14)
    assert s.stable is True
    assert "Theorem 6" in s.verdict


def test_a_saddle_whose_mean_contracts_is_unstable():
    s = wl.analysis.stability(SADDLE, atom([1.0]))
    np.testing.assert_allclose(s.spread_rates, [[-0.4]], rtol=1e-14)
    np.testing.assert_allclose(s.rates, [4.6], rtol=1e-14)
    assert s.stable is False
    assert "By Theorem 7" in s.verdict
    assert "-0.4" in s.verdict


def test_a_mixture_by_hand():
    s = wl.analysis.stability(two_wells(0.1), atom([-1.0], [1.0], weights=[1 - HEAVY, HEAVY]))
    # K = 1 + 4 a b + 16 a^3 b^3: 21 for equal signs, -19 for opposite ones; rows: the heavy atom, the light one.
    p = np.array([HEAVY, 1 - HEAVY])
    by_hand = 0.8 * np.eye(2) + np.array([[21.0, -19.0], [-19.0, 21.0]]) * p
    np.testing.assert_allclose(s.rates, np.sort(np.linalg.eigvals(by_hand)), rtol=1e-13)
    np.testing.assert_allclose(s.spread_rates, [[0.8], [0.8]], rtol=1e-13)
    np.testing.assert_allclose(s.positions, [[1.0], [-1.0]])
    assert s.stable is True
    assert "these weights" in s.verdict


def test_theorem_7_asks_where_the_other_mass_lies():
    """Both tops of psi are equally high, so neither atom has the other below it; lifting one settles it."""
    s = wl.analysis.stability(two_wells(-0.1), atom([1.0], [-1.0], weights=[HEAVY, 1 - HEAVY]))
    assert s.stable is False
    assert "B2 fails" in s.verdict
    # psi = a^4 / 4 - a^2 / 2 (times 0.4): the bottom of each well, and the top between them.
    problem = moments((1, 2, 4), (0.0, 0.5 + 0.2, 0.5 - 0.1))
    s = wl.analysis.stability(problem, atom([1.0], [-1.0], [0.0], weights=[0.25, 0.25, 0.5]))
    assert s.is_stationary
    np.testing.assert_allclose(s.spread_rates[:, 0], [-0.4, 0.8, 0.8], rtol=1e-13)
    assert "By Theorem 7" in s.verdict
    assert "atom 0 = (0)" in s.verdict


def test_a_flat_potential_is_undecided():
    """A perfect fit has psi = 0: the mean comes back, the spread stays."""
    s = wl.analysis.stability(moments((1, 2), (1.0, 1.0)), atom([1.0]))
    assert s.is_stationary
    np.testing.assert_allclose(s.rates, [5.0])
    np.testing.assert_allclose(s.spread_rates, [[0.0]], atol=1e-14)
    assert s.stable is None


def test_what_moves_is_no_fixed_point():
    s = wl.analysis.stability(STABLE, atom([1.1]))
    assert not s.is_stationary
    assert s.stable is None
    # psi' = (1.1 - 1.4) + 2.2 (1.21 - 0.8); the parts are |f - y| + |f|, times 1 and 2.2.
    by_hand = (-0.3 + 2.2 * 0.41) / (0.3 + 1.1 + 2.2 * (0.41 + 1.21))
    assert s.residual == pytest.approx(by_hand)


def cloud(centre, shift, width):
    """Three particles: mean centre + shift, variance width^2 and no third moment."""
    return wl.Particles(np.asarray(centre) + shift + width * np.sqrt(1.5) * np.array([[-1.0], [0.0], [1.0]]))


def statistics_along(problem, measure, times):
    flow = wl.GradientFlow(wl.integrators.Tsit5(1e-10, 1e-14))
    run = wl.evolve(problem, measure, flow, t1=times[-1], save_at=times)
    rows = np.asarray(run.positions)[..., 0]
    return rows.mean(axis=1), rows.var(axis=1)


@pytest.mark.parametrize("problem", [STABLE, SADDLE], ids=["stable", "saddle"])
def test_the_flow_shows_both_rates(problem):
    """Perturbed by 1e-4, so what is not linear is of that order; the variance moves the mean by 1e-8 only."""
    s = wl.analysis.stability(problem, atom([1.0]))
    times = np.array([0.0, 0.5])
    mean, variance = statistics_along(problem, cloud([1.0], 1e-3, 1e-5), times)
    assert np.log((mean[0] - 1) / (mean[1] - 1)) / 0.5 == pytest.approx(s.rates[0], rel=0.01)
    mean, variance = statistics_along(problem, cloud([1.0], 0.0, 1e-4), times)
    assert np.log(variance[0] / variance[1]) / 0.5 == pytest.approx(2 * s.spread_rates[0, 0], rel=0.01)


def test_the_flow_shows_the_slow_mode_of_a_mixture():
    problem = two_wells(0.1)
    s = wl.analysis.stability(problem, atom([1.0], [-1.0], weights=[HEAVY, 1 - HEAVY]))
    start = wl.Particles([[1.0 + 1e-4], [-1.0 + 1e-4]], [HEAVY, 1 - HEAVY])
    flow = wl.GradientFlow(wl.integrators.Tsit5(1e-10, 1e-14))
    # After tau = 1 the fast mode (rate 22) is gone and the slow one is left.
    run = wl.evolve(problem, start, flow, t1=2.0, save_at=[1.0, 2.0])
    off = np.asarray(run.positions)[1:, 0, 0] - 1.0
    assert np.log(off[0] / off[1]) == pytest.approx(s.rates[0], rel=0.01)


def smooth_problem(**more):
    x = np.random.default_rng(0).normal(size=(30, 2))
    y = np.stack([np.sin(x[:, 0]), x[:, 1]], axis=1)
    # A loss of labels is given labels.
    y = np.sign(y) if "loss" in more else y
    return wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(x, y), **more)


@pytest.mark.first(1)
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"loss": wl.losses.logistic(), "penalty": wl.penalties.l2(0.1), "budget": 64},
        {"mobility": wl.mobilities.Diagonal(output=3.0, weight=0.5)},
        {"mobility": wl.mobilities.Function(lambda theta, g: g._replace(output=2.0 * g.output + g.output[::-1]))},
    ],
    ids=["plain", "logistic-l2-pieces", "diagonal", "matrix"],
)
def test_the_matrix_is_the_derivative_of_the_velocity(more):
    """Against forward derivatives and differences of the velocity of all particles together; the eigenvalues are real.

    Off a fixed point the derivative of a constant mobility plays no part, so any measure will do.
    """
    problem = smooth_problem(**more)
    rows = np.random.default_rng(1).normal(size=(4, 5))
    p = jnp.asarray([0.4, 0.3, 0.2, 0.1])

    @jax.jit
    def velocity(flat):
        theta, w = problem.unpack(wl.Particles(flat.reshape(4, 5), p))
        gradient = problem.variation(theta, w, require_nodes(problem.data, "test")).gradient
        return problem.pack(problem.velocity(theta, gradient), w).positions.ravel()

    flat = jnp.asarray(rows.ravel())
    exact = -np.asarray(jax.jit(jax.jacfwd(velocity))(flat))
    h = 1e-5
    numeric = -np.stack([np.asarray(velocity(flat + h * e) - velocity(flat - h * e)) / (2 * h) for e in np.eye(20)], 1)
    np.testing.assert_allclose(exact, numeric, atol=1e-8)
    expected = np.linalg.eigvals(exact)
    assert np.max(np.abs(expected.imag)) < 1e-10
    found = linearise(problem, wl.Particles(rows, p), 1e-6)
    np.testing.assert_allclose(found.matrix, found.matrix.T, atol=1e-14)
    np.testing.assert_allclose(np.linalg.eigvalsh(found.matrix), np.sort(expected.real), atol=1e-10)


def test_a_frozen_block_has_no_rates():
    problem = smooth_problem(mobility=wl.mobilities.Diagonal(output=0.0))
    s = wl.analysis.stability(problem, wl.Particles(np.random.default_rng(1).normal(size=(3, 5))))
    assert s.rates.shape == (9,)
    assert np.all(np.isnan(s.spread_rates[:, 3:]))
    assert not np.any(np.isnan(s.spread_rates[:, :3]))


def test_a_sphere_counts_its_tangents():
    """psi = -c . z on |z| = 1 with z = c / |c|: both tangential rates of the spread are |c|."""
    unit = wl.units.Function(lambda theta, x: jnp.dot(theta.z, x), columns={"z": (3,)})
    data = wl.data.Samples(np.eye(3), np.array([2.0, 0.0, 0.0]))
    problem = wl.Problem(unit, data, wl.losses.squared(1.5), domain=wl.domains.Sphere())
    s = wl.analysis.stability(problem, atom([1.0, 0.0, 0.0]))
    # f = z, so c = (1, 0, 0), and K adds 1 in each tangent.
    np.testing.assert_allclose(s.spread_rates[0, :2], [1.0, 1.0], rtol=1e-13)
    np.testing.assert_allclose(s.rates, [2.0, 2.0], rtol=1e-13)
    assert np.isnan(s.spread_rates[0, 2])
    s = wl.analysis.stability(problem, atom([-1.0, 0.0, 0.0]))
    np.testing.assert_allclose(s.spread_rates[0, :2], [-3.0, -3.0], rtol=1e-13)
    assert s.stable is False


def test_a_wall_holds_what_is_pushed_against_it():
    """psi' = f - y with f = a: pushed down at the lower wall a = 0 for y < 0, held; pulled off for y > 0."""
    box = wl.domains.HalfLine(0.0)
    s = wl.analysis.stability(moments((1,), (-1.0,), domain=box), atom([0.0]))
    assert s.is_stationary
    np.testing.assert_array_equal(s.rates, [np.inf])
    assert s.stable is True
    assert "finite time" in s.verdict
    s = wl.analysis.stability(moments((1,), (1.0,), domain=box), atom([0.0]))
    assert not s.is_stationary


def saturating(target, **more):
    """phi = a / (1 + a) on [0, infinity], 1 at infinity: psi = (f - y) phi."""

    def unit(theta, x):
        return x[0] / (1.0 + 1.0 / jnp.where(theta.a > 0, theta.a, 1.0)) * (theta.a > 0)

    domain = wl.domains.HalfLine(0.0)
    return wl.Problem(wl.units.Function(unit, columns=["a"]), wl.data.Samples([1.0], [target]), domain=domain, **more)


@pytest.mark.parametrize(("target", "stable"), [(2.0, None), (0.5, False)])
def test_atoms_at_infinity(target, stable):
    s = wl.analysis.stability(saturating(target), atom([np.inf]))
    assert s.is_stationary
    np.testing.assert_array_equal(s.rates, [0.0])
    assert s.stable is stable
    assert ("infinity" if stable is None else "comes back") in s.verdict


def test_particles_that_are_one_point_are_one_atom():
    rows = np.array([[1.0], [1.0 + 1e-8], [1.0 - 1e-8], [3.0], [np.inf], [np.inf], [1e-9]])
    w = np.array([0.2, 0.1, 0.1, 0.0, 0.3, 0.2, 0.1])
    rho = atoms(saturating(1.0), wl.Particles(rows, w), 1e-6, "stability")
    np.testing.assert_allclose(rho.positions[:, 0], [np.inf, 1.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(rho.weights, [0.5, 0.4, 0.1])
    assert float(rho.positions[2, 0]) == 0.0


def test_atoms_meet_across_the_seam_of_a_circle():
    unit = wl.units.Function(lambda theta, x: jnp.cos(theta.angle - x[0]), columns=["angle"])
    problem = wl.Problem(unit, wl.data.Samples([0.0], [1.0]), domain=wl.domains.Circle())
    rho = atoms(problem, wl.Particles([[1e-8], [2 * np.pi - 1e-8]]), 1e-6, "stability")
    assert len(rho) == 1
    assert np.cos(float(rho.positions[0, 0])) == pytest.approx(1.0, abs=1e-14)


@pytest.mark.parametrize(
    ("problem", "more", "match"),
    [
        (wl.Problem(wl.units.FreeKnot(), wl.data.Samples([0.5], [1.0])), {}, "kinks"),
        (moments((1,), (1.0,), penalty=wl.penalties.total_variation(1.0, "a")), {}, "penalty"),
        (moments((1,), (1.0,), scale=wl.scales.Power()), {}, "scale"),
        (STABLE, {"tolerance": 0.0}, "tolerance"),
        (STABLE, {"merge": -1.0}, "merge"),
        (
            wl.Problem(
                wl.units.Neuron(wl.activations.tanh, output_weight=False, bias=False),
                wl.data.GaussianClasses(1.0, 2.0, dim=1),
            ),
            {},
            "nodes",
        ),
    ],
    ids=["kinks", "penalty", "scale", "tolerance", "merge", "nodes"],
)
def test_refusals(problem, more, match):
    with pytest.raises(ValueError, match=match):
        wl.analysis.stability(problem, wl.Particles(np.ones((1, problem.dim))), **more)


def gaussian_mean(radius, knots, bends, start):
    """q(r) = E sigma(r G) and its first two derivatives, for a function that is constant below its first knot."""
    n, cdf = scipy.stats.norm.pdf, scipy.stats.norm.cdf
    k = np.asarray(knots) / radius
    value = start + np.sum(bends * (radius * n(k) - np.asarray(knots) * cdf(-k)))
    return value, np.sum(bends * n(k)), np.sum(bends * n(k) * k**2) / radius


def test_two_gaussians_in_infinite_dimensions():
    """psi(r) = SUM_s (q(r_* s) - y_s) q(r s) over s = 1 +- Delta, in SciPy's normal law."""
    s, y, ramp = np.array([1.3, 0.7]), np.array([1.0, -1.0]), ([0.5, 1.5], np.array([10.0, -10.0]), -2.5)

    def q(r):
        return np.array([gaussian_mean(r * side, *ramp) for side in s]).T

    def slope(r):
        return float(np.sum((q(r)[0] - y) * q(r)[1] * s))

    r = scipy.optimize.brentq(slope, 1.0, 2.0, xtol=1e-15)
    value, first, second = q(r)
    wide = wl.problems.isotropic_gaussians(delta=0.3, dim=np.inf).reduced()
    found = wl.analysis.stability(wide, atom([r]))
    np.testing.assert_allclose(found.spread_rates, [[np.sum((value - y) * second * s**2)]], rtol=1e-10)
    np.testing.assert_allclose(
        found.rates, [np.sum((value - y) * second * s**2) + np.sum((first * s) ** 2)], rtol=1e-10
    )
    assert found.stable is True
    assert "symmetry" in found.verdict


def test_a_cone_at_zero_takes_mass_in_finite_time():
    """mei2018, Fig. 4: sigma has a kink at 0, so psi has a slope at r = 0, positive where the risk wants no neuron."""
    kinked = wl.activations.piecewise_linear([0.0, 0.5, 1.5], [-2.5, -4.0, 7.5])
    small = wl.problems.isotropic_gaussians(delta=0.5, dim=320, activation=kinked).reduced()
    found = wl.analysis.stability(small, atom([0.0]))
    np.testing.assert_array_equal(found.rates, [np.inf])
    assert found.stable is True
    assert "finite time" in found.verdict


def test_a_fixed_point_is_found_from_near_it():
    """From clouds beside a mixture, and beside a saddle, which no flow would reach; the wall keeps its atom."""
    start = wl.Particles([[1.01], [1.03], [-0.9]], [0.3, 0.4, 0.3])
    rho = wl.analysis.fixed_point(two_wells(0.1), start, merge=0.05)
    np.testing.assert_allclose(rho.positions, [[1.0], [-1.0]], atol=1e-12)
    np.testing.assert_allclose(rho.weights, [HEAVY, 1 - HEAVY])
    rho = wl.analysis.fixed_point(SADDLE, atom([1.05], [1.06]), merge=0.05)
    assert len(rho) == 1
    assert wl.analysis.stability(SADDLE, rho).stable is False
    walled = moments((1, 2), (-1.0, 0.8), domain=wl.domains.HalfLine(0.0))
    rho = wl.analysis.fixed_point(walled, atom([0.005]))
    assert float(rho.positions[0, 0]) == 0.0


def test_where_there_is_no_fixed_point():
    """psi' = exp(a) > 0 everywhere: a goes to -infinity."""
    unit = wl.units.Function(lambda theta, x: jnp.exp(theta.a) * x[0], columns=["a"])
    problem = wl.Problem(unit, wl.data.Samples([1.0], [-1.0]))
    with pytest.raises(ValueError, match="none was found"):
        wl.analysis.fixed_point(problem, atom([0.0]), tolerance=1e-15)


def test_too_many_atoms_are_refused():
    rows = np.linspace(0, 1, 3001)[:, None]
    with pytest.raises(ValueError, match="3001 atoms"):
        wl.analysis.stability(STABLE, wl.Particles(rows))
