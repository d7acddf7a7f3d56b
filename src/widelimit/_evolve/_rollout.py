"""A fixed number of steps as a pure function: under jit, vmap and grad."""

import math
from typing import Any

import equinox as eqx
import jax
from jaxtyping import PRNGKeyArray

from widelimit.dynamics import AbstractDynamics, Start, array_numbers
from widelimit.measure import Measure
from widelimit.numerics import require_x64, whole_number
from widelimit.problem import Problem

from ._checks import arranged


def rollout(
    problem: Problem, measure: Start, dynamics: AbstractDynamics, *, steps: int, key: PRNGKeyArray | None = None
) -> Measure:
    """The measure after `steps` steps of a dynamics.

    A pure function of arrays: it may be compiled, mapped and differentiated, in the start and in the numbers of problem
    and dynamics. An adaptive integrator takes as many attempts, rejected ones among them, to wherever they lead, and
    its step lengths count as given in a derivative.

    - `measure`: as in `evolve`. `key`: needed by dynamics that draw random numbers.

    Raises `ValueError` for input that does not fit, for a dynamics that needs more and more room, and for traced
    numbers where a dynamics makes its first state on the host (those on grids, JKO, TangentFlow).
    """
    require_x64("rollout")
    whole_number(steps, "rollout(steps=...)", least=0)
    if dynamics.growth is not None:
        raise ValueError(f"rollout(dynamics=...): {type(dynamics).__name__} needs more and more room; use evolve.")
    dynamics = array_numbers(dynamics)
    own = dynamics.prepare(problem)
    try:
        state = dynamics.init(own, arranged(problem, measure), t1=math.inf, key=key)
    except jax.errors.JAXTypeError as error:
        raise ValueError(
            f"rollout: {type(dynamics).__name__} makes its first state outside of compiled code, where numbers of the "
            "problem or the start that are traced (by jit, vmap or grad) have no value yet; trace its own numbers "
            "alone, or take GradientFlow or SGD."
        ) from error
    return _rolled(dynamics, own, state, steps)


@eqx.filter_jit
def _rolled(dynamics: AbstractDynamics, problem: Problem, state: Any, steps: int) -> Measure:
    arrays, static = eqx.partition(state, eqx.is_array)

    def step(arrays: Any, _: None) -> tuple[Any, None]:
        state = eqx.combine(arrays, static)
        new = dynamics.step(problem, state, dynamics.noise(problem, state, state.k))
        return eqx.filter(new, eqx.is_array), None

    last = eqx.combine(jax.lax.scan(step, arrays, length=steps)[0], static)
    return dynamics.measure(problem, last, dynamics.clock.of(last))
