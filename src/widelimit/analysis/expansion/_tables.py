r"""The data's part of grad psi and f from tables of the unit, for units of few parameters.

With the dual $g = \kappa \mu\, \ell'(f, y)$, grad psi and its derivatives are

$$\sum_q g_q \nabla\phi, \qquad H u + \sum_q g'_q \nabla\phi, \qquad
  H s + T(u, u) + 2 \sum_q g'_q \nabla^2\phi\,u + \sum_q g''_q \nabla\phi,$$

$H = \sum_q g_q \nabla^2\phi$ and T its gradient. Directions meet the data in products of matrices: K of them, N
particles in R^D and Q nodes take O(K N D Q) operations, and the tables O(N D^3 Q).
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.measure import split
from widelimit.numerics import entries, sum_chunks

from ._jets import Directions, Jet, Setting, pushed


class Table(NamedTuple):
    """phi [N, q, C], its gradients [N, q, C, D] and its Hessians [N, q, C, D, D]."""

    phi: Float[Array, "N q C"]
    slope: Float[Array, "N q C D"]
    bend: Float[Array, "N q C D D"]


def gradient(setting: Setting, directions: Directions, rows: Jet, relative: Float[Array, "Q M K"]) -> Jet:
    """The data's part of grad psi [N, D]; `relative`: the perturbations of the data's weights, or none at all."""
    share, u = directions.share, rows.first
    x, y, mu = setting.nodes

    def piece(x: Any, y: Any, r: Any, mu: Any) -> Any:
        table = make(setting, rows.value, x)
        dual = _dual(setting, directions, outputs(setting, directions, rows, table), y, mu, r)
        hessian = jnp.einsum("iqcab,qc->iab", table.bend, dual.value)
        third = _third(setting, rows.value, x, dual.value)
        first = jnp.einsum("iqca,mkqc->mkia", table.slope, dual.first)
        second = jnp.einsum("iqca,mqc->mia", table.slope, dual.second)
        crossed = _crossed(table.bend, share, u, dual.first)
        return jnp.einsum("iqca,qc->ia", table.slope, dual.value), hessian, third, first, second + 2.0 * crossed

    value, hessian, third, first, second = sum_chunks(piece, (x, y, relative), mu, piece_of(setting, directions))
    square = jnp.einsum("mk,mkia,mkib->miab", share, u, u)
    return Jet(
        value,
        first + jnp.einsum("iab,mkib->mkia", hessian, u),
        second + jnp.einsum("iab,mib->mia", hessian, rows.second) + jnp.einsum("iabc,mibc->mia", third, square),
    )


def _prediction(setting: Setting, p: Any, table: Table) -> Float[Array, "q C"]:
    """f itself, with the network's offset."""
    network = setting.problem.network
    f = setting.problem.scale.factor(len(setting.p)) * jnp.einsum("i,iqc->qc", p, table.phi)
    return f if network.offset is None else f + jnp.ravel(network.offset)


def outputs(setting: Setting, directions: Directions, rows: Jet, table: Table) -> Jet:
    """f, every output on its own: [q, C]."""
    p, factor = setting.p, setting.problem.scale.factor(len(setting.p))
    mass, share = directions
    u = rows.first
    pulled = p[:, None] * rows.second + 2.0 * jnp.einsum("mk,mki,mkia->mia", share, mass, u)
    square = p[:, None, None] * jnp.einsum("mk,mkia,mkib->miab", share, u, u)
    first = jnp.einsum("mki,iqc->mkqc", mass, table.phi) + jnp.einsum("mkia,iqca->mkqc", p[:, None] * u, table.slope)
    second = jnp.einsum("mia,iqca->mqc", pulled, table.slope) + jnp.einsum("miab,iqcab->mqc", square, table.bend)
    return Jet(_prediction(setting, p, table), factor * first, factor * second)


def _dual(setting: Setting, directions: Directions, f: Jet, y: Any, mu: Any, r: Any) -> Jet:
    """g = kappa mu (1 + e r) loss'(f, y): the chain rule in f, and the product with the batch's weights."""
    factor, share = setting.problem.scale.factor(len(setting.p)), directions.share
    cost = setting.costs(y)
    slope = pushed(jax.grad(lambda values: jnp.sum(cost(values))), f, share)
    first, second = slope.first, slope.second
    if r.size:
        second = second + 2.0 * jnp.einsum("mk,qmk,mkqc->mqc", share, r, first)
        first = first + jnp.einsum("qmk,qc->mkqc", r, slope.value)
    weight = factor * mu[:, None]
    return Jet(weight * slope.value, weight * first, weight * second)


def _crossed(bend: Any, share: Any, u: Any, dual: Any) -> Float[Array, "M N D"]:
    """SUM_k c_k SUM_q Hess phi(theta_i, x_q) u_ki g'_kq: in the order that multiplies the larger matrices."""
    if share.shape[1] == 1:
        return jnp.einsum("mk,mkiab,mkib->mia", share, jnp.einsum("iqcab,mkqc->mkiab", bend, dual), u)
    return jnp.einsum("iqcab,mibqc->mia", bend, jnp.einsum("mk,mkib,mkqc->mibqc", share, u, dual))


def _unit(setting: Setting) -> Any:
    unit, blocks = setting.problem.unit, setting.problem.blocks
    return lambda row, point: jnp.ravel(unit(split(blocks, row), point))


def make(setting: Setting, rows: Float[Array, "N D"], x: Float[Array, "q d"]) -> Table:
    """phi and its derivatives at all particles and inputs."""
    phi = _unit(setting)
    slope = jax.jacfwd(phi)
    each = (jax.vmap(jax.vmap(function, (None, 0)), (0, None)) for function in (phi, slope, jax.jacfwd(slope)))
    return Table(*(function(rows, x) for function in each))


def _third(setting: Setting, rows: Float[Array, "N D"], x: Any, dual: Float[Array, "q C"]) -> Float[Array, "N D D D"]:
    """SUM_q g_q . D^3 phi(theta_i, x_q)."""
    bend = jax.jacfwd(jax.jacfwd(_unit(setting)))

    def one(row: Any) -> Any:
        return jnp.einsum("qc,qcab->ab", dual, jax.vmap(bend, (None, 0))(row, x))

    return jax.vmap(jax.jacfwd(one))(rows)


def piece_of(setting: Setting, directions: Directions) -> int:
    """How many nodes fit into the largest table of a pass."""
    n, dim, outputs = len(setting.p), len(setting.moves), math.prod(setting.problem.data.outputs)
    m, k = directions.share.shape
    crossed = m * n * dim if k > 1 else 0
    return max(1, entries(setting.problem.budget) // (outputs * max(n * dim**2, m * k, crossed)))
