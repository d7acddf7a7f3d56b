"""Integrals over the data's nodes, in pieces that fit into the budget: the way that works for every network."""

import dataclasses
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import Blocks, join, split
from widelimit.numerics import compiled_quickly, entries, map_rows, sum_chunks

from ..data import Nodes, require_nodes
from ..networks import AbstractDual
from ..scales import Power
from ..units import AbstractUnit
from ._integrals import AbstractField, AbstractIntegrals, Curvature, Estimate, OnNodes, Supervised, Variation


class Dense(AbstractIntegrals):
    """Sums over the data's nodes, N x (piece of the data) at a time, with derivatives inside each piece.

    Made from the parts of a problem: give the class itself, `Problem(..., integrals=integrals.Dense)`, for the nodes of
    data that could be integrated exactly.
    """

    task: Supervised

    def blocks(self) -> Blocks:
        return self.task.blocks

    @property
    def kinked(self) -> bool:
        return self.task.network.kinked

    @property
    def deterministic(self) -> bool:
        return self.task.data.nodes is not None

    def require_deterministic(self, who: str) -> None:
        require_nodes(self.task.data, who)

    @property
    def budget(self) -> int | None:
        return self.task.budget

    def with_budget(self, budget: int) -> "Dense":
        return dataclasses.replace(self, task=self.task.with_budget(budget))

    def risk(self, theta: Any, w: Float[Array, " N"]) -> Float[Array, ""]:
        return risk_on(self.task, theta, w, require_nodes(self.task.data, "Problem.risk"))

    def variation(self, theta: Any, w: Float[Array, " N"]) -> Variation:
        return variation_on(self.task, theta, w, require_nodes(self.task.data, "Problem.variation"))

    def potential(self, theta: Any, w: Float[Array, " N"]) -> AbstractField:
        nodes = require_nodes(self.task.data, "Problem.potential")
        unit = self.task.network.unit
        if unit is None:
            dual = _held(self.task, theta, w, nodes)
            return MasslessParticles(self.task, theta, w, nodes) if dual is None else Held(dual)
        return OnNodes(unit, nodes.x, _dual(self.task, theta, w, nodes))

    def curvature(self, theta: Any, w: Float[Array, " N"]) -> Curvature:
        unit, nodes = self.task.network.unit, require_nodes(self.task.data, "Problem.integrals.curvature")
        if unit is None:
            self.refuse("second variations of a network that is no two-layer mean")
        f = predict(self.task, theta, w, nodes.x)
        return _curvature(self.task, unit, theta, f, nodes, self.task.scale.factor(w.shape[0]))

    def predict(self, theta: Any, w: Float[Array, " N"], x: Float[Array, "n d"]) -> Float[Array, "n ..."]:
        return predict(self.task, theta, w, x)

    def estimate(self, theta: Any, w: Float[Array, " N"], samples: int, key: PRNGKeyArray) -> Estimate:
        return estimate(self.task, theta, w, samples, key)


@eqx.filter_jit
def predict(task: Supervised, theta: Any, w: Any, x: Any) -> Any:
    """f at inputs x [n, d], in pieces that fit into the budget."""
    piece = task.piece(w.shape[0])
    if x.shape[0] <= piece:
        return task.outputs(theta, w, x)

    @jax.checkpoint
    def one(point: Any) -> Any:
        return task.outputs(theta, w, point[None])[0]

    return map_rows(one, x, piece)


@eqx.filter_jit
def risk_on(task: Supervised, theta: Any, w: Any, nodes: Nodes) -> Any:
    """SUM_q mu_q loss(f(x_q), y_q), in pieces over the data."""

    def piece(x: Any, y: Any, mu: Any) -> Any:
        return jnp.sum(mu * jax.vmap(task.loss)(task.outputs(theta, w, x), y))

    # Checkpointed, so that a derivative taken from outside does not keep the tables of all pieces.
    return sum_chunks(jax.checkpoint(piece), (nodes.x, nodes.y), nodes.weights, task.piece(w.shape[0]))


def variation_on(task: Supervised, theta: Any, w: Any, nodes: Nodes) -> Variation:
    """Risk, psi and grad psi in pieces over the nodes, with the gradient inside each: the memory is N x piece."""
    graded = jax.value_and_grad(task.batch_risk, argnums=(0, 1))

    def piece(x: Any, y: Any, mu: Any) -> Any:
        return graded(theta, w, x, y, mu)

    risk, (gradient, psi) = sum_chunks(piece, (nodes.x, nodes.y), nodes.weights, task.piece(w.shape[0]))
    return Variation(risk, psi, gradient)


@compiled_quickly
def estimate(task: Supervised, theta: Any, w: Any, samples: int, key: Any) -> Estimate:
    """The risk on fresh samples."""
    x, y = task.data.batch(key, samples)
    losses_of = jax.vmap(task.loss)(predict(task, theta, w, x), y)
    return Estimate(jnp.mean(losses_of), jnp.std(losses_of, ddof=1) / samples**0.5)


@eqx.filter_jit
def _dual(task: Supervised, theta: Any, w: Any, nodes: Nodes) -> Any:
    """dR/df on the data, with the factor of the output scale."""
    f = predict(task, theta, w, nodes.x)
    slope = jax.vmap(jax.grad(task.loss))(f, nodes.y)
    weights = nodes.weights.reshape((-1, *(1,) * (slope.ndim - 1)))
    return task.scale.factor(w.shape[0]) * weights * slope


@eqx.filter_jit
def _held(task: Supervised, theta: Any, w: Any, nodes: Nodes) -> AbstractDual | None:
    """What the network itself holds for psi of any particle."""
    slope = _dual(task, theta, w, nodes)
    return task.network.dual(theta, w, nodes.x, slope, task.piece(w.shape[0]))


class Held(AbstractField):
    """psi by what the network holds."""

    dual: AbstractDual

    def at(self, theta: Any) -> Float[Array, ""]:
        return self.dual(theta)

    @property
    def entries(self) -> int:
        return self.dual.entries


class MasslessParticles(AbstractField):
    """psi of any network: the derivative of the risk in the mass of particles that have none.

    All queries of a call go into one pass over the data, as particles of weight zero.
    """

    task: Supervised
    theta: Any
    w: Float[Array, " N"]
    nodes: Nodes

    def at(self, theta: Any) -> Float[Array, ""]:
        return self.values(jax.tree.map(lambda leaf: leaf[None], theta), 0)[0]

    @property
    def entries(self) -> int:
        return self.w.shape[0] * min(self.task.piece(self.w.shape[0]), self.nodes.weights.shape[0])

    def values(self, theta: Any, budget: int) -> Float[Array, " M"]:
        return self._joined(theta).psi[self.w.shape[0] :]

    def slopes(self, theta: Any, budget: int) -> Any:
        return jax.tree.map(lambda leaf: leaf[self.w.shape[0] :], self._joined(theta).gradient)

    def _joined(self, theta: Any) -> Variation:
        joined = jax.tree.map(lambda own, other: jnp.concatenate([own, other]), self.theta, theta)
        massless = jnp.zeros(jax.tree.leaves(theta)[0].shape[0], self.w.dtype)
        # The factor of the output scale is that of the N particles which have mass.
        scale = Power(1.0, 1.0 / self.task.scale.factor(self.w.shape[0]))
        task = Supervised(self.task.network, self.task.data, self.task.loss, scale, self.task.budget)
        return variation_on(task, joined, jnp.concatenate([self.w, massless]), self.nodes)


@compiled_quickly
def _curvature(task: Supervised, unit: AbstractUnit, theta: Any, f: Any, nodes: Nodes, factor: Any) -> Curvature:
    r"""The second variations on nodes of a two-layer mean, where the scaled network has the values f.

    $\nabla^2\psi(\theta_i) = \sum_q \mu_q\,\ell'(f_q)\,\nabla^2\phi(\theta_i, x_q)$ and
    $K_{ij} = \sum_q \mu_q\,\nabla\phi(\theta_i, x_q)\,\ell''(f_q)\,\nabla\phi(\theta_j, x_q)^T$, with the factor of the
    output scale once for every phi.
    """
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
