"""The atoms of a measure: particles that are one point put together, walls met exactly."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from widelimit.measure import Measure, Particles, join, split
from widelimit.problem import Problem

from .._measures import check_measure

# Mass that is left out: all particles lighter than the rest by so much that no integral feels them.
_NEGLIGIBLE = 1e-13
# Matrices over all parameters of all atoms are diagonalised and inverted as a whole.
_MOST_PARAMETERS = 3000


def atoms(problem: Problem, measure: Measure, merge: float, who: str) -> Particles:
    """The atoms with their weights, heaviest first; particles closer than `merge` (1 + |theta|) become one.

    A cluster becomes its centre of mass; atoms without mass are left out; a parameter closer than that to a wall is
    put on it. Parameters at infinity stay there: two are close when both are. Raises `ValueError` for more than 3,000
    parameters in all.
    """
    check_measure(problem, measure, f"{who}(measure=...)")
    rows, w = np.asarray(measure.positions, float), np.asarray(measure.weights, float)
    rows, w = rows[w > 0], w[w > 0]
    order = np.argsort(-w, kind="stable")
    rows, w = rows[order], w[order]
    # Cumulated from the lightest: what is dropped adds up to less than the bound.
    kept = np.cumsum(w[::-1])[::-1] > _NEGLIGIBLE * w.sum()
    rows, w = rows[kept], w[kept]
    if merge > 0.0:
        rows, w = _merged(problem, rows, w, merge)
        if not problem.domain.unconstrained:
            rows = np.asarray(join(problem.blocks, problem.retract(split(problem.blocks, jnp.asarray(rows)))))
            rows = _on_walls(problem, rows, merge)
    if rows.size > _MOST_PARAMETERS:
        raise ValueError(
            f"{who}(measure=...): {len(w)} atoms of {rows.shape[1]} parameters are more than {_MOST_PARAMETERS} "
            "parameters; run longer until the particles have come together, or give a larger merge=..."
        )
    return Particles(rows, w, blocks=problem.blocks)


def _merged(problem: Problem, rows: Any, w: Any, merge: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows [N, D] and weights [N], those of each cluster as one."""
    period = _periods(problem)
    size = 1.0 + np.max(np.where(np.isfinite(rows), np.abs(rows), 0.0), axis=1)
    free = np.ones(len(w), bool)
    centres, masses = [], []
    for i in range(len(w)):
        if not free[i]:
            continue
        way = _way(rows[i], rows, period)
        near = free & (np.max(np.abs(way), axis=1) <= merge * size[i])
        free &= ~near
        masses.append(w[near].sum())
        shift = np.where(np.isfinite(rows[i]), w[near] @ np.where(np.isfinite(rows[i]), way[near], 0.0), 0.0)
        centres.append(rows[i] + shift / masses[-1])
    return np.stack(centres), np.asarray(masses)


def _way(row: Float[np.ndarray, " D"], rows: Float[np.ndarray, "N D"], period: Float[np.ndarray, " D"]) -> np.ndarray:
    """rows - row, the short way round a circle; zero between two equal infinities."""
    with np.errstate(invalid="ignore"):
        way = np.where(rows == row, 0.0, rows - row)
        return way - np.where(np.isfinite(period), np.round(way / period) * period, 0.0)


def _periods(problem: Problem) -> Float[np.ndarray, " D"]:
    periods = [problem.domain.of(block.name).period for block in problem.blocks]
    return np.repeat([np.inf if p is None else float(p) for p in periods], [b.size for b in problem.blocks])


def walls(problem: Problem) -> tuple[Float[np.ndarray, " D"], ...]:
    """The least and the greatest value of each parameter that a box allows; infinite where there is no wall."""
    sides = []
    for block in problem.blocks:
        domain = problem.domain.of(block.name)
        if domain.walls and not domain.box:
            raise ValueError(f"problem: the walls of {domain!r}, the domain of {block.name!r}, are not known.")
        sides += [domain.bounds(block.shape) if domain.box else (-np.inf, np.inf)] * block.size
    return tuple(np.asarray(sides, float).T)


def _on_walls(problem: Problem, rows: Float[np.ndarray, "N D"], merge: float) -> Float[np.ndarray, "N D"]:
    lower, upper = walls(problem)
    close = merge * (1.0 + np.where(np.isfinite(rows), np.abs(rows), 0.0))
    with np.errstate(invalid="ignore"):
        rows = np.where(np.isfinite(lower) & (rows - lower <= close), lower, rows)
        return np.where(np.isfinite(upper) & (upper - rows <= close), upper, rows)
