"""The ways in which papers run a dynamics."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from widelimit._evolve import evolve, evolve_many
from widelimit.dynamics import AbstractDynamics
from widelimit.measure import Particles, laws
from widelimit.problem import Problem
from widelimit.trajectory import Trajectory


def evolved(problem: Problem, start: Any, dynamics: AbstractDynamics, times: Any, **more: Any) -> Trajectory:
    """`evolve` to the last of the times, saved at each of them (and at 0), without a line of progress."""
    return evolve(problem, start, dynamics, t1=float(times[-1]), save_at=times, progress=False, **more)


def trained(
    problem: Problem, law: laws.AbstractLaw, width: int, sgd: AbstractDynamics, times: Any, observe: Any, seed: Any
) -> Trajectory:
    """A network of `width` independent neurons and its training; two keys are made from a seed, or given."""
    first, second = jax.random.split(jax.random.key(seed)) if isinstance(seed, int) else seed
    return evolved(problem, law.sample(width, key=first), sgd, times, observe=observe, key=second)


def seeds(
    problem: Problem, starts: Sequence[Particles], dynamics: AbstractDynamics, *, t1: float, saves: int, first: int
) -> tuple[np.ndarray, np.ndarray]:
    """Positions [S, T, N, D] and risks [S, T] of one run a start, at `saves` + 1 equally spaced times from 0 to t1.

    Run j has the key `first` + j. Raises `ValueError` where a run does not reach the end.
    """
    keys, times = [jax.random.key(first + j) for j in range(len(starts))], t1 * np.arange(saves + 1) / saves
    runs = evolve_many(problem, starts, dynamics, t1=t1, keys=keys, save_at=times, progress=False)
    return np.stack([run.positions for run in runs]), np.stack([run.risk for run in runs])
