r"""Two coordinates together, by tables: for dimensions so large that their law is smooth.

For $\xi = \cos\alpha\,c'_1 + \sin\alpha\,c'_2$, with n and Q the normal density and tail and $w = \cos^2\alpha$,

$$E(c'_1;\,\xi > k) = \cos\alpha\,[n(k) + \beta_1 + k^2 S_1],\quad E(c'_2;\,\xi > k) = \sin\alpha\,[n(k) + \beta_2 +
k^2 S_2], \quad P(\xi > k) = Q(k) + k\,S_3,$$

where beta_1, beta_2 depend on w alone and S_1, S_2, S_3 are smooth in k^2 and w: Chebyshev series in
$k^2/(k^2 + 30)$ with polynomials in w as coefficients.
"""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ._chebyshev import chebyshev_fit, chebyshev_points
from ._coordinate import coordinate, gauss_coordinate
from ._pair_rule import Moments, moments_by_rule

SMOOTH_FROM = 32
"""The least dimension for which the tables hold to 1e-12."""

_FARTHEST = 9.0
_MIDDLE = 30.0
_TOP = _FARTHEST**2 / (_FARTHEST**2 + _MIDDLE)
_POINTS = (56, 32)
_SMALL = 1e-16
# Up to 20 in steps of 2 pi/22: images of the law lie 22 apart, and their tails are below 1e-17 at k <= 9.
_FREQUENCIES = 2 * np.pi / 22.0 * np.arange(1, 71)


class Tables(NamedTuple):
    """`starts`: powers of 2 w - 1 in beta_1 and beta_2 [2, J]; `slopes` [I, 3, J]: those in the Chebyshev
    coefficients."""

    starts: Float[np.ndarray, "2 J"]
    slopes: Float[np.ndarray, "I 3 J"]


def pair_moments(dims: tuple[float, float], cos: Any, sin: Any, k: Any, *, centred: bool) -> Moments:
    r"""$E(c'_1;\,\xi > k)$, $E(c'_2;\,\xi > k)$, $P(\xi > k)$ for $\xi = \cos\alpha\,c'_1 + \sin\alpha\,c'_2$, to
    1e-12.

    c'_1 and c'_2 are independent coordinates in dimensions `dims` (see `coordinate`), at most one of them infinite;
    `cos`, `sin` >= 0.

    `centred`: the first two may be given less a number that does not depend on k. Where it loses no digits at small k
    that is done: for dimensions from 32 on.
    """
    if min(dims) >= SMOOTH_FROM:
        return moments_by_table(dims, cos, sin, k, centred=centred)
    return moments_by_rule(dims, cos, sin, k)


def moments_by_table(dims: tuple[float, float], cos: Any, sin: Any, k: Any, *, centred: bool) -> Moments:
    """The moments to 1e-12, for dimensions from `SMOOTH_FROM` on, infinity included.

    `centred`: the first two less their values at k = 0, which loses no digits at small k.
    """
    normal, tables = coordinate(math.inf), _tables(*dims)
    square = jnp.minimum(k * k, _FARTHEST**2)
    y = (2.0 / _TOP) * (square / (square + _MIDDLE)) - 1.0
    w = (cos - sin) * (cos + sin)
    twice, zero = 2.0 * y, 0.0 * (y + w)

    def clenshaw_step(carry: Any, rows: Any) -> tuple[Any, None]:
        return tuple((twice * a + (_polynomial(rows[i], w) - b), a) for i, (a, b) in enumerate(carry)), None

    # A loop over the coefficients: unrolled, the compiler takes minutes and gigabytes.
    rows = jnp.asarray(tables.slopes[::-1], k.dtype)
    last = jax.lax.scan(clenshaw_step, ((zero, zero),) * 3, rows, unroll=2)[0]
    slopes = [a - y * b for a, b in last]
    risen = jnp.expm1(normal.log_bell(k))
    sides = [normal.peak * risen + square * slope for slope in slopes[:2]]
    if not centred:
        sides = [side + normal.peak + _polynomial(tables.starts[i], w) for i, side in enumerate(sides)]
    tail = normal.tail(k, 1.0 + risen) + jnp.clip(k, -_FARTHEST, _FARTHEST) * slopes[2]
    return Moments(cos * sides[0], sin * sides[1], tail)


def _polynomial(powers: Any, x: Any) -> Any:
    total = powers[-1]
    for j in range(powers.shape[0] - 2, -1, -1):
        total = total * x + powers[j]
    return total


@functools.cache
def _tables(first: float, second: float) -> Tables:
    share = 0.5 * (chebyshev_points(_POINTS[0]) + 1.0) * _TOP
    k, w = np.sqrt(_MIDDLE * share / (1.0 - share)), 0.5 * (chebyshev_points(_POINTS[1]) + 1.0)
    starts, slopes = _by_frequencies(first, second, k, w)
    series = chebyshev_fit(np.moveaxis(chebyshev_fit(np.moveaxis(slopes, 1, 0)), 2, 0))
    # [J, I, 3] of T_j(2 w - 1) T_i(y), without what is below rounding.
    large = np.abs(series) > _SMALL
    keep_w, keep_k = (int(np.flatnonzero(large.any(axis)).max()) + 1 for axis in ((1, 2), (0, 2)))
    powers = _powers(keep_w)
    return Tables(
        (powers @ chebyshev_fit(starts.T)[:keep_w]).T,
        np.einsum("jl,lis->isj", powers, np.where(large, series, 0.0)[:keep_w, :keep_k]),
    )


def _powers(n: int) -> Float[np.ndarray, "n n"]:
    """The powers of x in T_0, ..., T_{n-1}, one a column."""
    columns = [np.polynomial.chebyshev.cheb2poly(row[: i + 1]) for i, row in enumerate(np.eye(n))]
    return np.stack([np.pad(column, (0, n - len(column))) for column in columns], axis=1)


def _by_frequencies(
    first: float, second: float, k: Float[np.ndarray, " n"], w: Float[np.ndarray, " m"]
) -> tuple[Float[np.ndarray, "2 m"], Float[np.ndarray, "3 n m"]]:
    r"""beta_1, beta_2 at w; S_1, S_2, S_3 at (k, w).

    The characteristic function of xi is $\chi_1(t \cos\alpha)\,\chi_2(t \sin\alpha)$; that of
    $E(c'_1;\,\xi > k)/\cos\alpha$ as a function of k has $-\chi_1'(u)/u$ in the place of chi_1. The trapezoidal rule
    in t is exact but for the images of the law.
    """
    t = _FREQUENCIES
    chi_1, eta_1 = _characteristic(first, np.multiply.outer(np.sqrt(w), t))
    chi_2, eta_2 = _characteristic(second, np.multiply.outer(np.sqrt(1.0 - w), t))
    step, normal = t[0] / np.pi, np.exp(-0.5 * t * t)
    differences = [eta_1 * chi_2 - normal, chi_1 * eta_2 - normal]
    # (cos(kt) - 1)/k^2 without the cancellation.
    fall = -2.0 * (np.sin(0.5 * np.multiply.outer(k, t)) / k[:, None]) ** 2
    rise = np.sin(np.multiply.outer(k, t)) / k[:, None]
    slopes = [step * fall @ d.T for d in differences]
    slopes.append(-step * rise @ ((chi_1 * chi_2 - normal) / t).T)
    return np.stack([step * d.sum(axis=1) for d in differences]), np.stack(slopes)


def _characteristic(dim: float, u: Float[np.ndarray, "m t"]) -> tuple[np.ndarray, np.ndarray]:
    """chi(u) = E cos(u c') and -chi'(u)/u = E c' sin(u c')/u."""
    if dim == math.inf:
        normal = np.exp(-0.5 * u * u)
        return normal, normal
    # 100 positive nodes: exact to rounding for frequencies up to 20.
    nodes, weights = gauss_coordinate(dim, 200)
    nodes, weights = nodes[100:], 2.0 * weights[100:]
    angle = np.multiply.outer(u, nodes)
    return np.cos(angle) @ weights, np.sinc(angle / np.pi) @ (weights * nodes**2)
