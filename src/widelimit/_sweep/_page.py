"""The report of a sweep: what matters in it, its pictures, and a link to every run."""

import urllib.parse
from typing import Any

from widelimit.report import Page, Section, Table, make_page, words
from widelimit.runs.folder import read_json

from ._draw import pictures
from ._folder import SweepFolder
from ._matters import SEED, Share
from ._section import in_words
from ._study import Study, study_of
from ._table import gather, save


def write_report(folder: SweepFolder) -> None:
    """report.html and results.zarr, from the runs that are there."""
    data = gather(folder)
    save(data, folder.path / "results.zarr")
    sweep_page(folder, study_of(folder, data)).save(folder.path / "report.html")


def sweep_page(folder: SweepFolder, study: Study) -> Page:
    """One page; the links on it lead into the sweep's folder."""
    sections = []
    if study.some:
        drawn = pictures(study, folder.plan.section["draw"])
        sections += [Section("pictures", "Pictures", pictures=tuple(drawn))] if drawn else []
    if study.comparable:
        sections += [_shares_section(study), _differences_section(study)]
    sections.append(Section("runs", "Runs", tables=(_runs_table(folder, study),)))
    lead = [_size(folder, study), *found_words(study)]
    return make_page(folder.plan.title, lead, _warnings(folder, study), sections)


def _size(folder: SweepFolder, study: Study) -> str:
    varied = [f"{name} ({len(axis.levels)})" for name, axis in zip(study.names, study.axes, strict=True)]
    over = f" over {words.listed(varied)}" if varied else ""
    return f"{words.count(len(folder.plan.runs), 'run')}{over}, {words.count(study.seeds, 'seed')} a setting."


def found_words(study: Study) -> list[str]:
    """The best, the cheapest that is nearly as good, and what the variation comes from; nothing where none ended."""
    if not study.some:
        return []
    choice, what = study.choice, "risk" if study.response == "risk" else "held-out risk"
    ends = [words.with_error(m, e) for m, e in zip(choice.means, choice.errors, strict=True)]
    said = [f"The lowest {what} at the end, {ends[0]}, is that of {study.words(choice.best) or 'the one setting'}."]
    within = f"Within {100 * study.tolerance:.3g} % of it"
    if choice.cheapest == choice.best:
        said.append(f"{within} no setting is cheaper.")
    else:
        doubt = {
            True: "The seeds leave no doubt of that (95 %).",
            False: "By the means: the seeds' error (95 %) leaves open whether it is within.",
            None: "With one seed a setting there is no error to say how sure that is.",
        }[choice.sure]
        said.append(
            f"{within} the cheapest setting is {study.words(choice.cheapest)}, at {ends[1]}: it takes "
            f"{words.number(100 / choice.saving, 2)} % of the operations. {doubt}"
        )
    if study.comparable:
        said.append(_variation(study))
    return said


def _variation(study: Study) -> str:
    names = {SEED: "the seed"}
    parts = [
        f"{names.get(row.factor, row.factor)} ({_percent(row)})"
        for row in sorted(study.shares, key=lambda row: -row.share)
    ]
    end = "" if study.seeds > 1 else " With one seed, what seeds do is in these shares, and they have no error."
    return f"The variation of the end risk comes from {words.listed(parts)}.{end}"


def _percent(row: Share) -> str:
    share = 100 * row.share
    return f"{share:.1f} %" if row.error is None else f"{share:.1f} ± {100 * row.error:.1f} %"


def _shares_section(study: Study) -> Section:
    sentences = [
        "The variance over all settings and seeds, split: a factor's share is the variance of the means at its levels, "
        "all else averaged; interactions are what the factors do together beyond that; the seed's share is the mean "
        "variance within a setting. What the seeds' noise adds to the means is taken off; below zero counts as zero.",
    ]
    if study.seeds > 1:
        sentences.append(
            "Errors are standard errors over the seeds (parametric bootstrap, all settings of a seed at once)."
        )
    rows = tuple((row.factor, _percent(row)) for row in study.shares)
    return Section("shares", "What matters", tuple(sentences), tables=(Table("", ("factor", "share"), rows),))


def _differences_section(study: Study) -> Section:
    verdicts = {True: "yes", False: "no", None: words.DASH}
    rows = tuple(
        (
            row.factor,
            f"{row.first} to {row.second}",
            _signed(row.difference, row.error),
            verdicts[row.beyond],
        )
        for row in study.differences
    )
    sentence = (
        "From one level of a factor to the next, all else averaged: how the mean moves, with the standard error that "
        "the seeds leave it, and whether it moves by more than they do by chance (outside Student's interval of 95 %, "
        "each row for itself: of twenty rows in which nothing moves one says yes)."
    )
    table = Table("", ("factor", "from to", "the mean moves by", "beyond the seeds"), rows)
    return Section("differences", "Which differences are real", (sentence,), tables=(table,))


def _signed(value: float, error: float | None) -> str:
    text = words.with_error(value, error)
    return text if value < 0 else f"+{text}"


def _runs_table(folder: SweepFolder, study: Study) -> Table:
    rows, links = [], []
    for run in folder.plan.runs:
        state = folder.state(run.name)
        ends, reason = "", ""
        if state != "missing":
            status = read_json(folder.run_path(run.name) / "status.json")
            reason = status["message"] or "; ".join(status["failed"].values())
        if state == "finished":
            numbers = read_json(folder.run_path(run.name) / "numbers.json")
            records = numbers["networks"] or [numbers["limit"] | {study.response: {"mean": numbers["limit"]["risk"]}}]
            widths = [f"width {record['width']}: " if len(records) > 1 else "" for record in records]
            said = [_spread(record[study.response]) for record in records]
            ends = "\n".join(width + text for width, text in zip(widths, said, strict=True))
        rows.append((in_words(run.values) or run.name, ends or words.DASH, state, reason or words.DASH))
        links.append(f"runs/{urllib.parse.quote(run.name)}/report.html" if state == "finished" else "")
    what = "risk at the end" if study.response == "risk" else "held-out risk at the end"
    return Table("", ("run", what, "state", "remarks"), tuple(rows), tuple(links))


def _spread(record: dict[str, Any] | None) -> str:
    return words.DASH if record is None else words.with_error(record["mean"], record.get("error"))


def _warnings(folder: SweepFolder, study: Study) -> list[str]:
    """What is not in the numbers."""
    states = [folder.state(run.name) for run in folder.plan.runs]
    said = []
    if missing := states.count("missing"):
        said.append(f"{words.count(missing, 'run')} of {len(states)} not made yet: the page is about the others.")
    if failed := states.count("failed"):
        said.append(f"{words.count(failed, 'run')} failed; the table of runs says why.")
    left_out = [
        f"{name} {axis.labels[i]}"
        for name, axis, kept in zip(study.names, study.axes, study.kept, strict=True)
        for i in range(len(axis.levels))
        if i not in kept
    ]
    if left_out and study.comparable:
        said.append(
            f"Not every network reached its end. Shares and differences are of the settings that are complete: without "
            f"{words.listed(left_out)}."
        )
    elif left_out:
        said.append("Too few settings are complete for shares and differences.")
    return said
