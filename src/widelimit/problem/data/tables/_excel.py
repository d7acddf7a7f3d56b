"""Sheets of Excel files, by openpyxl where it is installed."""

import hashlib
import importlib.util
import io
import warnings
import zipfile
from typing import Any

import numpy as np

from widelimit.results import one_of

from ._columns import Columns, check_names


def read_excel(source: str, content: bytes, sheet: str | None) -> Columns:
    """The columns of a sheet: its first row that is not empty names them, the rows below that are not empty follow.

    Raises `ValueError` without openpyxl, for a file that is none, several sheets without a choice, and as for CSV.
    """
    if importlib.util.find_spec("openpyxl") is None:
        raise ValueError(f"{source}: Excel files need openpyxl: pip install 'widelimit[excel]', or save it as CSV.")
    rows = [(number, row) for number, row in enumerate(_rows(source, content, sheet), start=1) if _said(row)]
    if not rows:
        raise ValueError(f"{source}: the sheet is empty; expected a row of column names, then rows.")
    (first, header), body = rows[0], rows[1:]
    width = max(place for place, cell in enumerate(header, start=1) if cell is not None)
    names = ["" if cell is None else str(cell).strip() for cell in header[:width]]
    check_names(source, f"row {first}", names)
    if not body:
        raise ValueError(f"{source}: a header but no rows.")
    for number, row in body:
        if _said(row[width:]):
            raise ValueError(f"{source}, row {number}: cells beyond the {width} columns that the header names.")
    cells = {name: _column([row[k] if k < len(row) else None for _, row in body]) for k, name in enumerate(names)}
    numbers = [number for number, _ in body]
    return Columns(source, cells, lambda row: f"row {numbers[row]}", hashlib.sha256(content).hexdigest())


def _rows(source: str, content: bytes, sheet: str | None) -> list[tuple[Any, ...]]:
    import openpyxl

    try:
        with warnings.catch_warnings():
            # What openpyxl leaves out is looks: styles, validation, headers of pages.
            warnings.simplefilter("ignore", UserWarning)
            book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise ValueError(f"{source}: not readable as an Excel file, .xlsx ({error}).") from None
    try:
        if sheet is None and len(book.sheetnames) > 1:
            raise ValueError(f"{source}: sheet=... must say which sheet to read; it has {', '.join(book.sheetnames)}.")
        name = book.sheetnames[0] if sheet is None else one_of(sheet, book.sheetnames, f"{source}: sheet")
        return [tuple(row) for row in book[name].iter_rows(values_only=True)]
    finally:
        book.close()


def _said(row: tuple[Any, ...]) -> bool:
    return any(cell is not None and str(cell).strip() for cell in row)


def _column(cells: list[Any]) -> np.ndarray:
    out = np.empty(len(cells), object)
    out[:] = cells
    return out
