"""The ways in which papers run a dynamics."""

from typing import Any

import jax

from widelimit._evolve import evolve
from widelimit.dynamics import AbstractDynamics
from widelimit.measure import laws
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
