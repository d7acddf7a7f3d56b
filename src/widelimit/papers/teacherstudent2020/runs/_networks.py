"""Small tanh networks of two inputs, with Gauss nodes on which every integral is a finite sum; and their limit."""

from typing import Any

import jax
import numpy as np

from widelimit._evolve import evolve_many
from widelimit.dynamics import GradientFlow
from widelimit.measure import Particles, join, laws
from widelimit.problem import Problem

from ..._kit import Bench, Data
from ..._kit._runs import evolved
from ._students import taught

_TEACHER = np.array([[1.5, 0.0], [-0.5, 1.0]])
_MASSES = np.array([0.7, 0.3])
_NODES = 8
# The law of the start, uniform on this square: a density.
SIDE = 2.0


def problem(weighted: bool = False) -> Problem:
    """A teacher of two neurons, weights 0.7 and 0.3; `weighted`, with w = 1.4 and -0.8 as well."""
    rows = np.column_stack([[1.4, -0.8], _TEACHER]) if weighted else _TEACHER
    return taught(
        "tanh", Particles(rows, weights=_MASSES), laws.Normal(0.0, 1.0, dim=2), weighted=weighted, nodes=_NODES
    )


def network(width: int, weighted: bool = False, seed: int = 0) -> Particles:
    return Particles(np.random.default_rng(seed).normal(size=(width, 3 if weighted else 2)))


def nodes(one: Problem) -> Data:
    """x [Q, 2], y [Q] and mu [Q], arguments of `theory.tanh_flow`."""
    found: Any = one.data.nodes
    return {"x": np.asarray(found.x), "y": np.asarray(found.y).ravel(), "mu": np.asarray(found.weights)}


def fields(width: int, weighted: bool) -> Data:
    """A random network: the library's E, psi and velocity; N times central differences of E in all parameters of three
    neurons; and psi at the teacher's atoms with their masses."""
    task, here = problem(weighted), network(width, weighted)
    theta, w = task.unpack(here)
    found = task.variation(theta, w)
    rows, step = np.asarray(here.positions), 1e-5
    slopes = np.zeros((3, rows.shape[1]))
    for i, k in np.ndindex(*slopes.shape):
        bump = np.zeros_like(rows)
        bump[i, k] = step
        up, down = (float(task.risk(Particles(rows + side * bump))) for side in (1.0, -1.0))
        slopes[i, k] = width * (up - down) / (2.0 * step)
    psi = task.potential(here)
    return nodes(task) | {
        "rows": rows,
        "risk": found.risk,
        "psi": psi(rows),
        "velocity": join(task.blocks, task.velocity(theta, found.gradient)),
        "slopes": slopes,
        "teacher psi": psi(task.teacher.positions),
        "teacher masses": task.teacher.weights,
    }


def followed(width: int, end: float, saves: int) -> Data:
    """The library's flow of a random network: rows [T, N, 2] and E [T], T = saves + 1."""
    task = problem()
    run = evolved(task, network(width), GradientFlow(), np.linspace(0.0, end, saves + 1))
    return nodes(task) | {"rows": run.positions, "risk": run.risk, "times": run.times}


def tests(rows: np.ndarray) -> np.ndarray:
    """Three smooth test functions on rows [..., 2]: cos(theta_1), a Gaussian, a logistic function; [..., 3]."""
    a, b = rows[..., 0], rows[..., 1]
    return np.stack([np.cos(a), np.exp(-0.5 * (a**2 + b**2)), 1.0 / (1.0 + np.exp(a + 2.0 * b))], axis=-1)


TESTS = ("cos", "Gaussian", "logistic")


def limit(order: int, times: list[float], side: float = SIDE) -> Data:
    """INT test d rho [T, 3] of the limit, from order^2 Gauss nodes of the start's law; those at the end, and their
    weights."""
    start = laws.Uniform(-side, side, dim=2).quantise(order**2, laws.Gauss())
    run = evolved(problem(), start, GradientFlow(), times)
    weights = np.asarray(start.weights)
    return {
        "tests": np.einsum("n,tng->tg", weights, tests(np.asarray(run.positions))),
        "rows": run.positions[-1],
        "weights": weights,
    }


def drawn(widths: tuple[int, ...], seeds: int, times: list[float], side: float = SIDE) -> Data:
    """INT test d rho_N of networks of N neurons drawn from the law, [widths, seeds, T, 3], all draws independent; the
    theta_1 at the end of the first of each N, [widths, most], with weights."""
    # Rows of no weight make all of one shape, which is compiled once.
    most = max(widths)
    starts = []
    for k, n in enumerate(widths):
        for seed in range(seeds):
            rows = laws.Uniform(-side, side, dim=2).sample(most, key=jax.random.key(seed + seeds * k)).positions
            starts.append(Particles(rows, weights=np.where(np.arange(most) < n, 1.0 / n, 0.0)))
    runs = evolve_many(problem(), starts, GradientFlow(), t1=times[-1], save_at=times, progress=False)
    values = [np.einsum("n,tng->tg", run.weights[-1], tests(np.asarray(run.positions))) for run in runs]
    return {
        "tests": np.reshape(values, (len(widths), seeds, len(times), len(TESTS))),
        "rows": np.stack([run.positions[-1, :, 0] for run in runs[::seeds]]),
        "weights": np.stack([run.weights[-1] for run in runs[::seeds]]),
    }


TIMES = [0.0, 1.0, 4.0]
# Gauss nodes a coordinate for the limit.
ORDER = 20
WIDTHS = {"quick": (16, 64, 256), "paper": (16, 64, 256, 1024)}
SEEDS = {"quick": 60, "paper": 300}


def widths(bench: Bench) -> tuple[int, ...]:
    return bench.value("widths", bench.pick(**WIDTHS))


def ensembles(bench: Bench) -> tuple[Data, Data]:
    """`drawn` and `limit`."""
    seeds, more = bench.value("seeds", bench.pick(**SEEDS)), {"times": TIMES} | bench.given(side="side")
    networks = bench.piece(drawn, widths=widths(bench), seeds=seeds, **more)
    return networks, bench.piece(limit, order=ORDER, **more)


def rate(widths: tuple[int, ...], squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The exponent of N in the root mean square over seeds and its standard error, from squares [widths, seeds, ...]: a
    line through (log N, log) by least squares, its points independent with the errors of their means."""
    mean = np.mean(squares, axis=1)
    errors = 0.5 * np.std(squares, axis=1, ddof=1) / mean / squares.shape[1] ** 0.5
    x = np.log(widths) - np.mean(np.log(widths))
    weights = x / (x @ x)
    return np.tensordot(weights, 0.5 * np.log(mean), 1), np.tensordot(weights**2, errors**2, 1) ** 0.5
