"""The pictures over time and their data: risks, their means over seeds and their differences."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float

from widelimit.trajectory import Trajectory

from ._summary import HELD_OUT, RunSummary
from .canvas import LIMIT, add_legend, colour, dash, plain
from .words import apart, moment, number, with_error

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TIME = "time t (mean-field time)"


@dataclasses.dataclass(frozen=True)
class Curve:
    """Values over time, with an error where one is known."""

    label: str
    times: Float[np.ndarray, " T"]
    values: Float[np.ndarray, " T"]
    error: Float[np.ndarray, " T"] | None = None

    @property
    def until(self) -> float:
        """The last time."""
        return float(self.times[-1])

    @property
    def last(self) -> float:
        """The value there."""
        return float(self.values[-1])

    def at(self, times: Float[np.ndarray, " S"]) -> Float[np.ndarray, " S"]:
        """The values between the save times, by a cubic that does not overshoot."""
        return interpolate(self.times, self.values, times)

    def cut(self, time: float) -> "Curve":
        """The curve until a time, which becomes its last if the curve goes on."""
        until = min(self.until, time)
        times = self.times[self.times <= until]
        if times[-1] < until * (1 - 1e-9):
            times = np.append(times, until)
        error = None if self.error is None else interpolate(self.times, self.error, times)
        return Curve(self.label, times, self.at(times), error)

    def error_at(self, time: float) -> float:
        """The error at a time; 0 where none is known."""
        return 0.0 if self.error is None else float(np.interp(time, self.times, self.error))


class Edges(NamedTuple):
    """The edges of a predicted band, and its probability."""

    lower: Curve
    upper: Curve
    level: float

    def minus(self, reference: Curve) -> "Edges":
        """The band of the difference to a curve."""
        return Edges(minus(self.lower, reference), minus(self.upper, reference), self.level)


@dataclasses.dataclass(frozen=True)
class Group:
    """Curves drawn in one colour: the seeds of one width trained in one way, or one run alone.

    `width`, `dynamics`: of networks; 0 and "" for other runs. `predicted`: the band that one of them should lie in.
    """

    label: str
    curves: tuple[Curve, ...]
    width: int = 0
    dynamics: str = ""
    predicted: Edges | None = None

    @property
    def longest(self) -> tuple[Curve, ...]:
        """The curves that go on until the last time of any: those of runs that did not stop early."""
        last = max(self.curves, key=lambda curve: curve.until)
        return tuple(curve for curve in self.curves if reaches(curve, last))

    @property
    def mean(self) -> Curve:
        """The mean over `longest`, at the times of the first of them, with the standard error over them."""
        first, *others = self.longest
        if not others:
            return dataclasses.replace(first, label=self.label)
        values = np.stack([first.values, *(curve.at(first.times) for curve in others)])
        error = np.std(values, axis=0, ddof=1) / len(values) ** 0.5
        return Curve(self.label, first.times, np.mean(values, axis=0), error)

    def apart(self, zero: Curve, index: int = -1, it: str = "it") -> str:
        """How far the mean of differences is from the reference, which is `zero`, at a save point, in words."""
        mean, seeds = self.mean, len(self.longest)
        # Where a time was chosen among many for being the farthest, the largest error of any counts.
        known = None if mean.error is None else np.max(mean.error) if index >= 0 else mean.error[index]
        error = float(known) if known is not None and seeds > 1 else None
        return apart(float(mean.values[index]), error, seeds, zero.error_at(float(mean.times[index])), it)


@dataclasses.dataclass(frozen=True)
class Curves:
    """A picture over time: a reference in black, groups in colours, one more in grey.

    `log`: a logarithmic axis of values. `early`: most happens early, so time runs on a square-root scale.
    """

    reference: Curve
    groups: tuple[Group, ...]
    ylabel: str
    log: bool = False
    early: bool = False
    beside: Curve | None = None


def reaches(curve: Curve, other: Curve) -> bool:
    """Whether a curve goes on until the end of the other."""
    return curve.until >= other.until * (1 - 1e-9)


def interpolate(
    times: Float[np.ndarray, " T"], values: Float[np.ndarray, " T"], wanted: Float[np.ndarray, " S"]
) -> Float[np.ndarray, " S"]:
    """A curve between its save times, by a monotone cubic; linear where there are too few points for a cubic.

        value = interpolate(run.times, run.risk, np.array([0.5]))

    `times`: [T], increasing; `values`: [T]; `wanted`: [S], from times[0] to times[-1]. **Returns** [S].
    """
    if len(times) < 3:
        return np.interp(wanted, times, values)
    from scipy.interpolate import PchipInterpolator

    # The last cubic reaches the last value up to a rounding.
    return np.where(wanted == times[-1], values[-1], PchipInterpolator(times, values)(wanted))


def observed(trajectory: Trajectory, name: str, label: str, error: np.ndarray | None = None) -> Curve:
    """An observable of a run as a curve; `name_error` is its error if the run recorded one."""
    if error is None:
        error = trajectory.observables.get(f"{name}_error")
    values = np.asarray(trajectory.observables[name], float)
    return Curve(label, np.asarray(trajectory.times, float), values, error)


def risk_curves(summary: RunSummary, name: str = "risk") -> Curves:
    """The limit with its error and the networks by width; `name` may be the held-out risk."""
    held_out = name == HELD_OUT
    label = f"limit, {summary.best.size} particles"
    limit = observed(summary.best, name, label, summary.held_out_error if held_out else summary.limit_error)
    groups = tuple(
        Group(
            _label(summary, width, dynamics),
            tuple(
                observed(run.trajectory, name, f"width {width}, seed {run.seed}")
                for run in summary.networks
                if (run.width, run.dynamics) == (width, dynamics)
            ),
            width,
            dynamics,
            None if held_out else _edges(summary, width, dynamics),
        )
        for width, dynamics in summary.kinds
    )
    drawn = [limit.values, *(curve.values for group in groups for curve in group.curves)]
    ylabel = "held-out risk" if held_out else "risk R"
    return Curves(limit, groups, ylabel, over_a_decade(drawn), is_early(limit))


def _edges(summary: RunSummary, width: int, dynamics: str) -> Edges | None:
    for band in summary.bands:
        if (band.width, band.dynamics) == (width, dynamics):
            lower, upper = (Curve("band", band.times, edge) for edge in (band.lower, band.upper))
            return Edges(lower, upper, band.level)
    return None


def _label(summary: RunSummary, width: int, dynamics: str) -> str:
    """`width 64`, with the dynamics where the width was trained in several ways; in full where a word is not enough."""
    others = [d for w, d in summary.kinds if w == width and d != dynamics]
    if not others:
        return f"width {width}"
    short = dynamics.split(",")[0]
    return f"width {width}, {dynamics if short in [d.split(',')[0] for d in others] else short}"


def differences(curves: Curves) -> Curves:
    """Every group minus the reference, where both are known; the reference becomes zero with its error."""
    reference = curves.reference
    groups = tuple(
        dataclasses.replace(
            group,
            curves=tuple(minus(curve, reference) for curve in group.curves),
            predicted=group.predicted and group.predicted.minus(reference),
        )
        for group in curves.groups
    )
    zero = Curve(reference.label, reference.times, np.zeros_like(reference.values), reference.error)
    return Curves(zero, groups, f"risk minus that of {reference.label.split(',')[0]}", early=curves.early)


def minus(curve: Curve, reference: Curve) -> Curve:
    """curve - reference, until the first of them ends."""
    shared = curve.cut(reference.until)
    return dataclasses.replace(shared, values=shared.values - reference.at(shared.times))


def over_a_decade(values: Iterable[np.ndarray]) -> bool:
    """Whether a logarithmic axis serves: all positive, and the largest over ten times the smallest."""
    parts: Sequence[np.ndarray] = [v for v in values if v.size]
    low, high = min(v.min() for v in parts), max(v.max() for v in parts)
    return bool(low > 0 and high > 10 * low)


def is_early(curve: Curve) -> bool:
    """Whether a curve has made half of its way in the first twentieth of its time."""
    way = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(curve.values)))])
    half = int(np.argmax(way >= 0.5 * way[-1]))
    return bool(way[-1] > 0 and curve.times[half] < 0.05 * curve.times[-1])


def fell(curve: Curve) -> str:
    """`falls from 0.5 at the start to 0.004 at t = 20`."""
    first, last = float(curve.values[0]), curve.last
    error = None if curve.error is None else float(curve.error[-1])
    end = number(last) if error is None else with_error(last, error)
    verb = "falls" if last < first else "rises" if last > first else "stays"
    return f"{verb} from {number(first)} at the start to {end} at {moment(curve.until)}"


def draw_curves(figure: "Figure", data: Curves) -> None:
    """The reference in black with its band; a group thin for each curve and thick for their mean."""
    axes = figure.add_subplot()
    axes.set(xlabel=TIME, ylabel=plain(data.ylabel))
    if data.log:
        axes.set_yscale("log", nonpositive="clip")
    _line(axes, data.reference, LIMIT, "-", plain(data.reference.label))
    _band(axes, data.reference, "#555555", f"± error of {plain(data.reference.label.split(',')[0])}")
    for index, group in enumerate(data.groups):
        tint, style = colour(index), dash(index)
        if len(group.curves) > 1:
            for curve in group.curves:
                axes.plot(curve.times, curve.values, color=tint, lw=0.8, alpha=0.5, zorder=2)
        mean = group.mean
        seeds = f", mean of {len(group.longest)} ± standard error" if len(group.curves) > 1 else ""
        _line(axes, mean, tint, style, plain(group.label) + seeds)
        _band(axes, mean, tint, None)
        _predicted(axes, group, tint)
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


def _predicted(axes: "Axes", group: Group, tint: str) -> None:
    """The band of a width: pale, between dotted edges."""
    if group.predicted is None:
        return
    lower, upper, level = group.predicted
    label = f"{plain(group.label)}: predicted, {level:.0%} of networks"
    axes.fill_between(lower.times, lower.values, upper.values, color=tint, alpha=0.12, lw=0, label=label, zorder=0)
    for edge in (lower, upper):
        axes.plot(edge.times, edge.values, color=tint, ls=":", lw=1.1, zorder=1)


def _frame(axes: "Axes", data: Curves) -> None:
    """Limits from the curves alone: on a logarithmic axis a band that reaches zero has no lower end."""
    curves = [data.reference, *(curve for group in data.groups for curve in group.curves)]
    curves += [] if data.beside is None else [data.beside]
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
