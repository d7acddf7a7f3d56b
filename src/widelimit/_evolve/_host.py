"""The host's side of a run: chunks of compiled steps, and between them everything else."""

import dataclasses
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from widelimit.dynamics import Start, advance
from widelimit.results import Outcome
from widelimit.trajectory import Folder, Progress, restore

from ._saving import Ended, Row, Watch, show

# Seconds a chunk of steps should take: short enough for Ctrl-C, long enough to hide the host.
_CHUNK_SECONDS = 0.25
# A risk this many times the start's (plus one) counts as diverged.
_BLOW_UP = 1e6


@dataclasses.dataclass
class Keeper:
    """Writes a checkpoint when one is due."""

    folder: Folder
    every: float
    last: float = dataclasses.field(default_factory=time.monotonic)

    def offer(self, state: Any, rows: list[Row], wall: float, due: bool = False) -> None:
        if due or time.monotonic() - self.last >= self.every:
            self.folder.write(state, rows, wall)
            self.last = time.monotonic()


@dataclasses.dataclass
class Run:
    """One run; `weights`: those of the start, where they never change."""

    watch: Watch
    times: np.ndarray
    weights: jax.Array | None
    max_steps: int | None

    def drive(self, state: Any, keeper: Keeper | None, bar: Progress) -> Ended:
        rows: list[Row] = []
        spent = 0.0
        if keeper is not None and (saved := keeper.folder.read()) is not None:
            state, rows, spent = restore(state, saved.leaves), saved.rows, saved.wall
        began = time.monotonic()

        def wall() -> float:
            return spent + time.monotonic() - began

        dynamics, prepared = self.watch.dynamics, self.watch.prepared
        stops = stops_at(self.watch, self.times)
        outcome, chunk = Outcome.SUCCESS, 8
        last_good = state
        try:
            while outcome.ok and len(rows) < len(self.times):
                stop = stops[len(rows)]
                if not bool(dynamics.clock.before(state, stop)):
                    shown = show(self.watch, state, self.weights, jnp.asarray(stop))
                    row = {name: np.asarray(value) for name, value in shown.items()}
                    if not self.watch.finite(row) or blown_up(row, rows):
                        outcome = Outcome.DIVERGED
                        break
                    rows.append(row)
                    bar.update(float(self.times[len(rows) - 1]), int(state.k))
                    continue
                most = chunk if self.max_steps is None else min(chunk, self.max_steps - int(state.k))
                if most <= 0:
                    outcome = Outcome.MAX_STEPS
                    break
                tick = time.monotonic()
                state, done, finite = advance(dynamics, prepared, state, jnp.asarray(stop), jnp.asarray(most))
                if not bool(finite):
                    outcome, state = Outcome.DIVERGED, last_good
                    break
                if bool(dynamics.stalled(prepared, state)):
                    outcome = Outcome.STALLED
                    break
                growth = dynamics.growth
                if growth is not None and bool(growth.needed(state)):
                    state = growth.grown(state)
                last_good = state
                chunk = next_chunk(chunk, int(done), time.monotonic() - tick)
                bar.update(self._time(state, rows, stops), int(state.k))
                if keeper is not None:
                    keeper.offer(state, rows, wall())
        except KeyboardInterrupt:
            if keeper is not None:
                keeper.offer(last_good, rows, wall(), due=True)
            raise
        require_start(rows)
        if keeper is not None:
            keeper.offer(state, rows, wall(), due=True)
        return Ended(outcome, rows, state, wall())

    def _time(self, state: Any, rows: list[dict[str, np.ndarray]], stops: list[Any]) -> float:
        """The time reached, for the progress line: linear in the clock between save points."""
        i = max(len(rows) - 1, 0)
        j = min(i + 1, len(self.times) - 1)
        a, b, ca, cb = float(self.times[i]), float(self.times[j]), stops[i], stops[j]
        reading = float(self.watch.dynamics.clock.of(state))
        return a + (b - a) * min(1.0, max(0.0, (reading - ca) / (cb - ca))) if cb > ca else a


def stops_at(watch: Watch, times: np.ndarray) -> list[float | int]:
    """The clock at the save times. A quadrature of xi may err by a rounding: no reading is beyond the last."""
    readings = [watch.dynamics.clock.reading(float(t)) for t in times]
    return [min(reading, readings[-1]) for reading in readings]


def explain(watch: Watch, ended: Ended, times: np.ndarray, max_steps: int | None, start: Start) -> str:
    """The outcome in a sentence, with what to try; nothing where the end was reached."""
    if ended.outcome.ok:
        return ""
    t, name = times[len(ended.rows) - 1], type(watch.dynamics).__name__
    said = f"{name}: {ended.outcome.value} (saved up to t = {t:.4g}, {int(ended.state.k)} steps)"
    if ended.outcome is Outcome.MAX_STEPS:
        return f"{said}; raise max_steps, now {max_steps}."
    return f"{said}; {watch.dynamics.advice(watch.problem, start)}."


def require_start(rows: list[Row]) -> None:
    if not rows:
        raise ValueError("evolve: the risk or a parameter is not finite at the start.")


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
