"""The networks of a run: one for each width and seed of each [[networks]] table."""

import contextlib
import dataclasses
import itertools
from collections.abc import Sequence

import jax

from widelimit import dynamics
from widelimit.dynamics import AbstractDynamics
from widelimit.measure import Particles
from widelimit.numerics import entries
from widelimit.trajectory import Trajectory

from ..errors import ProblemFileError
from ..parse._problem_file import ProblemFile
from ..parse._words import in_words
from ._build import dynamics_of
from ._part import Part, Work, carry_out_all


@dataclasses.dataclass(frozen=True)
class Network:
    """One trained network: its part's name, which [[networks]] table it is from, its dynamics in words."""

    name: str
    width: int
    seed: int
    table: int
    words: str


def networks_of(file: ProblemFile) -> tuple[Network, ...]:
    """The networks in the order of the file, each with a name of its own."""
    found: dict[str, Network] = {}
    for i, table in enumerate(file.networks):
        words = in_words(dynamics.registry, table.model_dump(), brief=True)
        for width in table.widths:
            for seed in table.seeds:
                name = f"network-{width}-{seed}"
                name = f"{name}-{i + 1}" if name in found else name
                found[name] = Network(name, width, seed, i, words)
    return tuple(found.values())


def train(work: Work, networks: Sequence[Network]) -> list[tuple[Network, Trajectory]]:
    """Train networks from neurons drawn from the start law: those of one table and width at once, see `together`.

    All are tried. Those that do not reach their end are written down in the folder's status, with what to try; those
    that could not even start are not among the trained.
    """
    trained: list[tuple[Network, Trajectory]] = []
    failed: dict[str, str] = {}
    for alike in _groups(networks):
        parts = _parts_of(work, alike)
        size = together(alike[0].width * work.built.problem.dim)
        for first in range(0, len(alike), size):
            some = slice(first, first + size)
            made, why = _trained(work, alike[some], parts[some])
            trained += made
            failed |= why
    work.folder.set(failed=failed)
    return trained


def _trained(
    work: Work, alike: Sequence[Network], parts: Sequence[Part]
) -> tuple[list[tuple[Network, Trajectory]], dict[str, str]]:
    """Some of them at once; and those that did not reach their end, with the reason."""
    seeds = ", ".join(str(network.seed) for network in alike)
    label = f"networks of width {alike[0].width}, seeds {seeds}, {alike[0].words}"
    try:
        done = carry_out_all(label if len(alike) > 1 else parts[0].label, [(work, part) for part in parts])
    except ProblemFileError as error:
        work.say(f"  {error}")
        return [], dict.fromkeys((part.name for part in parts), str(error))
    ends = zip(parts, done, strict=True)
    failed = {part.name: f"{part.label}: {run.message}" for part, run in ends if not run.outcome.ok}
    return list(zip(alike, done, strict=True)), failed


def train_together(works: Sequence[Work]) -> None:
    """Train the networks of several runs, whose files differ in numbers alone, at once; each is kept in its own run.

    What cannot start says so when its run trains it by itself.
    """
    all_groups = [_groups(networks_of(work.file)) for work in works]
    for groups in zip(*all_groups, strict=True):
        jobs = [(work, part) for work, group in zip(works, groups, strict=True) for part in _parts_of(work, group)]
        with contextlib.suppress(ProblemFileError):
            carry_out_all(f"networks of width {groups[0][0].width}", jobs)


def together(numbers: int) -> int:
    """How many networks of so many numbers train at once: as many as stay in the cache, where a step reads all of them.

    Beyond, one after another is the faster way (`benchmarks/bench_seeds.py`).
    """
    return max(1, entries(None) // numbers)


def _groups(networks: Sequence[Network]) -> list[list[Network]]:
    """Those of one table and width."""
    return [list(group) for _, group in itertools.groupby(networks, key=lambda each: (each.table, each.width))]


def _parts_of(work: Work, networks: Sequence[Network]) -> list[Part]:
    """Their parts, of one dynamics."""
    moves = dynamics_of(work.file.networks[networks[0].table])
    return [_part_of(work, network, moves) for network in networks]


def _part_of(work: Work, network: Network, moves: AbstractDynamics) -> Part:
    drawing, training = (
        jax.random.fold_in(key, network.width) for key in jax.random.split(jax.random.key(network.seed))
    )
    label = f"network of width {network.width}, seed {network.seed}, {network.words}"

    def start() -> Particles:
        return work.built.sample(network.width, drawing)

    return Part(network.name, label, f"[[networks]] {network.table + 1}", start, moves, training)
