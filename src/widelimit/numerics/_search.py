"""The maximum of a function: many local searches, and exhaustive searches with a proof."""

import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix
from jaxtyping import Array, Float

from ._chunks import map_rows
from ._compiling import compiled_quickly


class Bounded(NamedTuple):
    """`upper` >= the maximum, proved; `best` is the largest value seen, at `point`."""

    upper: float
    best: float
    point: np.ndarray
    evaluations: int


class Scanned(NamedTuple):
    """`upper` >= the maximum, proved; the highest points of all that were seen, [k], best first, and their values."""

    upper: float
    peaks: np.ndarray
    values: np.ndarray
    evaluations: int


Stop = Callable[[int, float], bool]

# An interval is cut into so many cells before it is known where the function is large.
_LEAST_CELLS = 32
# More batches than this are done as one.
_FEW = 16


def climb(
    function: Callable[[Any], Any], starts: Float[Array | np.ndarray, "S m"], *, steps: int = 200, batch: int = 64
) -> tuple[np.ndarray, np.ndarray]:
    """Where BFGS searches from every start end, [S, m], and the values there [S]; -inf where a value is not finite.

    At most `batch` searches run at once. `function` maps [m] to a number; an `equinox.Module` is compiled once for all
    its arrays.
    """
    points, values = _local(function, starts, steps, batch)
    return np.asarray(points), np.where(np.isfinite(values), values, -np.inf)


@compiled_quickly
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
    curvature: float | None = None,
    known: float = -np.inf,
    rtol: float = 1e-9,
    most: int = 400_000,
    batch: int = 2048,
    stop: Stop | None = None,
) -> Bounded:
    """An upper bound on the maximum of a Lipschitz function over a box, by bisection of its cells.

    In a cell with centre z and half-diagonal r the function is at most f(z) + `lipschitz` r; where f + K |u|^2 / 2 is
    convex, K = `curvature`, also at most K r^2 / 2 above its largest value at the corners. Cells whose bound does not
    exceed the best value by more than `rtol` of it (of `lipschitz` times the box, where that is larger) are
    settled, the others are halved along every axis. After `most` evaluations the largest open bound is returned: it
    is a valid bound all the same, only not a tight one.

    - `known`: a value that the function takes, from a local search.
    - `batch`: points evaluated at once.
    - `stop`: asked before every round with the evaluations so far and how far the bound is above the best value; True
      ends the search as `most` does.
    """
    lower, upper = np.asarray(lower, float), np.asarray(upper, float)
    half = 0.5 * (upper - lower)
    centres = (0.5 * (lower + upper))[None]
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
        bend = np.inf if curvature is None else 0.5 * curvature * float(np.sum(half**2))
        if bend < slack and is_open.any():
            ends = evaluate(function, _corners(centres[is_open], half), batch).reshape(-1, 2 ** len(half))
            count += ends.size
            bounds[is_open] = np.minimum(bounds[is_open], np.max(ends, axis=1) + bend)
            is_open = bounds > enough
        settled = max(settled, float(np.max(bounds[~is_open], initial=-np.inf)))
        if not is_open.any():
            return Bounded(max(settled, best), best, point, count)
        children = int(is_open.sum()) * 2 ** len(half)
        reached = max(settled, float(bounds.max()))
        if count + children > most or (stop is not None and stop(count, reached - best)):
            return Bounded(reached, best, point, count)
        half = 0.5 * half
        centres = _corners(centres[is_open], half)


def _corners(centres: np.ndarray, half: np.ndarray) -> np.ndarray:
    signs = np.stack(np.meshgrid(*[[-1.0, 1.0]] * len(half), indexing="ij"), -1).reshape(-1, len(half))
    return (centres[:, None, :] + signs * half).reshape(-1, len(half))


def search_line(
    function: Callable[[Any], Any],
    breaks: np.ndarray,
    curvature: np.ndarray,
    *,
    rough: np.ndarray | None = None,
    level: float = -np.inf,
    atol: float = 1e-13,
    rtol: float = 0.0,
    most: int = 400_000,
    batch: int = 64,
    stop: Stop | None = None,
) -> Scanned:
    r"""An upper bound on the maximum over an interval, of second order in the size of the cells.

    On a cell [a, b] of length l where f + K u^2 / 2 is convex, $f(a + tl) \le (1-t) f(a) + t f(b) + K l^2 t(1-t)/2$:
    no more than the larger end where |f(b) - f(a)| >= K l^2 / 2, and
    (f(a) + f(b)) / 2 + K l^2 / 8 + (f(b) - f(a))^2 / (2 K l^2) else. Cells whose bound exceeds the best value by more
    than the tolerance are halved. Only values are needed, those at the ends included, so a maximum at an end
    costs nothing; a function that is linear between the breaks is searched by its values there.

    Where f' is only Hölder continuous, |f'(u) - f'(v)| <= H |u - v|^(1/2), its means over [a, a + tl] and over the rest
    differ by H (l/2)^(1/2) at most: sqrt(2) H / sqrt(l) stands for K.

    - `function`: maps [1] to a number; `breaks`: [k + 1], increasing; `curvature`: [k], a K for each interval.
    - `rough`: [k], an H for each interval, in addition; zeros by default.
    - The tolerance is `atol`, or `rtol` times how far the best value exceeds `level` where that is more.
    - `most`: evaluations; after them the largest open bound is returned, which is a bound all the same.
    - `batch`: points evaluated at once; `stop`: as in `branch_and_bound`.
    """
    pieces = max(1, _LEAST_CELLS // len(curvature))
    ends = np.concatenate([*(np.linspace(a, b, pieces + 1)[:-1] for a, b in itertools.pairwise(breaks)), breaks[-1:]])
    values = evaluate(function, ends[:, None], batch)
    seen = [(ends, values)]
    bends = [np.repeat(k, pieces) for k in (curvature, np.zeros_like(curvature) if rough is None else rough)]
    cells = np.stack([ends[:-1], ends[1:], values[:-1], values[1:], *bends])
    best, count, settled = float(np.max(values)), len(ends), -np.inf
    while True:
        bounds = _cell_bounds(cells)
        middle = 0.5 * (cells[0] + cells[1])
        enough = best + max(atol, rtol * (best - level) if level > -np.inf else 0.0)
        # A cell without a point between its ends is as small as they get. A value that is no number ends the search.
        is_open = ~(bounds <= enough) & (cells[0] < middle) & (middle < cells[1])
        settled = max(settled, float(np.max(bounds[~is_open], initial=-np.inf)))
        reached = max(settled, float(np.max(bounds[is_open], initial=-np.inf)), best)
        if not is_open.any() or count + int(is_open.sum()) > most or np.isnan(best):
            return _scanned(seen, reached)
        if stop is not None and stop(count, reached - best):
            return _scanned(seen, reached)
        left, right, at_left, at_right, *bends = cells[:, is_open]
        middle = middle[is_open]
        # Many at once, where there are many: another size to compile.
        values = evaluate(function, middle[:, None], batch if len(middle) <= _FEW * batch else _FEW * batch)
        seen.append((middle, values))
        best, count = max(best, float(np.max(values))), count + len(middle)
        halves = [left, middle, at_left, values, *bends], [middle, right, values, at_right, *bends]
        cells = np.concatenate([np.stack(half) for half in halves], axis=1)


def _cell_bounds(cells: np.ndarray) -> np.ndarray:
    """The bound of `search_line` on each cell (a, b, f(a), f(b), K, H)."""
    left, right, at_left, at_right, bend, rough = cells
    top = bend * (right - left) ** 2 + math.sqrt(2.0) * rough * (right - left) ** 1.5
    with np.errstate(invalid="ignore"):
        rise = np.abs(at_right - at_left)
        inside = 0.5 * (at_left + at_right) + top / 8.0 + rise**2 / (2.0 * np.where(top > 0, top, 1.0))
        bounds = np.where(rise >= 0.5 * top, np.maximum(at_left, at_right), inside)
    return np.where(np.isfinite(bounds), bounds, np.inf)


def _scanned(seen: list[tuple[np.ndarray, np.ndarray]], upper: float) -> Scanned:
    points, values = (np.concatenate(parts) for parts in zip(*seen, strict=True))
    order = np.argsort(points)
    points, values = points[order], values[order]
    walled = np.concatenate([[-np.inf], values, [-np.inf]])
    # Of equal neighbours the first counts.
    peaks = np.flatnonzero((values > walled[:-2]) & (values >= walled[2:]))
    peaks = peaks[np.argsort(-values[peaks], kind="stable")]
    return Scanned(upper, points[peaks], values[peaks], len(points))


def evaluate(function: Any, points: np.ndarray, batch: int = 2048) -> np.ndarray:
    """`function` at the rows of [n, m], `batch` at a time: every piece runs the same compiled code."""
    fill = -len(points) % batch
    padded = np.concatenate([points, np.repeat(points[-1:], fill, axis=0)])
    pieces = [_values(function, jnp.asarray(p, float)) for p in padded.reshape(-1, batch, points.shape[1])]
    return np.concatenate([np.asarray(p) for p in pieces])[: len(points)]


@eqx.filter_jit
def _values(function: Any, points: Any) -> Any:
    return jax.vmap(function)(points)
