"""Class labels as targets: -1 and +1, or a column of them for each class."""

import decimal
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Shaped

from widelimit.results import did_you_mean

from ._columns import TRUTHS, Columns, as_number, is_missing, some


def class_targets(
    columns: Columns, name: str, classes: Sequence[Any]
) -> tuple[Bool[np.ndarray, " n"], Float64[np.ndarray, "m ..."], tuple[str, ...]]:
    """Which rows have one of the classes, the targets of these m rows, and the classes as text.

    Two classes (a, b): y [m], -1 for a and +1 for b. C > 2 classes: y [m, C], +1 in the column of the row's
    class, -1 in the others. Numbers are compared as numbers (3, 3.0 and "3" are one class), all else as text.
    Raises `ValueError` for fewer than two classes, one named twice, one that no row has, a row without one.
    """
    wanted = _wanted(columns, classes)
    if len(wanted) < 2 or len(set(wanted)) < len(wanted):
        raise ValueError(f"{columns.source}: classes=... takes two or more different ones, got {tuple(classes)}.")
    labels = labels_of(columns, name)
    present = sorted(set(labels))
    for label in wanted:
        if label not in present:
            raise ValueError(
                f"{columns.source}: no row has class {label!r} in column {name!r}; it has {some(present)}."
                f"{did_you_mean(label, present)}"
            )
    is_class = labels[:, None] == np.array(wanted, object)
    keep = is_class.any(axis=1)
    y = np.where(is_class[keep], 1.0, -1.0)
    return keep, y[:, 1] if len(wanted) == 2 else y, wanted


def labels_of(columns: Columns, name: str) -> Shaped[np.ndarray, " n"]:
    """The column as classes, in text. Raises `ValueError` with the place of a cell that is empty."""
    cells = columns.cells[name]
    for row, cell in enumerate(cells):
        if is_missing(cell):
            raise ValueError(f"{columns.place(row, name)}: the cell is empty; a row needs a class.")
    return np.array([label(cell) for cell in cells], object)


def _wanted(columns: Columns, classes: Sequence[Any]) -> tuple[str, ...]:
    # A data set of numbered classes may know their names: iris has 0 = setosa.
    number = {name: str(k) for k, name in enumerate(columns.class_names)}
    return tuple(number.get(label, label) for label in map(label, classes))


def label(cell: Any) -> str:
    """The class of a cell as text. Numbers are compared as written: floats merge whole numbers from 2^53 on."""
    text = str(cell).strip()
    if isinstance(cell, bool | np.bool_) or text.lower() in TRUTHS:
        return text.capitalize()
    if as_number(cell) is None:
        return text
    exact = decimal.Decimal(repr(float(cell)) if isinstance(cell, float | np.floating) else text)
    if not exact.is_finite() or abs(exact.adjusted()) > 400:
        return str(exact)
    return str(int(exact)) if exact == exact.to_integral_value() else f"{exact:f}".rstrip("0")
