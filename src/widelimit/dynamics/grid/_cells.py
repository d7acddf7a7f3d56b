"""A problem on the cells of a grid: the discrete energy and its potential, which every scheme descends."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.measure import Grid, split, theta_type
from widelimit.problem import Problem
from widelimit.problem.data import require_nodes

from ._unit_table import AbstractTable, unit_table

# Roundings allowed to a sum before a rise counts as one.
ROUNDINGS = 16.0 * float(jnp.finfo(jnp.float64).eps)


class Cells(eqx.Module):
    """What of a problem on a grid does not change in time.

    - `rates`: for each axis P / (x_(i+1) - x_i)^2 at the inner faces [n_k - 1], the velocity in cells a time for a
      potential difference of one.
    - `log_volumes`: of the cells, in the reference measure of the entropy; zero where T = 0.
    - `table`, `penalty`: the energy is SUM_q mu_q loss((Phi^T m)_q, y_q) + SUM_j m_j penalty_j. The penalty is a
      fixed number a cell, smooth or not.
    """

    grid: Grid
    rates: tuple[Float[Array, " _"], ...]
    log_volumes: Float[Array, "..."]
    table: AbstractTable
    penalty: Float[Array, "..."]


class Reading(NamedTuple):
    r"""$E(m)$, $\psi_j = \partial E/\partial m_j$, and how far rounding may have moved both (`slack`, `blur`)."""

    energy: Float[Array, ""]
    psi: Float[Array, "..."]
    slack: Float[Array, ""]
    blur: Float[Array, "..."]


def cells_of(problem: Problem, grid: Grid, *, warm: bool) -> Cells:
    """The problem on a grid; `warm`: with the volumes that T > 0 needs.

    Raises `ValueError` where the unit or the penalty is not finite at a centre, for a mobility that is no diagonal in
    two parameters, and for T > 0 in a problem without a reference volume.
    """
    # NumPy on the host: each JAX operation outside a compiled function would compile for itself.
    rows = grid_rows(grid)
    penalty, volumes = (np.asarray(part).reshape(grid.shape) for part in _fixed(problem, jnp.asarray(rows), warm))
    if not np.all(np.isfinite(penalty)):
        raise ValueError(
            f"TransportPDE(grid=...): the penalty is not finite at the cell centre "
            f"{rows[int(np.argmin(np.isfinite(penalty.ravel())))].tolist()}."
        )
    if warm:
        volumes = volumes + sum(
            np.log(np.asarray(width)).reshape([-1 if k == axis else 1 for k in range(grid.dim)])
            for axis, width in enumerate(grid.widths)
        )
    table = unit_table(problem, grid, rows)
    return Cells(grid, _rates(problem, grid), jnp.asarray(volumes), table, jnp.asarray(penalty))


def grid_rows(grid: Grid) -> Float[np.ndarray, "N D"]:
    """The centres of all cells, the last axis running fastest."""
    mesh = np.meshgrid(*(np.asarray(middle) for middle in grid.centres), indexing="ij")
    return np.stack(mesh, axis=-1).reshape(-1, grid.dim)


def read(problem: Problem, cells: Cells, masses: Float[Array, "..."]) -> Reading:
    """The energy and the potential of cell masses."""
    _, y, weights = require_nodes(problem.data, "TransportPDE")
    factor = problem.scale.factor(masses.size)
    f = factor * cells.table.mix(problem, masses)
    values, slopes = jax.vmap(jax.value_and_grad(problem.loss))(f, y)
    slopes = factor * weights.reshape((-1, *(1,) * (slopes.ndim - 1))) * slopes
    psi = cells.table.pull(problem, slopes) + cells.penalty
    energy = jnp.sum(weights * values) + jnp.sum(masses * cells.penalty)
    blur = ROUNDINGS * (cells.table.sizes() * jnp.sum(jnp.abs(slopes)) + jnp.abs(cells.penalty))
    return Reading(energy, psi, ROUNDINGS * jnp.abs(energy) + jnp.sum(masses * blur), blur)


@eqx.filter_jit
def _fixed(problem: Problem, rows: Float[Array, "N D"], warm: bool) -> tuple[Float[Array, " N"], Float[Array, " N"]]:
    """The penalty and, where wanted, the logarithm of the reference volume at the centres."""
    theta, zero = split(problem.blocks, rows), jnp.zeros(rows.shape[0])
    penalty = zero if problem.penalty is None else jax.vmap(problem.penalty)(theta)
    return penalty, jax.vmap(problem.log_volume)(theta) if warm else zero


def _rates(problem: Problem, grid: Grid) -> tuple[Float[Array, " _"], ...]:
    """P / dx^2 at the inner faces; a mobility of the user's own is taken at the faces' mid-points."""
    centres = [np.asarray(middle) for middle in grid.centres]
    scales = problem.mobility.scales(theta_type(tuple(block.name for block in problem.blocks))(*problem.blocks))
    if scales is not None:
        # A block of two numbers counts for two axes.
        factors = [scale for block, scale in zip(problem.blocks, scales, strict=True) for _ in range(block.size)]
    elif grid.dim == 1:
        factors = [_own_mobility(problem, 0.5 * (centres[0][1:] + centres[0][:-1]))]
    else:
        raise ValueError(
            "TransportPDE: in two parameters the mobility must be one number a block (mobilities.Diagonal); for "
            "another one use GradientFlow on law.quantise(n)."
        )
    pairs = zip(factors, centres, strict=True)
    return tuple(jnp.asarray(factor / np.diff(middle) ** 2) for factor, middle in pairs)


def _own_mobility(problem: Problem, places: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    theta = split(problem.blocks, jnp.asarray(places[:, None]))
    moved = jax.vmap(problem.mobility)(theta, jax.tree.map(jnp.ones_like, theta))
    mobility = np.concatenate([np.asarray(leaf).ravel() for leaf in moved])
    if not np.all(np.isfinite(mobility) & (mobility >= 0)):
        raise ValueError("TransportPDE: the mobility must be finite and not negative on the whole grid.")
    return mobility
