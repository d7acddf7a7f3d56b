"""The wide residual network: residual blocks whose neurons are particles, level by level."""

from typing import Any, ClassVar

import equinox as eqx
import jax
from jaxtyping import Array, Float

from widelimit.measure import Blocks
from widelimit.numerics import Count, Module, whole_number
from widelimit.numerics.registry import named, whole

from ..activations import Activation, as_activation, registry as activations
from ._expansion import Expansion
from ._levels import Levels
from ._network import AbstractNetwork, registry
from ._states import OnStates, on_states, propagated, residual_blocks


def residual(mean: Any, state: Any, push: Any) -> Any:
    """X + F(X), and X."""
    inputs = state[:, :, None]
    moved = mean(inputs) if push is None else mean(inputs) + push
    return state + moved[:, :, 0], inputs


class Entrywise(Module):
    """sigma of every number of a table."""

    activation: Activation
    entrywise: ClassVar[bool] = True

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

    def components(self, outputs: tuple[int, ...]) -> float:
        # The table of one level is what has to stay in the cache; those of all are kept, up to eight times as much.
        return outputs[0] * max(1.0 / self.depth, 0.125)

    def __call__(self, theta: Any, w: Float[Array, " N"], x: Float[Array, "q d"]) -> Float[Array, "q d"]:
        return propagated(residual, Entrywise(self.activation), self.depth, theta, w, x.T[:, None])[:, 0].T

    def dual(self, theta: Any, w: Float[Array, " N"], x: Any, slope: Any, piece: int) -> "OnStates":
        pairs = x[:, :, None], slope[:, :, None]
        return on_states(residual, Entrywise(self.activation), self.depth, theta, w, pairs, piece)

    def expansion(self, order: Count, *, continuous: bool | None) -> Expansion:
        return Expansion(self.activation, self.depth, order, continuous=bool(continuous))


registry.add("wide_resnet", WideResNet, depth=whole(), activation=named(activations))
