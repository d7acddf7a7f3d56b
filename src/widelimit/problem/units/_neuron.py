"""The neuron: sigma(w . x + b), with or without bias and output weight."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.measure import Block, Blocks
from widelimit.numerics import Number
from widelimit.numerics.registry import flag, named

from ..activations import Activation, Pieces, as_activation, registry as activations
from ._unit import AbstractUnit, Plane, Profile, Ramp, Ridge, registry
from .spherical._neuron import SphericalNeuron


class Neuron(AbstractUnit):
    r"""$\phi(\theta, x) = c\,\sigma(w \cdot x + b)$.

    Blocks, in this order: `output` (c: () or (C,), if `output_weight`), `weight` (w: (d,)), `bias` (b: (), if
    `bias`). Without an output weight the output is a number; with one it may be a vector.

    - `activation`: a `widelimit.activations.Activation`, or any function of one number (then no facts are
      known: give an `Activation` to declare them).
    - `bias`, `output_weight`: which blocks there are.
    """

    activation: Activation
    bias: bool = eqx.field(static=True)
    output_weight: bool = eqx.field(static=True)

    def __init__(self, activation: Any, *, bias: bool = True, output_weight: bool = True) -> None:
        self.activation = as_activation(activation, "Neuron(activation=...)")
        self.bias, self.output_weight = bias, output_weight

    def blocks(self, inputs: int, outputs: tuple[int, ...]) -> Blocks:
        if outputs and not self.output_weight:
            raise ValueError(
                f"Neuron(output_weight=False) gives a number, the data's targets have shape {outputs}: "
                "set output_weight=True."
            )
        head = (Block("output", outputs),) if self.output_weight else ()
        tail = (Block("bias", ()),) if self.bias else ()
        return (*head, Block("weight", (inputs,)), *tail)

    def __call__(self, theta: Any, x: Float[Array, " d"]) -> Float[Array, "..."]:
        z = jnp.dot(theta.weight, x)
        if self.bias:
            z = z + theta.bias
        value = self.activation(z)
        return theta.output * value if self.output_weight else value

    @property
    def kinked(self) -> bool:
        return bool(self.activation.kinks)

    @property
    def linear(self) -> str | None:
        return "output" if self.output_weight else None

    @property
    def homogeneity(self) -> float | None:
        return self.activation.homogeneity

    @property
    def ramp(self) -> Ramp | None:
        pieces = self.activation.pieces
        # One kink and degree 1: the kink is at 0, and so is the value.
        if pieces is None or len(pieces.knots) != 1 or self.homogeneity != 1.0:
            return None
        return Ramp("weight", "bias" if self.bias else None, 1.0, (pieces.slopes[0], pieces.slopes[1]))

    @property
    def profile(self) -> Profile:
        return Profile(self.activation, "weight", "bias" if self.bias else None)

    @property
    def bound(self) -> Number | None:
        return self.activation.bound

    @property
    def pieces(self) -> Pieces | None:
        return self.activation.pieces

    def ridge(self, theta: Any) -> Ridge:
        (a,) = theta.weight
        charge = theta.output if self.output_weight else jnp.ones_like(a)
        return Ridge(charge, a, theta.bias if self.bias else jnp.zeros_like(a))

    def plane(self, theta: Any, scales: Any) -> Plane | None:
        if not self.bias or jnp.ndim(self.ridge(theta).charge):
            return None
        charge, a, b = self.ridge(theta)
        metric = jnp.diag(jnp.stack([jnp.asarray(scale, a.dtype) for scale in (scales.weight, scales.bias)]))
        return Plane(charge, jnp.stack([a, b]), scales.output if self.output_weight else 0.0, metric)

    def from_plane(self, theta: Any, charge: Float[Array, ""], w: Float[Array, "2"]) -> Any:
        moved = theta._replace(weight=w[:1], bias=w[1])
        return moved._replace(output=charge) if self.output_weight else moved

    def rounding(self, theta: Any, x: Float[Array, " d"]) -> Float[Array, "..."]:
        if not self.kinked or self.activation.slope is None:
            return AbstractUnit.rounding(self, theta, x)
        # A sum that rounding moves across a kink meets the slope beyond it.
        size = jnp.sum(jnp.abs(theta.weight * x)) + (jnp.abs(theta.bias) if self.bias else 0.0)
        error = float(jnp.finfo(x.dtype).eps) * (4.0 + x.size) * self.activation.slope * size
        return jnp.abs(theta.output) * error if self.output_weight else error

    def averaged(self, dims: tuple[float, ...]) -> SphericalNeuron:
        return SphericalNeuron(self.activation, dims, bias=self.bias, output_weight=self.output_weight)

    def fold(self, x: Float[Array, " d"]) -> Float[Array, " m"] | None:
        if not self.kinked or self.homogeneity != 1.0:
            return None
        return jnp.append(x, 1.0) if self.bias else x

    def lipschitz(self, x: Float[Array, " d"]) -> Float[Array, ""] | None:
        if self.activation.slope is None:
            return None
        return self.activation.slope * jnp.sqrt(jnp.dot(x, x) + (1.0 if self.bias else 0.0))

    def curvature(self, x: Float[Array, " d"]) -> Float[Array, ""] | None:
        # The Hessian is sigma'' times the square of (x, 1).
        if self.activation.curvature is None:
            return None
        return self.activation.curvature * (jnp.dot(x, x) + (1.0 if self.bias else 0.0))


registry.add("neuron", Neuron, activation=named(activations), bias=flag, output_weight=flag)
