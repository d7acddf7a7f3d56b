"""A measure with a density, known by the masses of the cells of a grid."""

import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit._shown import Shown
from widelimit.numerics import Module, own_array

from ._blocks import Blocks, arrangement, checked_blocks, describe
from ._grid import Grid
from ._particles import Particles


class GridDensity(Module, Shown):
    r"""The measure with masses $m_j$ in the cells of a grid.

    - `grid`: a `Grid`.
    - `masses`: in the grid's shape, [n_1] or [n_1, n_2].
    - `blocks`: the names and shapes of the columns, if they have names.

    For integrals it stands for atoms of mass m_j at the cells' centres, which is right to second order.
    Raises `ValueError` when the shapes do not fit together.
    """

    grid: Grid
    masses: Float[Array, "..."]
    blocks: Blocks = eqx.field(static=True)

    def __init__(self, grid: Grid, masses: Any, *, blocks: Blocks = ()) -> None:
        if not isinstance(grid, Grid):
            raise ValueError(f"GridDensity(grid=...): expected a Grid, got {grid!r}.")
        masses = jnp.asarray(own_array(masses, "GridDensity(masses=...)"), float)
        if masses.shape != grid.shape:
            raise ValueError(f"GridDensity(masses=...): expected the grid's shape {grid.shape}, got {masses.shape}.")
        self.grid, self.masses, self.blocks = grid, masses, checked_blocks(blocks, grid.dim, "GridDensity")

    def __len__(self) -> int:
        return math.prod(self.grid.shape)

    def __repr__(self) -> str:
        columns = f": {describe(self.blocks)}" if self.blocks else ""
        cells = " x ".join(str(n) for n in self.grid.shape)
        return f"GridDensity({cells} cells, D = {self.dim}{columns})"

    @property
    def dim(self) -> int:
        return self.grid.dim

    def arranged(self, blocks: Blocks) -> "GridDensity":
        """The same measure with its axes in the order of `blocks`; axes without names take these.

        Raises `ValueError` where the measure's blocks are others.
        """
        axes = arrangement(self.blocks, blocks) if self.blocks else list(range(self.dim))
        if axes == list(range(self.dim)):
            return GridDensity(self.grid, self.masses, blocks=blocks)
        sides, middles = ([parts[k] for k in axes] for parts in (self.grid.edges, self.grid.centres))
        return GridDensity(Grid(sides, middles), jnp.transpose(self.masses, axes), blocks=blocks)

    @property
    def mass(self) -> Float[Array, ""]:
        return jnp.sum(self.masses)

    @property
    def positions(self) -> Float[Array, "N D"]:
        """The cells' centres."""
        return self.grid.points

    @property
    def weights(self) -> Float[Array, " N"]:
        """The masses, in the order of `positions`."""
        return self.masses.ravel()

    @property
    def density(self) -> Float[Array, "..."]:
        """Mass over volume, in the grid's shape."""
        return self.masses / self.grid.volumes

    def particles(self) -> Particles:
        """Atoms at the cells' centres."""
        return Particles(self.positions, self.weights, blocks=self.blocks)

    def atoms(self, n: int) -> Particles:
        """The atoms at the cells' centres, whatever n."""
        return self.particles()

    def cell_masses(self, grid: Grid) -> Float[np.ndarray, "..."]:
        """Its own masses on its own grid; on another one those of its atoms."""
        if self.grid.same(grid):
            return np.asarray(self.masses, float)
        return self.particles().cell_masses(grid)


Measure = Particles | GridDensity
"""What a problem can be evaluated at."""
