r"""The spherical mean of a piecewise-linear function, two groups: $E\,\sigma(u c'_1 + v c'_2 + b)$.

With $\rho = |(u, v)|$, $u = \rho\cos\alpha$, $v = \rho\sin\alpha$, $t'_j = t_j - b$, $k_j = t'_j/\rho$ and the
moments $B_1, B_2, P$ of `_spherical_pair`,

$$E\,\sigma = v_0 + l_0 (b - t_1) + \sum_j m_j\,[u B_1(k_j) + v B_2(k_j) - t'_j P(k_j)],$$
$$\partial_u = \sum_j m_j B_1(k_j),\quad \partial_v = \sum_j m_j B_2(k_j),\quad \partial_b = l_0 + \sum_j m_j P(k_j).$$
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from ..activations import Pieces
from ._spherical_pair import SMOOTH_FROM, Moments, narrow_pair, tabled_pair
from ._spherical_ramps import is_parallel, offset


@functools.cache
def pair_of(first: float, second: float) -> Any:
    """The law of two coordinates: by tables where both groups are large, else by a rule over the smaller one's."""
    if min(first, second) >= SMOOTH_FROM:
        return tabled_pair(first, second)
    return narrow_pair(first, second)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def mean(pieces: Pieces, dims: tuple[float, float], u: Any, v: Any, b: Any) -> Any:
    """E sigma(u c'_1 + v c'_2 + b) for u, v >= 0."""
    total = offset(pieces, b)
    for bend, shift, moments in _terms(pieces, dims, u, v, b, centred=is_parallel(pieces)):
        total = total + bend * (u * moments.first + v * moments.second - shift * moments.tail)
    return total


@mean.defjvp
def _mean_jvp(pieces: Pieces, dims: tuple[float, float], at: Any, moved: Any) -> Any:
    (u, v, b), (du, dv, db) = at, moved
    terms = _terms(pieces, dims, u, v, b, centred=False)
    in_u = sum(bend * moments.first for bend, _, moments in terms)
    in_v = sum(bend * moments.second for bend, _, moments in terms)
    in_b = pieces.slopes[0] + sum(bend * moments.tail for bend, _, moments in terms)
    return mean(pieces, dims, u, v, b), in_u * du + in_v * dv + in_b * db


def _terms(
    pieces: Pieces, dims: tuple[float, float], u: Any, v: Any, b: Any, *, centred: bool
) -> list[tuple[float, Any, Moments]]:
    """For each knot: m_j, t'_j and the moments at k_j."""
    pair = pair_of(*dims)
    square = u * u + v * v
    apart = square > 0
    rho = jnp.sqrt(jnp.where(apart, square, 1.0))
    # At u = v = 0 the direction does not matter, and every knot is far on its side; one that is met counts half.
    cos, sin = jnp.where(apart, u / rho, 1.0), jnp.where(apart, v / rho, 0.0)
    out = []
    for bend, knot in zip(pieces.bends, pieces.knots, strict=True):
        if bend:
            shift = knot - b
            k = jnp.where(apart, shift / rho, 1e3 * jnp.sign(shift))
            out.append((bend, shift, pair.moments(cos, sin, jnp.clip(k, -1e3, 1e3), centred)))
    return out
