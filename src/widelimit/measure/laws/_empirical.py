"""The law of given atoms."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from .._blocks import Blocks
from .._particles import Particles
from ._arguments import checked_probabilities, numeric
from ._cube import Nodes, Rows
from ._law import AbstractLaw, Groups


class Empirical(AbstractLaw):
    r"""The law $\sum_i w_i \delta_{\theta_i}$; a sample draws atoms with replacement.

    `quantise(n)` returns all the atoms when there are no more than n; else n of them, spread over the others.

    - `positions`: [N, D]; with D = 1 and no names the block has shape ().
    - `weights`: [N], non-negative, with sum 1; 1/N each if left out.
    - `blocks`: names of the columns, if they have names.

    Raises `ValueError` for other shapes, for NaN or infinities, and for weights that are no probabilities.
    """

    positions: Float[Array, "N D"]
    weights: Float[Array, " N"]
    shape: tuple[int, ...] = eqx.field(static=True)
    blocks: Blocks = eqx.field(static=True, default=())
    cube_dim: ClassVar[int] = 1

    def __init__(self, positions: Any, weights: Any = None, *, blocks: Blocks = ()) -> None:
        array = numeric(positions, "Empirical(positions=...)")
        if array.ndim != 2 or array.size == 0:
            raise ValueError(f"Empirical(positions=...): must have shape [N, D] with N, D >= 1, got {array.shape}.")
        n, dim = array.shape
        given = np.full(n, 1.0 / n) if weights is None else weights
        checked = checked_probabilities(given, n, "Empirical(weights=...)")
        atoms = Particles(array, checked, blocks=blocks)
        self.positions, self.weights, self.blocks = atoms.positions, atoms.weights, atoms.blocks
        self.shape = () if dim == 1 and not self.blocks else (dim,)

    @property
    def n_atoms(self) -> int:
        return self.positions.shape[0]

    def draw(self, n: int, key: PRNGKeyArray) -> Float[Array, "n D"]:
        return self.positions[jax.random.choice(key, self.n_atoms, (n,), p=self.weights)]

    def from_cube(self, u: Float[np.ndarray, "n c"]) -> Rows:
        positions, weights = np.asarray(self.positions), np.asarray(self.weights)
        order = _spread_order(positions)
        ends = np.cumsum(weights[order])
        # At u = 1, the last atom that has mass.
        last = np.flatnonzero(weights[order])[-1]
        which = np.minimum(np.searchsorted(ends, u[:, 0] * ends[-1], side="right"), last)
        return positions[order][which]

    def box_probability(self, lower: Rows, upper: Rows) -> Float[np.ndarray, " n"]:
        positions, weights = np.asarray(self.positions), np.asarray(self.weights)
        piece = max(1, 2**24 // positions.size)
        parts = [
            np.all((a[:, None] <= positions) & (positions < b[:, None]), axis=2) @ weights
            for a, b in ((lower[i : i + piece], upper[i : i + piece]) for i in range(0, len(lower), piece))
        ]
        return np.concatenate(parts)

    def gauss(self, n: int) -> Nodes:
        return np.asarray(self.positions), np.asarray(self.weights)

    def mean(self) -> Float[Array, " D"]:
        return self.weights @ self.positions

    def covariance(self) -> Float[Array, "D D"]:
        off = self.positions - self.mean()
        return (self.weights * off.T) @ off

    def radial(self, groups: Groups) -> AbstractLaw:
        lengths = jnp.stack([jnp.linalg.norm(self.positions[:, list(group)], axis=1) for group in groups], axis=1)
        return Empirical(lengths, self.weights)


def _spread_order(positions: Float[np.ndarray, "N D"]) -> Int[np.ndarray, " N"]:
    """Leaves of a k-d tree, in order: equal steps along it visit cells of equal mass all over the cloud.

    Each level halves every cell along the next column. In one dimension this is the sorted order.
    """
    n, dim = positions.shape
    order = np.arange(n)
    for level in range((n - 1).bit_length() + 1):
        cell = (np.arange(n) * 2**level) // n
        order = order[np.lexsort((positions[order, level % dim], cell))]
    return order
