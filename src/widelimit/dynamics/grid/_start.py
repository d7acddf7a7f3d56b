"""The grid of a run that was given none, and the start as masses of cells."""

import math
from typing import Any

import numpy as np
from jaxtyping import Float

from widelimit.measure import Grid, GridDensity, Particles, describe, grids, laws
from widelimit.problem import Problem

from .._dynamics import Start

# Mass of the start that may lie outside of the grid, lost to rounding and to tails that no cell holds.
_OUTSIDE = 1e-9


def default_grid(problem: Problem, measure: Start, cells: tuple[int, ...]) -> Grid:
    """The product of one grid an axis: uniform on a bounded domain, compactified on others.

    A half-line is r = s t / (1 - t) with s three times the start's median distance from the wall, a line
    x = c + s t / (1 - t^2) with c the start's median and s three times its median distance from c; s >= 1.
    """
    rows = measure.quantise(1024) if isinstance(measure, laws.AbstractLaw) else measure
    positions, weights = np.asarray(rows.positions), np.asarray(rows.weights)
    sides = [side for block in problem.blocks for side in [_bounds(problem, block)] * block.size]
    return grids.product(
        *(
            _axis(*side, count, positions[:, k], weights)
            for k, (side, count) in enumerate(zip(sides, cells, strict=True))
        )
    )


def check_start(problem: Problem, measure: Start) -> None:
    """Raise `ValueError` for a start whose columns are not the unit's."""
    problem.check_columns(measure)


def check_grid(problem: Problem, grid: Grid) -> None:
    """Raise `ValueError` for a grid that does not fit the problem's parameters or leaves its domain."""
    if grid.dim != problem.dim:
        raise ValueError(
            f"TransportPDE(grid=...): the grid has {grid.dim} axes, the unit has {problem.dim} parameters: "
            f"{describe(problem.blocks)}."
        )
    sides = [(block, side) for block in problem.blocks for side in [_bounds(problem, block)] * block.size]
    for edges, (block, (lower, upper)) in zip(grid.edges, sides, strict=True):
        low, high = float(edges[0]), float(edges[-1])
        if low < lower or high > upper:
            raise ValueError(
                f"TransportPDE(grid=...): the grid's [{low:g}, {high:g}] leaves the domain [{lower:g}, {upper:g}] of "
                f"{block.name!r}."
            )


def start_masses(grid: Grid, measure: Start) -> Float[np.ndarray, "..."]:
    """The masses of the cells, of sum 1, in the grid's shape.

    A law gives the probabilities of the cells; particles are shared between the two nearest centres of each axis so
    that mass and mean stay; a density must lie on this grid.

    Raises `ValueError` where more than 1e-9 of the mass lies outside.
    """
    if isinstance(measure, GridDensity):
        if not _same(grid, measure.grid):
            raise ValueError(
                "TransportPDE(grid=...): the start is a density on another grid; leave the grid out to go on with the "
                "start's own, or start from density.particles()."
            )
        masses = np.asarray(measure.masses, float)
    elif isinstance(measure, Particles):
        masses = _deposited(grid, np.asarray(measure.positions, float), np.asarray(measure.weights, float))
    else:
        masses = np.asarray(measure.box_probability(*grid.boxes()), float).reshape(grid.shape)
    total = float(masses.sum())
    if not total >= 1.0 - _OUTSIDE:
        box = " x ".join(f"[{float(side[0]):g}, {float(side[-1]):g}]" for side in grid.edges)
        raise ValueError(
            f"TransportPDE(grid=...): {100.0 * (1.0 - total):.2g} % of the start's mass lies outside the grid {box}; "
            "take a larger grid (grids.half_line and grids.line reach to infinity), or a start within it."
        )
    return masses / total


def _deposited(grid: Grid, positions: np.ndarray, weights: np.ndarray) -> np.ndarray:
    inside = np.ones(len(positions), bool)
    shares, places = [], []
    for k, (edges, centres) in enumerate(zip(grid.edges, grid.centres, strict=True)):
        x, middle, edge = positions[:, k], np.asarray(centres), np.asarray(edges)
        inside &= (x >= edge[0]) & (x <= edge[-1])
        low = np.clip(np.searchsorted(middle, x) - 1, 0, len(middle) - 2)
        # Between a wall and the nearest centre all goes to that centre.
        upper = np.clip((x - middle[low]) / (middle[low + 1] - middle[low]), 0.0, 1.0)
        places.append((low, low + 1))
        shares.append((1.0 - upper, upper))
    masses = np.zeros(grid.shape)
    weights = np.where(inside, weights, 0.0)
    for corner in np.ndindex(*(2,) * grid.dim):
        share = np.prod([shares[k][side] for k, side in enumerate(corner)], axis=0)
        np.add.at(masses, tuple(places[k][side] for k, side in enumerate(corner)), weights * share)
    return masses


def _bounds(problem: Problem, block: Any) -> tuple[float, float]:
    domain = problem.domain.of(block.name)
    if not domain.box:
        raise ValueError(
            f"TransportPDE: the domain of {block.name!r} is a {type(domain).__name__}, whose grid would have no walls; "
            "use GradientFlow."
        )
    return domain.bounds(block.shape)


def _axis(lower: float, upper: float, cells: int, x: np.ndarray, weights: np.ndarray) -> Grid:
    if math.isfinite(lower) and math.isfinite(upper):
        return grids.uniform(lower, upper, cells)
    centre = _median(x, weights)
    if math.isfinite(lower):
        return grids.half_line(cells, _scale(x - lower, weights), lower)
    if math.isfinite(upper):
        mirrored = grids.half_line(cells, _scale(upper - x, weights))
        edges, middle = np.asarray(mirrored.edges[0]), np.asarray(mirrored.centres[0])
        return Grid((upper - edges[::-1],), (upper - middle[::-1],))
    return grids.line(cells, _scale(np.abs(x - centre), weights), centre)


def _scale(distance: np.ndarray, weights: np.ndarray) -> float:
    return max(3.0 * _median(distance, weights), 1.0)


def _median(x: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(x)
    below = np.cumsum(weights[order])
    return float(x[order][min(np.searchsorted(below, 0.5 * below[-1]), len(x) - 1)])


def _same(a: Grid, b: Grid) -> bool:
    pairs = zip((*a.edges, *a.centres), (*b.edges, *b.centres), strict=False)
    return a.shape == b.shape and all(np.array_equal(np.asarray(p), np.asarray(q)) for p, q in pairs)
