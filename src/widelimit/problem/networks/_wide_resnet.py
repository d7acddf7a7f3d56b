"""The wide residual network: residual blocks whose neurons are particles, level by level."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.measure import Block, Blocks
from widelimit.numerics import Module, map_rows, whole_number

from ..activations import Activation, as_activation
from ._level_mean import level_mean, products
from ._levels import Levels
from ._network import AbstractDual, AbstractNetwork


class Entrywise(Module):
    """sigma of every number of a table."""

    activation: Activation

    def __call__(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        return jax.vmap(self.activation)(z.ravel()).reshape(z.shape)


class WideResNet(AbstractNetwork):
    r"""$X^0 = x,\quad X^{l+1} = X^l + \int_{\mathrm{depth} = l} \sigma(\theta X^l)\,\rho(d\theta),\quad f = X^L$.

    A measure rho on (theta, depth) of total mass 1, with the mass 1/L on each level depth = 0, ..., L - 1: for N
    particles a level this is teacherstudent2020 (6), for a law on each level (7). With a cotangent p of the output,

    $$p^L = \nabla\ell,\quad p^l = p^{l+1} + \int_{\mathrm{depth} = l} \theta^T \big(\sigma'(\theta X^l)\,p^{l+1}\big)
    \rho(d\theta),\qquad \psi(\theta, l) = \int p^{l+1} \cdot \sigma(\theta X^l)\,d\mu,$$

    L times the derivative in rho^l. $\dot\theta = -\nabla\psi$ is (10): L times as fast as (8), and gradient descent
    with step a on E(theta) is `SGD(step=a/(L N))`.

    Blocks: `theta` (d, d) and `depth` (), which never moves. Inputs and outputs both have d numbers. The vanilla ResNet
    is the network with one particle a level. Rows are read in order of level (`Levels`); there are as many on each.
    Cost and memory of a pass are L N Q.

    - `activation`: sigma, from `widelimit.activations` or a function of one number.
    - `depth`: L >= 1.

    Raises `ValueError` for another depth, and with data whose outputs are not of the size of the inputs.
    """

    activation: Activation
    depth: int = eqx.field(static=True)

    def __init__(self, activation: Any, depth: int) -> None:
        self.activation = as_activation(activation, "WideResNet(activation=...)")
        self.depth = whole_number(depth, "WideResNet(depth=...)", least=1)

    @property
    def levels(self) -> Levels:
        return Levels(self.depth)

    @property
    def kinked(self) -> bool:
        return bool(self.activation.kinks)

    def blocks(self, inputs: int, outputs: tuple[int, ...]) -> Blocks:
        return residual_blocks("WideResNet", inputs, outputs)

    def components(self, outputs: tuple[int, ...]) -> int:
        return outputs[0]

    def __call__(self, theta: Any, w: Float[Array, " N"], x: Float[Array, "q d"]) -> Float[Array, "q d"]:
        return propagated(Entrywise(self.activation), self.depth, theta, w, x.T[:, None])[:, 0].T

    def dual(self, theta: Any, w: Float[Array, " N"], x: Any, slope: Any, piece: int) -> "OnStates":
        return on_states(Entrywise(self.activation), self.depth, theta, w, (x[:, :, None], slope[:, :, None]), piece)


def residual_blocks(who: str, inputs: int, outputs: tuple[int, ...]) -> Blocks:
    """theta (d, d) and its level. Raises `ValueError` unless outputs are of the inputs' size."""
    if outputs != (inputs,):
        raise ValueError(
            f"{who}: inputs and outputs are of one size; the inputs are in R^{inputs}, the targets of a sample have "
            f"shape {outputs}, not ({inputs},)."
        )
    return (Block("theta", (inputs, inputs)), Levels.block)


def propagated(g: Any, depth: int, theta: Any, w: Any, x: Float[Array, "d k q"]) -> Float[Array, "d k q"]:
    """X^L of X^0 = x."""
    return _scan(g, depth, theta, w, x, None)[0]


def _scan(g: Any, depth: int, theta: Any, w: Any, x: Any, pushes: Any) -> tuple[Any, Any]:
    """X^L and [L, d, k, q] of X^0, ..., X^(L-1); `pushes`, of the same shape, are added to the levels' means."""

    def level(state: Any, own: Any) -> tuple[Any, Any]:
        matrices, masses, push = own
        mean = level_mean(g, matrices, masses, state)
        return state + (mean if push is None else mean + push), state

    def by_level(leaf: Any) -> Any:
        return leaf.reshape(depth, -1, *leaf.shape[1:])

    return jax.lax.scan(level, x, (by_level(theta.theta), by_level(w), pushes))


class OnStates(AbstractDual):
    """psi(theta, l) = SUM_q p^(l+1)_q . g(theta X^l_q) with the states and the cotangents held."""

    g: Any
    states: Float[Array, "Q L d k"]
    cotangents: Float[Array, "Q L d k"]

    def __call__(self, theta: Any) -> Float[Array, ""]:
        level, last = jnp.round(theta.depth), self.states.shape[1] - 1
        # Between the levels there is no psi.
        there = (level == theta.depth) & (level >= 0) & (level <= last)
        index = jnp.clip(level, 0, last).astype(int)
        x, p = (jnp.moveaxis(table[:, index], 0, -1) for table in (self.states, self.cotangents))
        value = jnp.sum(self.g(products(theta.theta[None], x))[0] * p)
        return jnp.where(there, value, jnp.nan)

    @property
    def entries(self) -> int:
        return self.states.size // self.states.shape[1]


def on_states(g: Any, depth: int, theta: Any, w: Any, pairs: Any, piece: int) -> OnStates:
    """The dual of cotangents of X^L: pairs of X^0 [Q, d, k] and cotangent [Q, d, k]; at most `piece` at a time."""

    def one(pair: Any) -> Any:
        x, slope = (part[..., None] for part in pair)
        pushes = jnp.zeros((depth, *x.shape), x.dtype)
        _, pull, states = jax.vjp(lambda push: _scan(g, depth, theta, w, x, push), pushes, has_aux=True)
        return states[..., 0], pull(slope)[0][..., 0]

    return OnStates(g, *map_rows(one, pairs, piece))
