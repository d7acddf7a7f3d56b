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
from widelimit.numerics import entries, map_rows, sum_chunks
from widelimit.problem import Problem
from widelimit.problem.data import require_nodes

# Numbers a table may keep when the problem sets no budget: 256 MB.
_ROOM = 2**25
# What a compressed row may miss of its root mean square over the data: the rounding of a sum over the data.
_MISSING = 1e-14


class AbstractTable(eqx.Module):
    """Phi for a grid of cells; masses and potentials have the grid's shape, predictions that of the targets."""

    @abc.abstractmethod
    def mix(self, problem: Problem, masses: Float[Array, "..."]) -> Float[Array, "Q ..."]:
        """f = Phi^T m."""

    @abc.abstractmethod
    def pull(self, problem: Problem, slopes: Float[Array, "Q ..."]) -> Float[Array, "..."]:
        """Phi g, the exact transpose of `mix`."""

    @abc.abstractmethod
    def sizes(self) -> Float[Array, "..."]:
        """max over the data of |Phi| for each cell: the scale of rounding errors."""


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

    def sizes(self) -> Float[Array, "..."]:
        return self.largest


class Recomputed(AbstractTable):
    """Phi evaluated anew in pieces, where it would not fit into memory."""

    rows: Float[Array, "N D"]
    largest: Float[Array, "..."]

    def mix(self, problem: Problem, masses: Float[Array, "..."]) -> Float[Array, "Q ..."]:
        nodes = require_nodes(problem.data, "TransportPDE")

        def piece(rows: Any, masses: Any) -> Any:
            return jnp.tensordot(masses, _values(problem, rows, nodes.x), axes=1)

        return sum_chunks(piece, (self.rows,), masses.ravel(), self._piece(problem, nodes.y.size))

    def pull(self, problem: Problem, slopes: Float[Array, "Q ..."]) -> Float[Array, "..."]:
        x = require_nodes(problem.data, "TransportPDE").x

        def one(row: Any) -> Any:
            return jnp.sum(slopes * _values(problem, row[None], x)[0])

        return map_rows(one, self.rows, self._piece(problem, slopes.size)).reshape(self.largest.shape)

    def sizes(self) -> Float[Array, "..."]:
        return self.largest

    def _piece(self, problem: Problem, columns: int) -> int:
        return max(1, entries(problem.budget) // columns)


class Charged(AbstractTable):
    """phi = c phi~(w): one table over the cells of w serves all cells of the charge c, which lie along `axis`."""

    inner: AbstractTable
    charges: Float[Array, " n"]
    axis: int = eqx.field(static=True)

    def mix(self, problem: Problem, masses: Float[Array, "n1 n2"]) -> Float[Array, "Q ..."]:
        return self.inner.mix(problem, jnp.tensordot(self.charges, masses, axes=((0,), (self.axis,))))

    def pull(self, problem: Problem, slopes: Float[Array, "Q ..."]) -> Float[Array, "n1 n2"]:
        return self._spread(self.charges, self.inner.pull(problem, slopes))

    def sizes(self) -> Float[Array, "n1 n2"]:
        return self._spread(jnp.abs(self.charges), self.inner.sizes())

    def _spread(self, charges: Any, others: Any) -> Any:
        return jnp.outer(charges, others) if self.axis == 0 else jnp.outer(others, charges)


def unit_table(problem: Problem, grid: Grid, rows: Float[np.ndarray, "N D"]) -> AbstractTable:
    """The table of the problem's unit on a grid with these centres.

    Raises `ValueError` where the unit is not finite at a centre.
    """
    names = [block.name for block in problem.blocks]
    linear = problem.unit.linear
    if grid.dim == 2 and linear in names and len(names) == 2:
        axis = names.index(linear)
        rows = np.ones((grid.shape[1 - axis], 2))
        rows[:, 1 - axis] = np.asarray(grid.centres[1 - axis])
        return Charged(_one_table(problem, rows, rows.shape[:1]), grid.centres[axis], axis)
    return _one_table(problem, rows, grid.shape)


def _one_table(problem: Problem, rows: np.ndarray, shape: tuple[int, ...]) -> AbstractTable:
    nodes = require_nodes(problem.data, "TransportPDE")
    columns = nodes.y.size
    room = _ROOM if problem.budget is None else problem.budget
    found = _compressed(problem, rows, nodes, room)
    if found is not None:
        left, right, largest = found
        return Stored(jnp.asarray(left), jnp.asarray(right), jnp.asarray(largest.reshape(shape)), nodes.y.shape[1:])
    if len(rows) * columns > room:
        largest = np.concatenate([np.abs(part).max(axis=1) for _, part in _pieces(problem, rows, nodes, len(rows))])
        return Recomputed(jnp.asarray(rows), jnp.asarray(largest.reshape(shape)))
    whole = np.concatenate([part for _, part in _pieces(problem, rows, nodes, len(rows))])
    largest = np.abs(whole).max(axis=1).reshape(shape)
    return Stored(jnp.asarray(whole.T), None, jnp.asarray(largest), nodes.y.shape[1:])


def _compressed(problem: Problem, rows: np.ndarray, nodes: Any, room: int) -> Any:
    r"""(left, right, largest) with $\Phi = \mathrm{left}^T \mathrm{right}$ to rounding; None where the rank is too
    high.

    The rows of a smooth unit span a few dozen dimensions. The space is that of a sample of rows, and grows where a row
    is not in it. Each row is measured by its own size, so that on a grid that reaches far the smaller ones keep their
    digits; those below the median by that.
    """
    columns = nodes.y.size
    # Where the data has next to no weight, digits do not count.
    weight = np.asarray(nodes.weights)
    weight = np.sqrt(np.maximum(weight, 1e-8 * np.max(weight)))
    weight = np.repeat(weight, columns // len(weight))
    most = min(columns // 2, room // len(rows))
    sample = np.random.default_rng(0).permutation(len(rows))[: 2 * math.ceil(math.sqrt(columns)) + 32]
    first = np.concatenate([part for _, part in _pieces(problem, rows[sample], nodes, len(rows))]) * weight
    typical = max(float(np.median(np.linalg.norm(first, axis=1))), 1e-300)
    space, found, largest = _extended(np.zeros((0, columns)), first, typical), [], []
    for _, part in _pieces(problem, rows, nodes, len(rows)):
        space = _extended(space, part * weight, typical)
        if len(space) > most:
            return None
        found.append((part * weight) @ space.T)
        largest.append(np.abs(part).max(axis=1))
    left = np.concatenate([np.pad(part, [(0, 0), (0, len(space) - part.shape[1])]) for part in found]).T
    return np.ascontiguousarray(left), space / weight, np.concatenate(largest)


def _extended(space: np.ndarray, rows: np.ndarray, typical: float) -> np.ndarray:
    """An orthonormal basis [k, M] of the space and of what the rows have outside of it."""
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1), typical)[:, None]
    missing = unit - (unit @ space.T) @ space
    missing = missing[np.linalg.norm(missing, axis=1) > _MISSING]
    if not len(missing):
        return space
    _, sizes, more = np.linalg.svd(missing, full_matrices=False)
    more = more[sizes > _MISSING]
    # What is missing may be all cancellation: its directions are made orthogonal again.
    more = more - (more @ space.T) @ space
    return np.concatenate([space, np.linalg.qr(more.T)[0].T])


def _pieces(problem: Problem, rows: np.ndarray, nodes: Any, most: int) -> Any:
    """Phi [n, M] in pieces over the rows, with their places; `most`: rows there are in all.

    Raises `ValueError` where an entry is not finite.
    """
    size = max(1, entries(problem.budget) // nodes.y.size)
    for start in range(0, len(rows), size):
        taken = rows[start : start + size]
        # Pieces of one length: another would compile anew.
        filled = np.pad(taken, [(0, min(size, most) - len(taken)), (0, 0)], mode="edge")
        part = np.asarray(_values(problem, jnp.asarray(filled), nodes.x))[: len(taken)].reshape(len(taken), -1)
        if not np.all(np.isfinite(part)):
            bad = rows[start + int(np.argmin(np.all(np.isfinite(part), axis=1)))]
            raise ValueError(
                f"TransportPDE(grid=...): the unit is not finite at the cell centre {bad.tolist()}; take a grid that "
                "ends before it."
            )
        yield slice(start, start + len(part)), part


@eqx.filter_jit
def _values(problem: Problem, rows: Float[Array, "n D"], x: Float[Array, "Q d"]) -> Float[Array, "n Q ..."]:
    theta = split(problem.blocks, rows)
    return jax.vmap(lambda th: jax.vmap(lambda point: problem.unit(th, point))(x))(theta)
