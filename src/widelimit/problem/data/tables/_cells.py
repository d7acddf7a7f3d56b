"""What stands in a cell: a number, a date, nothing, or text."""

import dataclasses
import datetime
import re
from typing import Any

import numpy as np

from widelimit.results import one_of

from ._columns import as_number, is_missing

# What people write into a cell that has no value, in lower case.
MARKS = frozenset({"na", "n/a", "#n/a", "<na>", "nan", "null", "?"})
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?)?")
_OTHER_DATE = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}")
_GROUPED = re.compile(r"[+-]?\d{1,3}([,.' \u00a0\u202f])\d{3}(\1\d{3})*([.,]\d+)?")
_COMMA = re.compile(r"[+-]?\d+,\d+")
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_DAY = 86400.0


@dataclasses.dataclass(frozen=True)
class Numbers:
    """How numbers are written: the mark before the decimals, and the one between groups of three digits, if any.

    Raises `ValueError` for other marks, and for the same one twice.
    """

    decimal: str = "."
    thousands: str = ""

    def __post_init__(self) -> None:
        one_of(self.decimal, (".", ","), "decimal")
        one_of(self.thousands, ("", ",", ".", " ", "'", "_"), "thousands")
        if self.decimal == self.thousands:
            raise ValueError(f"thousands: {self.thousands!r} is the mark before the decimals already.")

    def __call__(self, cell: Any) -> float | None:
        """The number in a cell, or None."""
        if not isinstance(cell, str) or (self.decimal == "." and not self.thousands):
            return as_number(cell)
        text = cell.strip().replace("\u00a0", " ").replace("\u202f", " ")
        mark, group = re.escape(self.decimal), re.escape(self.thousands)
        whole = rf"(\d{{1,3}}({group}\d{{3}})+|\d+)" if self.thousands else r"\d+"
        number = rf"[+-]?({whole}({mark}\d*)?|{mark}\d+)([eE][+-]?\d+)?"
        if not re.fullmatch(number, text):
            # Marks apart, the words are the same: true, nan.
            return None if re.search(r"\d", text) else as_number(cell)
        bare = text.replace(self.thousands, "") if self.thousands else text
        return float(bare.replace(self.decimal, "."))


def absent(cell: Any) -> bool:
    """Whether nothing is in a cell, or a mark that stands for nothing."""
    return is_missing(cell) or (isinstance(cell, str) and cell.strip().lower() in MARKS) or _is_nat(cell)


def as_date(cell: Any) -> float | None:
    """Days since 1970-01-01 of a date, or of text such as 2020-01-31, 2020-01-31 12:00, with Z or +02:00; or None.

    A time without a zone is one of UTC.
    """
    if isinstance(cell, np.datetime64):
        return None if np.isnat(cell) else float(cell.astype("datetime64[us]").astype(np.int64)) / (_DAY * 1e6)
    if isinstance(cell, str):
        text = cell.strip()
        if not _DATE.fullmatch(text):
            return None
        try:
            cell = datetime.datetime.fromisoformat(text)
        except ValueError:
            return None
    if isinstance(cell, datetime.date) and not isinstance(cell, datetime.datetime):
        cell = datetime.datetime(cell.year, cell.month, cell.day)
    if not isinstance(cell, datetime.datetime):
        return None
    return ((cell if cell.tzinfo else cell.replace(tzinfo=datetime.UTC)) - _EPOCH).total_seconds() / _DAY


def hint(cell: Any) -> str:
    """What text that is no number here may be; nothing where there is no such reading."""
    if not isinstance(cell, str):
        return ""
    text = cell.strip()
    grouped = _GROUPED.fullmatch(text)
    if grouped:
        mark = " " if grouped[1] in "\u00a0\u202f" else grouped[1]
        more = f", decimal={grouped[3][0]!r}" if grouped[3] and grouped[3][0] == "," else ""
        either = " (or decimal=',')" if mark == "," and not grouped[2] and not grouped[3] else ""
        return f" If its groups of digits have a mark between them, say thousands={mark!r}{more}{either}."
    if _COMMA.fullmatch(text):
        return " If the comma stands before decimals, say decimal=','."
    if _DATE.fullmatch(text):
        return " There is no such day or time."
    return " Dates are written 2020-01-31." if _OTHER_DATE.fullmatch(text) else ""


def _is_nat(cell: Any) -> bool:
    return isinstance(cell, np.datetime64) and bool(np.isnat(cell))
