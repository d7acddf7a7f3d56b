"""The parts of a run: flows with more and more particles, then the networks; each is kept once it is done."""

import dataclasses
from collections.abc import Callable, Iterator

import jax
import numpy as np
from jaxtyping import Array, Float64

from widelimit._evolve import evolve
from widelimit.dynamics import AbstractDynamics, GradientFlow
from widelimit.measure import Particles
from widelimit.trajectory import Checkpoint, Trajectory

from ._build import Built, dynamics_of
from ._errors import BadInput, Diverged, ProblemFileError, sentence
from ._folder import RunFolder
from ._problem_file import ProblemFile
from ._sections import FlowNetworks, Networks

# Seconds between checkpoints: what a kill may cost.
_EVERY = 5.0


@dataclasses.dataclass(frozen=True)
class Network:
    """One trained network: its part's name, which [[networks]] table it is from, its dynamics in words."""

    name: str
    width: int
    seed: int
    table: int
    words: str


@dataclasses.dataclass(frozen=True, eq=False)
class Limit:
    """The flows of growing particle number; the last one stands for the limit.

    - `sizes`: particle numbers; `movements`: [len(sizes) - 1], how far the risk curve moved at each doubling.
    - `error`: [T], how far the last risk curve may be from the limit's.
    """

    sizes: tuple[int, ...]
    runs: tuple[Trajectory, ...]
    movements: tuple[float, ...]
    error: Float64[np.ndarray, " T"]
    converged: bool
    note: str


@dataclasses.dataclass(frozen=True, eq=False)
class Work:
    """Everything a part needs: where it is kept, what is asked, and somewhere to say how far it is."""

    folder: RunFolder
    file: ProblemFile
    built: Built
    say: Callable[[str], None]

    @property
    def name(self) -> str:
        return str(self.folder.path / "problem.toml")


def compute_limit(work: Work) -> Limit:
    """Flows from quantised starts, with twice the particles each time."""
    asked = work.file.limit
    runs: list[Trajectory] = []
    movements: list[float] = []
    sizes: list[int] = []
    for n in _sizes(work.file):
        runs.append(_flow(work, n))
        sizes.append(n)
        if len(runs) == 1:
            continue
        movements.append(_movement(runs[-2], runs[-1]))
        work.say(f"  from {sizes[-2]} to {n} particles the risk curve moved by {movements[-1]:.2%}")
        if asked.particles is None and _rests(movements, _tolerance(work.file)):
            break
    converged = asked.particles is not None or _rests(movements, _tolerance(work.file))
    error = limit_error(runs[-2].risk, runs[-1].risk)
    note = _note(work.file, sizes, movements, converged)
    return Limit(tuple(sizes), tuple(runs), tuple(movements), error, converged, note)


def limit_error(coarse: Float64[np.ndarray, " T"], fine: Float64[np.ndarray, " T"]) -> Float64[np.ndarray, " T"]:
    """|R_n - R_n/2|, the largest within two save times: where the curves cross, the difference alone is zero."""
    moved = np.abs(fine - coarse)
    padded = np.pad(moved, 2, mode="edge")
    return np.max(np.lib.stride_tricks.sliding_window_view(padded, 5), axis=1)


def networks_of(file: ProblemFile) -> tuple[Network, ...]:
    """The networks in the order of the file, each with a name of its own."""
    found: dict[str, Network] = {}
    for i, table in enumerate(file.networks):
        for width in table.widths:
            for seed in table.seeds:
                name = f"network-{width}-{seed}"
                name = f"{name}-{i + 1}" if name in found else name
                found[name] = Network(name, width, seed, i, _words(table))
    return tuple(found.values())


def train(work: Work, network: Network) -> Trajectory:
    """Train one network, from neurons drawn from the start law."""

    def start() -> Particles:
        return work.built.start.sample(network.width, key=jax.random.fold_in(drawing, network.width))

    drawing, training = jax.random.split(jax.random.key(network.seed))
    dynamics = dynamics_of(work.file.networks[network.table])
    label = f"network of width {network.width}, seed {network.seed}, {network.words}"
    return _part(work, network.name, label, start, dynamics, jax.random.fold_in(training, network.width))


def _words(table: Networks) -> str:
    if isinstance(table, FlowNetworks):
        return "gradient flow"
    batch = "all data" if table.sampling == "full" else f"batch {table.batch} ({table.sampling})"
    return f"SGD, step {table.step:g}, {batch}" + (", float32" if table.dtype == "float32" else "")


def _sizes(file: ProblemFile) -> Iterator[int]:
    if file.limit.particles is not None:
        yield from (file.limit.particles // 2, file.limit.particles)
        return
    n = file.limit.first_particles
    while n <= file.limit.most_particles:
        yield n
        n *= 2


def _tolerance(file: ProblemFile) -> float:
    return 0.01 if file.limit.tolerance is None else file.limit.tolerance


def _flow(work: Work, n: int) -> Trajectory:
    def start() -> Particles:
        return work.built.start.quantise(n)

    return _part(work, f"limit-{n}", f"limit with {n} particles", start, GradientFlow(), None)


def _part(
    work: Work,
    name: str,
    label: str,
    start: Callable[[], Particles],
    dynamics: AbstractDynamics,
    key: Array | None,
) -> Trajectory:
    """The part as the folder has it; else computed, from its checkpoint if there is one, and kept."""
    done = work.folder.load(name)
    if done is None:
        work.say(f"{label} ...")
        done = _evolve(work, name, label, start, dynamics, key)
        work.folder.keep(name, done)
        work.say(f"  risk {done.risk[-1]:.6g} at t = {done.times[-1]:.4g} ({done.wall:.1f} s)")
    if not done.outcome.ok:
        raise Diverged(f"{label}: {done.message.rstrip('.')}. What was saved is kept in {work.folder.path}.")
    return done


def _evolve(
    work: Work,
    name: str,
    label: str,
    start: Callable[[], Particles],
    dynamics: AbstractDynamics,
    key: Array | None,
) -> Trajectory:
    built = work.built
    checkpoint = Checkpoint(work.folder.checkpoint(name), every=_EVERY)
    try:
        drawn = start()
        measure = Particles(drawn.positions, drawn.weights, blocks=built.problem.blocks)
        return evolve(
            built.problem,
            measure,
            dynamics,
            t1=work.file.time.t1,
            save_at=built.save_at,
            observe=built.watched,
            key=key,
            throw=False,
            checkpoint=checkpoint,
        )
    except ValueError as error:
        if str(error).startswith("checkpoint"):
            raise BadInput(f"{work.folder.path}: {sentence(error)}") from error
        raise ProblemFileError(work.name, "[start]", f"{label}: {sentence(error)}") from error


def _rests(movements: list[float], tolerance: float) -> bool:
    """Two doublings in a row: the fluctuations of two starts may cancel once by accident."""
    return len(movements) > 1 and max(movements[-2:]) < tolerance


def _movement(coarse: Trajectory, fine: Trajectory) -> float:
    """The largest distance of two risk curves, relative to the larger curve's largest value."""
    largest = float(np.max(np.abs(fine.risk)))
    return float(np.max(np.abs(fine.risk - coarse.risk))) / largest if largest > 0 else 0.0


def _note(file: ProblemFile, sizes: list[int], movements: list[float], converged: bool) -> str:
    numbers = f"from {sizes[-2]} to {sizes[-1]} particles"
    moved = f"The last doubling, {numbers}, moved the risk curve by {movements[-1]:.2%} of its maximum"
    asked = f"{_tolerance(file):.2%} in two doublings in a row"
    if file.limit.particles is not None:
        said = "; the particle number was given, so nothing was asked of that."
    elif converged:
        said = f", less than {asked}, as was asked for."
    else:
        said = f", which is not less than {asked}, as was asked for: raise [limit] most_particles."
    # Starts are nested: with h1, h2 the halves of the larger, (h1 + h2)/2 - h1 and (h1 + h2)/2 spread alike.
    return (
        f"{moved}{said} The error is |R_n - R_n/2|, the largest within two save times: the smaller start is half of "
        "the larger, so it moved the curve by about as much as is still missing, be that a bias or a fluctuation."
    )
