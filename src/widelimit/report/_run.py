"""The report of a run: a limit, networks beside it, and what was checked."""

import numpy as np

from ._curves import differences, fell, interpolate, reaches, risk_curves
from ._function_section import function_section
from ._neuron_section import neuron_section
from ._risk_section import held_out_section, risk_section
from ._summary import Checks, RunSummary
from ._terms import TERMS
from .pages import Page, Section, Table, facts, make_page
from .words import DASH, count, listed, number


def run_report(summary: RunSummary) -> Page:
    """One page: risk, held-out risk, neurons, checks, the limit's error, provenance.

        run_report(summary).save("report.html")

    **Returns** a `Page`, complete in one file: pictures are inside it and nothing is fetched.
    """
    sections = [_problem_section(summary), risk_section(summary)]
    sections += [function_section(summary.fit)] if summary.fit is not None else []
    sections += [held_out_section(summary)] if summary.held_out else []
    sections += [
        neuron_section(summary.best, summary.columns),
        check_section(summary.checks),
        limit_section(summary),
        Section("provenance", "Provenance", folded=(facts("Versions, keys and settings", summary.provenance),)),
    ]
    return make_page(summary.title, _lead(summary), _warnings(summary), sections, notes=summary.notes, terms=TERMS)


def _lead(summary: RunSummary) -> list[str]:
    """What the page says, in a few sentences."""
    curves = risk_curves(summary)
    said = [f"In the limit of infinite width the risk {fell(curves.reference)}."]
    if curves.groups:
        off = differences(curves)
        done = [group for group in off.groups if reaches(group.mean, curves.reference)]
        ends = [f"{group.apart(off.reference)} at {group.label}" for group in done]
        seeds = " (means over seeds ± their standard error)" if any(len(group.longest) > 1 for group in done) else ""
        said += [f"The networks end {listed(ends)}{seeds}."] if done else []
    return [summary.checks.gap_bracket, *said] if summary.checks.gap_informs else said


def _warnings(summary: RunSummary) -> list[str]:
    """What makes a reader doubt the pictures comes before the pictures."""
    said = []
    error, largest = float(summary.limit_error.max()), float(np.max(np.abs(summary.best.risk)))
    if summary.limit_converged is False:
        said.append(f"The limit's risk is not as exact as was asked: its estimated error reaches {number(error)}.")
    elif summary.limit_converged is None and error > 0.05 * largest:
        share = f"{error / largest:.0%} of the largest risk" if largest > 0 else "more than the risk itself"
        said.append(f"The limit's risk is known roughly: its estimated error reaches {number(error)}, {share}.")
    said += [f"The limit with {run.size} particles: {run.message}" for run in summary.limit if not run.outcome.ok]
    said += [
        f"The network of width {run.width}, seed {run.seed}: {run.trajectory.message}"
        for run in summary.networks
        if not run.trajectory.outcome.ok
    ]
    return said


def _problem_section(summary: RunSummary) -> Section:
    values = dict(summary.problem)
    kinds: dict[tuple[int, str], int] = {}
    for run in summary.networks:
        kinds[run.width, run.dynamics] = kinds.get((run.width, run.dynamics), 0) + 1
    rows = tuple((str(width), how, count(n, "seed")) for (width, how), n in sorted(kinds.items()))
    tables = [facts("", values)]
    if rows:
        tables.append(Table("Networks beside the limit", ("width", "trained by", "runs"), rows))
    return Section("problem", "Problem", tables=tuple(tables))


def check_section(checks: Checks) -> Section:
    """A check a row: what it is, its value, what it means."""
    kind = "certified bound" if checks.gap_certified else "estimate"
    rows = [(f"optimality gap by the first variation ({kind})", checks.gap, checks.gap_statement)]
    if checks.gap_bracket:
        rows.append(("infimum, from below", checks.gap_lower, checks.gap_bracket))
        rows.append(("infimum, from above", checks.gap_upper, "the best measure that was found"))
    if checks.gap_budget is not None:
        meaning = "the gap compares with measures whose total variation (see the gap) is at most this"
        rows.append(("budget of the gap", checks.gap_budget, meaning))
    if checks.largest_correlation is not None:
        meaning = "the most that any unit correlates with the slope of the loss; 0 at an optimum without penalty"
        rows.append(("largest correlation", checks.largest_correlation, meaning))
    meaning = "size of grad psi over the neurons, the force on a neuron; 0 at rest"
    rows.append(("stationarity, root mean square", checks.stationarity_rms, meaning))
    rows.append(("stationarity, largest", checks.stationarity_largest, "the same for the neuron farthest from rest"))
    meaning = checks.dissipation_method or "not computed for this problem"
    if checks.dissipation_defect is not None:
        what = "relative difference between the fall of the objective and the energy dissipated; 0 for an exact flow"
        meaning = f"{what} ({meaning})"
    rows.append(("dissipation defect", checks.dissipation_defect, meaning))
    if checks.regime:
        rows.append(("change of the tangent kernel", checks.kernel_change, checks.regime))
    table = Table("", ("check", "value", "meaning"), tuple((name, number(v), words) for name, v, words in rows))
    return Section("checks", "Checks at the end of the limit", tables=(table,))


def limit_section(summary: RunSummary) -> Section:
    """The same limit with more and more particles."""
    rows = []
    for coarse, fine in zip((None, *summary.limit), summary.limit, strict=False):
        end = float(np.asarray(fine.risk)[-1])
        moved = DASH
        if coarse is not None:
            shared = fine.times <= coarse.times[-1]
            old = interpolate(coarse.times, np.asarray(coarse.risk, float), np.asarray(fine.times[shared], float))
            moved = number(float(np.max(np.abs(fine.risk[shared] - old))))
        rows.append((str(fine.size), number(end, 4), moved, f"{fine.steps}", f"{fine.wall:.1f} s"))
    header = ("particles", "risk at the end", "largest change of the risk curve", "steps", "time taken")
    largest, last = float(np.max(summary.limit_error)), float(summary.limit_error[-1])
    sentences = (
        f"The estimated error of the limit's risk is at most {number(largest)} along the run "
        f"and {number(last)} at its end.",
        summary.limit_note,
    )
    return Section(
        "limit", "How exact the limit is", tuple(s for s in sentences if s), tables=(Table("", header, tuple(rows)),)
    )
