"""The null space of the feature operator on a given support, by its singular values."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.measure import split
from widelimit.numerics import entries, map_rows, real_number
from widelimit.problem import Problem
from widelimit.problem.data import require_nodes
from widelimit.problem.units import feature

# Relative singular values below the first are rounding; a count needs neighbours that are a factor _GAP apart.
_NULL = 1e-12
_GAP = 1e3
# Numbers in the table of features.
_MOST = 2 * 10**7


@dataclasses.dataclass(frozen=True, repr=False)
class NullSpace:
    r"""Charges q on the n points of a support that no output shows: $\sum_i q_i \phi(\theta_i, x) = 0$ at every node.

    - `singular` [n]: the singular values of $\sqrt{\mu_q}\,\phi(\theta_i, x_q)$, relative to the largest, falling.
    - `rank`: how many are above 1e-12; None where that is no clear number: where no gap of 1e3 follows.
    - `visible`: how many are above `tolerance`, likewise.
    - `null` [n - rank, n]: an orthonormal basis of the null space; None without a rank.
    - `verdict`: in words. It speaks for this support alone.
    """

    singular: Float[np.ndarray, " n"]
    rank: int | None
    visible: int | None
    tolerance: float
    null: Float[np.ndarray, "m n"] | None
    verdict: str

    def __repr__(self) -> str:
        return f"NullSpace({self.verdict})"


def null_space(problem: Problem, support: Any, tolerance: float) -> NullSpace:
    """See `Identifiable.null_space`."""
    who = "null_space(support=...)"
    tolerance = real_number(tolerance, "null_space(tolerance=...)", above=_NULL, below=1.0)
    require_nodes(problem.data, "null_space")
    rows = np.asarray(problem.arranged(support).positions, float)
    if not np.all(np.isfinite(rows)):
        raise ValueError(f"{who}: a position is not finite.")
    nodes = require_nodes(problem.data, "null_space")
    outputs = 1 if problem.unit.linear is not None else int(np.prod(problem.data.outputs, dtype=int))
    seen = len(nodes.weights) * outputs
    if len(rows) > seen:
        raise ValueError(
            f"{who}: {len(rows)} points and {seen} numbers at the data's nodes, so that some would be in the null "
            "space whatever the unit; take more nodes, or fewer points."
        )
    if len(rows) * seen > _MOST:
        raise ValueError(f"{who}: {len(rows)} points times {seen} numbers at nodes are more than {_MOST:,}.")
    table = np.asarray(_features(problem, jnp.asarray(rows)), float).reshape(len(rows), -1)
    _, values, right = np.linalg.svd(table.T, full_matrices=False)
    if not values[0] > 0.0:
        raise ValueError(f"{who}: every feature is zero at every node.")
    relative = values / values[0]
    rank, visible = _count(relative, _NULL), _count(relative, tolerance)
    return NullSpace(
        relative, rank, visible, tolerance, None if rank is None else right[rank:],
        _verdict(len(rows), relative, rank, visible, tolerance),
    )  # fmt: skip


@eqx.filter_jit
def _features(problem: Problem, rows: Float[Array, "n D"]) -> Float[Array, "n Q O"]:
    """phi (phi~ of a unit with a linear block) times the root of the node's weight."""
    nodes = require_nodes(problem.data, "null_space")

    def at(row: Any) -> Any:
        theta = split(problem.blocks, row)

        def value(x: Any) -> Any:
            unit = problem.unit
            return jnp.ravel(unit(theta, x) if unit.linear is None else feature(unit, theta, x))

        return jax.vmap(value)(nodes.x) * jnp.sqrt(nodes.weights)[:, None]

    return map_rows(at, rows, max(1, entries(problem.budget) // len(nodes.weights)))


def _count(values: np.ndarray, level: float) -> int | None:
    """How many are at least `level`; None unless the next is smaller by the gap (after the last comes rounding)."""
    count = int(np.sum(values >= level))
    rounding = len(values) * np.finfo(float).eps
    after = values[count] if count < len(values) else rounding
    return count if values[count - 1] >= _GAP * max(after, rounding) else None


def _verdict(n: int, values: np.ndarray, rank: int | None, visible: int | None, tolerance: float) -> str:
    if rank is None:
        said = (
            f"the {n} singular values fall to {values[-1]:.2g} of the largest without a gap of {_GAP:g} at {_NULL:g}: "
            "there is no dimension to count"
        )
        below = int(np.sum(values < tolerance))
        return f"{said}; {below} are below {tolerance:g}, charges that the function hardly shows (this support alone)."
    said = f"rank {rank} of {n}: " + ("no null space" if rank == n else f"a null space of dimension {n - rank}")
    if visible is None:
        said += f"; no clear number is visible at {tolerance:g}"
    elif visible < rank:
        said += f"; {rank - visible} more are invisible at {tolerance:g}"
    return f"{said} (this support alone)."
