"""Where columns come from: csv, parquet and npz files, data sets inside scikit-learn, the choice among them."""

import csv
import gzip
import hashlib
import io
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from widelimit.numerics import local_path
from widelimit.results import did_you_mean, one_of

from ._columns import Columns, check_names, pick
from ._excel import read_excel

SKLEARN = ("digits", "iris", "wine", "breast_cancer", "diabetes", "linnerud")
SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".xlsx", ".parquet", ".npz")
_SEPARATORS = (",", ";", "\t", "|")

Names = str | Sequence[str] | None
Chosen = tuple[Columns, tuple[str, ...], tuple[str, ...]]


def open_columns(
    source: str | os.PathLike[str],
    features: Names,
    target: Names,
    *,
    separator: str | None = None,
    sheet: str | None = None,
    labelled: bool = True,
) -> Chosen:
    """The columns of a source, with the names of the feature and the target columns; no target unless `labelled`.

    Raises `ValueError` for a source that is not there or of no known kind, and for what its reader refuses.
    """
    text = os.fspath(source)
    if text.startswith("sklearn:"):
        columns, default = read_sklearn(text)
        targets = _names(target) or default
        return columns, *pick(columns, _names(features), targets if labelled else (), labelled=labelled)
    suffix = _suffix(text)
    if separator is not None and suffix[1:4] not in ("csv", "tsv"):
        raise ValueError(f"{text}: separator: is for .csv and .tsv.")
    if sheet is not None and suffix != ".xlsx":
        raise ValueError(f"{text}: sheet: is for .xlsx.")
    if suffix == ".npz":
        content = _content(local_path(source, "source"), text)
        targets = (_names(target) or ("y",)) if labelled else ()
        return read_npz(text, content, _names(features) or ("x",), targets)
    columns = _columns(text, suffix, separator, sheet)
    targets = (_names(target) or ()) if labelled else ()
    return columns, *pick(columns, _names(features), targets, labelled=labelled)


def _suffix(text: str) -> str:
    found = next((end for end in reversed(SUFFIXES) if text.lower().endswith(end)), None)
    if found is None:
        old = " Save an old Excel file as .xlsx." if text.lower().endswith(".xls") else ""
        raise ValueError(f"{text!r}: expected 'sklearn:NAME' or a file that ends in {', '.join(SUFFIXES)}.{old}")
    return found


def _columns(text: str, suffix: str, separator: str | None, sheet: str | None) -> Columns:
    """The columns of a file that has names for them."""
    content = _content(local_path(text, "source"), text)
    if suffix == ".parquet":
        return read_parquet(text, content)
    if suffix == ".xlsx":
        return read_excel(text, content, sheet)
    usual = "," if suffix.startswith(".csv") else "\t"
    return read_csv(text, content, usual if separator is None else one_of(separator, _SEPARATORS, "separator"))


def columns_of(source: str, target: Names = None) -> tuple[Columns, tuple[str, ...]]:
    """All columns of a source, and those of them that are the target: as given, or as the source knows, or none.

    Of an npz file the arrays "x" and `target`, "y" if left out. Raises `ValueError` as `open_columns` does.
    """
    chosen = _names(target) or ()
    if source.startswith("sklearn:"):
        columns, default = read_sklearn(source)
        chosen = chosen or default
    elif _suffix(source) == ".npz":
        columns, _, chosen = open_columns(source, None, target)
    else:
        columns = _columns(source, _suffix(source), None, None)
    if chosen:
        pick(columns, None, chosen)
    return columns, chosen


def read_sklearn(source: str) -> tuple[Columns, tuple[str, ...]]:
    """A data set that ships inside scikit-learn (nothing is downloaded), and the names of its targets.

    The diabetes data is in raw units.
    """
    import sklearn.datasets

    name = one_of(source.removeprefix("sklearn:"), SKLEARN, "the data sets inside scikit-learn")
    options = {"scaled": False} if name == "diabetes" else {}
    bunch = getattr(sklearn.datasets, f"load_{name}")(**options)
    targets = tuple(bunch.target_names) if bunch.target.ndim == 2 else ("target",)
    values = np.column_stack([bunch.data, bunch.target])
    cells = dict(zip([*map(str, bunch.feature_names), *targets], values.T, strict=True))
    labels = bunch.get("target_names") if targets == ("target",) else None
    class_names = () if labels is None else tuple(str(label) for label in labels)
    return Columns(source, cells, lambda row: f"row {row + 1}", class_names=class_names), targets


def read_csv(source: str, content: bytes, separator: str = ",") -> Columns:
    """The columns of a CSV file, as text; blank lines are skipped, spaces around names are not part of them.

    A file that ends in .gz is unpacked.

    Raises `ValueError`, with the line (from 1), for bytes that are not UTF-8, a quote that is not closed, an
    empty file, a header without rows, a column without a name of its own, and rows of another length.
    """
    records = _records(source, _decode(source, _unpacked(source, content)), separator)
    line, header = next(records, (0, []))
    if not header:
        raise ValueError(f"{source}: the file is empty; expected a line of column names, then rows.")
    names = [name.strip() for name in header]
    other = next((mark for mark in _SEPARATORS if mark != separator and mark in names[0]), None)
    if len(names) == 1 and other is not None:
        word = "commas" if separator == "," else f"{separator!r}"
        raise ValueError(
            f"{source}, line {line}: {word} must separate the columns; the header is {names[0]!r}. "
            f"Or say separator={other!r}."
        )
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


def _unpacked(source: str, content: bytes) -> bytes:
    if not source.lower().endswith(".gz"):
        return content
    return _parsed(source, "gzip", lambda: gzip.decompress(content))


def _decode(source: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        kind = "UTF-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else error.reason
        raise ValueError(f"{source}, line {line}: not UTF-8 text ({kind}); save it as UTF-8.") from None


def _records(source: str, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of every record that is not blank; a quoted cell may span lines, the first one counts."""
    # Strict: otherwise a quote that is never closed swallows the rest of the file as one cell.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator, skipinitialspace=True)
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


def read_parquet(source: str, content: bytes) -> Columns:
    """The columns of a parquet file. Raises `ValueError` if it is none, is empty, or names a column twice."""
    import pandas
    import pyarrow.parquet

    schema = _parsed(source, "parquet", lambda: pyarrow.parquet.read_schema(io.BytesIO(content)))
    check_names(source, "schema", schema.names)
    frame = _parsed(source, "parquet", lambda: pandas.read_parquet(io.BytesIO(content)))
    if frame.empty:
        raise ValueError(f"{source}: no data ({len(frame)} rows of {len(frame.columns)} columns).")
    cells = {str(name): _plain(frame[name]) for name in frame.columns}
    return Columns(source, cells, lambda row: f"row {row + 1}", hashlib.sha256(content).hexdigest())


def read_npz(source: str, content: bytes, features: Sequence[str], target: Sequence[str]) -> Chosen:
    """The arrays named by `features` and `target`, [n] or [n, k] each, by columns ("x[:, 0]", ...).

    Raises `ValueError` for a file that is no npz, an array that is not there or holds Python objects, and for
    shapes that do not fit.
    """
    if not zipfile.is_zipfile(io.BytesIO(content)):
        raise ValueError(f"{source}: not readable as npz (it is no archive of named arrays, as numpy.savez writes).")
    archive = _parsed(source, "npz", lambda: np.load(io.BytesIO(content), allow_pickle=False))
    cells: dict[str, np.ndarray] = {}
    chosen = []
    for names in (features, target):
        group: dict[str, np.ndarray] = {}
        for name in names:
            group |= _array_columns(source, archive, name)
        chosen.append(tuple(group))
        cells |= group
    lengths = {name: len(values) for name, values in cells.items()}
    if len(set(lengths.values())) > 1 or not min(lengths.values()):
        rows = ", ".join(f"{name}: {n}" for name, n in list(lengths.items())[:: max(1, len(lengths) - 1)])
        raise ValueError(f"{source}: the arrays must have the same number of rows, at least 1; got {rows}.")
    columns = Columns(source, cells, lambda row: f"index {row}", hashlib.sha256(content).hexdigest())
    return columns, *pick(columns, *chosen, labelled=bool(target))


def _array_columns(source: str, archive: Any, name: str) -> dict[str, np.ndarray]:
    one_of(name, archive.files, f"{source}: the array")
    try:
        array = archive[name]
    except Exception:
        raise ValueError(f"{source}, array {name!r}: not readable as numbers or text; nothing is unpickled.") from None
    if array.ndim not in (1, 2) or not array.size:
        raise ValueError(f"{source}, array {name!r}: expected [n] or [n, k] with n, k >= 1, got {array.shape}.")
    if array.ndim == 1:
        return {name: array}
    return {f"{name}[:, {k}]": array[:, k] for k in range(array.shape[1])}


def _names(given: Names) -> tuple[str, ...] | None:
    if given is None:
        return None
    return (given,) if isinstance(given, str) else tuple(given)


def _content(path: Path, source: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise ValueError(f"{source}: cannot be read ({error.strerror}).") from None
    beside = [str(entry) for entry in path.parent.glob("*") if entry.name.endswith(SUFFIXES)]
    raise ValueError(f"{source}: there is no such file.{did_you_mean(str(path), beside)}")


def _plain(column: Any) -> np.ndarray:
    """A pandas column as numbers, or as objects with None where an entry is missing."""
    values = column.to_numpy()
    if values.dtype.kind in "biuf":
        return values
    cells = (None if gone else cell for cell, gone in zip(values, column.isna(), strict=True))
    return np.fromiter(cells, object, len(values))


def _parsed(source: str, kind: str, parse: Callable[[], Any]) -> Any:
    """What `parse` returns; whatever broken bytes make a parser raise becomes one `ValueError`."""
    try:
        return parse()
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise ValueError(f"{source}: not readable as {kind} ({reason}).") from None
