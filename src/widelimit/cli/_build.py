"""From a problem file to the library's objects: names become objects here and nowhere else."""

import dataclasses
import hashlib
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from widelimit.dynamics import SGD, AbstractDynamics, GradientFlow, sampling
from widelimit.measure import Block, laws
from widelimit.problem import Problem, activations, domains, losses, penalties, units
from widelimit.problem.data import Samples, Scaling, Table, read_table, split
from widelimit.trajectory import observables

from ._errors import ProblemFileError, place
from ._problem_file import ProblemFile
from ._sections import Domain, FlowNetworks, Law, Networks, SGDNetworks


@dataclasses.dataclass(frozen=True, eq=False)
class Built:
    """What a problem file stands for.

    - `start`: the law of a neuron at time 0, its blocks in the order of the unit's.
    - `save_at`: [T], the same for every part of the run; `watched`: what is recorded there.
    - `facts`: what the data was, as plain data; `notices`: what a user should know about it.
    """

    problem: Problem
    start: laws.AbstractLaw
    save_at: Float64[np.ndarray, " T"]
    watched: tuple[observables.AbstractObservable, ...]
    facts: dict[str, Any]
    notices: tuple[str, ...]

    @property
    def held_out(self) -> bool:
        return self.facts["held_out_rows"] > 0


def build(file: ProblemFile, name: str) -> Built:
    """Read the data and make the problem; `name` is the problem file's. Raises `ProblemFileError`."""
    with place(name, "[data]"):
        train, test, facts, notices = _data(file)
    if file.loss.kind == "logistic" and not set(np.unique(train[1])) <= {-1.0, 1.0}:
        raise ProblemFileError(
            name, "[loss] kind", "'logistic' needs targets -1 and +1: name the classes with [data] classes."
        )
    with place(name, "[unit]"):
        unit, samples = _unit(file), Samples(*train)
        unit.blocks(samples.inputs, samples.outputs)
    with place(name, "[domain]"):
        domain = domains.product(**{block: _domain(made) for block, made in file.domain.items()})
        problem = Problem(unit, samples, _loss(file), penalty=_penalty(file), domain=domain)
    factors = {}
    for block in problem.blocks:
        with place(name, f"[start] {block.name}"):
            factors[block.name] = _law(file.law(block.name), block, samples.inputs)
    watched = observables.default(problem)
    if test is not None:
        watched = (*watched, observables.RiskOn("held_out_risk", Samples(*test)))
    save_at = file.time.t1 * np.linspace(0.0, 1.0, file.time.saves) ** 2
    return Built(problem, laws.product(**factors), save_at, watched, facts, notices)


def dynamics_of(table: Networks) -> AbstractDynamics:
    """The dynamics that one [[networks]] table asks for."""
    if isinstance(table, FlowNetworks):
        return GradientFlow()
    assert isinstance(table, SGDNetworks)
    draw = {"fresh": sampling.Fresh, "epochs": sampling.Epochs, "full": sampling.Full}[table.sampling]()
    return SGD(table.step, batch=table.batch, sampling=draw, dtype=jnp.dtype(table.dtype))


Arrays = tuple[np.ndarray, np.ndarray]


def _data(file: ProblemFile) -> tuple[Arrays, Arrays | None, dict[str, Any], tuple[str, ...]]:
    """(train, held out or None, facts, notices); the scaling is fitted on the train part alone."""
    section = file.data
    table = read_table(section.source, target=section.target, classes=section.classes, features=section.features)
    train, test = (table, None) if section.held_out == 0 else split(table, section.held_out, section.seed)
    inputs = Scaling.fit(train.features, section.scaling, names=table.feature_names)
    targets = Scaling.fit(train.target, section.target_scaling, names=table.target_name.split(", "))
    if targets.constant:
        raise ValueError(f"the target {targets.constant[0]!r} is the same in all rows left to train on.")

    def scaled(part: Table) -> Arrays:
        return inputs(part.features), targets(part.target)

    arrays = scaled(train), None if test is None else scaled(test)
    facts = {
        "source": table.source,
        "sha256": table.sha256,
        "arrays_sha256": _digest(*arrays[0], *(arrays[1] or ())),
        "rows": len(train),
        "held_out_rows": 0 if test is None else len(test),
        "features": list(table.feature_names),
        "target": table.target_name,
        "classes": list(table.classes),
        "constant_features": list(inputs.constant),
    }
    notices = () if inputs.notice is None else (f"{table.source}: {inputs.notice}",)
    return *arrays, facts, notices


def _digest(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.shape}".encode() + np.ascontiguousarray(array, "<f8").tobytes())
    return digest.hexdigest()


def _unit(file: ProblemFile) -> units.AbstractUnit:
    unit = file.unit
    if unit.kind == "neuron":
        return units.Neuron(
            activations.registry.make(unit.activation), bias=unit.bias, output_weight=unit.output_weight
        )
    if unit.kind == "radial_basis":
        return units.RadialBasis(unit.width)
    return units.FreeKnot(unit.charge)


def _loss(file: ProblemFile) -> losses.Loss:
    loss = file.loss
    if loss.kind == "squared":
        return losses.squared(loss.factor)
    return losses.logistic() if loss.kind == "logistic" else losses.huber(loss.threshold)


def _penalty(file: ProblemFile) -> penalties.AbstractPenalty | None:
    terms: list[penalties.AbstractPenalty] = []
    if file.penalty.l2 > 0:
        terms.append(penalties.l2(file.penalty.l2))
    if file.penalty.total_variation > 0:
        charge = next(name for name in ("output", "charge", "c") if name in file.blocks)
        terms.append(penalties.total_variation(file.penalty.total_variation, charge))
    return None if not terms else terms[0] if len(terms) == 1 else terms[0] + terms[1]


def _domain(domain: Domain) -> domains.AbstractDomain:
    if domain.kind == "box":
        return domains.Box(domain.lower, domain.upper)
    if domain.kind == "half_line":
        return domains.HalfLine(domain.lower)
    return domains.Sphere(domain.radius) if domain.kind == "sphere" else domains.Circle(domain.period)


def _law(law: Law, block: Block, inputs: int) -> laws.AbstractLaw:
    # A number is dim=1; (1,) as a tuple is a vector with one entry.
    dim = block.shape or 1
    if law.law == "normal":
        std = inputs**-0.5 if law.std == "1/sqrt(d)" else law.std
        return laws.Normal(law.mean, std, dim=dim)
    if law.law == "uniform":
        return laws.Uniform(law.lower, law.upper, dim=dim)
    if law.law == "atom":
        return laws.Atom(np.full(block.shape, law.value))
    if len(block.shape) != 1:
        raise ValueError(f"a sphere needs a vector; {block.name!r} is a number: take another law.")
    return laws.Sphere(block.shape[0], law.radius)
