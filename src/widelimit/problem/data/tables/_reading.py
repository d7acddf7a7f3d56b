"""From a source to rows of typed columns and targets: what is missing is left out or kept as a gap, and counted."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float64

from ._cells import absent
from ._classes import class_targets
from ._columns import Columns, some
from ._files import open_columns
from ._recipe import Rows
from ._typed import Faults, Rules, check_categories, numbers, typed

_FEATURE = " Turn it into a number, or leave the column out with features=..."
_TARGET = " Turn it into a number, or name the classes with classes=(..., ...)."


@dataclasses.dataclass(frozen=True, eq=False)
class Asked:
    """What a table was asked for, see `read_table`. `kinds`: what the features are, where another table says it; then a
    target may be the same in all rows. `labelled`: whether there are targets."""

    source: str | os.PathLike[str]
    target: str | Sequence[str] | None
    classes: tuple[Any, ...] | None
    features: str | Sequence[str] | None
    rules: Rules
    unseen: str
    separator: str | None
    sheet: str | None
    kinds: Mapping[str, str] = dataclasses.field(default_factory=dict)
    labelled: bool = True


class Read(NamedTuple):
    """The rows of a source, the names of their targets, the classes as text, and the hash of the file."""

    rows: Rows
    targets: tuple[str, ...]
    classes: tuple[str, ...]
    sha256: str | None


def read_rows(asked: Asked) -> Read:
    """Raises `ValueError` as `read_table` does, once for all cells that cannot be used."""
    rules = asked.rules
    where = {"separator": asked.separator, "sheet": asked.sheet, "labelled": asked.labelled}
    columns, names, targets = open_columns(asked.source, asked.features, asked.target, **where)
    check_categories(names, rules, columns.source)
    if asked.kinds and set(names) != set(asked.kinds):
        raise ValueError(f"{columns.source}: has the features {some(names)}; expected {some(list(asked.kinds))}.")
    if asked.labelled and asked.classes is not None and len(targets) != 1:
        raise ValueError(f"{columns.source}: classes are those of one target column, got {some(targets)}.")
    classes = asked.classes if asked.labelled else None
    if classes is None:
        _check_text(columns, targets, rules)
    count = len(columns.cells[names[0]])
    gaps: dict[str, np.ndarray] = {}
    if rules.missing != "refuse":
        gaps = {name: np.array([absent(cell) for cell in columns.cells[name]], bool) for name in targets}
        columns = _taken(columns, ~_any(count, list(gaps.values())))
    faults = Faults(columns)
    features = tuple(typed(columns, name, rules, faults, _FEATURE, asked.kinds.get(name)) for name in names)
    values = [numbers(columns, name, rules, faults, _TARGET).values for name in targets] if classes is None else []
    faults.raise_any()
    lost = {name: int(gone.sum()) for name, gone in gaps.items()}
    if rules.missing == "drop":
        lost |= {column.name: int(column.missing.sum()) for column in features}
        whole = ~_any(len(features[0].values), [column.missing for column in features])
        columns, features = _taken(columns, whole), tuple(column.take(np.flatnonzero(whole)) for column in features)
        values = [one[whole] for one in values]
    left = len(features[0].values)
    labels: tuple[str, ...] = ()
    if classes is None:
        if not asked.kinds:
            _check_targets(columns.source, targets, values)
        y = values[0] if len(values) == 1 else np.column_stack(values) if values else np.zeros((left, 0))
    else:
        chosen, y, labels = class_targets(columns, targets[0], classes)
        columns, features = _taken(columns, chosen), tuple(column.take(np.flatnonzero(chosen)) for column in features)
    lost = {name: number for name, number in lost.items() if number}
    return Read(Rows(columns.source, features, y, columns.where, count - left, lost), targets, labels, columns.sha256)


def _any(count: int, masks: Sequence[Bool[np.ndarray, " n"]]) -> Bool[np.ndarray, " n"]:
    return np.logical_or.reduce([np.zeros(count, bool), *masks])


def _taken(columns: Columns, kept: Bool[np.ndarray, " n"]) -> Columns:
    if not kept.any():
        raise ValueError(f"{columns.source}: every row has a missing cell; none is left.")
    return columns if kept.all() else columns.take(np.flatnonzero(kept))


def _check_text(columns: Columns, targets: Sequence[str], rules: Rules) -> None:
    """Raise `ValueError` for a target that is text throughout: it has classes."""
    for name in targets:
        cells = columns.cells[name]
        if cells.dtype.kind in "biuf":
            continue
        present = (cell for cell in cells if not absent(cell))
        if any(not isinstance(cell, str) or rules.numbers(cell) is not None for cell in present):
            continue
        present = [cell for cell in cells if not absent(cell)]
        if not present:
            continue
        texts, row = sorted({cell.strip() for cell in present}), int(np.flatnonzero(cells == present[0])[0])
        raise ValueError(
            f"{columns.place(row, name)}: {present[0].strip()!r} is not a number. Turn it into a number, or name the "
            f"classes with classes=(..., ...); the column has {some(texts, 6)}."
        )


def _check_targets(source: str, names: Sequence[str], values: Sequence[Float64[np.ndarray, " n"]]) -> None:
    for name, column in zip(names, values, strict=True):
        if np.all(column == column[0]):
            raise ValueError(
                f"{source}: the target column {name!r} is {column[0]:g} in all {len(column)} rows; "
                "there is nothing to learn."
            )
