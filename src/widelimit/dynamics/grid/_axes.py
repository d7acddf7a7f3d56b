"""The parameters of a problem as the axes of a grid, and what a density on one asks of the problem."""

import math
from typing import Any, NamedTuple

import numpy as np

from widelimit.measure import Grid, describe, fields_of
from widelimit.numerics import Number
from widelimit.problem import Problem

from .._dynamics import nodes_of_mean, require_mean


class Axis(NamedTuple):
    """One parameter: the name of its block, the ends of its domain, and P along it (None where it is no number)."""

    name: str
    lower: Any
    upper: Any
    mobility: Number | None

    @property
    def metric(self) -> Number:
        """P of an axis on which it is a number: what scales distances along it."""
        assert self.mobility is not None
        return self.mobility

    @property
    def walls(self) -> tuple[bool, bool]:
        """Which ends are finite. An infinite one is a number even where the numbers of the problem are traced."""
        below, above = (not (isinstance(side, float) and math.isinf(side)) for side in (self.lower, self.upper))
        return below, above


def axes(problem: Problem) -> tuple[Axis, ...]:
    """One axis for each column; a block of two numbers counts for two."""
    scales = problem.mobility.scales(fields_of(problem.blocks))
    out = []
    for block, scale in zip(problem.blocks, scales or [None] * len(problem.blocks), strict=True):
        out += [Axis(block.name, *problem.domain.of(block.name).bounds(block.shape), scale)] * block.size
    return tuple(out)


def check_density(problem: Problem, who: str) -> None:
    """Raise `ValueError` where a density between walls cannot stand for the problem's measure."""
    nodes_of_mean(problem, who)
    if problem.dim > 2:
        raise ValueError(
            f"{who}: a grid needs one or two parameters, the problem has {problem.dim}: {describe(problem.blocks)}; "
            "reduce it by its symmetry (problem.reduced()), or take GradientFlow."
        )
    require_mean(problem, who)
    check_intervals(problem, who)


def check_intervals(problem: Problem, who: str) -> None:
    """Raise `ValueError` for a domain that is no interval, half-line or line.

    Not for want of a mask: along a wall across the axes the cells are stairs, and from a cell whose outer faces are
    both closed no mass goes on where it should slide along the wall. That error does not shrink with the cells.
    """
    for block in problem.blocks:
        domain = problem.domain.of(block.name)
        if not domain.box:
            why = "; cells make stairs of a round wall, in whose corners mass sticks that should slide along it"
            raise ValueError(
                f"{who}: the domain of {block.name!r} must be a line or an interval, got {domain!r}"
                f"{why if domain.walls else ''}; use GradientFlow."
            )


def check_metric(problem: Problem, who: str) -> None:
    """Raise `ValueError` for a mobility that makes no Wasserstein distance of its own on each axis."""
    if any(axis.mobility is None or not axis.mobility > 0 for axis in axes(problem)):
        raise ValueError(
            f"{who}: the distance needs a mobility of one positive number a block (mobilities.Diagonal), "
            f"got {problem.mobility!r}."
        )


def check_grid(problem: Problem, grid: Any, who: str) -> None:
    """Raise `ValueError` for what is no grid of the problem's parameters, or leaves their domain."""
    if not isinstance(grid, Grid):
        raise ValueError(f"{who}(grid=...): expected one of widelimit.measure.grids, got {grid!r}.")
    if grid.dim != problem.dim:
        raise ValueError(
            f"{who}(grid=...): the grid has {grid.dim} axes, the problem has {problem.dim} parameters: "
            f"{describe(problem.blocks)}."
        )
    for edges, axis in zip(grid.edges, axes(problem), strict=True):
        low, high = map(float, np.asarray(edges)[[0, -1]])
        if low < axis.lower or high > axis.upper:
            raise ValueError(
                f"{who}(grid=...): [{low:g}, {high:g}] reaches outside the problem's domain of {axis.name!r}, "
                f"[{axis.lower:g}, {axis.upper:g}]."
            )
