"""Any trajectories on one page."""

import json
from collections.abc import Iterable, Sequence

import numpy as np

from widelimit.trajectory import Ensemble, Trajectory

from ._curves import Curve, Curves, Group, differences, draw_curves, fell, is_early, minus, observed, over_a_decade
from ._neuron_section import MOST_BLOCKS, density_words, frame_notes
from ._neurons import Marginal, draw_runs, marginal
from ._spread import Spread, blocks_of, label_of, spread_of
from ._summary import require
from ._terms import TERMS
from .canvas import to_png
from .pages import Page, Picture, Section, Table, facts, make_page
from .words import DASH, above, beside, clock, listed, moment, number, with_error

Runs = dict[str, tuple[Trajectory, ...]]


def compare(**runs: Trajectory | Ensemble | Sequence[Trajectory | Ensemble]) -> Page:
    """Risk curves, their differences to the first, and the neurons at the end, of any trajectories.

        wl.report.compare(limit=limit, network=net).save("compare.html")
        wl.report.compare(limit=limit, networks=[net1, net2, net3])

    The keyword names are the labels. A list, or what `evolve_many` returns, is a group, such as the seeds of one
    setting: its mean is drawn with the standard error over its runs as a band, each of them thin, and its neurons are
    taken together. Times, numbers of particles and columns may differ: curves are compared where both are known,
    columns where they have the same name.

    **Raises** `ValueError` without trajectories, or for one that did not observe its risk.
    """
    if not runs:
        raise ValueError("compare(...): give at least one trajectory: compare(limit=limit, network=net).")
    grouped: Runs = {name: _members(name, given) for name, given in runs.items()}
    groups = [
        Group(name, tuple(observed(run, "risk", one) for one, run in _labelled(name, members)))
        for name, members in grouped.items()
    ]
    sections = [
        Section("risk", "Risk", pictures=_risk_pictures(groups), tables=(_final_table(groups, grouped),)),
        _neurons(grouped),
        Section("provenance", "Provenance", folded=_provenance(grouped)),
    ]
    lead = [f"{_whose(group)} {fell(group.mean)}." for group in groups]
    stopped = [
        f"{one}: {run.message}"
        for name, members in grouped.items()
        for one, run in _labelled(name, members)
        if not run.outcome.ok
    ]
    return make_page("Comparison of " + listed(list(grouped)), lead, stopped, sections, terms=TERMS)


def _members(name: str, given: Trajectory | Ensemble | Sequence[Trajectory | Ensemble]) -> tuple[Trajectory, ...]:
    """The runs of one name, each with its risk."""
    several = isinstance(given, list | tuple)
    parts = tuple(given) if several else (given,)
    # What is no run has none: that is how anything else is found out.
    groups: list[tuple[Trajectory, ...]] = [getattr(part, "runs", ()) for part in parts]
    members = tuple(run for group in groups for run in group)
    if not members or not all(groups):
        kinds = "a list with another object in it" if several and parts else type(given).__name__
        raise ValueError(f"compare({name}=...): expected a Trajectory, or a list of some, got {kinds}.")
    for run in members:
        require(run, "risk", f"compare({name}=...)")
    return members


def _labelled(name: str, members: tuple[Trajectory, ...]) -> list[tuple[str, Trajectory]]:
    """`net`, or `net 1`, `net 2`."""
    return [(name if len(members) == 1 else f"{name} {k}", run) for k, run in enumerate(members, 1)]


def _whose(group: Group) -> str:
    """`The risk of limit`, `The mean risk of 3 runs of net`; those that stopped early are not in it."""
    count = len(group.longest)
    return f"The risk of {group.label}" if len(group.curves) == 1 else f"The mean risk of {count} runs of {group.label}"


def risks(groups: list[Group]) -> Curves:
    """The first as the reference, a group by its mean; every other as it is."""
    log = over_a_decade([curve.values for group in groups for curve in group.curves])
    reference = groups[0].mean
    return Curves(reference, tuple(groups[1:]), "risk R", log, is_early(reference))


def ends(runs: Runs) -> list[Marginal]:
    """The distributions at the end of every named column, over the groups that have it, each with all its runs."""
    found: dict[str, list[Spread]] = {}
    names: dict[str, str] = {}
    for name, members in runs.items():
        for block in blocks_of(members[0]):
            # By the label: a number in one run and a vector in another share a name and nothing else.
            label = label_of(block)
            alike = [run for run in members if block in blocks_of(run)]
            names.setdefault(label, f"{block.name} {len(names) + 1}" if block.name in names.values() else block.name)
            found.setdefault(label, []).append(_together([spread_of(run, block, -1, name) for run in alike]))
    return [marginal(names[label], label, rows) for label, rows in found.items()]


def _together(spreads: list[Spread]) -> Spread:
    """The neurons of several runs as those of one: each run has the same share of the weight."""
    if len(spreads) == 1:
        return spreads[0]
    values = np.concatenate([one.values for one in spreads])
    weights = np.concatenate([one.weights for one in spreads]) / len(spreads)
    return Spread(spreads[0].label, values, weights)


def _risk_pictures(groups: list[Group]) -> tuple[Picture, ...]:
    data, curves = risks(groups), [group.mean for group in groups]
    caption = _lowest(curves)
    alt = "Risk over time. " + " ".join(f"{curve.label} {fell(curve)}." for curve in curves)
    pictures = [Picture("risk", to_png(lambda figure: draw_curves(figure, data)), caption, alt)]
    if len(curves) > 1:
        off = differences(data)
        gaps = [group.mean for group in off.groups]
        parts = [f"{group.label} is {_off(group, off.reference)} at {moment(group.mean.until)}" for group in off.groups]
        caption = f"Measured from {curves[0].label}, {listed(parts)}."
        spans = [f"{gap.label} between {number(np.min(gap.values))} and {number(np.max(gap.values))}" for gap in gaps]
        alt = f"Risk minus the risk of {curves[0].label} over time: {listed(spans)}."
        pictures.append(Picture("difference", to_png(lambda figure: draw_curves(figure, off)), caption, alt))
    return tuple(pictures)


def _off(group: Group, zero: Curve) -> str:
    """How far a run is from the reference; the mean of a group only as far as its runs tell."""
    return group.apart(zero) if len(group.longest) > 1 else f"{above(group.mean.last)} it"


def _lowest(curves: list[Curve]) -> str:
    """Which run is lowest when the first of them ends, as far as their errors tell."""
    if len(curves) == 1:
        return f"The risk of {curves[0].label} {fell(curves[0])}."
    end = min(curve.until for curve in curves)
    low, second = sorted((curve.cut(end) for curve in curves), key=lambda curve: curve.last)[:2]
    alike = all(curve.until <= end * (1 + 1e-9) for curve in curves)
    gap, known = second.last - low.last, low.error is not None and second.error is not None
    within = low.error_at(low.until) + second.error_at(second.until)
    if gap > max(within, 0.0 if known else 0.01 * abs(second.last)):
        more = f", more than their errors, {number(within)}" if within > 0 else ""
        lowest = f"The lowest risk at {'the end' if alike else moment(end)} is that of {low.label}, {number(low.last)}"
        return f"{lowest}: {number(gap)} below {second.label}{more}."
    why = f"no more than their errors, {number(within)}" if gap <= within else "and their errors are not known"
    place = "end lowest, at" if alike else f"are lowest at {moment(end)}, with"
    return f"{low.label} and {second.label} {place} {number(low.last)}: {number(gap)} apart, {why}."


def _neurons(runs: Runs) -> Section:
    marginals = ends(runs)
    pictures = []
    for data in marginals[:MOST_BLOCKS]:
        parts = [f"{beside(row.mean, row.deviation)} ± {number(row.deviation)} in {row.label}" for row in data.rows]
        caption = f"At the end {data.label} is {listed(parts)} (mean ± spread over the neurons).{frame_notes(data)}"
        png = to_png(lambda figure, data=data: draw_runs(figure, data, list(runs)), height=3.8)
        alt = (
            f"Histograms of {data.label} over the neurons at the end: " + "; ".join(map(density_words, data.rows)) + "."
        )
        pictures.append(Picture(f"neurons_{data.name}", png, caption, alt))
    left = len(marginals) - MOST_BLOCKS
    sentences = (f"{left} more parameters are not shown.",) if left > 0 else ()
    return Section("neurons", "Neurons at the end", sentences, tuple(pictures))


def _final_table(groups: list[Group], runs: Runs) -> Table:
    header = ("", "runs", "neurons", "t", "risk", "minus first", "steps", "time taken", "outcome")
    rows, first = [], groups[0].mean
    for group, members in zip(groups, runs.values(), strict=True):
        curve = group.mean
        off = minus(curve, first)
        error = None if curve.error is None else float(curve.error[-1])
        rows.append(
            (
                group.label,
                str(len(members)),
                _each(run.size for run in members),
                clock(curve.until),
                with_error(curve.last, error),
                DASH if group is groups[0] else f"{_known(off)} at {moment(off.until)}",
                _each(run.steps for run in members),
                f"{sum(run.wall for run in members):.1f} s",
                _each(run.outcome.value for run in members),
            )
        )
    caption = "At the end" if len(groups) == sum(map(len, runs.values())) else "At the end; ± of a mean over runs"
    return Table(caption, header, tuple(rows))


def _known(off: Curve) -> str:
    error = None if off.error is None else float(off.error[-1])
    return number(off.last) if error is None else with_error(off.last, error)


def _each(values: Iterable[object]) -> str:
    """What runs have in common, or all of it."""
    return ", ".join(dict.fromkeys(map(str, values)))


def _provenance(runs: Runs) -> tuple[Table, ...]:
    return tuple(
        facts(one, json.loads(json.dumps(run.provenance)))
        for name, members in runs.items()
        for one, run in _labelled(name, members)
    )
