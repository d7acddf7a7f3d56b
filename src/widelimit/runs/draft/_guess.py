"""What the columns of a table are for: which can be inputs, and whether the target is a number or a class."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from widelimit.problem.data import Columns, as_number, column_numbers, columns_of, labels_of, why_no_input

from ..errors import BadInput, sentence

# Whole numbers of more different values than this are counts or measurements; texts of more are names.
_MOST_NUMBERED, _MOST_NAMED = 10, 30
# Classes have members: of these many rows each, on average.
_MEMBERS = 5


@dataclasses.dataclass(frozen=True)
class Guess:
    """A table as a learning problem.

    - `source`: as the user wrote it; `rows`: those with the target.
    - `target`: its columns; `classes`: in order, empty where the target is a number; `numbered`: whether they could be
      numbers as well; `span`: the smallest and the largest target.
    - `features`: the columns that can be inputs; `left_out`: the others, each with the reason.
    """

    source: str
    rows: int
    target: tuple[str, ...]
    classes: tuple[str, ...]
    numbered: bool
    span: tuple[float, float]
    features: tuple[str, ...]
    left_out: dict[str, str]


def guess(source: str, target: Sequence[str], ask: Callable[[Sequence[str]], str] | None) -> Guess:
    """Look at every cell of a table.

    `target`: the columns to learn; where there is none and the source knows none, `ask` is called with the columns.
    Raises `BadInput` for a table that cannot be read, has no such column, or no inputs, and where there is no `ask`.
    """
    try:
        columns, chosen = columns_of(source, tuple(target) or None)
    except ValueError as error:
        raise BadInput(sentence(error)) from None
    reasons = {name: why_no_input(columns, name) for name in columns.cells}
    if all(reasons.values()):
        told = "; ".join(f"{name!r}: {why}" for name, why in list(reasons.items())[:6])
        raise BadInput(f"{source}: no column can be an input ({told}).")
    if not chosen:
        if ask is None:
            names = ", ".join(columns.cells)
            raise BadInput(f"{source}: --target must say which column to learn; it has {names}.")
        return guess(source, (ask(tuple(columns.cells)),), None)
    left_out = {name: why for name, why in reasons.items() if why and name not in chosen}
    features = tuple(name for name, why in reasons.items() if not why and name not in chosen)
    if not features:
        raise BadInput(f"{source}: no column beside the target can be an input.")
    labels, numbered = _classes(columns, chosen[0]) if len(chosen) == 1 else ((), False)
    span = (0.0, 0.0) if labels else _span(columns, chosen)
    return Guess(source, len(columns.cells[chosen[0]]), chosen, labels, numbered, span, features, left_out)


def _classes(columns: Columns, name: str) -> tuple[tuple[str, ...], bool]:
    """The classes of a target column in order, and whether they are numbers too; none where it is a number.

    Text, true and false are classes; so are few whole numbers that come often.
    """
    try:
        labels = labels_of(columns, name)
    except ValueError as error:
        raise BadInput(sentence(error)) from None
    different = sorted(set(labels), key=lambda label: (as_number(label) is None, as_number(label) or 0.0, label))
    numbers = [as_number(label) for label in different]
    if any(number is None for number in numbers):
        if not 2 <= len(different) <= _MOST_NAMED:
            few = f"{different[0]!r} in all rows" if len(different) == 1 else f"text, {len(different)} different ones"
            raise BadInput(f"{columns.source}: the target {name!r} is {few}: neither a number nor a few classes.")
        return tuple(different), False
    truths = set(different) == {"True", "False"}
    whole = all(number is not None and number == int(number) for number in numbers if np.isfinite(number or 0.0))
    often = len(labels) >= _MEMBERS * len(different)
    if truths or (whole and often and 2 <= len(different) <= _MOST_NUMBERED):
        return tuple(different), not truths
    return (), False


def _span(columns: Columns, names: Sequence[str]) -> tuple[float, float]:
    try:
        values = [column_numbers(columns, name) for name in names]
    except ValueError as error:
        raise BadInput(sentence(error)) from None
    for name, column in zip(names, values, strict=True):
        if np.all(column == column[0]):
            raise BadInput(f"{columns.source}: the target {name!r} is {column[0]:g} in all rows: nothing to learn.")
    return float(min(map(np.min, values))), float(max(map(np.max, values)))
