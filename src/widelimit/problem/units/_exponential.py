"""The exponential of an inner product, with a charge."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.measure import Block, Blocks
from widelimit.numerics import Number, leaf
from widelimit.numerics.registry import positive

from ._unit import AbstractUnit, Exponent, registry


class Exponential(AbstractUnit):
    r"""$\phi(\theta, x) = c\, e^{\alpha\,x \cdot z}$ with alpha = `rate`; rotskoff2018 (4.3), with the sign corrected.

    On a sphere |x| = |z| = r it is `RadialBasis` of width $\alpha^{-1/2}$ times $e^{\alpha r^2}$: the same networks,
    with other charges and another training.

    Blocks: `charge` (c: () or (C,)), `center` (z: (d,)). Raises `ValueError` for a rate that is not positive.
    """

    rate: Number = eqx.field(converter=lambda rate: leaf(rate, "Exponential(rate=...)", above=0.0))
    kinked = False
    linear = "charge"

    def blocks(self, inputs: int, outputs: tuple[int, ...]) -> Blocks:
        return (Block("charge", outputs), Block("center", (inputs,)))

    def __call__(self, theta: Any, x: Float[Array, " d"]) -> Float[Array, "..."]:
        return theta.charge * jnp.exp(self.rate * jnp.dot(theta.center, x))

    @property
    def exponent(self) -> Exponent:
        return Exponent(self.rate, 0.0)


registry.add("exponential", Exponential, rate=positive)
