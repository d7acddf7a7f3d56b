"""Exponents: exact laws, other least squares, coverage by simulation, and what is not determined."""

import re
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from widelimit.analysis import scaling
from widelimit.analysis.scaling._power_law import smooth_spread

_N = np.array([16.0, 32.0, 64.0, 128.0, 256.0, 512.0])


def _seeds(mean: np.ndarray, spread: float, seeds: int, seed: int = 0) -> np.ndarray:
    """Positive results with the given means and a relative scatter."""
    z = np.random.default_rng(seed).normal(size=(len(mean), seeds))
    return mean[:, None] * np.exp(spread * z - 0.5 * spread**2)


def test_an_exact_law_of_single_results() -> None:
    found = scaling(_N, 3.0 * _N**-1.5, name="n")
    assert found.exponent == pytest.approx(1.5, abs=1e-7)
    assert found.prefactor == pytest.approx(3.0, rel=1e-6)
    assert found.interval() == pytest.approx((1.5, 1.5), abs=1e-6)
    assert found.determined
    assert np.isnan(found.misfit)
    assert np.all(np.isnan(found.error))
    assert "n^(-1.5)" in found.statement
    assert "by the residuals alone" in found.statement
    np.testing.assert_allclose(found.value([10.0, 1e4]), [3.0 * 10**-1.5, 3e-6], rtol=1e-6)


def test_single_results_have_the_error_of_their_residuals() -> None:
    values = _seeds(3.0 / _N, 0.1, 1)[:, 0]
    found = scaling(_N, values)
    line = scipy.stats.linregress(np.log(_N), np.log(values))
    half = scipy.stats.t.ppf(0.95, 4) * line.stderr
    assert found.exponent == pytest.approx(-line.slope, abs=1e-7)
    assert found.interval(0.9) == pytest.approx((-line.slope - half, -line.slope + half), abs=1e-6)


def test_the_line_in_logs_is_weighted_least_squares() -> None:
    # Scatter that grows with n, so that weights count.
    values = np.stack([_seeds(np.array([2.0 / n]), n / 600, 8, k)[0] for k, n in enumerate(_N)])
    found = scaling(_N, values)
    errors = found.law.errors
    assert errors[-1] > 5.0 * errors[0]
    y = np.log(values.mean(axis=1)) + 0.5 * errors**2
    (slope, level), cov = np.polyfit(np.log(_N), y, 1, w=1.0 / errors, cov="unscaled")
    assert found.exponent == pytest.approx(-slope, abs=1e-7)
    assert found.prefactor == pytest.approx(np.exp(level), rel=1e-6)
    chi2 = np.sum(((y - slope * np.log(_N) - level) / errors) ** 2)
    half = scipy.stats.t.ppf(0.995, found.freedom) * np.sqrt(cov[0, 0] * max(1.0, chi2 / 4))
    assert found.interval(0.99) == pytest.approx((-slope - half, -slope + half), abs=1e-6)
    # At most six rows of seven degrees of freedom, and the smoothed errors are near the true ones.
    assert 20.0 < found.freedom <= 42.0
    np.testing.assert_allclose(errors, np.sqrt(np.expm1((_N / 600) ** 2) / 8), rtol=0.45)


def test_a_floor_is_fitted_as_by_other_least_squares() -> None:
    values = _seeds(3.0 / _N + 0.05, 0.05, 10)
    found = scaling(_N, values, floor=None)

    def law(n: Any, a: Any, c: Any, level: Any) -> Any:
        return c * n**-a + level

    start = (1.0, 3.0, 0.05)
    best, _ = scipy.optimize.curve_fit(law, _N, values.mean(axis=1), start, sigma=found.error, xtol=1e-14, ftol=1e-14)
    assert (found.exponent, found.prefactor, found.floor) == pytest.approx(tuple(best), rel=1e-5)
    lower, upper = found.interval()
    assert lower < 1.0 < upper
    # Where the profile has risen by F, another minimiser with the exponent held there says the same.
    left = 3.0
    rise = scipy.stats.f.ppf(0.95, 1, found.freedom) * max(1.0, found.best.chi2 / left)
    for a in (lower, upper):
        design = np.stack([_N**-a, np.ones(6)], axis=1) / found.error[:, None]
        rest = np.linalg.lstsq(design, values.mean(axis=1) / found.error, rcond=None)[1]
        assert float(rest[0]) == pytest.approx(found.best.chi2 + rise, rel=1e-6)


def test_a_floor_that_hides_the_exponent() -> None:
    values = _seeds(3.0 / _N + 0.05, 0.05, 10)
    hidden = scaling(_N, values, name="n")
    assert not hidden.determined
    assert hidden.misfit < 1e-3
    assert "off every power law with this floor" in hidden.statement
    assert "floor=None" in hidden.statement
    for floor in (0.05, None):
        shown = scaling(_N, values, floor=floor, within=0.4)
        assert shown.determined
        assert shown.interval()[0] < 1.0 < shown.interval()[1]
    assert "+ 0.05" in scaling(_N, values, floor=0.05).statement
    # From n = 256 on there is nothing but the floor.
    assert not scaling(_N * 1e4, _seeds(3.0 / (_N * 1e4) + 0.05, 0.05, 10), floor=None).determined


def test_signed_results() -> None:
    z = np.random.default_rng(1).normal(size=(6, 40))
    signed = scaling(_N, 3.0 / _N[:, None] + 0.02 * z)
    assert np.min(signed.mean[:, None] + 0.02 * z) < 0.0
    assert signed.determined
    assert signed.interval()[0] < 1.0 < signed.interval()[1]
    assert scaling(_N, -3.0 / _N[:, None] + 0.02 * z).prefactor == pytest.approx(-3.0, rel=0.5)
    nothing = scaling(_N, z)
    assert not nothing.determined
    assert "without bound" in nothing.statement or "anywhere in" in nothing.statement
    # Means of either sign, far from zero.
    both = scaling(_N, np.array([1.0, 0.5, 0.1, -0.2, -0.4, -0.6])[:, None] + 0.01 * z)
    assert not both.determined
    assert "off every power law" in both.statement


def test_a_bend_of_signed_results_is_seen() -> None:
    z = np.random.default_rng(2).normal(size=(6, 200))
    bent = scaling(_N, 3.0 / _N[:, None] + 0.1 + 0.1 * z)
    assert not bent.law.logs
    assert not bent.determined
    assert bent.misfit < 1e-3


def test_too_few_and_too_noisy() -> None:
    two = scaling(_N[:2], _seeds(3.0 / _N[:2], 0.01, 5))
    assert not two.determined
    assert "2 values of the parameter for 2 numbers" in two.statement
    assert np.isnan(two.misfit)
    assert np.all(np.isfinite(two.interval()))
    assert not scaling(_N[:3], _seeds(3.0 / _N[:3], 0.01, 5), floor=None).determined
    assert scaling(_N[:2], 3.0 / _N[:2]).interval() == (-np.inf, np.inf)
    noisy = scaling(_N, _seeds(3.0 / _N, 1.0, 3))
    assert not noisy.determined
    assert "anywhere in [" in noisy.statement
    assert scaling(_N, _seeds(3.0 / _N, 1.0, 3), within=5.0).determined
    # A quantity that does not depend on n has an exponent, too: 0.
    constant = scaling(_N, _seeds(3.0 + 0.0 * _N, 0.05, 5))
    assert constant.determined
    assert constant.interval()[0] < 0.0 < constant.interval()[1]


def test_units_and_orders_do_not_matter() -> None:
    values = _seeds(3.0 / _N, 0.2, 5)
    found, other = scaling(_N, values), scaling(_N[::-1] / 7.0, 11.0 * values[::-1])
    assert other.exponent == pytest.approx(found.exponent, abs=1e-7)
    assert other.interval() == pytest.approx(found.interval(), abs=1e-6)
    assert other.prefactor == pytest.approx(11.0 * found.prefactor * 7.0**-found.exponent, rel=1e-6)
    lifted, raised = scaling(_N, values, floor=None), scaling(3.0 * _N, values + 5.0, floor=None)
    assert raised.exponent == pytest.approx(lifted.exponent, abs=1e-6)
    assert raised.floor == pytest.approx(lifted.floor + 5.0, abs=1e-6)


def test_rows_of_different_lengths_and_functions() -> None:
    values = _seeds(3.0 / _N, 0.1, 6)
    rows = [row[: 2 + k] for k, row in enumerate(values)]
    ragged = scaling(_N, rows)
    assert ragged.seeds.tolist() == [2, 3, 4, 5, 6, 6]
    assert "2 to 6 seeds" in ragged.statement
    asked = scaling(_N, lambda n: rows[int(np.log2(n)) - 4])
    assert asked.statement == ragged.statement
    # A row of one seed borrows its error from the others.
    single = scaling(_N, [values[0][:1], *values[1:]])
    assert single.law.errors[0] > 1.5 * single.law.errors[1]


@pytest.mark.parametrize(
    ("parameter", "values", "options", "said"),
    [
        (_N, np.full((6, 2), np.nan), {}, "at 16 a result is not finite (nan)"),
        (_N, np.full((6, 2), np.inf), {}, "a result is not finite (inf)"),
        (_N, np.ones((5, 2)), {}, "6 values of the parameter, but 5 rows"),
        (_N, [[1.0], [1.0], [1.0], [1.0], [1.0], []], {}, "at 512 came shape (0,)"),
        (-_N, np.ones((6, 2)), {}, "must be finite and positive; -16 is among them"),
        ([1.0, 1.0, 2.0], np.ones((3, 2)), {}, "comes twice"),
        ([1.0], np.ones((1, 2)), {}, "at least 2"),
        ([1.0, 2.0], np.ones((2, 2)), {"floor": None}, "at least 3"),
        (_N, np.ones((6, 2)), {"level": 1.0}, "scaling(level=...): must be a finite number above 0 and below 1"),
        (_N, np.ones((6, 2)), {"within": 0.0}, "scaling(within=...)"),
    ],
)
def test_bad_input(parameter: Any, values: Any, options: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        scaling(parameter, values, **options)


def _results(kind: str, rng: Any, seeds: int) -> np.ndarray:
    m, z = 3.0 / _N[:, None], rng.normal(size=(6, seeds))
    return {
        "normal": m * (1.0 + 0.2 * z),
        "lognormal": m * np.exp(0.5 * z - 0.125),
        # The loss of a random function of 5 and of 1 dimension.
        "chi2_5": m * rng.chisquare(5, size=z.shape) / 5.0,
        "chi2_1": m * z**2,
        "signed": m + 0.02 * z,
        "floor": (m + 0.05) * (1.0 + 0.05 * z),
    }[kind]


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [2, 3, 5, 20])
@pytest.mark.parametrize("kind", ["normal", "lognormal", "chi2_5", "chi2_1", "signed", "floor"])
def test_the_interval_covers(kind: str, seeds: int) -> None:
    draws, rng = 300, np.random.default_rng(seeds)
    floor = None if kind == "floor" else 0.0
    found = [scaling(_N, _results(kind, rng, seeds), floor=floor) for _ in range(draws)]
    covered = np.mean([lower <= 1.0 <= upper for lower, upper in (one.interval() for one in found)])
    # The nominal 95 %, 3 standard errors of the simulation below and what skew of few seeds may cost.
    assert covered > 0.95 - 3.0 * np.sqrt(0.95 * 0.05 / draws) - (0.03 if seeds < 5 or kind == "chi2_1" else 0.0)
    # A law that holds is doubted in about 1 %.
    assert np.mean([one.misfit < 0.01 for one in found]) < 0.06


def test_the_spread_is_found_over_many_decades() -> None:
    """Variances that are a power of x to rounding, far from the constant where the iteration starts."""
    variances = 1e-9 * _N**8.0
    spread = smooth_spread(np.log(_N), variances, np.full(6, 5.0), bends=False)
    np.testing.assert_allclose(spread.errors, np.sqrt(variances / 5.0), rtol=1e-8)
    # 24 of the rows, less one for the slope.
    assert spread.freedom == pytest.approx(23.0)
    bent = smooth_spread(np.log(_N), np.exp(np.log(_N / 64.0) ** 2), np.full(6, 5.0), bends=True)
    np.testing.assert_allclose(bent.errors**2 * 5.0, np.exp(np.log(_N / 64.0) ** 2), rtol=1e-8)
