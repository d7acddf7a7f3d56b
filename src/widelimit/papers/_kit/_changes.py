"""A figure with other parameters than the paper's: which it has, how they are checked, and what is said of them."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from widelimit.results import one_of

Changes = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A number of a figure that may be set.

    - `usual`: the paper's; a whole number where only such are allowed.
    - `meaning`: in a few words. `least`, `most`: bounds, both allowed unless `open`.
    """

    name: str
    usual: float
    meaning: str
    least: float = -math.inf
    most: float = math.inf
    open: bool = False

    def checked(self, value: Any, figure: str) -> float:
        """The value. Raises `ValueError` for one of the wrong kind, or outside of the bounds."""
        what = "a whole number" if isinstance(self.usual, int) else "a number"
        kinds = (int,) if isinstance(self.usual, int) else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not math.isfinite(value):
            raise ValueError(f"{figure}: {self.name}: expected {what}, got {value!r}.")
        inside = self.least < value < self.most if self.open else self.least <= value <= self.most
        if not inside:
            raise ValueError(f"{figure}: {self.name}: must be {self.bounds}, got {value:g}.")
        return type(self.usual)(value)

    @property
    def bounds(self) -> str:
        """`between 0 and 1, ends excluded`."""
        ends = ", ends excluded" if self.open else ""
        if math.isinf(self.most):
            return f"{'above' if self.open else 'at least'} {self.least:g}"
        return f"between {self.least:g} and {self.most:g}{ends}"

    @property
    def words(self) -> str:
        """`delta = 0.8 (the separation of the classes; between 0 and 1, ends excluded)`."""
        return f"{self.name} = {self.usual:g} ({self.meaning}; {self.bounds})"


def checked(parameters: Sequence[Parameter], given: Mapping[str, Any], figure: str) -> Changes:
    """What was given, without what is the paper's own.

    Raises `ValueError` for a parameter that the figure does not have, with those that it has.
    """
    known = {parameter.name: parameter for parameter in parameters}
    if given and not known:
        raise ValueError(f"{figure}: has no parameter that can be set.")
    found = {}
    for name, value in given.items():
        one_of(name, tuple(known), f"{figure}: parameter")
        found[name] = known[name].checked(value, figure)
    return {name: value for name, value in found.items() if value != known[name].usual}


def said(changes: Changes) -> str:
    """`delta=0.5,dim=20`: also the end of a file's name."""
    return ",".join(f"{name}={value:g}" for name, value in changes.items())


def changed_caption(parameters: Sequence[Parameter], changes: Changes) -> str:
    """What was changed. What the paper's caption reads from its picture need not be true of another one."""
    usual = {parameter.name: parameter for parameter in parameters}
    parts = [f"{name} = {value:g} (the paper's figure: {usual[name].usual:g})" for name, value in changes.items()]
    return (
        f"Changed: {', '.join(parts)}. All else is as in the paper's figure. What the paper "
        "reads from it need not hold here, and its claims were not checked for these values."
    )
