r"""The mean of exp(v . u) over directions u: modified Bessel functions of any order, scaled, with exact derivatives.

For u uniform on the unit sphere of R^d and s = |v|

$$M_d(s^2) = E\,e^{v \cdot u} = \Gamma(d/2)\,(2/s)^{d/2-1}\,I_{d/2-1}(s) = {}_0F_1(; d/2; s^2/4),\qquad
\frac{d M_d}{d(s^2)} = \frac{M_{d+2}}{2d}.$$

The derivative is a function of the same family, so that derivatives of all orders keep their digits.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ._chebyshev import chebyshev_fit, chebyshev_points, clenshaw

# Up to this s the power series, whose terms are all positive, is short; it needs no exponential.
_SERIES = 12.0
# Chebyshev coefficients beyond it.
_TERMS = 40
_ROUNDING = float(np.finfo(float).eps)


def sphere_mean(dim: int, square: Float[Array, "..."], shift: Any = 0.0) -> Float[Array, "..."]:
    r"""$e^{-\mathrm{shift}}\,M_d(\mathrm{square})$, entry by entry, for square >= 0 (rounding below 0 does no harm).

    Right to 1e-13 relative (beside the rounding of the exponent) for every dim >= 1; a shift near sqrt(square) keeps it
    from overflow.
    """
    return _tower(dim, dim, False, square, shift)[0]


def sphere_means(
    dim: int, count: int, square: Float[Array, "..."], shift: Any = 0.0
) -> tuple[Float[Array, "..."], ...]:
    """`sphere_mean` for dim, dim + 2, ...: `count` of them in the time of two."""
    return _tower(dim, dim + 2 * (count - 1), False, square, shift)


def sphere_mean_table(dim: int, square: Float[Array, "..."], shift: Any = 0.0) -> Float[Array, "..."]:
    """`sphere_mean` of a table, in half the time where the short series will do for all its entries."""
    return _tower(dim, dim, True, square, shift)[0]


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
def _tower(first: int, last: int, table: bool, square: Any, shift: Any) -> tuple[Float[Array, "..."], ...]:
    r"""M_d for d = first, first + 2, ..., last: the last two, and down from them by
    $M_{d-2} = M_d + \frac{s^2}{d(d-2)} M_{d+2}$, in which nothing cancels."""
    square = jnp.asarray(square)
    means = [_mean(d, table, square, shift) for d in range(last, max(first, last - 2) - 1, -2)]
    for d in range(last - 2, first, -2):
        means.append(means[-1] + square / (d * (d - 2)) * means[-2])
    return tuple(reversed(means))


@_tower.defjvp
def _tower_jvp(first: int, last: int, table: bool, primals: Any, tangents: Any) -> tuple[Any, Any]:
    means = _tower(first, last + 2, table, *primals)
    moved, shifted = tangents
    each = zip(range(first, last + 2, 2), means[:-1], means[1:], strict=True)
    return means[:-1], tuple(above / (2.0 * d) * moved - mean * shifted for d, mean, above in each)


def _mean(dim: int, table: bool, square: Float[Array, "..."], shift: Any) -> Float[Array, "..."]:
    scaled = jnp.exp(-jnp.asarray(shift, square.dtype))
    if not table:
        return _everywhere(dim, square, shift, scaled)
    return jax.lax.cond(
        jnp.all(square <= _SERIES**2),
        lambda: scaled * _series(dim, square),
        lambda: _everywhere(dim, square, shift, scaled),
    )


def _everywhere(dim: int, square: Float[Array, "..."], shift: Any, scaled: Float[Array, "..."]) -> Float[Array, "..."]:
    s = jnp.sqrt(jnp.maximum(square, _SERIES**2))
    near = scaled * _series(dim, jnp.minimum(square, _SERIES**2))
    return jnp.where(square <= _SERIES**2, near, jnp.exp(s - shift + _log_scaled(dim, s)))


def _series(dim: int, square: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""$\sum_k (s^2/4)^k / (k!\,(d/2)_k)$ by Horner's rule."""
    total = jnp.ones_like(square)
    for k in range(_count(dim), 0, -1):
        total = 1.0 + total * (square * (0.5 / (k * (dim + 2 * k - 2))))
    return total


def _count(dim: int) -> int:
    """How many terms leave less than rounding at the end of the series."""
    term = total = 1.0
    k = 0
    while term > 0.1 * _ROUNDING * total:
        k += 1
        term *= 0.5 * _SERIES**2 / (k * (dim + 2 * k - 2))
        total += term
    return k


def _log_scaled(dim: int, s: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""$\log(e^{-s} M_d(s^2))$ for s beyond the series: $-\frac{d-1}{2}\log(1 + (s - s_0)/c)$ and a Chebyshev series in
    (s - s_0)/(s - s_0 + c), in which it is smooth up to s = infinity."""
    c = _length(dim)
    x = 1.0 - 2.0 * c / (s - _SERIES + c)
    return clenshaw(_coefficients(dim), x) - 0.5 * (dim - 1) * jnp.log1p((s - _SERIES) / c)


def _length(dim: int) -> float:
    return _SERIES + 0.5 * dim


@functools.cache
def _coefficients(dim: int) -> tuple[float, ...]:
    """Those above the rounding of what they are fitted to."""
    x, c = chebyshev_points(_TERMS), _length(dim)
    s = _SERIES + c * (1.0 + x) / (1.0 - x)
    scaled = _log_on_host(dim, s)
    found = chebyshev_fit(scaled + 0.5 * (dim - 1) * np.log1p((s - _SERIES) / c))
    seen = np.abs(found) > 0.5 * _ROUNDING * max(1.0, np.max(np.abs(scaled)))
    return tuple(found[: 1 + np.flatnonzero(seen)[-1]].tolist())


def _log_on_host(dim: int, s: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    r"""$\log(e^{-s} M_d(s^2))$ from d = 1 (cosh) or 2 (I_0) by the ratios $\rho_d = M_{d+2}/M_d$, all in (0, 1]:
    $\rho_d = 1/(1 + \frac{s^2}{d(d+2)} \rho_{d+2})$, a recurrence that forgets its start."""
    first = 2 - dim % 2
    # A start with an error of 1/d^2 (Amos's bound), so far up that the errors are forgotten.
    last = dim + 128 + 2 * int(8.0 * np.sqrt(np.max(s)))
    last += (last - first) % 2
    ratio = 2.0 * last / (last + np.sqrt(last**2 + 4.0 * s**2))
    total = np.zeros_like(s)
    for d in range(last - 2, first - 2, -2):
        ratio = 1.0 / (1.0 + s**2 / (d * (d + 2.0)) * ratio)
        total += np.log(ratio) if d < dim else 0.0
    if first == 1:
        return total + np.log1p(np.exp(-2.0 * s)) - np.log(2.0)
    from scipy.special import i0e

    return total + np.log(i0e(s))
