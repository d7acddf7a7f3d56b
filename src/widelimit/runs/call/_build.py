"""From a problem file to the library's objects; what is registered makes itself."""

import dataclasses
import functools
import hashlib
import operator
from typing import Any

import jax
import numpy as np
from jaxtyping import Float64, PRNGKeyArray

from widelimit import dynamics
from widelimit.measure import Block, Blocks, Particles, laws
from widelimit.problem import Problem, domains, losses, mobilities, networks, penalties, scales, units
from widelimit.problem.data import Samples, Scaling, Table, read_table, require_nodes, split
from widelimit.trajectory import observables

from ..errors import ProblemFileError, place, sentence
from ..parse._problem_file import ProblemFile
from ..parse._sections import DataSection, LimitSection, NetworksSection
from ..parse._words import unknown

_Arrays = tuple[np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class Built:
    """What a problem file stands for.

    - `start`: the law of a neuron at time 0, its blocks in the order of the unit's; the same on each level, where the
      network has levels.
    - `save_at`: [T], the same for every part of the run; `watched`: what is recorded there.
    - `facts`: what the data was, as plain data; `notices`: what a user should know about it.
    - `held_out_data`: the rows held out; None without.
    """

    problem: Problem
    start: laws.AbstractLaw
    save_at: Float64[np.ndarray, " T"]
    watched: tuple[observables.AbstractObservable, ...]
    facts: dict[str, Any]
    notices: tuple[str, ...]
    held_out_data: Samples | None = None

    @property
    def held_out(self) -> bool:
        return self.facts["held_out_rows"] > 0

    def sample(self, width: int, key: PRNGKeyArray) -> Particles:
        """`width` neurons of the law, or as many a level."""
        if self.problem.levels is None:
            return self.start.sample(width, key=key)
        return self.problem.start(self.start, width, key=key)


def build(file: ProblemFile, name: str) -> Built:
    """Read the data and make the problem; `name` is the problem file's. Raises `ProblemFileError`."""
    with place(name, "[data]"):
        train, test, facts, notices = _read_data(file.data)
    if file.unit is None and train[0].shape[1] == 1:
        # One number in and out: a network of levels has targets of the inputs' shape, (1,).
        train = train[0], train[1].reshape(len(train[1]), -1)
        test = None if test is None else (test[0], test[1].reshape(len(test[1]), -1))
    samples = Samples(*train)
    problem = _problem(file, name, samples)
    factors = {}
    for block in _moving(problem.network, problem.blocks):
        with place(name, f"[start] {block.name}"):
            factors[block.name] = _law(file, block, samples.inputs)
    watched = observables.default(problem)
    others = None if test is None else Samples(*test)
    if others is not None:
        watched = (*watched, observables.RiskOn("held_out_risk", others))
    save_at = file.time.t1 * np.linspace(0.0, 1.0, file.time.saves) ** 2
    notices = (*notices, *(() if problem.notice is None else (problem.notice,)))
    built = Built(problem, laws.product(**factors), save_at, watched, facts, notices, others)
    _check_dynamics(file, name, built)
    return built


def dynamics_of(table: LimitSection | NetworksSection, **changed: Any) -> dynamics.AbstractDynamics:
    """The dynamics that [limit] or a [[networks]] table asks for, with some values `changed`."""
    return dynamics.registry.make(table.model_dump() | changed)


def start_of(section: LimitSection, built: Built, size: float) -> dynamics.Start:
    """Where the limit starts: from the law, or from as many particles (a level) where the dynamics moves given ones."""
    value = dynamics.registry[section.dynamics].values[section.resolution]
    if value.argument:
        return built.start
    particles = built.start.quantise(int(size))
    return particles if built.problem.levels is None else built.problem.start(particles, int(size))


def _check_dynamics(file: ProblemFile, name: str, built: Built) -> None:
    """Raise `ProblemFileError` for a dynamics that cannot run on the problem, before anything is computed."""
    problem = built.problem
    asked = [("[limit]", file.limit, start_of(file.limit, built, 2))]
    sampled = built.sample(2, jax.random.key(0))
    asked += [(f"[[networks]] {i + 1},", table, sampled) for i, table in enumerate(file.networks)]
    for where, section, measure in asked:
        with place(name, where.rstrip(",")):
            moves = dynamics_of(section)
            blocks = [block.name for block in _moving(problem.network, problem.blocks)]
            for block in getattr(section, "trainable", None) or ():
                if block not in blocks:
                    raise ProblemFileError(
                        name, f"{where} trainable", f"the {_kind(file)} has no such block: {unknown(block, blocks)}"
                    )
        said, rows = section.model_dump(), len(require_nodes(problem.data, "batch").weights)
        passes = (said.get("sampling") or {}).get("kind") in ("epochs", "ordered")
        batch = said.get("batch") if passes else None
        if batch is not None and batch > rows:
            raise ProblemFileError(name, f"{where} batch", f"must be at most the {rows} rows to train on, got {batch}.")
        reason = moves.accepts(problem, measure)
        if reason is None and measure is sampled and "particles" not in moves.facts(problem).conserves:
            reason = f"{section.dynamics!r} does not move the neurons of a network; it goes into [limit]."
        if reason is not None:
            raise ProblemFileError(name, f"{where} dynamics", sentence(reason))


def _problem(file: ProblemFile, name: str, samples: Samples) -> Problem:
    with place(name, f"[{_kind(file)}]"):
        network = _network(file)
        blocks = _moving(network, network.blocks(samples.inputs, samples.outputs))
    named = [block.name for block in blocks]
    for section in ("start", "domain"):
        for block in getattr(file, section):
            if block not in named:
                raise ProblemFileError(
                    name, f"[{section}] {block}", f"the {_kind(file)} has no such block: {unknown(block, named)}"
                )
    with place(name, "[loss] kind"):
        loss = losses.registry.make(file.loss.model_dump())
        loss.check(samples.y)
    with place(name, "[penalty]"):
        tables = file.penalty.tables(penalties.registry)
        linear = None if network.unit is None else network.unit.linear
        terms = [penalties.registry.make(table, **{"linear block": linear}) for table in tables]
        penalty = functools.reduce(operator.add, terms) if terms else None
        if penalty is not None:
            penalty.check(blocks)
    with place(name, "[mobility]"):
        mobility = mobilities.registry.make(file.mobility.model_dump()) if file.mobility else mobilities.Identity()
        mobility.check(blocks)
    with place(name, "[scale]"):
        scale = scales.registry.make(file.scale.model_dump()) if file.scale else scales.MeanField()
        if file.unit is not None and file.network is not None and file.network.scale is not None:
            scale = scales.Power(1.0, 1.0 / file.network.scale)
        if not scale.mean_field:
            raise ValueError("with an output scale that changes with the width there is no limit to compute.")
    with place(name, "[domain]"):
        made = {block: domains.registry.make(said.model_dump()) for block, said in file.domain.items()}
        for block in blocks:
            if block.name in made:
                made[block.name].check(block.name, block.shape)
    with place(name, f"[{_kind(file)}]"):
        domain = domains.product(**made)
        return Problem(network, samples, loss, penalty=penalty, domain=domain, mobility=mobility, scale=scale)


def _kind(file: ProblemFile) -> str:
    return "network" if file.unit is None else "unit"


def _network(file: ProblemFile) -> networks.AbstractNetwork:
    unit = None if file.unit is None else units.registry.make(file.unit.model_dump())
    return networks.registry.make({} if file.network is None else file.network.model_dump(), unit=unit)


def _moving(network: networks.AbstractNetwork, blocks: Blocks) -> Blocks:
    """The blocks of which a file can say something: the level of a particle is given, and stays."""
    return tuple(block for block in blocks if network.levels is None or block != network.levels.block)


def _law(file: ProblemFile, block: Block, inputs: int) -> laws.AbstractLaw:
    # A number is dim=1; (1,) as a tuple is a vector with one entry.
    return laws.registry.make(file.law(block.name), shape=block.shape, dim=block.shape or 1, inputs=inputs)


def _read_data(section: DataSection) -> tuple[_Arrays, _Arrays | None, dict[str, Any], tuple[str, ...]]:
    """(train, held out or None, facts, notices); the scaling is fitted on the train part alone.

    Raises `ValueError` for data that cannot be read or learned from.
    """
    table = read_table(section.source, **section.read)
    table.check_classes()
    train, test = (table, None) if section.held_out == 0 else split(table, section.held_out, section.seed)
    inputs = Scaling.fit(train.features, section.scaling, names=train.feature_names)
    targets = Scaling.fit(train.target, section.target_scaling, names=table.target_names)
    if targets.constant:
        raise ValueError(f"the target {targets.constant[0]!r} is the same in all rows left to train on.")

    def scaled(part: Table) -> _Arrays:
        return inputs(part.features), targets(part.target)

    arrays = scaled(train), None if test is None else scaled(test)
    facts = {
        "source": table.source,
        "sha256": table.sha256,
        "arrays_sha256": _digest(*arrays[0], *(arrays[1] or ())),
        "rows": len(train),
        "held_out_rows": 0 if test is None else len(test),
        "features": list(train.feature_names),
        "target": table.target_name,
        "classes": list(table.classes),
        "constant_features": list(inputs.constant),
        "notes": [*train.notes, *(() if test is None else test.notes)],
    }
    notices = () if inputs.notice is None else (f"{table.source}: {inputs.notice}",)
    return *arrays, facts, notices


def _digest(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.shape}".encode() + np.ascontiguousarray(array, "<f8").tobytes())
    return digest.hexdigest()
