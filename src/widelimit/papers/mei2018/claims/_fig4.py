"""Claims on Fig. 4: its two ends, networks against the limit, the barrier between the starts."""

import numpy as np
from scipy.optimize import brentq

from widelimit import analysis
from widelimit.measure import Particles

from ..._kit import Bench, Cost, Data, Finding, claim
from ..._kit._shares import apart, largest, outside
from ..figures._fig4 import DELTA, DIM, END, KAPPAS, SIGMA, compared, gaps, limit_of
from ..runs._isotropic import particles, small


@claim("Fig. 4 and the text before it", tolerance=0.0, cost=Cost(15.0))
def fig4_two_limits(bench: Bench) -> Finding:
    """Depending on the start the risk tends to a small or to a high value: below 0.1 and above 1.
    Printed: two limits, one with a small and one with high risk.
    Compared: by how much the bounds 0.1 and 1 are missed; the print has no numbers."""
    ends = [limit_of(bench, kappa)["risk"][-1] for kappa in KAPPAS]
    missed = outside(min(ends), high=0.1) + outside(max(ends), low=1.0)
    return Finding({f"risk from kappa = {kappa:g}": end for kappa, end in zip(KAPPAS, ends, strict=True)}, missed)


@claim("Fig. 4 and the text before it", tolerance=0.5, cost=Cost(50.0, 1500.0), digits=3)
def fig4_agreement(bench: Bench) -> Finding:
    """The networks follow the limit of d = 320 from both starts.
    Printed: well tracked.
    Compared: largest difference of risks, which fall from 7.25; a fluctuation of f of 2 % at its start makes 0.3."""
    far = gaps(compared(bench))
    return Finding({f"largest gap from kappa = {k:g}": gap for k, gap in zip(KAPPAS, far, strict=True)}, largest(far))


@claim("Fig. 4, the bad start", tolerance=1e-3, cost=Cost(1.0), digits=4)
def fig4_mass_at_zero(bench: Bench) -> Finding:
    """From the bad start all of the mass reaches r = 0 in finite time and stays: psi has a cone there.
    Compared: share of the mass that is not at r = 0 at t = 10."""
    run = limit_of(bench, min(KAPPAS))
    first, half = (run["t"][np.argmax(run["at_zero"] >= share)] for share in (1e-6, 0.5))
    last = run["at_zero"][-1]
    found = {"first mass by t": first, "half of it by t": half, "mass at 0 at the end": last}
    return Finding(found, 1.0 - last)


def barrier(steps: int) -> Data:
    """The kappa between the two basins, by bisection on the end of the limit."""
    low, high = KAPPAS
    for _ in range(steps):
        middle = 0.5 * (low + high)
        end = particles(DELTA, DIM, SIGMA, middle, [END], 400)["risk"][-1]
        low, high = (middle, high) if end > 1.0 else (low, middle)
    return {"low": low, "high": high}


@claim("Fig. 4 and the text before it", tolerance=0.0, cost=Cost(30.0, 60.0), digits=5)
def fig4_barrier(bench: Bench) -> Finding:
    """One kappa between 0.1 and 0.4 parts the starts that end badly from those that end well.
    Compared: whether the bisection stays inside (0.1, 0.4)."""
    found = bench.piece(barrier, steps=bench.pick(quick=7, paper=12))
    low, high = found["low"], found["high"]
    return Finding({"bad below": low, "good above": high}, 0.0 if KAPPAS[0] < low < high < KAPPAS[1] else 1.0)


@claim("Theorem 7, applied to Fig. 4", tolerance=0.0, cost=Cost(10.0))
def fig4_good_end_unstable(bench: Bench) -> Finding:
    """The sphere near which the good start lingers is itself unstable in the sense of Theorem 7: its spread grows.
    Compared: the rate of the spread must be negative."""
    # The plateau of the good start is seen as one point mass at its mean radius.
    problem = small(DELTA, DIM, SIGMA)
    middle = float(limit_of(bench, max(KAPPAS))["mean"][-1])

    def slope(r: float) -> float:
        rho = Particles([[r]])
        return float(problem.potential(rho).gradient(rho.positions)[0, 0])

    r = float(np.asarray(brentq(slope, 0.7 * middle, 1.4 * middle, xtol=1e-12)))
    found = analysis.stability(problem, Particles([[r]]))
    spread = np.min(found.spread_rates)
    computed = {"r": r, "rate of the spread": spread, "verdict": str(found.stable)}
    return Finding(computed, outside(spread, high=0.0))


@claim("Fig. 4, inset", tolerance=0.1, cost=Cost(50.0, 1500.0), digits=3)
def fig4_mean_length(bench: Bench) -> Finding:
    """The mean of |w| of the networks follows that of the limit from both starts.
    Printed: symbols on the continuous lines.
    Compared: largest difference up to the last time; the means go up to 2, and a fluctuation of 0.05 in log t at the
    steepest makes 0.05."""
    far = []
    for run in compared(bench)["runs"]:
        sgd, line = run["sgd"], run["limit"]
        exact = np.interp(np.log(sgd["t"][1:]), np.log(line["t"][1:]), line["mean"][1:])
        far.append(apart(sgd["mean"][1:], exact))
    return Finding({f"largest gap from kappa = {k:g}": x for k, x in zip(KAPPAS, far, strict=True)}, largest(far))
