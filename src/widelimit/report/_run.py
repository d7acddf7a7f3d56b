"""The report of a run: a limit, and networks beside it."""

from ._check_section import check_section, limit_section
from ._curves import differences, fell, reaches, risk_curves
from ._neuron_section import neuron_section
from ._page import Page, Section, Table, facts, make_page
from ._risk_section import held_out_section, risk_section
from ._summary import RunSummary
from ._words import above, count, listed, number


def run_report(summary: RunSummary) -> Page:
    """One page: risk, held-out risk, neurons, checks, the limit's error, provenance.

        run_report(summary).save("report.html")

    **Returns** a `Page`, complete in one file: pictures are inside it and nothing is fetched.
    """
    sections = [_problem_section(summary), risk_section(summary)]
    sections += [held_out_section(summary)] if summary.held_out else []
    sections += [
        neuron_section(summary.best, summary.columns),
        check_section(summary.checks),
        limit_section(summary),
        Section("provenance", "Provenance", folded=(facts("Versions, keys and settings", summary.provenance),)),
    ]
    return make_page(summary.title, _lead(summary), _warnings(summary), sections, notes=summary.notes)


def _lead(summary: RunSummary) -> list[str]:
    """What the page says, in a few sentences."""
    curves = risk_curves(summary)
    assert curves.reference is not None
    said = [f"In the limit of infinite width the risk {fell(curves.reference)}."]
    if curves.groups:
        groups = differences(curves).groups
        ends = [(group.label, group.mean) for group in groups]
        done = [f"{above(gap.last)} it at {name}" for name, gap in ends if reaches(gap, curves.reference)]
        seeds = " (mean over seeds)" if len(summary.networks) > len(groups) else ""
        said += [f"The networks end {listed(done)}{seeds}."] if done else []
    return [*said, *([summary.checks.gap_statement] if summary.checks.gap_statement else [])]


def _warnings(summary: RunSummary) -> list[str]:
    """What makes a reader doubt the pictures comes before the pictures."""
    said = []
    if not summary.limit_converged:
        error = number(float(summary.limit_error.max()))
        said.append(f"The limit's risk is not as exact as was asked: its estimated error reaches {error}.")
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
