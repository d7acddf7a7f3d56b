"""The one verb: move a measure by a dynamics and record what happens."""

import dataclasses
import math
import os
import pathlib
import platform
import time
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from widelimit import __version__
from widelimit.dynamics import AbstractDynamics, Start, advance
from widelimit.measure import Grid, GridDensity, Particles, laws
from widelimit.problem import Problem
from widelimit.results import EvolutionError, Outcome
from widelimit.trajectory import Checkpoint, Folder, Progress, Trajectory, as_array, fingerprint, observables, restore

# Seconds a chunk of steps should take: short enough for Ctrl-C, long enough to hide the host.
_CHUNK_SECONDS = 0.25
# A risk this many times the start's (plus one) counts as diverged.
_BLOW_UP = 1e6
# Bytes the saved positions may take when the save times are left to the library.
_SAVE_BYTES = 2**28


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
    _check(problem, measure, dynamics, t1, max_steps, key)
    if dynamics.clock.counts and dynamics.clock.reading(t1) < 1:
        raise ValueError(f"evolve(t1=...): {t1:g} is less than half a step of {type(dynamics).__name__}.")
    measure = measure if isinstance(measure, laws.AbstractLaw) else problem.arranged(measure)
    watched = _watched(problem, observe, dynamics)
    if checkpoint is not None and not isinstance(checkpoint, Checkpoint):
        checkpoint = Checkpoint(checkpoint)
    own = dynamics.prepare(problem)
    state = dynamics.init(own, measure, t1=t1, key=key)
    shown = eqx.filter_eval_shape(_positions, dynamics, own, state, jnp.asarray(dynamics.clock.reading(t1)))
    times = _times(t1, save_at, math.prod(shown.shape))
    keeps = "particles" in dynamics.facts(problem).conserves and isinstance(measure, Particles)
    given = measure.weights.astype(float) if keeps and isinstance(measure, Particles) else None
    run = _Run(problem, dynamics, own, times, watched, given, max_steps)
    mark = _mark((problem, measure, dynamics, float(t1), times, watched, key), checkpoint)
    folder = None
    if checkpoint is not None and mark is not None:
        folder = _Keeper(Folder(pathlib.Path(checkpoint.path), mark), checkpoint.every)
    with Progress(t1, progress, type(dynamics).__name__) as bar:
        outcome, rows, state, wall = run.drive(state, folder, bar)
    message = "" if outcome.ok else run.explain(outcome, rows, state, measure)
    end = jnp.asarray(run._stops()[-1])
    # Asked first, since outside of compiled code each operation would compile for itself.
    gridded = isinstance(eqx.filter_eval_shape(dynamics.measure, own, state, end), GridDensity)
    last = dynamics.measure(own, state, end) if gridded else None
    history = _history(rows, last.grid if isinstance(last, GridDensity) else None, fixed=given is not None)
    named = [name for name in rows[0] if name not in ("positions", "weights")]
    trajectory = Trajectory(
        times=times[: len(rows)],
        **history,
        blocks=problem.blocks,
        observables={name: _padded([row[name] for row in rows]) for name in named},
        outcome=outcome,
        message=message,
        steps=int(state.k),
        wall=wall,
        provenance=_provenance(problem, dynamics, key, mark),
    )
    if throw and not outcome.ok:
        raise EvolutionError(message, trajectory)
    return trajectory


def _mark(parts: tuple[Any, ...], checkpoint: Checkpoint | None) -> str | None:
    """The run's fingerprint; None where a part cannot be seen, which only a checkpoint minds."""
    try:
        return fingerprint(*parts)
    except ValueError:
        if checkpoint is not None:
            raise
        return None


def default_times(t1: float, size: int) -> np.ndarray:
    """65 times, quadratically denser at the start; fewer when `size` numbers a save would take too much memory."""
    count = int(np.clip(_SAVE_BYTES // (8 * size), 3, 65))
    return t1 * np.linspace(0.0, 1.0, count) ** 2


def _positions(dynamics: AbstractDynamics, problem: Problem, state: Any, clock: Any) -> jax.Array:
    return dynamics.measure(problem, state, clock).positions


def _history(rows: list[dict[str, np.ndarray]], grid: Grid | None, *, fixed: bool) -> dict[str, Any]:
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


@dataclasses.dataclass
class _Keeper:
    """Writes a checkpoint when one is due."""

    folder: Folder
    every: float
    last: float = dataclasses.field(default_factory=time.monotonic)

    def offer(self, state: Any, rows: list[dict[str, np.ndarray]], wall: float, due: bool = False) -> None:
        if due or time.monotonic() - self.last >= self.every:
            self.folder.write(state, rows, wall)
            self.last = time.monotonic()


@dataclasses.dataclass
class _Run:
    """The host's side of a run: chunks of compiled steps, and between them everything else."""

    problem: Problem
    dynamics: AbstractDynamics
    prepared: Problem
    times: np.ndarray
    watched: tuple[observables.AbstractObservable, ...]
    weights: jax.Array | None
    max_steps: int | None

    def drive(
        self, state: Any, keeper: _Keeper | None, bar: Progress
    ) -> tuple[Outcome, list[dict[str, np.ndarray]], Any, float]:
        rows: list[dict[str, np.ndarray]] = []
        spent = 0.0
        if keeper is not None and (saved := keeper.folder.read()) is not None:
            state, rows, spent = restore(state, saved.leaves), saved.rows, saved.wall
        began = time.monotonic()

        def wall() -> float:
            return spent + time.monotonic() - began

        stops = self._stops()
        outcome, chunk = Outcome.SUCCESS, 8
        last_good = state
        try:
            while outcome.ok and len(rows) < len(self.times):
                stop = stops[len(rows)]
                if not bool(self.dynamics.clock.before(state, stop)):
                    row, finite = self._observe(state, stop)
                    if not finite or self._blown_up(row, rows):
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
                state, done, finite = advance(self.dynamics, self.prepared, state, jnp.asarray(stop), jnp.asarray(most))
                if not bool(finite):
                    outcome, state = Outcome.DIVERGED, last_good
                    break
                if bool(self.dynamics.stalled(self.prepared, state)):
                    outcome = Outcome.STALLED
                    break
                growth = self.dynamics.growth
                if growth is not None and bool(growth.needed(state)):
                    state = growth.grown(state)
                last_good = state
                chunk = _next_chunk(chunk, int(done), time.monotonic() - tick)
                bar.update(self._time(state, rows, stops), int(state.k))
                if keeper is not None:
                    keeper.offer(state, rows, wall())
        except KeyboardInterrupt:
            if keeper is not None:
                keeper.offer(last_good, rows, wall(), due=True)
            raise
        if not rows:
            raise ValueError("evolve: the risk or a parameter is not finite at the start.")
        if keeper is not None:
            keeper.offer(state, rows, wall(), due=True)
        return outcome, rows, state, wall()

    def explain(self, outcome: Outcome, rows: list[dict[str, np.ndarray]], state: Any, start: Start) -> str:
        """The outcome in a sentence, with what to try."""
        t = self.times[len(rows) - 1]
        said = f"{type(self.dynamics).__name__}: {outcome.value} (saved up to t = {t:.4g}, {int(state.k)} steps)"
        if outcome is Outcome.MAX_STEPS:
            return f"{said}; raise max_steps, now {self.max_steps}."
        return f"{said}; {self.dynamics.advice(self.problem, start)}."

    def _blown_up(self, row: dict[str, np.ndarray], rows: list[dict[str, np.ndarray]]) -> bool:
        """A risk a million times that of the start is a divergence that has not overflowed yet."""
        if not rows or "risk" not in row:
            return False
        return bool(row["risk"] > _BLOW_UP * (1.0 + abs(rows[0]["risk"])))

    def _stops(self) -> list[Any]:
        """The clock at the save times. A quadrature of xi may err by a rounding: no reading is beyond the last."""
        readings = [self.dynamics.clock.reading(float(t)) for t in self.times]
        return [min(reading, readings[-1]) for reading in readings]

    def _time(self, state: Any, rows: list[dict[str, np.ndarray]], stops: list[Any]) -> float:
        """The time reached, for the progress line: linear in the clock between save points."""
        i = max(len(rows) - 1, 0)
        j = min(i + 1, len(self.times) - 1)
        a, b, ca, cb = float(self.times[i]), float(self.times[j]), stops[i], stops[j]
        reading = float(self.dynamics.clock.of(state))
        return a + (b - a) * min(1.0, max(0.0, (reading - ca) / (cb - ca))) if cb > ca else a

    def _observe(self, state: Any, stop: Any) -> tuple[dict[str, np.ndarray], bool]:
        shown = _show(self.dynamics, self.prepared, self.problem, self.watched, state, self.weights, jnp.asarray(stop))
        row = {name: np.asarray(value) for name, value in shown.items()}
        # An observable of the user's own may be NaN; the run goes on.
        own = {observable.name for observable in self.watched if isinstance(observable, observables.Function)}
        return row, all(np.all(np.isfinite(value)) for name, value in row.items() if name not in own)


@eqx.filter_jit
def _show(
    dynamics: AbstractDynamics,
    prepared: Problem,
    problem: Problem,
    watched: tuple[Any, ...],
    state: Any,
    weights: Any,
    clock: Any,
) -> dict[str, Any]:
    """Positions, weights and observables at a clock reading; in float64 whatever the dynamics' own precision.

    `weights`: those of the start, where they never change.
    """
    rho = dynamics.measure(prepared, state, clock)
    weights = rho.weights.astype(float) if weights is None else weights
    wide = Particles(rho.positions.astype(float), weights, blocks=rho.blocks)
    out: dict[str, Any] = {"positions": wide.positions, "weights": wide.weights}
    seen = [observable(problem, wide) for observable in watched]
    for found in (*seen, dynamics.record(prepared, state, clock)):
        for name, value in found.items():
            if name in out:
                raise ValueError(f"evolve(observe=...): two observables have the name {name!r}.")
            out[name] = value
    return out


def _next_chunk(chunk: int, done: int, seconds: float) -> int:
    """Steps for the next chunk, from the rate of the last; at most eight times more (the first call compiles)."""
    if done < chunk:
        return chunk
    wanted = done * _CHUNK_SECONDS / max(seconds, 1e-6)
    return int(np.clip(wanted, 1, 8 * chunk))


def _check(problem: Any, measure: Any, dynamics: Any, t1: Any, max_steps: Any, key: Any) -> None:
    """Everything that can be checked before the dynamics looks at its start."""
    if not isinstance(problem, Problem):
        raise ValueError(f"evolve(problem=...): expected a Problem, got {type(problem).__name__}.")
    if not isinstance(measure, Particles | GridDensity | laws.AbstractLaw):
        raise ValueError(
            f"evolve(measure=...): expected Particles, a GridDensity or a law, got {type(measure).__name__}."
        )
    if not isinstance(dynamics, AbstractDynamics):
        raise ValueError(f"evolve(dynamics=...): expected one of widelimit's dynamics, got {dynamics!r}.")
    if not _is_number(t1) or not 0 < t1 < math.inf:
        raise ValueError(f"evolve(t1=...): must be a number, positive and finite; got {t1!r}.")
    if max_steps is not None and not (isinstance(max_steps, int) and max_steps >= 1):
        raise ValueError(f"evolve(max_steps=...): must be a whole number of at least 1, got {max_steps!r}.")
    if key is not None and not isinstance(key, jax.Array):
        raise ValueError(f"evolve(key=...): expected a key such as jax.random.key(0), got {key!r}.")
    if isinstance(measure, laws.AbstractLaw):
        return
    theta, _ = problem.unpack(measure)
    # NumPy: each JAX operation outside a compiled function would compile for itself.
    weights = np.asarray(measure.weights)
    if not np.all(np.isfinite(np.asarray(measure.positions))) or not np.all(np.isfinite(weights)):
        raise ValueError("evolve(measure=...): positions and weights must be finite.")
    if abs(weights.sum() - 1.0) > 1e-6 or weights.min() < 0:
        raise ValueError(
            f"evolve(measure=...): the weights must not be negative and sum to 1; they sum to {weights.sum():.6g}, "
            f"the least is {weights.min():.6g}."
        )
    if not problem.domain.unconstrained and not bool(jnp.all(jax.vmap(problem.domain.contains)(theta))):
        raise ValueError("evolve(measure=...): some particles lie outside the problem's domain.")


def _times(t1: float, save_at: Any, size: int) -> np.ndarray:
    """The save times; `size` numbers are saved at each."""
    if save_at is None:
        return default_times(t1, size)
    try:
        times = np.asarray(save_at, float)
    except (TypeError, ValueError):
        raise ValueError(f"evolve(save_at=...): expected a list of times, got {save_at!r}.") from None
    if times.size == 0 or times.ndim != 1 or not np.all((times >= 0) & (times <= t1)):
        raise ValueError(f"evolve(save_at=...): expected a list of times in [0, {t1:g}], got {save_at}.")
    return np.unique(np.concatenate([[0.0], times, [t1]]))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number | np.ndarray | jax.Array) and np.ndim(value) == 0


def _watched(problem: Problem, observe: Any, dynamics: AbstractDynamics) -> tuple[observables.AbstractObservable, ...]:
    own = dynamics.reports(problem)
    if observe is None:
        return tuple(o for o in observables.default(problem) if not set(o.names(problem)) & set(own))
    known = observables.AbstractObservable
    if not isinstance(observe, list | tuple) or not all(isinstance(observable, known) for observable in observe):
        raise ValueError(f"evolve(observe=...): expected a list of widelimit.observables, got {observe!r}.")
    for observable in observe:
        observable.check(problem)
        twice = [name for name in observable.names(problem) if name in own]
        if twice:
            raise ValueError(
                f"evolve(observe=...): {type(dynamics).__name__} reports {twice[0]!r} itself; leave "
                f"{type(observable).__name__} out."
            )
    return tuple(observe)


def _provenance(
    problem: Problem, dynamics: AbstractDynamics, key: PRNGKeyArray | None, mark: str | None
) -> dict[str, Any]:
    import importlib.metadata

    packages = ("jax", "jaxlib", "equinox", "diffrax", "numpy")
    versions = {"widelimit": __version__} | {name: importlib.metadata.version(name) for name in packages}
    return {
        "versions": {"python": platform.python_version(), **versions},
        "platform": platform.platform(),
        "device": jax.devices()[0].device_kind,
        "key": None if key is None else as_array(key).tolist(),
        "problem": eqx.tree_pformat(problem),
        "dynamics": eqx.tree_pformat(dynamics, short_arrays=False),
        "fingerprint": mark,
    }
