"""How states pass through levels of particles, and psi of any particle from the states and the cotangents of a pass.

A step of one level is a function (mean, X, push) -> (new X, inputs): X is [d, k, q], k numbers for each coordinate (1,
or Taylor coefficients). It calls mean, the integral over the level, at inputs [d, m, r, q] in all, and adds `push`, of
the inputs' shape, to its values: the cotangent of a push is that of the integral.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.measure import Block, Blocks
from widelimit.numerics import map_rows

from ._level_mean import level_mean, products
from ._levels import Levels
from ._network import AbstractDual

Step = Callable[[Any, Any, Any], Any]


def residual_blocks(who: str, inputs: int, outputs: tuple[int, ...]) -> Blocks:
    """theta (d, d) and its level. Raises `ValueError` unless outputs are of the inputs' size."""
    if outputs != (inputs,):
        raise ValueError(
            f"{who}: inputs and outputs are of one size; the inputs are in R^{inputs}, the targets of a sample have "
            f"shape {outputs}, not ({inputs},)."
        )
    return (Block("theta", (inputs, inputs)), Levels.block)


def propagated(step: Step, g: Any, depth: int, theta: Any, w: Any, x: Float[Array, "d k q"]) -> Float[Array, "d k q"]:
    """X^L of X^0 = x."""
    return _scan(step, g, depth, theta, w, x, None)[0]


def _scan(step: Step, g: Any, depth: int, theta: Any, w: Any, x: Any, pushes: Any) -> tuple[Any, Any]:
    """X^L, and the inputs of the levels' integrals [L, d, m, r, q]; `pushes` are of the same shape."""

    def level(state: Any, own: Any) -> tuple[Any, Any]:
        matrices, masses, push = own

        def mean(inputs: Any) -> Any:
            flat = inputs.reshape(*inputs.shape[:2], -1)
            return level_mean(g, matrices, masses, flat).reshape(inputs.shape)

        return step(mean, state, push)

    def by_level(leaf: Any) -> Any:
        return leaf.reshape(depth, -1, *leaf.shape[1:])

    return jax.lax.scan(level, x, (by_level(theta.theta), by_level(w), pushes))


class OnStates(AbstractDual):
    """psi(theta, l) = SUM p . g(theta X) over all inputs X of the integrals of level l and their cotangents p."""

    g: Any
    states: Float[Array, "Q L d m r"]
    cotangents: Float[Array, "Q L d m r"]

    def __call__(self, theta: Any) -> Float[Array, ""]:
        level, last = jnp.round(theta.depth), self.states.shape[1] - 1
        # Between the levels there is no psi.
        there = (level == theta.depth) & (level >= 0) & (level <= last)
        index = jnp.clip(level, 0, last).astype(int)
        x, p = (_flat(table[:, index]) for table in (self.states, self.cotangents))
        value = jnp.sum(self.g(products(theta.theta[None], x))[0] * p)
        return jnp.where(there, value, jnp.nan)

    @property
    def entries(self) -> int:
        return self.states.size // self.states.shape[1]


def _flat(table: Float[Array, "Q d m r"]) -> Float[Array, "d m n"]:
    return jnp.moveaxis(table, 0, -1).reshape(*table.shape[1:3], -1)


def on_states(step: Step, g: Any, depth: int, theta: Any, w: Any, pairs: Any, piece: int) -> OnStates:
    """The dual of cotangents of X^L: pairs of X^0 [Q, d, k] and cotangent [Q, d, k], at most `piece` at a time."""

    def one(pair: Any) -> Any:
        x, slope = (part[..., None] for part in pair)

        def outputs(pushes: Any) -> Any:
            return _scan(step, g, depth, theta, w, x, pushes)

        shape = jax.eval_shape(outputs, None)[1].shape
        _, pull, states = jax.vjp(outputs, jnp.zeros(shape, x.dtype), has_aux=True)
        return states[..., 0], pull(slope)[0][..., 0]

    return OnStates(g, *map_rows(one, pairs, piece))
