"""What the figures of papers are drawn with."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.report.canvas import colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Axes
    from matplotlib.figure import Figure as Sheet
else:
    # For annotations: matplotlib itself is slow to import.
    Axes = Sheet = Any


def curve(
    axes: Axes, x: Any, y: Any, tint: int | str = "black", *, bars: Any = None, label: str | None = None, **look: Any
) -> None:
    """A line, with `bars` of two standard errors; where the axis is logarithmic without x = 0, which it cannot show.

    `tint` is one of the palette by its number, or a colour; `look` goes to matplotlib.
    """
    x, y = np.asarray(x), np.asarray(y)
    shown = x > 0.0 if axes.get_xscale() == "log" else np.full(len(x), True)
    look = {"color": colour(tint) if isinstance(tint, int) else tint, "lw": 1.9, "label": label, **look}
    if bars is None:
        axes.plot(x[shown], y[shown], **look)
    else:
        axes.errorbar(x[shown], y[shown], 2.0 * np.asarray(bars)[shown], elinewidth=1.0, **look)


def marks(axes: Axes, x: Any, y: Any, tint: int | str = "black", marker: str = "+", **look: Any) -> None:
    """`curve` with a mark at each point in place of the line."""
    cross = {"ms": 8, "mew": 1.6} if marker == "+" else {}
    curve(axes, x, y, tint, **{"ls": "", "marker": marker, **cross, **look})


def arrow(axes: Axes, x: Any, y: Any, tint: int, **look: Any) -> None:
    """The head of an arrow half way along a path: where it goes."""
    x, y = np.asarray(x), np.asarray(y)
    along = np.append(0.0, np.cumsum(np.hypot(np.diff(x), np.diff(y))))
    half = np.array([0.49, 0.51]) * along[-1]
    tail, head = zip(np.interp(half, along, x), np.interp(half, along, y), strict=True)
    axes.annotate("", head, tail, arrowprops={"arrowstyle": "-|>", "color": colour(tint), "lw": 0.0, **look})


def key(axes: Axes, label: str, **look: Any) -> None:
    """A line of the legend for what is drawn in several colours."""
    curve(axes, [], [], label=label, **look)


def logarithmic(axes: Axes, which: str, xlabel: str, ylabel: str, **more: Any) -> None:
    """Logarithmic axes, "x" or "xy", with their names; before anything is drawn, see `curve`."""
    axes.set(**{f"{letter}scale": "log" for letter in which}, xlabel=xlabel, ylabel=ylabel, **more)


def title(axes: Axes, text: str, size: float = 11.0) -> None:
    """The words above a panel, smaller than matplotlib's."""
    axes.set_title(text, fontsize=size)


def legend_of_all(sheet: Sheet, panels: Sequence[Axes], columns: int, **more: Any) -> None:
    """One legend of several panels below them."""
    entries = [pair for axes in panels for pair in zip(*axes.get_legend_handles_labels(), strict=True)]
    sheet.legend(*zip(*entries, strict=True), loc="outside lower center", ncols=columns, **more)


def legend_below(sheet: Sheet, axes: Axes, columns: int, **more: Any) -> None:
    """The legend of one panel below all of them."""
    sheet.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=columns, **more)
