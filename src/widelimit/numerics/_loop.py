"""The compiled time loop: steps until a stop, in chunks that count steps and never times.

A chunk's length changes nothing in the numbers: noise depends on the key and the step's index alone, it is drawn in
blocks that start at multiples of the block length, and the stop is one predicate of the state that the host and
the device share. So a run that is cut into other chunks (another `save_at`, a resumed checkpoint) ends bit for bit
at the same state.
"""

from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp


@runtime_checkable
class Stepper(Protocol):
    """What the loop needs: a pure step, and the noise of step k as a pure function of the state's key and k."""

    def before(self, state: Any, stop: Any) -> Any:
        """Whether the state has not reached `stop` yet (on the stepper's own clock)."""
        ...

    def index(self, state: Any) -> Any:
        """k, the number of steps done."""
        ...

    def noise(self, state: Any, k: Any) -> Any:
        """All that is random in step k; None where nothing is."""
        ...

    def step(self, state: Any, noise: Any) -> Any: ...


# Numbers of noise drawn at once: a block stays in the cache, and drawing it is one vectorised pass.
_BLOCK_NUMBERS = 2**15
_LONGEST_BLOCK = 256


def _block_length(stepper: Stepper, state: Any) -> int:
    shapes = eqx.filter_eval_shape(stepper.noise, state, jnp.zeros((), jnp.int64))
    size = sum(leaf.size for leaf in jax.tree.leaves(shapes))
    return 0 if size == 0 else max(1, min(_LONGEST_BLOCK, _BLOCK_NUMBERS // size))


@eqx.filter_jit
def advance(stepper: Stepper, state: Any, stop: Any, most: Any) -> tuple[Any, Any, Any]:
    """Step while `stepper.before(state, stop)`, at most `most` steps.

    Returns the state, the number of steps done, and whether all of `state.y` is finite.
    """
    length = _block_length(stepper, state)

    def running(carry: Any) -> Any:
        state, done = carry
        return stepper.before(state, stop) & (done < most)

    if length == 0:

        def body(carry: Any) -> Any:
            state, done = carry
            return stepper.step(state, None), done + 1
    else:

        def body(carry: Any) -> Any:
            first = (stepper.index(carry[0]) // length) * length
            noise = jax.vmap(lambda k: stepper.noise(carry[0], k))(first + jnp.arange(length))

            def inside(carry: Any) -> Any:
                return running(carry) & (stepper.index(carry[0]) < first + length)

            def one(carry: Any) -> Any:
                state, done = carry
                place = stepper.index(state) - first
                return stepper.step(state, jax.tree.map(lambda leaf: leaf[place], noise)), done + 1

            return jax.lax.while_loop(inside, one, carry)

    state, done = jax.lax.while_loop(running, body, (state, jnp.zeros((), jnp.int64)))
    floats = [leaf for leaf in jax.tree.leaves(state.y) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in floats]))
    return state, done, finite
