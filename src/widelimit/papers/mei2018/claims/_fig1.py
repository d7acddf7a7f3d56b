"""Claims on Fig. 1: three solutions of (13), and networks against them."""

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit

from widelimit import analysis
from widelimit.measure import Particles

from ..._kit import Bench, Cost, Data, Finding, claim
from ..._kit._shares import largest, table
from ..figures._fig1 import PROBLEM, TIMES, density, trained
from ..runs._isotropic import NEURONS, cells, limit, small


def _limit(bench: Bench) -> Data:
    return bench.piece(limit, **PROBLEM, times=TIMES, rtol=bench.pick(quick=1e-6, paper=1e-9))


@claim("(13), text after", tolerance=1.0, cost=Cost(30.0, 120.0), digits=8)
def fig1_solvers(bench: Bench) -> Finding:
    """The reduced equation (13) can be solved numerically: finite volumes, the inverse distribution function and
    particles give one solution for Fig. 1.
    Compared: risk and quantiles at t = .1 to 10 against the inverse distribution function, in units of what halving the
    cells, or doubling the particles, changes; a method of order two is off by a third of that."""
    exact = _limit(bench)
    # The finite volumes on a grid and on one of half the width; particles, and twice as many.
    sizes = bench.pick(quick=(400, 800), paper=(1600, 3200))
    coarse, fine = (bench.piece(cells, **PROBLEM, times=TIMES, count=count) for count in sizes)
    methods = {"finite volumes": (coarse, fine), "particles": (density(bench, half=True), density(bench))}
    medians = exact["radii"][1:, NEURONS // 2]
    computed = table("t", TIMES, {"risk": exact["risk"][1:], "median r": medians})
    shares = []
    for name, (rough, good) in methods.items():
        risk, radii = (_largest(good[key] - exact[key]) for key in ("risk", "radii"))
        computed |= {f"{name}, risk off by": risk, f"{name}, mean |r| off by": radii}
        # In units of what its own discretisation explains.
        shares += [off / _largest(good[key] - rough[key]) for key, off in (("risk", risk), ("radii", radii))]
    return Finding(computed, largest(*shares))


def _largest(apart: Float[np.ndarray, "T ..."]) -> float:
    """Over the times; of quantiles, the mean over the levels (the distance W_1)."""
    return float(np.max(np.mean(np.abs(apart.reshape(len(apart), -1)), axis=1)))


def _runs(bench: Bench) -> list[Data]:
    return [trained(bench, seed) for seed in range(bench.pick(quick=4, paper=6))]


def distance_in_errors(
    runs: Float[np.ndarray, "S T N"], exact: Float[np.ndarray, "T N"]
) -> tuple[Float[np.ndarray, " T"], float]:
    r"""$\sqrt{S}\,|\bar X - X| / s$ at each time, and the point that it passes by chance in one case of twenty.

    |.| is the norm in L^2(0, 1) of quantile functions, that is W_2; $\bar X$ the mean of S runs and s^2 their variance.
    Where one mode fluctuates, as where only the place of the split does, this is Student's |t| with S - 1 degrees of
    freedom, and smaller where there are more.
    """
    count = len(runs)
    spread = np.mean(np.var(runs, axis=0, ddof=1), axis=1)
    apart = np.mean((np.mean(runs, axis=0) - exact) ** 2, axis=1)
    return np.sqrt(count * apart / spread), float(stdtrit(count - 1, 0.975))


@claim("text on Fig. 1", tolerance=1.0, cost=Cost(40.0, 420.0), digits=3)
def fig1_radii(bench: Bench) -> Finding:
    """The empirical results match closely the predictions of the equation (13): the distribution of |w|.
    Compared: W_2 between the mean quantile function of independent runs of SGD and the limit, in standard errors, over
    what chance exceeds in one case of twenty (Student's t)."""
    runs, exact = np.stack([run["radii"] for run in _runs(bench)]), _limit(bench)["radii"]
    errors, chance = distance_in_errors(runs, exact)
    far = np.sqrt(np.mean((runs - exact) ** 2, axis=(0, 2)))
    computed = table("t", TIMES, {"standard errors": errors[1:], "W_2 of a run from the limit": far[1:]})
    return Finding(computed | {"exceeded by chance in 5 % of cases": chance}, largest(errors[1:]) / chance)


@claim("text on Fig. 1, with (5) and Proposition 1", tolerance=3.0, cost=Cost(10.0), digits=4)
def fig1_risk(bench: Bench) -> Finding:
    """The same for the risk: R_N - R lies between 0 and (INT U(theta, theta) d rho - INT INT U)/N, its mean for N
    independent neurons.
    Compared: by how many standard errors of the mean of the runs it lies outside; the training makes the neurons'
    fluctuations smaller, so the whole is an upper end."""
    runs, exact = _runs(bench), _limit(bench)
    risks, own = (np.stack([run[name] for run in runs])[:, 1:] for name in ("risk", "error"))
    error = np.sqrt(np.var(risks, axis=0, ddof=1) / len(runs) + np.mean(own**2, axis=0))
    width = np.array([_width(row) for row in exact["radii"][1:]])
    limit, excess = exact["risk"][1:], np.mean(risks, axis=0) - exact["risk"][1:]
    rows = {"R": limit, "R_N - R": excess, "its error": error, "independent neurons": width}
    # By how much E R_N lies outside [R, R + width term], in standard errors.
    return Finding(table("t", TIMES, rows), largest((excess - width) / error, -excess / error, 0.0))


def _width(radii: Float[np.ndarray, " N"]) -> float:
    """(INT U(th, th) d rho - INT INT U)/N of the full network; every eighth quantile is enough for two digits."""
    problem = small(PROBLEM["delta"], PROBLEM["d"])
    return float(analysis.expected_risk(problem, Particles(radii[4::8, None])).variance.value) / NEURONS
