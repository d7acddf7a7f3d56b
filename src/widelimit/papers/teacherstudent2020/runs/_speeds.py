"""Students of a teacher of two atoms: how fast they come near to each."""

from typing import Any

import jax
import numpy as np

from widelimit import analysis
from widelimit._evolve import evolve_many
from widelimit.dynamics import GradientFlow, integrators
from widelimit.measure import Particles, laws
from widelimit.problem import Problem
from widelimit.theory import teacherstudent2020 as theory

from ..._kit import Bench, Data
from ..._kit._runs import evolved
from ._students import taught

MASSES = ((0.8, 0.2), (0.9, 0.1))
# Of the random starts: particles, and how many of them.
COUNTS, SEEDS = {"quick": 60, "paper": 200}, {"quick": 4, "paper": 12}
OPPOSITE = np.array([[1.0, 0.0], [-1.0, 0.0]])
ORTHOGONAL = np.array([[1.0, 0.0], [0.0, 1.0]])
NODES = 16
_SAVES = 160
# Errors are followed over six decades: the default tolerance would be seen.
_FLOW = GradientFlow(integrators.Tsit5(rtol=1e-9, atol=1e-12))


def _problem(activation: str, atoms: np.ndarray, masses: tuple[float, ...]) -> Problem:
    teacher = Particles(atoms, weights=np.array(masses))
    return taught(activation, teacher, laws.Normal(0.0, 1.0, dim=atoms.shape[1]), nodes=NODES)


def _measured(rates: Any, run: Any) -> Data:
    """What the library says of a run. Times it does not give, as a distance never falls so far, are infinite."""
    found = rates.measured(run)
    return {
        "masses": found.masses,
        "elsewhere": found.elsewhere,
        "times": found.times,
        "errors": np.nan_to_num(found.errors, nan=np.inf),
        "to tenth": np.nan_to_num(found.to_tenth, nan=np.inf),
        "to hundredth": np.nan_to_num(found.to_hundredth, nan=np.inf),
        "late": np.nan_to_num(found.late_rates, nan=-1.0),
    }


def near(
    activation: str,
    atoms: np.ndarray,
    masses: tuple[float, ...],
    off: np.ndarray,
    spread: float,
    count: int,
    end: float,
) -> Data:
    """The flow from clusters of `count` equally heavy particles around c_i + off_i, cluster i of mass alpha_i: normal
    with the standard deviation `spread`, their mean exactly there."""
    problem = _problem(activation, atoms, masses)
    rates = analysis.teacher_rates(problem)
    noise = np.random.default_rng(0).normal(size=(len(atoms), count, atoms.shape[1]))
    rows = (atoms + off)[:, None] + spread * (noise - np.mean(noise, axis=1, keepdims=True))
    start = Particles(rows.reshape(-1, atoms.shape[1]), weights=np.repeat(np.array(masses) / count, count))
    run = evolved(problem, start, _FLOW, np.linspace(0.0, end, _SAVES + 1))
    return _measured(rates, run) | {"rates": rates.rates, "decoupled": rates.decoupled, "exact": rates.ratio_exact}


def from_random(
    activation: str, atoms: np.ndarray, masses: tuple[float, ...], count: int, seeds: int, end: float
) -> Data:
    """The flow of `count` particles drawn from N(0, I), one run a seed."""
    problem, law = _problem(activation, atoms, masses), laws.Normal(0.0, 1.0, dim=atoms.shape[1])
    starts = [law.sample(count, key=jax.random.key(seed)) for seed in range(seeds)]
    times = np.linspace(0.0, end, _SAVES + 1)
    runs = evolve_many(problem, starts, GradientFlow(), t1=end, save_at=times, progress=False)
    rates = analysis.teacher_rates(problem)
    found = [_measured(rates, run) for run in runs]
    return {name: np.stack([one[name] for one in found]) for name in found[0]} | {
        "risk": np.stack([run.risk for run in runs])
    }


def two_sides(masses: tuple[float, ...], shares: tuple[float, ...], end: float) -> Data:
    """ReLU of one input, atoms +-2 of these masses, ten particles a side at +-(2.8 to 3.2) of these shares: the paths
    [T, 2] of INT |theta| d rho on either side, their limits alpha_i |c_i| and the smallest |theta| at any time."""
    problem = _problem("relu", 2.0 * np.array([[1.0], [-1.0]]), masses)
    side = np.linspace(2.8, 3.2, 10)
    start = Particles(np.concatenate([side, -side])[:, None], weights=np.repeat(np.array(shares) / 10.0, 10))
    run = evolved(problem, start, _FLOW, np.linspace(0.0, end, _SAVES + 1))
    paths = np.abs(run.positions[:, :, 0]).reshape(-1, 2, 10)
    return {
        "times": run.times,
        "sides": np.mean(paths, axis=2) * np.array(shares),
        "limits": 2.0 * np.array(masses),
        "least": np.min(paths),
    }


_SHIFT = np.array([[0.6, 1.0], [-0.6, -1.0]])
_CLUSTERS = {"off": 0.02 * _SHIFT, "spread": 0.005, "count": 20, "end": 120.0}
_POINTS = {"off": 1e-4 * np.array([[0.6, 1.0], [-1.0, 0.6]]), "spread": 0.0, "count": 1, "end": 600.0}


def decoupled(bench: Bench, masses: tuple[float, ...]) -> Data:
    return bench.piece(near, activation="relu", atoms=OPPOSITE, masses=masses, **_CLUSTERS)


def coupled(bench: Bench, masses: tuple[float, ...]) -> Data:
    return bench.piece(near, activation="tanh", atoms=ORTHOGONAL, masses=masses, **_POINTS)


def random_starts(bench: Bench, activation: str, masses: tuple[float, ...]) -> Data:
    """Of 60 particles each, 200 at paper scale."""
    atoms, end = (OPPOSITE, 100.0) if activation == "relu" else (ORTHOGONAL, 300.0)
    more = {"count": bench.pick(**COUNTS), "seeds": bench.pick(**SEEDS)} | bench.given(count="particles", seeds="seeds")
    return bench.piece(from_random, activation=activation, atoms=atoms, masses=masses, end=end, **more)


def linear(found: Data, masses: tuple[float, ...]) -> np.ndarray:
    """|e_i| [T, 2] of the coupled linear flow, on the problem's own nodes."""
    matrix = theory.tanh_matrix(ORTHOGONAL, np.array(masses), NODES)
    return theory.linear_errors(matrix, _POINTS["off"], found["times"])
