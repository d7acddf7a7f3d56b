"""Searches for a maximum: what is proved is true, and what is found is there."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from widelimit.numerics import branch_and_bound, climb, evaluate, search_line


def hill(u):
    """Largest at (0.3, -0.2): 1; slope at most 2."""
    return 1.0 - jnp.sqrt((u[0] - 0.3) ** 2 + (u[1] + 0.2) ** 2 + 1e-30) * 2.0


def waves(u):
    return jnp.sum(jnp.sin(3.0 * u) + 0.1 * u)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_the_bound_holds_and_is_tight(dim):
    lower, upper = -np.ones(dim), 2.0 * np.ones(dim)
    grid = np.linspace(-1.0, 2.0, 30_001)
    true = dim * float(np.max(np.sin(3.0 * grid) + 0.1 * grid))
    found = branch_and_bound(waves, 3.1 * dim**0.5, lower, upper, rtol=1e-4, most=300_000)
    # The grid misses the maximum by 3 (spacing)^2 / 2 at the most.
    assert found.best <= true + 2e-8 * dim
    assert found.upper >= true - 1e-12
    assert found.upper - true < (1e-3 if dim < 3 else 0.05) * true
    assert float(waves(jnp.asarray(found.point))) == pytest.approx(found.best)


def test_a_kink_is_bounded_too():
    found = branch_and_bound(hill, 2.0, -np.ones(2), np.ones(2))
    assert 1.0 - 1e-12 <= found.upper < 1.0 + 1e-6


def test_few_evaluations_still_bound():
    bounds = [branch_and_bound(waves, 3.1, -np.ones(1), np.ones(1), most=most).upper for most in (1, 8, 64, 4096)]
    assert all(a >= b for a, b in itertools.pairwise(bounds))
    assert bounds[-1] >= float(jnp.max(jnp.asarray([waves(jnp.asarray([u])) for u in np.linspace(-1, 1, 501)])))


def test_a_known_value_saves_work():
    cold = branch_and_bound(waves, 3.1, -np.ones(1), 2 * np.ones(1))
    warm = branch_and_bound(waves, 3.1, -np.ones(1), 2 * np.ones(1), known=cold.best)
    assert warm.evaluations <= cold.evaluations
    assert warm.upper == pytest.approx(cold.upper, rel=1e-8)


def test_the_best_of_many_searches():
    starts = jnp.asarray(np.linspace(-1.0, 2.0, 12)[:, None])
    best = float(np.max(climb(waves, starts)[1]))
    # sin(3u) + u/10 has its maxima where cos(3u) = -1/30.
    tops = (np.arccos(-1 / 30) + 2 * np.pi * np.arange(-3, 9)) / 3
    values = np.sin(3 * tops) + 0.1 * tops
    assert np.min(np.abs(values - best)) < 1e-9
    assert best > np.max(values[(tops > -1) & (tops < 2)]) - 1e-9


def test_a_search_that_finds_nothing_better_keeps_its_start():
    points, values = climb(lambda u: -jnp.sum(jnp.abs(u)), jnp.asarray([[0.0], [1.0]]))
    assert values[0] == 0.0
    np.testing.assert_array_equal(points[0], [0.0])


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_batches_change_nothing(batch):
    points = np.random.default_rng(0).normal(size=(20, 2))
    np.testing.assert_allclose(evaluate(waves, points, batch), [float(waves(jnp.asarray(p))) for p in points])


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_second_derivatives_make_the_bound_sharp(dim):
    """|d^2 waves| <= 9 in every direction."""
    lower, upper = -np.ones(dim), 2.0 * np.ones(dim)
    top = float(np.arccos(-1 / 30) / 3)
    true = dim * (np.sin(3.0 * top) + 0.1 * top)
    found = branch_and_bound(waves, 3.1 * dim**0.5, lower, upper, curvature=9.0, rtol=1e-13, most=300_000)
    assert true - 1e-14 <= found.upper <= true + 1e-12
    assert found.evaluations < 100_000
    first = branch_and_bound(waves, 3.1 * dim**0.5, lower, upper, rtol=1e-13, most=300_000)
    assert first.upper >= found.upper


# The search along a line


def test_a_line_is_searched_to_rounding_with_few_values():
    top = float(np.arccos(-1 / 30) / 3)
    true = np.sin(3.0 * top) + 0.1 * top
    found = search_line(waves, np.asarray([-1.0, 2.0]), np.asarray([9.0]))
    assert true - 1e-15 <= found.upper <= true + 1.1e-13
    assert found.values[0] <= found.upper
    assert found.evaluations < 500
    # All local maxima that stand out, best first: the one inside, and the right end does not rise.
    assert found.peaks[0] == pytest.approx(top, abs=1e-6)
    assert np.all(np.diff(found.values) <= 0)


def test_the_bound_of_a_line_holds_for_any_number_of_values():
    true = float(np.max(np.asarray([waves(jnp.asarray([u])) for u in np.linspace(-1, 2, 2001)])))
    uppers = [search_line(waves, np.asarray([-1.0, 2.0]), np.asarray([9.0]), most=most).upper for most in (1, 40, 80)]
    assert uppers[0] >= uppers[1] >= uppers[2] >= true
    assert uppers[0] > uppers[2] + 1e-6


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_maximum_at_an_end_is_settled_at_once(sign):
    found = search_line(lambda u: sign * jnp.sum(u + 0.1 * u**2), np.asarray([0.0, 1.0]), np.asarray([0.2]))
    assert found.upper == found.values[0] == (1.1 if sign > 0 else 0.0)
    assert found.peaks[0] == (1.0 if sign > 0 else 0.0)
    # Only the cell at the maximum could hide anything, and its slope says that it does not.
    assert found.evaluations < 40


def test_a_curvature_for_each_interval_and_kinks_at_the_breaks():
    """Linear pieces need their ends only, whatever the kinks."""
    corners = np.asarray([0.0, 0.3, 0.35, 0.9, 1.0])
    heights = np.asarray([0.2, 1.0, -1.0, 0.99, 0.0])
    found = search_line(
        lambda u: jnp.interp(u[0], jnp.asarray(corners), jnp.asarray(heights)), corners, np.zeros(4), atol=1e-15
    )
    assert found.upper == pytest.approx(1.0, abs=1e-15)
    np.testing.assert_allclose(found.peaks[:2], [0.3, 0.9])
    assert found.evaluations == 33


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_slope_that_is_a_root_is_bounded_too(sign):
    """f' = -+ |u - 0.3|^(1/2) changes by no more than sqrt 2 times the root of the distance."""
    found = search_line(
        lambda u: -sign * jnp.abs(u[0] - 0.3) ** 1.5 / 1.5,
        np.asarray([-1.0, 2.0]),
        np.zeros(1),
        rough=np.full(1, 2.0**0.5),
    )
    true = 0.0 if sign > 0 else 1.7**1.5 / 1.5
    assert true - 1e-13 <= found.upper <= true + 2e-13
    assert found.evaluations < 5000


def test_the_bound_is_that_of_the_steepest_parabola():
    """f = -K/2 (u - a)(u - b) is the function that the bound is made for: no search is needed where it is exact."""
    found = search_line(lambda u: 2.0 * u[0] * (1.0 - u[0]), np.asarray([0.0, 1.0]), np.asarray([4.0]), most=1)
    # 32 cells, the best value at a common end of two of them: 1/2 - K (1/32)^2 / 2 * ... is within K l^2 / 8.
    assert 0.5 <= found.upper <= 0.5 + 4.0 / 8 / 32**2


def test_a_rough_search_stops_at_a_share_of_what_it_found():
    rough = search_line(waves, np.asarray([-1.0, 2.0]), np.asarray([9.0]), level=0.0, rtol=0.1)
    exact = search_line(waves, np.asarray([-1.0, 2.0]), np.asarray([9.0]))
    assert rough.evaluations < exact.evaluations
    assert exact.upper <= rough.upper <= rough.values[0] + 0.1 * rough.values[0] + 1e-15


def test_a_value_that_is_no_number_bounds_nothing():
    found = search_line(lambda u: jnp.log(u[0]), np.asarray([-1.0, 1.0]), np.asarray([1.0]))
    assert not found.upper < np.inf
    assert found.evaluations < 100


def test_a_search_that_is_stopped_bounds_all_the_same():
    """After two rounds, which are told how far the bound is above the best value."""
    true = float(np.max(np.asarray([waves(jnp.asarray([u])) for u in np.linspace(-1, 2, 2001)])))
    for search in (
        lambda stop: branch_and_bound(waves, 3.1, -np.ones(1), 2 * np.ones(1), stop=stop),
        lambda stop: search_line(waves, np.asarray([-1.0, 2.0]), np.asarray([9.0]), stop=stop),
    ):
        told = []

        def stop(count, left, told=told):
            told.append((count, left))
            return len(told) == 2

        cut, whole = search(stop), search(None)
        assert len(told) == 2
        assert true <= whole.upper < cut.upper
        assert cut.evaluations == told[1][0] < whole.evaluations
        assert told[0][1] > told[1][1] > 0.0
