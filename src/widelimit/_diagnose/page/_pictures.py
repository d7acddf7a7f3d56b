"""The pictures of a diagnosis: where the objective could go, the neurons, predictions beside targets."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from widelimit.report.canvas import LIMIT, add_legend, colour, dash, marker, to_png
from widelimit.report.pages import Picture

from ._sentences import ends

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .._diagnosis import Diagnosis

# More dots would hide each other.
_DOTS = 1500
# What is smaller is drawn here, as a share of the largest.
_LEAST = 1e-8


def objectives(d: "Diagnosis") -> Picture:
    """The objective of the model, of it trained on, of other starts and of wider networks."""
    how = d.training
    names = (
        "this network",
        f"trained on, {how.steps} steps",
        f"{how.again.width} neurons, new starts",
        f"{how.large.width} neurons, new starts",
    )
    values = (np.array([how.objective]), np.array([how.longer]), how.again.objectives, how.large.objectives)

    bounded = d.gap.informs and 0 < d.gap.lower < how.objective

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        for row, found in enumerate(values):
            axes.plot(
                found, np.full(len(found), row), ls="", marker=marker(0), ms=8, color=colour(0), mfc="none", mew=1.6
            )
            axes.plot(found.mean(), row, ls="", marker="|", ms=22, mew=2.5, color=colour(0))
        for other, losses in enumerate(() if d.held_out is None else _held_out(d)):
            label = "risk on rows held out" if other == 0 else None
            axes.plot(losses, other, ls="", marker=marker(1), ms=7, color=colour(1), mfc="none", mew=1.6, label=label)
        axes.plot(
            [], [], ls="", marker=marker(0), ms=8, color=colour(0), mfc="none", mew=1.6, label="objective on its rows"
        )
        axes.axvline(how.constant, color=LIMIT, ls=dash(3), lw=1.4, label="best constant")
        if bounded:
            axes.axvline(
                d.gap.lower,
                color=colour(2),
                ls=dash(0),
                lw=1.8,
                label="any width, weights as large" + ("" if d.gap.certified else " (estimate)"),
            )
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        shown = np.concatenate([*values, [how.constant]])
        if shown.min() > 0 and shown.max() > 20 * shown.min():
            axes.set_xscale("log")
        else:
            axes.set_xlim(left=0)
        axes.set_xlabel("objective (risk and penalty)" if d.problem.penalty is not None else "risk")
        add_legend(axes)

    caption = (
        f"A circle is one network, a bar the mean: this one {how.objective:.3g}, trained on {how.longer:.3g}, new "
        f"starts {ends(how.again)}, {how.large.width} neurons {ends(how.large)}."
    )
    if bounded:
        caption += " The bound is for weights that are together as large as this network's; left of it they are larger."
    alt = "The objective of this network, of it trained on, of new starts and of wider networks on one axis."
    return Picture("objectives", to_png(draw, height=4.2), caption, alt)


def _held_out(d: "Diagnosis") -> tuple[float, ...]:
    """The risk on rows held out of each row of the picture."""
    reached = {help.way: help.reached for help in d.helps_held_out}
    assert d.held_out is not None
    return d.held_out, reached["longer"], reached["another start"], reached["wider"]


def neurons(d: "Diagnosis") -> Picture:
    """How much each neuron's feature varies over the rows, and how large its output weights are."""
    spread, size = (_floored(part) for part in (d.neurons.spread, d.neurons.size))
    grouped = [i for group in d.duplicates for i in group]
    alive = [i for i in range(len(spread)) if i not in d.dead and i not in grouped]

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        axes.set_xscale("log")
        axes.set_yscale("log")
        look = {"ls": "", "mew": 1.4, "mfc": "none"}
        axes.plot(
            spread[alive],
            size[alive],
            marker="o",
            ms=6,
            color=colour(0),
            label=f"{len(alive)} with a part of their own",
            **look,
        )
        for k, group in enumerate(d.duplicates):
            label = f"{len(grouped)} in {len(d.duplicates)} groups that do the same" if k == 0 else None
            axes.plot(spread[list(group)], size[list(group)], "-", color=colour(1), lw=1, zorder=1)
            axes.plot(spread[list(group)], size[list(group)], marker="s", ms=7, color=colour(1), label=label, **look)
        if d.dead:
            axes.plot(
                spread[list(d.dead)],
                size[list(d.dead)],
                marker="X",
                ms=8,
                color=colour(3),
                label=f"{len(d.dead)} dead",
                **look,
            )
        axes.set_xlabel("standard deviation of the neuron over the rows")
        axes.set_ylabel("norm of its output weights")
        add_legend(axes)

    caption = (
        f"{len(alive)} of {len(spread)} neurons have a part of their own in the prediction: the product of both axes "
        f"is by how much a neuron moves it. {len(d.dead)} are dead, {len(grouped)} do what others do."
    )
    alt = "Each neuron by how much it varies over the rows and the size of its output weights."
    return Picture("neurons", to_png(draw), caption, alt)


def _floored(values: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
    return np.maximum(values, _LEAST * max(float(np.max(values)), np.finfo(float).tiny))


def predictions(d: "Diagnosis") -> Picture:
    """Predictions beside targets; of classes how far the output of the right class is above the others."""
    sets = [("its rows", *d.rows)] + ([] if d.rows_held_out is None else [("rows held out", *d.rows_held_out)])
    found = [(name, np.asarray(d.problem.predict(d.measure, x)), np.asarray(y)) for name, x, y in sets]
    classes = d.classes is not None

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        (_margins if classes else _beside)(axes, found)
        add_legend(axes)

    if classes:
        wrong = [f"{np.mean(margin(f, y) <= 0):.2%} of {name}" for name, f, y in found]
        caption = f"Left of zero another class is chosen: {' and '.join(wrong)}."
        alt = "Histogram of the margin of the right class."
    else:
        off = [f"{np.sqrt(np.mean((f - y) ** 2)):.3g} on {name}" for name, f, y in found]
        caption = f"On the line a prediction is right; the root mean square difference is {' and '.join(off)}."
        alt = "Predictions against targets, with the line where they are equal."
    return Picture("predictions", to_png(draw), caption, alt)


def _beside(axes: "Axes", found: list[tuple[str, np.ndarray, np.ndarray]]) -> None:
    for k, (name, f, y) in enumerate(found):
        step = max(1, y.size // _DOTS)
        look = {"ls": "", "marker": marker(k), "ms": 4, "alpha": 0.6, "color": colour(k), "mew": 0}
        axes.plot(y.ravel()[::step], f.ravel()[::step], label=name, **look)
    low, high = (
        float(end(np.concatenate([part.ravel() for _, f, y in found for part in (f, y)]))) for end in (np.min, np.max)
    )
    axes.plot([low, high], [low, high], color=LIMIT, lw=1.2, label="equal")
    axes.set_xlabel("target")
    axes.set_ylabel("prediction")


def _margins(axes: "Axes", found: list[tuple[str, np.ndarray, np.ndarray]]) -> None:
    margins = [margin(f, y) for _, f, y in found]
    edges = np.histogram_bin_edges(np.concatenate(margins), 40).tolist()
    for k, ((name, _, _), values) in enumerate(zip(found, margins, strict=True)):
        share = np.full(len(values), 100.0 / len(values))
        axes.hist(values, edges, weights=share, histtype="step", lw=2, ls=("-", "--")[k], color=colour(k), label=name)
    axes.axvline(0.0, color=LIMIT, lw=1.2)
    axes.set_xlabel("output of the right class minus the largest other")
    axes.set_ylabel("rows a bin, %")


def margin(f: np.ndarray, y: np.ndarray) -> Float[np.ndarray, " n"]:
    """f y of one output with labels +-1; else the output of the right class minus the largest other."""
    if f.ndim == 1:
        return f * y
    right = y.argmax(axis=1)
    rows = np.arange(len(f))
    others = f.copy()
    others[rows, right] = -np.inf
    return f[rows, right] - others.max(axis=1)
