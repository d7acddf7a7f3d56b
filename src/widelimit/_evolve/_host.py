"""The host's side of a run: chunks of compiled steps, and between them everything else."""

import dataclasses
import time
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from widelimit.dynamics import Start, advance
from widelimit.numerics import Signals
from widelimit.results import Outcome
from widelimit.trajectory import Folder, Progress, Stream, restore

from ._devices import Shares
from ._saving import Ended, Row, Watch, show

# Seconds a chunk of steps should take: short enough for Ctrl-C, long enough to hide the host.
_CHUNK_SECONDS = 0.25
# A risk this many times the start's (plus one) counts as diverged.
_BLOW_UP = 1e6
_OUTCOMES = tuple(Outcome)
_GOES_ON, _DIVERGED, _MAX_STEPS, _STALLED = map(
    _OUTCOMES.index, (Outcome.SUCCESS, Outcome.DIVERGED, Outcome.MAX_STEPS, Outcome.STALLED)
)


class Now(NamedTuple):
    """Where a drive stands, all that a checkpoint needs beside the rows.

    `states`: the state of one run, or those of several, stacked. Of each run: `ends`, how it stands (a place in
    `_OUTCOMES`; a success goes on to the next stop), the `steps` done and the `saves` made.
    """

    states: Any
    ends: np.ndarray
    steps: np.ndarray
    saves: np.ndarray


class Moved(NamedTuple):
    """States after a chunk, the steps it took; of each run whether it is finite, and whether it is stuck."""

    states: Any
    done: Int[Array, "..."]
    finite: Bool[Array, "..."]
    stuck: Bool[Array, "..."]


@dataclasses.dataclass
class Run:
    """One run from a state; `weights`: those of the start, where they never change.

    `shares`: of the devices; `stream`: where the measures go, if not into the rows.
    """

    watch: Watch
    times: np.ndarray
    states: Any
    weights: Float[Array, "..."] | None
    max_steps: int | None
    count: int = 1
    shares: Shares = dataclasses.field(default_factory=Shares)
    stream: Stream | None = None

    def drive(self, folder: Folder | None, bar: Progress, signals: Signals) -> list[Ended]:
        """How each run ended, with its rows."""
        now, rows, spent = self._begin(folder)
        if self.stream is not None:
            self.stream.begin(len(rows))
        began = time.monotonic()

        def wall() -> float:
            return spent + time.monotonic() - began

        def keep() -> None:
            # Of several processes each is interrupted at a place of its own: the last checkpoint stays.
            if folder is not None and not self.shares.several:
                folder.write(now, rows, wall())

        stops, chunk = stops_at(self.watch, self.times), 8
        try:
            for stop in stops[len(rows) :]:
                while (before := self._before(now, stop)).any():
                    most = chunk if self.max_steps is None else min(chunk, self.max_steps - int(max(now.steps[before])))
                    if most <= 0:
                        spared = before & (now.steps >= self.max_steps)
                        now = now._replace(ends=np.where(spared, _MAX_STEPS, now.ends))
                        continue
                    tick = time.monotonic()
                    now, done = self._advanced(now, before, stop, most)
                    seconds, due = self.shares.agreed(time.monotonic() - tick, folder is not None and folder.due)
                    chunk = next_chunk(chunk, done, seconds)
                    bar.update(self._time(now, len(rows), stops), int(np.sum(now.steps)))
                    signals.heed(keep)
                    if folder is not None and due:
                        folder.write(self.shares.gathered(now), rows, wall())
                if not (now.ends == _GOES_ON).any():
                    break
                now, rows = self._saved(now, rows, stop)
                bar.update(float(self.times[len(rows) - 1]), int(np.sum(now.steps)))
                signals.heed(keep)
        except (KeyboardInterrupt, SystemExit):
            keep()
            raise
        if folder is not None:
            folder.write(self.shares.gathered(now), rows, wall())
            # No process goes on, and reads the folder again, before it is written.
            self.shares.agreed(0.0)
        # Each run's share, so that the seconds of all of them add up.
        return [self._ended(i, now, rows, wall() / self.count) for i in range(self.count)]

    # What differs where the states are stacked.

    def moved(self, now: Now, stop: float | int, most: int) -> Moved:
        """The states after at most so many steps towards the stop."""
        dynamics, growth = self.watch.dynamics, self.watch.dynamics.growth
        moved, full = _chunk(dynamics, self.watch.prepared, now.states, jnp.asarray(stop), jnp.asarray(most))
        if not bool(moved.finite):
            return moved._replace(states=now.states, stuck=moved.finite)
        moved = moved._replace(states=self.shares.placed(moved.states))
        return moved if growth is None or not bool(full) else moved._replace(states=growth.grown(moved.states))

    def shown(self, now: Now, stop: float | int) -> Row:
        """What is saved at a stop."""
        return _on_host(self.shares.gathered(show(self.watch, now.states, self.weights, jnp.asarray(stop))))

    def row_of(self, row: Row, i: int) -> Row:
        """What run i saved, of what all have."""
        return row

    # The same for all.

    def _begin(self, folder: Folder | None) -> tuple[Now, list[Row], float]:
        """The start, or what a run that was killed goes on from: where it stands, its rows, its seconds."""
        start = Now(self.states, *(np.zeros(self.count, int) for _ in range(3)))
        saved = None if folder is None else folder.read()
        if saved is None:
            return start, [], 0.0
        found = restore(start, saved.leaves)
        ends, steps, saves = map(np.array, found[1:])
        # There may be more steps now; but the saves that a run has missed meanwhile are gone.
        ends[(ends == _MAX_STEPS) & (saves == len(saved.rows))] = _GOES_ON
        return Now(self.shares.placed(found.states), ends, steps, saves), saved.rows, saved.wall

    def _before(self, now: Now, stop: float | int) -> np.ndarray:
        """Which runs go on to the stop."""
        reading = np.asarray(self.watch.dynamics.clock.of(now.states))
        return (now.ends == _GOES_ON) & np.broadcast_to(reading < stop, now.ends.shape)

    def _advanced(self, now: Now, before: np.ndarray, stop: float | int, most: int) -> tuple[Now, int]:
        """Everything after at most so many steps, and how many there were."""
        new = self.moved(now, stop, most)
        finite, stuck = np.asarray(new.finite), np.asarray(new.stuck)
        if jax.tree.map(jnp.shape, new.states) == jax.tree.map(jnp.shape, now.states):
            # No step, and no more room for one: whatever the reason, it would go on for ever.
            stuck = stuck | (np.asarray(new.done) == 0)
        # The steps that led to infinity do not count.
        steps = np.where((now.ends == _GOES_ON) & finite, np.asarray(new.states.k), now.steps)
        ends = np.where(before & stuck, _STALLED, now.ends)
        ends = np.where(before & ~finite, _DIVERGED, ends)
        return now._replace(states=new.states, ends=ends, steps=steps), int(np.max(np.asarray(new.done)))

    def _saved(self, now: Now, rows: list[Row], stop: float | int) -> tuple[Now, list[Row]]:
        """One row more; the runs whose row is not finite, or has blown up, end before it."""
        row = self.shown(now, stop)
        ends, saves = now.ends.copy(), now.saves.copy()
        for i in map(int, np.flatnonzero(ends == _GOES_ON)):
            mine = self.row_of(row, i)
            if not self.watch.finite(mine) or blown_up(mine, [self.row_of(first, i) for first in rows[:1]]):
                ends[i] = _DIVERGED
            else:
                saves[i] += 1
        if self.stream is not None and saves[0] > len(rows):
            row = self.stream.put(len(rows), row, len(self.times))
        return now._replace(ends=ends, saves=saves), [*rows, row]

    def _time(self, now: Now, saved: int, stops: list[float | int]) -> float:
        """The time reached by all, for the progress line: linear in the clock between save points."""
        i, j = max(saved - 1, 0), min(max(saved, 1), len(stops) - 1)
        reading = float(np.min(np.asarray(self.watch.dynamics.clock.of(now.states))))
        part = (reading - stops[i]) / (stops[j] - stops[i]) if stops[j] > stops[i] else 0.0
        return float(self.times[i] + (self.times[j] - self.times[i]) * min(1.0, max(0.0, part)))

    def _ended(self, i: int, now: Now, rows: list[Row], wall: float) -> Ended:
        kept = [self.row_of(row, i) for row in rows[: int(now.saves[i])]]
        if not kept:
            raise ValueError("evolve: the risk or a parameter is not finite at the start.")
        return Ended(_OUTCOMES[int(now.ends[i])], kept, int(now.steps[i]), wall)


# One program: what is asked of the new state would compile for itself.
@eqx.filter_jit
def _chunk(dynamics: Any, prepared: Any, state: Any, stop: Array, most: Array) -> tuple[Moved, Any]:
    """A chunk of steps, and whether the state after it needs more room."""
    state, done, finite = advance(dynamics, prepared, state, stop, most)
    full = None if dynamics.growth is None else dynamics.growth.needed(state)
    return Moved(state, done, finite, dynamics.stalled(prepared, state)), full


def _on_host(row: dict[str, Array]) -> Row:
    return {name: np.asarray(value) for name, value in row.items()}


def stops_at(watch: Watch, times: np.ndarray) -> list[float | int]:
    """The clock at the save times. A quadrature of xi may err by a rounding: no reading is beyond the last."""
    readings = [watch.dynamics.clock.reading(float(t)) for t in times]
    return [min(reading, readings[-1]) for reading in readings]


def explain(watch: Watch, ended: Ended, times: np.ndarray, max_steps: int | None, start: Start) -> str:
    """The outcome in a sentence, with what to try; nothing where the end was reached."""
    if ended.outcome.ok:
        return ""
    t, name = times[len(ended.rows) - 1], type(watch.dynamics).__name__
    said = f"{name}: {ended.outcome.value} (saved up to t = {t:.4g}, {ended.steps} steps)"
    if ended.outcome is Outcome.MAX_STEPS:
        return f"{said}; raise max_steps, now {max_steps}."
    return f"{said}; {watch.dynamics.advice(watch.problem, start)}."


def blown_up(row: Row, rows: list[Row]) -> bool:
    """A risk a million times that of the start is a divergence that has not overflowed yet."""
    if not rows or "risk" not in row:
        return False
    return bool(row["risk"] > _BLOW_UP * (1.0 + abs(rows[0]["risk"])))


def next_chunk(chunk: int, done: int, seconds: float) -> int:
    """Steps for the next chunk, from the rate of the last; at most eight times more (the first call compiles)."""
    if done < chunk:
        return chunk
    wanted = done * _CHUNK_SECONDS / max(seconds, 1e-6)
    return int(np.clip(wanted, 1, 8 * chunk))
