r"""The spherical mean of a piecewise-linear function, two groups: $E\,\sigma(u c'_1 + v c'_2 + b)$.

With $\rho = |(u, v)|$, $u = \rho\cos\alpha$, $v = \rho\sin\alpha$, $t'_j = t_j - b$, $k_j = t'_j/\rho$ and
$\xi = \cos\alpha\,c'_1 + \sin\alpha\,c'_2$,

$$E\,\sigma = v_0 + l_0 (b - t_1) + \sum_j m_j\,[u B_1(k_j) + v B_2(k_j) - t'_j P(k_j)],\qquad
B_g(k) = E(c'_g;\,\xi > k),\quad P(k) = P(\xi > k),$$
$$\partial_u = \sum_j m_j B_1(k_j),\quad \partial_v = \sum_j m_j B_2(k_j),\quad \partial_b = l_0 + \sum_j m_j P(k_j).$$
"""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.numerics import SMOOTH_FROM, pair_moments

from ...activations import Pieces
from ._ramps import is_parallel, offset

# No knot is farther than this many standard deviations: P is 0 or 1 long before.
_FAR = 40.0
# Where sigma is as steep at both ends, u times its slope is t'^2/u at large u. From here on that is less than the
# rounding of moments by a rule, times u.
_NEGLIGIBLE_FROM = 1e8


class Slopes(NamedTuple):
    """The derivatives in u, v and b; and SUM m_j t'_j P(k_j), which the value needs."""

    in_u: Float[Array, "..."]
    in_v: Float[Array, "..."]
    in_b: Float[Array, "..."]
    shifted: Float[Array, "..."]


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def mean(pieces: Pieces, dims: tuple[float, float], u: Any, v: Any, b: Any) -> Float[Array, "..."]:
    """E sigma(u c'_1 + v c'_2 + b) for u, v >= 0; infinity included where sigma is as steep at both ends."""
    slopes = _slopes(pieces, dims, u, v, b)
    if is_parallel(pieces):
        # At infinity the slopes are zero and so are, in the limit, their products with u and v.
        end = math.inf if min(dims) >= SMOOTH_FROM else _NEGLIGIBLE_FROM
        u, v = jnp.where(u < end, u, 0.0), jnp.where(v < end, v, 0.0)
    return offset(pieces, b) + u * slopes.in_u + v * slopes.in_v - slopes.shifted


@mean.defjvp
def _mean_jvp(pieces: Pieces, dims: tuple[float, float], at: Any, moved: Any) -> Any:
    (u, v, b), (du, dv, db) = at, moved
    slopes = _slopes(pieces, dims, u, v, b)
    return mean(pieces, dims, u, v, b), slopes.in_u * du + slopes.in_v * dv + slopes.in_b * db


def _slopes(pieces: Pieces, dims: tuple[float, float], u: Any, v: Any, b: Any) -> Slopes:
    bends, knots = zip(*((m, t) for m, t in zip(pieces.bends, pieces.knots, strict=True) if m), strict=True)
    square = u * u + v * v
    inside = (square > 0) & (square < math.inf)
    # At u = v = 0 the derivatives are those along the diagonal; at infinity no direction is left to matter.
    u_safe, v_safe = jnp.where(inside, u, 1.0), jnp.where(inside, v, 1.0)
    rho = jnp.sqrt(u_safe * u_safe + v_safe * v_safe)
    # One call for all knots: the moments are compiled once.
    shift = jnp.stack([knot - b for knot in knots])
    outside = jnp.where(square > 0, 0.0, _FAR * jnp.sign(shift))
    k = jnp.clip(jnp.where(inside, shift / rho, outside), -_FAR, _FAR)
    parallel = is_parallel(pieces)
    cos, sin = (jnp.broadcast_to(side / rho, k.shape) for side in (u_safe, v_safe))
    first, second, tail = pair_moments(dims, cos, sin, k, centred=parallel)
    weights = jnp.asarray(bends, k.dtype)
    in_u, in_v, in_b, shifted = (jnp.tensordot(weights, part, axes=1) for part in (first, second, tail, shift * tail))
    if parallel:
        in_u, in_v = jnp.where(square < math.inf, in_u, 0.0), jnp.where(square < math.inf, in_v, 0.0)
    return Slopes(in_u, in_v, pieces.slopes[0] + in_b, shifted)
