"""Claims on Fig. 2: networks against the infimum, the limit and the best single sphere."""

import numpy as np

from ..._kit import Bench, Cost, Finding, claim
from ..._kit._shares import largest, table
from ..figures._fig2 import DIM, END, KAPPA, lines, points, trained
from ..runs._isotropic import particles
from ..runs._optima import closed_interval, minima, spheres

# The largest single-sphere excess of a Delta inside the interval, and the least one outside, that is not rounding.
_ROUNDING = 1e-11


def _risks(bench: Bench) -> np.ndarray:
    """Of the networks at the end."""
    return np.array([trained(bench, delta)["risk"][-1] for delta in points(bench)])


@claim("text before Theorem 1, on Fig. 2", tolerance=0.05, cost=Cost(45.0, 800.0), digits=3)
def fig2_sgd_near_optimum(bench: Bench) -> Finding:
    """SGD achieves a value of the risk that is close to the optimum.
    Printed: close to optimum.
    Compared: largest distance from the certified infimum over Δ = .1 to .9, d = 40; the risk of predicting 0 is 1. What
    is left are width, noise of the steps and mass on its way to infinity, 0.01 to 0.03 each at quick scale."""
    deltas = points(bench)
    least = bench.piece(minima, deltas=lines(bench), d=float(DIM))["risk"]
    above = _risks(bench) - least[[lines(bench).index(delta) for delta in deltas]]
    return Finding(table("Δ", deltas, {"SGD above inf R": above}), largest(np.abs(above)))


@claim("text before Theorem 1, on Fig. 2", tolerance=0.04, cost=Cost(10.0), digits=3)
def fig2_sgd_follows_limit(bench: Bench) -> Finding:
    """Good quantitative agreement between empirical results and theoretical predictions: SGD against the limit at the
    same time.
    Printed: good quantitative agreement.
    Compared: largest difference of risks at t = 100, d = 40. Independent neurons would be 0.02 above the limit; the
    noise of a step of 1e-4 adds 0.02 at Δ = 0.1 (0.004 with a step of 2e-5) and less at larger Δ."""
    # At the same time: mass still on its way to infinity is in both.
    deltas = points(bench)
    settings = {"d": DIM, "sigma": "ramp", "kappa": KAPPA, "times": [END], "count": 200}
    exact = np.array([bench.piece(particles, delta=delta, **settings)["risk"][-1] for delta in deltas])
    off = _risks(bench) - exact
    return Finding(table("Δ", deltas, {"R": exact, "R_N - R": off}), largest(np.abs(off)))


@claim("caption of Fig. 2", tolerance=0.0, cost=Cost(5.0), digits=4)
def fig2_one_sphere_fails_above(bench: Bench) -> Finding:
    """The single-delta ansatz is incorrect for Δ > Δ_h; it is exact in [Δ_l, Δ_h].
    Printed: incorrect for Δ > Δ_h.
    Compared: how many Δ are on the wrong side: those where the ansatz and the certified infimum agree (to 1e-11) but
    should not, or the reverse, and those above Δ_h where SGD is not three standard errors below the ansatz."""
    deltas = np.asarray(lines(bench))
    least, one = (bench.piece(f, deltas=deltas.tolist(), d=float(DIM))["risk"] for f in (minima, spheres))
    low, high = bench.piece(closed_interval, d=float(DIM))["ends"]
    inside, excess = (low <= deltas) & (deltas <= high), one - least
    wrong = int(np.sum((excess <= _ROUNDING) != inside))
    computed = table("Δ", deltas, {"one sphere above inf R": excess})
    for delta in (x for x in points(bench) if x > high):
        run, ansatz = trained(bench, delta), one[lines(bench).index(delta)]
        errors = (ansatz - run["risk"][-1]) / run["error"][-1]
        computed[f"SGD below one sphere by so many standard errors, Δ = {delta:g}"] = errors
        wrong += int(errors < 3.0)
    return Finding(computed, wrong)
