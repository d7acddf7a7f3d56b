"""The picture against width, and its data: how far a network is from the limit."""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from ._curves import Curve, Curves, minus, reaches
from ._words import MINUS
from .canvas import LIMIT, colour, dash

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True)
class Distances:
    """Distances of networks from the limit's risk, an array of one number a seed for each width.

    `limit_error`: the limit's own error in the same sense; nothing below it can be read.
    """

    title: str
    seeds: tuple[np.ndarray, ...]
    limit_error: float

    @property
    def mean(self) -> Float[np.ndarray, " W"]:
        """The mean size for each width."""
        return np.array([float(np.mean(np.abs(values))) for values in self.seeds])


@dataclasses.dataclass(frozen=True)
class AgainstWidth:
    """Network minus limit, against width; only networks that reached the limit's end time.

    - `widths`: [W].
    - `average`: |network minus limit| averaged over the time of the run; `end`: signed, at the end.
    - `slope`: of log `average` against log width.
    """

    widths: Float[np.ndarray, " W"]
    average: Distances
    end: Distances
    slope: float | None


def against_width(curves: Curves) -> AgainstWidth | None:
    """From the risk curves, of the dynamics that has the most widths; None with fewer than two."""
    trained = [group.dynamics for group in curves.groups]
    groups = [group for group in curves.groups if group.dynamics == max(trained, key=trained.count)]
    limit = curves.reference
    kept: dict[int, list[Curve]] = {}
    for group in groups:
        done = [minus(curve, limit) for curve in group.curves if reaches(curve, limit)]
        if done:
            kept[group.width] = done
    if len(kept) < 2:
        return None
    error = np.zeros_like(limit.values) if limit.error is None else limit.error
    average = Distances(
        "averaged over time",
        tuple(np.array([time_mean(gap.times, np.abs(gap.values)) for gap in gaps]) for gaps in kept.values()),
        time_mean(limit.times, error),
    )
    end = Distances(
        "at the end", tuple(np.array([gap.values[-1] for gap in gaps]) for gaps in kept.values()), float(error[-1])
    )
    numbers = np.array(list(kept), float)
    mean = average.mean
    slope = float(np.polyfit(np.log(numbers), np.log(mean), 1)[0]) if np.all(mean > 0) else None
    return AgainstWidth(numbers, average, end, slope)


def time_mean(times: Float[np.ndarray, " T"], values: Float[np.ndarray, " T"]) -> float:
    """(1/t1) INT_0^t1 values dt by trapezoids."""
    if len(times) < 2:
        return float(values[-1])
    return float(np.trapezoid(values, times) / (times[-1] - times[0]))


def draw_width(figure: "Figure", data: AgainstWidth) -> None:
    """|network minus limit| against width, averaged over time and at the end, beside 1/N and 1/√N."""
    left = figure.add_subplot(1, 2, 1)
    right = figure.add_subplot(1, 2, 2, sharey=left)
    for axes, distances in ((left, data.average), (right, data.end)):
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_title(distances.title, fontsize=13)
        axes.set_xlabel("width N (neurons)")
        _distances(axes, data.widths, distances)
        _guides(axes, data.widths, distances.mean)
        _ticks(axes, data.widths)
    left.set_ylabel(f"|risk of network {MINUS} risk of limit|")
    right.tick_params(labelleft=False)
    # The right panel has all that the left has, and perhaps networks below the limit.
    handles, labels = right.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, handlelength=2.8)


def _distances(axes: "Axes", widths: np.ndarray, data: Distances) -> None:
    """A square a seed, hollow below the limit; a line through the means; the limit's error dashed."""
    points = [(w, float(d)) for w, values in zip(widths, data.seeds, strict=True) for d in values]
    style = {"ls": "", "marker": "s", "mec": colour(1), "mew": 1.4, "ms": 5.5, "zorder": 4}
    for face, sign, label in ((colour(1), 1, "a network above"), ("white", -1, "a network below")):
        chosen = [(w, abs(d)) for w, d in points if d * sign > 0]
        if chosen:
            axes.plot(*zip(*chosen, strict=True), mfc=face, label=label, **style)
    seen = data.mean > 0
    axes.plot(widths[seen], data.mean[seen], "-o", color=colour(0), lw=2, ms=7, label="mean over seeds", zorder=3)
    if data.limit_error > 0:
        axes.axhline(data.limit_error, color=LIMIT, ls=dash(0), lw=1.4, label="limit's own error", zorder=1)


def _guides(axes: "Axes", widths: np.ndarray, mean: np.ndarray) -> None:
    """Slopes -1 and -1/2 through the middle of the means."""
    if not np.all(mean > 0):
        return
    centre, level = (float(np.exp(np.mean(np.log(v)))) for v in (widths, mean))
    ends = np.array([widths[0] / 1.3, widths[-1] * 1.3])
    for power, label, style in ((-1.0, "slope of 1/N", ":"), (-0.5, "slope of 1/√N", "-.")):
        axes.plot(ends, level * (ends / centre) ** power, color="#777777", ls=style, lw=1.4, label=label, zorder=1)


def _ticks(axes: "Axes", widths: np.ndarray) -> None:
    """The widths themselves as ticks; fewer where there are many."""
    from matplotlib.ticker import NullLocator

    shown = widths[:: max(1, -(-len(widths) // 5))]
    axes.set_xticks([float(w) for w in shown], [f"{int(w)}" for w in shown])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(widths[0] / 1.4, widths[-1] * 1.4)
