"""Sums and maps in pieces: every piece size gives what one piece gives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from widelimit.numerics import TABLES, entries, map_rows, sum_chunks


def weighted(x, y, w):
    """Two sums of different shape in one tree."""
    return {"vector": jnp.sum(w[:, None] * x * y[:, None], axis=0), "number": jnp.sum(w * jnp.cos(y))}


# Few: every shape compiles.
@settings(max_examples=8)
@given(rows=st.integers(1, 12), size=st.integers(1, 14), seed=st.integers(0, 99))
def test_any_piece_size_gives_the_whole_sum(rows, size, seed):
    rng = np.random.default_rng(seed)
    x, y, w = rng.normal(size=(rows, 2)), rng.normal(size=rows), rng.uniform(size=rows)
    total = sum_chunks(weighted, (jnp.asarray(x), jnp.asarray(y)), jnp.asarray(w), size)
    np.testing.assert_allclose(total["vector"], (w * y) @ x, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(total["number"], w @ np.cos(y), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("size", [1, 3, 4, 7, 10, 11])
def test_no_piece_is_larger_than_allowed_and_filled_rows_weigh_nothing(size):
    seen = []

    def count(x, w):
        seen.append(x.shape[0])
        # The filled rows are copies of a true one: nothing that is finite on the data turns into NaN.
        return jnp.sum(w / x), jnp.sum(w)

    x = jnp.arange(1.0, 11.0)
    total, mass = sum_chunks(count, (x,), jnp.ones(10), size)
    assert max(seen) <= size
    np.testing.assert_allclose([total, mass], [np.sum(1 / np.arange(1.0, 11.0)), 10.0], rtol=1e-14)


def test_a_sum_in_pieces_keeps_float32():
    x = jnp.ones(10, jnp.float32)
    assert sum_chunks(lambda a, w: jnp.sum(a * w), (x,), x, 3).dtype == jnp.float32


def test_a_sum_in_pieces_has_the_derivative_of_the_sum():
    x, w = jnp.linspace(0.0, 1.0, 9), jnp.full(9, 1 / 9)

    def total(scale, size):
        return sum_chunks(lambda a, v: jnp.sum(v * jnp.sin(scale * a)), (x,), w, size)

    whole, pieces = (jax.grad(total)(2.0, size) for size in (9, 4))
    np.testing.assert_allclose(pieces, whole, rtol=1e-14)


@settings(max_examples=8)
@given(rows=st.integers(1, 12), size=st.integers(0, 14))
def test_map_rows_is_a_map_over_rows(rows, size):
    x = jnp.asarray(np.random.default_rng(rows).normal(size=(rows, 3)))
    np.testing.assert_allclose(
        map_rows(lambda row: jnp.outer(row, row), x, size), x[:, :, None] * x[:, None, :], rtol=1e-14
    )


def test_map_rows_over_a_tree():
    rows = {"a": jnp.arange(5.0), "b": jnp.ones((5, 2))}
    np.testing.assert_array_equal(
        map_rows(lambda row: row["a"] + row["b"], rows, 2), np.arange(5.0)[:, None] + np.ones(2)
    )


def test_entries_is_a_part_of_the_budget_where_there_is_one():
    assert entries(170) == 170 // TABLES
    assert entries(1) == 1
    assert entries(None) >= 2**18
