"""Columns as what they are: numbers, dates, categories; all cells that are none of it in one message."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int, Shaped

from widelimit.results import one_of

from ._cells import Numbers, absent, as_date, hint
from ._classes import label
from ._columns import Columns, as_number, is_missing, some

MISSING = ("refuse", "drop", "mean", "median")
# So many different texts in a column are surely names, unless the column is said to be one of categories.
_MOST_TEXTS = 100
_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class Rules:
    """How cells are read. `missing`: what becomes of missing ones; `categories`: columns that are categories."""

    missing: str = "refuse"
    categories: tuple[str, ...] = ()
    numbers: Numbers = dataclasses.field(default_factory=Numbers)

    def __post_init__(self) -> None:
        one_of(self.missing, MISSING, "missing")


class Typed(NamedTuple):
    """A column: floats, NaN where a cell is missing; or for categories texts, None where one is."""

    name: str
    kind: str
    values: Shaped[np.ndarray, " n"]

    @property
    def missing(self) -> Bool[np.ndarray, " n"]:
        if self.kind != "category":
            return np.isnan(self.values)
        return np.array([value is None for value in self.values], bool)

    def take(self, rows: Int[np.ndarray, " m"]) -> "Typed":
        return self._replace(values=self.values[rows])


class Faults:
    """Cells that cannot be read, as they are found."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.found: list[tuple[int, str, str]] = []
        self.advice: list[str] = []

    def add(self, row: int, name: str, what: str, advice: str = "") -> None:
        self.found.append((row, name, what))
        if advice not in self.advice:
            self.advice.append(advice)

    def raise_any(self) -> None:
        """One `ValueError` that counts all of them and shows the first few."""
        if not self.found:
            return
        source, advice = self.columns.source, "".join(self.advice[:3])
        if len(self.found) == 1:
            row, name, what = self.found[0]
            raise ValueError(f"{self.columns.place(row, name)}: {what}.{advice}")
        names = {name for _, name, _ in self.found}
        places = [f"{self.columns.where(row)}, column {name!r}: {what}" for row, name, what in self.found[:_SHOWN]]
        rest = ", ..." if len(self.found) > _SHOWN else ""
        where = f"in {len(names)} columns" if len(names) > 1 else "in one column"
        raise ValueError(
            f"{source}: {len(self.found)} cells {where} cannot be used: {'; '.join(places)}{rest}.{advice}"
        )


def typed(columns: Columns, name: str, rules: Rules, faults: Faults, advice: str, kind: str | None = None) -> Typed:
    """A feature column. Cells that cannot be read go to `faults`, with `advice`. `kind`: what it is, where known.

    Raises `ValueError` for a column without values, and for text of which too much is different.
    """
    cells = columns.cells[name]
    numbered = kind in (None, "number") and name not in rules.categories
    clean = _clean(cells, rules) if numbered else None
    if clean is not None:
        return Typed(name, "number", clean)
    gone = _gone(columns, name, rules, faults)
    if gone.all() and rules.missing != "refuse" and kind is None:
        raise ValueError(f"{columns.source}: column {name!r} has no value in any row; leave it out with features=....")
    known = _kind(columns, name, gone, rules) if kind is None else kind
    if known == "category":
        labels = _labels(cells, gone)
        return Typed(name, known, labels if kind or name in rules.categories else _few(columns, name, labels))
    if cells.dtype.kind in "biuf":
        return Typed(name, known, _finite(cells, gone, name, faults, advice))
    if known == "date":
        return Typed(name, known, _read(cells, gone, as_date, name, faults, " Dates are written 2020-01-31."))
    text = any(isinstance(cell, str) for cell in cells)
    more = f"{advice} If these are categories, say categories=[{name!r}]." if text else advice
    return Typed(name, known, _read(cells, gone, rules.numbers, name, faults, more))


def _kind(columns: Columns, name: str, gone: np.ndarray, rules: Rules) -> str:
    """What a column is: categories where all is text that looks like no number, dates where more are dates."""
    cells = columns.cells[name]
    if name in rules.categories:
        return "category"
    if cells.dtype.kind in "biuf":
        return "number"
    present = cells[~gone]
    others = [cell for cell in present if rules.numbers(cell) is None]
    dates = sum(as_date(cell) is not None for cell in others)
    if dates == 0 and len(others) == len(present) > 0 and all(isinstance(cell, str) for cell in others):
        # Text such as 31.12.2020 or 1.234,5 is something of which one has to say what it is.
        unclear = 2 * sum(bool(hint(cell)) for cell in others) > len(others)
        return "number" if unclear else "category"
    return "date" if dates > len(present) - len(others) else "number"


def numbers(columns: Columns, name: str, rules: Rules, faults: Faults, advice: str) -> Typed:
    """A column of numbers, as a target is."""
    cells = columns.cells[name]
    clean = _clean(cells, rules)
    if clean is not None:
        return Typed(name, "number", clean)
    gone = _gone(columns, name, rules, faults)
    if cells.dtype.kind in "biuf":
        return Typed(name, "number", _finite(cells, gone, name, faults, advice))
    return Typed(name, "number", _read(cells, gone, rules.numbers, name, faults, advice))


def column_numbers(columns: Columns, name: str) -> Float64[np.ndarray, " n"]:
    """A column as finite numbers. Raises `ValueError` where it is none."""
    faults = Faults(columns)
    found = numbers(columns, name, Rules(), faults, "").values
    faults.raise_any()
    return found


def why_no_input(columns: Columns, name: str) -> str:
    """Why a column cannot be an input without a word more, in a few words; nothing where it can."""
    faults = Faults(columns)
    try:
        typed(columns, name, Rules(), faults, "")
    except ValueError:
        return f"text, such as {str(columns.cells[name][0])[:40]!r}"
    rows = {row for row, _, _ in faults.found}
    cells = columns.cells[name]
    empty = [row for row in rows if cells.dtype.kind not in "biuf" and is_missing(cells[row])]
    texts = [row for row in sorted(rows) if isinstance(cells[row], str) and as_number(cells[row]) is None]
    texts = [row for row in texts if row not in empty]
    if empty:
        count = "one cell is empty" if len(empty) == 1 else f"{len(empty)} cells are empty"
        return f'{count} (missing = "mean" fills, "drop" leaves out the rows)'
    if texts:
        return f"text, such as {cells[texts[0]][:40]!r}"
    return f"{len(rows)} cells are not finite numbers" if rows else ""


def _clean(cells: np.ndarray, rules: Rules) -> Float64[np.ndarray, " n"] | None:
    """All cells as finite numbers at once; None where some are not, and each has to be looked at."""
    if cells.dtype.kind not in "biuf":
        # `float` reads 1_000, too.
        plain = rules.numbers == Numbers() and all(isinstance(cell, str) and "_" not in cell for cell in cells)
        if not plain:
            return None
    try:
        values = cells.astype(np.float64)
    except ValueError:
        return None
    return values if np.isfinite(values).all() else None


def _gone(columns: Columns, name: str, rules: Rules, faults: Faults) -> Bool[np.ndarray, " n"]:
    """Which cells are missing; where that is refused, blank ones are faults."""
    cells = columns.cells[name]
    if cells.dtype.kind in "biuf":
        gone = np.isnan(cells.astype(float)) if cells.dtype.kind == "f" else np.zeros(len(cells), bool)
    else:
        # A category may well be called "NA".
        empty = is_missing if name in rules.categories else absent
        gone = np.array([empty(cell) for cell in cells], bool)
    if rules.missing == "refuse":
        for row in np.flatnonzero(gone):
            faults.add(int(row), name, _empty(cells[row]), _FILL)
    return gone


_FILL = " For missing cells say missing='drop' (the row), 'mean' or 'median' (of the column)."


def _empty(cell: Any) -> str:
    blank = cell is None or (isinstance(cell, str) and not cell.strip())
    return (
        "the cell is empty" if blank else f"{cell} is not a finite number" if _is_nan(cell) else f"{cell!r} is no value"
    )


def _is_nan(cell: Any) -> bool:
    return str(cell).strip().lower() == "nan"


def _finite(cells: np.ndarray, gone: np.ndarray, name: str, faults: Faults, advice: str) -> np.ndarray:
    values = cells.astype(np.float64)
    for row in np.flatnonzero(~np.isfinite(values) & ~gone):
        faults.add(int(row), name, f"{cells[row]} is not a finite number", advice)
    return values


def _read(
    cells: np.ndarray, gone: np.ndarray, read: Callable[[Any], float | None], name: str, faults: Faults, advice: str
) -> np.ndarray:
    what = "a date" if read is as_date else "a number"
    values = np.full(len(cells), np.nan)
    for row in np.flatnonzero(~gone):
        value = read(cells[row])
        if value is None:
            faults.add(int(row), name, f"{shown(cells[row])} is not {what}", hint(cells[row]) or advice)
        elif not np.isfinite(value):
            faults.add(int(row), name, f"{str(cells[row]).strip()} is not a finite number", advice)
        else:
            values[row] = value
    return values


def _labels(cells: np.ndarray, gone: np.ndarray) -> np.ndarray:
    return np.array([None if missing else label(cell) for cell, missing in zip(cells, gone, strict=True)], object)


def _few(columns: Columns, name: str, labels: np.ndarray) -> np.ndarray:
    known = sorted({one for one in labels if one is not None})
    if len(known) > min(_MOST_TEXTS, max(10, len(labels) // 2)):
        raise ValueError(
            f"{columns.source}: column {name!r} has {len(known)} different texts in {len(labels)} rows "
            f"({some(known, 3)}), too many for a column each. Leave it out with features=..., or say "
            f"categories=[{name!r}]."
        )
    return labels


def shown(cell: Any) -> str:
    """A cell as it was written, cut where it is long."""
    text = repr(cell)
    return text if len(text) <= 40 else text[:37] + "..."


def check_categories(names: Sequence[str], rules: Rules, source: str) -> None:
    """Raise `ValueError` for a column that is said to be one of categories and is no feature."""
    for name in rules.categories:
        if name not in names:
            raise ValueError(f"{source}: categories: {name!r} is none of the features, {some(names)}.")
