"""The numbers of the neurons of a run: their values, weights, and distribution functions where they are known."""

import dataclasses

import numpy as np
from jaxtyping import Float

from widelimit.measure import Block, GridDensity, Measure, quantiles
from widelimit.trajectory import Trajectory

# Quantiles that stand for a distribution.
_MARKS = 32


@dataclasses.dataclass(frozen=True)
class Spread:
    """One number a neuron [N] with weights [N]: the neurons of one run at one time.

    `known`: points x and the mass below each, where the distribution is known and not sampled; else None.
    """

    label: str
    values: Float[np.ndarray, " N"]
    weights: Float[np.ndarray, " N"]
    known: tuple[np.ndarray, np.ndarray] | None = None


def blocks_of(run: Trajectory | Measure) -> tuple[Block, ...]:
    """The blocks; columns without names are numbered."""
    return run.blocks or tuple(Block(f"parameter {i + 1}", ()) for i in range(run.dim))


def label_of(block: Block) -> str:
    """The number shown for a block: itself, or its norm. A `radius` of a reduced problem is that of the `weight`."""
    if block.name == "radius":
        return "|weight|"
    return block.name if block.size == 1 else f"|{block.name}|"


def rows_of(trajectory: Trajectory, block: Block, index: int) -> Float[np.ndarray, "N S"]:
    """The columns of a block at a save point, flattened."""
    first = 0
    for other in blocks_of(trajectory):
        if other.name == block.name:
            break
        first += other.size
    return np.asarray(trajectory[index].positions[:, first : first + block.size], float)


def numbers_of(trajectory: Trajectory, block: Block, index: int) -> Float[np.ndarray, " N"]:
    """One number a neuron: a scalar block itself, the Euclidean norm of any other."""
    rows = rows_of(trajectory, block, index)
    return rows[:, 0] if block.size == 1 else np.linalg.norm(rows, axis=1)


def rests(trajectory: Trajectory, block: Block) -> bool:
    """Whether no neuron's number of a block changes in a run, as the level of a particle does not."""
    if trajectory.grid is not None or trajectory.counts is not None:
        return False
    start, end = (rows_of(trajectory, block, index) for index in (0, -1))
    return len(trajectory) > 1 and np.array_equal(start, end)


def spread_of(trajectory: Trajectory, block: Block, index: int, label: str) -> Spread:
    """A block's numbers at a save point; with the distribution function where the run knows it."""
    measure = trajectory[index]
    values, weights = numbers_of(trajectory, block, index), np.asarray(measure.weights, float)
    known = None
    if measure.grid is not None and measure.dim == 1:
        known = of_cells(measure)
    elif measure.dim == 1 and "level" in trajectory.observables:
        known = values, trajectory.level[index][: len(values)]
    elif measure.dim == 1 and "log_density" in trajectory.observables:
        known = _of_nodes(values, weights)
    return Spread(label, values, weights, known)


def of_cells(measure: GridDensity) -> tuple[np.ndarray, np.ndarray]:
    edges = np.asarray(measure.grid.edges[0])
    below = np.concatenate([[0.0], np.cumsum(np.asarray(measure.masses))])
    finite = np.isfinite(edges)
    return edges[finite], below[finite]


def _of_nodes(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quadrature nodes of a smooth density: half of a node's weight lies below it."""
    order = np.argsort(values)
    x, w = values[order], weights[order]
    return x, np.cumsum(w) - 0.5 * w


def few_times(trajectory: Trajectory, how_many: int = 4) -> list[int]:
    """Save points at which the neurons have gone 0, 1/3, 2/3 and all of their way."""
    way = way_of(trajectory)
    marks = way[-1] * np.linspace(0.0, 1.0, how_many)
    inner = [int(np.argmin(np.abs(way - mark))) for mark in marks[1:-1]]
    return sorted({0, *inner, len(way) - 1})


def way_of(trajectory: Trajectory) -> Float[np.ndarray, " T"]:
    """How far the neurons have gone by each save point, in root mean square."""
    follows = trajectory.grid is None and trajectory.counts is None
    levels = (np.arange(_MARKS) + 0.5) / _MARKS
    share = np.abs(np.asarray(trajectory.weights[0], float)) if follows else np.full(_MARKS, 1.0 / _MARKS)

    def marks(index: int) -> np.ndarray:
        measure = trajectory[index]
        if follows:
            return np.asarray(measure.positions, float)
        # No row follows a neuron here: what moves is the quantiles of each parameter.
        return np.stack([quantiles(measure, levels, column) for column in range(measure.dim)], axis=1)

    way, before = [0.0], marks(0)
    for index in range(1, len(trajectory)):
        now = marks(index)
        # What is at infinity before and after has not moved.
        step = np.where(now == before, 0.0, now - before)
        way.append(way[-1] + float(np.sqrt(share @ np.sum(step**2, axis=1))))
        before = now
    return np.array(way)


def mass_between(part: Spread, share: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The mass between neighbouring edges."""
    if part.known is None:
        return np.histogram(part.values, bins=edges, weights=share)[0]
    from scipy.interpolate import PchipInterpolator

    x, below = part.known
    # Quantiles that the flow has pressed together may be out of order by a rounding.
    x = np.maximum.accumulate(x)
    apart = np.concatenate([[True], np.diff(x) > 0])
    # Monotone, so that no bar is negative.
    curve = PchipInterpolator(x[apart], below[apart] / np.sum(part.weights), extrapolate=False)
    return np.diff(curve(np.clip(edges, x[0], x[-1])))
