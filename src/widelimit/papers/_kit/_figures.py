"""A figure of a paper: computed apart from drawn."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ._bench import Bench, Cost
from ._data import Data

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Sheet


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
    on: Callable[["Sheet", Data], Any]
    size: tuple[float, float]
    caption: Callable[[Data], str]
    alt: Callable[[Data], str]
    cost: Cost

    def draw(self, data: Data) -> bytes:
        """PNG from what `compute` gave."""
        from widelimit.report.canvas import to_png

        return to_png(lambda sheet: self.on(sheet, data), *self.size)
