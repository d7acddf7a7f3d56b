"""The one verb: move a measure by a dynamics and record what happens."""

import os
import pathlib
from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from widelimit.dynamics import AbstractDynamics, Start, array_numbers
from widelimit.problem import Problem
from widelimit.results import EvolutionError
from widelimit.trajectory import Checkpoint, Folder, Progress, Trajectory, observables

from ._checks import arranged, check_run, save_times, watched_of
from ._host import Keeper, Run, explain
from ._provenance import mark_of, provenance
from ._saving import Watch, given_weights, size_of_save, trajectory_of


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
) -> Trajectory:
    """Move `measure` by `dynamics` from time 0 to `t1`.

    **Arguments**

    - `measure`: where it starts: particles or a density on a grid with mass 1, columns with names in any
      order; or a law, for the dynamics that can take one.
    - `dynamics`: `GradientFlow()`, `SGD(step=...)`, `TransportPDE(cells=...)`, ...
    - `t1`: the end, > 0, in mean-field time.
    - `save_at`: increasing times in [0, t1] at which the measure and the observables are saved; 0 and t1 are always
      among them. By default 65 of them (fewer for huge measures), denser at the start. The steps do not depend on them.
    - `observe`: from `widelimit.observables`; risk, penalty and dissipation by default.
    - `key`: a `jax.random.key`, needed by dynamics that draw random numbers.
    - `max_steps`: the most steps to take; no limit by default.
    - `throw`: raise `EvolutionError` when the end is not reached (its `trajectory` holds what was saved); else
      return the trajectory with its outcome.
    - `progress`: show progress on standard error; by default on a terminal.
    - `checkpoint`: a `Checkpoint` or a folder: a run that was killed goes on from there.

    **Returns** a `Trajectory`.

    **Raises** `ValueError` for input that does not fit, `EvolutionError` as said, `KeyboardInterrupt` after leaving a
    checkpoint if there is a folder for it.
    """
    check_run(problem, measure, dynamics, t1, max_steps, key)
    measure = arranged(problem, measure)
    watched = watched_of(problem, observe, dynamics)
    if checkpoint is not None and not isinstance(checkpoint, Checkpoint):
        checkpoint = Checkpoint(checkpoint)
    moved = array_numbers(dynamics)
    watch = Watch(problem, moved, moved.prepare(problem), watched)
    state = moved.init(watch.prepared, measure, t1=t1, key=key)
    end = moved.clock.reading(t1)
    times = save_times(t1, save_at, size_of_save(watch, state, end))
    run = Run(watch, times, given_weights(watch, measure), max_steps)
    mark = mark_of((problem, measure, dynamics, float(t1), times, watched, key), checkpoint)
    keeper = None
    if checkpoint is not None and mark is not None:
        keeper = Keeper(Folder(pathlib.Path(checkpoint.path), mark), checkpoint.every)
    with Progress(t1, progress, type(dynamics).__name__) as bar:
        ended = run.drive(state, keeper, bar)
    message = explain(watch, ended, times, max_steps, measure)
    told = provenance(problem, dynamics, key, mark)
    fixed = run.weights is not None
    trajectory = trajectory_of(watch, ended, times, end, fixed=fixed, message=message, provenance=told)
    if throw and not ended.outcome.ok:
        raise EvolutionError(message, trajectory)
    return trajectory
