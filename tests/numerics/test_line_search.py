"""Steps that fall, steps that are not numbers, and searches that find nothing."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from widelimit.numerics import line_search, line_search_on_host

SEARCHES = [line_search, line_search_on_host]


def _along(function: Any, x: float, slope: float) -> Any:
    return lambda s: (x - s * slope, function(x - s * slope), -s * slope**2)


@pytest.mark.parametrize("search", SEARCHES)
def test_the_first_length_that_falls_enough(search: Any) -> None:
    # f = 4 x^2 from 1: x(s) = 1 - 8 s falls for s < 1/4, by 4 - 4 (1 - 8 s)^2 >= 1e-4 * 64 s for s <= 1/4 - 2.5e-5.
    found = search(_along(lambda x: 4.0 * x**2, 1.0, 8.0), 1.0, 4.0)
    assert bool(found.found)
    assert float(found.length) == 0.125
    assert float(found.point) == 0.0
    # 1/4 itself brings back the value 4: it falls by nothing, where the slope promises something.
    third = search(_along(lambda x: 4.0 * x**2, 1.0, 8.0), 1.0, 4.0, first=0.5, shrink=0.3)
    assert float(third.length) == pytest.approx(0.15)


@pytest.mark.parametrize("search", SEARCHES)
def test_a_fall_that_is_no_part_of_what_was_promised_is_none(search: Any) -> None:
    # The value falls by a hundred-thousandth of s, the slope promised s: below a ten-thousandth nothing counts.
    assert not bool(search(lambda s: (s, 1.0 - 1e-5 * s, -s), 0.0, 1.0).found)
    assert bool(search(lambda s: (s, 1.0 - 1e-3 * s, -s), 0.0, 1.0).found)
    # What rounding may hide is allowed.
    assert bool(search(lambda s: (s, 1.0 + 1e-9 + 0.0 * s, -1e-12 * s), 0.0, 1.0, slack=1e-8).found)
    assert not bool(search(lambda s: (s, 1.0 + 1e-9 + 0.0 * s, -1e-12 * s), 0.0, 1.0, slack=1e-10).found)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("search", SEARCHES)
def test_a_value_that_is_no_finite_number_is_too_high(search: Any, bad: float) -> None:
    def trial(s: Any) -> Any:
        return s, jnp.where(s > 0.2, bad, 1.0 - s), -s

    found = search(trial, 0.0, 1.0)
    assert float(found.length) == 0.125
    assert not bool(search(lambda s: (s, bad + 0.0 * s, -s), 0.0, 1.0).found)
    # Nothing is known to be lower than what is no number.
    assert not bool(search(lambda s: (s, 1.0 - s, -s), 0.0, np.nan).found)


@pytest.mark.parametrize("search", SEARCHES)
def test_a_search_that_finds_nothing_says_so_and_stays(search: Any) -> None:
    lengths = []

    def trial(s: Any) -> Any:
        lengths.append(s)
        return {"x": s + 1.0}, 2.0 + s, -s

    found = search(trial, {"x": jnp.asarray(7.0)}, 1.0, most=5)
    assert not bool(found.found)
    assert float(found.length) == 0.0
    assert float(found.point["x"]) == 7.0
    if search is line_search_on_host:
        assert lengths == [1.0, 0.5, 0.25, 0.125, 0.0625]


def test_searches_of_a_batch_end_each_on_its_own() -> None:
    def one(bend: Any) -> Any:
        return line_search(lambda s: (s, bend * s**2 - s, -s), 0.0, 0.0)

    found = jax.jit(jax.vmap(one))(jnp.asarray([0.5, 3.0, 1e30]))
    np.testing.assert_array_equal(found.length, [1.0, 0.25, 0.0])
    np.testing.assert_array_equal(found.found, [True, True, False])
