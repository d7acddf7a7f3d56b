r"""What a neuron of a full network fluctuates by when its direction is drawn: the reduced unit forgets it.

$$E\,\sigma^2\Big(\sum_g r_g s_g c'_g + b\Big),$$

by Gauss-Legendre rules between the kinks of sigma, in the angle phi with $c' = \sqrt d \sin\phi$, where the density
$\propto \cos^{d-2}\phi$ is smooth up to the ends.
"""

import functools
import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.numerics import Coordinate, coordinate, gauss_coordinate

from ...activations import Activation

# |c'| > 9 has probability below 4e-19.
_FARTHEST = 9.0
# Between two kinks the integrand is analytic and at most 18 standard deviations long.
_NODES = 64
# A length for infinity: what is missing is of relative size 1e-9.
_LONGEST = 1e9


def mean_square(
    activation: Activation, dims: tuple[float, ...], radius: Any, bias: Any, x: Float[Array, " G"]
) -> Float[Array, ""]:
    """E sigma^2 of one reduced particle at one input: the mean square over the directions of its weight."""
    z = jnp.minimum(jnp.where(x > 0, radius, 0.0), _LONGEST / jnp.where(x > 0, x, 1.0)) * x
    if is_single(dims):
        return _one(activation, coordinate(dims[0]), jnp.sqrt(jnp.sum(z**2)), bias)
    # The group with the larger spread inside: it smooths the kinks before the outer rule meets them.
    first, second = (_two(activation, dims, z, bias, inner) for inner in (0, 1))
    return jnp.where(z[0] >= z[1], first, second)


def evaluations(activation: Activation, dims: tuple[float, ...]) -> int:
    """How many values of sigma a mean square takes, for sizing tables."""
    pieces = len(activation.kinks) + 1
    return pieces * _NODES if is_single(dims) else 2 * pieces * _NODES**2


def is_single(dims: tuple[float, ...]) -> bool:
    """Whether the sum over groups has the law of one coordinate."""
    return len(dims) == 1 or set(dims) == {math.inf}


def _two(activation: Activation, dims: tuple[float, ...], z: Any, bias: Any, inner: int) -> Any:
    nodes, weights = _rule(dims[1 - inner])
    law = coordinate(dims[inner])
    values = jax.vmap(lambda c: _one(activation, law, z[inner], bias + z[1 - inner] * c))(jnp.asarray(nodes))
    return jnp.dot(jnp.asarray(weights), values)


def _one(activation: Activation, law: Coordinate, z: Any, bias: Any) -> Any:
    """E sigma^2(z c' + bias), piece by piece between the kinks."""
    reach = min(law.edge, _FARTHEST)
    inverse = 1.0 / jnp.where(z > 0, z, 1.0)
    # Without spread every kink lies beyond one of the ends.
    ends = [jnp.where(z > 0, (t - bias) * inverse, jnp.where(t > bias, reach, -reach)) for t in activation.kinks]
    ends = [jnp.clip(jnp.asarray(end), -reach, reach) for end in (-reach, *ends, reach)]
    return sum(_piece(activation, law, z, bias, a, b) for a, b in itertools.pairwise(ends))


def _piece(activation: Activation, law: Coordinate, z: Any, bias: Any, a: Any, b: Any) -> Any:
    node, weight = _legendre()
    if law.dim == math.inf:
        c, stretch = 0.5 * (a + b) + 0.5 * (b - a) * node, 0.5 * (b - a)
        density = law.density(c)
    else:
        low, high = jnp.arcsin(a / law.edge), jnp.arcsin(b / law.edge)
        angle, stretch = 0.5 * (low + high) + 0.5 * (high - low) * node, 0.5 * (high - low)
        c = law.edge * jnp.sin(angle)
        density = law.peak * law.edge * jnp.cos(angle) ** (law.dim - 2.0)
    return stretch * jnp.dot(weight, density * jax.vmap(activation)(z * c + bias) ** 2)


@functools.cache
def _legendre() -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(_NODES)


@functools.cache
def _rule(dim: float) -> tuple[np.ndarray, np.ndarray]:
    return gauss_coordinate(dim, _NODES)
