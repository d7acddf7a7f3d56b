"""What a domain says of itself, whatever it is."""

import abc
import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from widelimit.numerics import Module


class AbstractDomain(Module):
    """Where one block z of one particle may be.

    A domain of one's own writes `tangent` and `retract`. The rest are facts, careful where a domain does not say
    otherwise:

    - `free`: whether it is all of R^D; `compact`: whether it is bounded and closed.
    - `walls`: whether a particle can sit on a wall of it; `on_wall`: whether one does.
    - `box`: whether it is all z with `bounds`[0] <= z_j <= `bounds`[1]; `sphere`: the r of a sphere |z| = r, else None.
    - `period` of its numbers, or None.
    - `connected`: whether it has one piece; None where it is not known.
    - `flat`: whether it is a piece of R^D, in which rows have a density (a sphere has none).

    Numbers (sides, radius, period) are array leaves: another value compiles nothing, and they have derivatives.
    """

    free: ClassVar[bool] = False
    walls: ClassVar[bool] = True
    compact: ClassVar[bool] = False
    box: ClassVar[bool] = False
    sphere: ClassVar[Any | None] = None
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

    def on_wall(self, z: Float[Array, "..."]) -> Bool[Array, ""]:
        """Whether a direction leads out of the domain at z: there the tangent cone is not the whole space."""
        if not self.walls:
            return jnp.zeros((), bool)
        both = jnp.concatenate([jnp.eye(z.size), -jnp.eye(z.size)]).reshape(-1, *z.shape)
        allowed = jax.vmap(self.tangent, in_axes=(None, 0))(z, both)
        return jnp.any(jnp.abs(allowed - both) > 1e-12)

    def coned(self, near: Float[Array, "..."], z: Float[Array, "..."]) -> Float[Array, "..."]:
        """Where the tangent cone is taken for a velocity at z, a stage of a step that begins at `near`.

        z itself where walls are flat: what slides along them stays on them exactly.
        """
        return z

    def settled(self, near: Float[Array, "..."], z: Float[Array, "..."]) -> Float[Array, "..."]:
        """z, the end of a step from `near`; on the wall where it came off that by the error of the step alone."""
        return z

    def fitted(self, shape: tuple[int, ...]) -> "AbstractDomain":
        """The same domain for a block of this shape, as the class that knows most of it."""
        return self

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
