"""The runs of a sweep before they are made: what each is called, what it computes, and what that may cost."""

import dataclasses
import hashlib
import json
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from widelimit.runs.call import Cost, build, check_cost, cost_of, together
from widelimit.runs.errors import BadInput, ProblemFileError
from widelimit.runs.verbs import files_of

from ._section import Factor, Setting, SweepSection, factors, in_words, settings, short, value_in_words

_NETWORKS = ("networks", "predict", "title")


@dataclasses.dataclass(frozen=True)
class PlannedRun:
    """One run: its folder's name, its level of each factor, key -> value, its problem file as plain data.

    - `limit`: names what its limit depends on: runs that share it share the limit.
    - `kind`: names all of it but its numbers: networks of runs that share it train in one call, those of `most` runs
      at once; see `widelimit.runs.call.together`.
    """

    name: str
    level: tuple[int, ...]
    values: dict[str, Any]
    problem: dict[str, Any]
    limit: str
    kind: str
    most: int
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
    cost = cost_of(setting.file, built)
    # In one call are runs of one length, and the times of a trajectory are one.
    kind = _hash([_numberless(said), problem["data"], problem["time"], cost.steps, data])
    sizes = [len(table.seeds) * max(table.widths) * built.problem.dim for table in setting.file.networks]
    most = together(max(sizes)) if sizes else 1
    return PlannedRun(name, setting.level, setting.values, problem, _hash([alone, data]), kind, most, cost)


def _numberless(value: Any) -> Any:
    """Plain data without its numbers; whole ones, which are sizes, stay."""
    if isinstance(value, dict):
        return {key: _numberless(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_numberless(one) for one in value]
    return "number" if isinstance(value, float) else value


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:10]


def _name(values: Mapping[str, Any], mark: str) -> str:
    """`width=32,step=0.01,3fa2b1c0de`: readable, and another for another problem."""
    parts = [f"{short(key)}={value_in_words(value)}" for key, value in values.items()]
    said = re.sub(r"[^A-Za-z0-9.,=+-]+", "-", ",".join(parts))[:80].strip("-,")
    return f"{said},{mark}" if said else mark
