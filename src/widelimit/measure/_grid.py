"""A measure with a density, known by the masses of the cells of a grid."""

import math
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.numerics import real_number
from widelimit.numerics.registry import Registry, named, number, positive, several, whole

from ._blocks import Blocks, columns_of, describe, row_size
from ._particles import Particles


class Grid(eqx.Module):
    """Cells of a box in one or two parameters: the product of a partition of each axis.

    **Arguments**

    - `edges`: one increasing array [n_k + 1] an axis; the first and the last edge may be infinite.
    - `centres`: one array [n_k] an axis, inside the cells; the mid-points if left out. An infinite cell has none, so it
      must be given then.

    A grid is read as the image of equal cells under a smooth map: second-order schemes need neighbouring cells to
    have nearly the same size. See `uniform`, `half_line`, `line`. Raises `ValueError` for edges that do not
    increase and centres outside their cells.
    """

    edges: tuple[Float[Array, " _"], ...]
    centres: tuple[Float[Array, " _"], ...]

    def __init__(self, edges: Any, centres: Any = None) -> None:
        try:
            sides = [np.asarray(side, float) for side in edges]
        except (TypeError, ValueError):
            raise ValueError(f"Grid(edges=...): expected one array of numbers for each axis, got {edges!r}.") from None
        if not sides or any(side.ndim != 1 or len(side) < 2 for side in sides):
            raise ValueError("Grid(edges=...): expected one array of two or more edges for each axis.")
        if len(sides) > 2:
            raise ValueError(f"Grid(edges=...): one or two axes are known, got {len(sides)}.")
        if any(np.any(np.isnan(side)) or not np.all(np.diff(side) > 0) for side in sides):
            raise ValueError("Grid(edges=...): the edges of an axis must increase.")
        if any(not np.all(np.isfinite(side[1:-1])) for side in sides):
            raise ValueError("Grid(edges=...): only the first and the last edge of an axis may be infinite.")
        if centres is None:
            if not all(np.all(np.isfinite(side)) for side in sides):
                raise ValueError("Grid(edges=...): an infinite cell has no mid-point; give centres=...")
            middles = [0.5 * (side[1:] + side[:-1]) for side in sides]
        else:
            middles = [np.asarray(middle, float) for middle in centres]
            inside = len(middles) == len(sides) and all(
                m.shape == (len(s) - 1,) and np.all((m > s[:-1]) & (m < s[1:])) and np.all(np.isfinite(m))
                for m, s in zip(middles, sides, strict=True)
            )
            if not inside:
                raise ValueError("Grid(centres=...): expected one finite number inside each cell of each axis.")
        self.edges = tuple(jnp.asarray(side) for side in sides)
        self.centres = tuple(jnp.asarray(middle) for middle in middles)

    @property
    def dim(self) -> int:
        return len(self.edges)

    @property
    def shape(self) -> tuple[int, ...]:
        """Cells along each axis."""
        return tuple(middle.shape[0] for middle in self.centres)

    @property
    def points(self) -> Float[Array, "N D"]:
        """The centres of all cells, the last axis running fastest."""
        return jnp.stack(jnp.meshgrid(*self.centres, indexing="ij"), axis=-1).reshape(-1, self.dim)

    @property
    def widths(self) -> tuple[Float[Array, " _"], ...]:
        """Widths along each axis; an infinite cell counts twice the way from its finite edge to its centre."""
        out = []
        for side, middle in zip(self.edges, self.centres, strict=True):
            low, high = side[:-1], side[1:]
            low, high = (
                jnp.where(jnp.isinf(low), 2 * middle - high, low),
                jnp.where(jnp.isinf(high), 2 * middle - low, high),
            )
            out.append(high - low)
        return tuple(out)

    @property
    def volumes(self) -> Float[Array, "..."]:
        """The cells' volumes, in the grid's shape."""
        total = jnp.ones(())
        for width in self.widths:
            total = total[..., None] * width
        return total

    def boxes(self) -> tuple[Float[np.ndarray, "N D"], Float[np.ndarray, "N D"]]:
        """Lower and upper corners of all cells; the last cell of an axis holds its upper edge."""
        lows = [np.asarray(side[:-1]) for side in self.edges]
        highs = [np.append(np.asarray(side[1:-1]), np.nextafter(float(side[-1]), np.inf)) for side in self.edges]
        low, high = (np.stack(np.meshgrid(*s, indexing="ij"), -1).reshape(-1, self.dim) for s in (lows, highs))
        return low, high


class GridDensity(eqx.Module):
    r"""The measure with masses $m_j$ in the cells of a grid.

    **Arguments**

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
        masses = jnp.asarray(masses, float)
        if masses.shape != grid.shape:
            raise ValueError(f"GridDensity(masses=...): expected the grid's shape {grid.shape}, got {masses.shape}.")
        if blocks and row_size(blocks) != grid.dim:
            raise ValueError(
                f"GridDensity(blocks=...): the blocks {describe(blocks)} make {row_size(blocks)} columns, "
                f"the grid has {grid.dim}."
            )
        self.grid, self.masses, self.blocks = grid, masses, tuple(blocks)

    def __len__(self) -> int:
        return math.prod(self.grid.shape)

    @property
    def dim(self) -> int:
        return self.grid.dim

    def arranged(self, blocks: Blocks) -> "GridDensity":
        """The same measure with its axes in the order of `blocks`; axes without names take these.

        Raises `ValueError` where the measure's blocks are others.
        """
        axes = columns_of(self.blocks, blocks) if self.blocks else list(range(self.dim))
        if axes is None:
            raise ValueError(f"the measure's blocks are {describe(self.blocks)}, not {describe(blocks)}.")
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


Measure = Particles | GridDensity
"""What a problem can be evaluated at."""


def uniform(lower: float, upper: float, cells: int) -> Grid:
    """Equal cells of [lower, upper]."""
    _check_cells(cells)
    real_number(lower, "grids.uniform(lower=...)")
    real_number(upper, "grids.uniform(upper=...)")
    if not lower < upper:
        raise ValueError(f"grids.uniform(lower, upper): needs lower < upper, got {lower} and {upper}.")
    return Grid((np.linspace(lower, upper, cells + 1),))


def half_line(cells: int, scale: float = 3.0, lower: float = 0.0) -> Grid:
    r"""All of [lower, infinity]: $r = \mathrm{lower} + \mathrm{scale}\,t/(1-t)$ for equal cells of t in [0, 1]."""
    _check_cells(cells)
    real_number(scale, "grids.half_line(scale=...)", above=0.0)
    real_number(lower, "grids.half_line(lower=...)")
    t, middle = np.arange(cells + 1) / cells, (np.arange(cells) + 0.5) / cells
    edges = np.append(lower + scale * t[:-1] / (1 - t[:-1]), np.inf)
    return Grid((edges,), (lower + scale * middle / (1 - middle),))


def line(cells: int, scale: float = 3.0, centre: float = 0.0) -> Grid:
    r"""All of [-inf, inf]: $x = \mathrm{centre} + \mathrm{scale}\,t/(1-t^2)$, equal cells of t in [-1, 1]."""
    _check_cells(cells)
    real_number(scale, "grids.line(scale=...)", above=0.0)
    real_number(centre, "grids.line(centre=...)")
    t, middle = np.linspace(-1, 1, cells + 1)[1:-1], (2 * np.arange(cells) + 1.0) / cells - 1.0
    edges = np.concatenate([[-np.inf], centre + scale * t / (1 - t**2), [np.inf]])
    return Grid((edges,), (centre + scale * middle / (1 - middle**2),))


def product(*grids: Grid) -> Grid:
    """The product of grids: their axes in the order given."""
    if not grids or not all(isinstance(grid, Grid) for grid in grids):
        raise ValueError("grids.product(...): expected one or more grids.")
    return Grid(
        tuple(side for grid in grids for side in grid.edges), tuple(mid for grid in grids for mid in grid.centres)
    )


def _check_cells(cells: Any) -> None:
    if isinstance(cells, bool) or not isinstance(cells, int | np.integer) or cells < 2:
        raise ValueError(f"grids(cells=...): must be a whole number of at least 2, got {cells!r}.")


registry = Registry("grid")
_cells = whole(least=2)
registry.add("uniform", uniform, lower=number(), upper=number(), cells=_cells)
registry.add("half_line", half_line, cells=_cells, scale=positive, lower=number())
registry.add("line", line, cells=_cells, scale=positive, centre=number())


def _product(axes: Sequence[Grid]) -> Grid:
    """One grid an axis."""
    return product(*axes)


registry.add("product", _product, axes=several(named(registry)))
