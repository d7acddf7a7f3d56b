"""Many runs of one dynamics at once: seeds and starts in one compiled program."""

import itertools
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
from widelimit.trajectory import Trajectory, observables

from ._checks import arranged, check_run, save_times, watched_of
from ._host import blown_up, explain, next_chunk, require_start, stops_at
from ._provenance import provenance
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
) -> list[Trajectory]:
    """One run of a dynamics from each start, those of one shape in one compiled program: SGD gains most by it.

    Each trajectory is that of `evolve` up to rounding. One that does not reach the end says so in its `outcome`, and
    the others go on.

    - `starts`: as many as runs; the same start may be given again with another key.
    - `keys`: a `jax.random.key` each, or an array of keys; needed by dynamics that draw random numbers.
    - the others as in `evolve`.

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
    if dynamics.growth is not None:
        rest: dict[str, Any] = {"t1": t1, "save_at": save_at, "observe": watched, "max_steps": max_steps}
        return [
            evolve(problem, start, dynamics, key=key, throw=False, progress=False, **rest)
            for start, key in zip(starts, seeds, strict=True)
        ]
    moved = array_numbers(dynamics)
    watch = Watch(problem, moved, moved.prepare(problem), watched)
    end = moved.clock.reading(t1)
    states = [moved.init(watch.prepared, s, t1=t1, key=key) for s, key in zip(starts, seeds, strict=True)]
    times = save_times(t1, save_at, len(starts) * size_of_save(watch, states[0], end))
    weights = [given_weights(watch, start) for start in starts]
    ended: list[Any] = [None] * len(starts)
    for group in _groups(states, weights):
        fleet = [states[i] for i in group], [weights[i] for i in group]
        for i, one in zip(group, _drive(watch, *fleet, times, max_steps), strict=True):
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


def _drive(
    watch: Watch, states: list[Any], weights: list[Any], times: np.ndarray, max_steps: int | None
) -> list[Ended]:
    """The host's loop for runs of one shape: as that of one run, with a mask of those that go on."""
    began, count = time.monotonic(), len(states)
    clock = watch.dynamics.clock
    fleet = _stack(states, shared=clock.counts)
    masses = None if weights[0] is None else jnp.stack(weights)
    rows: list[list[Row]] = [[] for _ in states]
    outcomes = [Outcome.SUCCESS] * count
    steps, chunk = np.zeros(count, int), 8
    for stop in stops_at(watch, times):
        while True:
            active = np.array([outcome.ok for outcome in outcomes])
            before = active & np.broadcast_to(np.asarray(clock.of(fleet)) < stop, count)
            if not before.any():
                break
            left = chunk if max_steps is None else max_steps - int(np.max(steps[before]))
            if left <= 0:
                outcomes = [
                    Outcome.MAX_STEPS if b and n >= max_steps else o
                    for b, n, o in zip(before, steps, outcomes, strict=True)
                ]
                continue
            tick = time.monotonic()
            # Runs that have ended are past every stop.
            until = jnp.asarray(stop) if clock.counts else jnp.where(jnp.asarray(active), stop, -jnp.inf)
            fleet, done, finite, stuck = _advance(watch, fleet, until, jnp.asarray(min(chunk, left)), clock.counts)
            steps = np.where(active, np.broadcast_to(np.asarray(fleet.k), count), steps)
            for i in np.flatnonzero(before):
                if not finite[i]:
                    outcomes[i] = Outcome.DIVERGED
                elif stuck[i]:
                    outcomes[i] = Outcome.STALLED
            chunk = next_chunk(chunk, int(np.max(done)), time.monotonic() - tick)
        shown = {
            name: np.asarray(value)
            for name, value in _show(watch, fleet, masses, jnp.asarray(stop), clock.counts).items()
        }
        for i in np.flatnonzero([outcome.ok for outcome in outcomes]):
            row = {name: np.asarray(value[i]) for name, value in shown.items()}
            if not watch.finite(row) or blown_up(row, rows[i]):
                outcomes[i] = Outcome.DIVERGED
            else:
                rows[i].append(row)
    for kept in rows:
        require_start(kept)
    wall = time.monotonic() - began
    last = [eqx.tree_at(lambda s: s.k, _pick(fleet, i, clock.counts), jnp.asarray(steps[i])) for i in range(count)]
    return [Ended(*one, wall) for one in zip(outcomes, rows, last, strict=True)]


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
