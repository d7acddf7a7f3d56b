"""What the limit and the networks compute, beside the data: a picture for problems of one input and one output."""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from .canvas import LIMIT, add_legend, colour, dash, plain, to_png
from .pages import Picture, Section
from .words import listed, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True)
class Fit:
    """Functions f(x) at the end of a run, by their names, the limit's first, at inputs `x`; and the data."""

    names: tuple[str, str]
    x: Float[np.ndarray, " P"]
    functions: dict[str, Float[np.ndarray, " P"]]
    inputs: Float[np.ndarray, " n"]
    targets: Float[np.ndarray, " n"]


def function_section(fit: Fit) -> Section:
    label, limit = next(iter(fit.functions.items()))
    misses = np.interp(fit.inputs, fit.x, limit) - fit.targets
    worst = int(np.argmax(np.abs(misses)))
    miss = float(np.sqrt(np.mean(misses**2)))
    place = f"{fit.names[0]} = {number(float(fit.inputs[worst]))}"
    caption = (
        f"The {label} misses the data by {number(miss)} (root mean square), most at {place}, by "
        f"{number(float(misses[worst]))}. Inputs and targets are those of training, scaled."
    )
    spans = [f"{name} between {number(np.min(f))} and {number(np.max(f))}" for name, f in fit.functions.items()]
    alt = f"{len(fit.inputs)} data points as dots, and lines over {fit.names[0]}: {listed(spans)}."
    png = to_png(lambda figure: draw_function(figure, fit))
    return Section("function", "The function", pictures=(Picture("function", png, caption, alt),))


def draw_function(figure: "Figure", fit: Fit) -> None:
    """The limit's function in black, the networks' in colours, the data as dots."""
    axes = figure.add_subplot()
    axes.set(xlabel=plain(fit.names[0]), ylabel=plain(fit.names[1]))
    axes.plot(fit.inputs, fit.targets, "o", color="#999999", ms=4, alpha=0.7, label="data", zorder=1)
    (name, limit), *others = fit.functions.items()
    for index, (other, values) in enumerate(others):
        axes.plot(fit.x, values, color=colour(index), ls=dash(index), lw=1.9, label=plain(other), zorder=2)
    axes.plot(fit.x, limit, color=LIMIT, lw=2.2, label=plain(name), zorder=3)
    add_legend(axes)
