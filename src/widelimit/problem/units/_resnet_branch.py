"""A residual network as a unit: the mean over many is the ensemble ResNet."""

from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array, Float

from widelimit.measure import Block, Blocks
from widelimit.numerics import whole_number
from widelimit.numerics.registry import named, whole

from ..activations import Activation, as_activation, registry as activations
from ._unit import AbstractUnit, registry


class ResNetBranch(AbstractUnit):
    r"""$\phi(\theta, x) = X^L$ with $X^0 = x$, $X^{l+1} = X^l + \frac1L \sigma(\theta^l X^l)$
    (teacherstudent2020, section 3.1: the ensemble ResNet is its mean).

    One block, `theta` (L, d, d): all the matrices of a branch. Inputs and outputs both have d numbers.

    - `depth`: L >= 1; `activation`: sigma, from `widelimit.activations` or a function of one number.

    Raises `ValueError` for another depth, and with data whose outputs are not of the size of the inputs.
    """

    depth: int = eqx.field(static=True)
    activation: Activation

    def __init__(self, depth: int, activation: Any) -> None:
        self.depth = whole_number(depth, "ResNetBranch(depth=...)", least=1)
        self.activation = as_activation(activation, "ResNetBranch(activation=...)")

    @property
    def kinked(self) -> bool:
        return bool(self.activation.kinks)

    def blocks(self, inputs: int, outputs: tuple[int, ...]) -> Blocks:
        if outputs != (inputs,):
            raise ValueError(
                f"ResNetBranch: inputs and outputs are of one size; the inputs are in R^{inputs}, the targets of a "
                f"sample have shape {outputs}, not ({inputs},)."
            )
        return (Block("theta", (self.depth, inputs, inputs)),)

    def __call__(self, theta: Any, x: Float[Array, " d"]) -> Float[Array, " d"]:
        def level(state: Any, matrix: Any) -> tuple[Any, None]:
            return state + jax.vmap(self.activation)(matrix @ state) / self.depth, None

        return jax.lax.scan(level, x, theta.theta)[0]


registry.add("resnet_branch", ResNetBranch, depth=whole(), activation=named(activations))
