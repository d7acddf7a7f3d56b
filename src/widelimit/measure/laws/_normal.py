"""The normal law."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.numerics import compiled_quickly
from widelimit.numerics.registry import given, number

from ._arguments import checked_block, checked_shape, failing
from ._atom import Atom
from ._chi import Chi
from ._cube import Nodes, Rows, hermite, normal_quantile, tensor
from ._law import AbstractLaw, Groups, Line, registry


class Normal(AbstractLaw):
    r"""Independent normal components, $\theta_j \sim N(m_j, s_j^2)$.

    - `mean`, `std`: numbers, or arrays of the block's shape; std >= 0.
    - `dim`: 1 for a number (block of shape ()), d for a vector (d,), or a tuple: the shape itself.

    Raises `ValueError` for std < 0, for what is not finite, and for shapes that do not fit.
    """

    location: Float[Array, "..."]
    std: Float[Array, "..."]
    shape: tuple[int, ...] = eqx.field(static=True)
    normal = True

    def __init__(self, mean: Any, std: Any, dim: int | tuple[int, ...] = 1) -> None:
        self.shape = checked_shape(dim, "Normal")
        self.location = checked_block(mean, self.shape, "Normal(mean=...)")
        self.std = checked_block(std, self.shape, "Normal(std=...)")
        if failing(self.std < 0):
            raise ValueError(f"Normal(std=...): must not be negative, got {std!r}.")

    def draw(self, n: int, key: PRNGKeyArray) -> Float[Array, "n D"]:
        return _drawn(self, n, key)

    def from_cube(self, u: Float[np.ndarray, "n c"]) -> Rows:
        return self._scaled(normal_quantile(u))

    def gauss(self, n: int) -> Nodes:
        z, weights = tensor([hermite(n)] * self.dim)
        return self._scaled(z), weights

    def box_probability(self, lower: Rows, upper: Rows) -> Float[np.ndarray, " n"]:
        mean, std = np.ravel(self.location), np.ravel(self.std)
        return np.prod([_interval(lower[:, j], upper[:, j], mean[j], std[j]) for j in range(self.dim)], axis=0)

    def log_density(self, x: Float[Array, "n D"]) -> Float[Array, " n"]:
        if failing(self.std == 0):
            raise ValueError("log_density: Normal(std=...) with a zero has no density.")
        z = (x - self.location.ravel()) / self.std.ravel()
        return -0.5 * jnp.sum(z**2, axis=1) - jnp.sum(jnp.log(self.std)) - 0.5 * self.dim * math.log(2.0 * math.pi)

    def mean(self) -> Float[Array, " D"]:
        return self.location.ravel()

    def covariance(self) -> Float[Array, "D D"]:
        return jnp.diag(self.std.ravel() ** 2)

    def marginals(self) -> tuple[AbstractLaw, ...]:
        pairs = zip(np.ravel(self.location), np.ravel(self.std), strict=True)
        return tuple(Normal(mean, std) if std > 0.0 else Atom(mean) for mean, std in pairs)

    def line(self) -> Line | None:
        if self.dim != 1 or float(self.std.ravel()[0]) == 0.0:
            return None
        return _line(float(self.location.ravel()[0]), float(self.std.ravel()[0]))

    def positive_part(self, shift: Float[Array, "..."], sign: float = 1.0) -> Float[Array, "3 ..."] | None:
        if self.dim != 1 or failing(self.std == 0.0):
            return None
        # z is N(m, s^2); with k = m/s the three are Phi, s (k Phi + phi) and s^2 ((1 + k^2) Phi + k phi).
        std = self.std.ravel()[0]
        k = (shift + sign * self.location.ravel()[0]) / std
        below, bell = jax.scipy.special.ndtr(k), jnp.exp(-0.5 * k * k) / math.sqrt(2.0 * math.pi)
        return jnp.stack([below, std * (k * below + bell), std**2 * ((1.0 + k * k) * below + k * bell)])

    def radial(self, groups: Groups) -> AbstractLaw | None:
        std = np.ravel(self.std)
        scales = [np.unique(std[list(group)]) for group in groups]
        if np.any(self.location) or not np.all(std > 0.0) or any(len(scale) > 1 for scale in scales):
            return None
        sizes, one = tuple(len(group) for group in groups), len(groups) == 1
        return Chi(sizes[0] if one else sizes, scales[0][0] if one else np.concatenate(scales))

    def _scaled(self, z: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "n D"]:
        return np.ravel(self.location) + np.ravel(self.std) * z


@compiled_quickly
def _drawn(law: Normal, n: int, key: PRNGKeyArray) -> Float[Array, "n D"]:
    z = jax.random.normal(key, (n, law.dim), law.location.dtype)
    return law.location.ravel() + law.std.ravel() * z


def _interval(lower: np.ndarray, upper: np.ndarray, mean: float, std: float) -> np.ndarray:
    from scipy.special import ndtr

    if std == 0:
        return ((lower <= mean) & (mean < upper)).astype(float)
    a, b = (lower - mean) / std, (upper - mean) / std
    # On the side where both are small, so that far cells keep their digits.
    return np.where(a > 0, ndtr(-a) - ndtr(-b), ndtr(b) - ndtr(a))


def _line(mean: float, std: float) -> Line:
    """N(mean, std^2), std > 0. Nine standard deviations away the density is below rounding."""
    from scipy.special import ndtr

    def density(x: Any) -> Any:
        return np.exp(-0.5 * ((x - mean) / std) ** 2) / (np.sqrt(2.0 * np.pi) * std)

    def ramp(x: Any) -> Any:
        z = (x - mean) / std
        return std * (z * ndtr(z) + np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi))

    edges = mean + std * np.arange(-9.0, 10.5, 1.5)
    return Line((-np.inf, np.inf), edges, density, lambda x: ndtr((x - mean) / std), ramp)


_narrow = {"1/sqrt(d)": lambda place: place["inputs"] ** -0.5}
registry.add(
    "normal", Normal, mean=number(default=0.0), std=number(least=0.0, default=1.0, words=_narrow), dim=given("dim")
)
