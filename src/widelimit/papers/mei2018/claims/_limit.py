"""Claims on SGD and its limit: Theorem 3 as measured rates in N and eps, and the steps that training takes."""

import jax
import numpy as np

from widelimit.dynamics import SGD, Quantiles, TransportPDE
from widelimit.measure import grids, laws

from ..._kit import Bench, Cost, Data, Finding, claim
from ..._kit._runs import evolved, seeds
from ..._kit._shares import (
    apart,
    apart_relative,
    crossing,
    in_errors,
    largest,
    log_slope,
    outside,
    share_allowed,
    table,
)
from ..runs._examples import neurons

_MEAN, _STD = -1.0, 0.5
_T1, _SAVES = 4.0, 50


def _limit(t1: float, saves: int) -> Data:
    """R(rho_t) and INT sin(theta) d rho_t at `saves` + 1 times."""
    run = evolved(neurons(0.0), laws.Normal(_MEAN, _STD), Quantiles(1e-8), t1 * np.arange(1, saves + 1) / saves)
    shown = [run[k] for k in range(len(run))]
    sines = [np.asarray(rho.weights) @ np.sin(np.asarray(rho.positions[:, 0])) for rho in shown]
    return {"risk": run.risk, "sine": sines}


def _random_starts(width: int, runs: int, step: float, t1: float, saves: int) -> Data:
    """Risk and mean of sin(theta) [runs, saves + 1] of SGD from independent neurons, and the first neuron's sine."""
    law = laws.Normal(_MEAN, _STD)
    starts = [law.sample(width, key=jax.random.key(1000 + j)) for j in range(runs)]
    rows, risk = seeds(neurons(0.0), starts, SGD(step), t1=t1, saves=saves, first=2000)
    sine = np.sin(rows[..., 0])
    return {"risk": risk, "sine": np.mean(sine, axis=2), "own": np.var(sine, axis=(0, 2))}


def _even_starts(width: int, runs: int, step: float, t1: float, saves: int) -> Data:
    """The same from the quantiles of the start, which leaves only the noise of the samples."""
    start = laws.Normal(_MEAN, _STD).quantise(width, laws.Midpoint())
    rows, risk = seeds(neurons(0.0), [start] * runs, SGD(step), t1=t1, saves=saves, first=3000)
    return {"risk": risk, "sine": np.mean(np.sin(rows[..., 0]), axis=2)}


def _by_width(bench: Bench, widths: list[int]) -> tuple[Data, list[Data]]:
    runs, step = bench.pick(quick=32, paper=128), bench.pick(quick=2e-4, paper=5e-5)
    settings = {"runs": runs, "step": step, "t1": _T1, "saves": _SAVES}
    limit = bench.piece(_limit, t1=_T1, saves=_SAVES)
    return limit, [bench.piece(_random_starts, width=width, **settings) for width in widths]


_SEEN = {"risk": "sup |R_N - R|", "sine": "sup |mean of sin - INT sin d rho|"}


def _rates(by: str, sizes: list[int] | list[float], limit: Data, found: list[Data]) -> tuple[Data, list[float]]:
    """Distances from the limit by the width or the step, sup over saves, mean over runs; and their slopes."""
    computed, slopes = {}, []
    for name, said in _SEEN.items():
        errors = [np.mean(np.max(np.abs(data[name] - limit[name]), axis=1)) for data in found]
        slopes.append(log_slope(sizes, errors))
        computed |= table(by, sizes, {said: errors}) | {f"slope of {said} in {by}": slopes[-1]}
    return computed, slopes


@claim("Theorem 3, (18), (19)", tolerance=0.05, cost=Cost(35.0, 600.0), digits=4)
def limit_rate_width(bench: Bench) -> Finding:
    """At small eps sup over k of |R_N(theta^k) - R(rho_(k eps))|, and of the same for the mean of a bounded Lipschitz
    function, falls as N^(-1/2) to N^(-1): one-pass SGD from independent neurons, t <= 4.
    Compared: by how much a fitted slope of the mean over runs lies outside [-1, -1/2]; (19) bounds it by (log
    N/N)^(1/2), and 32 runs leave 0.04."""
    widths = [25, 50, 100, 200, 400]
    computed, slopes = _rates("N", widths, *_by_width(bench, widths))
    return Finding(computed, outside(slopes, -1.0, -0.5))


@claim("Theorem 3, (18), (19)", tolerance=0.05, cost=Cost(5.0, 60.0), digits=4)
def limit_rate_step(bench: Bench) -> Finding:
    """At large N the same distances fall as eps^(1/2) to eps, N = 800 quantiles of the start.
    Compared: by how much a fitted slope of the mean over runs lies outside [1/2, 1]; 32 runs leave 0.04."""
    steps = [0.04, 0.02, 0.01, 0.005, 0.0025, *bench.pick(quick=[], paper=[0.00125, 0.000625])]
    settings = {"width": 800, "runs": bench.pick(quick=32, paper=128), "t1": _T1, "saves": _SAVES}
    found = [bench.piece(_even_starts, step=step, **settings) for step in steps]
    computed, slopes = _rates("eps", steps, bench.piece(_limit, t1=_T1, saves=_SAVES), found)
    return Finding(computed, outside(slopes, 0.5, 1.0))


@claim("Theorem 3, second sentence", tolerance=1.0, cost=Cost(1.0), digits=3)
def propagation_of_chaos(bench: Bench) -> Finding:
    """At fixed t = k eps the neurons become independent with law rho_t: the mean of sin(theta_1) is that of rho_t, the
    correlation of two neurons is of order 1/N.
    Printed: for any fixed k.
    Compared: the worst of: the distance of the mean from the limit over 4 standard errors; N times the correlation over
    3 (its own scatter over 32 runs is 0.25).
    Misprint: 'for any fixed k' must be 'for any fixed t = k eps': at fixed k both sides only tend to rho_0."""
    widths = [25, 100, 400]
    limit, found = _by_width(bench, widths)
    computed, bias, excess = {}, [], []
    for width, data in zip(widths, found, strict=True):
        for name, k in {"t = 1": 12, "t = 4": 50}.items():
            # Var(mean of N) = own/N + (1 - 1/N) Cov of two neurons.
            own = data["own"][k]
            pair = (np.var(data["sine"][:, k], ddof=1) - own / width) / (1.0 - 1.0 / width)
            computed[f"correlation of two neurons, N = {width}, {name}"] = pair / own
            bias.append(in_errors(data["sine"][:, k], limit["sine"][k]))
            excess.append(abs(pair) / own * width)
    computed["largest distance of E sin(theta_1) from the limit, in standard errors"] = largest(bias)
    computed["largest N times correlation"] = largest(excess)
    return Finding(computed, share_allowed((bias, 4.0), (excess, 3.0)))


@claim("text after (10), 'independent of N'; Theorem 3", tolerance=1.0, cost=Cost(1.0), digits=4)
def steps_independent_of_width(bench: Bench) -> Finding:
    """The number of steps of SGD to a given risk does not depend on N, and k eps is the limit's time.
    Compared: the worst of: the slope of the time in log N over 0.05; the distance of the largest N from the limit over
    5 per cent; 32 runs scatter by 2 per cent."""
    widths, level = [25, 50, 100, 200, 400], 0.2
    limit, found = _by_width(bench, widths)
    times = _T1 * np.arange(_SAVES + 1) / _SAVES
    needed = [np.mean([crossing(times, row, level) for row in data["risk"]]) for data in found]
    slope, exact = log_slope(widths, needed), crossing(times, limit["risk"], level)
    computed = table("N", widths, {f"t = k eps at which R_N = {level}": needed})
    computed |= {"of the limit": exact, "slope in N": slope}
    return Finding(computed, share_allowed((abs(slope), 0.05), (apart_relative(needed[-1], exact), 0.05)))


def _masses(parts: list[list[float]], shares: list[float], times: list[float]) -> Data:
    """The mass left of 0 along the flow from two intervals, by two methods, and the ends of what is on each side."""
    law = laws.Mixture([laws.Uniform(a, b) for a, b in parts], shares)
    grid = grids.uniform(-8.0, 8.0, 800)
    cells = evolved(neurons(0.0), law, TransportPDE(grid), times).weights
    run, left = evolved(neurons(0.0), law, Quantiles(), times), np.asarray(grid.points[:, 0]) < 0.0
    shown = [(np.asarray(run[k].positions[:, 0]), np.asarray(run[k].weights)) for k in range(len(run))]
    return {
        "times": run.times,
        "mass": [cells[:, left].sum(axis=1), [w[x < 0.0].sum() for x, w in shown]],
        "ends": [[x[x < 0.0].max(), x[x > 0.0].min()] for x, _ in shown],
    }


@claim("text before (6)", tolerance=1e-9, cost=Cost(15.0), digits=10)
def local_mass(bench: Bench) -> Finding:
    """The dynamics conserves mass locally: while the support lies in two disjoint sets, here left and right of 0 from
    0.3 on [-3, -2] and 0.7 on [1, 2], the mass of each stays, however the sets move.
    Compared: largest distance of the left mass from 0.3 up to t = 5, by finite volumes and by quantiles; both ends must
    have moved by 0.3."""
    found = bench.piece(_masses, parts=[[-3.0, -2.0], [1.0, 2.0]], shares=[0.3, 0.7], times=[1.0, 2.0, 5.0])
    first, *_, last = found["ends"]
    computed = table("t", found["times"], dict(zip(("finite volumes", "quantiles"), found["mass"], strict=True)))
    computed |= {"gap at t = 0": first, "gap at t = 5": last}
    needs = {"the sets move": np.min(np.abs(last - first)) > 0.3, "they stay apart": last[0] < -0.5 and last[1] > 0.5}
    return Finding(computed, apart(found["mass"], 0.3), needs=needs)
