"""Many networks drawn from one law, their limit, and SGD from one start."""

import functools

import jax
import numpy as np

from widelimit import analysis
from widelimit._evolve import evolve_many
from widelimit.dynamics import SGD, GradientFlow, sampling
from widelimit.measure import Particles
from widelimit.problem import Problem
from widelimit.theory import rotskoff2018 as theory

from ..._kit import Data
from ..._kit._runs import evolved
from ._networks import atoms, drawn, nodes, sampled, taught, values

_PROBLEMS = {"taught": taught, "sampled": sampled}
TIMES = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
"""Eight times, over which the fluctuations of both problems fall, grow and fall again."""


def problem_of(which: str) -> Problem:
    """ "taught" or "sampled": see `taught`, `sampled`."""
    return _PROBLEMS[which]()


def networks(which: str, n: int, seeds: int, first: int, times: list[float], mirrored: bool = False) -> Data:
    """The gradient flow of networks of n neurons drawn from the atoms of the law: f_n [S, T, Q] and risk [S, T]; those
    of the limit, f_0 [T, Q] and its risk.

    `mirrored`: with the shares p + e of every draw those of p - e, as second halves of f and risk: the mean of the two
    is free of what is linear in e.
    """
    problem, start = problem_of(which), atoms()
    starts = [drawn(start, n, first + seed) for seed in range(seeds)]
    if mirrored:
        starts += [Particles(one.positions, 2.0 * start.weights - one.weights, blocks=one.blocks) for one in starts]
    runs = evolve_many(problem, starts, GradientFlow(), t1=times[-1], save_at=times, progress=False)
    limit = evolved(problem, start, GradientFlow(), times)
    weights = np.stack([np.asarray(one.weights) for one in starts])[:, None]
    return {
        "f": values(problem, np.stack([run.positions for run in runs]), weights),
        "risk": np.stack([run.risk for run in runs]),
        "limit": values(problem, limit.positions, start.weights),
        "limit risk": limit.risk,
        "mu": nodes(problem)[2],
    }


def sgd_networks(which: str, n: int, step: float, batch: int, seeds: int, first: int, times: list[float]) -> Data:
    """SGD with fresh batches from independent networks of n neurons; n = 0: from the law itself, every run.

    f_n [S, T, Q]; `limit`: f_0 [T, Q] by the full-batch scheme at the same step, so that the step's own bias is in
    both.
    """
    problem, start = problem_of(which), atoms()
    starts = [drawn(start, n, first + seed) if n else start for seed in range(seeds)]
    keys = list(jax.random.split(jax.random.key(first), seeds))
    more = {"t1": times[-1], "save_at": times, "progress": False}
    runs = evolve_many(problem, starts, SGD(step, batch=batch), keys=keys, **more)
    limit = evolved(problem, start, SGD(step, sampling=sampling.Full()), times)
    weights = np.stack([np.asarray(one.weights) for one in starts])[:, None]
    return {
        "f": values(problem, np.stack([run.positions for run in runs]), weights),
        "risk": np.stack([run.risk for run in runs]),
        "limit": values(problem, limit.positions, start.weights),
        "limit risk": limit.risk,
        "mu": nodes(problem)[2],
    }


def squares(found: Data) -> np.ndarray:
    """|f_n - f_0|^2 in L^2(mu), [S, T]."""
    return (found["f"] - found["limit"]) ** 2 @ found["mu"]


def mean_square(found: Data) -> tuple[np.ndarray, np.ndarray]:
    """E |f_n - f_0|^2 over the runs and its standard error, [T]."""
    each = squares(found)
    return np.mean(each, axis=0), np.std(each, axis=0, ddof=1) / len(each) ** 0.5


def predicted(which: str, times: list[float], order: int = 3) -> Data:
    """What the library says of fluctuations around the limit, from the same atoms, or from 2 `order`^2 of them."""
    found = analysis.fluctuations(problem_of(which), atoms(order), t1=times[-1], save_at=times, progress=False)
    return {
        "variance": found.prediction_variance,
        "bias": found.bias,
        "excess": found.excess_risk,
        "limit": found.limit,
    }


def solved(which: str, times: list[float], centred: bool = True) -> Data:
    """The covariance equations (2.27) and (3.24) from the same atoms, in NumPy and SciPy."""
    problem, start = problem_of(which), atoms()
    x, f, mu = nodes(problem)
    given = np.asarray(start.positions), np.asarray(start.weights)
    found = theory.covariance(
        *given, functools.partial(theory.tanh_features, x=x), f, mu, np.array(times), centred=centred
    )
    return found._asdict()
