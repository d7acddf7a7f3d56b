"""What the measured studies share: one run from many seeds at once."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.dynamics import AbstractDynamics
from widelimit.measure import Particles
from widelimit.problem import Problem


def seeds(
    problem: Problem, starts: Sequence[Particles], dynamics: AbstractDynamics, *, t1: float, saves: int, first: int
) -> Float[np.ndarray, "S T N D"]:
    """Positions of one run a start, at `saves` + 1 equally spaced times from 0 to t1; run j has the key `first` + j.

    **Raises** `ValueError` unless the steps to t1 are a multiple of `saves`.
    """
    steps = int(dynamics.clock.reading(t1))
    if steps % saves:
        raise ValueError(f"seeds(saves=...): {steps} steps are no multiple of {saves}.")
    own = dynamics.prepare(problem)
    keys = [jax.random.key(first + j) for j in range(len(starts))]
    states = [dynamics.init(own, start, t1=t1, key=key) for start, key in zip(starts, keys, strict=True)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
    return np.asarray(_run(dynamics, own, stacked, jnp.asarray(steps // saves), saves), float)


@eqx.filter_jit
def _run(dynamics: AbstractDynamics, problem: Problem, states: Any, stride: Any, saves: int) -> Float[Array, "S T N D"]:
    def one(state: Any) -> Float[Array, "T N D"]:
        def step(_: Any, state: Any) -> Any:
            return dynamics.step(problem, state, dynamics.noise(problem, state, state.k))

        def block(state: Any, _: None) -> tuple[Any, Any]:
            state = jax.lax.fori_loop(0, stride, step, state)
            return state, dynamics.measure(problem, state, state.k).positions

        rows = jax.lax.scan(block, state, length=saves)[1]
        return jnp.concatenate([dynamics.measure(problem, state, state.k).positions[None], rows])

    return jax.vmap(one)(states)


def risks(problem: Problem, positions: Float[np.ndarray, "*B N D"]) -> Float[np.ndarray, "*B"]:
    """The risk of the network at each place of an array of networks."""
    flat = jnp.asarray(positions.reshape(-1, *positions.shape[-2:]))
    return np.asarray(_risks(problem, flat)).reshape(positions.shape[:-2])


@eqx.filter_jit
def _risks(problem: Problem, positions: Float[Array, "B N D"]) -> Float[Array, " B"]:
    return jax.lax.map(lambda rows: problem.risk(Particles(rows)), positions)
