"""Proposition 1, Proposition 2, (32)-(35) and A.5's criterion, each on cases solved by hand or by brute force."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

import widelimit as wl
from widelimit.analysis.splines._law import spline_error
from widelimit.theory import yarotsky2018 as theory


def square(x):
    return x**2


P = wl.problems.free_knot_spline(square)
OPTIMUM = wl.laws.product(c=wl.laws.Atom(2.0), h=wl.laws.Uniform(0.0, 1.0))


def neurons(n, inputs=6):
    x = np.random.default_rng(0).normal(size=(inputs, 2))
    problem = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(x, np.sin(x[:, 0])))
    return problem, np.random.default_rng(1).normal(size=(n, problem.dim))


# Proposition 1.


@pytest.mark.slow
def test_the_three_conditions_off_rest():
    problem, rows = neurons(8)
    measure = wl.Particles(rows)
    found = wl.analysis.stationarity(problem, measure)
    assert found.is_stationary is False
    assert np.all(found.conditions > 1e-3)
    # Each part is at least what it is compared with: Cauchy and Schwarz.
    assert np.all(found.conditions <= 1.0)
    expected = wl.observables.Dissipation()(problem, measure)["dissipation"]
    assert found.dissipation == pytest.approx(float(expected), rel=1e-12)
    assert found.dissipation == pytest.approx(float(jnp.mean(found.norms**2)), rel=1e-12)
    assert found.verdict.startswith("Not stationary")


def scaled_square(scale):
    return wl.problems.free_knot_spline(lambda x: scale * x**2)


def test_the_conditions_do_not_depend_on_the_scale():
    """f and c times s: every integral scales, the relative conditions stay, whatever the absolute size."""
    rows = np.array([[1.0, 0.2], [2.0, 0.5], [-1.0, 0.7]])
    found = [
        wl.analysis.stationarity(scaled_square(s), wl.Particles(rows * [[s, 1.0]])).conditions for s in (1.0, 1e-9)
    ]
    # grad psi in c scales as s, in h as s^2, and their sizes too; the first and third condition mix the two.
    assert np.all(found[1] > 1e-3)
    assert found[0][1] == pytest.approx(found[1][1], rel=1e-9)


def test_the_conditions_at_rest():
    c, h = theory.single_atom()
    found = wl.analysis.stationarity(P, wl.Particles([[c, h], [c, h], [0.7, 1.5]], [0.5, 0.5, 0.0]))
    assert found.is_stationary is True
    assert np.all(found.conditions < 1e-14)
    assert "Stationary" in found.verdict


def test_little_mass_in_motion_is_seen_by_the_gradient_alone():
    c, h = theory.single_atom()
    weights = [1.0 - 1e-15, 1e-15]
    found = wl.analysis.stationarity(P, wl.Particles([[c, h], [1.0, 0.6]], weights))
    assert found.is_stationary is None
    assert found.conditions[1] > 1e-3
    assert found.conditions[2] < 1e-12
    assert found.verdict.startswith("Nearly stationary")


def test_a_cancelling_motion_is_not_rest():
    """Two charges that move apart: their mean rests, theta^2 and the cosines see it."""
    unit = wl.units.Function(lambda theta, x: theta.a**2 * x[0], columns=["a"])
    problem = wl.Problem(unit, wl.data.Samples([1.0], [4.0]))
    found = wl.analysis.stationarity(problem, wl.Particles([[1.0], [-1.0]]))
    assert found.is_stationary is False
    # psi = (f - y) a^2 = -3 a^2; size: |y| = 4 for |f - y| = 3.
    np.testing.assert_allclose(found.conditions[:2], 0.75)


def test_walls_and_thresholds_count():
    unit = wl.units.Function(lambda theta, x: theta.a * x[0], columns=["a"], linear="a")
    data = wl.data.Samples([1.0], [1.0])
    held = wl.Problem(unit, data, domain=wl.domains.Box(0.0, 0.5))
    assert wl.analysis.stationarity(held, wl.Particles([[0.5]])).is_stationary is True
    kept = wl.Problem(unit, data, penalty=wl.penalties.total_variation(2.0, "a"))
    assert wl.analysis.stationarity(kept, wl.Particles([[0.0]])).is_stationary is True
    pulled = wl.analysis.stationarity(
        wl.Problem(unit, data, penalty=wl.penalties.total_variation(0.25, "a")), wl.Particles([[0.0]])
    )
    assert pulled.is_stationary is False
    # It moves at 0.75 and gains 0.75 a unit of length.
    assert pulled.dissipation == pytest.approx(0.75**2, rel=1e-6)


# Proposition 2.


@pytest.mark.parametrize(("n", "total"), [(4, False), (9, True)])
def test_totality_on_finite_data(n, total):
    problem, rows = neurons(n)
    found = wl.analysis.totality(problem, wl.Particles(rows))
    x = np.random.default_rng(0).normal(size=(6, 2))
    table = np.tanh(x @ rows[:, 1:3].T + rows[:, 3]) if problem.dim == 4 else np.tanh(x @ rows[:, 1:].T)
    values = np.linalg.svd(table, compute_uv=False)
    assert found.total is total
    assert (found.rank, found.dimension) == (min(n, 6), 6)
    f = table @ rows[:, 0] / n
    residual = f - np.sin(x[:, 0])
    left = residual - table @ np.linalg.lstsq(table, residual, rcond=None)[0]
    assert found.outside == pytest.approx(np.linalg.norm(left) / np.linalg.norm(residual), abs=1e-12)
    assert found.smallest == pytest.approx(values[-1] / values[0] if total else 0.0, rel=1e-9)
    assert ("risk is 0" in found.verdict) is total


def test_stationary_and_total_means_no_risk():
    """Proposition 2 itself: output weights at rest with total features."""
    problem, rows = neurons(9)
    x = np.random.default_rng(0).normal(size=(6, 2))
    y = np.sin(x[:, 0])
    one = rows.copy()
    one[:, 0] = 1.0
    table = np.stack([np.asarray(problem.predict(wl.Particles(row[None]), x)) for row in one], axis=1) / 9.0
    rows[:, 0] = np.linalg.lstsq(table, y, rcond=None)[0]
    measure = wl.Particles(rows)
    assert wl.analysis.totality(problem, measure).total
    assert wl.analysis.stationarity(problem, measure).is_stationary is True
    assert float(problem.risk(measure)) < 1e-24


def test_inputs_that_come_twice():
    x, y = np.array([0.0, 1.0, 1.0]), np.array([0.0, 1.0, 3.0])
    problem = wl.Problem(wl.units.FreeKnot(), wl.data.Samples(x, y))
    found = wl.analysis.totality(problem, wl.Particles([[2.0, -1.0], [0.0, 0.5]]))
    assert (found.total, found.dimension) == (True, 2)
    assert "least there is" in found.verdict


def test_totality_of_splines():
    assert not wl.analysis.totality(P, OPTIMUM.quantise(50)).total
    assert wl.analysis.totality(P, OPTIMUM.quantise(5)).rank == 5
    cover = wl.laws.Mixture(
        [wl.laws.product(c=wl.laws.Normal(0.0, 1.0), h=wl.laws.Uniform(a, b)) for a, b in ((-1.0, 0.4), (0.4, 1.2))],
        [0.5, 0.5],
    )
    gap = wl.laws.Mixture(
        [wl.laws.product(c=wl.laws.Normal(0.0, 1.0), h=wl.laws.Uniform(a, b)) for a, b in ((-1.0, 0.4), (0.5, 1.2))],
        [0.5, 0.5],
    )
    assert wl.analysis.totality(P, cover).total
    assert not wl.analysis.totality(P, gap).total
    assert wl.analysis.totality(P, wl.laws.product(c=wl.laws.Atom(1.0), h=wl.laws.Normal(9.0, 1.0))).total
    with pytest.raises(ValueError, match="linear block"):
        wl.analysis.totality(wl.problems.free_knot_spline(square, charge=False), wl.Particles([[0.1]]))


# (32)-(35).


@pytest.mark.parametrize(
    "charge",
    [wl.laws.Atom(2.0), wl.laws.Normal(2.0, 3.0), wl.laws.Mixture([wl.laws.Atom(-1.0), wl.laws.Atom(5.0)], [0.5, 0.5])],
)
def test_any_law_of_c_with_the_right_mean_is_a_minimum(charge):
    law = wl.laws.product(c=charge, h=wl.laws.Uniform(0.0, 1.0))
    found = wl.analysis.global_minimum(P, law)
    assert found.holds
    assert found.risk < 1e-30
    assert wl.analysis.orthogonality(P, law).is_stationary


def test_without_charges_and_with_slope_and_intercept():
    half = wl.problems.free_knot_spline(lambda x: 0.5 * x**2, charge=False)
    assert wl.analysis.global_minimum(half, wl.laws.product(h=wl.laws.Uniform(0.0, 1.0))).holds
    tilted = wl.problems.free_knot_spline(lambda x: 2.0 * (x + 0.5) ** 2)
    # f'' = 4 on [-1/2, 1] with mass 3/2: slope 2 and value 1/2 at 0 come from h < 0.
    law = wl.laws.product(c=wl.laws.Atom(6.0), h=wl.laws.Uniform(-0.5, 1.0))
    found = wl.analysis.global_minimum(tilted, law)
    assert found.holds
    assert found.risk < 1e-28


def kinked():
    """|x - 1/2|: slope -1, value 1/2, a charge of 2 at 1/2; two particles of each sign left of 0."""
    problem = wl.problems.free_knot_spline(lambda x: jnp.abs(x - 0.5), breaks=(0.5,))
    # c1 + c2 = -1, c1 h1 + c2 h2 = -1/2 at h = -1/2, -1.
    rows = np.array([[2.0, 0.5], [-3.0, -0.5], [2.0, -1.0]])
    return problem, rows * np.array([[3.0, 1.0]])


def test_each_part_of_the_criterion_alone():
    problem, rows = kinked()
    assert wl.analysis.global_minimum(problem, wl.Particles(rows)).holds
    for change, expected in (
        ([[0.3, 0.0], [0.0, 0.0], [0.0, 0.0]], (0.0, 0.0, 0.1)),
        ([[0.0, 0.0], [0.3, 0.0], [0.0, 0.0]], (0.05, 0.1, 0.0)),
        ([[0.0, 0.0], [0.0, 0.0], [0.0, -0.1]], (0.2, 0.0, 0.0)),
    ):
        found = wl.analysis.global_minimum(problem, wl.Particles(rows + np.array(change)))
        assert not found.holds
        np.testing.assert_allclose([found.intercept, found.slope, found.curvature], expected, atol=1e-12)


def test_atoms_are_a_finite_distance_from_a_density():
    family = wl.analysis.stationary_atoms(P, 3)[1]
    found = wl.analysis.global_minimum(P, family.measure())
    # Masses 2 Delta against the density 2: off by Delta on both sides of each knot; here left_mass adds Delta.
    assert found.curvature == pytest.approx(0.5, abs=1e-12)
    assert found.slope == pytest.approx(0.25, abs=1e-12)
    assert found.intercept == pytest.approx(-(0.25**2) / 6.0, abs=1e-12)
    assert found.risk == pytest.approx(family.risk, rel=1e-10)


def test_a_target_that_jumps_has_no_minimum():
    problem = wl.problems.free_knot_spline(lambda x: jnp.where(x < 0.5, 0.0, 1.0), breaks=(0.5,))
    found = wl.analysis.global_minimum(problem, OPTIMUM)
    assert not found.holds
    assert found.curvature == float("inf")


@pytest.mark.parametrize(
    "law",
    [
        wl.laws.product(c=wl.laws.Normal(1.0, 0.5), h=wl.laws.Normal(0.4, 0.15)),
        wl.laws.product(c=wl.laws.Uniform(0.0, 1.0), h=wl.laws.Uniform(-0.7, 0.6)),
        wl.laws.product(c=wl.laws.Normal(1.0, 0.5), h=wl.laws.Atom(0.3)),
        wl.laws.Normal([1.0, 0.4], [0.1, 0.2], dim=2),
        wl.laws.Gaussian(mean=[1.0, 0.4], cov=[[0.5, -0.1], [-0.1, 0.04]]),
        wl.laws.product(
            c=wl.laws.Atom(1.0), h=wl.laws.Mixture([wl.laws.Normal(0.2, 0.1), wl.laws.Uniform(0.5, 0.9)], [0.3, 0.7])
        ),
    ],
)
def test_the_prediction_of_a_law_by_its_quantiles(law):
    found = spline_error(P, law, "test", charges=True)
    quantised = law.quantise(4096)
    rows, w = np.asarray(quantised.positions), np.asarray(quantised.weights)
    x = np.linspace(0.0, 1.0, 21)
    # Sobol points: about 1/n.
    expected = np.maximum(x[:, None] - rows[:, 1], 0.0) @ (w * rows[:, 0])
    np.testing.assert_allclose(found.law.predict(x), expected, atol=1e-3)
    slopes = (rows[:, 1] <= x[:, None]) @ (w * rows[:, 0])
    inner = np.all(np.abs(x[:, None] - rows[:, 1]) > 1e-9, axis=1)
    np.testing.assert_allclose(found.law.slope(x)[inner], slopes[inner], atol=5e-3)
    y, v = np.polynomial.legendre.leggauss(200)
    error = found.law.predict(0.5 * (y + 1.0)) - (0.5 * (y + 1.0)) ** 2
    assert found.risk == pytest.approx(0.25 * np.sum(v * error**2), rel=1e-5)


# A.5's criterion.


def test_mass_at_h_above_one_is_free():
    law = wl.laws.product(c=wl.laws.Normal(0.0, 1.0), h=wl.laws.Uniform(1.0, 2.0))
    found = wl.analysis.orthogonality(P, law)
    assert found.is_stationary
    assert (found.free, found.where) == (1.0, None)
    c, h = theory.single_atom()
    both = wl.Particles([[c / 0.25, h], [3.0, 1.0], [-2.0, 4.0], [1.0, 1.5]])
    found = wl.analysis.orthogonality(P, both)
    assert found.is_stationary
    assert found.free == pytest.approx(0.75)


def test_less_has_to_hold_at_zero_charge():
    """At c = 0 a root of G2 will do, where G1 is not zero."""
    base = np.array([[6.6, 0.5], [1.0, 2.0], [0.0, 0.5]])

    def second(h):
        rows = base.copy()
        u, v = np.polynomial.legendre.leggauss(40)
        cuts = sorted({h, 1.0, *(k for k in rows[:2, 1] if h < k < 1.0)})
        total = 0.0
        for a, b in itertools.pairwise(cuts):
            x = 0.5 * (a + b) + 0.5 * (b - a) * u
            r = np.maximum(x[:, None] - rows[:, 1], 0.0) @ rows[:, 0] / 3.0 - x**2
            total += 0.5 * (b - a) * np.sum(v * r * (x - h))
        return total

    grid = np.linspace(0.0, 0.95, 60)
    values = np.array([second(h) for h in grid])
    i = int(np.flatnonzero(values[1:] * values[:-1] < 0)[0])
    root = optimize.brentq(second, grid[i], grid[i + 1], xtol=1e-15)
    law = wl.Particles(np.concatenate([base[:2], [[0.0, root]]]))
    error = spline_error(P, law, "test", charges=True)
    from widelimit.analysis.splines._orthogonality import _violations

    at = np.array([root])
    assert _violations(error, at, False)[0] < 1e-12
    assert _violations(error, at, True)[0] > 1e-3
    found = wl.analysis.orthogonality(P, law)
    assert found.zero_charge == pytest.approx(1.0 / 3.0)
    assert not found.is_stationary


def test_zero_charges_everywhere():
    """p = delta(c) on [0, 1]: f_rho = 0, stationary for f orthogonal to every x - h, that is for no f but 0."""
    start = wl.laws.product(c=wl.laws.Atom(0.0), h=wl.laws.Uniform(0.0, 1.0))
    found = wl.analysis.orthogonality(P, start)
    assert not found.is_stationary
    assert found.zero_charge == pytest.approx(1.0)
    # For x^2 the largest angle is at h -> 1, where x^2 is x - h plus a constant.
    assert 0.5 < found.violation <= 1.0
    nothing = wl.problems.free_knot_spline(lambda x: 0.0 * x)
    assert wl.analysis.orthogonality(nothing, start).is_stationary


def test_the_criterion_agrees_with_the_gradient():
    """Random particles left and right of A: zero where grad psi is, of the size of grad psi elsewhere."""
    for family in wl.analysis.stationary_atoms(P, 2):
        measure = family.measure()
        rng = np.random.default_rng(0)
        for size in (0.0, 1e-3):
            rows = np.asarray(measure.positions) + size * rng.normal(size=measure.positions.shape)
            moved = wl.Particles(rows, measure.weights)
            a, b = wl.analysis.orthogonality(P, moved), wl.analysis.stationarity(P, moved)
            assert a.is_stationary is (b.is_stationary is True) is (size == 0.0)


def test_bad_input():
    for check in (wl.analysis.orthogonality, wl.analysis.global_minimum):
        with pytest.raises(ValueError, match="tolerance"):
            check(P, OPTIMUM, tolerance=0.0)
        with pytest.raises(ValueError, match="sample"):
            check(P, wl.laws.product(c=wl.laws.Atom(1.0), h=wl.laws.Chi(3)))
        with pytest.raises(ValueError, match="blocks"):
            check(P, wl.laws.product(h=wl.laws.Atom(1.0), c=wl.laws.Uniform(0.0, 1.0)))
        with pytest.raises(ValueError, match="columns"):
            check(P, wl.laws.Uniform(0.0, 1.0))
    with pytest.raises(ValueError, match="quantise"):
        wl.analysis.stationarity(P, OPTIMUM)
    with pytest.raises(ValueError, match="tolerance"):
        wl.analysis.stationarity(P, OPTIMUM.quantise(4), tolerance=2.0)
    problem, _ = neurons(3)
    with pytest.raises(ValueError, match="quantise"):
        wl.analysis.totality(problem, wl.laws.Normal(0.0, 1.0, dim=problem.dim))


@pytest.mark.parametrize("place", [-0.4, 0.2, 0.7])
def test_violations_are_projections_of_the_error(place):
    """A charged knot sees the part of the error in the lines on [h, 1], one without charge that along x - h alone."""
    problem = wl.problems.free_knot_spline(lambda x: x**2 - 0.3)
    rho = wl.Particles([[2.0, place]])
    u, v = np.polynomial.legendre.leggauss(60)
    a = max(place, 0.0)
    x, w = a + 0.5 * (1.0 - a) * (1.0 + u), 0.5 * (1.0 - a) * v
    r, f = 2.0 * (x - place) - (x**2 - 0.3), x**2 - 0.3
    size = np.sqrt(w @ np.maximum(r**2, f**2))
    lines = np.linalg.qr(np.sqrt(w)[:, None] * np.stack([np.ones_like(x), x], axis=1))[0]
    charged = wl.analysis.orthogonality(problem, rho).violation
    # The maximum of r^2 and f^2 bends inside of panels.
    assert charged == pytest.approx(np.linalg.norm(lines.T @ (np.sqrt(w) * r)) / size, rel=1e-2)
    # A particle without charge at the same place, beside one of twice the charge: f_rho and its error are the same.
    still = wl.analysis.orthogonality(problem, wl.Particles([[4.0, place], [0.0, place]]))
    along = abs(w @ (r * (x - place))) / np.sqrt(w @ (x - place) ** 2) / size
    assert still.zero_charge == pytest.approx(0.5)
    assert still.violation == pytest.approx(max(charged, along), rel=1e-2)
    free = wl.Particles([[4.0, 1.5], [0.0, place]])
    alone = wl.analysis.orthogonality(problem, free).violation
    along = abs(w @ (f * (x - place))) / np.sqrt(w @ (x - place) ** 2) / np.sqrt(w @ f**2)
    assert alone == pytest.approx(along, rel=1e-3)
