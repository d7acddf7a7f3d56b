"""The pictures over time."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ._canvas import LIMIT, add_legend, colour, dash, plain
from ._curves import Curve, Curves

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
    if data.reference is not None:
        reference = data.reference
        _line(axes, reference, LIMIT, "-", plain(reference.label))
        _band(axes, reference, "#555555", f"± error of {plain(reference.label.split(',')[0])}")
    for index, group in enumerate(data.groups):
        tint, style = colour(index), dash(index)
        if len(group.curves) > 1:
            for curve in group.curves:
                axes.plot(curve.times, curve.values, color=tint, lw=0.8, alpha=0.5, zorder=2)
        mean = group.mean
        seeds = f", mean of {len(group.longest)}" if len(group.curves) > 1 else ""
        _line(axes, mean, tint, style, plain(group.label) + seeds)
        _band(axes, mean, tint, None)
    if data.beside is not None:
        _line(axes, data.beside, "#777777", ":", plain(data.beside.label))
    _frame(axes, data)
    add_legend(axes)


def _line(axes: "Axes", curve: Curve, tint: str, style: Any, label: str) -> None:
    """A curve; a dot where there is one time only."""
    dot = "o" if len(curve.times) == 1 else ""
    axes.plot(curve.times, curve.values, color=tint, ls=style, marker=dot, lw=2.2, label=label, zorder=3)


def _band(axes: "Axes", curve: Curve, tint: str, label: str | None) -> None:
    if curve.error is not None and np.any(curve.error > 0):
        low, high = curve.values - curve.error, curve.values + curve.error
        axes.fill_between(curve.times, low, high, color=tint, alpha=0.3, lw=0, label=label, zorder=1)


def _frame(axes: "Axes", data: Curves) -> None:
    """Limits from the curves alone: on a logarithmic axis a band that reaches zero has no lower end."""
    curves = [curve for group in data.groups for curve in group.curves]
    curves += [curve for curve in (data.reference, data.beside) if curve is not None]
    end = max(curve.until for curve in curves)
    if data.early and end > 0:
        _stretch(axes, end)
    axes.set_xlim(0.0, end if end > 0 else 1.0)
    if data.log:
        low = min(float(np.min(curve.values)) for curve in curves)
        high = max(float(np.max(curve.values)) for curve in curves)
        axes.set_ylim(low / 1.3, high * 1.3)


def _stretch(axes: "Axes", end: float) -> None:
    """Time on a square-root scale, with round numbers as ticks."""
    axes.set_xscale("function", functions=(_root, np.square))
    axes.set_xlabel(f"{TIME}, square-root scale")
    ticks = early_ticks(end)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])


def _root(t: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(t, 0.0))


def early_ticks(end: float) -> list[float]:
    """0 to `end`: squares, the end aside, rounded to 1, 2 or 5 times a power of ten."""
    wanted = end * np.linspace(0.0, 1.0, 8)[1:-1] ** 2
    powers = 10.0 ** np.floor(np.log10(wanted))
    steps = np.array([1.0, 2.0, 5.0, 10.0])
    rounded = [float(p * steps[np.argmin(np.abs(steps - w / p))]) for w, p in zip(wanted, powers, strict=True)]
    # The last round number must leave the end its room.
    return [0.0, *sorted({float(f"{r:.3g}") for r in rounded if r < 0.8 * end}), float(f"{end:.4g}")]
