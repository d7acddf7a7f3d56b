r"""The spherical mean of a smooth function by quadrature: $E\,\sigma(\sum_g z_g c'_g + b)$.

One group of dimension from 12 on, in $y = c'/\sqrt{1 - c'^2/d}$ with density $p(0) (1 + y^2/d)^{-d/2}$: the midpoint
rule in t, $y = y_0 + \sinh(t)/\sqrt{1 + z^2}$, whose points are dense around the place $y_0$ where the argument of
sigma is near zero. Its error falls exponentially for analytic functions, and slowly grows with log z only. Small
dimensions and two groups: Gauss rules, exact for polynomials, less so the larger z.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.numerics import coordinate, gauss_coordinate

from ...activations import Activation

# Below, the density's tail in y is too heavy for the midpoint rule; there the Gauss rule is better.
_MIDPOINT_FROM = 12
_POINTS = {"midpoint": 64, "one": 96, "two": 32}
# A transition of sigma farther out than this is under a density too small to be worth the points.
_FARTHEST_CENTRE = 3.0


def mean_by_rule(
    activation: Activation, dims: tuple[float, ...], z: list[Float[Array, ""]], b: Float[Array, ""], refined: int = 1
) -> Float[Array, ""]:
    """E sigma(SUM z_g c'_g + b), z_g >= 0; at z = infinity the mean of sigma's two ends.

    `refined`: how many times more points than usual, to measure the error.
    """
    finite = functools.reduce(jnp.logical_and, [size < math.inf for size in z])
    inside = [jnp.where(finite, size, 1.0) for size in z]
    ends = 0.5 * (activation(jnp.full_like(b, -math.inf)) + activation(jnp.full_like(b, math.inf)))

    # Checkpointed: a derivative over all pairs of particles and data keeps z and b, not the values at the points.
    @jax.checkpoint
    def inner(z: list[Any], b: Any) -> Any:
        points, weights = _points(dims, z, b, refined)
        return jnp.dot(weights, jax.vmap(activation)(points))

    return jnp.where(finite, inner(inside, b), jax.lax.stop_gradient(ends))


def _points(dims: tuple[float, ...], z: list[Any], b: Any, refined: int) -> tuple[Any, Any]:
    """Arguments of sigma and their weights."""
    if len(dims) == 1 and dims[0] >= _MIDPOINT_FROM:
        c, weights = _midpoint(dims[0], z[0], b, refined * _POINTS["midpoint"])
        return z[0] * c + b, weights
    nodes, weights = _gauss(dims, refined * _POINTS["one" if len(dims) == 1 else "two"])
    return sum(size * jnp.asarray(part, b.dtype) for size, part in zip(z, nodes, strict=True)) + b, jnp.asarray(
        weights, b.dtype
    )


def _midpoint(dim: float, z: Any, b: Any, count: int) -> tuple[Any, Any]:
    """Values of c' and weights. The points follow z and b, but a derivative sees them as fixed."""
    z, b = jax.lax.stop_gradient(z), jax.lax.stop_gradient(b)
    square = 1.0 + z * z
    steep, centre = jnp.sqrt(square), jnp.clip(-b * z / square, -_FARTHEST_CENTRE, _FARTHEST_CENTRE)
    # The density is 1e-18 of its peak there.
    reach = math.sqrt(36.0 * math.log(10.0)) if dim == math.inf else math.sqrt(dim * (10.0 ** (36.0 / dim) - 1.0))
    low, high = (jnp.arcsinh(steep * (side - centre)) for side in (-reach, reach))
    share = jnp.asarray((np.arange(count) + 0.5) / count, b.dtype)
    grown = jnp.exp(low + (high - low) * share)
    y = centre + 0.5 * (grown - 1.0 / grown) / steep
    measure = 0.5 * (grown + 1.0 / grown) / steep * ((high - low) / count)
    law = coordinate(dim)
    if dim == math.inf:
        return y, measure * law.peak * jnp.exp(-0.5 * y * y)
    room = 1.0 + y * y / dim
    return y / jnp.sqrt(room), measure * law.peak * jnp.exp(-0.5 * dim * jnp.log(room))


@functools.cache
def _gauss(dims: tuple[float, ...], count: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Nodes, one array a group, and weights of the tensor rule."""
    rules = [gauss_coordinate(dim, count) for dim in dims]
    grid = np.meshgrid(*[nodes for nodes, _ in rules], indexing="ij")
    weights = functools.reduce(np.multiply.outer, [w for _, w in rules]).ravel()
    # What is below rounding costs time and gives nothing.
    kept = weights > 1e-18
    return [part.ravel()[kept] for part in grid], weights[kept]
