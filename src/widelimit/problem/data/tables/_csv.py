"""CSV files: a header line, then rows of the same length, separated by commas."""

import csv
import hashlib
import io
from collections.abc import Iterator

import numpy as np

from ._columns import Columns, check_names


def read_csv(source: str, content: bytes) -> Columns:
    """The columns of a CSV file, as text; blank lines are skipped, spaces around names are not part of them.

    Raises `ValueError`, with the line (from 1), for bytes that are not UTF-8, a quote that is not closed, an
    empty file, a header without rows, a column without a name of its own, and rows of another length.
    """
    records = _records(source, _decode(source, content))
    line, header = next(records, (0, []))
    if not header:
        raise ValueError(f"{source}: the file is empty; expected a line of column names, then rows.")
    names = [name.strip() for name in header]
    if len(names) == 1 and any(mark in names[0] for mark in ";\t|"):
        raise ValueError(f"{source}, line {line}: commas must separate the columns; the header is {names[0]!r}.")
    check_names(source, f"line {line}", names)

    rows, lines = [], []
    for line, row in records:
        if len(row) != len(names):
            raise ValueError(f"{source}, line {line}: {len(row)} cells; the header names {len(names)} columns.")
        rows.append(row)
        lines.append(line)
    if not rows:
        raise ValueError(f"{source}: a header but no rows.")
    cells = {name: np.array([row[k] for row in rows], object) for k, name in enumerate(names)}
    return Columns(source, cells, lambda row: f"line {lines[row]}", hashlib.sha256(content).hexdigest())


def _decode(source: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(f"{source}, line {line}: not UTF-8 text ({error.reason}).") from None


def _records(source: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of every record that is not blank; a quoted cell may span lines, the first one counts."""
    # Strict: otherwise a quote that is never closed swallows the rest of the file as one cell.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise ValueError(f"{source}, line {line}: not readable as CSV ({error}).") from None
        if row:
            yield line, row
