"""A figure of a paper: computed apart from drawn."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ._bench import Bench, Cost, Scale
from ._changes import Changes, Parameter, changed_caption, checked, said, told
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
    - `parameters`: what may be set in place of the paper's; `compute` takes it from `bench.value`, and `on` from the
      arrays alone, so that a picture never says a number that it was not made with.
    - `fixed`: why nothing may be set, where that is so.
    """

    name: str
    title: str
    compute: Callable[[Bench], Data]
    on: Drawing
    size: tuple[float, float]
    caption: Words
    alt: Words
    cost: Cost
    parameters: tuple[Parameter, ...] = ()
    fixed: str = ""

    def draw(self, data: Data, kind: str = "png") -> bytes:
        """A picture from what `compute` gave: PNG, or "svg" or "pdf"."""
        from widelimit.report.canvas import to_image

        return to_image(lambda sheet: self.on(sheet, data), *self.size, kind=kind)

    def checked(self, settings: Mapping[str, Any], who: str, scale: Scale) -> Changes:
        """Parameters that were set, without what is the paper's own at this scale.

        Raises `ValueError` for others than there are.
        """
        return checked(self.parameters, settings, who, scale, self.fixed)

    def changed(self, changes: Changes, scale: Scale) -> "Figure":
        """The figure under a name of its own, with a caption that says what was changed and nothing else."""
        caption, short = changed_caption(self.parameters, changes, scale), told(changes)
        return dataclasses.replace(
            self,
            name=f"{self.name},{said(changes)}",
            title=f"{self.title}, with {short}",
            caption=lambda data: caption,
            alt=lambda data: f"The figure {self.name} ({self.title}), drawn with {short}.",
        )


def figure(
    compute: Callable[[Bench], Data],
    *,
    caption: Words,
    alt: Words,
    size: tuple[float, float],
    cost: Cost,
    parameters: Sequence[Parameter] = (),
    fixed: str = "",
) -> Callable[[Drawing], Figure]:
    """A figure from the function that draws it: its name is the figure's, its docstring the title."""

    def made(on: Drawing) -> Figure:
        title = " ".join((on.__doc__ or "").split()).removesuffix(".")
        return Figure(on.__name__, title, compute, on, size, caption, alt, cost, tuple(parameters), fixed)

    return made
