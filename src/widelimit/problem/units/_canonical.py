"""The univariate ReLU neuron without the freedom to rescale its weights: a strength and an angle."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.measure import Block, Blocks
from widelimit.numerics.registry import flag

from ..activations import relu
from ._unit import AbstractUnit, Plane, Ridge, registry


class CanonicalReLU(AbstractUnit):
    r"""$\phi(\theta, x) = r\,(\cos(\vartheta)\,x + \sin(\vartheta))_+$ of one input (williams2019 (4)).

    A neuron $c\,(a x + b)_+$ has $r = c \sqrt{a^2 + b^2}$ and the angle of (a, b); what rescaling leaves free is
    $\delta = c^2 - a^2 - b^2$, which the gradient flow of (a, b, c) keeps and which sets its metric in (r, angle):
    `mobilities.Lifted`.

    Blocks, all numbers: `r`, `angle`, and `delta` if `delta` (phi does not depend on it).
    """

    delta: bool = eqx.field(static=True, default=True)
    linear = "r"
    pieces = relu.pieces

    def blocks(self, inputs: int, outputs: tuple[int, ...]) -> Blocks:
        if inputs != 1 or outputs:
            raise ValueError(
                f"CanonicalReLU takes one input and gives a number; the data has {inputs} inputs and targets of shape "
                f"{outputs}."
            )
        return (Block("r", ()), Block("angle", ()), *((Block("delta", ()),) if self.delta else ()))

    def __call__(self, theta: Any, x: Float[Array, " d"]) -> Float[Array, "..."]:
        return theta.r * jax.nn.relu(jnp.cos(theta.angle) * x[0] + jnp.sin(theta.angle))

    def ridge(self, theta: Any) -> Ridge:
        return Ridge(theta.r, jnp.cos(theta.angle), jnp.sin(theta.angle))

    def smooth_between(self, x: Float[Array, " d"]) -> tuple[Float[Array, " m"], Float[Array, ""]] | None:
        if self.delta:
            return None
        # A sine of the angle, where it is not zero.
        folds = jnp.stack([-jnp.arctan(x[0]), jnp.pi - jnp.arctan(x[0])])
        return jnp.mod(folds, 2.0 * jnp.pi), jnp.sqrt(1.0 + x[0] ** 2)

    def lipschitz(self, x: Float[Array, " d"]) -> Float[Array, ""] | None:
        return jnp.sqrt(1.0 + x[0] ** 2)

    def balance(self, theta: Any) -> tuple[Array, Array] | None:
        if not self.delta:
            return None
        charge, length = lifted(theta.r, theta.delta)
        return charge**2, length**2

    def plane(self, theta: Any, scales: Any) -> Plane | None:
        # The angle moves along the circle: to first order in a step, along its tangent.
        (charge, u, v), tangent = self.ridge(theta), jnp.stack([-jnp.sin(theta.angle), jnp.cos(theta.angle)])
        return Plane(charge, jnp.stack([u, v]), scales.r, scales.angle * jnp.outer(tangent, tangent))

    def from_plane(self, theta: Any, charge: Any, w: Any) -> Any:
        return theta._replace(r=charge, angle=turned(theta.angle, w))


def lifted(r: Float[Array, "..."], delta: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    r"""c and $|(a, b)|$ of $r = c |(a, b)|$, $\delta = c^2 - |(a, b)|^2$ (williams2019 (45)); c >= 0 where r = 0.

    Of $c^2 = (S + \delta)/2$ and $|(a, b)|^2 = (S - \delta)/2$, whose product is r^2, the larger gives the smaller.
    """
    large = jnp.sqrt(0.5 * (jnp.hypot(delta, 2.0 * r) + jnp.abs(delta)))
    small = jnp.abs(r) / jnp.where(large > 0, large, 1.0)
    sign = jnp.where(r < 0, -1.0, 1.0)
    return sign * jnp.where(delta > 0, large, small), jnp.where(delta > 0, small, large)


def turned(angle: Float[Array, ""], w: Float[Array, "2"]) -> Float[Array, ""]:
    """The angle of w, within half a turn of `angle`; `angle` itself for w = 0."""
    u, v = jnp.cos(angle), jnp.sin(angle)
    gone = jnp.all(w == 0)
    across, along = u * w[1] - v * w[0], u * w[0] + v * w[1]
    return jnp.where(gone, angle, angle + jnp.arctan2(across, jnp.where(gone, 1.0, along)))


registry.add("canonical_relu", CanonicalReLU, delta=flag)
