"""The runs of a sweep before they are made: what each is called, what it computes, and what that may cost."""

import dataclasses
import hashlib
import json
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from widelimit import dynamics
from widelimit.problem.data import require_nodes
from widelimit.runs.call import Built, build, check_cost, dynamics_of
from widelimit.runs.errors import BadInput, ProblemFileError
from widelimit.runs.parse import ProblemFile
from widelimit.runs.verbs import files_of

from ._section import Factor, Setting, SweepSection, factors, in_words, settings, short, value_in_words

# A neuron's value and gradient on one sample: 2 operations a parameter forward, 4 back.
_OPERATIONS = 6.0
# What an adaptive flow evaluates along a run, about.
_VELOCITIES = 500.0
# Operations a second of one core on small batches, and seconds of a step that does nothing: of the order of what the
# benchmarks measure. Once a run of the sweep is done, its own time is taken instead.
_RATE, _STEP = 2e9, 5e-6
_NETWORKS = ("networks", "predict", "title")


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


@dataclasses.dataclass(frozen=True)
class PlannedRun:
    """One run: its folder's name, its level of each factor, key -> value, its problem file as plain data.

    `limit` names what its limit depends on: runs that share it share the limit.
    """

    name: str
    level: tuple[int, ...]
    values: dict[str, Any]
    problem: dict[str, Any]
    limit: str
    cost: Cost


@dataclasses.dataclass(frozen=True)
class Plan:
    """All runs of a sweep and what is asked of them together."""

    title: str
    section: dict[str, Any]
    factors: tuple[Factor, ...]
    runs: tuple[PlannedRun, ...]
    plugins: tuple[dict[str, str], ...]

    def record(self) -> dict[str, Any]:
        """Plain data that `plan_of` reads back."""
        return dataclasses.asdict(self)


def plan_of(record: Mapping[str, Any]) -> Plan:
    """The plan that was written down. Raises KeyError or TypeError for anything else."""
    runs = []
    for run in record["runs"]:
        # JSON has no tuples.
        cost: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in run["cost"].items()
        }
        runs.append(PlannedRun(**{**run, "level": tuple(run["level"]), "cost": Cost(**cost)}))
    varied = [Factor(tuple(factor["keys"]), tuple(factor["levels"])) for factor in record["factors"]]
    return Plan(record["title"], record["section"], tuple(varied), tuple(runs), tuple(record["plugins"]))


def make_plan(
    tables: Mapping[str, Any],
    section: SweepSection,
    path: pathlib.Path,
    plugins: Sequence[dict[str, str]],
    *,
    max_runs: int,
    force: bool,
) -> Plan:
    """Every run of a sweep, each built once so that what is wrong with it is said before anything is computed."""
    title = tables.get("title", path.stem)
    runs: dict[str, PlannedRun] = {}
    for setting in settings(tables, section, path, max_runs):
        run = _planned(setting, path, force=force)
        if run.name in runs:
            raise ProblemFileError(
                str(path),
                "[sweep]",
                f"{in_words(setting.values)} is the same run as {in_words(runs[run.name].values)}.",
            )
        runs[run.name] = run
    if section.response == "held_out_risk" and any(not run.problem["data"].get("held_out") for run in runs.values()):
        raise ProblemFileError(str(path), "[sweep] response", "nothing is held out; say [data] held_out.")
    for picture in section.draw:
        known = [key for factor in factors(section) for key in factor.keys] + ["networks.widths"]
        for role, key in picture.model_dump(exclude_none=True).items():
            if key not in known:
                raise BadInput(f"{path}: [[sweep.draw]] {role}: {_unknown(key, known)}")
    stated = section.model_dump(mode="json", exclude_none=True)
    return Plan(str(title), stated, factors(section), tuple(runs.values()), tuple(plugins))


def _unknown(key: str, known: list[str]) -> str:
    from widelimit.results import unknown

    return unknown(key, list(dict.fromkeys(known)))


def _planned(setting: Setting, path: pathlib.Path, *, force: bool) -> PlannedRun:
    try:
        built = build(setting.file, str(path))
        if not force:
            check_cost(setting.file, str(path), built)
    except ProblemFileError as error:
        inner = f"{error.place}: {error.text}" if error.place else error.text
        raise ProblemFileError(str(path), f"[sweep] {in_words(setting.values)}".rstrip(), inner) from None
    problem = files_of(setting.file, built, [])["problem.json"]
    data = built.facts["arrays_sha256"]
    alone = {key: value for key, value in problem.items() if key not in _NETWORKS}
    said = {key: value for key, value in problem.items() if key != "title"}
    name = _name(setting.values, _hash([said, data]))
    return PlannedRun(name, setting.level, setting.values, problem, _hash([alone, data]), cost_of(setting.file, built))


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
    value = dynamics.registry[section.dynamics].values[section.resolution]
    if section.doubles:
        size, most = (getattr(section, f"{end}_{section.resolution}") for end in ("first", "most"))
        sizes = [size]
        while 2 * sizes[-1] <= most:
            sizes.append(2 * sizes[-1])
    elif value.doubled:
        given = getattr(section, section.resolution)
        sizes = [given // 2, given]
    else:
        # A tolerance or a step stands for the limit: about as many nodes as it has by default.
        sizes = [128, 128]
    power = dim if section.resolution == "cells" else 1
    return [float(size) ** power for size in sizes]


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:10]


def _name(values: Mapping[str, Any], mark: str) -> str:
    """`width=32,step=0.01,3fa2b1c0de`: readable, and another for another problem."""
    parts = [f"{short(key)}={value_in_words(value)}" for key, value in values.items()]
    said = re.sub(r"[^A-Za-z0-9.,=+-]+", "-", ",".join(parts))[:80].strip("-,")
    return f"{said},{mark}" if said else mark
