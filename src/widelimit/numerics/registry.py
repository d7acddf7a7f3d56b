"""Registries: what the things of a concept are called where only text can be written, and what may be said of each.

A thing is known by one line where it is defined:

    registry.add("radial_basis", RadialBasis, width=positive)

From this come the problem file's schema, its messages and its builder, lists for tests, and the tables of the docs.
"""

import dataclasses
import inspect
import keyword
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from widelimit.results import one_of

UNSAID: Any = object()
"""The default of a value that has to be said."""
# No machine holds more of anything than this; the bound turns a slip into a sentence.
_MOST = 10**8


@dataclasses.dataclass(frozen=True)
class Value:
    """What one value may be.

    - `kind`: "number", "whole", "flag", "text", "named" (a thing of `registry`), or "given": never said.
    - `above`, `least`, `below`, `most`: bounds of a number. `names`: the texts that are allowed; any if empty.
    - `words`: texts that stand for a number which depends on the place.
    - `many`: "list" of such values, "table" from names to such values, or "" for one.
    - `fact`: the fact of the place that is taken where nothing is said.
    - `default`: what counts when it is left out; that of the maker's parameter unless it is said here.
    - `argument`: whether the maker takes it; else it is for the place to read.
    - `doubled`: (first, most) of a count that is doubled until the result rests; `coarser`: by what a tolerance or step
      is multiplied to see its error.
    """

    kind: str
    above: float | None = None
    least: float | None = None
    below: float | None = None
    most: float | None = None
    names: tuple[str, ...] = ()
    words: Mapping[str, Callable[[Mapping[str, Any]], float]] = dataclasses.field(default_factory=dict)
    registry: "Registry | None" = None
    many: str = ""
    fact: str = ""
    default: Any = UNSAID
    argument: bool = True
    doubled: tuple[int, int] | None = None
    coarser: float | None = None

    def resolve(self, said: Any, place: Mapping[str, Any]) -> Any:
        """What the maker is given for `said`: named things are made, words looked up."""
        if self.many == "table":
            return {name: self._one(value, place) for name, value in said.items()}
        return [self._one(value, place) for value in said] if self.many else self._one(said, place)

    def _one(self, said: Any, place: Mapping[str, Any]) -> Any:
        if self.registry is not None:
            return self.registry.make(said, **place)
        return self.words[said](place) if self.words and isinstance(said, str) else said


@dataclasses.dataclass(frozen=True)
class Entry:
    """A registered thing: its name, what makes it, and the values it takes (their defaults filled in)."""

    name: str
    maker: Callable[..., Any]
    values: Mapping[str, Value]

    @property
    def said(self) -> dict[str, Value]:
        """The values that a user may say."""
        return {name: value for name, value in self.values.items() if value.kind != "given"}


class Registry:
    """The things of one concept by name.

    - `concept`: "unit", "activation", ...; `tag`: the key of a table that names the thing.
    - `plain`: the thing that is meant where its first value alone is written: a number for a constant schedule.
    - `usual`: what a table without a tag is.
    """

    def __init__(self, concept: str, *, tag: str = "kind", plain: str | None = None, usual: str | None = None) -> None:
        self.concept, self.tag, self.plain, self.usual = concept, tag, plain, usual
        self._entries: dict[str, Entry] = {}

    def add(self, name: str, maker: Callable[..., Any], /, **values: Value) -> None:
        """Make a thing known: `maker(**values)` gives it.

        Raises `ValueError` for a name that is taken or none, for a value that the maker does not take, and for one that
        it needs and that is not declared.
        """
        here = f"registry of {self.concept}: {name!r}"
        if not name.isidentifier() or keyword.iskeyword(name):
            raise ValueError(f"{here} cannot be a name; use letters, digits and _.")
        if name in self._entries:
            raise ValueError(f"{here} is registered already, as {self._entries[name].maker!r}.")
        parameters = inspect.signature(maker).parameters
        for key, value in values.items():
            if key == self.tag or (value.argument and key not in parameters):
                raise ValueError(f"{here}: {maker!r} takes no {key!r}.")
        for key, parameter in parameters.items():
            if parameter.default is parameter.empty and key not in values:
                raise ValueError(f"{here}: {maker!r} needs {key!r}; say what it may be.")
        filled = {key: _with_default(value, parameters.get(key)) for key, value in values.items()}
        self._entries[name] = Entry(name, maker, filled)

    def __iter__(self) -> Iterator[Entry]:
        return iter([self._entries[name] for name in self.names])

    def __getitem__(self, name: str) -> Entry:
        """Raises `ValueError` for a name that is not known, with the nearest that is."""
        return self._entries[one_of(name, self.names, self.concept)]

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in alphabetical order: that of the imports means nothing."""
        return tuple(sorted(self._entries))

    def table(self, said: Any) -> Any:
        """What was said as a table with a tag, where a name or a plain value stands for it; else as it is."""
        if isinstance(said, str):
            return {self.tag: said}
        if self.usual is not None and isinstance(said, Mapping) and self.tag not in said:
            return {self.tag: self.usual, **said}
        if self.plain is None or said is None or (isinstance(said, Mapping) and self.tag in said):
            return said
        return {self.tag: self.plain, next(iter(self[self.plain].values)): said}

    def make(self, said: Any, /, **place: Any) -> Any:
        """The thing that a (checked) table, name or plain value stands for; None counts as left out.

        `place`: the facts of the place where it stands.
        """
        table = self.table(said)
        entry = self[table[self.tag]]
        arguments: dict[str, Any] = {}
        for key, value in entry.values.items():
            said = table.get(key)
            if said is None and value.fact:
                arguments[key] = _fact(value.fact, place, key)
            elif value.argument and said is not None:
                arguments[key] = value.resolve(said, place)
            elif value.argument and value.default is UNSAID:
                raise ValueError(f"{self.concept} {entry.name!r}: {key!r} is missing.")
            elif value.argument and value.default is not None:
                arguments[key] = value.resolve(value.default, place)
        return entry.maker(**arguments)


def _with_default(value: Value, parameter: inspect.Parameter | None) -> Value:
    """The value with the default of the maker's parameter; an object of a class counts as left out."""
    if value.default is not UNSAID or parameter is None:
        return value
    plain = isinstance(parameter.default, bool | int | float | str)
    default = UNSAID if parameter.default is parameter.empty else parameter.default if plain else None
    return dataclasses.replace(value, default=default)


def _fact(name: str, place: Mapping[str, Any], key: str) -> Any:
    if place.get(name) is None:
        raise ValueError(f"needs {key!r}, since there is no {name} to take.")
    return place[name]


def number(
    *,
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
    most: float | None = None,
    default: Any = UNSAID,
    words: Mapping[str, Callable[[Mapping[str, Any]], float]] | None = None,
    coarser: float | None = None,
    argument: bool = True,
) -> Value:
    """A finite number within bounds, or one of the `words` for one."""
    known = dict(words or {})
    return Value("number", above, least, below, most, words=known, default=default, coarser=coarser, argument=argument)


def whole(
    *,
    least: int = 1,
    most: int = _MOST,
    default: Any = UNSAID,
    doubled: tuple[int, int] | None = None,
    argument: bool = True,
) -> Value:
    """A whole number."""
    return Value("whole", least=least, most=most, default=default, doubled=doubled, argument=argument)


def choice(*names: str, default: Any = UNSAID) -> Value:
    """One of some texts."""
    return Value("text", names=names, default=default)


def named(registry: Registry, *, default: Any = UNSAID) -> Value:
    """A thing of a registry: by its name where it needs no values, as a table with them, or plain."""
    return Value("named", registry=registry, default=default)


def several(value: Value) -> Value:
    """A list of values."""
    return dataclasses.replace(value, many="list")


def by_name(value: Value) -> Value:
    """A table from names (of blocks, say) to values."""
    return dataclasses.replace(value, many="table")


def given(fact: str) -> Value:
    """Not said by anyone: a fact of the place, such as the shape of the block whose law it is."""
    return Value("given", fact=fact)


def left_to(fact: str, value: Value) -> Value:
    """A value that follows from a fact of the place where it is not said."""
    return dataclasses.replace(value, fact=fact, default=None)


positive = number(above=0.0)
flag = Value("flag")
text = Value("text")
