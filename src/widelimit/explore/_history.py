"""Runs as a page needs them: a few moments of a run in one compiled program, whose numbers may all be traced."""

import functools
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from widelimit.dynamics import SGD, AbstractDynamics, advance, schedules
from widelimit.measure import Particles
from widelimit.problem import Problem


class History(NamedTuple):
    """The measure at T moments.

    - `positions` [T, N, D], `weights` [N]; `reached` [T]: whether the run came there within its steps, all finite.
    """

    positions: Float[Array, "T N D"]
    weights: Float[Array, " N"]
    reached: Bool[Array, " T"]


def history(
    dynamics: AbstractDynamics,
    problem: Problem,
    start: Particles,
    stops: Any,
    *,
    key: PRNGKeyArray | None = None,
    most: Any,
) -> History:
    """Run from `start` and keep the measure where the dynamics' clock shows `stops` [T]: tau, or a number of steps.

    In at most `most` steps. A pure function of arrays, as `rollout` is, for dynamics whose first state may be traced.
    """
    own = dynamics.prepare(problem)
    state = dynamics.init(own, start, t1=jnp.inf, key=key)
    arrays, static = eqx.partition(state, eqx.is_array)

    def to(carry: Any, stop: Any) -> Any:
        arrays, left, whole = carry
        state, done, fine = advance(dynamics, own, eqx.combine(arrays, static), stop, left)
        whole = whole & fine & ~dynamics.clock.before(state, stop)
        shown = dynamics.measure(own, state, stop).positions.astype(float)
        return (eqx.filter(state, eqx.is_array), left - done, whole), (shown, whole)

    budget = jnp.asarray(most, jnp.int64)
    _, (positions, reached) = jax.lax.scan(to, (arrays, budget, jnp.asarray(True)), stops)
    # What did not come about is shown as it was last.
    last = jnp.maximum(jnp.sum(reached) - 1, 0)
    kept = jnp.where(reached, jnp.arange(len(reached)), last)
    return History(jnp.nan_to_num(positions[kept]), start.weights, reached)


@functools.cache
def _sgd(batch: int, dtype: str) -> SGD:
    # Once for all calls, the first of which may be traced.
    with jax.ensure_compile_time_eval():
        return SGD(1.0, batch=schedules.piecewise([1.0], [batch, batch]), dtype=dtype)


def sgd(step: Any, batch: Any, *, largest: int, temperature: Any = None, dtype: str = "float32") -> SGD:
    """One-pass SGD whose numbers may be traced; the batch is `largest` at most, and as slow as that."""
    levels = jnp.broadcast_to(jnp.asarray(batch, float), (2,))
    new = (jnp.asarray(step, float), levels)
    moves = eqx.tree_at(lambda s: (s.step_size, s.batch.levels), _sgd(largest, dtype), new)
    if temperature is None:
        return moves
    heat = schedules.Constant(temperature)
    return eqx.tree_at(lambda s: s.temperature, moves, heat, is_leaf=lambda leaf: leaf is None)


def equal_weights(count: Any, most: int) -> Float[Array, " most"]:
    """1/`count` for the first `count` of `most` particles, 0 for the others, which then move none of the first."""
    return jnp.where(jnp.arange(most) < count, 1.0 / count, 0.0)


def steps_to(times: Any, step: Any) -> Int[Array, " T"]:
    """The steps after which these times are nearest."""
    return jnp.round(jnp.asarray(times) / step).astype(jnp.int64)


def count_of(history: History) -> int:
    """How many moments the run came to."""
    return int(np.sum(np.asarray(history.reached)))
