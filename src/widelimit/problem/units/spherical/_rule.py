r"""The spherical mean of a smooth function by quadrature: $E\,\sigma(\sum_g z_g c'_g + b)$.

One group, in $c' = \sqrt d \tanh(w/\sqrt d)$ with density $p(0) \cosh^{1-d}(w/\sqrt d)$: the midpoint rule in t,
$w = w_0 + \sinh(t)/\sqrt{1 + z^2}$, whose points are dense around the place $w_0$ where the argument of sigma is near
zero. Its error falls exponentially for analytic functions, and slowly grows with log z only. Two groups: a Gauss rule
for the smaller spread, and inside it this rule for the larger, which smooths sigma before the outer rule meets it.
"""

import functools
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.numerics import coordinate, gauss_coordinate

from ...activations import Activation

_POINTS, _INNER, _OUTER = 96, 64, 32
# A transition of sigma farther out than this is under a density too small to be worth the points; nor is one so near
# to the edge of a small sphere, where w is stretched, met better by moving there.
_FARTHEST_CENTRE, _EDGE = 3.0, 0.8
# Where the density counts as zero, relative to its peak.
_LEAST = 18.0 * math.log(10.0)
# The dimension that stands for infinity: the density then differs by less than rounding.
_INFINITE = 1e16


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
        if len(dims) == 1:
            return _one(activation, _shape(dims[0]), z[0], b, refined * _POINTS)
        return _two(activation, dims, z, b, refined)

    return jnp.where(finite, inner(inside, b), jax.lax.stop_gradient(ends))


def _two(activation: Activation, dims: tuple[float, ...], z: list[Any], b: Any, refined: int) -> Any:
    """The group with the larger spread inside."""
    first = z[0] >= z[1]
    large, small = jnp.where(first, z[0], z[1]), jnp.where(first, z[1], z[0])
    shape: Any = tuple(jnp.where(first, one, two) for one, two in zip(_shape(dims[0]), _shape(dims[1]), strict=True))
    nodes, weights = (
        jnp.where(first, jnp.asarray(one, b.dtype), jnp.asarray(two, b.dtype))
        for two, one in zip(_gauss(dims[0], refined * _OUTER), _gauss(dims[1], refined * _OUTER), strict=True)
    )
    values = jax.vmap(lambda c: _one(activation, shape, large, b + small * c, refined * _INNER))(nodes)
    return jnp.dot(weights, values)


def _one(activation: Activation, shape: tuple[Any, Any], z: Any, b: Any, count: int) -> Any:
    c, weights = _midpoint(shape, z, b, count)
    return jnp.dot(weights, jax.vmap(activation)(z * c + b))


def _shape(dim: float) -> tuple[float, float]:
    """The dimension, and the density of c' at 0."""
    return min(dim, _INFINITE), coordinate(dim).peak


def _midpoint(shape: tuple[Any, Any], z: Any, b: Any, count: int) -> tuple[Any, Any]:
    """Values of c' and weights. The points follow z and b, but a derivative sees them as fixed."""
    dim, peak = (jnp.asarray(part, b.dtype) for part in shape)
    z, b = jax.lax.stop_gradient(z), jax.lax.stop_gradient(b)
    root = jnp.sqrt(dim)
    near = jnp.clip(-b * z / (1.0 + z * z), -_FARTHEST_CENTRE, _FARTHEST_CENTRE)
    centre = root * jnp.arctanh(jnp.clip(near / root, -_EDGE, _EDGE))
    steep = jnp.sqrt(1.0 + (z / jnp.cosh(centre / root) ** 2) ** 2)
    # cosh(reach/sqrt d) = exp(x): arccosh in the form that keeps its digits for small x, too.
    x = _LEAST / (dim - 1.0)
    reach = root * (x + jnp.log1p(jnp.sqrt(-jnp.expm1(-2.0 * x))))
    low, high = (jnp.arcsinh(steep * (side - centre)) for side in (-reach, reach))
    share = jnp.asarray((np.arange(count) + 0.5) / count, b.dtype)
    grown = jnp.exp(low + (high - low) * share)
    w = (centre + 0.5 * (grown - 1.0 / grown) / steep) / root
    measure = 0.5 * (grown + 1.0 / grown) / steep * ((high - low) / count)
    return root * jnp.tanh(w), measure * peak * jnp.exp((1.0 - dim) * _log_cosh(w))


def _log_cosh(w: Any) -> Any:
    """log cosh w; near 0 by 2 sinh^2(w/2), which d multiplies and rounding must not."""
    size = jnp.abs(w)
    small = jnp.log1p(2.0 * jnp.sinh(jnp.minimum(size, 1.0) / 2.0) ** 2)
    return jnp.where(size < 1.0, small, size + jnp.log1p(jnp.exp(-2.0 * size)) - math.log(2.0))


@functools.cache
def _gauss(dim: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    return gauss_coordinate(dim, count)


# Spreads r s up to which the error is measured, of one group and of two.
_LARGEST = {1: 1000.0, 2: 100.0}
# That of the closed forms of two groups.
_PAIR_ERROR = 1e-13


def spherical_error(unit: Any) -> float:
    """The error of a `SphericalNeuron`'s mean over directions, relative to its largest value.

    Closed forms: 0 for one group or infinite ones, 1e-13 for two. Smooth activations: the largest change by twice the
    points for r s up to 1000 (two finite groups: up to 100) and, with a bias, b in {-1, 0, 1}.
    """
    dims = (math.inf,) if unit.dims == (math.inf, math.inf) else unit.dims
    if unit.of_activation is not None:
        return 0.0 if len(dims) == 1 else _PAIR_ERROR
    z = np.geomspace(0.1, _LARGEST[len(dims)], 13)
    if len(dims) == 2:
        z = np.concatenate([np.stack([z * math.cos(a), z * math.sin(a)], 1) for a in (0.0, 0.4, 0.785, 1.1, 1.5707)])
    z = jnp.asarray(z.reshape(-1, len(dims)))
    biases = (0.0, 1.0, -1.0) if unit.bias else (0.0,)
    found = [_both(unit.activation, dims, z, jnp.asarray(bias)) for bias in biases]
    # Relative to the largest mean up to there: that of a softplus grows with z. A mean that is zero, as that of an odd
    # function, has rounding errors only.
    size = [np.maximum.accumulate(np.abs(np.asarray(fine)).reshape(-1, 13), axis=1) for _, fine in found]
    error = [np.abs(np.asarray(coarse - fine)).reshape(-1, 13) for coarse, fine in found]
    return float(max(np.max(e / np.maximum(s, 1e-3)) for e, s in zip(error, size, strict=True)))


@eqx.filter_jit
def _both(
    activation: Activation, dims: tuple[float, ...], z: Float[Array, "n G"], bias: Float[Array, ""]
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    def means(refined: int) -> Float[Array, " n"]:
        return jax.vmap(lambda point: mean_by_rule(activation, dims, list(point), bias, refined))(z)

    return means(1), means(2)
