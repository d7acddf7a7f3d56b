"""The compiled time loop: steps until a stop, in chunks that count steps and never times.

A chunk's length changes nothing in the numbers: noise depends on the key and the step's index alone, it is drawn in
blocks that start at multiples of the block length, and the stop is one predicate of the state that the host and
the device share. So a run that is cut into other chunks (another `save_at`, a resumed checkpoint) ends bit for bit
at the same state.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from widelimit.problem import Problem

from ._dynamics import AbstractDynamics, State
from .clocks import Reading

# Numbers of noise drawn at once: a block stays in the cache, and drawing it is one vectorised pass.
_BLOCK_NUMBERS = 2**15
_LONGEST_BLOCK = 256


@eqx.filter_jit
def advance(
    dynamics: AbstractDynamics[State], problem: Problem, state: State, stop: Reading, most: int | Int[Array, ""]
) -> tuple[State, Int[Array, ""], Bool[Array, ""]]:
    """Step while the clock is before `stop` and no room is needed, at most `most` steps.

    `problem`: as the dynamics prepared it. Returns the state, the number of steps done, and whether all of `state.y` is
    finite.
    """
    length, growth = _block_length(dynamics, problem, state), dynamics.growth

    def running(carry: Any) -> Any:
        state, done = carry
        more = dynamics.clock.before(state, stop) & (done < most)
        return more if growth is None else more & ~growth.needed(state)

    if length == 0:

        def body(carry: Any) -> Any:
            state, done = carry
            return dynamics.step(problem, state, None), done + 1
    else:

        def body(carry: Any) -> Any:
            first = (carry[0].k // length) * length
            noise = jax.vmap(lambda k: dynamics.noise(problem, carry[0], k))(first + jnp.arange(length))

            def inside(carry: Any) -> Any:
                return running(carry) & (carry[0].k < first + length)

            def one(carry: Any) -> Any:
                state, done = carry
                place = state.k - first
                return dynamics.step(problem, state, jax.tree.map(lambda leaf: leaf[place], noise)), done + 1

            return jax.lax.while_loop(inside, one, carry)

    state, done = jax.lax.while_loop(running, body, (state, jnp.zeros((), jnp.int64)))
    return state, done, finite(state)


def finite(state: Any) -> Bool[Array, ""]:
    """Whether all that moves is finite."""
    floats = [leaf for leaf in jax.tree.leaves(state.y) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in floats]))


def _block_length(dynamics: AbstractDynamics[State], problem: Problem, state: State) -> int:
    shapes = eqx.filter_eval_shape(dynamics.noise, problem, state, jnp.zeros((), jnp.int64))
    size = sum(leaf.size for leaf in jax.tree.leaves(shapes))
    return 0 if size == 0 else max(1, min(_LONGEST_BLOCK, _BLOCK_NUMBERS // size))
