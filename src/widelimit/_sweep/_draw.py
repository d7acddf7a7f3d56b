"""The pictures of a sweep: lines over a key, and phase diagrams over two."""

from typing import TYPE_CHECKING

import numpy as np

from widelimit.report import Picture, canvas, words

from ._study import Study
from ._table import Axis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_UNITS = {"width": "width N (neurons)", "step": "step (mean-field time)", "batch": "batch (samples)"}
# More cells than this and their numbers are not read any more.
_MOST_NUMBERS = 8


def pictures(study: Study, asked: list[dict[str, str]]) -> list[Picture]:
    """Those that the [[sweep.draw]] tables ask for; where there are none, lines, and a phase diagram of large grids."""
    tables = asked or _usual(study)
    found = []
    for number, table in enumerate(tables):
        axes = {role: _axis(study, key) for role, key in table.items()}
        if axes["x"] is None:
            continue
        name = f"sweep-{number + 1}"
        if (y := axes.get("y")) is not None:
            found.append(phase_diagram(study, axes["x"], y, name))
        else:
            found.append(lines(study, axes["x"], axes.get("lines"), name))
    return found


def _usual(study: Study) -> list[dict[str, str]]:
    order = sorted(range(len(study.axes)), key=lambda i: (not _numeric(study.axes[i]), -len(study.axes[i].levels)))
    keys = [study.axes[i].keys[0] for i in order]
    if not keys:
        return []
    first = {"x": keys[0]} | ({"lines": keys[1]} if len(keys) > 1 else {})
    large = [i for i in order if len(study.axes[i].levels) > 2]
    return [first] + (
        [{"x": study.axes[large[0]].keys[0], "y": study.axes[large[1]].keys[0]}] if len(large) > 1 else []
    )


def _axis(study: Study, key: str) -> int | None:
    """The axis along which a key varies; None where it does not, or has one level only."""
    wanted = (key, "width") if key == "networks.widths" else (key,)
    return next((i for i, axis in enumerate(study.axes) if set(wanted) & set(axis.keys)), None)


def _numeric(axis: Axis) -> bool:
    values = [next(iter(level.values())) for level in axis.levels]
    return len(axis.keys) == 1 and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def _label(study: Study, axis: int) -> str:
    name = study.names[axis]
    return _UNITS.get(name, name)


def _reduced(study: Study, *kept: int) -> tuple[np.ndarray, np.ndarray]:
    """Means over the seeds and the other axes, and their standard errors; NaN where a setting has no value."""
    values = np.moveaxis(study.values, kept, range(len(kept)))
    # A seed's own means: its settings may have their noise in common.
    values = values.reshape(*values.shape[: len(kept)], -1, study.seeds).mean(axis=-2)
    if study.seeds < 2:
        return values.mean(axis=-1), np.full(values.shape[:-1], np.nan)
    return values.mean(axis=-1), values.std(axis=-1, ddof=1) / study.seeds**0.5


def _averaged(study: Study, *kept: int | None) -> str:
    """What the caption says of the axes that are not drawn."""
    others = [name for i, name in enumerate(study.names) if i not in kept]
    return f" Averaged over {words.listed(others)}." if others else ""


def lines(study: Study, x: int, by: int | None, name: str) -> Picture:
    """The mean over seeds with its standard error over `x`, one line a level of `by`."""
    axis, response = study.axes[x], _response(study)
    numeric = _numeric(axis)
    at = (
        np.array([next(iter(level.values())) for level in axis.levels], float)
        if numeric
        else np.arange(len(axis.levels))
    )
    order = np.argsort(at)
    means, errors = _reduced(study, x) if by is None else _reduced(study, x, by)
    means, errors = (array.reshape(len(at), -1)[order] for array in (means, errors))
    labels = [""] if by is None else [f"{study.names[by]} {label}" for label in study.axes[by].labels]

    def draw(figure: "Figure") -> None:
        axes = figure.add_subplot()
        for i, label in enumerate(labels):
            style = {"color": canvas.colour(i), "marker": canvas.marker(i), "linestyle": canvas.dash(i)}
            bars = None if np.all(np.isnan(errors[:, i])) else errors[:, i]
            axes.errorbar(at[order], means[:, i], yerr=bars, capsize=3, label=canvas.plain(label) or None, **style)
        if study.limit is not None:
            axes.axhline(study.limit, color=canvas.LIMIT, linewidth=1.2, label="wide limit")
        axes.set_xlabel(canvas.plain(_label(study, x)))
        axes.set_ylabel(response)
        if numeric and _spans(at, 7.9):
            axes.set_xscale("log")
            axes.minorticks_off()
        axes.set_xticks(at, [canvas.plain(label) for label in axis.labels])
        if _spans(means, 10.0):
            axes.set_yscale("log")
        if by is not None or study.limit is not None:
            canvas.add_legend(axes)

    said = "Means over seeds; bars are their standard errors." if study.seeds > 1 else "One seed a setting."
    gap = (
        " Where a line has a gap a network did not reach the end, or a run is missing." if np.isnan(means).any() else ""
    )
    over = f"{response} over {study.names[x]}" + (f", a line for each {study.names[by]}" if by is not None else "")
    caption = f"{over[0].upper()}{over[1:]}. {said}{_averaged(study, x, by)}{gap}"
    return Picture(name, canvas.to_png(draw), caption, over)


def phase_diagram(study: Study, x: int, y: int, name: str) -> Picture:
    """The mean over seeds in a cell for each pair of levels."""
    means, errors = _reduced(study, x, y)
    across, up = study.axes[x].labels, study.axes[y].labels
    response = _response(study)
    shown = np.ma.masked_invalid(means.T)

    def draw(figure: "Figure") -> None:
        import matplotlib
        from matplotlib.colors import LogNorm

        axes = figure.add_subplot()
        axes.grid(visible=False)
        axes.set_facecolor("#DDDDDD")
        norm = LogNorm() if _spans(means, 10.0) else None
        mesh = axes.pcolormesh(shown, cmap=matplotlib.colormaps["viridis"], norm=norm, edgecolor="white", linewidth=1.5)
        shade = np.asarray(mesh.norm(means))
        if max(len(across), len(up)) <= _MOST_NUMBERS:
            for (i, j), value in np.ndenumerate(means):
                missing = not np.isfinite(value)
                style = {"color": "white" if not missing and shade[i, j] < 0.6 else "black", "fontsize": 10}
                text = words.DASH if missing else words.number(value)
                axes.text(i + 0.5, j + 0.5, text, ha="center", va="center", **style)
        axes.set_xticks(np.arange(len(across)) + 0.5, [canvas.plain(label) for label in across])
        axes.set_yticks(np.arange(len(up)) + 0.5, [canvas.plain(label) for label in up])
        axes.set_xlabel(canvas.plain(_label(study, x)))
        axes.set_ylabel(canvas.plain(_label(study, y)))
        figure.colorbar(mesh, ax=axes, label=response)

    error = np.nanmax(errors) if study.seeds > 1 and np.isfinite(errors).any() else None
    said = (
        "One seed a setting."
        if error is None
        else f"Means over seeds; their largest standard error is {words.number(error)}."
    )
    gap = " Grey: a network did not reach the end, or the run is missing." if np.isnan(means).any() else ""
    over = f"{response} over {study.names[x]} and {study.names[y]}"
    caption = f"Phase diagram: {over}. {said}{_averaged(study, x, y)}{gap}"
    return Picture(name, canvas.to_png(draw, height=4.8), caption, over)


def _response(study: Study) -> str:
    return "risk at the end" if study.response == "risk" else "held-out risk at the end"


def _spans(values: np.ndarray, ratio: float) -> bool:
    """Whether positive values differ by so much that only a logarithmic scale shows them."""
    known = values[np.isfinite(values)]
    return bool(known.size and known.min() > 0 and known.max() > ratio * known.min())
