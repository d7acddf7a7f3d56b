"""Moments, covariance and quantiles of a measure."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from widelimit.numerics import Count, whole_number

from ._density import Measure


def moment(measure: Measure, order: Count = 1) -> Float[Array, " D"]:
    r"""Componentwise moments of order k >= 0,

    $$m_j = \int \theta_j^k\,\rho(d\theta)$$

    for j = 1..D; not divided by the mass. Raises `ValueError` for an order that is no integer >= 0.
    """
    return _moment(measure.positions, measure.weights, whole_number(order, "moment(order=...)", least=0))


@partial(jax.jit, static_argnums=2)
def _moment(x: Float[Array, "N D"], w: Float[Array, " N"], order: int) -> Float[Array, " D"]:
    return w @ x**order


def covariance(measure: Measure) -> Float[Array, "D D"]:
    r"""The covariance of the measure divided by its mass,

    $$C = \frac1{\rho(1)}\int (\theta - m)(\theta - m)^T \rho(d\theta),\qquad
    m = \frac1{\rho(1)}\int \theta\,\rho(d\theta).$$

    A signed measure of mass 0 has none: the result is not finite.
    """
    return _covariance(measure.positions, measure.weights)


@jax.jit
def _covariance(x: Float[Array, "N D"], w: Float[Array, " N"]) -> Float[Array, "D D"]:
    weights = w / jnp.sum(w)
    centred = x - weights @ x
    return (centred.T * weights) @ centred


def quantiles(measure: Measure, levels: Any, column: int = 0) -> Float[Array, "*levels"]:
    r"""Quantiles of one column: the inverse distribution function of the atoms,

    $$q(p) = \inf\{x : F(x) \ge p\},\qquad F(x) = \rho(\theta_j \le x)/\rho(1).$$

    No interpolation: each value is an atom of positive weight, q(0) the least of them. F is compared to
    within 64 rounding units, so that ten atoms of weight 0.1 have their eighth at level 0.8.

    - `levels`: numbers in [0, 1], of any shape; the result has the same.
    - `column`: j in 0..D-1.

    Raises `ValueError` for other levels or columns, and for weights that are negative or all zero (inside
    `jax.jit` values cannot be seen and are not checked).
    """
    if isinstance(column, bool) or not 0 <= column < measure.dim:
        raise ValueError(f"quantiles(column=...): must lie in 0..{measure.dim - 1}, got {column!r}.")
    if not isinstance(levels, Tracer):
        given = np.asarray(levels, float)
        if not np.all((given >= 0) & (given <= 1)):
            raise ValueError(f"quantiles(levels=...): must lie in [0, 1], got {levels!r}.")
    if not isinstance(measure.weights, Tracer):
        weights = np.asarray(measure.weights)
        if np.any(weights < 0) or not weights.sum() > 0:
            raise ValueError("quantiles(measure=...): the weights must be non-negative and not all zero.")
    return _inverse_distribution(
        measure.positions[:, column], measure.weights, jnp.asarray(levels, measure.weights.dtype)
    )


@jax.jit
def _inverse_distribution(
    x: Float[Array, " N"], w: Float[Array, " N"], levels: Float[Array, "*levels"]
) -> Float[Array, "*levels"]:
    order = jnp.argsort(x)
    reached = jnp.cumsum(w[order])
    reached = reached / reached[-1]
    info = jnp.finfo(w.dtype)
    # At least the smallest normal number, so that level 0 passes over leading atoms without mass.
    target = jnp.maximum(levels - 64 * info.eps, info.tiny)
    return x[order][jnp.searchsorted(reached, target, side="left")]
