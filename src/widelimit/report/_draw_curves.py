"""The pictures over time and against width."""

from typing import TYPE_CHECKING

import numpy as np

from ._canvas import LIMIT, add_legend, colour, dash, marker, plain
from ._curves import Curve, Curves
from ._width import AgainstWidth

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TIME = "time t (mean-field time)"


def draw_curves(figure: "Figure", data: Curves) -> None:
    """The reference in black with its band; a group thin for each curve and thick for their mean."""
    axes = figure.add_subplot()
    axes.set(xlabel=TIME, ylabel=plain(data.ylabel))
    if data.log:
        axes.set_yscale("log", nonpositive="clip")
    for index, group in enumerate(data.groups):
        tint, style = colour(index), dash(index)
        if len(group.curves) > 1:
            for curve in group.curves:
                axes.plot(curve.times, curve.values, color=tint, lw=0.8, alpha=0.5, zorder=2)
        mean = group.mean
        label = plain(group.label) + (f", mean of {len(group.curves)}" if len(group.curves) > 1 else "")
        axes.plot(mean.times, mean.values, color=tint, ls=style, lw=2.2, label=label, zorder=4)
        _band(axes, mean, tint, None)
    if data.reference is not None:
        reference = data.reference
        axes.plot(reference.times, reference.values, color=LIMIT, lw=2.2, label=plain(reference.label), zorder=3)
        _band(axes, reference, "#555555", f"± error of the {plain(reference.label.split(',')[0])}")
    if data.beside is not None:
        axes.plot(data.beside.times, data.beside.values, color="#777777", ls=":", lw=2, label=plain(data.beside.label))
    _frame(axes, data)
    add_legend(axes)


def _band(axes: "Axes", curve: Curve, tint: str, label: str | None) -> None:
    if curve.error is not None and np.any(curve.error > 0):
        low, high = curve.values - curve.error, curve.values + curve.error
        axes.fill_between(curve.times, low, high, color=tint, alpha=0.3, lw=0, label=label, zorder=1)


def _frame(axes: "Axes", data: Curves) -> None:
    """Limits from the curves alone: on a logarithmic axis a band that reaches zero has no lower end."""
    curves = [curve for group in data.groups for curve in group.curves]
    curves += [curve for curve in (data.reference, data.beside) if curve is not None]
    end = max(float(curve.times[-1]) for curve in curves)
    axes.set_xlim(0.0, end if end > 0 else 1.0)
    if data.log:
        low = min(float(np.min(curve.values)) for curve in curves)
        high = max(float(np.max(curve.values)) for curve in curves)
        axes.set_ylim(low / 1.3, high * 1.3)


def draw_width(figure: "Figure", data: AgainstWidth) -> None:
    """|network minus limit| against width, both logarithmic, with the slopes that theory knows."""
    axes = figure.add_subplot()
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set(xlabel="width N (neurons)", ylabel="|network − limit| (risk)")
    up, down = [], []
    for width, ends in zip(data.widths, data.end, strict=True):
        up += [(width, d) for d in ends if d > 0]
        down += [(width, -d) for d in ends if d < 0]
    for points, face, label in ((up, colour(1), "at the end: above"), (down, "white", "at the end: below")):
        if points:
            x, y = zip(*points, strict=True)
            axes.plot(x, y, "s", mfc=face, mec=colour(1), mew=1.4, ms=6, label=label, zorder=3)
    seen = data.average > 0
    axes.plot(
        data.widths[seen], data.average[seen], "o-", color=colour(0), lw=2, ms=8, label="mean over time", zorder=4
    )
    if len(data.widths) > 1 and np.all(seen):
        _guides(axes, data)
    if data.limit_error > 0:
        axes.axhline(data.limit_error, color=LIMIT, ls="--", lw=1.2, label="limit's own error", zorder=1)
    _ticks(axes, data.widths)
    add_legend(axes)


def _guides(axes: "Axes", data: AgainstWidth) -> None:
    """Slopes -1 and -1/2 through the middle of the averages."""
    centre = float(np.exp(np.mean(np.log(data.widths))))
    level = float(np.exp(np.mean(np.log(data.average))))
    ends = np.array([data.widths[0] / 1.3, data.widths[-1] * 1.3])
    for power, label, style in ((-1.0, "slope of 1/N", ":"), (-0.5, "slope of 1/√N", "-.")):
        axes.plot(ends, level * (ends / centre) ** power, color="#777777", ls=style, lw=1.4, label=label, zorder=1)


def _ticks(axes: "Axes", widths: np.ndarray) -> None:
    """The widths themselves as ticks; every second one, or fewer, where there are many."""
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

    shown = widths[:: max(1, -(-len(widths) // 8))]
    axes.xaxis.set_major_locator(FixedLocator([float(w) for w in shown]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticklabels([f"{int(w)}" for w in shown])
    axes.set_xlim(widths[0] / 1.4, widths[-1] * 1.4)
