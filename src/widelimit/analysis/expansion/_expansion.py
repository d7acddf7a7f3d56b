r"""f, grad psi and the velocity of a perturbed measure, to second order in the perturbation.

$f = \kappa \sum_i w_i \phi(\theta_i, x)$ with $w = p + e d$ and positions that depend on e has

$$f' = \kappa \sum_i d_i \phi_i + p_i \nabla\phi_i \cdot u_i, \qquad
  f'' = \kappa \sum_i 2 d_i \nabla\phi_i \cdot u_i + p_i \nabla\phi_i \cdot s_i + p_i \nabla^2\phi_i(u_i, u_i),$$

u and s the derivatives of the positions. $\nabla\psi = \sum_q \kappa \mu_q\, \ell'(f, y)\, \nabla\phi(\cdot, x_q)$
follows by the chain rule, and the velocity -P grad psi from it. The data's weights may be perturbed as well, by the
noise of a batch.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.measure import join, split
from widelimit.numerics import sum_chunks
from widelimit.problem import penalties

from . import _autodiff as autodiff, _tables as tables
from ._jets import Directions, Jet, Setting, pushed

# Numbers in the second derivatives of a unit, up to which tables of them pay.
_TABLED = 256


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
    relative = jnp.zeros((len(setting.nodes.weights), 0, 0)) if batch is None else jnp.moveaxis(batch, 2, 0)
    found = (tables if _tabled(setting) else autodiff).gradient(setting, directions, rows, relative)
    if setting.problem.penalty is None:
        return found

    def slopes(z: Any) -> Any:
        theta, terms = split(setting.problem.blocks, z), penalties.parts(setting.problem.penalty)
        return sum(join(setting.problem.blocks, jax.vmap(jax.grad(term))(theta)) for term in terms)

    return jax.tree.map(jnp.add, found, pushed(slopes, rows, directions.share))


def sample_velocities(setting: Setting, rows: Float[Array, "N D"]) -> Float[Array, "Q N D"]:
    """mu_q^(1/2) (v_q - v), v_q the velocities that sample q alone makes: their squares sum to the covariance."""
    problem, (x, y, mu) = setting.problem, setting.nodes

    def moved(force: Any) -> Any:
        position, gradient = (split(problem.blocks, part) for part in (rows, force))
        return setting.moves * join(problem.blocks, problem.velocity(position, gradient))

    table, factor = tables.make(setting, rows, x), problem.scale.factor(len(setting.p))
    f = factor * jnp.einsum("i,iqc->qc", setting.p, table.phi)
    cost = setting.costs(y)
    dual = factor * jax.grad(lambda values: jnp.sum(cost(values)))(f)
    force = jnp.einsum("iqca,qc->qia", table.slope, dual)
    return jnp.sqrt(mu)[:, None, None] * jax.vmap(moved)(force - jnp.tensordot(mu, force, axes=1))


def outputs(setting: Setting, directions: Directions, rows: Jet, x: Float[Array, "n d"]) -> Jet:
    """f at inputs, every output on its own: [n, C]."""
    if _tabled(setting):
        return tables.outputs(setting, directions, rows, tables.make(setting, rows.value, x))
    return autodiff.outputs(setting, directions, rows, x)


def moments(setting: Setting, directions: Directions, rows: Jet) -> Moments:
    """What is asked of f on the data."""
    share = directions.share

    def piece(x: Any, y: Any, mu: Any) -> Moments:
        f = outputs(setting, directions, rows, x)
        cost = setting.costs(y)
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
        cost, linear = setting.costs(y), f.value + f.first[:, 0]
        each = jax.vmap(cost)
        return mu @ cost(f.value), each(linear) @ mu, each(linear + 0.5 * f.second) @ mu

    x, y, mu = setting.nodes
    return sum_chunks(piece, (x, y), mu, _piece(setting, directions))


def _tabled(setting: Setting) -> bool:
    return math.prod(setting.problem.data.outputs) * setting.problem.dim**2 <= _TABLED


def _piece(setting: Setting, directions: Directions) -> int:
    return (tables if _tabled(setting) else autodiff).piece_of(setting, directions)
