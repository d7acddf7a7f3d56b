"""The grid of a run that was given none, and the start as masses of cells."""

import math

import numpy as np
from jaxtyping import Float

from widelimit.measure import Grid, grids
from widelimit.problem import Problem

from .._dynamics import Start
from ._axes import Axis, axes


def check_start(problem: Problem, measure: Start, who: str) -> None:
    """Raise `ValueError` for a start whose columns are not the problem's."""
    try:
        problem.check_columns(measure)
    except ValueError as error:
        raise ValueError(f"{who}: {error}") from None


def start_masses(grid: Grid, measure: Start, who: str, *, outside: float = 1e-9) -> Float[np.ndarray, "..."]:
    """The masses of the cells, of sum 1, in the grid's shape.

    A law gives the probabilities of the cells; particles are shared between the nearest centres so that mass and mean
    stay; a density must lie on this grid.

    Raises `ValueError` where more than `outside` of the mass is lost to what no cell holds.
    """
    if measure.grid is not None and not measure.grid.same(grid):
        raise ValueError(
            f"{who}(grid=...): the start is a density on another grid; leave the grid out to go on with the start's "
            "own, or start from density.particles()."
        )
    masses = measure.cell_masses(grid)
    total = float(masses.sum())
    if not total >= 1.0 - outside:
        box = " x ".join(f"[{float(side[0]):g}, {float(side[-1]):g}]" for side in grid.edges)
        raise ValueError(
            f"{who}(grid=...): {100.0 * (1.0 - total):.2g} % of the start's mass lies outside the grid {box}; take a "
            "larger grid (grids.half_line and grids.line reach to infinity), or a start within it."
        )
    return masses / total


def default_grid(problem: Problem, measure: Start, cells: tuple[int, ...]) -> Grid:
    """The product of one grid an axis: uniform on a bounded domain, compactified on others.

    A half-line is r = s t / (1 - t) with s three times the start's median distance from the wall, a line
    x = c + s t / (1 - t^2) with c the start's median and s three times its median distance from c; s >= 1.
    """
    rows = measure.atoms(1024)
    weights = np.asarray(rows.weights)
    parts = zip(axes(problem), cells, np.asarray(rows.positions).T, strict=True)
    return grids.product(*(_side(axis, count, x, weights) for axis, count, x in parts))


def _side(axis: Axis, cells: int, x: np.ndarray, weights: np.ndarray) -> Grid:
    lower, upper = axis.lower, axis.upper
    if math.isfinite(lower) and math.isfinite(upper):
        return grids.uniform(lower, upper, cells)
    if math.isfinite(lower):
        return grids.half_line(cells, _scale(x - lower, weights), lower)
    if math.isfinite(upper):
        mirrored = grids.half_line(cells, _scale(upper - x, weights))
        edges, middle = np.asarray(mirrored.edges[0]), np.asarray(mirrored.centres[0])
        return Grid((upper - edges[::-1],), (upper - middle[::-1],))
    centre = _median(x, weights)
    return grids.line(cells, _scale(np.abs(x - centre), weights), centre)


def _scale(distance: np.ndarray, weights: np.ndarray) -> float:
    return max(3.0 * _median(distance, weights), 1.0)


def _median(x: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(x)
    below = np.cumsum(weights[order])
    return float(x[order][min(np.searchsorted(below, 0.5 * below[-1]), len(x) - 1)])
