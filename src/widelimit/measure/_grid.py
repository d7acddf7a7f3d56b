"""Cells of a box in one or two parameters."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.numerics import Module, own_array, real_number, whole_number
from widelimit.numerics.registry import Registry, named, number, positive, several, whole


class Grid(Module):
    """Cells of a box in one or two parameters: the product of a partition of each axis.

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
            sides = [np.asarray(own_array(side, "Grid(edges=...)"), float) for side in edges]
        except (TypeError, ValueError) as error:
            raise ValueError(f"Grid(edges=...): expected one array of numbers for each axis ({error}).") from None
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
            middles = [np.asarray(own_array(middle, "Grid(centres=...)"), float) for middle in centres]
            inside = len(middles) == len(sides) and all(
                m.shape == (len(s) - 1,) and np.all((m > s[:-1]) & (m < s[1:])) and np.all(np.isfinite(m))
                for m, s in zip(middles, sides, strict=True)
            )
            if not inside:
                raise ValueError("Grid(centres=...): expected one finite number inside each cell of each axis.")
        # With their dtype said, no program is compiled for their shapes.
        self.edges = tuple(jnp.asarray(side, float) for side in sides)
        self.centres = tuple(jnp.asarray(middle, float) for middle in middles)

    def same(self, other: "Grid") -> bool:
        """Whether the cells are the other's; on the host, where no comparison has to be compiled."""
        mine, others = (grid.edges + grid.centres for grid in (self, other))
        return len(mine) == len(others) and all(map(np.array_equal, mine, others))

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
        return _widths(self.edges, self.centres)

    @property
    def volumes(self) -> Float[Array, "..."]:
        """The cells' volumes, in the grid's shape."""
        total = jnp.ones(())
        for width in self.widths:
            total = total[..., None] * width
        return total

    def rows(self) -> Float[np.ndarray, "N D"]:
        """`points` on the host."""
        mesh = np.meshgrid(*(np.asarray(middle) for middle in self.centres), indexing="ij")
        return np.stack(mesh, axis=-1).reshape(-1, self.dim)

    def deposit(self, positions: Float[np.ndarray, "M D"], weights: Float[np.ndarray, " M"]) -> np.ndarray:
        """Atoms as masses of the cells, in the grid's shape; those outside of the grid are left out.

        An atom is shared between the two nearest centres of each axis so that mass and mean stay; between a wall and
        the nearest centre all goes to that centre. Runs on the host.
        """
        inside, shares, places = np.ones(len(positions), bool), [], []
        for x, edges, centres in zip(positions.T, self.edges, self.centres, strict=True):
            middle, edge = np.asarray(centres), np.asarray(edges)
            inside &= (x >= edge[0]) & (x <= edge[-1])
            low = np.clip(np.searchsorted(middle, x) - 1, 0, max(len(middle) - 2, 0))
            high = np.minimum(low + 1, len(middle) - 1)
            gap = np.where(high > low, middle[high] - middle[low], 1.0)
            upper = np.clip((x - middle[low]) / gap, 0.0, 1.0)
            places.append((low, high))
            shares.append((1.0 - upper, upper))
        masses, weights = np.zeros(self.shape), np.where(inside, weights, 0.0)
        for corner in np.ndindex(*(2,) * self.dim):
            share = np.prod([shares[k][side] for k, side in enumerate(corner)], axis=0)
            np.add.at(masses, tuple(places[k][side] for k, side in enumerate(corner)), weights * share)
        return masses

    def boxes(self) -> tuple[Float[np.ndarray, "N D"], Float[np.ndarray, "N D"]]:
        """Lower and upper corners of all cells; the last cell of an axis holds its upper edge."""
        lows = [np.asarray(side[:-1]) for side in self.edges]
        highs = [np.append(np.asarray(side[1:-1]), np.nextafter(float(side[-1]), np.inf)) for side in self.edges]
        low, high = (np.stack(np.meshgrid(*s, indexing="ij"), -1).reshape(-1, self.dim) for s in (lows, highs))
        return low, high


# One program: outside of compiled code each operation would compile for itself.
@jax.jit
def _widths(edges: Any, centres: Any) -> tuple[Float[Array, " _"], ...]:
    out = []
    for side, middle in zip(edges, centres, strict=True):
        low, high = side[:-1], side[1:]
        low, high = (
            jnp.where(jnp.isinf(low), 2 * middle - high, low),
            jnp.where(jnp.isinf(high), 2 * middle - low, high),
        )
        out.append(high - low)
    return tuple(out)


def uniform(lower: float, upper: float, cells: int) -> Grid:
    """Equal cells of [lower, upper]."""
    whole_number(cells, "grids(cells=...)", least=2)
    real_number(lower, "grids.uniform(lower=...)")
    real_number(upper, "grids.uniform(upper=...)")
    if not lower < upper:
        raise ValueError(f"grids.uniform(lower, upper): needs lower < upper, got {lower} and {upper}.")
    return Grid((np.linspace(lower, upper, cells + 1),))


def half_line(cells: int, scale: float = 3.0, lower: float = 0.0) -> Grid:
    r"""All of [lower, infinity]: $r = \mathrm{lower} + \mathrm{scale}\,t/(1-t)$ for equal cells of t in [0, 1]."""
    whole_number(cells, "grids(cells=...)", least=2)
    real_number(scale, "grids.half_line(scale=...)", above=0.0)
    real_number(lower, "grids.half_line(lower=...)")
    t, middle = np.arange(cells + 1) / cells, (np.arange(cells) + 0.5) / cells
    edges = np.append(lower + scale * t[:-1] / (1 - t[:-1]), np.inf)
    return Grid((edges,), (lower + scale * middle / (1 - middle),))


def line(cells: int, scale: float = 3.0, centre: float = 0.0) -> Grid:
    r"""All of [-inf, inf]: $x = \mathrm{centre} + \mathrm{scale}\,t/(1-t^2)$, equal cells of t in [-1, 1]."""
    whole_number(cells, "grids(cells=...)", least=2)
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


registry = Registry("grid")
_cells = whole(least=2)
registry.add("uniform", uniform, lower=number(), upper=number(), cells=_cells)
registry.add("half_line", half_line, cells=_cells, scale=positive, lower=number())
registry.add("line", line, cells=_cells, scale=positive, centre=number())


def _product(axes: Sequence[Grid]) -> Grid:
    """One grid an axis."""
    return product(*axes)


registry.add("product", _product, axes=several(named(registry)))
