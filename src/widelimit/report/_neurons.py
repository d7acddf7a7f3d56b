"""The pictures of the neurons and their data: where they are, at a few times."""

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from widelimit.trajectory import Trajectory

from ._spread import Spread, blocks_of, label_of, mass_between, numbers_of, rests, rows_of
from .canvas import LIMIT, add_legend, colour, dash, plain
from .words import moment, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Bars of a density that is known, not sampled.
_FINE = 120
# The frame of a histogram leaves out this share of the mass on each side, if it is far out.
_TAIL = 0.002
# A peak this many times above every other curve is cut, so that the others can be seen.
_PEAK = 4.0


@dataclasses.dataclass(frozen=True)
class Density:
    """A histogram of weighted neurons, nine tenths of them in the `middle`; no `heights` if all sit at `mean`."""

    label: str
    edges: Float[np.ndarray, " E"]
    heights: Float[np.ndarray, " B"] | None
    mean: float
    deviation: float
    middle: tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Marginal:
    """The distribution of one number a neuron. `outside`: the largest share of mass outside the frame."""

    name: str
    label: str
    rows: tuple[Density, ...]
    outside: float


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two numbers a neuron, [K, 2] each, at the start and at the end; some of all `total` neurons.

    `heavy`: the means of the second number over the tenth of the mass with the largest |first number| and
    over the rest, at the start and at the end. `still`: the first number never changes; then they are
    the means where it is largest and where it is least.
    """

    labels: tuple[str, str]
    start: Float[np.ndarray, "K 2"]
    end: Float[np.ndarray, "K 2"]
    times: tuple[float, float]
    total: int
    heavy: tuple[tuple[float, float], tuple[float, float]]
    still: bool = False


@dataclasses.dataclass(frozen=True)
class Inputs:
    """Root mean square weights on the inputs, at the start and at the end, the most changed first."""

    block: str
    names: tuple[str, ...]
    start: Float[np.ndarray, " C"]
    end: Float[np.ndarray, " C"]
    total: int


def marginal(name: str, label: str, parts: list[Spread]) -> Marginal:
    """Histograms in one frame."""
    low, high = frame([(part.values, part.weights) for part in parts])
    rows, outside = [], 0.0
    for part in parts:
        values, weights = part.values, part.weights
        share = weights / np.sum(weights)
        mean = float(np.sum(share * values))
        deviation = float(np.sqrt(np.sum(share * (values - mean) ** 2)))
        edges = np.linspace(low, high, (_bins(share) if part.known is None else _FINE) + 1)
        heights = None
        if deviation > 1e-6 * (high - low):
            inside = mass_between(part, share, edges)
            outside = max(outside, 1.0 - float(np.sum(inside)))
            heights = inside / np.diff(edges)
        rows.append(Density(part.label, edges, heights, mean, deviation, _middle(values, share)))
    return Marginal(name, label, tuple(rows), outside)


def _middle(values: np.ndarray, share: np.ndarray) -> tuple[float, float]:
    order = np.argsort(values)
    mass = np.cumsum(share[order]) - 0.5 * share[order]
    low, high = np.interp([0.05, 0.95], mass, values[order])
    return float(low), float(high)


def pair(trajectory: Trajectory, most: int = 2000) -> Pair | None:
    """The first scalar block against the norm of the first vector, or the second scalar, if any."""
    # What is one number for good says nothing beside another.
    fixed = [block for block in blocks_of(trajectory) if rests(trajectory, block)]
    alike = [block for block in fixed if np.ptp(numbers_of(trajectory, block, 0)) == 0]
    blocks = [block for block in blocks_of(trajectory) if block not in alike]
    scalars = [b for b in blocks if b.size == 1]
    vectors = [b for b in blocks if b.size > 1]
    chosen = [*scalars[:1], *vectors[:1]] if scalars and vectors else [*scalars, *vectors][:2]
    if len(chosen) < 2:
        return None
    first, second = (np.stack([numbers_of(trajectory, block, index) for block in chosen], axis=1) for index in (0, -1))
    if len(first) != len(second):
        return None
    total = len(first)
    kept = np.unique(np.linspace(0, total - 1, min(total, most)).astype(int))
    still = chosen[0] in fixed
    means = _at_ends if still else _heavy
    heavy = (means(first, trajectory.weights[0]), means(second, trajectory.weights[-1]))
    ends = (float(trajectory.times[0]), float(trajectory.times[-1]))
    return Pair((label_of(chosen[0]), label_of(chosen[1])), first[kept], second[kept], ends, total, heavy, still)


def inputs(trajectory: Trajectory, columns: tuple[str, ...], most: int = 12) -> Inputs | None:
    """The weights on the named inputs; None unless a block has one entry a column, and there are several."""
    fitting = [block for block in blocks_of(trajectory) if block.size == len(columns) > 1]
    if not fitting:
        return None
    share = (trajectory.weights[0] / np.sum(trajectory.weights[0]))[:, None]
    start, end = (np.sqrt(np.sum(share * rows_of(trajectory, fitting[0], index) ** 2, axis=0)) for index in (0, -1))
    order = np.argsort(-np.abs(end - start), kind="stable")[:most]
    names = tuple(columns[i] for i in order)
    return Inputs(fitting[0].name, names, start[order], end[order], len(columns))


def _heavy(points: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Mean second number over the tenth of the mass with the largest |first number|, and over the rest."""
    order = np.argsort(-np.abs(points[:, 0]), kind="stable")
    mass = np.cumsum(weights[order]) / np.sum(weights)
    top = order[: max(1, int(np.searchsorted(mass, 0.1, side="right")))]
    return _mean(points, weights, top), _mean(points, weights, np.setdiff1d(order, top))


def _at_ends(points: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Mean second number where the first is largest, and where it is least."""
    ends = (np.flatnonzero(points[:, 0] == end) for end in (np.max(points[:, 0]), np.min(points[:, 0])))
    top, rest = (_mean(points, weights, end) for end in ends)
    return top, rest


def _mean(points: np.ndarray, weights: np.ndarray, index: np.ndarray) -> float:
    total = float(np.sum(weights[index]))
    return float(np.sum(weights[index] * points[index, 1]) / total) if total > 0 else float("nan")


def frame(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float]:
    """The range to show: all neurons, but far tails of little mass."""
    lows, highs = [], []
    for values, weights in parts:
        order = np.argsort(values)
        mass = np.cumsum(weights[order]) / np.sum(weights)
        lows.append(values[order][np.searchsorted(mass, _TAIL)])
        highs.append(values[order][min(int(np.searchsorted(mass, 1.0 - _TAIL)), len(values) - 1)])
    low, high = float(min(lows)), float(max(highs))
    # Neurons that differ by rounding alone (a norm on a sphere) are at one point.
    at_one_point = high - low <= 1e-9 * max(abs(low), abs(high))
    room = max(0.5, 0.1 * abs(low)) if at_one_point else 0.08 * (high - low)
    least, most = (float(f([f(values) for values, _ in parts])) for f in (np.min, np.max))
    # Where the neurons end inside the margin, so does the frame: a norm starts at zero.
    return max(low - room, min(least, low) - 0.02 * room), min(high + room, max(most, high) + 0.02 * room)


def _bins(share: np.ndarray) -> int:
    """Bins for so many neurons of equal weight: 8 for 16 neurons, 42 for 4096."""
    effective = 1.0 / float(np.sum(share**2))
    return int(np.clip(round(2.6 * effective ** (1 / 3)), 8, 60))


def draw_ages(figure: "Figure", data: Marginal) -> None:
    """One distribution at a few times: a panel a time, the start in outline behind each."""
    rows = data.rows
    panels = figure.subplots(-(-len(rows) // 2), min(2, len(rows)), sharex=True, sharey=True, squeeze=False)
    for axes, row in zip(panels.flat, rows, strict=False):
        if row is not rows[0]:
            draw_density(axes, rows[0], "#999999", "-", lw=1.2)
        draw_density(axes, row, LIMIT if row is rows[-1] else colour(0), "-", filled=True)
        axes.set_title(row.label if row.heights is not None else f"{row.label}: all at {number(row.mean)}", fontsize=12)
    for spare in panels.flat[len(rows) :]:
        spare.set_axis_off()
    frame_densities(panels[0, 0], data)
    figure.supxlabel(plain(data.label), fontsize=12)
    figure.supylabel("density of neurons", fontsize=12)


def draw_runs(figure: "Figure", data: Marginal, runs: list[str]) -> None:
    """One distribution in some of the `runs`, in the colours of their curves: the first black."""
    styles = []
    for row in data.rows:
        index = runs.index(row.label) - 1
        styles.append((LIMIT, "-") if index < 0 else (colour(index), dash(index)))
    _densities(figure, data, styles)


def top_of(data: Marginal) -> float:
    """The height of the frame: the largest density, unless it stands far above the second."""
    tops = sorted((float(np.max(row.heights)) for row in data.rows if row.heights is not None), reverse=True)
    if not tops:
        return 1.0
    return 1.08 * (min(tops[0], _PEAK * tops[1]) if len(tops) > 1 else tops[0])


def _densities(figure: "Figure", data: Marginal, styles: list) -> None:
    axes = figure.add_subplot()
    axes.set(xlabel=plain(data.label), ylabel="density of neurons")
    for row, (tint, style) in zip(data.rows, styles, strict=True):
        all_at = f": all at {number(row.mean)}" if row.heights is None else ""
        draw_density(axes, row, tint, style, label=plain(row.label) + all_at)
    frame_densities(axes, data)
    add_legend(axes)


def frame_densities(axes: "Axes", data: Marginal) -> None:
    axes.set_xlim(min(r.edges[0] for r in data.rows), max(r.edges[-1] for r in data.rows))
    axes.set_ylim(0.0, top_of(data))


def draw_density(axes: "Axes", row: Density, tint: str, style: object, *, filled: bool = False, **look: Any) -> None:
    if row.heights is None:
        axes.axvline(row.mean, color=tint, ls=style, **{"lw": 2.0, **look})
        return
    # A line around the bars: they start and end on the axis.
    x = np.repeat(row.edges, 2)
    y = np.concatenate([[0.0], np.repeat(row.heights, 2), [0.0]])
    axes.plot(x, y, color=tint, ls=style, **{"lw": 1.9, **look})
    if filled:
        axes.fill_between(x, y, color=tint, alpha=0.25, lw=0)


def draw_pair(figure: "Figure", data: Pair) -> None:
    """Two numbers a neuron, at the start and at the end, on the same axes."""
    before, after = figure.subplots(1, 2, sharex=True, sharey=True)
    size = float(np.clip(4000.0 / len(data.start), 5.0, 40.0))
    for axes, points, t in zip((before, after), (data.start, data.end), data.times, strict=True):
        axes.scatter(points[:, 0], points[:, 1], s=size, color=colour(0), alpha=0.4, lw=0)
        axes.set_title(f"{moment(t)}", fontsize=13)
        axes.set_xlabel(plain(data.labels[0]))
    before.set_ylabel(plain(data.labels[1]))


def draw_inputs(figure: "Figure", data: Inputs) -> None:
    """A line an input, from where its weight started to where it ended."""
    axes = figure.add_subplot()
    places = np.arange(len(data.names))[::-1]
    axes.hlines(places, data.start, data.end, color="#999999", lw=2, zorder=1)
    axes.plot(data.start, places, "o", mfc="white", mec=colour(1), mew=1.6, ms=7, ls="", label="at the start")
    axes.plot(data.end, places, "s", color=colour(0), ms=7, ls="", label="at the end")
    axes.set_yticks(places, [plain(short(name)) for name in data.names])
    axes.set_xlabel(f"root mean square of {plain(data.block)} over the neurons")
    axes.set_ylim(-0.7, len(places) - 0.3)
    axes.grid(axis="y", visible=False)
    add_legend(axes)


def short(name: str, most: int = 26) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
