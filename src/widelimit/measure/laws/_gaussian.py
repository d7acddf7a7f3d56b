"""The normal law with any covariance."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, PRNGKeyArray

from ._arguments import numeric
from ._cube import Nodes, Rows, hermite, normal_quantile, tensor
from ._law import AbstractLaw, Groups
from ._normal import Normal

# Asymmetry and negative eigenvalues of a covariance, relative to its largest entry, that count as rounding.
_ROUNDING = 1e-10


class Gaussian(AbstractLaw):
    r"""$\theta \sim N(m, C)$ with a full covariance; `Normal` has independent components.

    - `mean`: m, [D]; a number for a block of shape ().
    - `cov`: C, [D, D]; a number for a number. Zero eigenvalues are allowed: the law then lies on a plane.

    Raises `ValueError` for a C that is not symmetric positive semidefinite, for what is not finite, and for shapes that
    do not fit.
    """

    location: Float[Array, "..."]
    cov: Float[Array, "..."]
    root: Float[Array, "D D"]
    shape: tuple[int, ...] = eqx.field(static=True)
    normal = True

    def __init__(self, mean: Any, cov: Any) -> None:
        m, c = numeric(mean, "Gaussian(mean=...)"), numeric(cov, "Gaussian(cov=...)")
        if m.ndim > 1 or m.size == 0:
            raise ValueError(f"Gaussian(mean=...): must be a number or a vector [D], got shape {m.shape}.")
        if c.shape != m.shape * 2:
            raise ValueError(f"Gaussian(cov=...): must have shape {m.shape * 2} for this mean, got {c.shape}.")
        self.location, self.cov, self.shape = jnp.asarray(m, float), jnp.asarray(c, float), m.shape
        square = c.reshape(m.size, m.size)
        # Any root serves; this one has derivatives where eigenvalues coincide.
        self.root = jnp.linalg.cholesky(square) if isinstance(c, Tracer) else jnp.asarray(_root(square), float)

    def draw(self, n: int, key: PRNGKeyArray) -> Float[Array, "n D"]:
        z = jax.random.normal(key, (n, self.dim), self.location.dtype)
        return self.location.ravel() + z @ self.root.T

    def from_cube(self, u: Float[np.ndarray, "n c"]) -> Rows:
        return self._mapped(normal_quantile(u))

    def gauss(self, n: int) -> Nodes:
        z, weights = tensor([hermite(n)] * self.dim)
        return self._mapped(z), weights

    def box_probability(self, lower: Rows, upper: Rows) -> Float[np.ndarray, " n"]:
        plain = self._plain()
        if plain is None:
            raise ValueError(
                "box_probability: Gaussian(cov=...) has none in closed form unless cov is diagonal; sample or quantise "
                "the law."
            )
        return plain.box_probability(lower, upper)

    def log_density(self, x: Float[Array, "n D"]) -> Float[Array, " n"]:
        lengths = np.linalg.norm(np.asarray(self.root), axis=0)
        if np.any(lengths == 0):
            raise ValueError("log_density: Gaussian(cov=...) with a singular covariance has no density.")
        # The root's columns are orthogonal: eigenvectors times standard deviations.
        z = (x - self.location.ravel()) @ (self.root / lengths**2)
        return -0.5 * jnp.sum(z**2, axis=1) - np.sum(np.log(lengths)) - 0.5 * self.dim * math.log(2.0 * math.pi)

    def mean(self) -> Float[Array, " D"]:
        return self.location.ravel()

    def covariance(self) -> Float[Array, "D D"]:
        return self.cov.reshape(self.dim, self.dim)

    def marginals(self) -> tuple[AbstractLaw, ...] | None:
        plain = self._plain()
        return None if plain is None else plain.marginals()

    def radial(self, groups: Groups) -> AbstractLaw | None:
        plain = self._plain()
        return None if plain is None else plain.radial(groups)

    def _plain(self) -> Normal | None:
        """The same law with independent components, where they are."""
        variances = np.asarray(self.covariance())
        if np.any(variances != np.diag(np.diag(variances))):
            return None
        return Normal(np.ravel(self.location), np.sqrt(np.diag(variances)), dim=(self.dim,))

    def _mapped(self, z: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "n D"]:
        return np.ravel(self.location) + z @ np.asarray(self.root).T


def _root(cov: Float[np.ndarray, "D D"]) -> Float[np.ndarray, "D D"]:
    """Eigenvectors times standard deviations, the widest first: the best coordinates of a Sobol sequence come first."""
    slack = _ROUNDING * np.max(np.abs(cov))
    if np.max(np.abs(cov - cov.T)) > slack:
        raise ValueError("Gaussian(cov=...): must be symmetric.")
    values, vectors = np.linalg.eigh(0.5 * (cov + cov.T))
    if values[0] < -slack:
        raise ValueError(f"Gaussian(cov=...): must be positive semidefinite, its least eigenvalue is {values[0]:.3g}.")
    # Eigenvalues come with a rounding error, those of a diagonal matrix without.
    plain = np.count_nonzero(cov) == np.count_nonzero(np.diag(cov))
    floor = 0.0 if plain else 4.0 * len(cov) * float(np.finfo(float).eps) * values[-1]
    return (vectors * np.sqrt(np.where(values > floor, values, 0.0)))[:, ::-1]
