"""The risk of the limit and of the networks: pictures over time and against width, and the final numbers."""

from collections.abc import Sequence

import numpy as np

from ._curves import Curve, Curves, differences, draw_curves, fell, over_a_decade, reaches, risk_curves
from ._summary import HELD_OUT, Band, ClassShares, RunSummary
from ._width import AgainstWidth, against_width, draw_width
from .canvas import to_png
from .pages import Picture, Section, Table
from .words import DASH, clock, count, listed, moment, number, with_error


def risk_section(summary: RunSummary) -> Section:
    """The risk on the data that trains."""
    curves = risk_curves(summary)
    pictures = [_risk_picture(curves)]
    if curves.groups:
        pictures.append(_difference_picture(differences(curves)))
    widths = against_width(curves)
    if widths is not None:
        pictures.append(_width_picture(widths))
    tables = [_final_table(summary, curves)]
    if summary.bands:
        tables.append(_predicted_table(summary))
    if summary.classes:
        tables.append(_class_table(summary.classes))
    return Section("risk", "Risk", predicted_words(summary.bands), tuple(pictures), tuple(tables))


def predicted_words(bands: Sequence[Band]) -> tuple[str, ...]:
    """How many trained networks end in their bands, what the bands leave out, and what would halve the excess."""
    if not bands:
        return ()
    inside, trained = sum(band.inside for band in bands), sum(band.trained for band in bands)
    ended = f"{inside} of {count(trained, 'trained network')} {'ends' if trained == 1 else 'end'} inside"
    said = [f"{ended} the predicted {bands[0].level:.0%} bands."]
    if bands[0].order == 1:
        said.append(
            f"The bands come from an expansion around the limit to first order, by {bands[0].directions} directions: "
            f"their width is known to about {(0.5 / bands[0].directions) ** 0.5:.0%}, and what a finite width does to "
            "the mean prediction is left out."
        )
    elif not all(band.trusted for band in bands):
        doubted = listed([f"width {band.width}" for band in bands if not band.trusted])
        said.append(f"At some times the second order moves the band of {doubted} by more than a tenth of its width.")
    smallest = min(bands, key=lambda band: band.width)
    return (*said, *filter(None, [_halved(smallest)]))


def _halved(band: Band) -> str:
    excess = sum(max(part, 0.0) for part in band.parts.values())
    if not excess > 0.0:
        return ""
    names = {"width": "the width", "batch": "the noise of the batches", "step": "the step"}
    parts = [f"{number(max(part, 0.0) / excess * 100, 2)} % of {names[name]}" for name, part in band.parts.items()]
    said = f"At width {band.width} the mean risk is predicted {number(excess, 2)} above the flow's"
    said += f", {listed(parts)}" if len(parts) > 1 else ""
    ways = [f"{name} {number(value, 3) if name == 'step' else int(value)}" for name, value in band.halving.items()]
    if ways:
        return f"{said}; half of it would take {' or '.join(ways)}."
    return f"{said}; none of the three alone halves it: all of them must be paid for."


def _predicted_table(summary: RunSummary) -> Table:
    rows = tuple(
        (
            f"width {band.width}, {band.dynamics}",
            number(float(band.mean[-1])),
            f"{number(float(band.lower[-1]))} to {number(float(band.upper[-1]))}",
            f"{band.inside} of {band.trained}",
            *(number(band.parts[name], 2) if name in band.parts else DASH for name in ("width", "batch", "step")),
        )
        for band in summary.bands
    )
    level = f"{summary.bands[0].level:.0%} band at the end"
    header = ("", "mean risk", level, "trained networks inside", "of the width", "of the batches", "of the step")
    return Table("Predicted from the limit", header, rows)


def held_out_section(summary: RunSummary) -> Section:
    """The risk on data that trained nothing, beside the limit's risk on the data that did."""
    train, curves = risk_curves(summary), risk_curves(summary, HELD_OUT)
    trained, limit = train.reference, curves.reference
    drawn = [trained.values, limit.values]
    drawn += [curve.values for group in curves.groups for curve in group.curves]
    limit = Curve("limit, held-out", limit.times, limit.values, limit.error)
    extra = Curve("limit, training", trained.times, trained.values)
    data = Curves(limit, curves.groups, "risk R", over_a_decade(drawn), train.early, extra)
    last, seen = limit.last, trained.last
    ratio = f", {number(last / seen, 2)} times" if seen > 0 and last > 0 else ", beside"
    caption = (
        f"At the end the limit's held-out risk is {number(last)}{ratio} its risk on the training data, {number(seen)}; "
    )
    caption += _held_out_course(limit) + "."
    alt = f"Held-out risk over time: the limit {fell(limit)}{_and_networks(curves)} Dotted: its training risk."
    return Section(
        "held-out",
        "Held-out risk",
        pictures=(Picture("held_out", to_png(lambda figure: draw_curves(figure, data)), caption, alt),),
    )


def _held_out_course(limit: Curve) -> str:
    """Where a held-out risk was lowest, and whether the limit's own error lets one say that it rises from there."""
    best = int(np.argmin(limit.values))
    lowest, rise = float(limit.values[best]), limit.last - float(limit.values[best])
    if rise == 0:
        return "it is at its lowest there"
    place = f"it was lowest, {number(lowest)}, at {moment(float(limit.times[best]))}"
    share = f"{number(100 * rise / lowest, 2)} % since" if lowest > 0 else number(rise)
    within = limit.error_at(limit.until) + limit.error_at(float(limit.times[best]))
    if rise > within:
        return f"{place}, and has risen by {share}: from there on training overfits"
    return f"{place}, and the rise since, {number(rise)}, is within the limit's own error there"


def _risk_picture(curves: Curves) -> Picture:
    limit = curves.reference
    if not curves.groups:
        caption = f"The limit's risk {fell(limit)}; the grey band is its own error."
    else:
        off = differences(curves)
        last = off.groups[-1]
        until = last.mean.until
        caption = (
            f"{_when(last.mean, limit)} the network of {last.label} is {last.apart(off.reference, it='the limit')}"
            f"; the limit's own error there is {number(limit.error_at(until))}."
        )
    alt = f"Risk over time: the limit {fell(limit)}" + _and_networks(curves)
    return Picture("risk", to_png(lambda figure: draw_curves(figure, curves)), caption, alt)


def _difference_picture(data: Curves) -> Picture:
    parts = []
    for group in data.groups:
        mean = group.mean
        worst = int(np.argmax(np.abs(mean.values)))
        parts.append(f"{group.apart(data.reference, worst)} at {moment(float(mean.times[worst]))} at {group.label}")
    chosen = [parts[0], parts[-1]] if len(parts) > 1 else parts
    caption = f"Where they are farthest from the limit, the networks are {listed(chosen)}"
    caption += "; inside the grey band a difference is not resolved."
    ends = [f"{group.label} ends at {number(group.mean.last)}" for group in data.groups]
    drawn = [curve.values for group in data.groups for curve in group.curves]
    low, high = min(np.min(v) for v in drawn), max(np.max(v) for v in drawn)
    alt = (
        f"Risk of the networks minus risk of the limit over time, between {number(low)} and {number(high)}, around the "
        f"line zero with its grey band: {listed(ends)}."
    )
    return Picture("difference", to_png(lambda figure: draw_curves(figure, data)), caption, alt)


def _width_picture(data: AgainstWidth) -> Picture:
    caption = f"{_rate(data)} A hollow mark is a network below the limit."
    numbers = ", ".join(f"{number(a)} at width {int(w)}" for w, a in zip(data.widths, data.average.mean, strict=True))
    alt = f"Size of the difference between network and limit against width, averaged over time: {numbers}."
    return Picture("width", to_png(lambda figure: draw_width(figure, data), height=7.2), caption, alt)


def _rate(data: AgainstWidth) -> str:
    """How the difference falls with the width, as far as the seeds decide it."""
    if data.slope is None:
        return "Some networks do not differ from the limit at all."
    if data.slope_error is None:
        return f"With one seed a width no rate is decided (slope {number(data.slope, 2)})."
    slope = f"slope {with_error(data.slope, data.slope_error)}"
    if abs(data.slope) < 2 * data.slope_error:
        return f"The seeds' scatter hides how the difference changes with the width ({slope})."
    factor = 2.0**-data.slope
    change = f"{'divides' if factor > 1 else 'multiplies'} the difference by {number(max(factor, 1 / factor), 2)}"
    said = (
        f"Doubling the width {change} ({slope}); theory has 1/N for the mean over many seeds and 1/√N for the chance "
        "of a single start."
    )
    if data.slope - 2 * data.slope_error > -0.5:
        trained = "the step and the batch of the training, or to " if data.stochastic else ""
        said += f" So slow a fall points to {trained}the limit's own error."
    return said


def _final_table(summary: RunSummary, curves: Curves) -> Table:
    limit = curves.reference
    header = ("", "t", "risk", "lowest to highest", "minus limit")
    error = None if limit.error is None else float(limit.error[-1])
    rows = [("limit", clock(limit.until), with_error(limit.last, error), DASH, DASH)]
    for group, gap in zip(curves.groups, differences(curves).groups, strict=True):
        # What goes by steps ends with its first step past the limit's end.
        ends = [curve.cut(limit.until).last for curve in group.longest]
        of = f" of {len(group.curves)}" if len(ends) < len(group.curves) else ""
        off = gap.mean
        # Of one seed no error is known; of several the limit's own counts as well.
        error = (
            float(np.hypot(off.error[-1], limit.error_at(off.until))) if off.error is not None and ends[1:] else None
        )
        rows.append(
            (
                f"{group.label}, {len(ends)}{of} {'seed' if len(group.curves) == 1 else 'seeds'}",
                clock(off.until),
                _last_of(group.mean.cut(limit.until)),
                f"{number(min(ends))} to {number(max(ends))}" if len(ends) > 1 else DASH,
                with_error(off.last, error) if error else number(off.last),
            )
        )
    if summary.held_out:
        header = (*header, "held-out risk")
        held = risk_curves(summary, HELD_OUT)
        ends = [held.reference, *(group.mean.cut(limit.until) for group in held.groups)]
        rows = [(*row, _last_of(curve)) for row, curve in zip(rows, ends, strict=True)]
    return Table("At the end (± of networks: the standard error over seeds)", header, tuple(rows))


def _class_table(found: tuple[ClassShares, ...]) -> Table:
    """Accuracy and area under the ROC curve, on the rows and on those held out where there are some."""
    there = any(one.held_out_accuracy is not None for one in found)
    header = ("", "accuracy", "area under ROC", *(("held-out accuracy", "held-out area under ROC") if there else ()))

    def cells(one: ClassShares) -> tuple[str, ...]:
        values = (one.accuracy, one.auc, *((one.held_out_accuracy, one.held_out_auc) if there else ()))
        return (one.name, *(DASH if value is None else with_error(*value) for value in values))

    caption = "Classes at the end (± of networks: over seeds; of the limit's held-out accuracy: over rows)"
    return Table(caption, header, tuple(cells(one) for one in found))


def _last_of(curve: Curve) -> str:
    return number(curve.last) if curve.error is None else with_error(curve.last, float(curve.error[-1]))


def _when(curve: Curve, limit: Curve) -> str:
    return "At the end" if reaches(curve, limit) else f"At {moment(curve.until)}"


def _and_networks(curves: Curves) -> str:
    names = ", ".join(group.label for group in curves.groups)
    return f", with networks of {names} around it." if names else "."
