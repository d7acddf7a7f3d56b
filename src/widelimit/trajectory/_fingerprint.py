"""A hash of what a run is made of: a checkpoint is only resumed by the run that wrote it."""

import hashlib
import types
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def fingerprint(*parts: Any) -> str:
    """Equal for equal arrays, numbers, structures and functions (by name, code and captured values)."""
    digest = hashlib.sha256()
    for leaf, path in _leaves(parts):
        digest.update(path.encode())
        digest.update(_bytes(leaf))
    return digest.hexdigest()[:32]


def as_array(leaf: Any) -> np.ndarray:
    """A leaf as a NumPy array; random keys as their integers."""
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return np.asarray(jax.random.key_data(leaf))
    return np.asarray(leaf)


def _leaves(tree: Any) -> list[tuple[Any, str]]:
    flat, structure = jax.tree.flatten_with_path(tree)
    static = _static(structure)
    return [(leaf, jax.tree_util.keystr(path)) for path, leaf in flat] + [(text, "static") for text in static]


def _static(structure: Any) -> list[str]:
    """The static fields of the modules in a tree structure, without addresses."""
    found: list[str] = []
    node = structure.node_data()
    if node is not None:
        kind, data = node
        found.append(f"{kind.__module__}.{kind.__qualname__}:{_bytes(data).hex()}")
    for child in structure.children():
        found.extend(_static(child))
    return found


def _bytes(value: Any) -> bytes:
    if isinstance(value, jax.Array | np.ndarray | np.generic):
        array = as_array(value)
        return f"{array.dtype}{array.shape}".encode() + array.tobytes()
    if isinstance(value, types.FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        captured = b"".join(_bytes(item) for item in (*cells, *(value.__defaults__ or ())))
        constants = b"".join(_bytes(item) for item in value.__code__.co_consts)
        return value.__qualname__.encode() + value.__code__.co_code + constants + captured
    if isinstance(value, types.CodeType):
        return value.co_code
    if isinstance(value, tuple | list):
        return b"(" + b",".join(_bytes(item) for item in value) + b")"
    if isinstance(value, dict):
        return b"{" + b",".join(_bytes(item) for item in sorted(value.items(), key=str)) + b"}"
    if isinstance(value, str | int | float | bool | bytes | type(None) | np.dtype):
        return repr(value).encode()
    kind = value if isinstance(value, type) else type(value)
    named = getattr(value, "__qualname__", "")
    return f"{kind.__module__}.{kind.__qualname__}.{named}".encode()
