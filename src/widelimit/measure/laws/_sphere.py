"""The uniform law on a sphere."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.numerics.registry import given, positive

from .._blocks import Blocks
from ._arguments import checked_block, checked_count
from ._cube import Nodes, normal_quantile
from ._law import AbstractLaw, registry


class Sphere(AbstractLaw):
    r"""Uniform on the sphere $\{|\theta| = r\}$ of $R^d$; always a vector, a block of shape (d,).

    **Arguments**

    - `dim`: d >= 1 (d = 1: the two points -r and r).
    - `radius`: r > 0.

    Raises `ValueError` for other values.
    """

    radius: Float[Array, ""]
    shape: tuple[int, ...] = eqx.field(static=True)
    blocks: Blocks = eqx.field(static=True)

    def __init__(self, dim: int, radius: float = 1.0) -> None:
        self.shape, self.blocks = (checked_count(dim, "Sphere(dim=...)"),), ()
        self.radius = checked_block(radius, (), "Sphere(radius=...)")
        if not float(self.radius) > 0:
            raise ValueError(f"Sphere(radius=...): must be positive, got {radius!r}.")

    @property
    def cube_dim(self) -> int:
        # An angle on the circle; for d >= 3 the direction of a normal vector, which takes one coordinate
        # more than the surface has but is smooth.
        return 1 if self.dim <= 2 else self.dim

    @property
    def n_atoms(self) -> None:
        return None

    def draw(self, n: int, key: PRNGKeyArray) -> Float[Array, "n D"]:
        z = jax.random.normal(key, (n, self.dim), self.radius.dtype)
        return self.radius * z / jnp.linalg.norm(z, axis=1, keepdims=True)

    def from_cube(self, u: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n D"]:
        return np.asarray(self.radius) * self._direction(u)

    def box_probability(
        self, lower: Float[np.ndarray, "n D"], upper: Float[np.ndarray, "n D"]
    ) -> Float[np.ndarray, " n"]:
        raise ValueError("box_probability: Sphere has none in closed form; sample it or quantise it.")

    def log_density(self, x: Float[Array, "n D"]) -> Float[Array, " n"]:
        raise ValueError("log_density: Sphere has no density in R^d.")

    def gauss(self, n: int) -> Nodes:
        raise ValueError("quantise(rule=Gauss()): Sphere has no Gauss rule; leave `rule` out or use Sobol().")

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
    if len(shape) != 1:
        raise ValueError(f"a sphere needs a vector; a block of shape {shape} is none: take another law.")
    return Sphere(shape[0], radius)


registry.add("sphere", _of_shape, shape=given("shape"), radius=positive)
