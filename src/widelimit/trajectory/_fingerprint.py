"""A hash of what a run is made of: a checkpoint is only resumed by the run that wrote it."""

import functools
import hashlib
import types
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def fingerprint(*parts: Any) -> str:
    """Equal for equal arrays, numbers, structures and functions, in any process.

    A function counts by its name, its code, its defaults and the arrays, numbers and functions that it captures or
    refers to; one that is met again, by its number.
    """
    return hashlib.sha256(_bytes(parts, frozenset(), {})).hexdigest()[:32]


def as_array(leaf: Any) -> np.ndarray:
    """A leaf as a NumPy array; random keys as their integers."""
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return np.asarray(jax.random.key_data(leaf))
    return np.asarray(leaf)


def _bytes(value: Any, above: frozenset[int], met: dict[int, tuple[int, Any]]) -> bytes:
    """The content of a value.

    `above` holds the ids of what encloses it, so that a cycle ends. `met` numbers the functions seen so far, and keeps
    them alive, so that no id is used twice: functions refer to one another, and there are many ways from one to the
    next.
    """
    if id(value) in above and not isinstance(value, str | int | float | bool | bytes | type(None)):
        return b"cycle"
    if isinstance(value, types.FunctionType | types.CodeType):
        if id(value) in met:
            return f"again:{met[id(value)][0]}".encode()
        met[id(value)] = len(met), value
    inside = above | {id(value)}

    def each(items: Any) -> bytes:
        return b"(" + b",".join(_bytes(item, inside, met) for item in items) + b")"

    if isinstance(value, jax.Array | np.ndarray | np.generic):
        array = as_array(value)
        return f"{array.dtype}{array.shape}".encode() + array.tobytes()
    if isinstance(value, str | int | float | complex | bool | bytes | type(None) | np.dtype):
        return f"{type(value).__name__}:{value!r}".encode()
    if isinstance(value, dict):
        return b"d" + each(sorted(value.items(), key=lambda item: str(item[0])))
    if isinstance(value, types.CodeType):
        return value.co_code + each(value.co_names) + each(value.co_consts)
    if isinstance(value, types.FunctionType):
        return _name(value) + each((value.__code__, value.__defaults__, value.__kwdefaults__, *_captured(value)))
    if isinstance(value, types.MethodType):
        return b"m" + each((value.__self__, value.__func__))
    if isinstance(value, functools.partial):
        return b"p" + each((value.func, value.args, value.keywords))
    if isinstance(value, type | types.BuiltinFunctionType | np.ufunc | types.ModuleType):
        return _name(value)
    if callable(value) and getattr(value, "__wrapped__", None) is not None:
        return _name(value) + each((value.__wrapped__,))
    leaves, structure = jax.tree.flatten(value)
    if len(leaves) == 1 and leaves[0] is value:
        return _name(value)
    return each((*_static(structure, inside, met), *leaves))


def _captured(function: types.FunctionType) -> list[Any]:
    """What a function closes over, and the globals it names that are values rather than library code.

    Of a function that an installed package made, a decorator's say, only the data and the functions that it closes
    over: what else it refers to is the package's own machinery.
    """
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    if _is_made_by_others(function):
        return [item for item in cells if isinstance(item, _DATA)]
    named = [function.__globals__.get(name) for name in _names_in(function.__code__)]
    return [*cells, *(item for item in named if not _is_installed(item))]


def _names_in(code: types.CodeType) -> list[str]:
    """The names that a function and the functions within it refer to."""
    within = [item for item in code.co_consts if isinstance(item, types.CodeType)]
    return sorted({*code.co_names, *(name for item in within for name in _names_in(item))})


def _is_installed(value: Any) -> bool:
    """What other packages define is known by the versions in the provenance."""
    module = getattr(value, "__module__", None) or ""
    return isinstance(value, types.ModuleType | type) or module.split(".")[0] in _INSTALLED


def _is_made_by_others(function: types.FunctionType) -> bool:
    return any(part in function.__code__.co_filename for part in ("site-packages", "dist-packages"))


# With the functions, through which decorators reach what they decorate.
_DATA = (jax.Array, np.ndarray, np.generic, str, int, float, complex, bytes, tuple, list, dict, types.FunctionType)
_INSTALLED = ("builtins", "jax", "jaxlib", "numpy", "scipy", "equinox", "diffrax", "widelimit")


def _name(value: Any) -> bytes:
    kind = value if isinstance(value, type) else type(value)
    named = getattr(value, "__qualname__", getattr(value, "__name__", ""))
    return f"{kind.__module__}.{kind.__qualname__}.{getattr(value, '__module__', '')}.{named}".encode()


def _static(structure: Any, above: frozenset[int], met: dict[int, tuple[int, Any]]) -> list[bytes]:
    """The types and the static fields of the modules in a tree structure."""
    node = structure.node_data()
    found = [] if node is None else [_name(node[0]) + _bytes(node[1], above, met)]
    for child in structure.children():
        found.extend(_static(child, above, met))
    return found
