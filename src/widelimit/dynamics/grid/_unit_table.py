r"""The unit at the centres of a grid's cells: the fixed linear map between masses and predictions.

With $\Phi_{jq} = \phi(x_j, s_q)$ for cell centre x_j and data node s_q, the predictions are $f = \Phi^T m$ and the data
part of the potential is $\psi = \Phi g$, g the slopes of the loss. Nothing of it changes in time.
"""

import abc
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.measure import Grid, split
from widelimit.numerics import compiled_quickly, entries, low_rank, map_rows, sum_chunks
from widelimit.problem import Problem
from widelimit.problem.data import require_nodes

# Numbers a table may keep when the problem sets no budget: 256 MB.
_ROOM = 2**25


class AbstractTable(eqx.Module):
    """Phi for a grid of cells; masses and potentials have the grid's shape, predictions that of the targets."""

    largest: eqx.AbstractVar[Float[Array, "..."]]

    @abc.abstractmethod
    def mix(self, problem: Problem, masses: Float[Array, "..."]) -> Float[Array, "Q ..."]:
        """f = Phi^T m."""

    @abc.abstractmethod
    def pull(self, problem: Problem, slopes: Float[Array, "Q ..."]) -> Float[Array, "..."]:
        """Phi g, the exact transpose of `mix`."""

    def sizes(self) -> Float[Array, "..."]:
        """max over the data of |Phi| for each cell: the scale of rounding errors."""
        return self.largest

    def factors(self) -> tuple[Float[Array, "N k"], Float[Array, "k M"]] | None:
        """A, B with Phi = A B; None where Phi does not fit into memory."""
        return None


class Stored(AbstractTable):
    """Phi^T = right^T left; without `right` it is `left` itself."""

    left: Float[Array, "k N"]
    right: Float[Array, "k M"] | None
    largest: Float[Array, "..."]
    outputs: tuple[int, ...] = eqx.field(static=True)

    def mix(self, problem: Problem, masses: Float[Array, "..."]) -> Float[Array, "Q ..."]:
        mixed = self.left @ masses.ravel()
        return (mixed if self.right is None else mixed @ self.right).reshape(-1, *self.outputs)

    def pull(self, problem: Problem, slopes: Float[Array, "Q ..."]) -> Float[Array, "..."]:
        flat = slopes.ravel()
        return ((flat if self.right is None else self.right @ flat) @ self.left).reshape(self.largest.shape)

    def factors(self) -> tuple[Float[Array, "N k"], Float[Array, "k M"]]:
        return self.left.T, jnp.eye(self.left.shape[0]) if self.right is None else self.right


class Recomputed(AbstractTable):
    """Phi evaluated anew in pieces, where it would not fit into memory."""

    rows: Float[Array, "N D"]
    x: Float[Array, "Q d"]
    largest: Float[Array, "..."]

    def mix(self, problem: Problem, masses: Float[Array, "..."]) -> Float[Array, "Q ..."]:
        def piece(rows: Any, masses: Any) -> Any:
            return jnp.tensordot(masses, _values(problem, rows, self.x), axes=1)

        columns = self.x.shape[0] * math.prod(problem.data.outputs)
        return sum_chunks(piece, (self.rows,), masses.ravel(), self._piece(problem, columns))

    def pull(self, problem: Problem, slopes: Float[Array, "Q ..."]) -> Float[Array, "..."]:
        def one(row: Any) -> Any:
            return jnp.sum(slopes * _values(problem, row[None], self.x)[0])

        return map_rows(one, self.rows, self._piece(problem, slopes.size)).reshape(self.largest.shape)

    def _piece(self, problem: Problem, columns: int) -> int:
        return max(1, entries(problem.budget) // columns)


class Charged(AbstractTable):
    """phi = c phi~(w): one table over the cells of w serves all cells of the charge c, which lie along `axis`."""

    inner: AbstractTable
    charges: Float[Array, " n"]
    largest: Float[Array, "n1 n2"]
    axis: int = eqx.field(static=True)

    def mix(self, problem: Problem, masses: Float[Array, "n1 n2"]) -> Float[Array, "Q ..."]:
        return self.inner.mix(problem, jnp.tensordot(self.charges, masses, axes=((0,), (self.axis,))))

    def pull(self, problem: Problem, slopes: Float[Array, "Q ..."]) -> Float[Array, "n1 n2"]:
        return _spread(self.charges, self.inner.pull(problem, slopes), self.axis)

    def factors(self) -> tuple[Float[Array, "N k"], Float[Array, "k M"]] | None:
        found = self.inner.factors()
        if found is None:
            return None
        rows = jax.vmap(lambda column: _spread(self.charges, column, self.axis).ravel(), 1, 1)(found[0])
        return rows, found[1]


def _spread(charges: Any, others: Any, axis: int) -> Any:
    return jnp.outer(charges, others) if axis == 0 else jnp.outer(others, charges)


def unit_table(problem: Problem, grid: Grid, who: str, *, room: int | None = None) -> AbstractTable:
    """The table of the problem's unit on a grid.

    `room`: how many numbers may be kept; the problem's budget, or 2^25, if left out. Raises `ValueError` where the
    unit is not finite at a centre.
    """
    if problem.network.offset is not None:
        raise ValueError(f"{who}: a network with an offset has no table of its unit; take particles.")
    names, rows, linear = [block.name for block in problem.blocks], grid.rows(), problem.unit.linear
    most = room if room is not None else _ROOM if problem.budget is None else problem.budget
    if grid.dim == 2 and linear in names and len(names) == 2:
        axis = names.index(linear)
        rows = np.ones((grid.shape[1 - axis], 2))
        rows[:, 1 - axis] = np.asarray(grid.centres[1 - axis])
        inner, charges = _one_table(problem, rows, rows.shape[:1], who, most), grid.centres[axis]
        sizes = _spread(jnp.abs(charges), inner.largest, axis)
        return Charged(inner=inner, charges=charges, largest=sizes, axis=axis)
    return _one_table(problem, rows, grid.shape, who, most)


def _one_table(problem: Problem, rows: np.ndarray, shape: tuple[int, ...], who: str, room: int) -> AbstractTable:
    nodes = require_nodes(problem.data, who)
    columns, outputs, largest = nodes.y.size, nodes.y.shape[1:], np.zeros(len(rows))
    size = min(max(1, entries(problem.budget) // columns), len(rows))

    def values(places: np.ndarray) -> np.ndarray:
        """Phi at some of the rows, [n, M]; the largest entry of each is kept."""
        found = np.concatenate([piece(rows[places[at : at + size]]) for at in range(0, len(places), size)])
        largest[places] = np.abs(found).max(axis=1)
        return found

    def piece(taken: np.ndarray) -> np.ndarray:
        # Pieces of one length: another would compile anew.
        filled = np.pad(taken, [(0, size - len(taken)), (0, 0)], mode="edge")
        found = np.asarray(_values(problem, jnp.asarray(filled, float), nodes.x))[: len(taken)].reshape(len(taken), -1)
        _check_finite(found, taken, who)
        return found

    # Rows of a smooth unit span a few dozen dimensions.
    weights = np.repeat(np.asarray(nodes.weights), math.prod(outputs))
    thin = low_rank(values, len(rows), weights, piece=size, most=min(columns // 2, room // len(rows)))
    if thin is not None:
        left, right = jnp.asarray(np.ascontiguousarray(thin.left.T)), jnp.asarray(thin.right)
        return Stored(left=left, right=right, largest=jnp.asarray(largest.reshape(shape)), outputs=outputs)
    if len(rows) * columns <= room:
        whole = jnp.asarray(values(np.arange(len(rows))).T)
        return Stored(left=whole, right=None, largest=jnp.asarray(largest.reshape(shape)), outputs=outputs)
    for at in range(0, len(rows), size):
        values(np.arange(at, min(at + size, len(rows))))
    return Recomputed(rows=jnp.asarray(rows), x=nodes.x, largest=jnp.asarray(largest.reshape(shape)))


def _check_finite(values: np.ndarray, rows: np.ndarray, who: str) -> None:
    bad = ~np.all(np.isfinite(values), axis=1)
    if np.any(bad):
        centre = rows[int(np.argmax(bad))].tolist()
        raise ValueError(
            f"{who}(grid=...): the unit is not finite at the cell centre {centre}; take a grid that ends before it."
        )


@compiled_quickly
def _values(problem: Problem, rows: Float[Array, "n D"], x: Float[Array, "Q d"]) -> Float[Array, "n Q ..."]:
    theta = split(problem.blocks, rows)
    return jax.vmap(lambda th: jax.vmap(lambda point: problem.unit(th, point))(x))(theta)
