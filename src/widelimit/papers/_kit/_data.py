"""What a piece or a figure is computed to: named arrays, nested as the pieces ask for it, in memory and on disk."""

import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

Data = dict[str, Any]
"""Names -> arrays of numbers or text; or the same again, or a list of such."""

# In a file {"a": {"b": x}, "c": [{"d": y}]} is kept as a/b and c/[0]/d: no name may look like these.
_SLASH, _ITEM = "/", "[{}]"


def as_data(values: Mapping[str, Any], name: str) -> Data:
    """Arrays in place of numbers, sequences and tuples, all the way down; what holds them is new, arrays are shared.

    **Raises** `ValueError` for what is no number or text, for NaN, and for a name that a file could not keep.
    """
    odd = [key for key in values if not key or _SLASH in key or key[0] == "["]
    if odd or not values:
        what = f"{odd[0]!r} is no name: it is empty, has a '/', or begins with '['." if odd else "has no arrays."
        raise ValueError(f"{name}: {what}")
    return {key: _as_part(value, f"{name}: {key!r}") for key, value in values.items()}


def _as_part(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        return as_data(value, name)
    if isinstance(value, list | tuple) and any(isinstance(one, Mapping) for one in value):
        return [_as_part(one, f"{name}[{k}]") for k, one in enumerate(value)]
    array = np.asarray(value)
    if array.dtype.kind not in "biufcU":
        raise ValueError(f"{name} is no array of numbers or text.")
    # Here, once: a claim that compares with NaN could take it for agreement, since max(0.0, nan) is 0.
    if array.dtype.kind in "fc" and np.isnan(array).any():
        raise ValueError(f"{name} has a NaN.")
    return array


def columns(rows: list[Data]) -> Data:
    """One array a name from rows of equal names: [{"a": 1, "b": 2}, ...] becomes {"a": [1, ...], "b": [2, ...]}."""
    return {name: np.stack([np.asarray(row[name]) for row in rows]) for name in rows[0]}


def write_arrays(path: pathlib.Path, data: Data) -> None:
    """An .npz file, whole or not at all. Raises `OSError` where it cannot be written."""
    # Here and not above: the numerical tools bring JAX, and naming the papers needs none.
    from widelimit.numerics import arrays_to_bytes, write_whole

    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, arrays_to_bytes(dict(_leaves(as_data(data, path.stem)))))


def read_arrays(path: pathlib.Path) -> Data | None:
    """What `write_arrays` was given, arrays for lists of numbers; None where there is no file, or it is damaged."""
    from widelimit.numerics import arrays_from_bytes

    try:
        return _nested(arrays_from_bytes(path.read_bytes()))
    except (OSError, ValueError):
        return None


def _leaves(data: Data) -> Iterator[tuple[str, np.ndarray]]:
    for name, value in data.items():
        parts = {_ITEM.format(k): one for k, one in enumerate(value)} if isinstance(value, list) else value
        if isinstance(parts, dict):
            yield from ((f"{name}{_SLASH}{rest}", array) for rest, array in _leaves(parts))
        else:
            yield name, parts


def _nested(leaves: dict[str, Any]) -> Any:
    """The inverse of `_leaves`."""
    groups: dict[str, dict[str, Any]] = {}
    for name, array in leaves.items():
        head, _, rest = name.partition(_SLASH)
        groups.setdefault(head, {})[rest] = array
    parts = {head: group[""] if "" in group else _nested(group) for head, group in groups.items()}
    return list(parts.values()) if _ITEM.format(0) in parts else parts
