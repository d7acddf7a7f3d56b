r"""Weights from files: NumPy's `.npz`, and `.safetensors`; never a pickle, which runs what its maker put into it.

A `.safetensors` file is the length of a header (eight bytes, the lowest first), the header in JSON (name -> dtype,
shape and place of each array), and the arrays' bytes one after the other, the lowest first.
"""

import json
import math
import pathlib
from typing import Any

import numpy as np

# Longer headers are refused by the format itself.
_MOST = 100_000_000
_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1"}
_PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".joblib", ".ckpt", ".bin", ".npy")


def arrays_in(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Name -> array. Raises `ValueError` for other files, and for damaged ones."""
    if path.suffix in _PICKLES:
        raise ValueError(
            f"diagnose(model=...): {path} may hold a pickle, which can run any program; export the weights: "
            "numpy.savez(path, **{name: value.numpy() for name, value in model.state_dict().items()}) for PyTorch, "
            "numpy.savez(path, weight=..., bias=..., output=..., offset=...) for others, or safetensors."
        )
    if path.suffix not in (".npz", ".safetensors"):
        raise ValueError(f"diagnose(model=...): {path}: expected a .npz or .safetensors file.")
    try:
        return _npz(path) if path.suffix == ".npz" else _safetensors(path.read_bytes())
    except OSError as error:
        raise ValueError(f"diagnose(model=...): {path}: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError, EOFError) as error:
        raise ValueError(f"diagnose(model=...): {path} cannot be read: {error}") from error


def _npz(path: pathlib.Path) -> dict[str, np.ndarray]:
    import zipfile

    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except zipfile.BadZipFile as error:
        raise ValueError(str(error)) from error


def _safetensors(content: bytes) -> dict[str, np.ndarray]:
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or not 0 < length <= min(_MOST, len(content) - 8):
        raise ValueError("its header is longer than the file.")
    header: dict[str, Any] = json.loads(content[8 : 8 + length])
    body = memoryview(content)[8 + length :]
    return {name: _tensor(name, said, body) for name, said in header.items() if name != "__metadata__"}


def _tensor(name: str, said: dict[str, Any], body: memoryview) -> np.ndarray:
    dtype, shape, (begin, end) = said["dtype"], tuple(said["shape"]), said["data_offsets"]
    if dtype != "BF16" and dtype not in _DTYPES:
        raise ValueError(f"{name} has the dtype {dtype}; supported are BF16, {', '.join(_DTYPES)}.")
    stored = np.dtype("<u2" if dtype == "BF16" else _DTYPES[dtype])
    if not 0 <= begin <= end <= len(body) or end - begin != math.prod(shape) * stored.itemsize:
        raise ValueError(f"{name} lies outside of the file, or has another size than its shape.")
    raw = np.frombuffer(body[begin:end], stored)
    # The upper half of a float32.
    values = (raw.astype("<u4") << 16).view("<f4") if dtype == "BF16" else raw
    return values.reshape(shape)
