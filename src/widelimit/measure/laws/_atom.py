"""The law of a constant."""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.numerics.registry import given, number

from ._arguments import numeric
from ._cube import Nodes, Rows
from ._law import AbstractLaw, Groups, registry


class Atom(AbstractLaw):
    r"""All the mass at one point, $\delta_{p}$.

    - `point`: a number (block of shape ()), or an array, whose shape is the block's.

    Raises `ValueError` for what is not finite, and for an empty array.
    """

    point: Float[Array, "..."]
    shape: tuple[int, ...] = eqx.field(static=True)
    cube_dim: ClassVar[int] = 0
    n_atoms = 1
    normal = True

    def __init__(self, point: Any) -> None:
        array = numeric(point, "Atom(point=...)")
        if array.size == 0:
            raise ValueError(f"Atom(point=...): must not be empty, got shape {array.shape}.")
        self.point, self.shape = jnp.asarray(array, float), array.shape

    def draw(self, n: int, key: PRNGKeyArray) -> Float[Array, "n D"]:
        return jnp.broadcast_to(self.point.ravel(), (n, self.dim))

    def from_cube(self, u: Float[np.ndarray, "n c"]) -> Rows:
        return np.broadcast_to(np.ravel(self.point), (u.shape[0], self.dim))

    def box_probability(self, lower: Rows, upper: Rows) -> Float[np.ndarray, " n"]:
        point = np.ravel(self.point)
        return np.all((lower <= point) & (point < upper), axis=1).astype(float)

    def gauss(self, n: int) -> Nodes:
        return np.asarray(self.point).reshape(1, -1), np.ones(1)

    def mean(self) -> Float[Array, " D"]:
        return self.point.ravel()

    def covariance(self) -> Float[Array, "D D"]:
        return jnp.zeros((self.dim, self.dim))

    def marginals(self) -> tuple[AbstractLaw, ...]:
        return tuple(Atom(number) for number in np.ravel(self.point))

    def radial(self, groups: Groups) -> AbstractLaw:
        # One point has a length, whatever its direction.
        lengths = [float(np.linalg.norm(np.ravel(self.point)[list(group)])) for group in groups]
        return Atom(lengths[0] if len(lengths) == 1 else lengths)


def _filled(value: float, shape: tuple[int, ...]) -> Atom:
    """All the mass at one point, the value in every component."""
    return Atom(np.full(shape, value))


registry.add("atom", _filled, value=number(default=0.0), shape=given("shape"))
