"""The uniform law on a box."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.numerics.registry import given, number

from ._arguments import checked_block, checked_shape, failing
from ._cube import Nodes, Rows, legendre, tensor
from ._law import AbstractLaw, Line, registry


class Uniform(AbstractLaw):
    r"""Independent uniform components, $\theta_j \sim U[l_j, h_j]$.

    - `lower`, `upper`: numbers, or arrays of the block's shape; lower < upper in each component.
    - `dim`: 1 for a number (block of shape ()), d for a vector (d,), or a tuple: the shape itself.

    Raises `ValueError` for lower >= upper, for what is not finite, and for shapes that do not fit.
    """

    lower: Float[Array, "..."]
    upper: Float[Array, "..."]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, lower: Any, upper: Any, dim: int | tuple[int, ...] = 1) -> None:
        self.shape = checked_shape(dim, "Uniform")
        self.lower = checked_block(lower, self.shape, "Uniform(lower=...)")
        self.upper = checked_block(upper, self.shape, "Uniform(upper=...)")
        if failing(self.lower >= self.upper):
            raise ValueError(f"Uniform(lower=..., upper=...): needs lower < upper, got {lower!r}, {upper!r}.")

    def draw(self, n: int, key: PRNGKeyArray) -> Float[Array, "n D"]:
        u = jax.random.uniform(key, (n, self.dim), self.lower.dtype)
        return (1 - u) * self.lower.ravel() + u * self.upper.ravel()

    def from_cube(self, u: Float[np.ndarray, "n c"]) -> Rows:
        return (1 - u) * np.ravel(self.lower) + u * np.ravel(self.upper)

    def box_probability(self, lower: Rows, upper: Rows) -> Float[np.ndarray, " n"]:
        low, high = np.ravel(self.lower), np.ravel(self.upper)
        return np.prod((np.clip(upper, low, high) - np.clip(lower, low, high)) / (high - low), axis=1)

    def log_density(self, x: Float[Array, "n D"]) -> Float[Array, " n"]:
        low, high = self.lower.ravel(), self.upper.ravel()
        inside = jnp.all((x >= low) & (x <= high), axis=1)
        return jnp.where(inside, -jnp.sum(jnp.log(high - low)), -jnp.inf)

    def gauss(self, n: int) -> Nodes:
        u, weights = tensor([legendre(n)] * self.dim)
        return self.from_cube(u), weights

    def mean(self) -> Float[Array, " D"]:
        return 0.5 * (self.lower + self.upper).ravel()

    def covariance(self) -> Float[Array, "D D"]:
        return jnp.diag((self.upper - self.lower).ravel() ** 2 / 12.0)

    def marginals(self) -> tuple[AbstractLaw, ...]:
        return tuple(Uniform(a, b) for a, b in zip(np.ravel(self.lower), np.ravel(self.upper), strict=True))

    def positive_part(self, shift: Float[Array, "..."], sign: float = 1.0) -> Float[Array, "3 ..."] | None:
        if self.dim != 1:
            return None
        # z is uniform on [p, q]: E z_+^k = (q_+^(k+1) - p_+^(k+1)) / ((k + 1)(q - p)), the difference of powers divided
        # out, so that all terms are positive.
        low, high = self.lower.ravel()[0], self.upper.ravel()[0]
        ends = (shift + low, shift + high) if sign > 0 else (shift - high, shift - low)
        p, q = (jnp.maximum(end, 0.0) for end in ends)
        return (q - p) / (high - low) * jnp.stack([jnp.ones_like(p), 0.5 * (p + q), (p * p + p * q + q * q) / 3.0])

    def line(self) -> Line | None:
        return _line(*map(float, (*self.lower.ravel(), *self.upper.ravel()))) if self.dim == 1 else None


def _line(low: float, high: float) -> Line:
    """U[low, high]."""

    def ramp(x: Any) -> Any:
        return 0.5 * np.clip(x - low, 0.0, high - low) ** 2 / (high - low) + np.maximum(x - high, 0.0)

    return Line(
        (low, high),
        np.array([low, high]),
        lambda x: np.where((low <= x) & (x <= high), 1.0 / (high - low), 0.0),
        lambda x: np.clip((x - low) / (high - low), 0.0, 1.0),
        ramp,
        flat=True,
    )


registry.add("uniform", Uniform, lower=number(), upper=number(), dim=given("dim"))
