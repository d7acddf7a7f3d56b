"""The risk of the limit and of the networks: pictures over time and against width, and the final numbers."""

import numpy as np

from ._curves import Curve, Curves, differences, draw_curves, fell, over_a_decade, reaches, risk_curves
from ._summary import HELD_OUT, RunSummary
from ._width import AgainstWidth, against_width, draw_width
from ._words import DASH, above, clock, moment, number, with_error
from .canvas import to_png
from .pages import Picture, Section, Table


def risk_section(summary: RunSummary) -> Section:
    """The risk on the data that trains."""
    curves = risk_curves(summary)
    pictures = [_risk_picture(curves)]
    if curves.groups:
        pictures.append(_difference_picture(differences(curves)))
    widths = against_width(curves)
    if widths is not None:
        pictures.append(_width_picture(widths))
    tables = (_final_table(summary, curves),)
    return Section("risk", "Risk", pictures=tuple(pictures), tables=tables)


def held_out_section(summary: RunSummary) -> Section:
    """The risk on data that trained nothing, beside the limit's risk on the data that did."""
    train, curves = risk_curves(summary), risk_curves(summary, HELD_OUT)
    trained, limit = train.reference, curves.reference
    drawn = [trained.values, limit.values]
    drawn += [curve.values for group in curves.groups for curve in group.curves]
    limit = Curve("limit, held-out", limit.times, limit.values)
    extra = Curve("limit, training", trained.times, trained.values)
    data = Curves(limit, curves.groups, "risk R", over_a_decade(drawn), train.early, extra)
    best = int(np.argmin(limit.values))
    lowest, last = float(limit.values[best]), limit.last
    caption = (
        f"At the end the limit's held-out risk is {number(last)}, against {number(trained.last)} on the training data"
    )
    if last > 1.02 * lowest:
        caption += f"; it was lowest, {number(lowest)}, at {moment(float(limit.times[best]))}: training on overfits."
    else:
        rise = last / lowest - 1.0
        end = "it ends at its lowest" if rise < 5e-4 else f"it ends {rise:.1%} above its lowest"
        caption += f", and {end}: no overfitting to speak of."
    alt = "Held-out risk over time for the limit and the networks, beside the limit's training risk."
    png = to_png(lambda figure: draw_curves(figure, data))
    return Section("held-out", "Held-out risk", pictures=(Picture("held_out", png, caption, alt),))


def _risk_picture(curves: Curves) -> Picture:
    limit = curves.reference
    if not curves.groups:
        caption = f"The limit's risk {fell(limit)}; the grey band is its own error."
    else:
        nearest = differences(curves).groups[-1].mean
        name = curves.groups[-1]
        caption = (
            f"{_when(nearest, limit)} the network of {name.label} is {above(nearest.last)} the limit"
            f"{_of_seeds(len(name.longest))}; "
            f"the limit's own error there is {number(limit.error_at(nearest.until))}."
        )
    alt = f"Risk over time: the limit {fell(limit)}" + _and_networks(curves)
    return Picture("risk", to_png(lambda figure: draw_curves(figure, curves)), caption, alt)


def _difference_picture(data: Curves) -> Picture:
    parts = []
    for group in data.groups:
        mean = group.mean
        worst = int(np.argmax(np.abs(mean.values)))
        place = f"{above(float(mean.values[worst]))} it at {moment(float(mean.times[worst]))}"
        parts.append((group, place))
    first, last = parts[0], parts[-1]
    caption = f"Farthest from the limit, the networks of {first[0].label} are {first[1]} on average"
    caption += f", those of {last[0].label} {last[1]}" if len(parts) > 1 else ""
    caption += "; inside the grey band a difference is not resolved."
    alt = "Risk of the networks minus risk of the limit over time" + _and_networks(data)
    return Picture("difference", to_png(lambda figure: draw_curves(figure, data)), caption, alt)


def _width_picture(data: AgainstWidth) -> Picture:
    if data.slope is None:
        caption = "Some networks do not differ from the limit at all."
    else:
        factor = 2.0**-data.slope
        verb = "divides" if factor > 1 else "multiplies"
        change = f"{verb} the difference by {number(max(factor, 1 / factor), 2)}"
        caption = (
            f"Doubling the width {change} (averaged over time, slope {number(data.slope, 2)}); theory has "
            "1/N for the mean over many seeds and 1/√N for the chance of a single start."
        )
        if data.slope > -0.35:
            caption += " So slow a fall points to the step and the batch of the training, or to the limit's error."
    numbers = ", ".join(f"{number(a)} at width {int(w)}" for w, a in zip(data.widths, data.average.mean, strict=True))
    alt = f"Difference between network and limit against width, averaged over time: {numbers}."
    return Picture("width", to_png(lambda figure: draw_width(figure, data), height=4.9), caption, alt)


def _final_table(summary: RunSummary, curves: Curves) -> Table:
    limit = curves.reference
    header = ("", "t", "risk", "lowest to highest", "minus limit")
    error = None if limit.error is None else float(limit.error[-1])
    rows = [("limit", clock(limit.until), with_error(limit.last, error), DASH, DASH)]
    for group, gap in zip(curves.groups, differences(curves).groups, strict=True):
        ends = [curve.last for curve in group.longest]
        of = f" of {len(group.curves)}" if len(ends) < len(group.curves) else ""
        mean, off = group.mean, gap.mean
        rows.append(
            (
                f"{group.label}, {len(ends)}{of} {'seed' if len(group.curves) == 1 else 'seeds'}",
                clock(mean.until),
                number(mean.last),
                f"{number(min(ends))} to {number(max(ends))}" if len(ends) > 1 else DASH,
                number(off.last),
            )
        )
    if summary.held_out:
        header = (*header, "held-out risk")
        held = risk_curves(summary, HELD_OUT)
        ends = [held.reference, *(group.mean for group in held.groups)]
        rows = [(*row, number(curve.last)) for row, curve in zip(rows, ends, strict=True)]
    return Table("At the end", header, tuple(rows))


def _when(curve: Curve, limit: Curve) -> str:
    return "At the end" if reaches(curve, limit) else f"At {moment(curve.until)}"


def _of_seeds(seeds: int) -> str:
    return f" (mean of {seeds} seeds)" if seeds > 1 else ""


def _and_networks(curves: Curves) -> str:
    names = ", ".join(group.label for group in curves.groups)
    return f", with networks of {names} around it." if names else "."
