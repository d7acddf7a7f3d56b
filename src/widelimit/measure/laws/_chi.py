"""The law of the length of a normal vector."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.numerics import gauss_chi, whole_number

from ._arguments import checked_block, failing
from ._cube import Nodes, Rows, tensor
from ._law import AbstractLaw


class Chi(AbstractLaw):
    r"""The law of $|w|$ for $w \sim N(0, s^2 I_d)$, density proportional to $r^{d-1} e^{-r^2/(2 s^2)}$ on r > 0.

    - `dim`: d >= 1, a number (block of shape ()), or a tuple (d_1, ..., d_G) for G independent lengths (block (G,)).
    - `scale`: s > 0, a number or one a length.

    Raises `ValueError` for other values.
    """

    scale: Float[Array, "..."]
    degrees: tuple[int, ...] = eqx.field(static=True)
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, dim: int | tuple[int, ...], scale: Any = 1.0) -> None:
        sizes = dim if isinstance(dim, tuple) else (dim,)
        if not sizes:
            raise ValueError("Chi(dim=...): must be an integer >= 1 or a tuple of such, got ().")
        self.degrees = tuple(whole_number(d, "Chi(dim=...)", least=1) for d in sizes)
        self.shape = (len(sizes),) if isinstance(dim, tuple) else ()
        self.scale = checked_block(scale, self.shape, "Chi(scale=...)")
        if failing(self.scale <= 0):
            raise ValueError(f"Chi(scale=...): must be positive, got {scale!r}.")

    def draw(self, n: int, key: PRNGKeyArray) -> Float[Array, "n D"]:
        half = 0.5 * jnp.asarray(self.degrees, self.scale.dtype)
        return self.scale.ravel() * jnp.sqrt(2.0 * jax.random.gamma(key, half, (n, self.dim), self.scale.dtype))

    def from_cube(self, u: Float[np.ndarray, "n c"]) -> Rows:
        from scipy.special import gammainccinv, gammaincinv

        half = 0.5 * np.asarray(self.degrees)
        # Cut off where u is as near to 0 or 1 as floats can tell.
        u = np.clip(u, 2.0**-53, 1 - 2.0**-53)
        square = np.where(u < 0.5, gammaincinv(half, u), gammainccinv(half, 1 - u))
        return np.ravel(self.scale) * np.sqrt(2.0 * square)

    def box_probability(self, lower: Rows, upper: Rows) -> Float[np.ndarray, " n"]:
        from scipy.special import gammainc, gammaincc

        half = 0.5 * np.asarray(self.degrees)
        a, b = (0.5 * (np.maximum(side, 0.0) / np.ravel(self.scale)) ** 2 for side in (lower, upper))
        # On the side where both are small, so that far cells keep their digits.
        return np.prod(
            np.where(a > half, gammaincc(half, a) - gammaincc(half, b), gammainc(half, b) - gammainc(half, a)), axis=1
        )

    def log_density(self, x: Float[Array, "n D"]) -> Float[Array, " n"]:
        degrees = jnp.asarray(self.degrees, x.dtype)
        z = x / self.scale.ravel()
        constant = (1.0 - 0.5 * degrees) * math.log(2.0) - jax.scipy.special.gammaln(0.5 * degrees)
        logs = constant - jnp.log(self.scale.ravel()) + jax.scipy.special.xlogy(degrees - 1.0, z) - 0.5 * z**2
        return jnp.sum(jnp.where(x >= 0, logs, -jnp.inf), axis=1)

    def gauss(self, n: int) -> Nodes:
        rules = [gauss_chi(d, n) for d in self.degrees]
        r, weights = tensor([(nodes[:, None], weights) for nodes, weights in rules])
        return np.ravel(self.scale) * r, weights

    def mean(self) -> Float[Array, " D"]:
        half = 0.5 * jnp.asarray(self.degrees, self.scale.dtype)
        logs = jax.scipy.special.gammaln(half + 0.5) - jax.scipy.special.gammaln(half)
        return self.scale.ravel() * math.sqrt(2.0) * jnp.exp(logs)

    def covariance(self) -> Float[Array, "D D"]:
        # E r^2 = s^2 d.
        return jnp.diag(self.scale.ravel() ** 2 * jnp.asarray(self.degrees) - self.mean() ** 2)

    def marginals(self) -> tuple[AbstractLaw, ...]:
        return tuple(Chi(d, scale) for d, scale in zip(self.degrees, np.ravel(self.scale), strict=True))
