"""Many runs of one dynamics at once: seeds and starts in one compiled program."""

import dataclasses
import itertools
import os
import pathlib
import time
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key, PRNGKeyArray

from widelimit.dynamics import AbstractDynamics, Start, advance, array_numbers
from widelimit.problem import Problem
from widelimit.results import Outcome
from widelimit.trajectory import Checkpoint, Folder, Progress, Trajectory, observables, restore

from ._checks import arranged, check_run, save_times, watched_of
from ._host import Keeper, blown_up, explain, next_chunk, require_start, stops_at
from ._provenance import mark_of, provenance
from ._saving import Ended, Row, Watch, given_weights, show, size_of_save, trajectory_of
from ._verb import evolve


def evolve_many(
    problem: Problem,
    starts: Sequence[Start],
    dynamics: AbstractDynamics,
    *,
    t1: float,
    keys: Sequence[PRNGKeyArray] | Key[Array, " S"] | None = None,
    save_at: Sequence[float] | np.ndarray | jax.Array | None = None,
    observe: Sequence[observables.AbstractObservable] | None = None,
    max_steps: int | None = None,
    progress: bool | None = None,
    checkpoint: Checkpoint | str | os.PathLike[str] | None = None,
) -> list[Trajectory]:
    """One run of a dynamics from each start, those of one shape in one compiled program: SGD gains most by it.

    Each trajectory is that of `evolve` up to rounding. One that does not reach the end says so in its `outcome`, and
    the others go on.

    - `starts`: as many as runs; the same start may be given again with another key.
    - `keys`: a `jax.random.key` each, or an array of keys; needed by dynamics that draw random numbers.
    - the others as in `evolve`; a checkpoint is of all the runs together.

    Raises `ValueError` as `evolve` does.
    """
    starts = list(starts)
    seeds = [None] * len(starts) if keys is None else list(keys)
    if not starts or len(seeds) != len(starts):
        raise ValueError(f"evolve_many(keys=...): {len(seeds)} keys for {len(starts)} starts; give one each.")
    for start, key in zip(starts, seeds, strict=True):
        check_run(problem, start, dynamics, t1, max_steps, key)
    starts = [arranged(problem, start) for start in starts]
    watched = watched_of(problem, observe, dynamics)
    if checkpoint is not None and not isinstance(checkpoint, Checkpoint):
        checkpoint = Checkpoint(checkpoint)
    if dynamics.growth is not None:
        rest: dict[str, Any] = {"t1": t1, "save_at": save_at, "observe": watched, "max_steps": max_steps}
        rest |= {"throw": False, "progress": progress}
        return [
            evolve(problem, start, dynamics, key=key, checkpoint=_part(checkpoint, i), **rest)
            for i, (start, key) in enumerate(zip(starts, seeds, strict=True))
        ]
    moved = array_numbers(dynamics)
    watch = Watch(problem, moved, moved.prepare(problem), watched)
    end = moved.clock.reading(t1)
    states = [moved.init(watch.prepared, s, t1=t1, key=key) for s, key in zip(starts, seeds, strict=True)]
    times = save_times(t1, save_at, len(starts) * size_of_save(watch, states[0], end))
    weights = [given_weights(watch, start) for start in starts]
    ended: list[Any] = [None] * len(starts)
    for number, group in enumerate(_groups(states, weights)):
        fleet = _Fleet(watch, times, [states[i] for i in group], [weights[i] for i in group], max_steps)
        keeper = None
        if (here := _part(checkpoint, number)) is not None:
            runs = [(starts[i], seeds[i]) for i in group]
            mark = mark_of((problem, runs, dynamics, float(t1), times, watched), here)
            keeper = Keeper(Folder(pathlib.Path(here.path), str(mark)), here.every)
        with Progress(t1, progress, f"{type(dynamics).__name__}, {len(group)} runs") as bar:
            for i, one in zip(group, fleet.drive(keeper, bar), strict=True):
                ended[i] = one
    return [
        trajectory_of(
            watch,
            one,
            times,
            end,
            fixed=w is not None,
            message=explain(watch, one, times, max_steps, start),
            provenance=provenance(problem, dynamics, key, None),
        )
        for one, w, start, key in zip(ended, weights, starts, seeds, strict=True)
    ]


def _groups(states: list[Any], weights: list[Any]) -> list[list[int]]:
    """The runs whose states can be stacked: one structure, one shape."""

    def kind(i: int) -> tuple[str, str]:
        arrays, static = eqx.partition((states[i], weights[i]), eqx.is_array)
        shapes = [(leaf.shape, str(leaf.dtype)) for leaf in jax.tree.leaves(arrays)]
        return str((shapes, jax.tree.structure(arrays))), str(jax.tree.leaves(static))

    order = sorted(range(len(states)), key=kind)
    return [list(group) for _, group in itertools.groupby(order, key=kind)]


def _part(checkpoint: Checkpoint | None, number: int) -> Checkpoint | None:
    """A folder within the checkpoint's for a part of the runs."""
    if checkpoint is None:
        return None
    return Checkpoint(pathlib.Path(checkpoint.path) / f"part-{number}", checkpoint.every)


_OUTCOMES = tuple(Outcome)


@dataclasses.dataclass
class _Fleet:
    """Runs of one shape, driven as one run is, with a mask of those that go on."""

    watch: Watch
    times: np.ndarray
    states: list[Any]
    weights: list[Any]
    max_steps: int | None

    def drive(self, keeper: Keeper | None, bar: Progress) -> list[Ended]:
        count, clock = len(self.states), self.watch.dynamics.clock
        # What a run that was killed goes on from: the states, how each run stands, its steps and its saves.
        now = (_stack(self.states, shared=clock.counts), *(np.zeros(count, int) for _ in range(3)))
        rows: list[Row] = []
        spent = 0.0
        if keeper is not None and (saved := keeper.folder.read()) is not None:
            fleet, *counted = restore(now, saved.leaves)
            ends, steps, saves = map(np.array, counted)
            rows, spent = saved.rows, saved.wall
            # There may be more steps now; but the saves that a run has missed meanwhile are gone.
            ends[(ends == _OUTCOMES.index(Outcome.MAX_STEPS)) & (saves == len(rows))] = 0
            now = (fleet, ends, steps, saves)
        began = time.monotonic()

        def offer(due: bool = False) -> None:
            if keeper is not None:
                keeper.offer(now, rows, spent + time.monotonic() - began, due)

        masses = None if self.weights[0] is None else jnp.stack(self.weights)
        stops, chunk = stops_at(self.watch, self.times), 8
        try:
            for t, stop in list(zip(self.times, stops, strict=True))[len(rows) :]:
                while (before := self._before(now, stop)).any():
                    fleet, ends, steps, saves = now
                    left = chunk if self.max_steps is None else min(chunk, self.max_steps - int(np.max(steps[before])))
                    if left <= 0:
                        spared = before & (steps >= self.max_steps)
                        now = (fleet, np.where(spared, _OUTCOMES.index(Outcome.MAX_STEPS), ends), steps, saves)
                        continue
                    tick = time.monotonic()
                    now, done = self._advanced(now, before, stop, left)
                    chunk = next_chunk(chunk, done, time.monotonic() - tick)
                    bar.update(float(t), int(np.sum(now[2])))
                    offer()
                fleet, ends, steps, saves = now
                if not (ends == 0).any():
                    break
                shown = _show(self.watch, fleet, masses, jnp.asarray(stop), clock.counts)
                row = {name: np.asarray(value) for name, value in shown.items()}
                ends, saves = ends.copy(), saves.copy()
                for i in map(int, np.flatnonzero(ends == 0)):
                    mine = _row_of(row, i)
                    if not self.watch.finite(mine) or blown_up(mine, [_row_of(first, i) for first in rows[:1]]):
                        ends[i] = _OUTCOMES.index(Outcome.DIVERGED)
                    else:
                        saves[i] += 1
                now, rows = (fleet, ends, steps, saves), [*rows, row]
        except KeyboardInterrupt:
            offer(due=True)
            raise
        offer(due=True)
        # Each run's share, so that the seconds of all of them add up.
        wall = (spent + time.monotonic() - began) / count
        return [self._ended(i, now, rows, wall) for i in range(count)]

    def _before(self, now: Any, stop: float | int) -> np.ndarray:
        """Which runs go on to the stop."""
        fleet, ends, _, _ = now
        return (ends == 0) & np.broadcast_to(np.asarray(self.watch.dynamics.clock.of(fleet)) < stop, ends.shape)

    def _advanced(self, now: Any, before: np.ndarray, stop: float | int, most: int) -> tuple[Any, int]:
        """Everything after at most so many steps, and how many there were."""
        fleet, ends, steps, saves = now
        counts = self.watch.dynamics.clock.counts
        # Runs that have ended are past every stop.
        until = jnp.asarray(stop) if counts else jnp.where(jnp.asarray(ends == 0), stop, -jnp.inf)
        fleet, done, finite, stuck = _advance(self.watch, fleet, until, jnp.asarray(most), counts)
        steps = np.where(ends == 0, np.broadcast_to(np.asarray(fleet.k), ends.shape), steps)
        ends = np.where(before & np.asarray(stuck), _OUTCOMES.index(Outcome.STALLED), ends)
        ends = np.where(before & ~np.asarray(finite), _OUTCOMES.index(Outcome.DIVERGED), ends)
        return (fleet, ends, steps, saves), int(np.max(done))

    def _ended(self, i: int, now: Any, rows: list[Row], wall: float) -> Ended:
        """How one of the runs ended."""
        fleet, ends, steps, saves = now
        kept = [_row_of(row, i) for row in rows[: int(saves[i])]]
        require_start(kept)
        counts = self.watch.dynamics.clock.counts
        last = eqx.tree_at(lambda s: s.k, _pick(fleet, i, counts), jnp.asarray(steps[i]))
        return Ended(_OUTCOMES[int(ends[i])], kept, last, wall)


def _row_of(row: Row, i: int) -> Row:
    """What one of the runs saved, of what all have."""
    return {name: np.asarray(value[i]) for name, value in row.items()}


def _axes(state: Any, shared: bool) -> Any:
    """Which leaves are stacked: all arrays; but the number of steps done is one for all where the clock counts them.

    So the loop's end is one predicate, and no step is masked.
    """
    axes = jax.tree.map(lambda leaf: 0 if eqx.is_array(leaf) else None, state)
    return eqx.tree_at(lambda s: s.k, axes, None) if shared else axes


def _stack(states: list[Any], shared: bool) -> Any:
    def stacked(first: Any, *others: Any) -> Any:
        return jnp.stack([first, *others]) if eqx.is_array(first) else first

    fleet = jax.tree.map(stacked, *states)
    return eqx.tree_at(lambda s: s.k, fleet, states[0].k) if shared else fleet


def _pick(fleet: Any, i: int, shared: bool) -> Any:
    one = jax.tree.map(lambda leaf: leaf[i] if eqx.is_array(leaf) and leaf.ndim else leaf, fleet)
    return eqx.tree_at(lambda s: s.k, one, fleet.k) if shared else one


@eqx.filter_jit
def _advance(watch: Watch, fleet: Any, until: Array, most: Array, shared: bool) -> Any:
    def one(state: Any, stop: Array) -> Any:
        state, done, finite = advance(watch.dynamics, watch.prepared, state, stop, most)
        return state, done, finite, watch.dynamics.stalled(watch.prepared, state)

    axes = _axes(fleet, shared)
    over = eqx.filter_vmap(one, in_axes=(axes, None if shared else 0), out_axes=(axes, None if shared else 0, 0, 0))
    return over(fleet, until)


@eqx.filter_jit
def _show(watch: Watch, fleet: Any, weights: Any, stop: Array, shared: bool) -> dict[str, Array]:
    def one(state: Any, w: Any) -> dict[str, Array]:
        return show(watch, state, w, stop)

    return eqx.filter_vmap(one, in_axes=(_axes(fleet, shared), 0))(fleet, weights)
