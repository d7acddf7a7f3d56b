"""Keys of a problem file that are set from outside: by `--set` for one run, by [sweep] for many."""

import pathlib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from widelimit import dynamics

from ..errors import BadInput, ProblemFileError
from ._problem_file import ProblemFile, check_beside, read_tables
from ._sections import doubling_keys, resolution_of

SET = "--set"
# A word or a path that TOML would want in quotes; shells take quotes away.
_WORD = re.compile(r"[A-Za-z_~/.][^\s\[\]{}\"'=,#]*")


def read_settings(texts: Sequence[str]) -> dict[str, Any]:
    """`time.t1=5` as {"time.t1": 5}; the value is TOML; a word alone is a text.

    Raises `BadInput` for a text that is none, and for a key that is set twice.
    """
    values: dict[str, Any] = {}
    for text in texts:
        key, sign, value = (part.strip() for part in text.partition("="))
        if not sign or not all(key.split(".")):
            raise BadInput(f"{SET} {text}: expected KEY=VALUE, such as time.t1=5 or networks.widths=[64,256].")
        if key in values:
            raise BadInput(f"{SET} {key}: is set twice.")
        values[key] = _value(value, f"{SET} {text}")
    return values


def _value(text: str, what: str) -> Any:
    try:
        read = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError, ValueError):
        read = {}
    if set(read) == {"value"}:
        return read["value"]
    if _WORD.fullmatch(text):
        return text
    raise BadInput(f"{what}: {text!r} is no value of TOML: a number, true, [1, 2], {{ kind = 'relu' }}, or 'text'.")


def read_problem_file(path: pathlib.Path, settings: Mapping[str, Any] | None = None) -> tuple[ProblemFile, bytes]:
    """The problem, with some keys set, and the file's bytes; a path in [data] source counts from the file's folder.

    Raises `ProblemFileError` with the line or the key; where a setting is to blame it is named: the last one before
    which all was well.
    """
    tables, content = read_tables(path)
    if "sweep" in tables:
        raise ProblemFileError(str(path), "[sweep]", f"asks for many runs; `widelimit sweep {path}` makes them.")
    settings = settings or {}
    try:
        return check_beside(changed_tables(tables, settings), path), content
    except ProblemFileError as error:
        keys = list(settings)
        for count in reversed(range(len(keys))):
            if _is_well(tables, {key: settings[key] for key in keys[:count]}, path):
                inner = f"{error.place}: {error.text}" if error.place else error.text
                raise ProblemFileError(str(path), f"{SET} {keys[count]}", inner) from None
        raise


def _is_well(tables: Mapping[str, Any], values: Mapping[str, Any], path: pathlib.Path) -> bool:
    try:
        check_beside(changed_tables(tables, values), path)
    except ProblemFileError:
        return False
    return True


def changed_tables(tables: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with keys set: `time.t1`, `start.output.std`, `networks.step` of every table, `networks.2.step` of one.

    A fixed resolution of the limit, `limit.particles`, takes the place of what the tables say about doubling.
    Raises `ProblemFileError` without a file for a key that leads nowhere.
    """
    changed = _copied(tables)
    for key, value in values.items():
        _set(changed, key.split("."), value, key)
    for resolution in _counted():
        if f"limit.{resolution}" in values and isinstance(changed["limit"], dict):
            for other in doubling_keys(resolution):
                if f"limit.{other}" not in values:
                    changed["limit"].pop(other, None)
    return changed


def _counted() -> set[str]:
    """The resolutions of limits that are counts, which are either fixed or doubled."""
    named = {resolution_of(entry): entry for entry in dynamics.registry}
    return {key for key, entry in named.items() if key is not None and entry.values[key].doubled}


def _set(node: Any, path: list[str], value: Any, key: str) -> None:
    head, *rest = path
    if isinstance(node, list):
        if head.isdigit():
            if not 1 <= int(head) <= len(node):
                raise ProblemFileError("", "", f"{key}: there is no table {head}, only {len(node)}.")
            chosen, rest = [node[int(head) - 1]], rest
        else:
            chosen, rest = node, path
        if not rest:
            raise ProblemFileError("", "", f"{key}: names a table; say which of its keys, such as {key}.step.")
        for one in chosen:
            _set(one, rest, value, key)
    elif not isinstance(node, dict):
        raise ProblemFileError("", "", f"{key}: what {head!r} should be a key of is {node!r}, and no table.")
    elif rest:
        missing: Any = [] if head == "networks" else {}
        _set(node.setdefault(head, missing), rest, value, key)
    else:
        node[head] = value


def flattened(tables: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """`networks.step` for {networks: {step: ...}}: keys with dots and tables in tables are the same in TOML."""
    for key, value in tables.items():
        if isinstance(value, dict):
            yield from flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(one) for key, one in value.items()}
    return [_copied(one) for one in value] if isinstance(value, list | tuple) else value
