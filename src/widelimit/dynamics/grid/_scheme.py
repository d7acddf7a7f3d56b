"""What a time step on a grid works with, and what it gives."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from widelimit.measure import Grid, split
from widelimit.problem import Problem

from ._axes import axes
from ._cells import Cells, Reading, read


class Scheme(eqx.Module):
    """The problem on its cells, and how fast mass crosses their faces.

    - `rates`: for each axis P / (x_(i+1) - x_i)^2 at the inner faces [n_k - 1], the velocity in cells a time for a
      potential difference of one.
    - `heat`: T, or None for T = 0.
    """

    problem: Problem
    cells: Cells
    rates: tuple[Float[Array, " _"], ...]
    heat: Float[Array, ""] | None

    @property
    def warmth(self) -> Float[Array, ""]:
        """T of a scheme that has one."""
        assert self.heat is not None
        return self.heat

    def read(self, masses: Float[Array, "..."]) -> Reading:
        return read(self.problem, self.cells, self.heat, masses)


class Tried(NamedTuple):
    """A step that was tried: its end, what it dissipated, whether it may be kept, and its error if that is known."""

    masses: Float[Array, "..."]
    dissipated: Float[Array, ""]
    reading: Reading
    good: Bool[Array, ""]
    error: Any


def face_rates(problem: Problem, grid: Grid, who: str) -> tuple[Float[Array, " _"], ...]:
    """`Scheme.rates`; a mobility of the user's own is taken at the faces' mid-points.

    Raises `ValueError` for a mobility that is no diagonal in two parameters, and for one that is negative.
    """
    centres = [np.asarray(middle) for middle in grid.centres]
    factors = [axis.mobility for axis in axes(problem)]
    if None in factors:
        if grid.dim > 1:
            raise ValueError(
                f"{who}: in two parameters the mobility must be one number a block (mobilities.Diagonal); for another "
                "one use GradientFlow on law.quantise(n)."
            )
        factors = [_own_mobility(problem, 0.5 * (centres[0][1:] + centres[0][:-1]), who)]
    pairs = zip(factors, centres, strict=True)
    return tuple(jnp.asarray(factor / np.diff(middle) ** 2, float) for factor, middle in pairs)


def _own_mobility(problem: Problem, places: Float[np.ndarray, " n"], who: str) -> Float[np.ndarray, " n"]:
    theta = split(problem.blocks, jnp.asarray(places[:, None], float))
    moved = jax.vmap(problem.mobility)(theta, jax.tree.map(jnp.ones_like, theta))
    mobility = np.concatenate([np.asarray(leaf).ravel() for leaf in moved])
    if not np.all(np.isfinite(mobility) & (mobility >= 0)):
        raise ValueError(f"{who}: the mobility must be finite and not negative on the whole grid.")
    return mobility
