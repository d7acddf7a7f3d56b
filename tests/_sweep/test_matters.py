"""Shares, differences and choices against tables whose answers are known."""

import itertools

import numpy as np
import pytest

from widelimit._sweep._matters import (
    INTERACTIONS,
    SEED,
    cheapest_within,
    complete_part,
    level_differences,
    variance_parts,
    variance_shares,
)

A = np.array([0.0, 1.0, 5.0])
B = np.array([0.0, 2.0])
# Sums to zero along both axes: an interaction and nothing else.
AB = 0.5 * np.outer([1.0, -2.0, 1.0], [1.0, -1.0])
MEANS = A[:, None] + B + AB


def shares(values, names=("a", "b")):
    return {row.factor: row.share for row in variance_shares(values, names)}


def test_the_shares_of_a_table_without_noise():
    """Var A = 14/3, Var B = 1, the interaction's mean square 1/4 * 2: by hand."""
    found = shares(np.repeat(MEANS[..., None], 3, axis=-1))
    total = 14 / 3 + 1 + 0.5
    assert found["a"] == pytest.approx(14 / 3 / total, rel=1e-12)
    assert found["b"] == pytest.approx(1 / total, rel=1e-12)
    assert found[INTERACTIONS] == pytest.approx(0.5 / total, rel=1e-12)
    assert found[SEED] == 0.0


def test_noise_that_all_settings_share_is_the_seeds_alone():
    """Deviations +-1 of two seeds everywhere: s^2 = 2, and no contrast of settings moves."""
    parts = {"a": 14 / 3, "b": 1.0, INTERACTIONS: 0.5, SEED: 2.0}
    expected = {name: part / sum(parts.values()) for name, part in parts.items()}
    assert shares(MEANS[..., None] + np.array([-1.0, 1.0])) == pytest.approx(expected, rel=1e-12)


def test_noise_of_one_setting_is_taken_off_the_factors():
    """Deviations +-1 at one of six settings, two seeds: |P e|^2 of the first factor is 6 Var(1/2, 0, 0) = 1/3, ..."""
    values = np.repeat(MEANS[..., None], 2, axis=-1)
    values[0, 0] += [-1.0, 1.0]
    # tr(P C P) = SUM_s |P (y_s - m)|^2 / (S - 1) is twice that, and the mean has a half of it.
    off = np.array([1 / 3, 1 / 6, 5 / 6 - 1 / 3 - 1 / 6]) / 6
    expected = [*(np.array([14 / 3, 1.0, 0.5]) - off), 2 / 6]
    assert variance_parts(values) == pytest.approx(expected, rel=1e-12)


def test_variances_are_unbiased_and_the_errors_of_shares_are_their_spread():
    """400 tables of 6 seeds with a spread that differs from setting to setting."""
    rng = np.random.default_rng(1)
    spread = np.linspace(0.3, 1.5, 6).reshape(3, 2)
    # Both levels of b share half of their noise, as steps of one width do.
    noise = 0.5**0.5 * (rng.standard_normal((400, 3, 2, 6)) + rng.standard_normal((400, 3, 1, 6)))
    tables = MEANS[..., None] + spread[..., None] * noise
    parts = variance_parts(tables, settings=2)
    np.testing.assert_allclose(parts[7], variance_parts(tables[7]), rtol=1e-12)
    off = parts.mean(axis=0) - np.array([14 / 3, 1.0, 0.5, np.mean(spread**2)])
    assert np.all(np.abs(off) < 3.5 * parts.std(axis=0) / 400**0.5)
    spreads = (parts / parts.sum(axis=1, keepdims=True)).std(axis=0, ddof=1)
    stated = np.mean(
        [[row.error or 0.0 for row in variance_shares(table, ("a", "b"))] for table in tables[:80]], axis=0
    )
    assert stated == pytest.approx(spreads, rel=0.25)


def test_noise_alone_is_the_seeds():
    tables = np.random.default_rng(2).standard_normal((400, 3, 2, 4))
    parts = variance_parts(tables, settings=2)
    assert np.all(np.abs(parts.mean(axis=0) - [0.0, 0.0, 0.0, 1.0]) < 3.5 * parts.std(axis=0) / 400**0.5)
    found = [row.share for row in variance_shares(tables[0], ("a", "b"))]
    assert min(found) >= 0.0
    assert sum(found) == pytest.approx(1.0, rel=1e-12)


def test_one_seed_and_one_factor():
    assert shares(MEANS[..., None]).keys() == {"a", "b", INTERACTIONS}
    rows = variance_shares(A[:, None], ("a",))
    assert [(row.factor, row.share, row.error) for row in rows] == [("a", 1.0, None)]
    with pytest.raises(ValueError, match="finite"):
        variance_shares(np.array([[1.0, np.nan]]), ("a",))


def test_differences_and_their_errors():
    values = np.repeat(MEANS[..., None], 2, axis=-1)
    values[0, 0] += [-1.0, 1.0]
    levels = (("x", "y", "z"), ("u", "v"))
    found = {(row.factor, row.first, row.second): row for row in level_differences(values, ("a", "b"), levels)}
    assert found["a", "x", "y"].difference == pytest.approx(1.0, abs=1e-12)
    assert found["a", "y", "z"].difference == pytest.approx(4.0, abs=1e-12)
    # The mean over the 2 settings of x moves by -+1/2 with the seed, that over the 3 of u by -+1/3.
    assert found["a", "x", "y"].error == pytest.approx(0.5, rel=1e-12)
    assert found["b", "u", "v"].error == pytest.approx(1 / 3, rel=1e-12)
    # Student's 97.5 % point is 12.7 at 1 degree of freedom.
    assert [row.beyond for row in found.values()] == [False, True, False]
    alone = level_differences(MEANS[..., None], ("a", "b"), levels)
    assert {(row.error, row.beyond) for row in alone} == {(None, None)}


@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_false_alarms_are_as_rare_as_stated(shared):
    """Also where the settings of one level have most of their noise in common."""
    rng = np.random.default_rng(3)
    own, common = rng.standard_normal((600, 2, 3, 3)), rng.standard_normal((600, 2, 1, 3))
    tables = (1 - shared) ** 0.5 * own + shared**0.5 * common
    called = [level_differences(t, ("a", "b"), (("x", "y"), ("u", "v", "w")))[0].beyond for t in tables]
    # 5 % of 600 is 30 with a standard deviation of 5.3.
    assert 14 <= sum(map(bool, called)) <= 46


def test_the_cheapest_within_a_tolerance():
    means = np.array([[1.0, 1.04], [1.06, np.nan]])
    cost = np.array([[10.0, 5.0], [1.0, 0.1]])
    values = means[..., None] + np.array([-1e-3, 1e-3])
    found = cheapest_within(values, cost, 0.05)
    assert (found.best, found.cheapest, found.saving, found.sure) == ((0, 0), (0, 1), 2.0, True)
    assert cheapest_within(values, cost, 0.07).cheapest == (1, 0)
    assert cheapest_within(values, cost, 0.01).cheapest == (0, 0)
    # One seed apart by more than what is left to the tolerance: 0.01 against 12.7 standard errors of 0.02.
    values[0, 1] += [-0.02, 0.02]
    doubtful = cheapest_within(values, cost, 0.05)
    assert (doubtful.cheapest, doubtful.sure) == ((0, 1), False)
    assert cheapest_within(means[..., None], cost, 0.05).sure is None


def test_what_is_missing_is_left_out_by_levels():
    values = np.zeros((3, 4, 2))
    values[:, 3, 1] = np.nan
    values[1, 0, :] = np.nan
    kept = complete_part(values)
    assert kept[1] == [1, 2] or (kept[0], kept[1]) == ([0, 2], [0, 1, 2])
    assert np.all(np.isfinite(values[np.ix_(*kept)]))
    assert complete_part(np.zeros((2, 2, 1))) == ([0, 1], [0, 1])
    for size in itertools.product((1, 2), (1, 3)):
        assert complete_part(np.full((*size, 1), np.nan)) != ([0], [0])
