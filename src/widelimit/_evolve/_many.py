"""Many runs of one dynamics at once: seeds and starts in one compiled program."""

import dataclasses
import itertools
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key, PRNGKeyArray

from widelimit.dynamics import AbstractDynamics, Start, advance
from widelimit.numerics import Signals, compiled_quickly
from widelimit.problem import Problem
from widelimit.trajectory import Checkpoint, Trajectory, observables

from ._checks import check_run
from ._host import Moved, Now, Run
from ._saving import Row, Watch, show
from ._verb import Runs, evolve, set_up


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
    seeds: list[PRNGKeyArray | None] = [None] * len(starts) if keys is None else list(keys)
    if not starts or len(seeds) != len(starts):
        raise ValueError(f"evolve_many(keys=...): {len(seeds)} keys for {len(starts)} starts; give one each.")
    kept = Checkpoint.of(checkpoint)
    for start, key in zip(starts, seeds, strict=True):
        check_run(problem, start, dynamics, t1, max_steps, key)
    if dynamics.growth is not None:
        rest: dict[str, Any] = {"t1": t1, "save_at": save_at, "observe": observe, "max_steps": max_steps}
        return [
            evolve(problem, start, dynamics, key=key, checkpoint=_part(kept, i), progress=progress, throw=False, **rest)
            for i, (start, key) in enumerate(zip(starts, seeds, strict=True))
        ]
    with Signals(keeps=kept is not None) as signals:
        runs = set_up(problem, starts, dynamics, t1, seeds, save_at, observe, max_steps)
        found: dict[int, Trajectory] = {}
        for number, group in enumerate(_groups(runs.states, runs.weights)):
            fleet = _Fleet(runs.watch, runs.times, *_stacked(runs, group), max_steps, len(group))
            made = runs.drive(fleet, group, _part(kept, number), progress, signals)
            found |= dict(zip(group, made, strict=True))
    return [found[i] for i in range(len(starts))]


def _stacked(runs: Runs, group: list[int]) -> tuple[Any, Array | None]:
    """The states and the weights of a group."""
    weights = [w for w in (runs.weights[i] for i in group) if w is not None]
    states = [runs.states[i] for i in group]
    return _stack(states, runs.watch.dynamics.clock.counts), jnp.stack(weights) if weights else None


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


@dataclasses.dataclass
class _Fleet(Run):
    """Runs of one shape, driven as one run is: their states are stacked, and those that have ended stay."""

    @property
    def _shared(self) -> bool:
        return self.watch.dynamics.clock.counts

    def moved(self, now: Now, stop: float | int, most: int) -> Moved:
        # Runs that have ended are past every stop.
        until = jnp.asarray(stop) if self._shared else jnp.where(jnp.asarray(now.ends == 0), stop, -jnp.inf)
        return Moved(*_advance(self.watch, now.states, until, jnp.asarray(most), self._shared))

    def shown(self, now: Now, stop: float | int) -> Row:
        shown = _show(self.watch, now.states, self.weights, jnp.asarray(stop), self._shared)
        return {name: np.asarray(value) for name, value in shown.items()}

    def row_of(self, row: Row, i: int) -> Row:
        return {name: np.asarray(value[i]) for name, value in row.items()}


def _axes(state: Any, shared: bool) -> Any:
    """Which leaves are stacked: all arrays; but the number of steps done is one for all where the clock counts them.

    So the loop's end is one predicate, and no step is masked.
    """
    axes = jax.tree.map(lambda leaf: 0 if eqx.is_array(leaf) else None, state)
    return eqx.tree_at(lambda s: s.k, axes, None) if shared else axes


@compiled_quickly
def _stack(states: list[Any], shared: bool) -> Any:
    def stacked(first: Any, *others: Any) -> Any:
        return jnp.stack([first, *others]) if eqx.is_array(first) else first

    fleet = jax.tree.map(stacked, *states)
    return eqx.tree_at(lambda s: s.k, fleet, states[0].k) if shared else fleet


@eqx.filter_jit
def _advance(watch: Watch, fleet: Any, until: Array, most: Array, shared: bool) -> Any:
    def one(state: Any, stop: Array) -> Any:
        state, done, finite = advance(watch.dynamics, watch.prepared, state, stop, most)
        return state, done, finite, watch.dynamics.stalled(watch.prepared, state)

    axes = _axes(fleet, shared)
    over = eqx.filter_vmap(one, in_axes=(axes, None if shared else 0), out_axes=(axes, None if shared else 0, 0, 0))
    return over(fleet, until)


@compiled_quickly
def _show(watch: Watch, fleet: Any, weights: Any, stop: Array, shared: bool) -> dict[str, Array]:
    def one(state: Any, w: Any) -> dict[str, Array]:
        return show(watch, state, w, stop)

    return eqx.filter_vmap(one, in_axes=(_axes(fleet, shared), 0))(fleet, weights)
