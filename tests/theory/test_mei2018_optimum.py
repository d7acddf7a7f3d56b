"""r_*, Lemma 1, the thresholds and the infimum, each against a computation that shares no step with it."""

import math

import mpmath
import numpy as np
import pytest
from scipy import optimize, special

from widelimit.theory.mei2018 import RAMP, Isotropic, delta_infinity, infimum, single_delta, thresholds


def grid_minimum(model, points):
    """The lowest risk over weights on a fixed grid of [0, inf]: nonnegative least squares on Gauss-Laguerre nodes."""
    d = model.d
    t = np.linspace(0.0, 1.0, points)
    with np.errstate(divide="ignore"):
        r = 3.0 * t / (1.0 - t)
    x, w = special.roots_genlaguerre(128, d / 2 - 1)
    s, w = np.sqrt(2 * x), w / w.sum()
    rows, targets = [], []
    for tau, y in zip(model.tau, (1.0, -1.0), strict=True):
        rows.append(np.sqrt(w / 2)[:, None] * RAMP.p(tau * s[:, None] * r, d))
        targets.append(np.sqrt(w / 2) * y)
    # A row with a large weight holds the sum of the weights at 1.
    heavy = 1e3
    table = np.vstack([*rows, np.full((1, points), heavy)])
    found, _ = optimize.nnls(table, np.append(np.concatenate(targets), heavy))
    found /= found.sum()
    residual = table[:-1] @ found - np.concatenate(targets)
    return float(residual @ residual), r[found > 1e-9], found[found > 1e-9]


@pytest.mark.first(2)
@pytest.mark.parametrize(("delta", "d"), [(0.1, 40), (0.4, 40), (0.2, 13), (0.3, math.inf), (0.8, 40)])
def test_single_delta_is_the_lowest_sphere(delta, d):
    model = Isotropic(delta, d)
    best = single_delta(model)
    t = np.linspace(0.0, 1.0, 301)
    with np.errstate(divide="ignore"):
        assert best.risk <= float(np.min(model.single(3.0 * t / (1.0 - t))))
    around = model.single(best.r + np.array([-1e-3, 0.0, 1e-3]))
    # At a smooth minimum the two sides differ by the third derivative: 1e-9 times numbers below 10.
    assert around[1] == best.risk
    assert abs(around[0] - around[2]) < 1e-7 < min(around[0], around[2]) * 1e-3
    assert min(around[0], around[2]) > around[1]


@pytest.mark.slow
def test_delta_infinity_to_twelve_digits():
    mpmath.mp.dps = 30

    def q(r):
        return -mpmath.mpf(5) / 2 + 10 * sum(
            sign * (r * mpmath.npdf(t / r) - t * mpmath.ncdf(-t / r))
            for sign, t in ((1, mpmath.mpf(1) / 2), (-1, mpmath.mpf(3) / 2))
        )

    x1, x2 = (mpmath.findroot(lambda r, y=y: q(r) - y, 1.5) for y in (1, -1))
    assert delta_infinity() == pytest.approx(float((x1 - x2) / (x1 + x2)), abs=1e-14)
    # The print: "about 0.47".
    assert round(delta_infinity(), 2) == 0.47
    # One sphere with risk 0 there, and not beside it.
    at = single_delta(Isotropic(delta_infinity(), math.inf))
    assert at.risk < 1e-15
    assert single_delta(Isotropic(delta_infinity() - 1e-3, math.inf)).risk > 1e-7


def checked_thresholds(d):
    """Lemma 1's condition, on a scan of all r, holds just inside both ends and fails just outside."""
    found = thresholds(d)
    assert found is not None
    low, high = found
    for inside, outside in ((low + 1e-7, low - 1e-7), (high - 1e-7, high + 1e-7)):
        assert single_delta(Isotropic(inside, d)).margin > -1e-12
        past = single_delta(Isotropic(outside, d))
        # psi(inf) - psi(r_*) crosses 0 with a slope between 0.3 and 1.2 in Delta.
        assert -1e-6 < past.margin < -1e-8
        assert math.isinf(past.worst)
    assert single_delta(Isotropic((low + high) / 2, d)).margin > -1e-12
    return found


@pytest.mark.slow
def test_thresholds_at_40():
    # So that a change of any digit is seen.
    np.testing.assert_allclose(checked_thresholds(40), (0.0298161202, 0.4310127388), atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("d", [13, 20, 80, 160])
def test_thresholds(d):
    checked_thresholds(d)


@pytest.mark.slow
def test_the_interval_is_empty_up_to_12():
    assert thresholds(12) is None
    assert thresholds(13) is not None


@pytest.mark.slow
@pytest.mark.parametrize("d", range(2, 12))
def test_the_interval_is_empty_below_12(d):
    assert thresholds(d) is None
    # Not only at infinity: at every Delta on a grid some r is lower than r_*.
    for delta in np.linspace(0.02, 0.98, 25):
        assert single_delta(Isotropic(float(delta), d)).margin < -1e-4


@pytest.mark.slow
def test_thresholds_approach_their_limits():
    low, high = thresholds(math.inf)
    assert (low, high) == (0.0, delta_infinity())
    at_160, at_320 = thresholds(160), thresholds(320)
    assert at_160 is not None
    assert at_320 is not None
    # Both distances to the limit halve when d doubles, with a correction of the order of 1/d.
    assert at_320[0] / at_160[0] == pytest.approx(0.5, abs=0.02)
    assert (high - at_320[1]) / (high - at_160[1]) == pytest.approx(0.5, abs=0.02)


@pytest.mark.first(1)
@pytest.mark.parametrize(("delta", "d"), [(0.01, 40), (0.2, 40), (0.5, 40), (0.8, 40), (0.2, 10)])
def test_infimum(delta, d):
    model = Isotropic(delta, d)
    best = infimum(model)
    assert best.gap < 1e-10
    assert best.weights.sum() == pytest.approx(1.0, abs=1e-14)
    assert model.risk(best.radii, best.weights) == pytest.approx(best.risk, abs=1e-13)
    risk, radii, weights = grid_minimum(model, 1201)
    # The grid's best is above the infimum by about the square of its spacing; the Gauss rule feels the kinks at d = 10.
    assert -1e-8 < risk - best.risk < 1e-5
    far = weights[np.isinf(radii)].sum()
    assert best.weights[np.isinf(best.radii)].sum() == pytest.approx(far, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("delta", "outside"), [(0.01, True), (0.3, False), (0.5, True)])
def test_mass_is_at_infinity_outside_the_interval_only(delta, outside):
    best = infimum(Isotropic(delta, 40))
    assert bool(np.any(np.isinf(best.radii))) is outside
    single = single_delta(Isotropic(delta, 40)).risk
    assert (best.risk < single - 1e-4) is outside
    if not outside:
        assert best.risk == pytest.approx(single, abs=1e-13)
