"""Sums and maps over long arrays in pieces, so that memory stays bounded."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

TABLES = 5
"""Tables of one shape that a piece of a sum may hold at a time: values, slopes, products, what is made of them."""


def entries(budget: int | None) -> int:
    """How many numbers one table of particles x data may hold: its part of a `budget` for all that a piece holds.

    Without one the default of the backend: on a CPU 2^18 doubles (2 MB) stay in the cache; an accelerator wants large
    pieces.
    """
    if budget is not None:
        return max(1, budget // TABLES)
    return 2**18 if jax.default_backend() == "cpu" else 2**26


def sum_chunks(function: Callable[..., Any], arrays: tuple[Any, ...], weights: Any, size: int) -> Any:
    """function(*arrays, weights) summed over pieces of at most `size` rows.

    The last piece is filled with copies of the last row at weight zero, so `function` must be a sum of terms
    weighted by `weights`. One piece means one call, without a loop.
    """
    rows = weights.shape[0]
    if rows <= size:
        return function(*arrays, weights)
    pieces = -(-rows // size)
    # Pieces of equal length waste the fewest filled rows.
    size = -(-rows // pieces)
    fill = pieces * size - rows

    def cut(array: Any, mode: str) -> Any:
        padded = jnp.pad(array, [(0, fill)] + [(0, 0)] * (array.ndim - 1), mode=mode)
        return padded.reshape((pieces, size, *array.shape[1:]))

    cut_arrays = tuple(cut(array, "edge") for array in arrays)
    cut_weights = cut(weights, "constant")
    first = jax.eval_shape(function, *(array[0] for array in cut_arrays), cut_weights[0])
    zero = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), first)

    def add(total: Any, piece: Any) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, total, function(*piece)), None

    total, _ = jax.lax.scan(add, zero, (*cut_arrays, cut_weights))
    return total


def map_rows(function: Callable[[Any], Any], rows: Any, size: int) -> Any:
    """vmap of `function` over the first axis, at most `size` rows at a time."""
    if jax.tree.leaves(rows)[0].shape[0] <= size:
        return jax.vmap(function)(rows)
    return jax.lax.map(function, rows, batch_size=max(size, 1))
