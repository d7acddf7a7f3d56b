"""Registered things in words, for people."""

from collections.abc import Mapping
from typing import Any

from widelimit.numerics.registry import UNSAID, Registry


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
    """A default as a section holds it."""
    return default if registry is None or default is None else registry.table(default)


def _value(registry: Registry | None, given: Any) -> str:
    if isinstance(given, list | tuple):
        return f"({'; '.join(_value(registry, one) for one in given)})"
    if registry is not None:
        return in_words(registry, given)
    if isinstance(given, Mapping):
        return ", ".join(f"{name} {_value(None, one)}" for name, one in given.items())
    return f"{given:g}" if isinstance(given, float) else str(given)
