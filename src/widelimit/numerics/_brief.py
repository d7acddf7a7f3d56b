"""A record in a few words, for a terminal."""

import dataclasses
from typing import Any

import numpy as np
from jax.core import Tracer

# A longer text is cut.
_MOST = 72


def brief(record: Any) -> str:
    """`Neuron(tanh, bias=True)`: the class and those fields that are a number, a text, or have a name.

    `None` for None; tables and functions without a name are left out, so that the text is short whatever the sizes.
    """
    if record is None or not dataclasses.is_dataclass(record):
        return str(getattr(record, "name", None) or getattr(record, "__name__", None) or record)[:_MOST]
    name = getattr(record, "name", None)
    if isinstance(name, str):
        return name
    said = [_field(field.name, getattr(record, field.name, None)) for field in dataclasses.fields(record)]
    said = [part for part in said if part]
    text = f"{type(record).__name__}({', '.join(said)})" if said else type(record).__name__
    return text if len(text) <= _MOST else f"{text[: _MOST - 2]}…)"


def _field(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(part for part in (_field(key, one) for key, one in value.items()) if part)
    if isinstance(value, bool | int | float | str):
        return f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
    if isinstance(getattr(value, "name", None), str):
        return value.name
    if getattr(value, "shape", None) == () and not isinstance(value, Tracer):
        return f"{name}={np.asarray(value).item():g}" if np.issubdtype(value.dtype, np.number) else ""
    return ""
