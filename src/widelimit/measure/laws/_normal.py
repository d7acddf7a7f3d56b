"""The normal law."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.numerics.registry import given, number

from .._blocks import Blocks
from ._arguments import checked_block, checked_shape
from ._cube import Nodes, hermite, normal_quantile, tensor
from ._law import AbstractLaw, registry


class Normal(AbstractLaw):
    r"""Independent normal components, $\theta_j \sim N(m_j, s_j^2)$.

    **Arguments**

    - `mean`, `std`: numbers, or arrays of the block's shape; std >= 0.
    - `dim`: 1 for a number (block of shape ()), d for a vector (d,), or a tuple: the shape itself.

    Raises `ValueError` for std < 0, for what is not finite, and for shapes that do not fit.
    """

    mean: Float[Array, "..."]
    std: Float[Array, "..."]
    shape: tuple[int, ...] = eqx.field(static=True)
    blocks: Blocks = eqx.field(static=True)

    def __init__(self, mean: Any, std: Any, dim: int | tuple[int, ...] = 1) -> None:
        self.shape, self.blocks = checked_shape(dim, "Normal"), ()
        self.mean = checked_block(mean, self.shape, "Normal(mean=...)")
        self.std = checked_block(std, self.shape, "Normal(std=...)")
        if np.any(np.asarray(self.std) < 0):
            raise ValueError(f"Normal(std=...): must not be negative, got {std!r}.")

    @property
    def cube_dim(self) -> int:
        return math.prod(self.shape)

    @property
    def n_atoms(self) -> None:
        return None

    def draw(self, n: int, key: PRNGKeyArray) -> Float[Array, "n D"]:
        z = jax.random.normal(key, (n, self.dim), self.mean.dtype)
        return self.mean.ravel() + self.std.ravel() * z

    def from_cube(self, u: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n D"]:
        return self._scaled(normal_quantile(u))

    def gauss(self, n: int) -> Nodes:
        z, weights = tensor([hermite(n)] * self.dim)
        return self._scaled(z), weights

    def box_probability(
        self, lower: Float[np.ndarray, "n D"], upper: Float[np.ndarray, "n D"]
    ) -> Float[np.ndarray, " n"]:
        mean, std = np.ravel(self.mean), np.ravel(self.std)
        return np.prod([_interval(lower[:, j], upper[:, j], mean[j], std[j]) for j in range(self.dim)], axis=0)

    def log_density(self, x: Float[Array, "n D"]) -> Float[Array, " n"]:
        if np.any(np.asarray(self.std) == 0):
            raise ValueError("log_density: Normal(std=...) with a zero has no density.")
        z = (x - self.mean.ravel()) / self.std.ravel()
        return -0.5 * jnp.sum(z**2, axis=1) - jnp.sum(jnp.log(self.std)) - 0.5 * self.dim * math.log(2.0 * math.pi)

    def _scaled(self, z: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "n D"]:
        return np.ravel(self.mean) + np.ravel(self.std) * z


def _interval(lower: np.ndarray, upper: np.ndarray, mean: float, std: float) -> np.ndarray:
    from scipy.special import ndtr

    if std == 0:
        return ((lower <= mean) & (mean < upper)).astype(float)
    a, b = (lower - mean) / std, (upper - mean) / std
    # On the side where both are small, so that far cells keep their digits.
    return np.where(a > 0, ndtr(-a) - ndtr(-b), ndtr(b) - ndtr(a))


_narrow = {"1/sqrt(d)": lambda place: place["inputs"] ** -0.5}
registry.add(
    "normal", Normal, mean=number(default=0.0), std=number(least=0.0, default=1.0, words=_narrow), dim=given("dim")
)
