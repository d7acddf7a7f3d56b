"""The maximum of a function: many local searches, and an exhaustive search with a proof."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix
from jaxtyping import Array, Float

from ._chunks import map_rows


class Found(NamedTuple):
    """The best value found and where."""

    value: float
    point: np.ndarray


class Bounded(NamedTuple):
    """`upper` >= the maximum, proved; `best` is the largest value seen, at `point`."""

    upper: float
    best: float
    point: np.ndarray
    evaluations: int


def maximise(
    function: Callable[[Any], Any], starts: Float[Array, "S m"], *, steps: int = 200, batch: int = 64
) -> Found:
    """The best of BFGS searches from every start; a local maximum, not a proof.

    At most `batch` searches run at once. `function` maps [m] to a number; an `equinox.Module` is compiled once for all
    its arrays.
    """
    points, values = _local(function, starts, steps, batch)
    values = np.where(np.isfinite(values), values, -np.inf)
    best = int(np.argmax(values))
    return Found(float(values[best]), np.asarray(points[best]))


@eqx.filter_jit
def _local(function: Any, starts: Any, steps: int, batch: int) -> Any:
    def down(u: Any, function: Any) -> Any:
        return -function(u)

    def one(u: Any) -> Any:
        solver = optimistix.BFGS(rtol=1e-10, atol=1e-12)
        found = optimistix.minimise(down, solver, u, args=function, max_steps=steps, throw=False).value
        # A search that ran into a kink or a wall may end below its start.
        better = function(found) >= function(u)
        return jnp.where(better, found, u)

    points = map_rows(one, starts, batch)
    return points, map_rows(function, points, batch)


def branch_and_bound(
    function: Callable[[Any], Any],
    lipschitz: float,
    lower: np.ndarray,
    upper: np.ndarray,
    *,
    known: float = -np.inf,
    rtol: float = 1e-9,
    most: int = 400_000,
    batch: int = 2048,
) -> Bounded:
    """An upper bound on the maximum of a Lipschitz function over a box, by bisection of its cells.

    In a cell with centre z and half-diagonal r the function is at most f(z) + `lipschitz` r. Cells whose bound does
    not exceed the best value by more than `rtol` of it (of `lipschitz` times the box, where that is larger) are
    settled, the others are halved along every axis. After `most` evaluations the largest open bound is returned: it
    is a valid bound all the same, only not a tight one.

    - `known`: a value that the function takes, from a local search.
    - `batch`: points evaluated at once.
    """
    lower, upper = np.asarray(lower, float), np.asarray(upper, float)
    dim = len(lower)
    half = 0.5 * (upper - lower)
    centres = (0.5 * (lower + upper))[None]
    corners = np.stack(np.meshgrid(*[[-0.5, 0.5]] * dim, indexing="ij"), -1).reshape(-1, dim)
    best, point, count, settled = known, centres[0], 0, -np.inf
    scale = lipschitz * float(np.linalg.norm(2 * half))
    while True:
        values = evaluate(function, centres, batch)
        count += len(centres)
        top = int(np.argmax(values))
        if values[top] > best:
            best, point = float(values[top]), centres[top]
        slack = lipschitz * float(np.linalg.norm(half))
        bounds = values + slack
        enough = best + rtol * max(abs(best), 1e-6 * scale)
        is_open = bounds > enough
        settled = max(settled, float(np.max(bounds[~is_open], initial=-np.inf)))
        if not is_open.any():
            return Bounded(max(settled, best), best, point, count)
        children = int(is_open.sum()) * len(corners)
        if count + children > most:
            return Bounded(max(settled, float(bounds.max())), best, point, count)
        centres = (centres[is_open][:, None, :] + corners * half).reshape(-1, dim)
        half = 0.5 * half


def evaluate(function: Any, points: np.ndarray, batch: int = 2048) -> np.ndarray:
    """`function` at the rows of [n, m], `batch` at a time: every piece runs the same compiled code."""
    fill = -len(points) % batch
    padded = np.concatenate([points, np.repeat(points[-1:], fill, axis=0)])
    pieces = [_values(function, jnp.asarray(p)) for p in padded.reshape(-1, batch, points.shape[1])]
    return np.concatenate([np.asarray(p) for p in pieces])[: len(points)]


@eqx.filter_jit
def _values(function: Any, points: Any) -> Any:
    return jax.vmap(function)(points)
