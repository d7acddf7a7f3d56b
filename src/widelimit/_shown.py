"""Objects that show themselves: as a picture, and in a notebook as a small table beside it.

What an object looks like is known to a room far below those that make the objects. They ask for it here; the package,
which knows all its rooms, has said in `drawn_in` which one answers.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_answers: dict[str, str] = {}


def drawn_in(room: str) -> None:
    """Say which module has the functions `plot` and `card`."""
    _answers["room"] = room


def ask(question: str, *args: Any, **options: Any) -> Any:
    """Call a function of that module, which is imported now."""
    return getattr(importlib.import_module(_answers["room"]), question)(*args, **options)


class Shown:
    """What an object has that shows itself."""

    def plot(self, axes: "Axes | None" = None) -> "Axes":
        """The object's picture, on `axes` or on those of a new pyplot figure: see `widelimit.report.plot`.

        **Returns** the matplotlib axes, to go on with. **Raises** `ValueError` where there is nothing to draw.
        """
        return ask("plot", self, axes)

    def _repr_html_(self) -> str:
        # What a notebook shows.
        return ask("card", self)
