"""A problem file: TOML, checked key by key before anything is computed."""

import functools
import pathlib
import re
import tomllib
from typing import Any

from pydantic import Field, ValidationError, model_validator

from widelimit import dynamics
from widelimit.measure import laws
from widelimit.problem import domains, losses, mobilities, networks, penalties, scales, units
from widelimit.results import did_you_mean

from ..errors import BadInput, ProblemFileError, place
from ..paths import local
from ._schema import Schema, Section, Text, misfit, model
from ._sections import (
    DataSection,
    LimitSection,
    NetworksSection,
    PenaltySection,
    PredictSection,
    TimeSection,
    limit_of,
    networks_of,
    penalty_of,
)
from ._words import describe

# What a block starts as where nothing is said, by its name.
_STARTS: dict[str, dict[str, Any]] = {
    "weight": {"law": "normal", "std": "1/sqrt(d)"},
    "bias": {"law": "atom"},
    "offset": {"law": "atom"},
}


class ProblemFile(Section):
    """All of a problem file. Sections that are one thing of a registry have its name and values as their fields."""

    title: Text | None = None
    data: DataSection
    unit: Any = None
    network: Any = None
    loss: Any
    penalty: PenaltySection
    domain: dict[str, Any] = Field(default_factory=dict)
    mobility: Any = None
    scale: Any = None
    start: dict[str, Any] = Field(default_factory=dict)
    time: TimeSection
    limit: LimitSection
    networks: tuple[NetworksSection, ...] = ()
    predict: PredictSection = PredictSection()

    def law(self, block: str) -> dict[str, Any]:
        """The start of a block: as said, or standard normal, weights of std 1/sqrt(d) and biases and offsets zero."""
        said = self.start.get(block)
        return said.model_dump() if said is not None else _STARTS.get(block, {"law": "normal"})

    @model_validator(mode="after")
    def _one_network(self) -> "ProblemFile":
        kind = "two_layer" if self.network is None else self.network.kind
        means = "unit" in networks.registry[kind].values
        if self.unit is None and means:
            raise misfit("is missing; or a [network] of a kind that is no mean of units", "unit")
        if getattr(self.network, "scale", None) is not None and self.scale is not None:
            raise misfit("does not go with [network] scale: they say the same", "scale")
        if not means:
            for section, why in (
                ("unit", "it is one or the other"),
                ("scale", "each of its levels is a mean"),
            ):
                if getattr(self, section) is not None:
                    raise misfit(f"does not go with [network] {kind}: {why}", section)
        return self

    @model_validator(mode="after")
    def _steps_fit(self) -> "ProblemFile":
        for i, table in enumerate(self.networks):
            step = getattr(table, "step", None)
            if step is not None and step > self.time.t1:
                raise misfit(f"must be at most t1 = {self.time.t1:g}, got {step:g}", f"networks.{i}.step")
        return self


@functools.cache
def problem_model() -> type[ProblemFile]:
    """The schema of what is registered now; `forget` after more is."""
    schema = Schema()
    fields: dict[str, Any] = {
        "unit": (schema.of(units.registry) | None, None),
        "network": (schema.of(networks.registry) | None, None),
        "loss": (schema.of(losses.registry), {"kind": "squared"}),
        "penalty": (penalty_of(schema, penalties.registry), {}),
        "domain": (dict.__class_getitem__((str, schema.of(domains.registry))), {}),
        "mobility": (schema.of(mobilities.registry) | None, None),
        "scale": (schema.of(scales.registry) | None, None),
        "start": (dict.__class_getitem__((str, schema.of(laws.registry))), {}),
        "limit": (limit_of(schema, dynamics.registry), {}),
        "networks": (tuple.__class_getitem__((networks_of(schema, dynamics.registry), ...)), ()),
    }
    return model("ProblemFile", ProblemFile, fields)


def forget() -> None:
    """Make the schema anew: more things are registered than before."""
    problem_model.cache_clear()


def read_tables(path: pathlib.Path) -> tuple[dict[str, Any], bytes]:
    """The tables of a file as they are, and its bytes."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise BadInput(
            f"{path}: there is no such file.{did_you_mean(str(path), map(str, path.parent.glob('*.toml')))}"
        ) from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}).") from None
    return parse(content, str(path)), content


def check_beside(given: dict[str, Any], path: pathlib.Path) -> ProblemFile:
    """The tables of the problem file at `path`, checked, with the source of the data as seen from here."""
    problem = check(given, str(path))
    if not problem.data.source.startswith("sklearn:"):
        with place(str(path), "[data] source"):
            # Not as text: `dir/../a.csv` is beside what a link `dir` points to.
            source = str(path.parent / local(problem.data.source))
        problem = problem.model_copy(update={"data": problem.data.model_copy(update={"source": source})})
    return problem


def parse(content: bytes, file: str) -> dict[str, Any]:
    """TOML as a dictionary."""
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ProblemFileError(file, f"line {line}", f"not UTF-8 text ({error.reason}).") from None
    except tomllib.TOMLDecodeError as error:
        found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", str(error))
        reason = str(error)[: found.start()] if found else str(error)
        line = found.group(1) if found and found.group(1) else content.count(b"\n") + 1
        raise ProblemFileError(file, f"line {line}", f"not readable as TOML ({reason}).") from None
    except (ValueError, RecursionError) as error:
        # A number or a nesting too long for Python.
        raise ProblemFileError(file, "", f"not readable as TOML ({error}).") from None


def check(given: dict[str, Any], file: str) -> ProblemFile:
    """The tables of a problem file, checked. Raises `ProblemFileError` for the first thing that is wrong."""
    if isinstance(given.get("networks"), dict):
        raise ProblemFileError(file, "[networks]", "goes in double brackets, [[networks]]: there may be several.")
    for name in ProblemFile.model_fields:
        if name != "networks" and isinstance(given.get(name), list):
            raise ProblemFileError(file, f"[[{name}]]", f"goes in single brackets, [{name}]: there is one.")
    try:
        return problem_model().model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        text = describe(first)
        end = "" if text.endswith(("?", ".")) else "."
        raise ProblemFileError(file, _place(first, given), text + end) from None


def _place(error: Any, given: Any) -> str:
    """`[unit] activation`, `[[networks]] 2, step`: where in the file an error is."""
    keys = _keys(error["loc"], given, ends=error["type"] == "missing")
    inner = error.get("ctx", {}).get("key", "")
    if error["type"] == "misfit":
        keys += [int(part) if part.isdigit() else part for part in inner.split(".") if part]
    if not keys:
        return ""
    section, rest = str(keys[0]), keys[1:]
    if section == "networks":
        number = f" {rest[0] + 1}" if rest and isinstance(rest[0], int) else ""
        tail = _dotted(rest[1:])
        return f"[[networks]]{number}" + (f", {tail}" if tail else "")
    if section not in ProblemFile.model_fields or section == "title":
        return section
    return f"[{section}]" + (f" {_dotted(rest)}" if rest else "")


def _dotted(keys: list[Any]) -> str:
    """`output.std`, `widths[0]`."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return text.removeprefix(".")


def _keys(loc: tuple[Any, ...], given: Any, *, ends: bool) -> list[Any]:
    """The part of pydantic's location that is in the file, without names of models and of keys that were put in.

    `ends`: whether it ends with a key that is missing in the file.
    """
    keys, node = [], given
    for i, part in enumerate(loc):
        if isinstance(node, dict):
            if part in node:
                keys.append(part)
                node = node[part]
            elif ends and i == len(loc) - 1:
                keys.append(part)
        elif isinstance(node, list | tuple):
            if isinstance(part, int):
                keys.append(part)
                node = node[part]
        else:
            break
    return keys
