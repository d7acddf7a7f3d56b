"""What a figure or a claim is computed with: the scale, and a place where finished pieces are kept."""

import dataclasses
import enum
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ._data import Data, as_data, read_arrays, write_arrays

_T = TypeVar("_T")


class Scale(enum.Enum):
    """How much is spent: `QUICK` is at most a minute a figure on two cores, `PAPER` the paper's own sizes."""

    QUICK = "quick"
    PAPER = "paper"


@dataclasses.dataclass(frozen=True)
class Cost:
    """Seconds on two cores, estimated, compilation included; at both scales the same if one is told."""

    quick: float
    paper: float | None = None

    def at(self, scale: Scale) -> float:
        return self.quick if scale is Scale.QUICK or self.paper is None else self.paper


@dataclasses.dataclass(frozen=True)
class Bench:
    """The scale, and the pieces computed so far.

    **Arguments**

    - `scale`: what `pick` goes by.
    - `pieces`: a folder; each finished piece is kept there and found again, also after a kill. None keeps them in
      memory for as long as the bench lives.
    - `tell`: called with a sentence when something begins that may take a while.
    - `changes`: parameters of a figure that are not the paper's; `value` gives them.
    """

    scale: Scale
    pieces: pathlib.Path | None = None
    tell: Callable[[str], None] = lambda text: None
    changes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    _known: dict[str, Data] = dataclasses.field(default_factory=dict, repr=False)

    def pick(self, *, quick: _T, paper: _T) -> _T:
        """One of two settings, by the scale."""
        return quick if self.scale is Scale.QUICK else paper

    def value(self, name: str, usual: _T) -> _T:
        """A parameter of the figure: as it was set, else the paper's."""
        return self.changes.get(name, usual)

    def given(self, **names: str) -> dict[str, Any]:
        """Settings of a piece from the parameters of these names, as far as they were set: `given(count="samples")`.

        What was not set is left out, so that the paper's own pieces are those that its claims ask for as well.
        """
        return {setting: self.changes[name] for setting, name in names.items() if name in self.changes}

    def piece(self, compute: Callable[..., Data], **settings: Any) -> Data:
        """`compute(**settings)`, once: found again by its `trajectory.fingerprint`, so not after the library changed.

        **Arguments**

        - `compute`: a function; it returns named arrays, nested if it likes (`Data`).
        - `settings`: numbers, text, arrays, functions or modules.

        **Raises** `ValueError` for settings that a fingerprint cannot see, and for other results; `OSError` where
        a piece cannot be written.
        """
        # Here and not above: it brings JAX, and naming the papers needs none.
        from widelimit.trajectory import fingerprint

        mark = f"{_name_of(compute)}-{fingerprint(compute, settings)[:16]}"
        if mark not in self._known:
            found = None if self.pieces is None else read_arrays(self.pieces / f"{mark}.npz")
            if found is None:
                said = ", ".join(f"{name} {value}" for name, value in settings.items())
                self.tell(f"  {_name_of(compute).replace('_', ' ')}: {said}" if said else f"  {_name_of(compute)}")
                found = as_data(compute(**settings), _name_of(compute))
                if self.pieces is not None:
                    write_arrays(self.pieces / f"{mark}.npz", found)
            self._known[mark] = found
        # The caller may change what it got.
        return as_data(self._known[mark], mark)


def _name_of(compute: Callable[..., Any]) -> str:
    return compute.__name__.strip("_")
