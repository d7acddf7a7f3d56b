r"""Two coordinates together, by a Gauss rule over one of them: for any two dimensions.

For $\xi = \cos\alpha\,c'_1 + \sin\alpha\,c'_2$ of independent coordinates (see `_coordinate`),

$$P(\xi > k) = \int p_1(c)\,P_2\Big(\frac{k - c \cos\alpha}{\sin\alpha}\Big)\,dc,$$

and the same with c p_1 in the place of p_1, and with B_2 in the place of P_2. Only where c' of the second group
decides is there anything to integrate: c beyond that interval gives P_1 and B_1 at its end, in closed form. So the rule
is as good for a thin second coordinate (sin alpha near 0) as for a thick one.
"""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ._coordinate import coordinate


class Moments(NamedTuple):
    r"""$E(c'_1;\,\xi > k)$, $E(c'_2;\,\xi > k)$ and $P(\xi > k)$."""

    first: Float[Array, "..."]
    second: Float[Array, "..."]
    tail: Float[Array, "..."]


# P(c' > 8.3) < 1e-16 in every dimension.
_WIDEST = 8.3


def moments_by_rule(dims: tuple[float, float], cos: Any, sin: Any, k: Any) -> Moments:
    """The moments to 1e-13, in any two dimensions of which at most one is infinite."""
    if dims[0] <= dims[1]:
        return _ordered(dims, cos, sin, k)
    second, first, tail = _ordered((dims[1], dims[0]), sin, cos, k)
    return Moments(first, second, tail)


def _ordered(dims: tuple[float, float], thick: Any, thin: Any, k: Any) -> Moments:
    """The coordinate of the smaller group is integrated over, $c = \\sqrt{d_1}\\,2\\tau/(1 + \\tau^2)$.

    In tau, the tangent of half the angle, the density is smooth up to its ends in every dimension.
    """
    outer, inner = coordinate(dims[0]), coordinate(dims[1])
    width = min(inner.edge, _WIDEST) * thin
    size = outer.edge * jnp.maximum(thick, 1e-300)
    # At both ends the integrand meets what lies outside, so moving them changes nothing.
    low, high = (jax.lax.stop_gradient(jnp.clip((k + side) / size, -1.0, 1.0)) for side in (-width, width))
    start, stop = (x / (1.0 + jnp.sqrt(1.0 - x * x)) for x in (low, high))
    middle, half = 0.5 * (start + stop), 0.5 * (stop - start)
    bell = jnp.exp(outer.log_bell(outer.edge * high))
    closed = Moments(outer.half_mean * bell, 0.0 * (bell + thin), outer.tail(outer.edge * high, bell))
    steep = jnp.where(thin > 0, 1.0 / jnp.where(thin > 0, thin, 1.0), 0.0)

    def add(total: Moments, node_and_weight: Any) -> tuple[Moments, None]:
        node, weight = node_and_weight
        tau = middle + half * node
        inverse = 1.0 / (1.0 + tau * tau)
        c = 2.0 * outer.edge * tau * inverse
        shrink = (1.0 - tau * tau) * inverse
        mass = (2.0 * outer.peak * outer.edge * weight) * half * inverse * shrink ** (int(outer.dim) - 2)
        # With nothing to integrate the derivatives would be 0 times those of a point far outside.
        inside = jnp.where(half > 0, (k - thick * c) * steep, 0.0)
        inner_bell = jnp.exp(inner.log_bell(inside))
        above = mass * inner.tail(inside, inner_bell)
        return Moments(total.first + above * c, total.second + mass * inner_bell, total.tail + above), None

    nodes, weights = (jnp.asarray(part, k.dtype) for part in _rule(inner.dim))
    first, second, tail = jax.lax.scan(add, closed, (nodes, weights))[0]
    return Moments(first, inner.half_mean * second, tail)


@functools.cache
def _rule(inner: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on [-1, 1], as many as 1e-13 needs for the worst outer dimension."""
    count = 56 if inner <= 8 else 64 if inner <= 40 else 80
    nodes, weights = (np.asarray(part) for part in np.polynomial.legendre.leggauss(count))
    if inner > 8 or inner % 2:
        return nodes, weights
    # P_2 ends with a half-integer power of the distance in small even dimensions; a sine makes it analytic.
    turn = 0.5 * math.pi
    return np.sin(turn * nodes), turn * weights * np.cos(turn * nodes)
