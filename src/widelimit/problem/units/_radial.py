"""A radial basis function with a charge."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.measure import Block, Blocks
from widelimit.numerics import Number, leaf
from widelimit.numerics.registry import positive

from ._unit import AbstractUnit, Exponent, registry


class RadialBasis(AbstractUnit):
    r"""$\phi(\theta, x) = c\, e^{-|x - z|^2 / (2 s^2)}$ with s = `width`; rotskoff2018 (4.2), $s^2 = 1/\alpha$.

    Blocks: `charge` (c: () or (C,)), `center` (z: (d,)). Raises `ValueError` for a width that is not positive.
    """

    width: Number = eqx.field(converter=lambda width: leaf(width, "RadialBasis(width=...)", above=0.0))
    kinked = False
    linear = "charge"
    bound = 1.0

    def blocks(self, inputs: int, outputs: tuple[int, ...]) -> Blocks:
        return (Block("charge", outputs), Block("center", (inputs,)))

    def __call__(self, theta: Any, x: Float[Array, " d"]) -> Float[Array, "..."]:
        # |x|^2 - 2 x.z + |z|^2 becomes a matrix product under vmap; x - z would be an N x Q x d array.
        square = jnp.dot(x, x) - 2.0 * jnp.dot(theta.center, x) + jnp.dot(theta.center, theta.center)
        # Rounding may leave it below zero, and phi~ above its bound of one.
        return theta.charge * jnp.exp(-jnp.maximum(square, 0.0) / (2.0 * self.width**2))

    @property
    def exponent(self) -> Exponent:
        rate = 1.0 / self.width**2
        return Exponent(rate, rate)

    def lipschitz(self, x: Float[Array, " d"]) -> Float[Array, ""] | None:
        # max_u u exp(-u^2/2) = exp(-1/2), u = |x - z| / s.
        return jnp.asarray(0.6065306597126335 / self.width, x.dtype)

    def curvature(self, x: Float[Array, " d"]) -> Float[Array, ""] | None:
        # With u = |x - z| / s the Hessian's eigenvalues are (u^2 - 1) exp(-u^2/2) / s^2 and -exp(-u^2/2) / s^2.
        return jnp.asarray(1.0 / self.width**2, x.dtype)


registry.add("radial_basis", RadialBasis, width=positive)
