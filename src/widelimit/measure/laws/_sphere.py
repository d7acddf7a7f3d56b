"""The uniform law on a sphere."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.numerics import whole_number
from widelimit.numerics.registry import given, positive

from ._arguments import checked_block, failing
from ._atom import Atom
from ._cube import Rows, normal_quantile
from ._law import AbstractLaw, Groups, registry


class Sphere(AbstractLaw):
    r"""Uniform on the sphere $\{|\theta| = r\}$ of $R^d$; always a vector, a block of shape (d,).

    - `dim`: d >= 1 (d = 1: the two points -r and r).
    - `radius`: r > 0.

    Raises `ValueError` for other values.
    """

    radius: Float[Array, ""]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, dim: int, radius: Any = 1.0) -> None:
        self.shape = (whole_number(dim, "Sphere(dim=...)", least=1),)
        self.radius = checked_block(radius, (), "Sphere(radius=...)")
        if failing(self.radius <= 0):
            raise ValueError(f"Sphere(radius=...): must be positive, got {radius!r}.")

    @property
    def cube_dim(self) -> int:
        # An angle on the circle; for d >= 3 the direction of a normal vector, which takes one coordinate
        # more than the surface has but is smooth.
        return 1 if self.dim <= 2 else self.dim

    def draw(self, n: int, key: PRNGKeyArray) -> Float[Array, "n D"]:
        z = jax.random.normal(key, (n, self.dim), self.radius.dtype)
        return self.radius * z / jnp.linalg.norm(z, axis=1, keepdims=True)

    def from_cube(self, u: Float[np.ndarray, "n c"]) -> Rows:
        return np.asarray(self.radius) * self._direction(u)

    def mean(self) -> Float[Array, " D"]:
        return jnp.zeros(self.dim)

    def covariance(self) -> Float[Array, "D D"]:
        return self.radius**2 / self.dim * jnp.eye(self.dim)

    def radial(self, groups: Groups) -> AbstractLaw | None:
        # The lengths of several groups depend on each other, and make no law here.
        return Atom(self.radius) if len(groups) == 1 and len(groups[0]) == self.dim else None

    def _direction(self, u: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n D"]:
        if self.dim == 1:
            return np.where(u < 0.5, -1.0, 1.0)
        if self.dim == 2:
            return np.concatenate([np.cos(2 * np.pi * u), np.sin(2 * np.pi * u)], axis=1)
        z = normal_quantile(u)
        # The centre of the cube is the origin, which has no direction: it is sent to the pole.
        z[~np.any(z, axis=1), 0] = 1.0
        return z / np.linalg.norm(z, axis=1, keepdims=True)


def _of_shape(shape: tuple[int, ...], radius: float = 1.0) -> Sphere:
    """Uniform on the sphere of this radius, for a vector block."""
    if len(shape) != 1:
        raise ValueError(f"a sphere needs a vector; a block of shape {shape} is none: take another law.")
    return Sphere(shape[0], radius)


registry.add("sphere", _of_shape, shape=given("shape"), radius=positive)
