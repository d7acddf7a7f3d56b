"""Many runs at once: seeds, starts and numbers of problem and dynamics in one compiled program."""

import dataclasses
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
from widelimit.measure import Particles, laws
from widelimit.numerics import Count, Signals, compiled_quickly, random_key
from widelimit.problem import Problem
from widelimit.trajectory import Checkpoint, Ensemble, Trajectory, as_array, observables

from ._checks import check_run
from ._host import Moved, Now, Run, stops_at
from ._saving import Row, Watch, show
from ._verb import Runs, evolve, set_up


def evolve_many(
    problem: Problem | Sequence[Problem],
    starts: Sequence[Start] | laws.AbstractLaw,
    dynamics: AbstractDynamics | Sequence[AbstractDynamics],
    *,
    t1: float,
    width: Count | None = None,
    keys: Sequence[PRNGKeyArray] | Key[Array, " S"] | None = None,
    save_at: Sequence[float] | np.ndarray | jax.Array | None = None,
    observe: Sequence[observables.AbstractObservable] | None = None,
    max_steps: int | None = None,
    progress: bool | None = None,
    checkpoint: Checkpoint | str | os.PathLike[str] | None = None,
) -> Ensemble:
    """One run from each start, those that differ in numbers alone in one compiled program: SGD gains most by it.

    Each trajectory is that of `evolve` up to rounding. One that does not reach the end says so in its `outcome`, and
    the others go on. In one program are runs whose starts have one shape, whose problems and dynamics differ in numbers
    (a penalty's strength, delta, a temperature) and not in kinds and shapes, and whose steps, where a dynamics counts
    them, are equally many: in one loop a shorter run would wait for the longest.

    - `problem`, `dynamics`: one for all runs, or one each.
    - `starts`: as many as runs; the same start may be given again with another key. Or a law, with `width`: each run
      is then of a network of its own, drawn by `problem.start(law, width, key=...)`.
    - `width`: of the networks, where `starts` is a law.
    - `keys`: a `jax.random.key` each, or an array of keys; needed by dynamics that draw random numbers. With a law each
      is split in two: the first half draws the network, the second is the run's.
    - the others as in `evolve`; a checkpoint is of all the runs together.

        nets = evolve_many(problem, law, SGD(step=0.01), t1=10.0, width=128, keys=jax.random.split(key, 8))
        nets.risk.shape  # (8, T)

    **Returns** an `Ensemble`: a sequence of trajectories whose observables are stacked; `report.compare` takes it.

    Raises `ValueError` as `evolve` does, and for a law without a width and keys.
    """
    if width is not None:
        starts, keys = _networks(problem, starts, width, keys)
    elif isinstance(starts, laws.AbstractLaw):
        raise ValueError("evolve_many(width=...): a law was given as the start; say of how many neurons, and keys=.")
    starts = list(starts)
    seeds: list[PRNGKeyArray | None] = [None] * len(starts) if keys is None else list(keys)
    if not starts or len(seeds) != len(starts):
        raise ValueError(f"evolve_many(keys=...): {len(seeds)} keys for {len(starts)} starts; give one each.")
    problems, moving = (
        _one_each(given, len(starts), name) for given, name in ((problem, "problem"), (dynamics, "dynamics"))
    )
    kept = Checkpoint.of(checkpoint)
    for one, start, moves, key in zip(problems, starts, moving, seeds, strict=True):
        check_run(one, start, moves, t1, max_steps, key)
    rest: dict[str, Any] = {"save_at": save_at, "observe": observe, "max_steps": max_steps}
    if any(moves.growth is not None for moves in moving):
        rest |= {"progress": progress, "throw": False, "t1": t1}
        return Ensemble(
            tuple(
                evolve(one, start, moves, key=key, checkpoint=_part(kept, i), **rest)
                for i, (one, start, moves, key) in enumerate(zip(problems, starts, moving, seeds, strict=True))
            )
        )
    with Signals(keeps=kept is not None) as signals:
        runs = set_up(problems, starts, moving, t1, seeds, **rest)
        found: dict[int, Trajectory] = {}
        for number, group in enumerate(_groups(runs)):
            made = runs.drive(_fleet(runs, group, max_steps), group, _part(kept, number), progress, signals)
            found |= dict(zip(group, made, strict=True))
    return Ensemble(tuple(found[i] for i in range(len(starts))))


def _networks(problem: Any, law: Any, width: Count, keys: Any) -> tuple[list[Particles], list[PRNGKeyArray]]:
    """Networks of one width, each drawn from the law, and the keys of their runs."""
    if not isinstance(law, laws.AbstractLaw):
        raise ValueError(f"evolve_many(width=...): says how many neurons to draw from a law; got {type(law).__name__}.")
    if keys is None:
        raise ValueError("evolve_many(keys=...): networks drawn from a law need a key each.")
    pairs = [jax.random.split(random_key(key, "evolve_many(keys=...)")) for key in keys]
    problems = _one_each(problem, len(pairs), "problem")
    starts = [one.start(law, width, key=drawing) for one, (drawing, _) in zip(problems, pairs, strict=True)]
    return starts, [running for _, running in pairs]


def _one_each(given: Any, count: int, name: str) -> list[Any]:
    if not isinstance(given, list | tuple):
        return [given] * count
    if len(given) != count:
        raise ValueError(f"evolve_many({name}=...): {len(given)} for {count} starts; give one, or one each.")
    return list(given)


def _fleet(runs: Runs, group: list[int], max_steps: int | None) -> "_Fleet":
    """The runs of a group with their states, their weights and what else differs among them stacked."""
    weights = [w for w in (runs.weights[i] for i in group) if w is not None]
    watches, first = [runs.watches[i] for i in group], group[0]
    states = _stack([runs.states[i] for i in group], runs.watches[first].dynamics.clock.counts)
    stacked = jnp.stack(weights) if weights else None
    told = (runs.watches[first], runs.all_times[first], states, stacked, max_steps, len(group))
    return _Fleet(*told, each=_Each.of(watches))


def _groups(runs: Runs) -> list[list[int]]:
    """The runs that can be stacked: equal but for the numbers, whose shapes are one, and for the start and the key."""

    def kind(i: int) -> tuple[Any, ...]:
        arrays, static = eqx.partition((runs.watches[i], runs.states[i], runs.weights[i]), eqx.is_array)
        shapes = [(leaf.shape, str(leaf.dtype)) for leaf in jax.tree.leaves(arrays)]
        watch, times = runs.watches[i], runs.all_times[i]
        return shapes, jax.tree.structure(arrays), jax.tree.leaves(static), times.tolist(), stops_at(watch, times)

    groups: list[tuple[tuple[Any, ...], list[int]]] = []
    for i in range(len(runs.states)):
        mine = kind(i)
        for known, group in groups:
            if known == mine:
                group.append(i)
                break
        else:
            groups.append((mine, [i]))
    return [group for _, group in groups]


@dataclasses.dataclass(frozen=True)
class _Each:
    """The watches of a group as one: leaves that differ are stacked, and `axes` says which."""

    watch: Watch
    axes: Any

    @classmethod
    def of(cls, watches: list[Watch]) -> "_Each":
        parts = [eqx.partition(watch, eqx.is_array) for watch in watches]
        columns = list(zip(*(jax.tree.leaves(arrays) for arrays, _ in parts), strict=True))
        differ = [any(not _equal(leaf, column[0]) for leaf in column[1:]) for column in columns]
        structure = jax.tree.structure(parts[0][0])
        leaves = [jnp.stack(column) if many else column[0] for column, many in zip(columns, differ, strict=True)]
        stacked = eqx.combine(jax.tree.unflatten(structure, leaves), parts[0][1])
        axes = jax.tree.unflatten(structure, [0 if many else _WHOLE for many in differ])
        # None is an empty tree: it stands for its own place.
        return cls(stacked, jax.tree.map(lambda axis: None if axis == _WHOLE else axis, axes))


# In a tree of axes, where None would be no leaf.
_WHOLE = -1


def _equal(a: Any, b: Any) -> bool:
    return a is b or bool(np.array_equal(as_array(a), as_array(b), equal_nan=a.dtype.kind == "f"))


def _part(checkpoint: Checkpoint | None, number: int) -> Checkpoint | None:
    """A folder within the checkpoint's for a part of the runs."""
    if checkpoint is None:
        return None
    return Checkpoint(pathlib.Path(checkpoint.path) / f"part-{number}", checkpoint.every)


@dataclasses.dataclass(kw_only=True)
class _Fleet(Run):
    """Runs of one shape, driven as one run is: their states are stacked, and those that have ended stay.

    `watch`: of the first, for what all share; `each`: of all.
    """

    each: _Each

    @property
    def _shared(self) -> bool:
        return self.watch.dynamics.clock.counts

    def moved(self, now: Now, stop: float | int, most: int) -> Moved:
        # Runs that have ended are past every stop.
        until = jnp.asarray(stop) if self._shared else jnp.where(jnp.asarray(now.ends == 0), stop, -jnp.inf)
        return Moved(*_advance(self.each.watch, self.each.axes, now.states, until, jnp.asarray(most), self._shared))

    def shown(self, now: Now, stop: float | int) -> Row:
        told = self.each.watch, self.each.axes, now.states, self.weights, jnp.asarray(stop), self._shared
        return {name: np.asarray(value) for name, value in _show(*told).items()}

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
def _advance(watch: Watch, axes: Any, fleet: Any, until: Array, most: Array, shared: bool) -> Any:
    def one(watch: Watch, state: Any, stop: Array) -> Any:
        state, done, finite = advance(watch.dynamics, watch.prepared, state, stop, most)
        return state, done, finite, watch.dynamics.stalled(watch.prepared, state)

    moved = _axes(fleet, shared)
    over = eqx.filter_vmap(
        one, in_axes=(axes, moved, None if shared else 0), out_axes=(moved, None if shared else 0, 0, 0)
    )
    return over(watch, fleet, until)


@compiled_quickly
def _show(watch: Watch, axes: Any, fleet: Any, weights: Any, stop: Array, shared: bool) -> dict[str, Array]:
    def one(watch: Watch, state: Any, w: Any) -> dict[str, Array]:
        return show(watch, state, w, stop)

    return eqx.filter_vmap(one, in_axes=(axes, _axes(fleet, shared), 0))(watch, fleet, weights)
