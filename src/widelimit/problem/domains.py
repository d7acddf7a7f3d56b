"""Domains: where the parameters of a particle may be. Each acts on one block of one particle.

A velocity is projected onto the tangent cone (no flux through the walls; NOTATION, teacherstudent2020), and
after a step the point is put back (`retract`).
"""

import abc
import math
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Bool, Float

from widelimit.measure import Blocks
from widelimit.numerics import Module, leaf, on_host
from widelimit.numerics.registry import Registry, number, positive


class AbstractDomain(Module):
    """Where one block z of one particle may be.

    A domain of one's own writes `tangent` and `retract`. The rest are facts, careful where a domain does not say
    otherwise:

    - `free`: whether it is all of R^D; `compact`: whether it is bounded and closed.
    - `walls`: whether a particle can sit on a wall of it.
    - `box`: whether it is all z with `bounds`[0] <= z_j <= `bounds`[1]; `radius`: the r of a sphere |z| = r, else None.
    - `period` of its numbers, or None.
    - `connected`: whether it has one piece; None where it is not known.
    - `flat`: whether it is a piece of R^D, in which rows have a density (a sphere has none).

    Numbers (sides, radius, period) are array leaves: another value compiles nothing, and they have derivatives.
    """

    free: ClassVar[bool] = False
    walls: ClassVar[bool] = True
    compact: ClassVar[bool] = False
    box: ClassVar[bool] = False
    radius: ClassVar[Any | None] = None
    period: ClassVar[Any | None] = None
    flat: ClassVar[bool] = False
    connected: ClassVar[bool | None] = None

    @abc.abstractmethod
    def tangent(self, z: Float[Array, "..."], v: Float[Array, "..."]) -> Float[Array, "..."]:
        """The velocity v at z, projected onto the tangent cone."""

    @abc.abstractmethod
    def retract(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """The nearest point of the domain (on a circle: the same point, written in [0, period))."""

    def contains(self, z: Float[Array, "..."]) -> Bool[Array, ""]:
        """Whether z lies in the domain, to 1e-6 of its size where a domain knows no better."""
        off = jnp.sqrt(jnp.sum((z - self.retract(z)) ** 2))
        return off <= 1e-6 * jnp.sqrt(jnp.sum(z**2))

    def bounds(self, shape: tuple[int, ...]) -> tuple[Any, Any]:
        """The least and the greatest value a component may have; infinite where unbounded or not known."""
        return -math.inf, math.inf

    def chart(self, u: Float[Array, "..."]) -> Float[Array, "..."]:
        """A map of all of R^D onto the domain, as smooth as can be: searches without constraints run in u."""
        return self.retract(u)

    def unchart(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """A u with chart(u) = z."""
        return z

    def check(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise `ValueError` when a block of this shape cannot live here."""


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


class Sphere(AbstractDomain):
    """|z| = radius, for a vector block. Raises `ValueError` unless radius > 0."""

    radius: Float[Array, ""] = eqx.field(converter=lambda r: leaf(r, "Sphere(radius=...)", above=0.0), default=1.0)
    walls: ClassVar[bool] = False
    compact = True
    connected = True

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

    period: Float[Array, ""] = eqx.field(
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


class Product(Module):
    """A domain for each named block; R^D for the others. `product(knot=Box(0, 1), weight=Sphere())`."""

    factors: tuple[tuple[str, AbstractDomain], ...]

    def of(self, name: str) -> AbstractDomain:
        return dict(self.factors).get(name, Euclidean())

    @property
    def unconstrained(self) -> bool:
        return all(domain.free for _, domain in self.factors)

    @property
    def flat(self) -> bool:
        """Whether it is a piece of R^D without walls, a circle say: no velocity is projected there."""
        return not any(domain.walls or not domain.flat for _, domain in self.factors)

    @property
    def connected(self) -> bool | None:
        """Whether it has one piece, as a product of such has; None where it is not known."""
        known = [domain.connected for _, domain in self.factors]
        return False if False in known else None if None in known else True

    def tangent(self, theta: Any, velocity: Any) -> Any:
        fields = theta._asdict().items()
        return type(theta)(*(self.of(name).tangent(z, v) for (name, z), v in zip(fields, velocity, strict=True)))

    def retract(self, theta: Any) -> Any:
        return type(theta)(*(self.of(name).retract(z) for name, z in theta._asdict().items()))

    def contains(self, theta: Any) -> Bool[Array, ""]:
        return jnp.all(jnp.stack([self.of(name).contains(z) for name, z in theta._asdict().items()]))


def product(**factors: AbstractDomain) -> Product:
    """The product of domains by the name of the block; blocks that are not named are unbounded."""
    return Product(tuple(factors.items()))


def resolve(domain: "AbstractDomain | Product | None", blocks: Blocks) -> Product:
    """The domain of each of `blocks`: one domain stands for every block. Raises `ValueError` on a misfit."""
    names = [block.name for block in blocks]
    whole = () if domain is None else tuple((name, domain) for name in names)
    factors: dict[str, Any] = dict(domain.factors if isinstance(domain, Product) else whole)
    for name, factor in factors.items():
        if not isinstance(factor, AbstractDomain):
            raise ValueError(f"domain of {name!r}: expected one of widelimit.domains, got {factor!r}.")
        if name not in names:
            raise ValueError(f"domain: the unit has no block {name!r}; it has {', '.join(names)}.")
    for block in blocks:
        if block.name in factors:
            factors[block.name].check(block.name, block.shape)
    return Product(tuple(factors.items()))


registry = Registry("domain")
registry.add("box", Box, lower=number(), upper=number())
registry.add("half_line", HalfLine, lower=number())
registry.add("sphere", Sphere, radius=positive)
registry.add("circle", Circle, period=positive)
