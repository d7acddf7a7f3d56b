"""A problem on the cells of a grid: the discrete energy and its potential, which every scheme descends."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.measure import Grid, split
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

    Raises `ValueError` where the unit or the penalty is not finite at a centre, and for a mobility that is no diagonal
    in two parameters.
    """
    points = split(problem.blocks, grid.points)
    penalty = jnp.zeros(len(grid.points)) if problem.penalty is None else jax.vmap(problem.penalty)(points)
    if not bool(jnp.all(jnp.isfinite(penalty))):
        raise ValueError("TransportPDE(grid=...): the penalty is not finite at every cell centre.")
    volumes = jnp.zeros(grid.shape)
    if warm:
        extra = jax.vmap(problem.log_volume)(points).reshape(grid.shape)
        volumes = jnp.log(grid.volumes) + extra
    return Cells(grid, _rates(problem, grid), volumes, unit_table(problem, grid), penalty.reshape(grid.shape))


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


def _rates(problem: Problem, grid: Grid) -> tuple[Float[Array, " _"], ...]:
    """P / dx^2 at the inner faces; a mobility of the user's own is taken at the faces' mid-points."""
    gaps = [middle[1:] - middle[:-1] for middle in grid.centres]
    scales = problem.mobility.scales(split(problem.blocks, jnp.zeros(grid.dim)))
    if scales is not None:
        # Blocks of two numbers count for two axes.
        numbers = [scale for block, scale in zip(problem.blocks, scales, strict=True) for _ in range(block.size)]
        return tuple(scale / gap**2 for scale, gap in zip(numbers, gaps, strict=True))
    if grid.dim > 1:
        raise ValueError(
            "TransportPDE: in two parameters the mobility must be one number a block (mobilities.Diagonal); for "
            "another one use GradientFlow on law.quantise(n)."
        )
    faces = 0.5 * (grid.centres[0][1:] + grid.centres[0][:-1])
    theta = split(problem.blocks, faces[:, None])
    moved = jax.vmap(problem.mobility)(theta, jax.tree.map(jnp.ones_like, theta))
    mobility = jnp.concatenate([leaf.reshape(-1) for leaf in moved])
    if not bool(jnp.all(jnp.isfinite(mobility) & (mobility >= 0))):
        raise ValueError("TransportPDE: the mobility must be finite and not negative on the whole grid.")
    return (mobility / gaps[0] ** 2,)
