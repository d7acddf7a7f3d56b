"""The spherical 3-spin model as a target."""

import itertools
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import laws

from ._data import AbstractData, Harmonic, as_numbers


class ThreeSpin(AbstractData):
    r"""x uniform on the sphere of radius $\sqrt d$, $y = \frac1d \sum_{pqr} a_{pqr} x_p x_q x_r$ (rotskoff2018 (4.1)).

    The target is a sum of harmonics: with S the symmetric part of a, $t_j = \sum_i S_{iij}$, and S' what is left of S
    without its traces

    $$y = \tfrac{3}{d+2}\,t \cdot x + \tfrac1d \sum_{pqr} S'_{pqr}\,x_p x_q x_r,\qquad
    E y^2 = \frac{9 |t|^2}{(d+2)^2} + \frac{6 |S'|^2}{(d+2)(d+4)} .$$

    - `coefficients`: a, [d, d, d] with d >= 2; only its symmetric part counts, and is what is kept.

    `batch` draws fresh inputs. Raises `ValueError` for coefficients that are not a cube or not finite.
    """

    coefficients: Float[Array, "d d d"]
    outputs: ClassVar[tuple[int, ...]] = ()
    advice = " The risk of units.RadialBasis and units.Exponential under a squared loss needs none."

    def __init__(self, coefficients: Any) -> None:
        given = as_numbers(coefficients, "ThreeSpin(coefficients=...)")
        if given.ndim != 3 or len(set(given.shape)) != 1 or given.shape[0] < 2:
            raise ValueError(
                f"ThreeSpin(coefficients=...): expected a cube [d, d, d] with d >= 2, got shape {given.shape}."
            )
        if not isinstance(given, Tracer) and not np.all(np.isfinite(given)):
            raise ValueError("ThreeSpin(coefficients=...): must be finite.")
        self.coefficients = sum(map(given.transpose, itertools.permutations(range(3))), jnp.zeros_like(given)) / 6.0

    @property
    def inputs(self) -> int:
        return self.coefficients.shape[0]

    def target(self, x: Float[Array, " d"]) -> Float[Array, ""]:
        """y at one input, by (4.1) for any x in R^d."""
        return _cubic(self.coefficients, x) / self.inputs

    def target_at(self, x: Float[Array, "n d"], who: str) -> Float[Array, "n ..."]:
        return jax.vmap(self.target)(x)

    def batch(self, key: PRNGKeyArray, n: int) -> tuple[Float[Array, "n d"], Float[Array, "n ..."]]:
        d, dtype = self.inputs, self.coefficients.dtype
        x = laws.Sphere(d, radius=jnp.sqrt(jnp.asarray(d, dtype))).sample(n, key=key).positions.astype(dtype)
        return x, self.target_at(x, "ThreeSpin.batch")

    @property
    def harmonics(self) -> tuple[Harmonic, ...]:
        # Nothing is computed until it is asked for: who only wants to know whether there are any pays nothing.
        d = self.inputs
        return (
            Harmonic(1, lambda x: jnp.dot(self._slope(), x), lambda: jnp.sum(self._slope() ** 2)),
            Harmonic(
                3,
                lambda x: _cubic(self._traceless(), x) / d,
                lambda: 6.0 * jnp.sum(self._traceless() ** 2) / ((d + 2) * (d + 4)),
            ),
        )

    def _slope(self) -> Float[Array, " d"]:
        return 3.0 / (self.inputs + 2) * jnp.trace(self.coefficients)

    def _traceless(self) -> Float[Array, "d d d"]:
        """S'. The trace of the symmetric part of v x I is (d + 2)/3 v."""
        parts = jnp.einsum("i,jk->ijk", self._slope(), jnp.eye(self.inputs, dtype=self.coefficients.dtype))
        return self.coefficients - (parts + parts.transpose(1, 0, 2) + parts.transpose(1, 2, 0)) / 3.0


@jax.custom_jvp
def _cubic(tensor: Float[Array, "d d d"], x: Float[Array, " d"]) -> Float[Array, ""]:
    """SUM S_pqr x_p x_q x_r of a symmetric S: its gradient, 3 S x x, is nearly the value."""
    return jnp.dot(_twice(tensor, x), x)


@_cubic.defjvp
def _cubic_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    (tensor, x), (turned, moved) = primals, tangents
    slope = _twice(tensor, x)
    return jnp.dot(slope, x), 3.0 * jnp.dot(slope, moved) + jnp.dot(_twice(turned, x), x)


def _twice(tensor: Float[Array, "d d d"], x: Float[Array, " d"]) -> Float[Array, " d"]:
    # One matrix product for all inputs, with the rows x x^T.
    return tensor.reshape(x.shape[0], -1) @ jnp.outer(x, x).ravel()
