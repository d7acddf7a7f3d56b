"""The picture against width, and its data: how far a network is from the limit."""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from ._curves import Curve, Curves, minus, reaches
from .canvas import LIMIT, add_legend, colour, dash
from .words import MINUS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True)
class Distances:
    """Sizes of the difference between networks and the limit, one a seed for each width; negative below the limit.

    `limit_error`: the limit's own error in the same sense; nothing below it can be read.
    """

    title: str
    seeds: tuple[np.ndarray, ...]
    limit_error: float

    @property
    def mean(self) -> Float[np.ndarray, " W"]:
        """The mean size for each width."""
        return np.array([float(np.mean(np.abs(values))) for values in self.seeds])

    @property
    def error(self) -> Float[np.ndarray, " W"] | None:
        """The standard error of that; None where some width has one seed alone."""
        if min(len(values) for values in self.seeds) < 2:
            return None
        return np.array([float(np.std(np.abs(values), ddof=1)) / len(values) ** 0.5 for values in self.seeds])


@dataclasses.dataclass(frozen=True)
class AgainstWidth:
    """Network minus limit, against width; only networks that reached the limit's end time.

    - `widths`: [W].
    - `average`: |network minus limit| averaged over the time of the run; `end`: at the end.
    - `slope`: of log `average` against log width, with the standard error that the seeds give it.
    - `stochastic`: whether the networks were trained with a step and a batch.
    """

    widths: Float[np.ndarray, " W"]
    average: Distances
    end: Distances
    slope: float | None
    slope_error: float | None
    stochastic: bool


def against_width(curves: Curves) -> AgainstWidth | None:
    """From the risk curves, of the dynamics that has the most widths; None with fewer than two."""
    trained = [group.dynamics for group in curves.groups]
    chosen = max(trained, key=trained.count, default="")
    groups = [group for group in curves.groups if group.dynamics == chosen]
    limit = curves.reference
    kept: dict[int, list[Curve]] = {}
    for group in groups:
        done = [minus(curve, limit) for curve in group.curves if reaches(curve, limit)]
        if done:
            kept[group.width] = done
    if len(kept) < 2:
        return None
    error = np.zeros_like(limit.values) if limit.error is None else limit.error
    sizes = tuple(np.array([_signed_size(gap) for gap in gaps]) for gaps in kept.values())
    average = Distances("averaged over time", sizes, time_mean(limit.times, error))
    ends = tuple(np.array([gap.values[-1] for gap in gaps]) for gaps in kept.values())
    end = Distances("at the end", ends, float(error[-1]))
    slope = _slope(np.log(np.array(list(kept), float)), average)
    return AgainstWidth(np.array(list(kept), float), average, end, *slope, chosen.startswith("SGD"))


def _signed_size(gap: Curve) -> float:
    """The mean over time of |difference|, with the sign of the mean difference."""
    size = time_mean(gap.times, np.abs(gap.values))
    return -size if time_mean(gap.times, gap.values) < 0 else size


def _slope(x: Float[np.ndarray, " W"], sizes: Distances) -> tuple[float | None, float | None]:
    """The least-squares slope of log size, sum_i c_i log m_i, and its error, (sum_i (c_i e_i / m_i)^2)^(1/2)."""
    mean, error = sizes.mean, sizes.error
    if not np.all(mean > 0):
        return None, None
    c = (x - np.mean(x)) / np.sum((x - np.mean(x)) ** 2)
    return float(c @ np.log(mean)), None if error is None else float(np.linalg.norm(c * error / mean))


def time_mean(times: Float[np.ndarray, " T"], values: Float[np.ndarray, " T"]) -> float:
    """(1/t1) INT_0^t1 values dt by trapezoids."""
    if len(times) < 2:
        return float(values[-1])
    return float(np.trapezoid(values, times) / (times[-1] - times[0]))


def draw_width(figure: "Figure", data: AgainstWidth) -> None:
    """|network minus limit| against width, averaged over time and at the end, beside 1/N and 1/√N."""
    upper, lower = figure.subplots(2, 1, sharex=True, sharey=True)
    for axes, distances in ((upper, data.average), (lower, data.end)):
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_title(distances.title, fontsize=13)
        axes.set_ylabel(f"|network {MINUS} limit|, risk")
        _distances(axes, data.widths, distances)
        _guides(axes, data.widths, distances.mean)
        _ticks(axes, data.widths)
    lower.set_xlabel("width N (neurons)")
    add_legend(upper, lower)


def _distances(axes: "Axes", widths: np.ndarray, data: Distances) -> None:
    """A square a seed, hollow below the limit; the means with their standard error; the limit's error dashed."""
    points = [(w, float(d)) for w, values in zip(widths, data.seeds, strict=True) for d in values]
    style = {"ls": "", "marker": "s", "mec": colour(1), "mew": 1.4, "ms": 5.5, "zorder": 4}
    for face, sign, label in ((colour(1), 1, "a network above"), ("white", -1, "a network below")):
        chosen = [(w, abs(d)) for w, d in points if d * sign > 0]
        if chosen:
            axes.plot(*zip(*chosen, strict=True), mfc=face, label=label, **style)
    seen = data.mean > 0
    bars = None if data.error is None else data.error[seen]
    look = {"color": colour(0), "lw": 2, "ms": 7, "capsize": 4, "zorder": 3}
    axes.errorbar(widths[seen], data.mean[seen], bars, fmt="-o", label="mean of the sizes ± standard error", **look)
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
