"""Particles that stand on levels: rows in order of level, equally many a level, the same mass on each."""

from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from widelimit.measure import Block, Blocks, GridDensity, Particles, row_size
from widelimit.numerics import Count, Module

# The mass of a level, whose rounding is that of a sum of many weights; `evolve` asks the same of the whole.
_MASS = 1e-6


class Levels(Module):
    """The levels 0, ..., `count` - 1. The last block of a particle is its level, `depth`, which never moves.

    A network of levels reads rows that are sorted: N of level 0, then N of level 1, ... Measures come in any order.
    """

    count: int
    block: ClassVar[Block] = Block("depth", ())

    def sorted(self, measure: Particles | GridDensity) -> Particles | GridDensity:
        """The same measure with its rows in order of level; those of a level keep their order.

        Raises `ValueError` for rows between levels and for levels that are not equally many. Where the numbers are
        traced and nothing can be raised, the positions of such a measure are not finite.
        """
        if not isinstance(measure, Particles):
            raise ValueError(f"measure: a network of {self.count} levels needs Particles, got a GridDensity.")
        depth = measure.positions[:, -1]
        if isinstance(depth, Tracer):
            return self._sorted_in_code(measure)
        depth = np.asarray(depth)
        each, wrong = depth.size // self.count, ~np.isin(depth, np.arange(self.count))
        if wrong.any():
            raise ValueError(
                f"measure: the last column is the level, 0 to {self.count - 1}; row {int(np.argmax(wrong))} has "
                f"{depth[wrong][0]:g}."
            )
        numbers = np.bincount(depth.astype(int), minlength=self.count)
        if np.any(numbers != each):
            raise ValueError(
                f"measure: needs as many particles on each of the {self.count} levels; there are {numbers.min()} to "
                f"{numbers.max()}."
            )
        if np.all(np.diff(depth) >= 0):
            return measure
        index = np.argsort(depth, stable=True)
        return Particles(measure.positions[index], measure.weights[index], blocks=measure.blocks)

    def check_masses(self, measure: Particles) -> None:
        """Raise `ValueError` unless each level of a sorted measure has the mass 1/L."""
        masses = np.asarray(measure.weights).reshape(self.count, -1).sum(axis=1)
        off = np.abs(self.count * masses - 1.0)
        if off.max() > _MASS:
            raise ValueError(
                f"measure: each of the {self.count} levels must have the mass 1/{self.count}; level "
                f"{int(np.argmax(off))} has {masses[np.argmax(off)]:.6g}."
            )

    def placed(self, given: Particles, width: Count | None, blocks: Blocks) -> Particles:
        """Particles with their levels as they are; those without stand on every level.

        Raises `ValueError` where there are not `width` on each.
        """
        measure = given if given.dim == row_size(blocks) else self.filled(self.everywhere(given), blocks)
        if width is not None and self.count * width != len(measure):
            raise ValueError(
                f"start(width=...): {width} were asked on each of {self.count} levels, the measure has {len(measure)} "
                "particles in all."
            )
        return measure

    def filled(self, rows: Particles, blocks: Blocks) -> Particles:
        """Particles without a level, as many for each in turn, with their levels.

        Raises `ValueError` for another number of columns.
        """
        dim = row_size(blocks)
        if rows.dim != dim - 1:
            raise ValueError(
                f"start(law): the law has {rows.dim} numbers; a particle of a level has {dim - 1}, the rows of its "
                "matrix one after another."
            )
        depth = jnp.repeat(jnp.arange(self.count, dtype=rows.positions.dtype), len(rows) // self.count)
        return Particles(jnp.column_stack([rows.positions, depth]), rows.weights, blocks=blocks)

    def everywhere(self, rows: Particles) -> Particles:
        """The same particles on every level, without their level yet."""
        positions = jnp.tile(rows.positions, (self.count, 1))
        return Particles(positions, jnp.tile(rows.weights, self.count) / self.count)

    def _sorted_in_code(self, measure: Particles) -> Particles:
        rows, n = measure.positions, len(measure)
        if n % self.count:
            raise ValueError(f"measure: {n} particles are not equally many on {self.count} levels.")
        index = jnp.argsort(rows[:, -1], stable=True)
        rows = rows[index]
        right: Float[Array, " N"] = rows[:, -1] == jnp.repeat(jnp.arange(self.count), n // self.count)
        rows = jnp.where(jnp.all(right), rows, jnp.nan)
        return Particles(rows, measure.weights[index], blocks=measure.blocks)
