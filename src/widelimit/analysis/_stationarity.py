"""How far the particles are from rest."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.measure import Measure
from widelimit.problem import Problem
from widelimit.problem.data import require_nodes

# Time over which a proximal step measures the least-norm velocity: exact unless a charge smaller than this times its
# velocity crosses zero in it.
_SHORT = 1e-6


class Stationarity(NamedTuple):
    """The size of the velocity on the support: zero exactly at a stationary measure.

    - `norms`: [N], |v(theta_i)|; `rms`: root mean square over rho; `largest`: the maximum over particles that
      carry weight.
    """

    norms: Float[Array, " N"]
    rms: float
    largest: float

    def __repr__(self) -> str:
        return f"Stationarity(rms={self.rms:.3g}, largest={self.largest:.3g}, {len(self.norms)} particles)"


def stationarity(problem: Problem, measure: Measure) -> Stationarity:
    r"""$v = -P\nabla\psi$ on the support, projected onto the tangent cone of the domain.

    For a non-smooth penalty v is the velocity of least norm in the subdifferential, so a charge that rests at zero
    counts as at rest. Raises `ValueError` for data without nodes.
    """
    require_nodes(problem.data, "stationarity")
    norms = _norms(problem, measure)
    w = measure.weights
    rms = float(jnp.sqrt(jnp.sum(w * norms**2) / jnp.sum(w)))
    return Stationarity(norms, rms, float(jnp.max(jnp.where(w > 0, norms, 0.0))))


@eqx.filter_jit
def _norms(problem: Problem, measure: Measure) -> Float[Array, " N"]:
    theta, w = problem.unpack(measure)
    gradient = problem.variation(theta, w).gradient
    v = problem.velocity(theta, gradient)
    if not problem.smooth:
        ahead = problem.prox(jax.tree.map(lambda z, dz: z + _SHORT * dz, theta, v), _SHORT)
        v = jax.tree.map(lambda a, b: (a - b) / _SHORT, ahead, theta)
    squares = [jnp.sum((part**2).reshape(w.shape[0], -1), axis=1) for part in v]
    return jnp.sqrt(sum(squares[1:], squares[0]))
