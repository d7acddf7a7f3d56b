"""The schema of registered things: a pydantic model for each, made from what its registry says of it.

Numbers, texts and flags are strict: TOML has types, so "3" is a mistake where 3 is meant.
"""

import dataclasses
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
    GetJsonSchemaHandler,
    PlainSerializer,
    Strict,
    WrapValidator,
    create_model,
    model_validator,
)
from pydantic_core import PydanticCustomError

from widelimit.numerics.registry import UNSAID, Entry, Registry, Value

from ._words import about, about_key, shown, unknown

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
    """A table with known keys; an unknown one is refused with the nearest that is known.

    The text below a key is what editors show for it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, use_attribute_docstrings=True)

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


# Compared by identity: what annotations hold must be hashable.
@dataclasses.dataclass(frozen=True, eq=False)
class Shorthand:
    """What a JSON schema has to know of a validator that takes more than the type says.

    `others`: schemas of what may stand for a value; `alone`: whether an entry may stand for a list of one.
    """

    others: tuple[dict[str, Any], ...] = ()
    alone: bool = False

    def __get_pydantic_json_schema__(self, core: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        inner = handler(core)
        others = [*self.others, inner["items"]] if self.alone else list(self.others)
        return {"anyOf": [*others, inner]} if others else inner


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
        fields = {registry.tag: Literal[entry.name]} | self.fields(entry, entry.said)
        return model(entry.name, Section, fields, about(entry))

    def fields(self, entry: Entry, values: Mapping[str, Value]) -> dict[str, Any]:
        """The types of keys of a registered thing, with what its documentation says of each."""
        return {name: self.field(value, about=about_key(entry, name)) for name, value in values.items()}

    def field(self, value: Value, default: Any = UNSAID, about: str = "") -> Any:
        """(type, default) of a key; the default is the value's own unless another is given."""
        known = value.default if default is UNSAID else default
        # What follows from the place has no default here.
        kind, known = self._type(value), None if value.fact else known
        told = Field(description=about or None) if known is UNSAID else Field(known, description=about or None)
        return (kind | None if known is None else kind, told)

    def _type(self, value: Value) -> Any:
        one = self.of(value.registry) if value.registry is not None else _plain(value)
        if value.many == "table":
            return Annotated[dict[str, one], Field(min_length=1)]
        listed = Annotated[
            tuple[one, ...], Field(min_length=1), BeforeValidator(as_list), Shorthand(alone=value.kind == "text")
        ]
        return listed if value.many else one


def model(name: str, base: type[Made], fields: Mapping[str, Any], doc: str = "") -> type[Made]:
    """A section whose keys are only known now: types, or (type, default); `doc` says what it is."""
    make: Any = create_model
    # There is no source text to look for descriptions in: pydantic would read through that of this function's.
    no_source = {"use_attribute_docstrings": False}
    return make(name, __base__=base, __doc__=doc or base.__doc__, __cls_kwargs__=no_source, **fields)


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

    bare = [name for name, one in models.items() if _needs_nothing(one, registry.tag)]
    others: tuple[dict[str, Any], ...] = ({"enum": bare},) if bare else ()
    if registry.plain is not None:
        others = (*others, _plain_schema(registry[registry.plain]))
    return Annotated[tagged, BeforeValidator(table), Shorthand(others)]


def _plain_schema(entry: Entry) -> dict[str, Any]:
    """Of the first value of a thing, which may stand for it: a number, or numbers by name."""
    number = {"type": "number", "description": about(entry)}
    by_name = next(iter(entry.values.values())).many == "table"
    return {"type": "object", "additionalProperties": number} if by_name else number


def _needs_nothing(section: type[Section], tag: str) -> bool:
    return not any(field.is_required() for name, field in section.model_fields.items() if name != tag)


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
    either = WrapValidator(_or_words(tuple(value.words)))
    words = Shorthand(({"enum": list(value.words)},))
    return Annotated[number, either, PlainSerializer(lambda v: v, Any), words]


def _or_words(words: tuple[str, ...]) -> Callable[[Any, Callable[[Any], Any]], Any]:
    """A number, or one of the words for one."""

    def either(given: Any, number: Callable[[Any], Any]) -> Any:
        if isinstance(given, str) and given not in words:
            raise ValueError(f"expected a number or {' or '.join(map(repr, words))}, got {shown(given)}")
        return given if isinstance(given, str) else number(given)

    return either
