"""Tables of small rank against a dense singular value decomposition, row by row."""

from typing import Any

import numpy as np
import pytest

from widelimit.numerics import LowRank, low_rank


def _compressed(table: np.ndarray, weights: Any = None, piece: int = 64, most: int | None = None) -> LowRank | None:
    given = np.full(table.shape[1], 1.0 / table.shape[1]) if weights is None else weights
    return low_rank(
        lambda at: table[at], len(table), given, piece=piece, most=min(table.shape) if most is None else most
    )


def _found(table: np.ndarray, **options: Any) -> LowRank:
    out = _compressed(table, **options)
    assert out is not None
    return out


def _sizes(table: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(table) @ weights)


def _tanh(rows: int, columns: int) -> np.ndarray:
    return np.tanh(np.linspace(-3.0, 3.0, rows)[:, None] * np.linspace(-2.0, 2.0, columns))


@pytest.mark.parametrize("piece", [64, 100, 10_000])
@pytest.mark.parametrize("shape", [(900, 400), (90, 300), (300, 40)])
def test_rank_and_error_are_those_of_a_dense_decomposition(shape: tuple[int, int], piece: int) -> None:
    table = _tanh(*shape)
    weights = np.random.default_rng(1).uniform(0.5, 1.5, shape[1]) / shape[1]
    left, right = _found(table, weights=weights, piece=piece)
    singular = np.linalg.svd(table * np.sqrt(weights), compute_uv=False)
    rank = int(np.sum(singular > 1e-15 * singular[0]))
    # Rows are measured one by one, which may take a few directions more than the decomposition of all of them.
    assert len(right) <= rank + 8
    assert np.all(_sizes(left @ right - table, weights) <= 3e-14 * np.maximum(
        _sizes(table, weights), np.median(_sizes(table, weights))
    ))  # fmt: skip
    np.testing.assert_allclose((right * weights) @ right.T, np.eye(len(right)), atol=1e-13)


def test_no_direction_too_few() -> None:
    # One less than the exact rank would miss a part of the size of the rows.
    rng = np.random.default_rng(0)
    for rank in (1, 3, 17):
        table = rng.normal(size=(200, rank)) @ rng.normal(size=(rank, 80))
        left, right = _found(table)
        assert len(right) == rank
        np.testing.assert_allclose(left @ right, table, rtol=0, atol=1e-13 * np.abs(table).max())


def test_small_rows_keep_their_digits() -> None:
    # Sizes over twelve orders of magnitude, the small ones in directions of their own.
    table = _tanh(400, 100) * np.logspace(0.0, 12.0, 400)[:, None]
    left, right = _found(table)
    weights = np.full(100, 0.01)
    sizes = _sizes(table, weights)
    assert np.all(_sizes(left @ right - table, weights) <= 3e-14 * np.maximum(sizes, np.median(sizes)))


def test_a_row_that_no_sample_shows_is_found() -> None:
    table = _tanh(3000, 100)
    table[2345] += np.sin(40.0 * np.linspace(-2.0, 2.0, 100))
    left, right = _found(table)
    np.testing.assert_allclose(left @ right, table, rtol=0, atol=1e-13)


def test_columns_without_weight_are_there_all_the_same() -> None:
    table, weights = _tanh(300, 100), np.full(100, 0.01)
    weights[:50] = 0.0
    left, right = _found(table, weights=weights)
    # Digits of a column count by the root of its weight, which is taken as 1e-8 at least.
    np.testing.assert_allclose((left @ right)[:, 50:], table[:, 50:], rtol=0, atol=1e-12)
    np.testing.assert_allclose((left @ right)[:, :50], table[:, :50], rtol=0, atol=1e-8)


def test_no_more_than_the_rank_that_is_allowed() -> None:
    kinked = np.maximum(np.linspace(-2.0, 2.0, 120) - np.linspace(-3.0, 3.0, 300)[:, None], 0.0)
    assert _compressed(kinked, most=60) is None
    assert len(_found(kinked).right) <= 120
    smooth = _tanh(300, 120)
    rank = len(_found(smooth).right)
    assert len(_found(smooth, most=rank).right) == rank
    assert _compressed(smooth, most=rank - 1) is None


def test_zero() -> None:
    left, right = _found(np.zeros((20, 10)))
    assert left.shape == (20, 0)
    np.testing.assert_array_equal(left @ right, np.zeros((20, 10)))
