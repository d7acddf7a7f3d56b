"""A figure of a paper: computed apart from drawn."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

from ._bench import Bench, Cost
from ._data import Data

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Sheet

Words = Callable[[Data], str]
Drawing = Callable[["Sheet", Data], None]


@dataclasses.dataclass(frozen=True)
class Figure:
    """One figure.

    - `name`: "fig1"; `title`: what it shows, in a line.
    - `compute`: from a bench to named arrays; every expensive part of it is a `bench.piece`.
    - `on`: puts these arrays alone on an empty sheet of `size`, in inches.
    - `caption`, `alt`: what to read from it, and what is to be seen, from the arrays as well.
    """

    name: str
    title: str
    compute: Callable[[Bench], Data]
    on: Drawing
    size: tuple[float, float]
    caption: Words
    alt: Words
    cost: Cost

    def draw(self, data: Data) -> bytes:
        """PNG from what `compute` gave."""
        from widelimit.report.canvas import to_png

        return to_png(lambda sheet: self.on(sheet, data), *self.size)


def figure(
    compute: Callable[[Bench], Data], *, caption: Words, alt: Words, size: tuple[float, float], cost: Cost
) -> Callable[[Drawing], Figure]:
    """A figure from the function that draws it: its name is the figure's, its docstring the title."""

    def made(on: Drawing) -> Figure:
        title = " ".join((on.__doc__ or "").split()).removesuffix(".")
        return Figure(on.__name__, title, compute, on, size, caption, alt, cost)

    return made
