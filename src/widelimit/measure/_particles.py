"""A measure made of weighted atoms: what a network of finite width is."""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit._shown import Shown
from widelimit.numerics import Module, own_array

from ._blocks import Blocks, arrangement, checked_blocks, describe, split
from ._grid import Grid


class Particles(Module, Shown):
    r"""The measure $\rho = \sum_i w_i \delta_{\theta_i}$.

    - `positions`: [N, D], one row a particle; N >= 1.
    - `weights`: [N]; 1/N each if left out. A measure that evolves has weights that sum to 1 (checked by
      `evolve`); a teacher may have any weights.
    - `blocks`: the names and shapes of the columns, in order, if they have names.

    **Raises** `ValueError` when the shapes do not fit together.
    """

    positions: Float[Array, "N D"]
    weights: Float[Array, " N"]
    blocks: Blocks = eqx.field(static=True)
    grid: ClassVar[None] = None
    """The grid on which a measure is a density: none here."""

    def __init__(self, positions: Any, weights: Any = None, *, blocks: Blocks = ()) -> None:
        rows = own_array(positions, "Particles(positions=...)")
        # With its dtype said, no program is compiled for the shape.
        positions = jnp.asarray(rows, rows.dtype)
        if not jnp.issubdtype(positions.dtype, jnp.floating):
            positions = positions.astype(float)
        if positions.ndim != 2 or positions.shape[0] == 0 or positions.shape[1] == 0:
            raise ValueError(f"Particles(positions=...): expected [N, D] with N, D >= 1, got shape {positions.shape}.")
        n, dim = positions.shape
        given = np.full(n, 1.0 / n) if weights is None else own_array(weights, "Particles(weights=...)")
        weights = jnp.asarray(given, positions.dtype)
        if weights.shape != (n,):
            raise ValueError(f"Particles(weights=...): expected shape ({n},), got {weights.shape}.")
        self.positions, self.weights, self.blocks = positions, weights, checked_blocks(blocks, dim, "Particles")

    def __len__(self) -> int:
        return self.positions.shape[0]

    def __repr__(self) -> str:
        columns = f": {describe(self.blocks)}" if self.blocks else ""
        return f"Particles(N = {len(self)}, D = {self.dim}{columns})"

    @property
    def dim(self) -> int:
        """D, the number of parameters of a particle."""
        return self.positions.shape[1]

    def arranged(self, blocks: Blocks) -> "Particles":
        """The same measure with its columns in the order of `blocks`; columns without names take these.

        Raises `ValueError` where the measure's blocks are others.
        """
        if not self.blocks:
            return Particles(self.positions, self.weights, blocks=blocks)
        columns = arrangement(self.blocks, blocks)
        in_order = columns == list(range(self.dim))
        rows = self.positions if in_order else self.positions[:, np.asarray(columns)]
        return Particles(rows, self.weights, blocks=blocks)

    @property
    def mass(self) -> Float[Array, ""]:
        return jnp.sum(self.weights)

    def __getitem__(self, name: str) -> Float[Array, "N ..."]:
        """The block `name`, [N, *shape]. Raises `KeyError` for a name the measure does not have."""
        names = [block.name for block in self.blocks]
        if name not in names:
            raise KeyError(f"the measure has no block {name!r}; it has: {', '.join(names) or 'no names'}")
        return split(self.blocks, self.positions)[names.index(name)]

    def atoms(self, n: int) -> "Particles":
        """The particles themselves, whatever n."""
        return self

    def cell_masses(self, grid: Grid) -> Float[np.ndarray, "..."]:
        """The masses of a grid's cells, in its shape: each particle shared between the nearest centres (`deposit`)."""
        return grid.deposit(np.asarray(self.positions, float), np.asarray(self.weights, float))
