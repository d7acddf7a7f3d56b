"""A tall table of small numerical rank, as the product of two thin ones."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

# What a row may miss of its own size: the rounding of a sum over its columns.
_MISSING = 1e-14


class LowRank(NamedTuple):
    """left @ right, a table [N, M] of rank k."""

    left: Float[np.ndarray, "N k"]
    right: Float[np.ndarray, "k M"]


def low_rank(
    rows: Callable[[Int[np.ndarray, " n"]], Float[np.ndarray, "n M"]],
    count: int,
    weights: Float[np.ndarray, " M"],
    *,
    piece: int,
    most: int,
) -> LowRank | None:
    r"""The table as `left @ right`; None where that takes a rank above `most`.

    With the norm $|r|^2 = \sum_q w_q r_q^2$ every row is right to $10^{-14} \max(|r|, \mathrm{median} |r|)$: each row
    is measured by its own size, so that small rows keep their digits, those below the median by that. `right` is
    orthonormal in this norm.

    The space of the rows is that of a sample of them, and grows where a row is not in it.

    **Arguments**

    - `rows`: places of rows in the table to their numbers; asked for `piece` places at most, besides the sample.
    - `count`: N.
    - `weights`: w >= 0, not all zero; those below 1e-8 of the largest count as that.
    """
    columns = len(weights)
    # Where a column has next to no weight, digits do not count.
    root = np.sqrt(np.maximum(weights, 1e-8 * np.max(weights)))
    sample = np.random.default_rng(0).permutation(count)[: 2 * math.ceil(math.sqrt(columns)) + 32]
    first = rows(sample) * root
    typical = max(float(np.median(np.linalg.norm(first, axis=1))), 1e-300)
    space, left = _extended(np.zeros((0, columns)), first, typical), []
    for start in range(0, count, piece):
        part = rows(np.arange(start, min(start + piece, count))) * root
        space = _extended(space, part, typical)
        if len(space) > most:
            return None
        left.append(part @ space.T)
    whole = np.concatenate([np.pad(part, [(0, 0), (0, len(space) - part.shape[1])]) for part in left])
    return LowRank(whole, space / root)


def _extended(space: Float[np.ndarray, "k M"], rows: Float[np.ndarray, "n M"], typical: float) -> np.ndarray:
    """An orthonormal basis [k, M] of the space and of what the rows have outside of it."""
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1), typical)[:, None]
    missing = unit - (unit @ space.T) @ space
    missing = missing[np.linalg.norm(missing, axis=1) > _MISSING]
    if not len(missing):
        return space
    if len(missing) > 2 * missing.shape[1]:
        missing = np.linalg.qr(missing, mode="r")
    _, sizes, more = np.linalg.svd(missing, full_matrices=False)
    more = more[sizes > _MISSING]
    # What is missing may be all cancellation: its directions are made orthogonal again.
    more = more - (more @ space.T) @ space
    return np.concatenate([space, np.linalg.qr(more.T)[0].T])
