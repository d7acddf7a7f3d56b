"""A figure with other parameters than the paper's: which it has, how they are checked, and what is said of them."""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from widelimit.results import one_of

from ._bench import Scale

Changes = dict[str, Any]
Value = float | tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A number of a figure that may be set, or a row of numbers that grow.

    - `usual`: the paper's; whole where only whole numbers are allowed; a tuple where it is a row of them.
    - `meaning`: in a few words. `least`, `most`: bounds of each number, both allowed unless `open`.
    - `quick`: what stands for `usual` at the quick scale, where that is another.
    - `counts`: how few and how many numbers a row may have; left out, as many as the paper has.
    - `infinite`: whether plus and minus infinity are allowed besides.
    """

    name: str
    usual: Value
    meaning: str
    least: float = -math.inf
    most: float = math.inf
    open: bool = False
    quick: Value | None = None
    counts: tuple[int, int] | None = None
    infinite: bool = False

    def at(self, scale: Scale) -> Value:
        """The paper's, at a scale."""
        return self.usual if self.quick is None or scale is Scale.PAPER else self.quick

    def checked(self, value: Any, figure: str) -> Value:
        """The value. Raises `ValueError` for one of the wrong kind, or outside of the bounds."""
        if not self._row:
            return self._number(value, figure)
        few, many = self._counts
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"{figure}: {self.name}: expected {self._kind}, as in {_shown(self._row)}, got {value!r}.")
        row = tuple(self._number(one, figure) for one in value)
        if not few <= len(row) <= many or any(a >= b for a, b in itertools.pairwise(row)):
            raise ValueError(f"{figure}: {self.name}: expected {self._kind}, got {_shown(row)}.")
        return row

    def _number(self, value: Any, figure: str) -> float:
        what, kinds = ("a whole number", (int,)) if self._whole else ("a number", (int, float))
        allowed = isinstance(value, kinds) and not isinstance(value, bool)
        if not allowed or math.isnan(value) or (math.isinf(value) and not self.infinite):
            raise ValueError(f"{figure}: {self.name}: expected {what}, got {value!r}.")
        inside = self.least < value < self.most if self.open else self.least <= value <= self.most
        if not inside and not math.isinf(value):
            raise ValueError(f"{figure}: {self.name}: must be {self.bounds}, got {value:g}.")
        return int(value) if self._whole else float(value)

    @property
    def _row(self) -> tuple[float, ...]:
        """The paper's row; empty where it is one number."""
        return self.usual if isinstance(self.usual, tuple) else ()

    @property
    def _whole(self) -> bool:
        return all(isinstance(one, int) for one in self._row or (self.usual,))

    @property
    def _counts(self) -> tuple[int, int]:
        return self.counts or (len(self._row), len(self._row))

    @property
    def _kind(self) -> str:
        few, many = self._counts
        return f"{few if few == many else f'{few} to {many}'} {'whole numbers' if self._whole else 'numbers'} that grow"

    @property
    def bounds(self) -> str:
        """`between 0 and 1, ends excluded`."""
        ends = ", ends excluded" if self.open else ""
        beyond = ", or infinite" if self.infinite else ""
        if math.isinf(self.most):
            return f"{'above' if self.open else 'at least'} {self.least:g}{beyond}"
        return f"between {self.least:g} and {self.most:g}{ends}{beyond}"

    @property
    def words(self) -> str:
        """`delta = 0.8 (the separation of the classes; between 0 and 1, ends excluded)`."""
        usual = _shown(self.usual)
        if self.quick is not None:
            usual = f"{_shown(self.quick)} (quick) or {usual} (paper)"
        each = f"; {self._kind}, each {self.bounds}" if self._row else f"; {self.bounds}"
        return f"{self.name} = {usual} ({self.meaning}{each})"


def _shown(value: Value) -> str:
    """0.8, [16, 64]."""
    return f"[{', '.join(f'{one:g}' for one in value)}]" if isinstance(value, tuple) else f"{value:g}"


def checked(
    parameters: Sequence[Parameter], given: Mapping[str, Any], figure: str, scale: Scale, fixed: str = ""
) -> Changes:
    """What was given, without what is the paper's own at this scale.

    Raises `ValueError` for a parameter that the figure does not have, with those that it has or why it has none.
    """
    known = {parameter.name: parameter for parameter in parameters}
    if given and not known:
        raise ValueError(f"{figure}: has no parameter that can be set{f': {fixed}' if fixed else ''}.")
    found = {}
    for name, value in given.items():
        one_of(name, tuple(known), f"{figure}: parameter")
        found[name] = known[name].checked(value, figure)
    return {name: value for name, value in found.items() if value != known[name].at(scale)}


def said(changes: Changes) -> str:
    """`delta=0.5,widths=16+64`: also the end of a file's name."""
    values = {name: value if isinstance(value, tuple) else (value,) for name, value in changes.items()}
    return ",".join(f"{name}={'+'.join(f'{one:g}' for one in row)}" for name, row in values.items())


def told(changes: Changes) -> str:
    """The same to read: `delta = 0.5, widths = [16, 64]`."""
    return ", ".join(f"{name} = {_shown(value)}" for name, value in changes.items())


def changed_caption(parameters: Sequence[Parameter], changes: Changes, scale: Scale) -> str:
    """What was changed. What the paper's caption reads from its picture need not be true of another one."""
    usual = {parameter.name: _shown(parameter.at(scale)) for parameter in parameters}
    parts = [f"{name} = {_shown(value)} (the paper's figure: {usual[name]})" for name, value in changes.items()]
    return (
        f"Changed: {', '.join(parts)}. All else is as in the paper's figure. What the paper "
        "reads from it need not hold here, and its claims were not checked for these values."
    )
