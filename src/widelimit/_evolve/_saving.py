"""What is saved of a run: positions, weights and observables at the save times, and the trajectory made of them."""

from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from widelimit.dynamics import AbstractDynamics
from widelimit.measure import Grid, Particles
from widelimit.numerics import compiled_quickly
from widelimit.problem import Problem
from widelimit.results import Outcome
from widelimit.trajectory import Stream, Trajectory, observables

Row = dict[str, np.ndarray]
"""What is saved at one time: positions, weights, observables."""


class Watch(NamedTuple):
    """What is seen of a run's states, and how. `prepared`: the problem as the dynamics wants it."""

    problem: Problem
    dynamics: AbstractDynamics
    prepared: Problem
    watched: tuple[observables.AbstractObservable, ...]

    def finite(self, row: Row) -> bool:
        """Whether all is finite but observables of the user's own, which may be NaN: the run goes on."""
        own = {observable.name for observable in self.watched if isinstance(observable, observables.Function)}
        return all(bool(np.all(np.isfinite(value))) for name, value in row.items() if name not in own)


class Ended(NamedTuple):
    """How a run ended: its rows, its steps, seconds."""

    outcome: Outcome
    rows: list[Row]
    steps: int
    wall: float


def given_weights(watch: Watch, measure: Any) -> Float[Array, " N"] | None:
    """The weights of the start, where they never change."""
    keeps = "particles" in watch.dynamics.facts(watch.problem).conserves
    return measure.weights.astype(float) if keeps and isinstance(measure, Particles) else None


@compiled_quickly
def show(watch: Watch, state: Any, weights: Float[Array, " N"] | None, reading: Any) -> dict[str, Array]:
    """Positions, weights and observables at a clock reading; in float64 whatever the dynamics' own precision.

    `weights`: those of the start, where they never change.
    """
    rho = watch.dynamics.measure(watch.prepared, state, reading)
    weights = rho.weights.astype(float) if weights is None else weights
    wide = Particles(rho.positions.astype(float), weights, blocks=rho.blocks)
    out: dict[str, Array] = {"positions": wide.positions, "weights": wide.weights}
    dense = wide if rho.grid is None else rho
    seen = [observable(watch.problem, dense if observable.cells else wide) for observable in watch.watched]
    for values in (*seen, watch.dynamics.record(watch.prepared, state, reading)):
        for name, value in values.items():
            if name in out:
                raise ValueError(f"evolve(observe=...): two observables have the name {name!r}.")
            out[name] = value
    return out


def shape_of(watch: Watch, state: Any) -> Any:
    """The measure of a state, of shapes alone: what is computed of its arrays is not to be had."""
    # Outside of compiled code each operation would compile for itself.
    return eqx.filter_eval_shape(watch.dynamics.measure, watch.prepared, state, watch.dynamics.clock.of(state))


def size_of_save(shape: Any) -> int:
    """Numbers in the positions of one save point; see `shape_of`."""
    return len(shape) * shape.dim


def grid_of(watch: Watch, state: Any, shape: Any) -> Grid | None:
    """The grid of a run whose measures are densities on one; `shape`: see `shape_of`."""
    return None if shape.grid is None else _grid(watch, state)


# Outside of compiled code each operation of the measure, of which the grid is a part, would compile for itself.
@compiled_quickly
def _grid(watch: Watch, state: Any) -> Grid | None:
    return watch.dynamics.measure(watch.prepared, state, watch.dynamics.clock.of(state)).grid


def trajectory_of(
    watch: Watch,
    ended: Ended,
    times: np.ndarray,
    grid: Grid | None,
    *,
    fixed: bool,
    stream: Stream | None,
    message: str,
    provenance: dict[str, Any],
) -> Trajectory:
    """The rows as a trajectory.

    `grid`: see `grid_of`; `fixed`: whether the weights never change; `stream`: where the measures are, if not in the
    rows.
    """
    rows = ended.rows
    named = [name for name in rows[0] if name not in ("positions", "weights")]
    run = Trajectory(
        times=times[: len(rows)],
        **(_history(rows, grid, fixed=fixed) if stream is None else _streamed(rows, grid, stream)),
        blocks=watch.problem.blocks,
        observables={name: _padded([row[name] for row in rows]) for name in named},
        outcome=ended.outcome,
        message=message,
        steps=ended.steps,
        wall=ended.wall,
        provenance=provenance,
    )
    return run if stream is None else stream.finish(run)


def _streamed(rows: list[Row], grid: Grid | None, stream: Stream) -> dict[str, Any]:
    """The same for what is on disk."""
    positions, weights = stream.rows("positions", rows), stream.rows("weights", rows)
    if weights is None:
        weights = np.broadcast_to(rows[0]["weights"], (len(rows), *rows[0]["weights"].shape))
    return {"positions": rows[0]["positions"] if positions is None else positions, "weights": weights, "grid": grid}


def _history(rows: list[Row], grid: Grid | None, *, fixed: bool) -> dict[str, Any]:
    """The measures of all save points, as a trajectory has them.

    Where the dynamics makes its own particles their number may have grown, and the last ones, without mass, are room
    for more.
    """
    positions, weights = ([row[name] for row in rows] for name in ("positions", "weights"))
    if grid is not None:
        return {"positions": positions[0], "weights": np.stack(weights), "grid": grid}
    if fixed:
        return {
            "positions": np.stack(positions),
            "weights": np.broadcast_to(weights[0], (len(rows), *weights[0].shape)),
        }
    masses = np.nan_to_num(_padded(weights))
    counts = np.array([1 + np.flatnonzero(row)[-1] for row in masses])
    there = np.arange(masses.shape[1]) < counts[:, None]
    if np.all(there):
        return {"positions": _padded(positions), "weights": masses}
    return {"positions": np.where(there[:, :, None], _padded(positions), 0.0), "weights": masses, "counts": counts}


def _padded(arrays: list[np.ndarray]) -> np.ndarray:
    """The arrays stacked; shorter ones are filled with NaN."""
    if all(array.shape == arrays[0].shape for array in arrays):
        return np.stack(arrays)
    out = np.full((len(arrays), *np.max([array.shape for array in arrays], axis=0)), np.nan)
    for row, array in zip(out, arrays, strict=True):
        row[tuple(slice(n) for n in array.shape)] = array
    return out
