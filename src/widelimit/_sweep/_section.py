"""[sweep]: which keys of a problem file are varied, from the tables to one problem file a run.

    runs = (every combination of [sweep.grid]) x (the rows of [sweep.zip]) x (the tables of [[sweep.list]])

Seeds are no runs of their own: those of one setting train together, in one compiled program.
"""

import dataclasses
import itertools
import math
import pathlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator

from widelimit.runs.errors import BadInput, ProblemFileError
from widelimit.runs.parse import (
    Number,
    ProblemFile,
    Section,
    Seeds,
    Text,
    changed_tables,
    check_beside,
    describe,
    flattened,
    misfit,
    swept_schema,
)

MOST_RUNS = 1000


class DrawSection(Section):
    """A picture of the report: lines over `x`, one a value of `lines`; or, with `y`, a phase diagram over x and y."""

    x: Text
    """The key along the axis, networks.widths."""
    y: Text | None = None
    """The key along the other axis."""
    lines: Text | None = None
    """The key of which each value has a line."""


class SweepSection(Section):
    """The section as it is written; `factors` says what it asks for."""

    seeds: Seeds | None = None
    """Of every setting, trained together: a list of seeds, or how many."""
    response: Literal["risk", "held_out_risk"] = "risk"
    """What the settings are compared by."""
    tolerance: Annotated[Number, Field(gt=0)] = 0.05
    """Within this fraction of the best risk a setting is nearly as good."""
    draw: tuple[DrawSection, ...] = ()
    """Pictures of the report."""
    grid: dict[str, Any] = Field(default_factory=dict)
    """Keys and the lists of their values: every combination is run."""
    zip: dict[str, Any] = Field(default_factory=dict)
    """Keys and lists of one length, side by side."""
    list: tuple[dict[str, Any], ...] = ()
    """Tables of keys and values, one after the other."""

    @field_validator("grid", "zip")
    @classmethod
    def _flat_lists(cls, tables: dict[str, Any]) -> dict[str, Any]:
        flat = dict(flattened(tables))
        for key, values in flat.items():
            if not isinstance(values, list | tuple):
                raise misfit(f"expected a list of values, got {values!r}", key)
            if not values:
                raise misfit("the list is empty", key)
            for value in values:
                if values.count(value) > 1:
                    raise misfit(f"{value!r} is there twice", key)
        return flat

    @field_validator("zip")
    @classmethod
    def _side_by_side(cls, columns: dict[str, Any]) -> dict[str, Any]:
        if len({len(values) for values in columns.values()}) > 1:
            said = ", ".join(f"{key} has {len(values)}" for key, values in columns.items())
            raise misfit(f"the lists go side by side and must be of one length; {said}")
        return columns

    @field_validator("list")
    @classmethod
    def _same_keys(cls, tables: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        flat = tuple(dict(flattened(table)) for table in tables)
        for number, table in enumerate(flat):
            if not table:
                raise misfit(f"table {number + 1} is empty")
            if set(table) != set(flat[0]):
                raise misfit(f"table {number + 1} sets {', '.join(table)}, and the first one {', '.join(flat[0])}")
        return flat


@dataclasses.dataclass(frozen=True)
class Factor:
    """Keys that are varied together, and their values: one level, key -> value, after another."""

    keys: tuple[str, ...]
    levels: tuple[dict[str, Any], ...]


@dataclasses.dataclass(frozen=True)
class Setting:
    """One run: the number of each factor's level, key -> value, and the problem file that it is."""

    level: tuple[int, ...]
    values: dict[str, Any]
    file: ProblemFile


def sweep_schema() -> dict[str, Any]:
    """The JSON schema of a problem file with a [sweep]."""
    return swept_schema(SweepSection)


def read_section(tables: Mapping[str, Any], name: str) -> SweepSection:
    """The [sweep] of a problem file, checked. Raises `ProblemFileError` with the key."""
    given = tables.get("sweep")
    if not isinstance(given, dict):
        raise ProblemFileError(name, "[sweep]", "is missing; it says over which keys to sweep.")
    try:
        section = SweepSection.model_validate(given)
    except ValidationError as error:
        first: Any = error.errors()[0]
        inner = [first["ctx"]["key"]] if first["type"] == "misfit" and first["ctx"].get("key") else []
        keys = ".".join(str(key) for key in (*first["loc"], *inner))
        raise ProblemFileError(name, f"[sweep] {keys}".strip(), f"{describe(first)}.") from None
    known = factors(section)
    if not known and section.seeds is None:
        raise ProblemFileError(name, "[sweep]", "varies nothing; say grid, zip, list or seeds.")
    seen: set[str] = {"networks.seeds"} if section.seeds is not None else set()
    for key in (key for factor in known for key in factor.keys):
        if key in seen:
            raise ProblemFileError(name, f"[sweep] {key}", "is set in two places.")
        seen.add(key)
    return section


def factors(section: SweepSection) -> tuple[Factor, ...]:
    """What is varied: each key of the grid, the rows of the zip, the tables of the list."""
    found = [Factor((key,), tuple({key: value} for value in values)) for key, values in section.grid.items()]
    if section.zip:
        rows = zip(*section.zip.values(), strict=True)
        found.append(Factor(tuple(section.zip), tuple(dict(zip(section.zip, row, strict=True)) for row in rows)))
    if section.list:
        found.append(Factor(tuple(section.list[0]), section.list))
    return tuple(found)


def settings(tables: Mapping[str, Any], section: SweepSection, path: pathlib.Path, most: int) -> list[Setting]:
    """Every run of a sweep over the problem file with these tables at `path`, each checked as a file of its own.

    Raises `BadInput` for more than `most`, `ProblemFileError` for a setting that is no problem file.
    """
    varied = factors(section)
    count = math.prod(len(factor.levels) for factor in varied)
    if count > most:
        raise BadInput(f"{path}: [sweep]: asks for {count:,} runs, more than --max-runs {most:,}.")
    base = {key: value for key, value in tables.items() if key != "sweep"}
    title = base.get("title", path.stem)
    found = []
    for level in itertools.product(*(range(len(factor.levels)) for factor in varied)):
        values: dict[str, Any] = {}
        for factor, number in zip(varied, level, strict=True):
            values |= factor.levels[number]
        try:
            changed = changed_tables(base, values)
            if section.seeds is not None:
                changed = changed_tables(changed, {"networks.seeds": list(section.seeds)})
            if isinstance(title, str) and values:
                changed["title"] = f"{title}: {in_words(values)}"
            file = check_beside(changed, path)
        except ProblemFileError as error:
            inner = f"{error.place}: {error.text}" if error.place else error.text
            raise ProblemFileError(str(path), f"[sweep] {in_words(values)}", inner) from None
        found.append(Setting(level, values, file))
    return found


def short(key: str) -> str:
    """`step` for `networks.step`, `output std` for `start.output.std`; a width is of one network."""
    section, _, rest = key.partition(".")
    words = (rest if section in ("networks", "time", "start", "limit", "unit") and rest else key).replace(".", " ")
    return "width" if words == "widths" else words.replace("_", " ")


def in_words(values: Mapping[str, Any]) -> str:
    """`width 32, step 0.01`."""
    return ", ".join(f"{short(key)} {value_in_words(value)}" for key, value in values.items())


def value_in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return "; ".join(map(value_in_words, value))
    if isinstance(value, dict):
        return ", ".join(f"{key} {value_in_words(one)}" for key, one in value.items())
    return str(value)
