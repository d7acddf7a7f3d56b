"""What a run takes, estimated before it begins: operations, steps and seconds."""

import dataclasses
import itertools

from widelimit import dynamics
from widelimit.problem.data import require_nodes
from widelimit.report.words import count as count_of

from ..parse._problem_file import ProblemFile
from ..parse._words import in_words
from ._build import Built, dynamics_of
from ._cost import memory_of
from ._limit import finely, sizes_of
from ._networks import networks_of

# A neuron's value and gradient on one sample: 2 operations a parameter forward, 4 back.
_OPERATIONS = 6.0
# What an adaptive flow evaluates along a run, about.
_VELOCITIES = 500.0
_NODES = 128
# Operations a second of one core on small batches, and seconds of a step that does nothing: of the order of what the
# benchmarks measure. Once a run of the sweep is done, its own time is taken instead.
_RATE, _STEP = 2e9, 5e-6


@dataclasses.dataclass(frozen=True)
class Cost:
    """An estimate: operations of the limit, and for each [[networks]] table and width those of a network and its steps.

    - `networks`: of training one; `saves`: of its risk on all the data at the save times.
    - `seeds`: how many networks there are of each; they take their steps together.
    """

    limit: float
    networks: tuple[float, ...]
    saves: tuple[float, ...]
    steps: tuple[float, ...]
    seeds: tuple[int, ...]

    @property
    def training(self) -> float:
        """Operations of all networks, with their saves."""
        rows = zip(self.networks, self.saves, self.seeds, strict=True)
        return sum((each + saves) * seeds for each, saves, seeds in rows)

    @property
    def training_seconds(self) -> float:
        """Of one core, without compilation, to a factor of a few."""
        return self.training / _RATE + sum(self.steps) * _STEP

    @property
    def limit_seconds(self) -> float:
        return self.limit / _RATE


def cost_of(file: ProblemFile, built: Built) -> Cost:
    """What a run asks for: samples x neurons x parameters x steps, for the networks and for the limit."""
    rows, dim = len(require_nodes(built.problem.data, "sweep").weights), built.problem.dim
    networks, saves, steps, seeds = [], [], [], []
    for table in file.networks:
        moves = dynamics_of(table)
        counts = moves.clock.counts
        taken = float(moves.clock.reading(file.time.t1)) if counts else _VELOCITIES
        full = not counts or getattr(getattr(table, "sampling", None), "kind", "") == "full"
        samples = rows if full else getattr(table, "batch", rows)
        for width in table.widths:
            networks.append(_OPERATIONS * dim * width * taken * samples)
            saves.append(_OPERATIONS * dim * width * file.time.saves * rows)
            steps.append(taken)
            seeds.append(len(table.seeds))
    limit = _OPERATIONS * dim * sum(_limit_points(file, dim)) * rows * _VELOCITIES
    return Cost(limit, tuple(networks), tuple(saves), tuple(steps), tuple(seeds))


def _limit_points(file: ProblemFile, dim: int) -> list[float]:
    """Particles or cells of every resolution of the limit that may be run."""
    section = file.limit
    power = dim if section.resolution == "cells" else 1
    counted = dynamics.registry[section.dynamics].values[section.resolution].doubled
    # A tolerance or a step stands for the limit: about as many nodes as it has by default.
    return [float(size) ** power if counted else float(_NODES) for size in sizes_of(file)]


@dataclasses.dataclass(frozen=True)
class Item:
    """A part of a run before it is made: what it is called, and an estimate of what it takes.

    `operations` and `seconds` of one core, without compilation, to a factor of a few; `memory` in bytes, of what it
    saves and moves.
    """

    name: str
    operations: float
    steps: float
    seconds: float
    memory: float


def items_of(file: ProblemFile, built: Built) -> tuple[Item, ...]:
    """The limit at each resolution that may be run, then the networks of each [[networks]] table and width."""
    cost, dim = cost_of(file, built), built.problem.dim
    points = _limit_points(file, dim)
    words = in_words(dynamics.registry, {"dynamics": file.limit.dynamics})
    items = []
    for size, count in zip(sizes_of(file), points, strict=True):
        operations = cost.limit * count / sum(points)
        name = f"limit, {words}, {finely(file, size)}"
        items.append(Item(name, operations, _VELOCITIES, operations / _RATE, memory_of(built, count)))
    groups = itertools.groupby(networks_of(file), key=lambda network: (network.table, network.width))
    rows = zip(groups, cost.networks, cost.saves, cost.steps, cost.seeds, strict=True)
    for ((_, width), members), training, saves, steps, seeds in rows:
        name = f"width {width}, {count_of(seeds, 'seed')}, {next(members).words}"
        operations = (training + saves) * seeds
        seconds = operations / _RATE + steps * _STEP
        items.append(Item(name, operations, steps, seconds, memory_of(built, float(width) * seeds)))
    return tuple(items)
