"""How exact the mean over directions is, where it is taken by quadrature."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ._neuron import SphericalNeuron
from ._rule import mean_by_rule

# Lengths of one group up to 10, of two up to 2: training seldom goes beyond, and the rule of two is a coarse one.
_LONGEST = {1: 10.0, 2: 2.0}
_PAIR_ERROR = 1e-13


def spherical_error(unit: SphericalNeuron) -> float:
    """The error of the mean over directions, relative to its largest value.

    Closed forms: 0 for one group or infinite ones, 1e-13 for two. Smooth activations: the largest change by twice the
    points for r s up to 10 (two finite groups: up to 2) and, with a bias, b in {-1, 0, 1}.
    """
    dims = (math.inf,) if unit.dims == (math.inf, math.inf) else unit.dims
    if unit.pieces is not None:
        return 0.0 if len(dims) == 1 else _PAIR_ERROR
    z = np.geomspace(0.1, _LONGEST[len(dims)], 9)
    if len(dims) == 2:
        z = np.concatenate([np.stack([z * math.cos(a), z * math.sin(a)], 1) for a in (0.0, 0.4, 1.1, 0.5 * math.pi)])
    z = jnp.asarray(z.reshape(-1, len(dims)))
    biases = (0.0, 1.0, -1.0) if unit.bias else (0.0,)
    found = [_both(unit, dims, z, jnp.asarray(bias)) for bias in biases]
    size = max(float(jnp.max(jnp.abs(fine))) for _, fine in found)
    # A mean that is zero, as that of an odd function, has rounding errors only.
    return max(float(jnp.max(jnp.abs(coarse - fine))) for coarse, fine in found) / max(size, 1e-3)


@eqx.filter_jit
def _both(
    unit: SphericalNeuron, dims: tuple[float, ...], z: Float[Array, "n G"], bias: Float[Array, ""]
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    def means(refined: int) -> Float[Array, " n"]:
        return jax.vmap(lambda point: mean_by_rule(unit.activation, dims, list(point), bias, refined))(z)

    return means(1), means(2)
