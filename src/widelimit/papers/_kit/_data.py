"""What a piece or a figure is computed to: named arrays, nested as the pieces ask for it, in memory and on disk."""

import io
import pathlib
import struct
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

Data = dict[str, Any]
"""Names -> arrays of numbers or text; or, one level down, the same again, or a list of such."""

# A list's items are named by their numbers in a file: no name may look like one, nor like two.
_SLASH, _ITEM = "/", "[{}]"


def as_data(values: Mapping[str, Any], name: str) -> Data:
    """Arrays in place of numbers, sequences and tuples, all the way down; what holds them is new, arrays are shared.

    **Raises** `ValueError` for what is no number or text, and for a name that a file could not keep.
    """
    if not values:
        raise ValueError(f"{name}: has no arrays.")
    odd = [key for key in values if not key or _SLASH in key or key[0] == "["]
    if odd:
        raise ValueError(f"{name}: {odd[0]!r} is no name: it is empty, has a '/', or begins with '['.")
    return {key: _as_part(value, f"{name}: {key!r}") for key, value in values.items()}


def _as_part(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        return as_data(value, name)
    if isinstance(value, list | tuple) and any(isinstance(one, Mapping) for one in value):
        return [_as_part(one, f"{name}[{k}]") for k, one in enumerate(value)]
    array = np.asarray(value)
    if array.dtype.kind not in "biufcU":
        raise ValueError(f"{name} is no array of numbers or text.")
    return array


def columns(rows: list[Data]) -> Data:
    """One array a name from rows of equal names: [{"a": 1, "b": 2}, ...] becomes {"a": [1, ...], "b": [2, ...]}."""
    return {name: np.stack([np.asarray(row[name]) for row in rows]) for name in rows[0]}


def arrays_to_bytes(data: Data) -> bytes:
    """An .npz file; {"a": {"b": x}, "c": [{"d": y}]} is kept as a/b and c/[0]/d."""
    stream = io.BytesIO()
    # A name such as "file" would clash with savez's own argument.
    with zipfile.ZipFile(stream, "w") as archive:
        for name, array in _leaves(data):
            # A fixed date: the same arrays give the same bytes.
            with archive.open(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)
    return stream.getvalue()


def _leaves(data: Data) -> Iterator[tuple[str, np.ndarray]]:
    for name, value in data.items():
        if isinstance(value, list):
            value = {_ITEM.format(k): one for k, one in enumerate(value)}
        if isinstance(value, dict):
            yield from ((f"{name}{_SLASH}{rest}", array) for rest, array in _leaves(value))
        else:
            yield name, np.asarray(value)


def read_arrays(path: pathlib.Path) -> Data | None:
    """What `arrays_to_bytes` was given; None where there is no file, or it is damaged."""
    try:
        # From memory: NumPy leaves a damaged file open.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            return _nested({name: file[name] for name in file.files})
    except (OSError, ValueError, EOFError, KeyError, NotImplementedError, struct.error, zipfile.BadZipFile):
        return None


def _nested(leaves: dict[str, Any]) -> Any:
    """The inverse of `_leaves`."""
    groups: dict[str, dict[str, Any]] = {}
    for name, array in leaves.items():
        head, _, rest = name.partition(_SLASH)
        groups.setdefault(head, {})[rest] = array
    parts = {head: group[""] if "" in group else _nested(group) for head, group in groups.items()}
    return list(parts.values()) if _ITEM.format(0) in parts else parts
