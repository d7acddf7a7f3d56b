"""Domains whose walls are flat, if they have any: all of R^D, boxes, half-lines."""

import math
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Bool, Float

from widelimit.numerics import leaf, on_host

from ._abstract import AbstractDomain


class Euclidean(AbstractDomain):
    """All of R^D."""

    free = True
    walls: ClassVar[bool] = False
    box: ClassVar[bool] = True
    flat = True
    connected = True

    def tangent(self, z: Float[Array, "..."], v: Float[Array, "..."]) -> Float[Array, "..."]:
        return v

    def retract(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        return z

    def contains(self, z: Float[Array, "..."]) -> Bool[Array, ""]:
        return jnp.all(jnp.isfinite(z))


class Box(AbstractDomain):
    """lower <= z <= upper for every component; a side may be infinite. Raises `ValueError` unless lower < upper.

    `sides`: which sides are finite; a traced one is.
    """

    lower: Float[Array, ""]
    upper: Float[Array, ""]
    sides: tuple[bool, bool] = eqx.field(static=True)
    box: ClassVar[bool] = True
    flat = True
    connected = True

    def __init__(self, lower: Any, upper: Any) -> None:
        finite = [isinstance(side, Tracer) or math.isfinite(side) for side in (lower, upper)]
        if not isinstance(lower < upper, Tracer) and not lower < upper:
            raise ValueError(f"Box(lower, upper): lower must be below upper, got {lower} and {upper}.")
        self.lower, self.upper = (
            leaf(side, "Box") if there else jnp.asarray(float(side))
            for side, there in zip((lower, upper), finite, strict=True)
        )
        self.sides = (finite[0], finite[1])

    @property
    def walls(self) -> bool:
        return any(self.sides)

    @property
    def compact(self) -> bool:
        return all(self.sides)

    def tangent(self, z: Float[Array, "..."], v: Float[Array, "..."]) -> Float[Array, "..."]:
        outward = ((z <= self.lower) & (v < 0)) | ((z >= self.upper) & (v > 0))
        return jnp.where(outward, jnp.zeros_like(v), v)

    def retract(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.clip(z, self.lower, self.upper)

    def contains(self, z: Float[Array, "..."]) -> Bool[Array, ""]:
        return jnp.all((z >= self.lower) & (z <= self.upper) & jnp.isfinite(z))

    def on_wall(self, z: Float[Array, "..."]) -> Bool[Array, ""]:
        return jnp.any((z <= self.lower) | (z >= self.upper))

    def bounds(self, shape: tuple[int, ...]) -> tuple[Any, Any]:
        lower = on_host(self.lower) if self.sides[0] else -math.inf
        return lower, on_host(self.upper) if self.sides[1] else math.inf

    def chart(self, u: Float[Array, "..."]) -> Float[Array, "..."]:
        if self.compact:
            return 0.5 * (self.lower + self.upper) + 0.5 * (self.upper - self.lower) * jnp.sin(u)
        if self.sides[0]:
            return self.lower + u**2
        return self.upper - u**2 if self.sides[1] else u

    def unchart(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        if self.compact:
            middle, length = self.lower + self.upper, self.upper - self.lower
            return jnp.arcsin(jnp.clip((2.0 * z - middle) / length, -1.0, 1.0))
        if self.sides[0]:
            return jnp.sqrt(jnp.maximum(z - self.lower, 0.0))
        return jnp.sqrt(jnp.maximum(self.upper - z, 0.0)) if self.sides[1] else z


def HalfLine(lower: Any = 0.0) -> Box:
    """z >= lower."""
    return Box(lower, math.inf)
