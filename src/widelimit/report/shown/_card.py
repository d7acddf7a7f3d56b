"""What an object shows of itself: a few facts, a sentence, a picture."""

import base64
import dataclasses
import functools
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

from ..canvas import to_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True)
class Card:
    """`rows`: facts, (name, value); `sentence`: what they mean; `draw`: the object on axes, None if there is none.

    `beside`: a second picture, for a notebook.
    """

    title: str
    rows: tuple[tuple[str, str], ...]
    sentence: str = ""
    draw: Callable[["Axes"], None] | None = None
    beside: Callable[["Axes"], None] | None = None


@functools.singledispatch
def describe(shown: Any) -> Card:
    """The card of an object; a class of one's own gets one by `describe.register`.

    Raises `ValueError` for objects that have none.
    """
    known = ", ".join(sorted(kind.__name__ for kind in describe.registry if kind is not object))
    raise ValueError(f"report.describe(...): there is no picture of a {type(shown).__name__}; there are of: {known}.")


def plot(shown: Any, axes: "Axes | None" = None) -> "Axes":
    """Draw an object: the risk of a trajectory, the atoms of a minimum, the eigenvalues of a spectrum, ...

        axes = wl.report.plot(trajectory)      # the same as trajectory.plot()
        axes.set_title("mine")

    - `axes`: matplotlib axes; those of a new pyplot figure if left out.

    **Returns** the axes, with labels and units, to go on with. **Raises** `ValueError` for an object without a picture.
    """
    draw = describe(shown).draw
    if draw is None:
        raise ValueError(f"plot(...): this {type(shown).__name__} has nothing to draw.")
    axes = new_axes() if axes is None else axes
    draw(axes)
    return axes


def new_axes() -> "Axes":
    """Those of a new figure that a notebook shows by itself."""
    from matplotlib import pyplot

    return pyplot.subplots(layout="constrained")[1]


def card(shown: Any) -> str:
    """HTML for a notebook, light or dark: the facts of an object, beside its pictures."""
    it = describe(shown)
    rows = "".join(
        f'<tr><th style="text-align:left;font-weight:normal;opacity:.75;padding-right:1em">{escape(name)}</th>'
        f'<td style="text-align:left">{escape(value)}</td></tr>'
        for name, value in it.rows
    )
    draws = [draw for draw in (it.draw, it.beside) if draw is not None]
    pictures = _picture(draws, it.title) if draws else ""
    sentence = f'<div style="max-width:60em">{escape(it.sentence)}</div>' if it.sentence else ""
    return (
        f'<div><b>{escape(it.title)}</b>{sentence}<div style="display:flex;flex-wrap:wrap;align-items:center;gap:1em">'
        f"<table>{rows}</table>{pictures}</div></div>"
    )


def _picture(draws: list[Callable[["Axes"], None]], title: str) -> str:
    def draw(figure: "Figure") -> None:
        panels = figure.subplots(1, len(draws), squeeze=False)[0]
        for axes, one in zip(panels, draws, strict=True):
            one(axes)

    png = to_png(draw, width=4.2 * len(draws), height=3.2)
    source = base64.b64encode(png).decode("ascii")
    # Shown at three fifths of its pixels: sharp on dense screens.
    width = 26 * len(draws)
    return (
        f'<img alt="{escape(title)}" src="data:image/png;base64,{source}" style="width:{width}em;max-width:100%;'
        'background:white">'
    )
