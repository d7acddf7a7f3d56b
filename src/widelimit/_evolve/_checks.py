"""What can be checked before a run, its save times and its observables."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from widelimit.dynamics import AbstractDynamics, Start
from widelimit.dynamics.clocks import AbstractClock
from widelimit.measure import GridDensity, Particles, laws
from widelimit.numerics import compiled_quickly, random_key, real_number, require_x64, whole_number
from widelimit.problem import Problem
from widelimit.trajectory import observables

# Bytes the saved positions may take when the save times are left to the library.
_SAVE_BYTES = 2**28


def check_run(problem: Any, measure: Any, dynamics: Any, t1: Any, max_steps: Any, key: Any) -> None:
    """Everything that can be checked before the dynamics looks at its start."""
    require_x64("evolve")
    if not isinstance(problem, Problem):
        raise ValueError(f"evolve(problem=...): expected a Problem, got {type(problem).__name__}.")
    if not isinstance(measure, Particles | GridDensity | laws.AbstractLaw):
        raise ValueError(
            f"evolve(measure=...): expected Particles, a GridDensity or a law, got {type(measure).__name__}."
        )
    if not isinstance(dynamics, AbstractDynamics):
        raise ValueError(f"evolve(dynamics=...): expected one of widelimit's dynamics, got {dynamics!r}.")
    # Below the least normal number compiled code takes it for 0.
    real_number(t1, "evolve(t1=...)", least=float(np.finfo(float).tiny))
    if dynamics.clock.counts:
        _check_steps(dynamics, float(t1))
    if max_steps is not None:
        whole_number(max_steps, "evolve(max_steps=...)", least=1)
    if key is not None:
        random_key(key, "evolve(key=...)")
    if isinstance(measure, laws.AbstractLaw):
        if problem.levels is not None:
            raise ValueError(
                "evolve(measure=...): a law has no levels; problem.start(law, width=..., key=...) puts `width` "
                "particles on each."
            )
        return
    measure = problem.arranged(measure)
    # NumPy: each JAX operation outside a compiled function would compile for itself.
    weights = np.asarray(measure.weights)
    if not np.all(np.isfinite(np.asarray(measure.positions))) or not np.all(np.isfinite(weights)):
        raise ValueError("evolve(measure=...): positions and weights must be finite.")
    if abs(weights.sum() - 1.0) > 1e-6 or weights.min() < 0:
        raise ValueError(
            f"evolve(measure=...): the weights must not be negative and sum to 1; they sum to {weights.sum():.6g}, "
            f"the least is {weights.min():.6g}."
        )
    if problem.levels is not None:
        problem.levels.check_masses(measure)
    if not problem.domain.unconstrained and not bool(_inside(problem, measure)):
        raise ValueError("evolve(measure=...): some particles lie outside the problem's domain.")


@compiled_quickly
def _inside(problem: Problem, measure: Particles | GridDensity) -> Bool[Array, ""]:
    """Whether all particles lie in the problem's domain."""
    return jnp.all(jax.vmap(problem.domain.contains)(problem.unpack(measure)[0]))


def _check_steps(dynamics: AbstractDynamics, t1: float) -> None:
    """Raise `ValueError` where a run has no step, or more than can be counted."""
    try:
        steps = dynamics.clock.reading(t1)
    except OverflowError:
        steps = math.inf
    name = type(dynamics).__name__
    if steps < 1:
        raise ValueError(f"evolve(t1=...): {t1:g} is less than half a step of {name}.")
    if steps > 2**53:
        raise ValueError(
            f"evolve(t1=...): to {t1:g} {name} takes {steps:.2g} steps, which no run can; take longer ones."
        )


def arranged(problem: Problem, measure: Start) -> Start:
    """The start with its columns in the problem's order; a law is arranged by the dynamics that takes it."""
    return measure if isinstance(measure, laws.AbstractLaw) else problem.arranged(measure)


def default_times(t1: float, size: int) -> np.ndarray:
    """65 times, quadratically denser at the start; fewer when `size` numbers a save would take too much memory."""
    count = int(np.clip(_SAVE_BYTES // (8 * size), 3, 65))
    return t1 * np.linspace(0.0, 1.0, count) ** 2


def save_times(t1: float, save_at: Any, size: int, clock: AbstractClock) -> np.ndarray:
    """The times of what is saved, by the clock; `size` numbers are saved at each."""
    asked = default_times(t1, size) if save_at is None else _asked_times(t1, save_at)
    # Compiled code takes a number below the least normal one for 0.
    asked = np.where(asked < np.finfo(float).tiny, 0.0, asked)
    return np.unique([0.0, *(clock.nearest(float(t)) for t in asked if t < t1), clock.end(float(t1))])


def _asked_times(t1: float, save_at: Any) -> np.ndarray:
    try:
        times = np.asarray(save_at, float)
    except (TypeError, ValueError):
        raise ValueError(f"evolve(save_at=...): expected a list of times, got {save_at!r}.") from None
    # 0.1 + 0.2 is more than 0.3.
    if times.size == 0 or times.ndim != 1 or not np.all((times >= 0) & (times <= t1 * (1 + 1e-12))):
        raise ValueError(f"evolve(save_at=...): expected a list of times in [0, {t1:g}], got {save_at}.")
    if np.any(np.diff(times) < 0):
        raise ValueError(f"evolve(save_at=...): expected increasing times, got {save_at}.")
    return times


def watched_of(
    problem: Problem, observe: Any, dynamics: AbstractDynamics
) -> tuple[observables.AbstractObservable, ...]:
    own = dynamics.reports(problem)
    if observe is None:
        return tuple(o for o in observables.default(problem) if not set(o.names(problem)) & set(own))
    known = observables.AbstractObservable
    if not isinstance(observe, list | tuple) or not all(isinstance(observable, known) for observable in observe):
        raise ValueError(f"evolve(observe=...): expected a list of widelimit.observables, got {observe!r}.")
    for observable in observe:
        observable.check(problem)
        twice = [name for name in observable.names(problem) if name in own]
        if twice:
            raise ValueError(
                f"evolve(observe=...): {type(dynamics).__name__} reports {twice[0]!r} itself; leave "
                f"{type(observable).__name__} out."
            )
    return tuple(observe)
