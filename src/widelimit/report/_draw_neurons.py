"""The pictures of the neurons."""

from typing import TYPE_CHECKING

import numpy as np

from ._canvas import AGES, LIMIT, add_legend, colour, dash, plain
from ._neurons import Density, Inputs, Marginal, Pair
from ._words import moment, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# A peak this many times above every other curve is cut, so that the others can be seen.
_PEAK = 4.0


def draw_ages(figure: "Figure", data: Marginal) -> None:
    """One distribution at a few times, the last solid black."""
    styles = [AGES[0], *AGES[len(AGES) + 1 - len(data.rows) :]] if len(data.rows) > 1 else [AGES[-1]]
    _densities(figure, data, styles)


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
        _density(axes, row, tint, style)
    axes.set_xlim(min(r.edges[0] for r in data.rows), max(r.edges[-1] for r in data.rows))
    axes.set_ylim(0.0, top_of(data))
    add_legend(axes)


def _density(axes: "Axes", row: Density, tint: str, style: object) -> None:
    if row.heights is None:
        label = f"{plain(row.label)}: all at {number(row.mean)}"
        axes.axvline(row.mean, color=tint, ls=style, lw=2, label=label)
        return
    # A line around the bars: they start and end on the axis.
    x = np.repeat(row.edges, 2)
    y = np.concatenate([[0.0], np.repeat(row.heights, 2), [0.0]])
    axes.plot(x, y, color=tint, ls=style, lw=1.9, label=plain(row.label))


def draw_pair(figure: "Figure", data: Pair) -> None:
    """Two numbers a neuron, at the start and at the end, on the same axes."""
    before = figure.add_subplot(1, 2, 1)
    after = figure.add_subplot(1, 2, 2, sharex=before, sharey=before)
    size = float(np.clip(4000.0 / len(data.start), 5.0, 40.0))
    for axes, points, t in zip((before, after), (data.start, data.end), data.times, strict=True):
        axes.scatter(points[:, 0], points[:, 1], s=size, color=colour(0), alpha=0.4, lw=0)
        axes.set_title(f"{moment(t)}", fontsize=13)
        axes.set_xlabel(plain(data.labels[0]))
    before.set_ylabel(plain(data.labels[1]))
    after.tick_params(labelleft=False)


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
