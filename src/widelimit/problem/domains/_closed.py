"""Domains without an end: spheres and circles."""

import math
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from widelimit.numerics import Number, leaf, on_host

from ._abstract import AbstractDomain


class Sphere(AbstractDomain):
    """|z| = radius, for a vector block. Raises `ValueError` unless radius > 0."""

    radius: Number = eqx.field(converter=lambda r: leaf(r, "Sphere(radius=...)", above=0.0), default=1.0)
    walls: ClassVar[bool] = False
    compact = True
    connected = True

    @property
    def sphere(self) -> Any:
        return self.radius

    def tangent(self, z: Float[Array, "..."], v: Float[Array, "..."]) -> Float[Array, "..."]:
        return v - (jnp.sum(v * z) / jnp.sum(z * z)) * z

    def retract(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        size = jnp.sqrt(jnp.sum(z * z))
        # The centre has no nearest point; one is chosen, since a NaN would spread to every particle.
        pole = jnp.zeros_like(z).at[0].set(self.radius)
        return jnp.where(size > 0, z * (self.radius / jnp.where(size > 0, size, 1.0)), pole)

    def contains(self, z: Float[Array, "..."]) -> Bool[Array, ""]:
        return jnp.abs(jnp.sqrt(jnp.sum(z * z)) / self.radius - 1.0) < 1e-6

    def bounds(self, shape: tuple[int, ...]) -> tuple[Any, Any]:
        return -on_host(self.radius), on_host(self.radius)

    def check(self, name: str, shape: tuple[int, ...]) -> None:
        if len(shape) != 1 or shape[0] < 2:
            raise ValueError(f"domain of {name!r}: a sphere needs a vector block, this one has shape {shape}.")


class Circle(AbstractDomain):
    """Numbers modulo `period`, written in [0, period). Raises `ValueError` unless period > 0."""

    period: Number = eqx.field(
        converter=lambda period: leaf(period, "Circle(period=...)", above=0.0), default=2.0 * math.pi
    )
    walls: ClassVar[bool] = False
    compact = True
    flat = True
    connected = True

    def tangent(self, z: Float[Array, "..."], v: Float[Array, "..."]) -> Float[Array, "..."]:
        return v

    def retract(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        wrapped = jnp.mod(z, self.period)
        # mod of a tiny negative number rounds to the period itself.
        return jnp.where(wrapped >= self.period, jnp.zeros_like(z), wrapped)

    def contains(self, z: Float[Array, "..."]) -> Bool[Array, ""]:
        return jnp.all((z >= 0) & (z < self.period))

    def bounds(self, shape: tuple[int, ...]) -> tuple[Any, Any]:
        return 0.0, on_host(self.period)
