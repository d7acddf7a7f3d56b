"""A problem on the cells of a grid: the discrete (free) energy and its potential, which every scheme descends."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.measure import Grid, split
from widelimit.numerics import compiled_quickly
from widelimit.problem import Problem
from widelimit.problem.data import Nodes, require_nodes

from ._unit_table import AbstractTable, unit_table

# Roundings allowed to a sum before a rise counts as one.
ROUNDINGS = 16.0 * float(jnp.finfo(jnp.float64).eps)
_TINY = float(jnp.finfo(jnp.float64).tiny)


class Cells(eqx.Module):
    """What of a problem on a grid does not change in time.

    - `nodes`, `table`, `penalty`: the energy is SUM_q mu_q loss((Phi^T m)_q, y_q) + SUM_j m_j penalty_j. The penalty
      is a fixed number a cell, smooth or not.
    - `log_volumes`: of the cells, in the reference measure of the entropy; zero where T = 0.
    """

    grid: Grid
    nodes: Nodes
    table: AbstractTable
    penalty: Float[Array, "..."]
    log_volumes: Float[Array, "..."]


class Reading(NamedTuple):
    r"""$E(m)$, $\psi_j = \partial E/\partial m_j$, and how far rounding may have moved both (`slack`, `blur`)."""

    energy: Float[Array, ""]
    psi: Float[Array, "..."]
    slack: Float[Array, ""]
    blur: Float[Array, "..."]


def cells_of(problem: Problem, grid: Grid, who: str, *, warm: bool, room: int | None = None) -> Cells:
    """The problem on a grid; `warm`: with the volumes that T > 0 needs; `room`: see `unit_table`.

    Raises `ValueError` where the unit or the penalty is not finite at a centre, and for T > 0 in a problem without a
    reference volume.
    """
    # NumPy on the host: each JAX operation outside a compiled function would compile for itself.
    rows = grid.rows()
    penalty = np.asarray(_penalties(problem, jnp.asarray(rows, float)))
    if not np.all(np.isfinite(penalty)):
        centre = rows[int(np.argmin(np.isfinite(penalty)))].tolist()
        raise ValueError(f"{who}(grid=...): the penalty is not finite at the cell centre {centre}.")
    volumes = log_volumes(problem, grid) if warm else np.zeros(grid.shape)
    nodes, table = require_nodes(problem.data, who), unit_table(problem, grid, who, room=room)
    return Cells(grid, nodes, table, jnp.asarray(penalty.reshape(grid.shape), float), jnp.asarray(volumes, float))


def read(problem: Problem, cells: Cells, heat: Any | None, masses: Float[Array, "..."]) -> Reading:
    r"""The free energy $F = E + T \sum m\log(m/V)$ of cell masses (E itself where T is None), and E's potential."""
    f = predictions(problem, cells, masses)
    weights = cells.nodes.weights
    values = jax.vmap(problem.loss)(f, cells.nodes.y)
    slopes = slopes_at(problem, cells, f)
    psi = cells.table.pull(problem, slopes) + cells.penalty
    energy = jnp.sum(weights * values) + jnp.sum(masses * cells.penalty)
    blur = ROUNDINGS * (cells.table.sizes() * jnp.sum(jnp.abs(slopes)) + jnp.abs(cells.penalty))
    slack = ROUNDINGS * jnp.abs(energy) + jnp.sum(masses * blur)
    if heat is None:
        return Reading(energy, psi, slack, blur)
    entropy = heat * masses * log_density(masses, cells.log_volumes)
    return Reading(energy + jnp.sum(entropy), psi, slack + ROUNDINGS * jnp.sum(jnp.abs(entropy)), blur)


def predictions(problem: Problem, cells: Cells, masses: Float[Array, "..."]) -> Float[Array, "Q ..."]:
    """f at the data's nodes."""
    return problem.scale.factor(masses.size) * cells.table.mix(problem, masses)


def slopes_at(problem: Problem, cells: Cells, f: Float[Array, "Q ..."]) -> Float[Array, "Q ..."]:
    """The derivatives of the risk by Phi^T m, whose pull is psi without its penalty."""
    slopes = jax.vmap(jax.grad(problem.loss))(f, cells.nodes.y)
    weights = cells.nodes.weights.reshape((-1, *(1,) * (slopes.ndim - 1)))
    return problem.scale.factor(cells.penalty.size) * weights * slopes


def log_density(masses: Float[Array, "..."], log_volumes: Float[Array, "..."]) -> Float[Array, "..."]:
    """log(m/V); finite for an empty cell, so that m log(m/V) is zero there."""
    return jnp.log(jnp.maximum(masses, _TINY)) - log_volumes


def log_volumes(problem: Problem, grid: Grid) -> Float[np.ndarray, "..."]:
    """log V of the cells, in the grid's shape: logarithms, because r^(d-1) leaves the range of numbers for large d."""
    volumes = np.asarray(_log_volumes(problem, jnp.asarray(grid.rows(), float))).reshape(grid.shape)
    for axis, width in enumerate(grid.widths):
        volumes = volumes + np.log(np.asarray(width)).reshape([-1 if k == axis else 1 for k in range(grid.dim)])
    return volumes


@compiled_quickly
def _penalties(problem: Problem, rows: Float[Array, "N D"]) -> Float[Array, " N"]:
    if problem.penalty is None:
        return jnp.zeros(rows.shape[0])
    return jax.vmap(problem.penalty)(split(problem.blocks, rows))


@compiled_quickly
def _log_volumes(problem: Problem, rows: Float[Array, "N D"]) -> Float[Array, " N"]:
    return jax.vmap(problem.log_volume)(split(problem.blocks, rows))
