"""Tables padded to few sizes, so that little is compiled.

A padded row has weight zero; a padded column is zero, in the inputs and in the neurons' weights, whose gradient is then
zero: w . x and |w|^2 are those of the columns that there are, and stay so.
"""

from typing import Any

import numpy as np
from jaxtyping import Float

from widelimit.measure import Blocks, row_size

_FEWEST_ROWS, _FEWEST_COLUMNS = 128, 8


def padded_rows(n: int) -> int:
    """128, 512, then the next of 5, 6, 7 or 8 times a power of two: at most a quarter more."""
    return next((size for size in (_FEWEST_ROWS, 4 * _FEWEST_ROWS) if n <= size), _rounded(n))


def padded_columns(d: int) -> int:
    """8, then the next of 5, 6, 7 or 8 times a power of two."""
    return max(_FEWEST_COLUMNS, _rounded(d))


def _rounded(n: int) -> int:
    unit = 2 ** max(0, (n - 1).bit_length() - 3)
    return -(-n // unit) * unit


def padded(array: Float[np.ndarray, "n ..."], *shape: int) -> Float[np.ndarray, "m ..."]:
    """The array with zeros behind its rows, and behind its columns where `shape` says how many."""
    lengths = (*shape, *array.shape[len(shape) :])
    return np.pad(array, [(0, most - there) for most, there in zip(lengths, array.shape, strict=True)])


def padded_targets(y: Float[np.ndarray, "n ..."], rows: int) -> Float[np.ndarray, "m ..."]:
    """The targets with the first one repeated: a loss may refuse a number that is no label."""
    return np.concatenate([y, np.repeat(y[:1], rows - len(y), axis=0)])


def columns_in(blocks: Blocks, wide: Blocks) -> np.ndarray:
    """Where the columns of rows with `blocks` are in rows with `wide`, the same blocks with padded ones."""
    places, start = [], 0
    for block, wider in zip(blocks, wide, strict=True):
        places.append(start + np.arange(block.size))
        start += wider.size
    return np.concatenate(places)


def padded_positions(positions: Any, blocks: Blocks, wide: Blocks) -> Float[np.ndarray, "N W"]:
    """Rows with `blocks` as rows with `wide`, zeros in the padded columns."""
    rows = np.zeros((len(positions), row_size(wide)))
    rows[:, columns_in(blocks, wide)] = np.asarray(positions)
    return rows
