"""The papers by name: a module each, imported when it is asked for."""

import importlib

from widelimit.results import one_of

from ._paper import Paper

# The module has the paper as its `paper`.
HOMES: dict[str, str] = {"mei2018": "widelimit.papers.mei2018", "yarotsky2018": "widelimit.papers.yarotsky2018"}


def names() -> tuple[str, ...]:
    """The papers there are."""
    return tuple(HOMES)


def named(name: str) -> Paper:
    """A paper by its key. Raises `ValueError` with the keys there are."""
    return importlib.import_module(HOMES[one_of(name, names(), "paper")]).paper
