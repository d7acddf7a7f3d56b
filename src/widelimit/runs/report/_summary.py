"""The report of a run, from what its folder holds."""

import dataclasses
from typing import Any

import numpy as np

from widelimit.report import Checks, ClassShares, Fit, NetworkRun, RunSummary, run_report
from widelimit.trajectory import Trajectory

from ..call._limit import curves_of, limit_error, part_name
from ..call._networks import networks_of
from ..errors import BadInput
from ..folder import RunFolder
from ..parse._problem_file import ProblemFile, check
from ._predicted import band_of


def write_report(folder: RunFolder) -> None:
    """report.html, from numbers.json and the trajectories. Raises `BadInput` where they are damaged."""
    file = check(folder.read("problem.json"), str(folder.path / "problem.json"))
    numbers = folder.read("numbers.json")
    try:
        summary = _summary(folder, file, numbers)
    except (KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{folder.path / 'numbers.json'}: is damaged ({error!r}).") from error
    try:
        run_report(summary).save(folder.path / "report.html")
    except ValueError as error:
        raise BadInput(str(error)) from error


def _summary(folder: RunFolder, file: ProblemFile, numbers: dict[str, Any]) -> RunSummary:
    limit = tuple(stored(folder, part_name(n)) for n in numbers["limit"]["sizes"])
    networks = tuple(
        NetworkRun(network.width, network.seed, network.words, stored(folder, network.name))
        for network in networks_of(file)
        if network.name in folder.status["parts"]
    )
    data = folder.read("data.json")
    held_out = data["held_out_rows"] > 0
    reasons = [f"{name}: {reason}" for name, reason in numbers["checks"]["reasons"].items()]
    reasons += [f"{what}: {why}" for what, why in numbers["predicted"]["reasons"].items()]
    # The others are in the pictures, and say themselves how they ended.
    reasons += [why for name, why in numbers["failed"].items() if name not in folder.status["parts"]]
    return RunSummary(
        title=numbers["title"],
        problem=numbers["problem"],
        limit=limit,
        limit_error=limit_error(curves_of(limit, "risk")),
        limit_converged=numbers["limit"]["converged"],
        limit_note=numbers["limit"]["note"],
        networks=networks,
        checks=Checks(**{field.name: numbers["checks"][field.name] for field in dataclasses.fields(Checks)}),
        held_out=held_out,
        held_out_error=limit_error(curves_of(limit, "held_out_risk")) if held_out else None,
        bands=tuple(band_of(record) for record in numbers["predicted"]["bands"]),
        classes=tuple(_shares(record) for record in numbers.get("classes", ())),
        fit=_fit(numbers["function"], data),
        columns=tuple(data["features"]),
        notes=(*numbers["notices"], *reasons),
        provenance={
            "versions": numbers["versions"],
            "platform": numbers["platform"],
            "seconds": numbers["seconds"]["total"],
            "data": {name: data[name] for name in ("source", "sha256", "arrays_sha256")},
        },
    )


def _shares(record: dict[str, Any]) -> ClassShares:
    def pair(name: str) -> tuple[float, float | None] | None:
        found = record.get(name)
        return None if found is None else (found["mean"], found["error"])

    held_out = {name: pair(name) for name in ("held_out_accuracy", "held_out_auc")}
    return ClassShares(
        record["name"], (record["accuracy"]["mean"], record["accuracy"]["error"]), pair("auc"), **held_out
    )


def _fit(known: dict[str, Any] | None, data: dict[str, Any]) -> Fit | None:
    if known is None:
        return None
    functions = {name: np.array(values, float) for name, values in known["functions"].items()}
    arrays = [np.array(known[name], float) for name in ("x", "inputs", "targets")]
    return Fit((data["features"][0], data["target"]), arrays[0], functions, *arrays[1:])


def stored(folder: RunFolder, part: str) -> Trajectory:
    trajectory = folder.load(part)
    if trajectory is None:
        raise BadInput(f"{folder.path}: {part}.zarr is missing; `widelimit resume {folder.path}` computes it again.")
    return trajectory
