"""The networks of a run: one for each width and seed of each [[networks]] table."""

import dataclasses
import itertools
from collections.abc import Sequence

import jax

from widelimit import dynamics
from widelimit.measure import Particles
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
    """Train networks from neurons drawn from the start law: those of one table and width at once.

    All are tried. Those that do not reach their end are written down in the folder's status, with what to try; those
    that could not even start are not among the trained.
    """
    trained: list[tuple[Network, Trajectory]] = []
    failed: dict[str, str] = {}
    for _, group in itertools.groupby(networks, key=lambda network: (network.table, network.width)):
        alike = list(group)
        parts = [_part_of(work, network) for network in alike]
        seeds = ", ".join(str(network.seed) for network in alike)
        label = f"networks of width {alike[0].width}, seeds {seeds}, {alike[0].words}"
        try:
            done = carry_out_all(work, label if len(alike) > 1 else parts[0].label, parts)
        except ProblemFileError as error:
            work.say(f"  {error}")
            failed |= dict.fromkeys((part.name for part in parts), str(error))
            continue
        trained.extend(zip(alike, done, strict=True))
        ends = zip(parts, done, strict=True)
        failed |= {part.name: f"{part.label}: {run.message}" for part, run in ends if not run.outcome.ok}
    work.folder.set(failed=failed)
    return trained


def _part_of(work: Work, network: Network) -> Part:
    drawing, training = (
        jax.random.fold_in(key, network.width) for key in jax.random.split(jax.random.key(network.seed))
    )
    label = f"network of width {network.width}, seed {network.seed}, {network.words}"
    moves = dynamics_of(work.file.networks[network.table])

    def start() -> Particles:
        return work.built.sample(network.width, drawing)

    return Part(network.name, label, f"[[networks]] {network.table + 1}", start, moves, training)
