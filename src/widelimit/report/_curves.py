"""The data of the pictures over time: risks, their means over seeds and their differences."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float

from widelimit.trajectory import Trajectory

from ._summary import HELD_OUT, RunSummary
from ._words import moment, number, with_error


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
        return between(self.times, self.values, times)

    def error_at(self, time: float) -> float:
        """The error at a time; 0 where none is known."""
        return 0.0 if self.error is None else float(np.interp(time, self.times, self.error))


@dataclasses.dataclass(frozen=True)
class Group:
    """Curves drawn in one colour: the seeds of one width trained in one way, or one run alone.

    `width`, `dynamics`: of networks; 0 and "" for other runs.
    """

    label: str
    curves: tuple[Curve, ...]
    width: int = 0
    dynamics: str = ""

    @property
    def longest(self) -> tuple[Curve, ...]:
        """The curves that go on until the last time of any: those of runs that did not stop early."""
        last = max(self.curves, key=lambda curve: curve.until)
        return tuple(curve for curve in self.curves if reaches(curve, last))

    @property
    def mean(self) -> Curve:
        """The mean over `longest`, at the times of the first of them."""
        curves = self.longest
        times = curves[0].times
        error = curves[0].error if len(curves) == 1 else None
        return Curve(self.label, times, np.mean([curve.at(times) for curve in curves], axis=0), error)


@dataclasses.dataclass(frozen=True)
class Curves:
    """A picture over time: a reference in black, or none, groups in colours, one more in grey.

    `log`: a logarithmic axis of values. `early`: most happens early, so time runs on a square-root scale.
    """

    reference: Curve | None
    groups: tuple[Group, ...]
    ylabel: str
    log: bool = False
    early: bool = False
    beside: Curve | None = None


def reaches(curve: Curve, other: Curve) -> bool:
    """Whether a curve goes on until the end of the other."""
    return curve.until >= other.until * (1 - 1e-9)


def between(
    times: Float[np.ndarray, " T"], values: Float[np.ndarray, " T"], wanted: Float[np.ndarray, " S"]
) -> Float[np.ndarray, " S"]:
    """Monotone cubic interpolation in time; linear where there are too few points for a cubic."""
    if len(times) < 3:
        return np.interp(wanted, times, values)
    from scipy.interpolate import PchipInterpolator

    return np.asarray(PchipInterpolator(times, values)(wanted))


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
    limit = observed(summary.best, name, label, None if held_out else summary.limit_error)
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
        )
        for width, dynamics in summary.kinds
    )
    drawn = [limit.values, *(curve.values for group in groups for curve in group.curves)]
    ylabel = "held-out risk" if held_out else "risk R"
    return Curves(limit, groups, ylabel, over_a_decade(drawn), is_early(limit))


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
    if reference is None:
        raise ValueError("differences(curves): a reference is needed.")
    groups = tuple(
        dataclasses.replace(group, curves=tuple(minus(curve, reference) for curve in group.curves))
        for group in curves.groups
    )
    zero = Curve(reference.label, reference.times, np.zeros_like(reference.values), reference.error)
    return Curves(zero, groups, f"risk minus {reference.label.split(',')[0]}", early=curves.early)


def minus(curve: Curve, reference: Curve) -> Curve:
    """curve - reference, until the first of them ends."""
    until = min(curve.until, reference.until)
    times = curve.times[curve.times <= until]
    if times[-1] < until * (1 - 1e-9):
        times = np.append(times, until)
    error = None if curve.error is None else between(curve.times, curve.error, times)
    return Curve(curve.label, times, curve.at(times) - reference.at(times), error)


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
