r"""The second variations of a risk over nodes, for a two-layer mean.

$\nabla^2\psi(\theta_i) = \sum_q \mu_q\,\ell'(f_q)\,\nabla^2\phi(\theta_i, x_q)$ and
$K_{ij} = \sum_q \mu_q\,\nabla\phi(\theta_i, x_q)\,\ell''(f_q)\,\nabla\phi(\theta_j, x_q)^T$, with the factor of the
output scale once for every phi.
"""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from widelimit.measure import join, split
from widelimit.numerics import entries, sum_chunks

from ..data import Nodes
from ..units import AbstractUnit
from ._integrals import Curvature
from ._supervised import Supervised


@eqx.filter_jit
def curvature_on(task: Supervised, unit: AbstractUnit, theta: Any, f: Any, nodes: Nodes, factor: Any) -> Curvature:
    """Hessian, kernel and size on nodes, where the scaled network has the values f."""
    blocks, q, outputs = task.blocks, f.shape[0], math.prod(f.shape[1:])
    rows = join(blocks, theta)
    slope = factor * jax.vmap(jax.grad(task.loss))(f, nodes.y).reshape(q, outputs)
    bend = factor**2 * jax.vmap(jax.hessian(task.loss))(f, nodes.y).reshape(q, outputs, outputs)

    def piece(x: Any, f: Any, slope: Any, bend: Any, mu: Any) -> Curvature:
        def values(row: Any) -> Any:
            theta = split(blocks, row)
            return jax.vmap(lambda point: unit(theta, point))(x).reshape(slope.shape)

        hessian = jax.vmap(jax.hessian(lambda row: jnp.sum(mu[:, None] * slope * values(row))))(rows)
        features = jax.vmap(jax.jacfwd(values))(rows)
        bent = jnp.einsum("q,qce,mqeb->qcmb", mu, bend, features)
        kernel = jnp.einsum("nqca,qcmb->namb", features, bent)
        # |l'| + |l'' f|: what the slope l' was computed from, so that a perfect fit has a size too.
        whole = mu[:, None] * (jnp.abs(slope) + jnp.abs(jnp.einsum("qce,qe->qc", bend, f)))
        return Curvature(hessian, kernel, jnp.einsum("qc,nqca->na", whole, jnp.abs(features)))

    arrays = (nodes.x, f.reshape(q, outputs), slope, bend)
    return sum_chunks(piece, arrays, nodes.weights, max(1, entries(task.budget) // (rows.size * outputs)))
