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
    points = np.concatenate([*few, np.asarray(function.region.row_sample(_POINTS))])
    return 2.0 * float(jnp.max(_errors(function, jnp.asarray(filled(points, np.zeros(len(points)))[0]))))


@compiled_quickly
def _errors(function: Depth, rows: Float[Array, "k D"]) -> Float[Array, " k"]:
    potential = function.potential
    unit, heights = potential.unit, sizes(potential.dual)

    def one(row: Float[Array, " D"]) -> Float[Array, ""]:
        theta = split(potential.blocks, row)
        if function.charges is not None:
            # phi~ itself: the charges are counted by their weight.
            block = unit.linear or ""
            theta = theta._replace(**{block: jnp.ones_like(getattr(theta, block))})
        errors = jax.vmap(lambda x: jnp.max(unit.rounding(theta, x)))(potential.x)
        return function.weight * jnp.sum(heights * errors)

    # A rounding looks at every product of a row and at its size: twice as many numbers as the inputs have.
    return map_rows(one, rows, max(1, potential.size // (2 * potential.x.size)))
