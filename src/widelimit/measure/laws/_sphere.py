"""The uniform law on a sphere."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from .._blocks import Blocks
from ._arguments import checked_block, checked_count
from ._cube import Nodes
from ._law import AbstractLaw

_EDGE = 2.0**-53


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
        return self._projected(jax.random.normal(key, (n, self.dim), self.radius.dtype))

    def from_cube(self, u: Float[Array, "n c"]) -> Float[Array, "n D"]:
        if self.dim == 1:
            return self.radius * jnp.where(u < 0.5, -1.0, 1.0)
        if self.dim == 2:
            angle = 2 * jnp.pi * u[:, 0]
            return self.radius * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)
        return self._projected(jax.scipy.special.ndtri(jnp.clip(u, _EDGE, 1 - _EDGE)))

    def gauss(self, n: int) -> Nodes:
        raise ValueError("quantise(rule=Gauss()): Sphere has no Gauss rule; leave `rule` out or use Sobol().")

    def _projected(self, z: Float[Array, "n D"]) -> Float[Array, "n D"]:
        # The centre of the cube goes to z = 0, which has no direction: it is sent to the pole.
        norm = jnp.linalg.norm(z, axis=1, keepdims=True)
        pole = jnp.eye(1, self.dim, dtype=z.dtype)
        return self.radius * jnp.where(norm > 0, z / jnp.where(norm > 0, norm, 1.0), pole)
