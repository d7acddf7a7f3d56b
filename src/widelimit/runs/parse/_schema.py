"""The schema of registered things: a pydantic model for each, made from what its registry says of it.

Numbers, texts and flags are strict: TOML has types, so "3" is a mistake where 3 is meant.
"""

import functools
import operator
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ForwardRef, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    Strict,
    WrapValidator,
    create_model,
    model_validator,
)
from pydantic_core import PydanticCustomError

from widelimit.numerics.registry import UNSAID, Entry, Registry, Value

from ._words import shown, unknown

# Squares and products of a few such numbers are still numbers.
_SMALLEST, _LARGEST = 1e-50, 1e50


def _sensible(value: float) -> float:
    if value and not _SMALLEST <= abs(value) <= _LARGEST:
        raise ValueError(f"must be 0 or between {_SMALLEST:g} and {_LARGEST:g} in size, got {value:g}")
    return value


Number = Annotated[float, Strict(), Field(allow_inf_nan=False), AfterValidator(_sensible)]
Whole = Annotated[int, Strict()]
Flag = Annotated[bool, Strict()]
Text = Annotated[str, Strict(), Field(min_length=1)]
Made = TypeVar("Made", bound="Section")


class Section(BaseModel):
    """A table with known keys; an unknown one is refused with the nearest that is known."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, given: Any) -> Any:
        if isinstance(given, dict):
            for key in given:
                if key not in cls.model_fields:
                    raise misfit(unknown(key, list(cls.model_fields)), key)
        return given


def misfit(text: str, key: str = "") -> PydanticCustomError:
    """An error at `key` of the section that is being read, or at the section itself."""
    return PydanticCustomError("misfit", "{text}", {"text": text, "key": key})


class Schema:
    """The models of all things of all registries that are asked for, made once.

    A registry may hold things made of others of its own (a mixture of laws): inside, its name stands for the type.
    """

    def __init__(self) -> None:
        self._types: dict[str, Any] = {}

    def of(self, registry: Registry) -> Any:
        """The type of a thing of the registry."""
        if registry.concept not in self._types:
            self._types[registry.concept] = ForwardRef(registry.concept)
            models = {entry.name: self._model(registry, entry) for entry in registry}
            self._types[registry.concept] = one_of(registry, models)
            for model in models.values():
                model.model_rebuild(_types_namespace=self._types)
        return self._types[registry.concept]

    def _model(self, registry: Registry, entry: Entry) -> type[Section]:
        values = {name: self.field(value) for name, value in entry.said.items()}
        return model(entry.name, Section, {registry.tag: Literal[entry.name]} | values)

    def field(self, value: Value, default: Any = UNSAID) -> Any:
        """The type of a key, or (type, default); the default is the value's own unless another is given."""
        known = value.default if default is UNSAID else default
        # What follows from the place has no default here.
        kind, known = self._type(value), None if value.fact else known
        return kind if known is UNSAID else (kind | None, None) if known is None else (kind, known)

    def _type(self, value: Value) -> Any:
        one = self.of(value.registry) if value.registry is not None else _plain(value)
        if value.many == "table":
            return Annotated[dict[str, one], Field(min_length=1)]
        return Annotated[tuple[one, ...], BeforeValidator(as_list), Field(min_length=1)] if value.many else one


def model(name: str, base: type[Made], fields: Mapping[str, Any]) -> type[Made]:
    """A section whose keys are only known now: types, or (type, default)."""
    make: Any = create_model
    return make(name, __base__=base, **fields)


def one_of(registry: Registry, models: Mapping[str, type[Section]], *, default: str | None = None) -> Any:
    """The type of a table that is one of `models`, by its tag; a name or a plain value may stand for it.

    `default`: what a table without a tag is.
    """
    names = tuple(models)
    # A union of one is none, and would know no tag.
    kinds: Any = functools.reduce(operator.or_, models.values())
    tagged = kinds if len(names) == 1 else Annotated[kinds, Field(discriminator=registry.tag)]

    def table(given: Any) -> Any:
        said = registry.table(given)
        if not isinstance(said, dict):
            raise misfit(f"expected a table, got {shown(given)}")
        if registry.tag not in said and default is not None:
            said = {registry.tag: default, **said}
        if registry.tag not in said:
            raise misfit(f"is missing; allowed are {', '.join(names)}", registry.tag)
        if said[registry.tag] not in names:
            raise misfit(unknown(said[registry.tag], names), registry.tag if isinstance(given, dict) else "")
        return said

    return Annotated[tagged, BeforeValidator(table)]


def as_list(value: Any) -> Any:
    """A text alone as a list of one."""
    return [value] if isinstance(value, str) else value


def _plain(value: Value) -> Any:
    """The type of a number, whole number, flag or text."""
    if value.kind == "flag":
        return Flag
    if value.kind == "text":
        return Literal[value.names] if value.names else Text
    bounds = Field(gt=value.above, ge=value.least, lt=value.below, le=value.most)
    number = Annotated[Whole if value.kind == "whole" else Number, bounds]
    if not value.words:
        return number
    return Annotated[number, WrapValidator(_or_words(tuple(value.words))), PlainSerializer(lambda v: v, Any)]


def _or_words(words: tuple[str, ...]) -> Callable[[Any, Callable[[Any], Any]], Any]:
    """A number, or one of the words for one."""

    def either(given: Any, number: Callable[[Any], Any]) -> Any:
        if isinstance(given, str) and given not in words:
            raise ValueError(f"expected a number or {' or '.join(map(repr, words))}, got {shown(given)}")
        return given if isinstance(given, str) else number(given)

    return either
