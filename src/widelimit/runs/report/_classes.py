"""How well the limit and the networks classify, where the targets are classes."""

from typing import Any

import numpy as np

from widelimit.analysis import Classification, classification, is_classification
from widelimit.measure import Measure

from ..call._limit import Limit
from ..call._networks import Network, networks_of
from ..call._part import Work
from ._numbers import Trained


def classes_of(work: Work, limit: Limit, trained: Trained) -> list[dict[str, Any]]:
    """One record for the limit and one for every width: accuracy and area under the ROC curve at the end.

    Each is a mean with its standard error: over the seeds, and for the limit's accuracy on rows held out over the rows.
    Nothing where the targets are no classes.
    """
    problem, other = work.built.problem, work.built.held_out_data
    if not work.built.facts["classes"] or not is_classification(problem):
        return []

    def judged(measure: Measure) -> tuple[Classification, Classification | None]:
        return classification(problem, measure), None if other is None else classification(problem, measure, other)

    own, held_out = judged(limit.runs[-1].final)
    records = [{"name": "limit", **_record([own], None if held_out is None else [held_out])}]
    if held_out is not None:
        records[0]["held_out_accuracy"]["error"] = held_out.accuracy_error
    groups: dict[tuple[int, int], list[Measure]] = {}
    finals = {network.name: run.final for network, run in trained if run.outcome.ok}
    names: dict[tuple[int, int], Network] = {}
    for network in networks_of(work.file):
        kind = (network.table, network.width)
        names.setdefault(kind, network)
        if network.name in finals:
            groups.setdefault(kind, []).append(finals[network.name])
    for kind, measures in groups.items():
        found = [judged(measure) for measure in measures]
        others = [there for _, there in found if there is not None]
        name = f"width {kind[1]}, {names[kind].words}"
        records.append({"name": name, **_record([own for own, _ in found], others or None)})
    return records


def _record(own: list[Classification], held_out: list[Classification] | None) -> dict[str, Any]:
    parts = {"": own} | ({} if held_out is None else {"held_out_": held_out})
    return {
        f"{prefix}{what}": _mean([getattr(one, what) for one in found])
        for prefix, found in parts.items()
        for what in ("accuracy", "auc")
    }


def _mean(values: list[float | None]) -> dict[str, float | None] | None:
    """Mean and standard error; None where a value is not known."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    error = float(np.std(known, ddof=1)) / len(known) ** 0.5 if len(known) > 1 else None
    return {"mean": float(np.mean(known)), "error": error}
