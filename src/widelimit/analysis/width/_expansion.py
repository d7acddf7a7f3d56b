r"""f, grad psi and the velocity of a perturbed measure, to second order in the perturbation.

$f = \kappa \sum_i w_i \phi(\theta_i, x)$ with $w = p + e d$ and positions that depend on e has

$$f' = \kappa \sum_i d_i \phi_i + p_i \nabla\phi_i \cdot u_i, \qquad
  f'' = \kappa \sum_i 2 d_i \nabla\phi_i \cdot u_i + p_i \nabla\phi_i \cdot s_i + p_i \nabla^2\phi_i(u_i, u_i),$$

u and s the derivatives of the positions. $\nabla\psi(\theta) = \sum_q g_q \nabla\phi(\theta, x_q)$ with the dual
$g = \kappa \mu\, \ell'(f, y)$ follows by the chain rule, and the velocity -P grad psi from it. The data's weights may
be perturbed as well, by the noise of a batch. Directions meet the data in products of matrices: K directions of N
particles in R^D and Q nodes take O(K N D Q) operations a velocity and O(N D^2 Q) for the tables of the unit, which are
made for a piece of the data at a time.
"""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.measure import join, split
from widelimit.numerics import entries, sum_chunks
from widelimit.problem import Problem, penalties
from widelimit.problem.data import Nodes

from ._jets import Directions, Jet, pushed


class Setting(eqx.Module):
    """A problem on nodes, the weights p of the unperturbed particles, and which columns move (1) or do not (0)."""

    problem: Problem
    nodes: Nodes
    p: Float[Array, " N"]
    moves: Float[Array, " D"]


class Table(NamedTuple):
    """phi [N, q, C], its gradients [N, q, C, D] and its Hessians [N, q, C, D, D]."""

    phi: Float[Array, "N q C"]
    slope: Float[Array, "N q C D"]
    bend: Float[Array, "N q C D D"]


class Moments(NamedTuple):
    r"""Integrals over the data, to second order: R(f), and sums over directions with their shares c, one a sum m.

    - `square`: SUM_k c_k INT |f'_k|^2 d mu.
    - `spread`: SUM_k c_k INT f'_k . loss'' . f'_k d mu / 2.
    - `shift`: INT loss'(f) . f'' d mu / 2. Spread + shift is half the second derivative of the risk.
    """

    risk: Float[Array, ""]
    square: Float[Array, " M"]
    spread: Float[Array, " M"]
    shift: Float[Array, " M"]


def velocity(setting: Setting, directions: Directions, rows: Jet, batch: Float[Array, "M K Q"] | None = None) -> Jet:
    """The velocity -P grad psi [N, D] of the particles `rows`.

    `batch`: the relative perturbation r of the data's weights, mu (1 + e r), one a direction; none if left out.
    """
    problem = setting.problem

    def moved(at: tuple[Any, Any]) -> Any:
        position, force = (split(problem.blocks, part) for part in at)
        return setting.moves * join(problem.blocks, problem.velocity(position, force))

    force = gradient(setting, directions, rows, batch)
    paired = Jet(*((a, b) for a, b in zip(rows, force, strict=True)))
    return pushed(moved, paired, directions.share)


def gradient(setting: Setting, directions: Directions, rows: Jet, batch: Float[Array, "M K Q"] | None = None) -> Jet:
    """grad psi [N, D] of the particles, penalties included; `batch` as in `velocity`."""
    share, u = directions.share, rows.first
    x, y, mu = setting.nodes

    def piece(x: Any, y: Any, r: Any, mu: Any) -> Any:
        table = _table(setting, rows.value, x)
        dual = _dual(setting, directions, _outputs(setting, directions, rows, table), y, mu, r)
        hessian = jnp.einsum("iqcab,qc->iab", table.bend, dual.value)
        third = _third(setting, rows.value, x, dual.value)
        first = jnp.einsum("iqca,mkqc->mkia", table.slope, dual.first)
        second = jnp.einsum("iqca,mqc->mia", table.slope, dual.second)
        crossed = _crossed(table.bend, share, u, dual.first)
        return jnp.einsum("iqca,qc->ia", table.slope, dual.value), hessian, third, first, second + 2.0 * crossed

    relative = None if batch is None else jnp.moveaxis(batch, 2, 0)
    value, hessian, third, first, second = sum_chunks(
        piece, (x, y, jnp.zeros((len(mu), 0, 0)) if relative is None else relative), mu, _piece(setting, directions)
    )
    for term in penalties.parts(setting.problem.penalty):
        more = _penalty(setting, term, rows.value)
        value, hessian, third = value + more[0], hessian + more[1], third + more[2]
    square = jnp.einsum("mk,mkia,mkib->miab", share, u, u)
    return Jet(
        value,
        first + jnp.einsum("iab,mkib->mkia", hessian, u),
        second + jnp.einsum("iab,mib->mia", hessian, rows.second) + jnp.einsum("iabc,mibc->mia", third, square),
    )


def sample_velocities(setting: Setting, rows: Float[Array, "N D"]) -> Float[Array, "Q N D"]:
    """mu_q^(1/2) (v_q - v), v_q the velocities that sample q alone makes: their squares sum to the covariance."""
    problem, (x, y, mu) = setting.problem, setting.nodes

    def moved(force: Any) -> Any:
        position, gradient = (split(problem.blocks, part) for part in (rows, force))
        return setting.moves * join(problem.blocks, problem.velocity(position, gradient))

    table, factor = _table(setting, rows, x), problem.scale.factor(len(setting.p))
    f = factor * jnp.einsum("i,iqc->qc", setting.p, table.phi)
    cost = _costs(setting, y)
    dual = factor * jax.grad(lambda values: jnp.sum(cost(values)))(f)
    force = jnp.einsum("iqca,qc->qia", table.slope, dual)
    return jnp.sqrt(mu)[:, None, None] * jax.vmap(moved)(force - jnp.tensordot(mu, force, axes=1))


def outputs(setting: Setting, directions: Directions, rows: Jet, x: Float[Array, "n d"]) -> Jet:
    """f at inputs, every output on its own: [n, C]."""
    return _outputs(setting, directions, rows, _table(setting, rows.value, x))


def moments(setting: Setting, directions: Directions, rows: Jet) -> Moments:
    """What is asked of f on the data."""
    share = directions.share

    def piece(x: Any, y: Any, mu: Any) -> Moments:
        f = outputs(setting, directions, rows, x)
        cost = _costs(setting, y)
        slope = pushed(jax.grad(lambda values: jnp.sum(cost(values))), f, share)
        # The chain rule has put loss'' f' into the first order of loss'.
        return Moments(
            mu @ cost(f.value),
            jnp.einsum("q,mk,mkqc->m", mu, share, f.first**2),
            0.5 * jnp.einsum("q,mk,mkqc,mkqc->m", mu, share, f.first, slope.first),
            0.5 * jnp.einsum("q,qc,mqc->m", mu, slope.value, f.second),
        )

    x, y, mu = setting.nodes
    return sum_chunks(piece, (x, y), mu, _piece(setting, directions))


def risks(setting: Setting, directions: Directions, rows: Jet) -> tuple[Any, Any, Any]:
    """R(f), and for the one direction of every sum R(f + f') and R(f + f' + f''/2), [M]."""

    def piece(x: Any, y: Any, mu: Any) -> tuple[Any, Any, Any]:
        f = outputs(setting, directions, rows, x)
        cost, linear = _costs(setting, y), f.value + f.first[:, 0]
        each = jax.vmap(cost)
        return mu @ cost(f.value), each(linear) @ mu, each(linear + 0.5 * f.second) @ mu

    x, y, mu = setting.nodes
    return sum_chunks(piece, (x, y), mu, _piece(setting, directions))


def _costs(setting: Setting, y: Any) -> Any:
    """The loss of flat outputs [q, C] at targets y, one number an input."""
    shape = setting.problem.data.outputs
    return lambda values: jax.vmap(lambda f, target: setting.problem.loss(f.reshape(shape), target))(values, y)


def _outputs(setting: Setting, directions: Directions, rows: Jet, table: Table) -> Jet:
    p, factor = setting.p, setting.problem.scale.factor(len(setting.p))
    mass, share = directions
    u = rows.first
    pulled = p[:, None] * rows.second + 2.0 * jnp.einsum("mk,mki,mkia->mia", share, mass, u)
    square = p[:, None, None] * jnp.einsum("mk,mkia,mkib->miab", share, u, u)
    first = jnp.einsum("mki,iqc->mkqc", mass, table.phi) + jnp.einsum("mkia,iqca->mkqc", p[:, None] * u, table.slope)
    second = jnp.einsum("mia,iqca->mqc", pulled, table.slope) + jnp.einsum("miab,iqcab->mqc", square, table.bend)
    return Jet(factor * jnp.einsum("i,iqc->qc", p, table.phi), factor * first, factor * second)


def _dual(setting: Setting, directions: Directions, f: Jet, y: Any, mu: Any, r: Any) -> Jet:
    """g = kappa mu (1 + e r) loss'(f, y): the chain rule in f, and the product with the batch's weights."""
    factor, share = setting.problem.scale.factor(len(setting.p)), directions.share
    cost = _costs(setting, y)
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


def _table(setting: Setting, rows: Float[Array, "N D"], x: Float[Array, "q d"]) -> Table:
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


def _penalty(setting: Setting, term: Any, rows: Float[Array, "N D"]) -> tuple[Array, Array, Array]:
    """The first three derivatives of a penalty."""
    slope = jax.grad(lambda row: term(split(setting.problem.blocks, row)))
    bend = jax.jacfwd(slope)
    return jax.vmap(slope)(rows), jax.vmap(bend)(rows), jax.vmap(jax.jacfwd(bend))(rows)


def _piece(setting: Setting, directions: Directions) -> int:
    """How many nodes fit into the largest table of a pass."""
    n, dim, outputs = len(setting.p), len(setting.moves), math.prod(setting.problem.data.outputs)
    m, k = directions.share.shape
    crossed = m * n * dim if k > 1 else 0
    return max(1, entries(setting.problem.budget) // (outputs * max(n * dim**2, m * k, crossed)))
