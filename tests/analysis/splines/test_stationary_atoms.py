"""Families of stationary atoms against the closed forms of the theory, quadrature, brute force and the flow."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate

import widelimit as wl
from widelimit.analysis.splines._knot_search import _edges, _jumps, _shoot
from widelimit.analysis.splines._target import target_of
from widelimit.theory import yarotsky2018 as theory

TIGHT = wl.integrators.Tsit5(1e-10, 1e-12)


def square(x):
    return x**2


def spline(target, **more):
    return wl.problems.free_knot_spline(target, **more)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 40])
def test_the_square_has_both_families(count):
    families = wl.analysis.stationary_atoms(spline(square), count)
    assert families.complete == "all"
    expected = theory.without_left_mass(count), theory.with_left_mass(count)
    for family, known in zip(families, expected, strict=True):
        np.testing.assert_allclose(family.knots, known.knots, atol=4e-14)
        # Slopes of lines through values of rounding 1e-16 over Delta.
        np.testing.assert_allclose(family.masses, known.masses, atol=2e-15 * (count + 1) ** 2)
        assert family.risk == pytest.approx(known.loss, rel=1e-11)
        assert family.left_mass == pytest.approx(known.left_mass, abs=1e-14)
        assert family.left_moment == pytest.approx(known.left_moment, abs=1e-14)
        assert family.complete == "all"
        assert family.stable is False
    assert [family.has_left_mass for family in families] == [False, True]


TARGETS = {
    "two of case 1": (lambda x: (x - 0.5) ** 2 - 0.01, {}),
    "concave, wide": (lambda x: 1.0 + x - 3.0 * x**2, {"lower": -1.0, "upper": 2.0, "loss": wl.losses.squared(1.0)}),
    "log-concave": (lambda x: jnp.exp(x) - 1.0 - x, {}),
    "f'' = 0 at an end": (lambda x: x**3, {}),
    "not log-concave": (lambda x: jnp.cosh(3.0 * x - 1.0) - 1.4, {}),
    "f'' of both signs": (lambda x: jnp.sin(2.0 * jnp.pi * x), {}),
    "with a kink": (lambda x: jnp.abs(x - 0.5) + x**2, {"breaks": (0.5,)}),
}


def gauss(cuts):
    """Gauss nodes and weights on 40 pieces of each interval between `cuts`."""
    u, v = np.polynomial.legendre.leggauss(12)
    pieces = np.concatenate([np.linspace(a, b, 41)[:-1] for a, b in itertools.pairwise(cuts)] + [[cuts[-1]]])
    half = 0.5 * np.diff(pieces)[:, None]
    return (0.5 * (pieces[:-1] + pieces[1:])[:, None] + half * u).ravel(), (half * v).ravel()


@pytest.mark.first(2)
@pytest.mark.parametrize(("name", "count"), [(name, 1 + 2 * (i % 2)) for i, name in enumerate(TARGETS)])
def test_every_family_is_at_rest_and_has_its_risk(name, count):
    target, more = TARGETS[name]
    problem = spline(target, **more)
    lower, upper = more.get("lower", 0.0), more.get("upper", 1.0)
    families = wl.analysis.stationary_atoms(problem, count)
    assert len(families) > 0
    for family in families:
        measure = family.measure()
        w, c, h = (np.asarray(part) for part in (measure.weights, measure["c"], measure["h"]))
        x, v = gauss(sorted({lower, upper, *(p for p in family.knots if p > lower), *more.get("breaks", ())}))
        error = np.maximum(x[:, None] - h, 0.0) @ (w * c) - np.asarray(target(jnp.asarray(x)))
        for start in [*family.knots, *([lower] if family.has_left_mass else [])]:
            for power in (0, 1):
                assert abs(np.sum(v * error * x**power * (x >= start))) < 1e-13 * (upper - lower) ** 3
        factor = 1.0 if "loss" in more else 0.5
        assert family.risk == pytest.approx(factor * np.sum(v * error**2) / (upper - lower), rel=1e-11)
        assert wl.analysis.orthogonality(problem, measure).violation < 1e-13
    assert families[0].risk == pytest.approx(float(problem.risk(families[0].measure())), rel=1e-11)


def scanned(target, left, points=20001, lower=0.0, upper=1.0):
    """All single knots by brute force: lines fitted by normal equations on a fine midpoint grid, sign changes."""
    x = lower + (upper - lower) * (np.arange(points - 1) + 0.5) / (points - 1)
    y = np.asarray(target(jnp.asarray(x)), float)
    sums = [np.concatenate([[0.0], np.cumsum(part)]) for part in (np.ones_like(x), x, x * x, y, x * y)]

    def line(a, b, at):
        n, sx, sxx, sy, sxy = (row[b] - row[a] for row in sums)
        slope = (n * sxy - sx * sy) / (n * sxx - sx * sx)
        return (sy - slope * sx) / n + slope * at

    i = np.arange(40, points - 41)
    h = lower + (upper - lower) * i / (points - 1)
    jump = line(i, points - 1, h) - (line(0, i, h) if left else 0.0)
    return h[1:][jump[1:] * jump[:-1] <= 0.0]


@pytest.mark.first(1)
@pytest.mark.parametrize("name", [name for name in TARGETS if name != "concave, wide"])
@pytest.mark.parametrize("left", [False, True])
def test_single_knots_against_brute_force(name, left):
    target, more = TARGETS[name]
    families = wl.analysis.stationary_atoms(spline(target, **more), 1)
    found = [float(family.knots[0]) for family in families if family.has_left_mass is left]
    expected = scanned(target, left)
    assert len(found) == len(expected)
    # The midpoint grid's own error, and its spacing.
    np.testing.assert_allclose(np.sort(found), expected, atol=2e-4)


@pytest.mark.parametrize(
    ("name", "complete"),
    [("two of case 1", "all"), ("log-concave", "all"), ("not log-concave", "found"), ("f'' of both signs", "found")],
)
def test_what_is_called_all(name, complete):
    target, more = TARGETS[name]
    families = wl.analysis.stationary_atoms(spline(target, **more), 2)
    assert families.complete == complete
    assert ("all there are" in families.statement) is (complete == "all")
    assert ("not all for certain" in families.statement) is (complete == "found")


def test_case_1_alone_can_be_uncertain():
    """f = e^x - 3x has log f'' linear, but f' < 0 where f > 0."""
    families = wl.analysis.stationary_atoms(spline(lambda x: jnp.exp(x) - 3.0 * x), 2)
    by_case = {family.has_left_mass: family.complete for family in families}
    assert by_case == {True: "all"} | ({False: "found"} if len(families) > 1 else {})
    assert families.complete == "found"


def test_derivatives_of_the_jumps():
    target = target_of(spline(lambda x: jnp.sin(5.0 * x) + x), "test")
    knots, step = np.array([0.2, 0.45, 0.8]), 1e-6
    for left in (False, True):
        _, slopes = _jumps(target.lines(_edges(target, knots, left)), left)
        for j in range(3):
            moved = [knots + sign * step * np.eye(3)[j] for sign in (1.0, -1.0)]
            ahead, back = (_jumps(target.lines(_edges(target, k, left)), left)[0] for k in moved)
            np.testing.assert_allclose(slopes[:, j], (ahead - back) / (2 * step), atol=1e-7)


@pytest.mark.parametrize("target", [jnp.exp, lambda x: x**3, lambda x: x**2.5])
def test_the_steps_of_the_proof(target):
    """Along the shooting h_1' >= ... >= h_M' = 1, and F rises where it is zero, for log-concave f''."""
    found = target_of(spline(lambda x: target(0.1 + 0.5 * x)), "test")
    last = np.linspace(0.6, 0.999, 101)
    chains, values = _shoot(found, last, 4, True, 1)
    known = np.isfinite(values)
    assert known.sum() > 10
    # The chains that fit are those right of the first that does.
    assert np.all(known[np.argmax(known) :])
    speeds = np.diff(chains[known], axis=0) / np.diff(last[known])[:, None]
    # Bisection knows the knots to about 1e-11, over steps of 4e-3.
    assert np.all(speeds[:, :-1] >= speeds[:, 1:] - 1e-7)
    signs = np.sign(values[known])
    assert np.sum(np.diff(signs) != 0) == 1
    # F is the jump f_rho(h_1 + 0) - f_rho(h_1 - 0) = e_b - e_a, which rises with h_1.
    assert signs[0] < 0 < signs[-1]


def test_the_regression_of_a_wiggly_target():
    """Many panels between two knots: against scipy's quadrature."""
    target = target_of(spline(lambda x: jnp.sin(40.0 * x)), "test")
    found = target.lines(np.array([0.1, 0.35, 0.9]))
    for k, (a, b) in enumerate([(0.1, 0.35), (0.35, 0.9)]):
        moments = [
            integrate.quad(lambda x, n=n, a=a, b=b: np.sin(40.0 * x) * ((x - a) / (b - a)) ** n, a, b, limit=200)[0]
            for n in (0, 1)
        ]
        start, end = np.linalg.solve([[1 / 2, 1 / 2], [1 / 6, 1 / 3]], np.array(moments) / (b - a))
        assert found.start[k] == pytest.approx(start, abs=1e-12)
        assert found.end[k] == pytest.approx(end, abs=1e-12)
        rough = target.rough_ends(np.array([a]), np.array([b]))
        assert [float(v[0]) for v in rough] == [pytest.approx(start, abs=1e-12), pytest.approx(end, abs=1e-12)]


def test_a_knot_at_the_end():
    """f = x^2 + 1/24 with knots at 0 and 1/2: the line on [0, 1/2] starts at f(0) - Delta^2/6 = 0."""
    families = wl.analysis.stationary_atoms(spline(lambda x: x**2 + 1.0 / 24.0), 2)
    np.testing.assert_allclose(families[0].knots, [0.0, 0.5], atol=1e-8)
    assert families[0].has_left_mass is False
    assert wl.analysis.orthogonality(spline(lambda x: x**2 + 1.0 / 24.0), families[0].measure()).violation < 1e-13


def test_no_family_of_case_1():
    """x^2 + 1 lies above every error at an end of an interval."""
    families = wl.analysis.stationary_atoms(spline(lambda x: x**2 + 1.0), 2)
    assert [family.has_left_mass for family in families] == [True]
    assert families.complete == "all"
    assert "0 families" in families.statement


def test_a_perturbed_knot_is_not_at_rest():
    problem = spline(square)
    for family in wl.analysis.stationary_atoms(problem, 3):
        measure = family.measure()
        moved = wl.Particles(measure.positions.at[1, 1].add(1e-4), measure.weights, blocks=measure.blocks)
        assert wl.analysis.stationarity(problem, measure).is_stationary is True
        assert wl.analysis.stationarity(problem, moved).is_stationary is False
        assert not wl.analysis.orthogonality(problem, moved).is_stationary


def test_the_flow_rests_at_them():
    problem = spline(square)
    family = wl.analysis.stationary_atoms(problem, 2)[1]
    start = family.measure(weights=[0.1, 0.2, 0.3, 0.4])
    run = wl.evolve(problem, start, wl.GradientFlow(TIGHT), t1=5.0)
    # The tolerance of the flow, which grows as exp(0.12 t); the knots were moved by 1e-4 above.
    np.testing.assert_allclose(run.final.positions, start.positions, atol=1e-9)


def cloud(family, charges, gap):
    """Pairs of particles at h +- gap with the given charges, equal weights."""
    h = float(family.knots[0])
    rows = [[c, h + side * gap] for c in charges for side in (1.0, -1.0)]
    return wl.Particles(np.array(rows))


@pytest.mark.parametrize("name", ["square", "f'' of both signs"])
def test_clouds_spread_and_contract_at_the_stated_rates(name):
    """The square's atom is unstable, the sine's (mass < 0, f > f_rho) stable; the other sign of c does the opposite."""
    problem = spline(square if name == "square" else TARGETS[name][0])
    family = wl.analysis.stationary_atoms(problem, 1)[0]
    mass = float(family.masses[0])
    assert family.stable is (name != "square")
    charges = [3.0 * mass, -mass]
    rates = family.growth_rates(np.array(charges)[:, None])[:, 0]
    assert rates[0] * rates[1] < 0.0
    assert family.stability(np.array(charges)[:, None]).stable is False
    gap, t1 = 1e-5, 0.5
    final = wl.evolve(problem, cloud(family, charges, gap), wl.GradientFlow(TIGHT), t1=t1).final
    widths = np.asarray(final.positions[0::2, 1] - final.positions[1::2, 1]) / (2.0 * gap)
    # A pair apart by 2 gap moves f to second order only.
    np.testing.assert_allclose(widths, np.exp(rates * t1), rtol=1e-3)


@pytest.mark.slow
def test_rates_agree_with_the_linearisation():
    problem = spline(lambda x: jnp.exp(x) - 1.0 - x, loss=wl.losses.squared(1.3), lower=-0.5, upper=1.5)
    for family in wl.analysis.stationary_atoms(problem, 2):
        found = wl.analysis.stability(problem, family.measure())
        order = [int(np.argmin(np.abs(found.positions[:, 1] - h))) for h in family.knots]
        np.testing.assert_allclose(-np.min(found.spread_rates[order], axis=1), family.growth_rates()[0], rtol=1e-9)
        assert found.is_stationary
        assert found.stable is family.stable


def test_charges_must_make_the_mass():
    family = wl.analysis.stationary_atoms(spline(square), 2)[0]
    assert np.all(family.growth_rates(-1.0) < 0.0)
    assert family.growth_rates(-1.0).shape == (1, 2)
    with pytest.raises(ValueError, match="some c there must"):
        family.stability(-1.0)
    with pytest.raises(ValueError, match=r"\[n, 2\]"):
        family.growth_rates([1.0, 2.0, 3.0])
    assert family.stability([[5.0, 5.0], [-1.0, -1.0]]).growth_rates.shape == (2, 2)


def test_measures_of_a_family():
    problem = spline(square)
    for family in wl.analysis.stationary_atoms(problem, 2):
        n = 4 if family.has_left_mass else 2
        weights = np.arange(1.0, n + 1.0) / np.arange(1.0, n + 1.0).sum()
        measure = family.measure(weights=weights)
        np.testing.assert_allclose(measure.weights * measure["c"], [*family.masses, *measure_left(family, measure)])
        assert float(problem.risk(measure)) == pytest.approx(family.risk, rel=1e-10)
        with pytest.raises(ValueError, match="sum 1"):
            family.measure(weights=np.ones(n))


def measure_left(family, measure):
    if not family.has_left_mass:
        return []
    parts = np.asarray(measure.weights * measure["c"])[-2:]
    assert parts.sum() == pytest.approx(family.left_mass, abs=1e-14)
    assert float(parts @ np.asarray(measure["h"])[-2:]) == pytest.approx(family.left_moment, abs=1e-14)
    assert np.all(np.asarray(measure["h"])[-2:] < family.lower)
    return parts.tolist()


def test_bad_input():
    problem = spline(square)
    for count in (0, -1, True, 201):
        with pytest.raises(ValueError, match="count"):
            wl.analysis.stationary_atoms(problem, count)
    with pytest.raises(ValueError, match="starts"):
        wl.analysis.stationary_atoms(problem, 1, starts=0)
    with pytest.raises(ValueError, match="affine"):
        wl.analysis.stationary_atoms(spline(lambda x: 2.0 * x - 1.0), 1)
    with pytest.raises(ValueError, match="charge=True"):
        wl.analysis.stationary_atoms(spline(square, charge=False), 1)
    finite = wl.Problem(wl.units.FreeKnot(), wl.data.Samples([0.0, 1.0], [0.0, 1.0]))
    with pytest.raises(ValueError, match="free_knot_spline"):
        wl.analysis.stationary_atoms(finite, 1)
    with pytest.raises(ValueError, match="penalty"):
        wl.analysis.stationary_atoms(spline(square, penalty=wl.penalties.l2(0.1)), 1)
    with pytest.raises(ValueError, match="walls"):
        wl.analysis.stationary_atoms(spline(square, domain=wl.domains.product(h=wl.domains.Box(0.0, 1.0))), 1)


def test_growth_rates_have_the_mobility_of_the_knots():
    """Against the linearised flow of the same atoms."""
    plain = wl.problems.free_knot_spline(target=lambda x: x**2)
    slow = wl.Problem(plain.unit, plain.data, mobility=wl.mobilities.Diagonal(c=1.0, h=0.1))
    family = wl.analysis.stationary_atoms(slow, 1)[0]
    found = wl.analysis.stability(slow, family.measure())
    np.testing.assert_allclose(family.growth_rates().ravel(), -np.min(found.spread_rates), rtol=1e-10)
    np.testing.assert_allclose(family.growth_rates(), 0.1 * wl.analysis.stationary_atoms(plain, 1)[0].growth_rates())


def test_knots_that_are_no_numbers_are_refused():
    problem = wl.problems.free_knot_spline(target=lambda x: x**2)
    bad = wl.Particles([[1.0, 0.2], [2.0, np.nan]])
    assert np.all(np.isnan(problem.predict(bad, np.array([0.1, 0.5]))))
    for check in (wl.analysis.orthogonality, wl.analysis.global_minimum, wl.analysis.totality, wl.analysis.spectrum):
        with pytest.raises(ValueError, match=r"finite|not a number"):
            check(problem, bad)
    far = wl.Particles([[1.0, 0.2], [2.0, np.inf]])
    near = wl.Particles([[1.0, 0.2], [2.0, 5.0]])
    assert float(problem.risk(far)) == float(problem.risk(near))
    assert wl.analysis.orthogonality(problem, far).violation == wl.analysis.orthogonality(problem, near).violation
    np.testing.assert_array_equal(
        problem.integrals.spline("test").kernel(np.array([0.2, np.inf]), np.array([np.inf, np.inf])), 0.0
    )
    with pytest.raises(ValueError, match="real numbers"):
        wl.analysis.stationary_atoms(problem, 1)[0].stability(c="a")
