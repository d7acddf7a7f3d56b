"""Where neurons are: the distribution of one number each, or two numbers each in a plane."""

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from widelimit.measure import Block, GridDensity, Measure, Particles
from widelimit.trajectory import Trajectory

from .._neurons import Marginal, draw_density, frame, frame_densities, marginal
from .._spread import Spread, blocks_of, label_of, of_cells, spread_of
from ..canvas import BEFORE, LIMIT, colour, plain
from ..words import moment, number
from ._card import new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# More points than these only make ink.
_MOST = 4000
# So many atoms are drawn one by one, with their masses.
_FEW = 16


def neurons(run: Any, axes: "Axes | None" = None) -> "Axes":
    """The neurons of a measure; of a trajectory those of its start, in grey, and of its end.

        axes = wl.report.neurons(trajectory)

    One number a neuron is drawn as its distribution, otherwise two in the plane: the first two blocks, of a vector its
    norm. Areas are masses.

    - `run`: a trajectory, particles or a density on a grid. `axes`: those of a new pyplot figure if left out.

    **Returns** the matplotlib axes.
    """
    axes = new_axes() if axes is None else axes
    _draw(run, axes)
    return axes


@functools.singledispatch
def _draw(run: Any, axes: "Axes") -> None:
    raise ValueError(f"report.neurons(run=...): expected a trajectory or a measure, got {type(run).__name__}.")


@_draw.register(Particles)
@_draw.register(GridDensity)
def draw_measure(measure: Measure, axes: "Axes") -> None:
    """One measure, without a time. Raises `ValueError` where a mass is not finite or a place is no number."""
    if not np.all(np.isfinite(measure.weights)) or np.any(np.isnan(measure.positions)):
        raise ValueError(f"plot(...): this {type(measure).__name__} has masses or positions that are not numbers.")
    blocks = blocks_of(measure)
    block, *others = blocks
    if others:
        _plane(axes, measure, blocks, "")
        return
    values = numbers(measure, blocks)[:, 0]
    finite = np.isfinite(values)
    if block.size == 1 and measure.grid is None and (len(measure) <= _FEW or not np.all(finite)):
        _stems(axes, measure, label_of(block))
        return
    known = of_cells(measure) if measure.grid is not None else None
    spread = Spread("", values[finite], np.abs(np.asarray(measure.weights, float))[finite], known)
    draw_marginal(axes, marginal(block.name, label_of(block), [spread]))


@_draw.register(Trajectory)
def draw_run(run: Trajectory, axes: "Axes") -> None:
    """Start and end."""
    draw_neurons(axes, run, (0, len(run) - 1) if len(run) > 1 else (0,))


def draw_neurons(axes: "Axes", run: Trajectory, when: Sequence[int]) -> None:
    """The save points `when`, the last of them in front."""
    labels = [moment(float(run.times[index])) for index in when]
    blocks = blocks_of(run[0])
    if len(blocks) == 1:
        spreads = [spread_of(run, blocks[0], index, label) for index, label in zip(when, labels, strict=True)]
        draw_marginal(axes, marginal(blocks[0].name, label_of(blocks[0]), spreads))
    else:
        measures = [run[index] for index in when]
        for measure, label in zip(measures[:-1], labels, strict=False):
            _scatter(axes, measure, blocks, BEFORE, label)
        _plane(axes, measures[-1], blocks, labels[-1])
    if len(when) > 1:
        axes.legend()


def _stems(axes: "Axes", measure: Measure, name: str) -> None:
    """Masses over the one parameter; an atom at infinity stands at the edge of the frame, with an arrow."""
    places, masses = (np.asarray(part, float) for part in (measure.positions[:, 0], measure.weights))
    finite = np.isfinite(places)
    low, high = (float(f(places[finite])) for f in (np.min, np.max)) if np.any(finite) else (0.0, 1.0)
    room = 0.25 * (high - low) or 0.5 * abs(high) or 1.0
    low, high = low - room, high + room
    shown = np.clip(places, low, high)
    axes.axhline(0.0, color=LIMIT, lw=0.8)
    axes.vlines(shown, 0.0, masses, color=LIMIT, lw=1.6)
    axes.plot(shown[finite], masses[finite], "o", color=LIMIT, ms=7)
    for end, mark in ((math.inf, ">"), (-math.inf, "<")):
        there = places == end
        if np.any(there):
            label = f"at {'minus ' if end < 0 else ''}infinity: mass {number(float(masses[there].sum()))}"
            axes.plot(shown[there], masses[there], mark, color=colour(1), ms=9, label=label)
            axes.legend()
    axes.set(xlabel=plain(name), ylabel="mass of the atom")
    axes.set_xlim(low - 0.03 * (high - low), high + 0.03 * (high - low))
    axes.set_ylim(1.12 * min(0.0, float(masses.min())), 1.12 * max(0.0, float(masses.max())))


def draw_marginal(axes: "Axes", data: Marginal) -> None:
    """Distributions in one frame, the last in front."""
    axes.set(xlabel=plain(data.label), ylabel="density of neurons")
    for row in data.rows:
        last = row is data.rows[-1]
        all_at = f": all at {number(row.mean)}" if row.heights is None else ""
        label = plain(row.label) + all_at if row.label else None
        draw_density(axes, row, LIMIT if last else BEFORE, "-", filled=last, label=label)
    frame_densities(axes, data)


def numbers(measure: Measure, blocks: tuple[Block, ...]) -> Float[np.ndarray, "N k"]:
    """One number of each of the first two blocks: itself, or the norm of a vector."""
    rows, first, found = np.asarray(measure.positions, float), 0, []
    for block in blocks[:2]:
        part = rows[:, first : first + block.size]
        found.append(part[:, 0] if block.size == 1 else np.linalg.norm(part, axis=1))
        first += block.size
    return np.stack(found, axis=1)


def frame_of(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float]:
    """The range of numbers with their weights that is shown: all, but far tails of little mass."""
    kept = [(values[np.isfinite(values)], np.abs(weights[np.isfinite(values)])) for values, weights in parts]
    return frame([part for part in kept if len(part[0])])


def _plane(axes: "Axes", measure: Measure, blocks: tuple[Block, ...], label: str) -> None:
    if measure.grid is not None and measure.dim == 2:
        _cells(axes, measure)
    else:
        _scatter(axes, measure, blocks, colour(0), label)
    axes.set(xlabel=plain(label_of(blocks[0])), ylabel=plain(label_of(blocks[1])))


def _scatter(axes: "Axes", measure: Measure, blocks: tuple[Block, ...], tint: str, label: str) -> None:
    points, weights = numbers(measure, blocks), np.asarray(measure.weights, float)
    kept = np.unique(np.linspace(0, len(points) - 1, min(len(points), _MOST)).astype(int))
    kept = kept[np.all(np.isfinite(points[kept]), axis=1)]
    share = np.abs(weights[kept]) / max(float(np.mean(np.abs(weights[kept]))), np.finfo(float).tiny)
    base = float(np.clip(6000.0 / max(len(kept), 1), 6.0, 60.0))
    for sign, mark in ((1.0, "o"), (-1.0, "^")):
        those = (weights[kept] < 0) == (sign < 0)
        if np.any(those):
            name = (label if sign > 0 else f"{label} (negative)") or None
            axes.scatter(
                *points[kept][those].T, s=base * share[those], color=tint, marker=mark, alpha=0.5, lw=0, label=name
            )


def _cells(axes: "Axes", measure: GridDensity) -> None:
    """A density in the plane: darker where there is more mass a unit of area."""
    edges = [np.asarray(side, float).copy() for side in measure.grid.edges]
    for side, middles in zip(edges, measure.grid.centres, strict=True):
        # The outermost cells may reach to infinity: drawn as far out as their centres are from the next edge.
        if not np.isfinite(side[0]):
            side[0] = 2 * float(middles[0]) - side[1]
        if not np.isfinite(side[-1]):
            side[-1] = 2 * float(middles[-1]) - side[-2]
    areas = np.outer(np.diff(edges[0]), np.diff(edges[1]))
    mesh = axes.pcolormesh(*edges, (np.asarray(measure.masses) / areas).T, cmap="Blues", rasterized=True)
    axes.figure.colorbar(mesh, ax=axes, label="density of neurons")
