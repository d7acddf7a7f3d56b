"""The one verb: move a measure by a dynamics and record what happens."""

import contextlib
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.dynamics import AbstractDynamics, Start, array_numbers
from widelimit.measure import Grid
from widelimit.numerics import Signals, local_path
from widelimit.problem import Problem
from widelimit.results import EvolutionError
from widelimit.trajectory import Checkpoint, Folder, Progress, Stream, Trajectory, observables

from ._checks import arranged, check_run, save_times, watched_of
from ._devices import Devices, Shares
from ._host import Run, explain
from ._provenance import marks_of, provenance
from ._saving import Ended, Watch, given_weights, grid_of, shape_of, size_of_save, trajectory_of


def evolve(
    problem: Problem,
    measure: Start,
    dynamics: AbstractDynamics,
    *,
    t1: float,
    save_at: Sequence[float] | np.ndarray | jax.Array | None = None,
    observe: Sequence[observables.AbstractObservable] | None = None,
    key: PRNGKeyArray | None = None,
    max_steps: int | None = None,
    throw: bool = True,
    progress: bool | None = None,
    checkpoint: Checkpoint | str | os.PathLike[str] | None = None,
    store: str | os.PathLike[str] | None = None,
    devices: Devices | None = None,
) -> Trajectory:
    """Move `measure` by `dynamics` from time 0 to `t1`.

    **Arguments**

    - `measure`: where it starts: particles or a density on a grid with mass 1, columns with names in any
      order; or a law, for the dynamics that can take one.
    - `dynamics`: `GradientFlow()`, `SGD(step=...)`, `TransportPDE(cells=...)`, ...
    - `t1`: the end, > 0, in mean-field time.
    - `save_at`: increasing times in [0, t1] at which the measure and the observables are saved; 0 and t1 are always
      among them. By default 65 of them (fewer for huge measures), denser at the start. The steps do not depend on them.
      A dynamics that counts steps (SGD, JKO) saves at the nearest step's own time, and ends at the first that reaches
      t1.
    - `observe`: from `widelimit.observables`; risk, penalty and dissipation by default.
    - `key`: a `jax.random.key`, needed by dynamics that draw random numbers.
    - `max_steps`: the most steps to take; no limit by default.
    - `throw`: raise `EvolutionError` when the end is not reached (its `trajectory` holds what was saved); else
      return the trajectory with its outcome.
    - `progress`: show progress: a bar on a terminal or in a notebook's cell from two seconds on, lines on standard
      error elsewhere from ten on. False shows nothing.
    - `checkpoint`: a `Checkpoint` or a folder: a run that was killed goes on from there, on other devices if wanted.
    - `store`: a file of Zarr that the measures are written to while the run goes on, for runs whose saves are larger
      than the memory. The trajectory reads a save point from there when it is asked for; so does `load`.
    - `devices`: share the particles out among several: a number of `jax.devices()`, a list of them, or a
      `jax.sharding.Mesh` with an axis "particles" (of the type `Auto`). The numbers are those of one device up to the
      rounding of sums. Several processes: see `connect`; an interruption then keeps the last checkpoint.

    **Returns** a `Trajectory`.

    **Raises** `ValueError` for input that does not fit, `EvolutionError` as said, `KeyboardInterrupt` after leaving a
    checkpoint if there is a folder for it; then SIGTERM does the same and raises `SystemExit(143)`, and SIGUSR1 leaves
    a checkpoint and the run goes on (in the main thread of a process).
    """
    place = Checkpoint.of(checkpoint)
    with Signals(keeps=place is not None) as signals:
        runs = set_up(problem, [measure], dynamics, t1, [key], save_at, observe, max_steps, bounded=store is None)
        shares = Shares() if devices is None else Shares.of(devices, problem, dynamics, runs.weights[0])
        states, weights = shares.placed((runs.states[0], runs.weights[0]))
        stream = None if store is None else runs.stream(store, shares, keeps=place is not None)
        with stream or contextlib.nullcontext():
            watch = runs.watch._replace(prepared=shares.widened(runs.watch.prepared))
            run = Run(watch, runs.times, states, weights, max_steps, shares=shares, stream=stream)
            (trajectory,) = runs.drive(run, [0], place, progress, signals)
    if throw and not trajectory.outcome.ok:
        raise EvolutionError(trajectory.message, trajectory)
    return trajectory


class Runs(NamedTuple):
    """Runs before they go, a place in each list for each: how it is seen, its start, key, state, weights, save times.

    `dynamics`: as they were given, for people; `watches` have them as they move.
    """

    dynamics: list[AbstractDynamics]
    watches: list[Watch]
    starts: list[Start]
    keys: list[PRNGKeyArray | None]
    states: list[Any]
    weights: list[Float[Array, " N"] | None]
    all_times: list[np.ndarray]
    grids: list[Grid | None]

    @property
    def watch(self) -> Watch:
        """Of the first run."""
        return self.watches[0]

    @property
    def times(self) -> np.ndarray:
        """Of the first run."""
        return self.all_times[0]

    def drive(
        self, run: Run, group: list[int], checkpoint: Checkpoint | None, progress: bool | None, signals: Signals
    ) -> list[Trajectory]:
        """Those of a group, which `run` holds; their checkpoint is of all of them."""
        marks, first = self._marks(group, kept=checkpoint is not None), run.shares.first
        place = None if checkpoint is None or marks is None else Folder(checkpoint, marks, writes=first)
        label = type(self.dynamics[group[0]]).__name__ + ("" if len(group) == 1 else f", {len(group)} runs")
        with (
            Progress(float(run.times[-1]), progress if first else False, label) as bar,
            place or contextlib.nullcontext() as folder,
        ):
            bar.kept = "" if place is None else f"; the same call goes on from there, by the checkpoint {place.path}"
            ended = run.drive(folder, bar, signals)
        return [self._trajectory(i, one, run, marks) for i, one in zip(group, ended, strict=True)]

    def _marks(self, group: list[int], *, kept: bool) -> dict[str, str] | None:
        """The fingerprints of a group, each problem and dynamics among them once."""
        starts, keys = ([told[i] for i in group] for told in (self.starts, self.keys))
        different = {id(self.watches[i]): i for i in reversed(group)}
        found = [
            marks_of(
                self.watches[i].problem,
                starts,
                self.dynamics[i],
                self.all_times[i],
                self.watches[i].watched,
                keys,
                kept=kept,
            )
            for i in sorted(different.values())
        ]
        known = [marks for marks in found if marks is not None]
        if len(known) < len(found):
            return None
        names = list(dict.fromkeys(name for marks in known for name in marks))
        return {name: " ".join(dict.fromkeys(marks.get(name, "") for marks in known)) for name in names}

    def stream(self, store: str | os.PathLike[str], shares: Shares, *, keeps: bool) -> Stream:
        """Where the measures of the one run go. Raises `ValueError` where they cannot."""
        if self.watch.dynamics.growth is not None:
            name = type(self.dynamics[0]).__name__
            raise ValueError(
                f"evolve(store=...): the particles of {name} grow in number, and the rows of a store are of one "
                "length; save fewer times instead."
            )
        if shares.several:
            raise ValueError("evolve(store=...): a run of several processes writes none; save its trajectory instead.")
        fixed = {} if self.weights[0] is not None else {"weights": "weights"}
        arrays = {"positions": "positions", **fixed} if self.grids[0] is None else {"weights": "masses"}
        return Stream(local_path(store, "evolve(store=...)"), arrays, keeps=keeps)

    def _trajectory(self, i: int, ended: Ended, run: Run, marks: dict[str, str] | None) -> Trajectory:
        watch = self.watches[i]
        message = explain(watch, ended, run.times, run.max_steps, self.starts[i])
        told = provenance(watch.problem, self.dynamics[i], self.keys[i], marks)
        fixed = self.weights[i] is not None
        return trajectory_of(
            watch, ended, run.times, self.grids[i], fixed=fixed, stream=run.stream, message=message, provenance=told
        )


def set_up(
    problem: Problem | list[Problem],
    starts: list[Start],
    dynamics: AbstractDynamics | list[AbstractDynamics],
    t1: float,
    keys: list[PRNGKeyArray | None],
    save_at: Any,
    observe: Any,
    max_steps: int | None,
    *,
    bounded: bool = True,
) -> Runs:
    """The first states of some runs, and when they are saved; the arguments are those of `evolve`.

    `problem`, `dynamics`: one for all, or one each; `bounded`: whether the saves are kept in memory.
    """
    count = len(starts)
    problems = problem if isinstance(problem, list) else [problem] * count
    moving = dynamics if isinstance(dynamics, list) else [dynamics] * count
    runs = Runs(moving, [], [], keys, [], [], [], [])
    # What runs of one problem and dynamics share is made once.
    shared: dict[tuple[int, int], tuple[Watch, np.ndarray, Grid | None]] = {}
    for one, start, moves, key in zip(problems, starts, moving, keys, strict=True):
        check_run(one, start, moves, t1, max_steps, key)
        given, pair = arranged(one, start), (id(one), id(moves))
        watch = shared[pair][0] if pair in shared else _watch(one, moves, observe)
        state = watch.dynamics.init(watch.prepared, given, t1=t1, key=key)
        if pair not in shared:
            shape = shape_of(watch, state)
            size = count * size_of_save(shape) if bounded else 1
            shared[pair] = watch, save_times(t1, save_at, size, watch.dynamics.clock), grid_of(watch, state, shape)
        watch, times, grid = shared[pair]
        runs.watches.append(watch)
        runs.starts.append(given)
        runs.states.append(state)
        runs.weights.append(given_weights(watch, given))
        runs.all_times.append(times)
        runs.grids.append(grid)
    return runs


def _watch(problem: Problem, dynamics: AbstractDynamics, observe: Any) -> Watch:
    moved = array_numbers(dynamics)
    return Watch(problem, moved, moved.prepare(problem), watched_of(problem, observe, dynamics))
