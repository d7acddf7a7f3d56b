"""Sentences for what is wrong with a value, and registered things in words."""

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

from widelimit import results
from widelimit.numerics.registry import UNSAID, Entry, Registry


def unknown(given: Any, allowed: Sequence[str]) -> str:
    """`'tanhh' is not known; allowed are tanh, relu. Did you mean 'tanh'?`, for whatever was given."""
    if isinstance(given, str):
        return results.unknown(given, allowed)
    return f"expected one of {', '.join(allowed)}, got {shown(given)}"


def shown(value: Any) -> str:
    """A value as it was given, cut where it is long."""
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


_EXPECTED = {
    "float": "a number",
    "int": "a whole number",
    "string": "text in quotes",
    "bool": "true or false",
    "model": "a table",
    "model_attributes": "a table",
    "dict": "a table",
    "tuple": "a list",
    "list": "a list",
}
_BOUNDS = {
    "greater_than": ("gt", "must be greater than"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be less than"),
    "less_than_equal": ("le", "must be at most"),
}


def describe(error: Any) -> str:
    """One of pydantic's error records in a sentence."""
    kind, given, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "missing":
        return "is missing"
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"{words} {context[name]:g}, got {shown(given)}"
    if kind == "finite_number":
        return f"must be finite, got {shown(given)}"
    if kind == "literal_error":
        return unknown(
            given, [name.strip().strip("'") for name in context["expected"].replace(" or ", ", ").split(",")]
        )
    if kind == "string_too_short":
        return "must not be empty"
    if kind == "too_short":
        return f"expected {context['min_length']} or more entries, got {context['actual_length']}"
    if kind == "too_long":
        return f"has too many entries, at most {context['max_length']} are allowed"
    if kind == "value_error":
        return str(context["error"])
    if kind == "misfit":
        return context["text"]
    expected = _EXPECTED.get(kind.removesuffix("_type"))
    return f"expected {expected}, got {shown(given)}" if expected else f"{error['msg']}, got {shown(given)}"


def changes(old: Any, new: Any, place: str = "") -> str:
    """`time.t1 was 0.5 and is 0.6, ...`: where two values made of tables and lists differ; empty where they do not."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [key for key in dict.fromkeys([*old, *new]) if old.get(key) != new.get(key)]
        return ", ".join(changes(old.get(key), new.get(key), f"{place}.{key}".lstrip(".")) for key in keys)
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new) and isinstance((old or [0])[0], dict):
        pairs = [(i, a, b) for i, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
        return ", ".join(changes(a, b, f"{place} {i + 1}") for i, a, b in pairs)
    if isinstance(old, list) and isinstance(new, list) and len(old) != len(new):
        return f"{place} had {len(old)} and has {len(new)}"
    return "" if old == new else f"{place} was {shown(old)} and is {shown(new)}"


def about(entry: Entry) -> str:
    """The first sentence of the documentation of a registered thing; sentences end outside of formulas only."""
    text = " ".join((inspect.getdoc(entry.maker) or "").split("\n\n")[0].split())
    first = re.match(r"(?:\$[^$]*\$|[^$])*?(?=[.:;,]*(?:[.:;] |$))", text)
    return first[0] if first else text


def about_key(entry: Entry, key: str) -> str:
    """What the documentation of a registered thing says of one of its values, "- `step`, `batch`: ..."; or nothing."""
    lines = inspect.getdoc(entry.maker) or ""
    for names, text in re.findall(r"^ *- ((?:`\w+`(?:, | and )?)+): (.*?)(?=\n *- |\n *\n|\Z)", lines, re.M | re.S):
        if f"`{key}`" in names:
            return " ".join(text.split())
    return ""


def in_words(registry: Registry, said: Any, *, brief: bool = False) -> str:
    """`neuron, activation tanh, bias, output weight`: a thing and its values; if `brief`, without the defaults."""
    table = registry.table(said)
    entry = registry[table[registry.tag]]
    # Abbreviations in capitals, as their classes have them.
    capitals = entry.maker.__name__ == entry.name.upper()
    words = [entry.name.upper() if capitals else entry.name.replace("_", " ")]
    for key, value in entry.said.items():
        given = table.get(key)
        usual = value.default is not UNSAID and given == _plain(value.registry, value.default)
        if given is None or (brief and usual):
            continue
        name = key.replace("_", " ")
        if isinstance(given, bool):
            words.append(name if given else f"no {name}")
        else:
            words.append(f"{name} {_value(value.registry, given)}")
    return ", ".join(words)


def _plain(registry: Registry | None, default: Any) -> Any:
    """A default as a section holds it, with what is left out in it."""
    if registry is None or default is None:
        return default
    table = registry.table(default)
    entry = registry[table[registry.tag]]
    rest = {key: _plain(value.registry, value.default) for key, value in entry.said.items() if key not in table}
    return table | {key: value for key, value in rest.items() if value is not UNSAID}


def _value(registry: Registry | None, given: Any) -> str:
    if isinstance(given, list | tuple):
        return f"({'; '.join(_value(registry, one) for one in given)})"
    if registry is not None:
        return in_words(registry, given)
    if isinstance(given, Mapping):
        return ", ".join(f"{name} {_value(None, one)}" for name, one in given.items())
    return f"{given:g}" if isinstance(given, float) else str(given)
