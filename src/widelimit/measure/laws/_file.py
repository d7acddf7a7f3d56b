"""Laws read from files: npz or csv; nothing is ever unpickled."""

import csv
import itertools
import math
import os
import pathlib
import re
import zipfile

import numpy as np

from widelimit.numerics import local_path

from .._blocks import Block, Blocks
from ._arguments import checked_name
from ._empirical import Empirical


def load(path: str | os.PathLike[str]) -> Empirical:
    """The law of the atoms in a file.

    - `.npz`: an array `positions` [N, D] and, if wished, `weights` [N].
    - `.csv`: a first line with the names of the columns, one atom a line. `a, b` are blocks of shape (),
      `w[0], w[1], w[2]` side by side one block `w` of shape (3,). A column `weights` holds the weights.

    Weights are non-negative and sum to 1; 1/N each if absent.

    Raises `ValueError` for a file that is missing or is neither; for wrong shapes, NaN, infinities and cells
    that are no numbers, with the line.
    """
    path = local_path(path, "load(path=...)")
    if not path.is_file():
        raise ValueError(f"load(path=...): there is no file {str(path)!r}.")
    if path.suffix.lower() not in (".npz", ".csv"):
        raise ValueError(f"load(path=...): {str(path)!r} is not one of .npz, .csv.")
    try:
        return _read_npz(path) if path.suffix.lower() == ".npz" else _read_csv(path)
    except ValueError as error:
        raise ValueError(f"load({str(path)!r}): {error}") from error


def _read_npz(path: pathlib.Path) -> Empirical:
    if not zipfile.is_zipfile(path):
        raise ValueError("this is no npz archive of arrays, as numpy.savez writes.")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ("positions", "weights") if name in file.files}
            found = ", ".join(file.files) or "nothing"
    except (OSError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise ValueError("this is no npz archive of arrays.") from error
    if "positions" not in arrays:
        raise ValueError(f"an array `positions` is needed; the file has {found}.")
    for name, array in arrays.items():
        if not (np.issubdtype(array.dtype, np.floating) or np.issubdtype(array.dtype, np.integer)):
            raise ValueError(f"`{name}` must hold real numbers, got dtype {array.dtype}.")
    return Empirical(arrays["positions"], arrays.get("weights"))


def _read_csv(path: pathlib.Path) -> Empirical:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True, skipinitialspace=True)
            lines = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"this is no csv text in UTF-8 ({error}).") from error
    if len(lines) < 2:
        raise ValueError("a header and at least one line of numbers are needed.")
    names = [cell.strip() for cell in lines[0][1]]
    columns = [j for j, name in enumerate(names) if name != "weights"]
    if len(names) - len(columns) > 1:
        raise ValueError(f"line {lines[0][0]}: the column 'weights' is named twice.")
    blocks = _header_blocks([names[j] for j in columns], lines[0][0])
    rows = np.asarray([_numbers(names, row, line) for line, row in lines[1:]])
    weights = rows[:, names.index("weights")] if len(columns) < len(names) else None
    return Empirical(rows[:, columns], weights, blocks=blocks)


def _numbers(names: list[str], row: list[str], line: int) -> list[float]:
    if len(row) != len(names):
        raise ValueError(f"line {line}: {len(row)} cells, the header names {len(names)} columns.")
    return [_number(cell, name, line) for name, cell in zip(names, row, strict=True)]


def _number(cell: str, name: str, line: int) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise ValueError(f"line {line}, column {name!r}: {cell!r} is no number.") from None
    if not math.isfinite(value):
        raise ValueError(f"line {line}, column {name!r}: must be finite, got {cell!r}.")
    return value


def _header_blocks(names: list[str], line: int) -> Blocks:
    """`a, w[0], w[1]` -> blocks a () and w (2,)."""
    blocks: list[Block] = []
    for base, group in itertools.groupby((_parsed(name, line) for name in names), key=lambda pair: pair[0]):
        indices = [index for _, index in group]
        in_order = indices == [None] or indices == list(range(len(indices)))
        if not in_order or base in [block.name for block in blocks]:
            raise ValueError(
                f"line {line}: the columns of {base!r} are out of place; a name appears once, and the "
                f"columns of a vector stand side by side: {base}[0], {base}[1], ..."
            )
        blocks.append(Block(base, () if indices == [None] else (len(indices),)))
    if not blocks:
        raise ValueError(f"line {line}: no column of parameters is named.")
    return tuple(blocks)


def _parsed(name: str, line: int) -> tuple[str, int | None]:
    match = re.fullmatch(r"(\w+)\[(\d+)\]", name)
    base, index = (match[1], int(match[2])) if match else (name, None)
    return checked_name(base, f"line {line} (the names of the columns)"), index
