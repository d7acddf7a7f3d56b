"""Gap, stationarity, dissipation and the limit's own convergence, in a table with words."""

import numpy as np

from ._curves import between
from ._page import Section, Table
from ._summary import Checks, RunSummary
from ._words import DASH, number


def check_section(checks: Checks) -> Section:
    """A check a row: what it is, its value, what it means."""
    kind = "certified bound" if checks.gap_certified else "estimate"
    rows = [(f"optimality gap ({kind})", number(checks.gap), checks.gap_statement)]
    if checks.gap_budget is not None:
        meaning = "the gap compares with measures whose total variation (see the gap) is at most this"
        rows.append(("budget of the gap", number(checks.gap_budget), meaning))
    if checks.largest_correlation is not None:
        meaning = "the most that any unit correlates with the slope of the loss; 0 at an optimum without penalty"
        rows.append(("largest correlation", number(checks.largest_correlation), meaning))
    rows += [
        (
            "stationarity, root mean square",
            number(checks.stationarity_rms),
            "size of grad psi over the neurons, the force on a neuron; 0 at rest",
        ),
        (
            "stationarity, largest",
            number(checks.stationarity_largest),
            "the same for the neuron farthest from rest",
        ),
        ("dissipation defect", *_dissipation(checks)),
    ]
    return Section(
        "checks",
        "Checks at the end of the limit",
        tables=(Table("", ("check", "value", "meaning"), tuple(rows)),),
    )


def limit_section(summary: RunSummary) -> Section:
    """The same limit with more and more particles."""
    rows = []
    for coarse, fine in zip((None, *summary.limit), summary.limit, strict=False):
        end = float(np.asarray(fine.risk)[-1])
        moved = DASH
        if coarse is not None:
            shared = fine.times <= coarse.times[-1]
            old = between(coarse.times, np.asarray(coarse.risk, float), np.asarray(fine.times[shared], float))
            moved = number(float(np.max(np.abs(fine.risk[shared] - old))))
        rows.append((str(fine.size), number(end, 4), moved, f"{fine.steps}", f"{fine.wall:.1f} s"))
    header = (
        "particles",
        "risk at the end",
        "largest change of the risk curve",
        "steps",
        "time taken",
    )
    largest, last = float(np.max(summary.limit_error)), float(summary.limit_error[-1])
    sentences = (
        f"The estimated error of the limit's risk is at most {number(largest)} along the run "
        f"and {number(last)} at its end.",
        summary.limit_note,
    )
    return Section(
        "limit",
        "How exact the limit is",
        tuple(s for s in sentences if s),
        tables=(Table("", header, tuple(rows)),),
    )


def _dissipation(checks: Checks) -> tuple[str, str]:
    if checks.dissipation_defect is None:
        return DASH, checks.dissipation_method or "not computed for this problem"
    meaning = "relative difference between the fall of the objective and the energy dissipated; 0 for an exact flow"
    return number(checks.dissipation_defect), f"{meaning} ({checks.dissipation_method})"
