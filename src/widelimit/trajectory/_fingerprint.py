"""A hash of what a run or a piece of a paper is made of: kept results are given back to those who would get the same.

Every value is hashed from its kind and the hashes of its parts, so that a value counts by what is in it, not by which
object it is. What other packages define counts by name and version, this package by the text of its files.
"""

import functools
import hashlib
import pathlib
import platform
import types
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._anatomy import Unseen, made_of, reference


def fingerprint(*parts: Any) -> str:
    """Equal for parts that compute the same, in any process; another for any others.

    Numbers, arrays and text count by their values; objects by their class and their state; functions and classes by
    their code, what they close over and the globals that the code refers to; what installed packages define, by name
    and version; and always the source of this package. The order of dictionaries and sets does not count.

    **Raises** `ValueError` for what cannot be seen: open files, locks, objects of compiled code without a state.
    """
    return _Walk().digest("", (library(), parts)).hex()[:32]


def fingerprints(parts: Mapping[str, Any]) -> dict[str, str]:
    """A fingerprint of each part by its name, and that of the library, so that one can say which of them differ."""
    marks = {name: _Walk().digest("", ("", (part,))).hex()[:32] for name, part in parts.items()}
    return marks | {"the version of the library": library()[:32]}


@functools.cache
def library() -> str:
    """A hash of the source of this package and the versions below it; read once a process."""
    root = pathlib.Path(__file__).parents[1]
    found = hashlib.sha256(repr((platform.python_version_tuple()[:2], jax.__version__, np.__version__)).encode())
    for path in sorted(root.rglob("*.py")):
        content = path.read_bytes()
        found.update(f"{path.relative_to(root).as_posix()}:{len(content)}:".encode() + content)
    return found.hexdigest()


def as_array(leaf: Any) -> np.ndarray:
    """A leaf as a NumPy array; random keys as their integers."""
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return np.asarray(jax.random.key_data(leaf))
    return np.asarray(leaf)


class _Walk:
    """One way through all the parts.

    `known` holds the hashes of the objects met so far, and keeps the objects alive, so that no id is used twice;
    `open` those that are being looked at, by their depth: a cycle is the number of steps that it goes back. `way` are
    the words that lead to where it is.
    """

    def __init__(self) -> None:
        self.known: dict[int, tuple[bytes, Any]] = {}
        self.open: dict[int, int] = {}
        self.way: list[str] = []

    def digest(self, words: str, value: Any) -> bytes:
        """32 bytes for a value; `words` lead to it from what holds it."""
        if type(value) in _PLAIN:
            return _hash(type(value).__name__, repr(value).encode())
        if id(value) in self.known:
            return self.known[id(value)][0]
        if id(value) in self.open:
            return _hash("cycle", str(len(self.open) - self.open[id(value)]).encode())
        self.open[id(value)] = len(self.open)
        self.way.append(words)
        found = self._look(value)
        self.way.pop()
        del self.open[id(value)]
        self.known[id(value)] = found, value
        return found

    def _look(self, value: Any) -> bytes:
        if isinstance(value, jax.Array) or type(value) is np.ndarray or isinstance(value, np.generic):
            return self._array(value)
        if type(value) in (dict, types.MappingProxyType):
            keys = sorted((self.digest("", key), key) for key in value)
            return _hash("dict", *(mark + self.digest(_place(key), value[key]) for mark, key in keys))
        if type(value) in (set, frozenset):
            return _hash("set", *sorted(self._apart(item) for item in value))
        name = reference(value)
        if name is not None:
            return _hash("name", name.encode())
        try:
            kind, parts = made_of(value)
        except Unseen as error:
            place = "".join(self.way[3:]).lstrip("., ") or "it"
            raise ValueError(
                f"fingerprint: {place} is {error}: it cannot be seen what is in it, and runs that differ there would "
                "be taken for one. Use arrays, numbers, functions or modules instead."
            ) from error
        return _hash(kind, *(self.digest(words, part) for words, part in parts))

    def _apart(self, item: Any) -> bytes:
        """The element of a set, by a walk of its own: which element comes first differs between processes."""
        walk = _Walk()
        walk.open, walk.way = dict(self.open), list(self.way)
        return walk.digest("", item)

    def _array(self, value: Any) -> bytes:
        array = as_array(value)
        if array.dtype.hasobject:
            return _hash("array", repr(array.shape).encode(), self.digest("items", array.ravel().tolist()))
        kind = f"{value.dtype}{array.dtype.descr}{array.shape}"
        return _hash("array", kind.encode(), hashlib.sha256(np.ascontiguousarray(array).data).digest())


def _place(key: Any) -> str:
    return f".{key}" if isinstance(key, str) else f"[{key!r:.40}]"


_PLAIN = (str, int, float, complex, bool, bytes, type(None), type(...), type(NotImplemented), range)


def _hash(kind: str, *parts: bytes) -> bytes:
    found = hashlib.sha256(f"{kind}:{len(parts)}".encode())
    for part in parts:
        found.update(len(part).to_bytes(8, "little"))
        found.update(part)
    return found.digest()
