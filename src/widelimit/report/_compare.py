"""Any trajectories on one page."""

import json

import numpy as np

from widelimit.trajectory import Trajectory

from ._curves import Curve, Curves, Group, differences, draw_curves, fell, is_early, minus, observed, over_a_decade
from ._neuron_section import MOST_BLOCKS, density_words, frame_notes
from ._neurons import Marginal, draw_runs, marginal
from ._spread import Spread, blocks_of, label_of, spread_of
from ._summary import require
from ._terms import TERMS
from .canvas import to_png
from .pages import Page, Picture, Section, Table, facts, make_page
from .words import DASH, above, beside, clock, listed, moment, number, with_error


def compare(**trajectories: Trajectory) -> Page:
    """Risk curves, their differences to the first, and the neurons at the end, of any trajectories.

        wl.report.compare(limit=limit, network=net).save("compare.html")

    The keyword names are the labels. Times, numbers of particles and columns may differ: curves are
    compared where both are known, columns where they have the same name.

    **Raises** `ValueError` without trajectories, or for one that did not observe its risk.
    """
    if not trajectories:
        raise ValueError("compare(...): give at least one trajectory: compare(limit=limit, network=net).")
    for name, trajectory in trajectories.items():
        if not isinstance(trajectory, Trajectory):
            raise ValueError(f"compare({name}=...): expected a Trajectory, got {type(trajectory).__name__}.")
        require(trajectory, "risk", f"compare({name}=...)")
    curves = [observed(trajectory, "risk", name) for name, trajectory in trajectories.items()]
    sections = [
        Section("risk", "Risk", pictures=_risk_pictures(curves), tables=(_final_table(curves, trajectories),)),
        _neurons(trajectories),
        Section("provenance", "Provenance", folded=_provenance(trajectories)),
    ]
    lead = [f"The risk of {curve.label} {fell(curve)}." for curve in curves]
    stopped = [f"{name}: {run.message}" for name, run in trajectories.items() if not run.outcome.ok]
    return make_page("Comparison of " + listed(list(trajectories)), lead, stopped, sections, terms=TERMS)


def risks(curves: list[Curve]) -> Curves:
    """The first run as the reference, every other a group of its own."""
    groups = tuple(Group(curve.label, (curve,)) for curve in curves[1:])
    log = over_a_decade([curve.values for curve in curves])
    return Curves(curves[0], groups, "risk R", log, is_early(curves[0]))


def ends(trajectories: dict[str, Trajectory]) -> list[Marginal]:
    """The distributions at the end of every named column, over the runs that have it."""
    found: dict[str, list[Spread]] = {}
    names: dict[str, str] = {}
    for name, trajectory in trajectories.items():
        for block in blocks_of(trajectory):
            # By the label: a number in one run and a vector in another share a name and nothing else.
            label = label_of(block)
            names.setdefault(label, f"{block.name} {len(names) + 1}" if block.name in names.values() else block.name)
            found.setdefault(label, []).append(spread_of(trajectory, block, -1, name))
    return [marginal(names[label], label, rows) for label, rows in found.items()]


def _risk_pictures(curves: list[Curve]) -> tuple[Picture, ...]:
    data = risks(curves)
    caption = _lowest(curves)
    alt = "Risk over time. " + " ".join(f"{curve.label} {fell(curve)}." for curve in curves)
    pictures = [Picture("risk", to_png(lambda figure: draw_curves(figure, data)), caption, alt)]
    if len(curves) > 1:
        off = differences(data)
        gaps = [group.mean for group in off.groups]
        parts = [f"{gap.label} is {above(gap.last)} it at {moment(gap.until)}" for gap in gaps]
        caption = f"Measured from {curves[0].label}, {listed(parts)}."
        spans = [f"{gap.label} between {number(np.min(gap.values))} and {number(np.max(gap.values))}" for gap in gaps]
        alt = f"Risk minus the risk of {curves[0].label} over time: {listed(spans)}."
        pictures.append(Picture("difference", to_png(lambda figure: draw_curves(figure, off)), caption, alt))
    return tuple(pictures)


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


def _neurons(trajectories: dict[str, Trajectory]) -> Section:
    marginals = ends(trajectories)
    pictures = []
    for data in marginals[:MOST_BLOCKS]:
        parts = [f"{beside(row.mean, row.deviation)} ± {number(row.deviation)} in {row.label}" for row in data.rows]
        caption = f"At the end {data.label} is {listed(parts)} (mean ± spread over the neurons).{frame_notes(data)}"
        png = to_png(lambda figure, data=data: draw_runs(figure, data, list(trajectories)), height=3.8)
        alt = (
            f"Histograms of {data.label} over the neurons at the end: " + "; ".join(map(density_words, data.rows)) + "."
        )
        pictures.append(Picture(f"neurons_{data.name}", png, caption, alt))
    left = len(marginals) - MOST_BLOCKS
    sentences = (f"{left} more parameters are not shown.",) if left > 0 else ()
    return Section("neurons", "Neurons at the end", sentences, tuple(pictures))


def _final_table(curves: list[Curve], trajectories: dict[str, Trajectory]) -> Table:
    header = ("", "neurons", "t", "risk", "minus first", "steps", "time taken", "outcome")
    rows = []
    for curve, run in zip(curves, trajectories.values(), strict=True):
        off = minus(curve, curves[0])
        error = None if curve.error is None else float(curve.error[-1])
        rows.append(
            (
                curve.label,
                str(run.size),
                clock(curve.until),
                with_error(curve.last, error),
                DASH if curve is curves[0] else f"{number(off.last)} at {moment(off.until)}",
                str(run.steps),
                f"{run.wall:.1f} s",
                run.outcome.value,
            )
        )
    return Table("At the end", header, tuple(rows))


def _provenance(trajectories: dict[str, Trajectory]) -> tuple[Table, ...]:
    return tuple(facts(name, json.loads(json.dumps(run.provenance))) for name, run in trajectories.items())
