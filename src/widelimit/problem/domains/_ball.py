"""Balls, whose wall bends: what slides along it must not come off it by the error of a step."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float

from widelimit.numerics import leaf, on_host, own_array

from ._abstract import AbstractDomain
from ._box import Box


class Ball(AbstractDomain):
    """|z - center| <= radius for a block, |z| the root of the sum of squares of all its numbers.

    - `radius`: R > 0.
    - `center`: one number for every component, or an array of the block's shape; 0 by default.

    A velocity that points outwards on the wall loses its normal part, so that the particle slides along it. A ball of
    one number is the interval `Box(center - radius, center + radius)`, and counts as that in a problem. A block is a
    factor of its own: |(a, b)| <= R for two blocks is no ball here.

    Raises `ValueError` unless radius > 0, for a centre that is not finite, and in a problem for one of another shape.
    """

    radius: Float[Array, ""]
    center: Float[Array, "..."]
    compact = True
    flat = True
    connected = True

    def __init__(self, radius: Any = 1.0, center: Any = None) -> None:
        self.radius = leaf(radius, "Ball(radius=...)", above=0.0)
        center = jnp.asarray(own_array(0.0 if center is None else center, "Ball(center=...)"), float)
        if not isinstance(center, Tracer) and not np.all(np.isfinite(center)):
            raise ValueError(f"Ball(center=...): must be finite, got {center}.")
        self.center = center

    def tangent(self, z: Float[Array, "..."], v: Float[Array, "..."]) -> Float[Array, "..."]:
        off = z - self._middle(z)
        square = jnp.sum(off * off)
        outward = jnp.where(self.on_wall(z), jnp.maximum(jnp.sum(v * off), 0.0), 0.0)
        return v - (outward / jnp.where(square > 0, square, 1.0)) * off

    def retract(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        off = z - self._middle(z)
        outside = jnp.sqrt(_safe(jnp.sum(off * off))) > self.radius + self._slack(z)
        return jnp.where(outside, self._outermost(z), z)

    def contains(self, z: Float[Array, "..."]) -> Bool[Array, ""]:
        off = z - self._middle(z)
        return jnp.sqrt(jnp.sum(off * off)) <= self.radius + 2.0 * self._slack(z)

    def on_wall(self, z: Float[Array, "..."]) -> Bool[Array, ""]:
        off = z - self._middle(z)
        return jnp.sqrt(_safe(jnp.sum(off * off))) >= self.radius - self._slack(z)

    def coned(self, near: Float[Array, "..."], z: Float[Array, "..."]) -> Float[Array, "..."]:
        # A stage along the wall is off it by its own error; inside, nothing would be projected.
        return jnp.where(self.on_wall(near), self._outermost(z), z)

    def settled(self, near: Float[Array, "..."], z: Float[Array, "..."]) -> Float[Array, "..."]:
        # What moves by s along the wall ends less than s^3/R^2 inside of it, by a method of order 2 or more. What
        # leaves it at a speed v relative to that along the wall is v s away: more as soon as v > s^2/R^2.
        way, off = z - near, z - self._middle(z)
        deep = self.radius - jnp.sqrt(jnp.sum(off * off))
        slid = self.on_wall(near) & (deep <= jnp.sqrt(jnp.sum(way * way)) ** 3 / self.radius**2)
        return jnp.where(slid, self._outermost(z), z)

    def fitted(self, shape: tuple[int, ...]) -> AbstractDomain:
        if math.prod(shape) != 1:
            return self
        return Box(*self.bounds(shape))

    def bounds(self, shape: tuple[int, ...]) -> tuple[Any, Any]:
        # NumPy where there are values: inside compiled code JAX would trace them.
        middle, radius = (z if isinstance(z, Tracer) else np.asarray(z) for z in (self.center, self.radius))
        return on_host(middle.min() - radius), on_host(middle.max() + radius)

    def chart(self, u: Float[Array, "..."]) -> Float[Array, "..."]:
        size = jnp.sqrt(_safe(jnp.sum(u * u)))
        return self._middle(u) + self.radius * (jnp.sin(size) / size) * u

    def unchart(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        off = (z - self._middle(z)) / self.radius
        size = jnp.sqrt(_safe(jnp.sum(off * off)))
        return (jnp.arcsin(jnp.minimum(size, 1.0)) / size) * off

    def check(self, name: str, shape: tuple[int, ...]) -> None:
        if self.center.size > 1 and self.center.shape != shape:
            raise ValueError(
                f"domain of {name!r}: Ball(center=...) has shape {self.center.shape}, the block has shape {shape}."
            )

    def _middle(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        return self.center.astype(z.dtype)

    def _outermost(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """The point of the wall in the direction of z."""
        off = z - self._middle(z)
        return self._middle(z) + (self.radius / jnp.sqrt(_safe(jnp.sum(off * off)))) * off

    def _slack(self, z: Float[Array, "..."]) -> Float[Array, ""]:
        """By how much rounding may move a point that was put on the wall."""
        return 8.0 * jnp.finfo(z.dtype).eps * (self.radius + jnp.max(jnp.abs(self.center)))


def _safe(square: Float[Array, ""]) -> Float[Array, ""]:
    # The root of zero has no derivative, and nothing can be divided by it.
    return jnp.where(square > 0, square, jnp.finfo(square.dtype).tiny)
