"""Claims on SGD and its limit: Theorem 3 as measured rates in N and eps, and the steps that training takes."""

import jax
import numpy as np
from jaxtyping import Float

from widelimit._evolve import evolve
from widelimit.dynamics import SGD, Quantiles
from widelimit.measure import laws

from .._kit._bench import Bench, Cost, Data
from .._kit._claims import Claim, Finding, Verdict
from .._kit._shares import largest, log_slope, share_allowed
from ._examples import neurons
from ._seeds import risks, seeds

_MEAN, _STD = -1.0, 0.5
_T1, _SAVES = 4.0, 50


def _limit(t1: float, saves: int) -> Data:
    """R(rho_t) and INT sin(theta) d rho_t at `saves` + 1 times."""
    times = t1 * np.arange(1, saves + 1) / saves
    run = evolve(neurons(0.0), laws.Normal(_MEAN, _STD), Quantiles(1e-8), t1=t1, save_at=times)
    shown = [run[k] for k in range(len(run))]
    sines = [np.asarray(rho.weights) @ np.sin(np.asarray(rho.positions[:, 0])) for rho in shown]
    return {"risk": run.risk, "sine": np.array(sines)}


def _random_starts(width: int, runs: int, step: float, t1: float, saves: int) -> Data:
    """Risk and mean of sin(theta) [runs, saves + 1] of SGD from independent neurons, and the first neuron's sine."""
    law = laws.Normal(_MEAN, _STD)
    starts = [law.sample(width, key=jax.random.key(1000 + j)) for j in range(runs)]
    rows = seeds(neurons(0.0), starts, SGD(step), t1=t1, saves=saves, first=2000)
    sine = np.sin(rows[..., 0])
    return {"risk": risks(neurons(0.0), rows), "sine": np.mean(sine, axis=2), "own": np.var(sine, axis=(0, 2))}


def _even_starts(width: int, runs: int, step: float, t1: float, saves: int) -> Data:
    """The same from the quantiles of the start, which leaves only the noise of the samples."""
    start = laws.Normal(_MEAN, _STD).quantise(width, laws.Midpoint())
    rows = seeds(neurons(0.0), [start] * runs, SGD(step), t1=t1, saves=saves, first=3000)
    return {"risk": risks(neurons(0.0), rows), "sine": np.mean(np.sin(rows[..., 0]), axis=2)}


def _worst(data: Data, limit: Data, name: str) -> Float[np.ndarray, " S"]:
    """sup over the saves of the distance from the limit, for each run."""
    return np.max(np.abs(data[name] - limit[name]), axis=1)


def _by_width(bench: Bench, widths: list[int]) -> tuple[Data, list[Data]]:
    runs, step = bench.pick(quick=32, paper=128), bench.pick(quick=2e-4, paper=5e-5)
    settings = {"runs": runs, "step": step, "t1": _T1, "saves": _SAVES}
    limit = bench.piece(_limit, t1=_T1, saves=_SAVES)
    return limit, [bench.piece(_random_starts, width=width, **settings) for width in widths]


def _rate_width(bench: Bench) -> Finding:
    widths = [25, 50, 100, 200, 400]
    limit, found = _by_width(bench, widths)
    computed, slopes = {}, []
    for name, said in (("risk", "|R_N - R|"), ("sine", "|mean of sin - INT sin d rho|")):
        errors = np.array([np.mean(_worst(data, limit, name)) for data in found])
        slopes.append(log_slope(widths, errors))
        computed |= {f"sup {said}, N = {n}": float(e) for n, e in zip(widths, errors, strict=True)}
        computed[f"slope of sup {said} in N"] = slopes[-1]
    return Finding(computed, largest(*(_outside(-slope, 0.5, 1.0) for slope in slopes)))


def _outside(value: float, low: float, high: float) -> float:
    """How far a value lies outside of an interval."""
    return largest(low - value, value - high, 0.0)


def _rate_step(bench: Bench) -> Finding:
    steps = [0.04, 0.02, 0.01, 0.005, 0.0025, *bench.pick(quick=[], paper=[0.00125, 0.000625])]
    limit = bench.piece(_limit, t1=_T1, saves=_SAVES)
    runs = bench.pick(quick=32, paper=128)
    computed, slopes = {}, []
    settings = {"width": 800, "runs": runs, "t1": _T1, "saves": _SAVES}
    found = [bench.piece(_even_starts, step=step, **settings) for step in steps]
    for name, said in (("risk", "|R_N - R|"), ("sine", "|mean of sin - INT sin d rho|")):
        errors = np.array([np.mean(_worst(data, limit, name)) for data in found])
        slopes.append(log_slope(steps, errors))
        computed |= {f"sup {said}, eps = {e:g}": float(x) for e, x in zip(steps, errors, strict=True)}
        computed[f"slope of sup {said} in eps"] = slopes[-1]
    return Finding(computed, largest(*(_outside(slope, 0.5, 1.0) for slope in slopes)))


def _chaos(bench: Bench) -> Finding:
    widths = [25, 100, 400]
    limit, found = _by_width(bench, widths)
    at = {"t = 1": 12, "t = 4": 50}
    computed, bias, excess = {}, [], []
    for width, data in zip(widths, found, strict=True):
        for name, k in at.items():
            mean, own = data["sine"][:, k], float(data["own"][k])
            # Var(mean of N) = own/N + (1 - 1/N) Cov of two neurons.
            pair = (float(np.var(mean, ddof=1)) - own / width) / (1.0 - 1.0 / width)
            computed[f"correlation of two neurons, N = {width}, {name}"] = pair / own
            bias.append(abs(np.mean(mean) - limit["sine"][k]) / (np.std(mean, ddof=1) / len(mean) ** 0.5))
            excess.append(abs(pair) / own * width)
    computed["largest distance of E sin(theta_1) from the limit, in standard errors"] = largest(*bias)
    computed["largest N times correlation"] = largest(*excess)
    return Finding(computed, share_allowed((largest(*bias), 4.0), (largest(*excess), 3.0)))


def _steps_needed(bench: Bench) -> Finding:
    widths, level = [25, 50, 100, 200, 400], 0.2
    limit, found = _by_width(bench, widths)
    times = _T1 * np.arange(_SAVES + 1) / _SAVES
    needed = [float(np.mean([crossing(times, row, level) for row in data["risk"]])) for data in found]
    slope = log_slope(widths, needed)
    computed = {f"t = k eps at which R_N = {level}, N = {n}": t for n, t in zip(widths, needed, strict=True)}
    computed |= {"of the limit": crossing(times, limit["risk"], level), "slope in N": slope}
    far = abs(needed[-1] / computed["of the limit"] - 1.0)
    return Finding(computed, share_allowed((abs(slope), 0.05), (far, 0.05)))


def crossing(times: Float[np.ndarray, " T"], risk: Float[np.ndarray, " T"], level: float) -> float:
    """The first time at which a curve falls below a level, between saves by a line; infinite if never."""
    below = np.flatnonzero(risk <= level)
    if not len(below):
        return float("inf")
    k = int(below[0])
    if k == 0:
        return float(times[0])
    share = (risk[k - 1] - level) / (risk[k - 1] - risk[k])
    return float(times[k - 1] + share * (times[k] - times[k - 1]))


CLAIMS = (
    Claim(
        id="limit-rate-width",
        statement="At small eps sup over k of |R_N(theta^k) - R(rho_(k eps))|, and of the same for the mean of a "
        "bounded Lipschitz function, falls as N^(-1/2) to N^(-1): one-pass SGD from independent neurons, t <= 4.",
        where="Theorem 3, (18), (19)",
        printed=None,
        compute=_rate_width,
        tolerance=0.05,
        reason="by how much a fitted slope of the mean over runs lies outside [-1, -1/2]; (19) bounds it by "
        "(log N/N)^(1/2), and 32 runs leave 0.04",
        cost=Cost(35.0, 600.0),
        digits=4,
    ),
    Claim(
        id="limit-rate-step",
        statement="At large N the same distances fall as eps^(1/2) to eps, N = 800 quantiles of the start.",
        where="Theorem 3, (18), (19)",
        printed=None,
        compute=_rate_step,
        tolerance=0.05,
        reason="by how much a fitted slope of the mean over runs lies outside [1/2, 1]; 32 runs leave 0.04",
        cost=Cost(5.0, 60.0),
        digits=4,
    ),
    Claim(
        id="propagation-of-chaos",
        statement="At fixed t = k eps the neurons become independent with law rho_t: the mean of sin(theta_1) is "
        "that of rho_t, the correlation of two neurons is of order 1/N.",
        where="Theorem 3, second sentence",
        printed="for any fixed k",
        compute=_chaos,
        tolerance=1.0,
        reason="the worst of: the distance of the mean from the limit over 4 standard errors; N times the "
        "correlation over 3 (its own scatter over 32 runs is 0.25)",
        misprint="'for any fixed k' must be 'for any fixed t = k eps': at fixed k both sides only tend to rho_0",
        expected=Verdict.CORRECTED,
        cost=Cost(1.0, 1.0),
        digits=3,
    ),
    Claim(
        id="steps-independent-of-width",
        statement="The number of steps of SGD to a given risk does not depend on N, and k eps is the limit's time.",
        where="text after (10), 'independent of N'; Theorem 3",
        printed=None,
        compute=_steps_needed,
        tolerance=1.0,
        reason="the worst of: the slope of the time in log N over 0.05; the distance of the largest N from the "
        "limit over 5 per cent; 32 runs scatter by 2 per cent",
        cost=Cost(1.0, 1.0),
        digits=4,
    ),
)
