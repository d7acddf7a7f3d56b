"""Named columns as a file holds them, each cell with its place, and their change into numbers."""

import dataclasses
import decimal
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped

from widelimit.results import did_you_mean

TRUTHS = {"false": False, "true": True}


@dataclasses.dataclass(frozen=True, eq=False)
class Columns:
    """What a reader found: columns of n >= 1 cells, not yet checked.

    - `source`: as the user wrote it; every message starts with it.
    - `cells`: name -> [n], numbers or objects (text, None for a missing cell).
    - `where`: the place of row i (from 0) in words, "line 7".
    - `sha256`: of the file's bytes; None for data that comes with a package.
    - `class_names`: names of the labels 0, 1, ... of the target, where the source knows them.
    """

    source: str
    cells: dict[str, Shaped[np.ndarray, " n"]]
    where: Callable[[int], str]
    sha256: str | None = None
    class_names: tuple[str, ...] = ()

    def place(self, row: int, name: str) -> str:
        return f"{self.source}, {self.where(row)}, column {name!r}"

    def take(self, rows: Int[np.ndarray, " m"]) -> "Columns":
        """Some of the rows."""
        cells = {name: column[rows] for name, column in self.cells.items()}
        return dataclasses.replace(self, cells=cells, where=lambda row: self.where(int(rows[row])))


def as_number(cell: Any) -> float | None:
    """The number in a cell, or None; true and false are 1 and 0, as they are in files that know them.

    Not as free as `float`: 1_000 is text, a date or an array no number.
    """
    if isinstance(cell, str):
        if "_" in cell:
            return None
        if cell.strip().lower() in TRUTHS:
            return float(TRUTHS[cell.strip().lower()])
    elif not isinstance(cell, bool | int | float | np.bool_ | np.integer | np.floating | decimal.Decimal):
        return None
    try:
        return float(cell)
    except (ValueError, OverflowError):
        return None


def is_missing(cell: Any) -> bool:
    """Nothing in the cell: None, blank text, or the NaN that a missing entry of a parquet column becomes."""
    if isinstance(cell, str):
        return not cell.strip()
    return cell is None or (isinstance(cell, float | np.floating) and bool(np.isnan(cell)))


def check_names(source: str, place: str, names: Sequence[str]) -> None:
    """Raise `ValueError` unless every column has a name of its own, which a row of data is no set of."""
    hint = header_hint([name for name in names if name])
    # Numbered columns may be named by whole numbers.
    if hint and not all(name.isdecimal() for name in names if name):
        raise ValueError(f"{source}, {place}:{hint}")
    first: dict[str, int] = {}
    for position, name in enumerate(names, start=1):
        if not name:
            raise ValueError(f"{source}, {place}: column {position} of {len(names)} has no name.{hint}")
        if name in first:
            raise ValueError(f"{source}, {place}: columns {first[name]} and {position} are both named {name!r}.{hint}")
        first[name] = position


def pick(
    columns: Columns, features: Sequence[str] | None, target: Sequence[str], *, labelled: bool = True
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the feature and target columns; without `features`, all that are no target.

    `labelled`: whether a target is needed.

    Raises `ValueError` for a name that is not there (with the nearest that is), one named twice, none left.
    """
    names = list(columns.cells)
    if not target and labelled:
        raise ValueError(f"{columns.source}: target=... must say which column to learn; it has {some(names)}.")
    for name in [*target, *(features or ())]:
        if name not in names:
            raise ValueError(
                f"{columns.source}: there is no column {name!r}; it has {some(names)}."
                f"{did_you_mean(name, names)}{header_hint(names)}"
            )
    if features is None:
        features = [name for name in names if name not in target]
    if not features:
        raise ValueError(f"{columns.source}: no feature column beside the target {some(target)}.")
    both = [*features, *target]
    twice = [name for name in both if both.count(name) > 1]
    if twice:
        raise ValueError(f"{columns.source}: column {twice[0]!r} is asked for twice in features and target.")
    return tuple(features), tuple(target)


def header_hint(names: Sequence[str]) -> str:
    if names and all(as_number(name) is not None for name in names):
        return " The first line must name the columns; here it holds only numbers."
    return ""


def some(names: Sequence[str], most: int = 12) -> str:
    """The names, or the first of them and how many there are."""
    rest = "" if len(names) <= most else f", ... ({len(names)} in all)"
    return ", ".join(names[:most]) + rest
