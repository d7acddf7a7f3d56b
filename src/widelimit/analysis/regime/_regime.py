"""Kernel or adaptive: what moved during training, against what a linear theory of the start says."""

import dataclasses
import math
from typing import Any

import jax
import numpy as np

from widelimit.dynamics import schedules
from widelimit.kernels import linear_theory
from widelimit.measure import Particles
from widelimit.problem import Problem, moving
from widelimit.problem.data import require_nodes
from widelimit.trajectory import Trajectory

from ..linear._linearity import kernel_change, linear_prediction

# A kernel that changed by less than the first is called frozen, by more than the second adapted.
KERNEL, ADAPTIVE = 0.1, 0.5


@dataclasses.dataclass(frozen=True)
class Balance:
    r"""$\delta = c^2 - (|w|^2 + b^2)/p$ over the neurons, p the activation's degree; the gradient flow keeps each.

    `mean`, `deviation`, `least`, `most` at the start; `drift`: the root mean square change over the run, relative to
    the root mean square of $c^2 + (|w|^2 + b^2)/p$ at the start: the integrator's error, or a dynamics that is no
    gradient flow of these weights.
    """

    mean: float
    deviation: float
    least: float
    most: float
    drift: float


@dataclasses.dataclass(frozen=True, repr=False)
class Regime:
    r"""How a two-layer network learned.

    - `kernel_change`: $|M_t - M_0|/|M_0|$ of the tangent kernel on the data, Hilbert-Schmidt norms in L2(mu).
    - `inner`, `outer`: root mean square motion of the inner weights (all blocks but the linear one) and of the outer
      one (the linear block), relative to their root mean square at the start; of an angle, in radians. None without.
    - `linear_gap`: $|f_t - f^{lin}_t| / |f_t - f_0|$ in L2(mu), the linear theory of the start; None without.
    - `balance`: the law of delta of a homogeneous unit with an output weight, else None.
    - `verdict`: "kernel" (kernel changed by at most 0.1, and the linear theory off by at most 0.1), "adaptive" (kernel
      changed by 0.5 or more), else "intermediate"; `sentence`: that with its evidence.
    """

    kernel_change: float
    inner: float | None
    outer: float | None
    linear_gap: float | None
    balance: Balance | None
    verdict: str
    sentence: str

    def __repr__(self) -> str:
        return f"Regime({self.verdict}: {self.sentence})"


def regime(problem: Problem, run: Any, end: Any = None, *, trainable: Any = None, schedule: Any = 1.0) -> Regime:
    r"""Did this network learn like a kernel method, or did its features adapt?

    - `run`: a trajectory of particles; or the start, with `end` the end of a run (then no linear theory is compared).
    - `trainable`, `schedule`: as in the run; a run that recorded its `tau` (SGD) is taken at its word.

    Raises `ValueError` for a network that is no two-layer mean, data without nodes, and measures that do not have the
    same particles.
    """
    problem.two_layer("regime")
    nodes = require_nodes(problem.data, "regime")
    start, last, tau = _ends(run, end, schedule)
    if len(start) != len(last):
        raise ValueError(f"regime: the start has {len(start)} particles, the end {len(last)}.")
    names = moving(
        problem, None if trainable is None else (trainable,) if isinstance(trainable, str) else tuple(trainable)
    )
    change = float(kernel_change(problem, [last], start, trainable)[0])
    before, after = np.asarray(problem.predict(start, nodes.x)), np.asarray(problem.predict(last, nodes.x))
    gap = None
    if tau is not None and problem.loss.square_factor is not None:
        theory = linear_theory(problem, start, at=None, trainable=trainable, who="regime")
        off = _norm(after - linear_prediction(theory, tau), nodes.weights)
        moved = _norm(after - before, nodes.weights)
        gap = off / moved if moved > 0 else 0.0
    inner, outer = _motions(problem, start, last, names)
    found = [number for number in (change, inner, outer, gap) if number is not None]
    if not all(map(math.isfinite, found)):
        raise ValueError("regime: a number of the run is not finite.")
    balance = _balance(problem, start, last)
    verdict = _verdict(change, gap)
    return Regime(change, inner, outer, gap, balance, verdict, _sentence(verdict, change, inner, outer, gap, balance))


def _ends(run: Any, end: Any, schedule: Any) -> tuple[Particles, Particles, float | None]:
    if isinstance(run, Trajectory):
        if end is not None:
            raise ValueError("regime(end=...): a trajectory has its end; leave it out.")
        clock = schedules.as_schedule(schedule, "regime(schedule=...)")
        tau = run.observables.get("tau")
        time = clock.integral(float(run.times[-1])) if tau is None else float(tau[-1])
        start, last = run[0], run.final
    else:
        start, last, time = run, end, None
    if isinstance(start, Particles) and isinstance(last, Particles):
        return start, last, time
    what = type(last if isinstance(start, Particles) else start).__name__
    raise ValueError(f"regime: expected a trajectory of particles, or particles of start and end; got {what}.")


def _norm(f: np.ndarray, mu: Any) -> float:
    return float(np.sqrt(np.asarray(mu) @ np.sum(f.reshape(len(f), -1) ** 2, axis=1)))


def _motions(problem: Problem, start: Particles, last: Particles, names: tuple[str, ...]) -> list[float | None]:
    """(inner, outer), of the blocks that may move."""
    w = np.asarray(start.weights)
    (old, _), (new, _) = problem.unpack(start), problem.unpack(last)
    parts: dict[str, list[tuple[float, float]]] = {"inner": [], "outer": []}
    for name in names:
        a, b = (np.asarray(getattr(theta, name)).reshape(len(w), -1) for theta in (old, new))
        if np.array_equal(a, b):
            # It did not move at all: frozen, it says nothing of the size of what moved.
            parts["outer" if name == problem.unit.linear else "inner"].append((0.0, 0.0))
            continue
        period = problem.domain.of(name).period
        if period is None:
            pair = w @ np.sum((b - a) ** 2, axis=1), w @ np.sum(a**2, axis=1)
        else:
            turn = 2.0 * math.pi / float(period)
            pair = w @ np.sum(np.angle(np.exp(1j * turn * (b - a))) ** 2, axis=1), 1.0
        parts["outer" if name == problem.unit.linear else "inner"].append(pair)
    sums = [[sum(column) for column in zip(*pairs, strict=True)] for pairs in parts.values()]
    return [None if not total else math.sqrt(total[0] / total[1]) if total[0] > 0 else 0.0 for total in sums]


def _balance(problem: Problem, start: Particles, last: Particles) -> Balance | None:
    if problem.unit.balance(jax.tree.map(lambda block: block[0], problem.unpack(start)[0])) is None:
        return None
    w = np.asarray(start.weights)
    balance: Any = jax.vmap(problem.unit.balance)
    ends = [balance(problem.unpack(measure)[0]) for measure in (start, last)]
    (outer, inner), ends = ((np.asarray(a), np.asarray(b)) for a, b in ends)
    delta, moved = outer - inner, ends[0] - ends[1] - (outer - inner)
    size = math.sqrt(w @ (outer + inner) ** 2)
    mean = float(w @ delta)
    deviation = math.sqrt(max(float(w @ (delta - mean) ** 2), 0.0))
    drift = math.sqrt(float(w @ moved**2)) / size if size > 0 else 0.0
    return Balance(mean, deviation, float(delta.min()), float(delta.max()), drift)


def _verdict(change: float, gap: float | None) -> str:
    if change >= ADAPTIVE:
        return "adaptive"
    return "kernel" if change <= KERNEL and (gap is None or gap <= KERNEL) else "intermediate"


def _sentence(
    verdict: str, change: float, inner: float | None, outer: float | None, gap: float | None, balance: Balance | None
) -> str:
    parts = [f"the tangent kernel changed by {change:.2g} (kernel: at most {KERNEL}, adaptive: {ADAPTIVE} or more)"]
    if inner is not None:
        other = "" if outer is None else f", the outer by {outer:.2g}"
        parts.append(f"the inner weights moved by {inner:.2g} of their size{other}")
    if gap is not None:
        parts.append(f"the linear theory of the start is off by {gap:.2g} of what the prediction moved")
    if balance is not None:
        parts.append(
            f"delta = c^2 - (|w|^2 + b^2)/p is {balance.mean:.2g} +- {balance.deviation:.2g} and drifted by "
            f"{balance.drift:.1g}"
        )
    return "; ".join(parts) + "."
