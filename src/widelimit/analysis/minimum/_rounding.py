"""How far a certificate may be wrong by rounding alone.

By convexity R(nu) >= R(f) + <R'(f), f_nu - f> for the prediction f as it was computed: what its errors change is seen
where a true atom stands beside a computed one. So the gap lacks SUM_q |dual_q| e(theta, x_q), e the error of phi, once
at the atoms of the measure and once at the lowest point of psi.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.measure import split
from widelimit.numerics import compiled_quickly, map_rows

from ._depths import Depth, sizes
from ._family import filled

# Points of the region at which errors are looked at, beside those that were found.
_POINTS = 48
_MOST = 200


def rounding(function: Depth, *rows: Float[np.ndarray, "_ D"]) -> float:
    """Twice the largest error of the searched function, at `rows` (a few hundred of each) and all over its region."""
    few = [part[:: -(-len(part) // _MOST)] for part in rows]
    sample = np.asarray(with_charges(function, function.region.row_sample(_POINTS)))
    points = np.concatenate([*few, sample])
    return 2.0 * float(jnp.max(_errors(function, jnp.asarray(filled(points, np.zeros(len(points)))[0]))))


def with_charges(function: Depth, rows: Float[Array | np.ndarray, "k D"]) -> Float[Array | np.ndarray, "k D"]:
    """The same places with the best charge, where a penalty settles it."""
    if function.settled is None or len(rows) == 0:
        return rows
    return _charged(function, function.region.starts(jnp.asarray(rows)))


@compiled_quickly
def _charged(function: Depth, u: Float[Array, "k m"]) -> Float[Array, "k D"]:
    return jax.vmap(function.row)(u)


@compiled_quickly
def _errors(function: Depth, rows: Float[Array, "k D"]) -> Float[Array, " k"]:
    potential = function.potential
    unit, heights = potential.unit, sizes(potential.dual)

    def one(row: Float[Array, " D"]) -> Float[Array, ""]:
        theta = split(potential.blocks, row)
        weight = 1.0 if function.settled is not None else function.weight
        if function.charges is not None:
            # phi~ itself: the charges are counted by their weight, those that are settled by their own size.
            block = unit.linear or ""
            charge = getattr(theta, block)
            weight = weight if function.settled is None else jnp.sqrt(jnp.sum(charge**2))
            theta = theta._replace(**{block: jnp.ones_like(charge)})
        errors = jax.vmap(lambda x: jnp.max(unit.rounding(theta, x)))(potential.x)
        return weight * jnp.sum(heights * errors)

    # A rounding looks at every product of a row and at its size: twice as many numbers as the inputs have.
    return map_rows(one, rows, max(1, potential.size // (2 * potential.x.size)))
