"""A problem file: TOML, checked key by key before anything is computed."""

import os
import pathlib
import re
import tomllib
from typing import Any

from pydantic import Field, ValidationError, model_validator

from widelimit.results import did_you_mean, unknown

from ._errors import BadInput, ProblemFileError
from ._sections import (
    TAGS,
    AtomLaw,
    DataSection,
    Domain,
    Law,
    LimitSection,
    Loss,
    Networks,
    NormalLaw,
    PenaltySection,
    Section,
    SquaredLoss,
    Text,
    TimeSection,
    Unit,
    misfit,
)
from ._words import describe


class ProblemFile(Section):
    """All of a problem file. `start` has a law for every block once it is read."""

    title: Text | None = None
    data: DataSection
    unit: Unit
    loss: Loss = SquaredLoss()
    penalty: PenaltySection = PenaltySection()
    domain: dict[str, Domain] = Field(default_factory=dict)
    start: dict[str, Law] = Field(default_factory=dict)
    time: TimeSection
    limit: LimitSection = LimitSection()
    networks: tuple[Networks, ...] = ()

    @property
    def blocks(self) -> tuple[str, ...]:
        """The names of the unit's blocks, in order."""
        if self.unit.kind == "radial_basis":
            return ("charge", "center")
        if self.unit.kind == "free_knot":
            return ("c", "h") if self.unit.charge else ("h",)
        head = ("output",) if self.unit.output_weight else ()
        return (*head, "weight", *(("bias",) if self.unit.bias else ()))

    def law(self, block: str) -> Law:
        """The start of a block: as said, or standard normal, weights of std 1/sqrt(d) and biases zero."""
        defaults = {"weight": NormalLaw(law="normal", std="1/sqrt(d)"), "bias": AtomLaw(law="atom")}
        return self.start.get(block) or defaults.get(block) or NormalLaw(law="normal")

    @model_validator(mode="after")
    def _fits_together(self) -> "ProblemFile":
        for section in ("start", "domain"):
            for block in getattr(self, section):
                if block not in self.blocks:
                    said = f"the unit has no such block: {unknown(block, self.blocks)}"
                    raise misfit(said, f"{section}.{block}")
        if self.penalty.total_variation > 0 and not {"output", "charge", "c"} & set(self.blocks):
            raise misfit("needs a unit with an output weight or a charge", "penalty.total_variation")
        for i, table in enumerate(self.networks):
            if table.dynamics == "sgd" and table.step > self.time.t1:
                raise misfit(f"must be at most t1 = {self.time.t1:g}, got {table.step:g}", f"networks.{i}.step")
        return self


def read_problem_file(path: pathlib.Path) -> tuple[ProblemFile, bytes]:
    """The problem and the file's bytes; a path in [data] source counts from the file's folder.

    Raises `ProblemFileError` with the line or the key.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise BadInput(
            f"{path}: there is no such file.{did_you_mean(str(path), map(str, path.parent.glob('*.toml')))}"
        ) from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}).") from None
    problem = check(parse(content, str(path)), str(path))
    if not problem.data.source.startswith("sklearn:"):
        source = os.path.normpath(path.parent / problem.data.source)
        problem = problem.model_copy(update={"data": problem.data.model_copy(update={"source": source})})
    return problem, content


def parse(content: bytes, file: str) -> dict[str, Any]:
    """TOML as a dictionary."""
    try:
        return tomllib.loads(content.decode("utf-8"))
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
    try:
        return ProblemFile.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        text = describe(first, TAGS.get(str(first["loc"][0]), ()) if first["loc"] else ())
        end = "" if text.endswith("?") else "."
        raise ProblemFileError(file, _place(first, given), text + end) from None


def _place(error: Any, given: Any) -> str:
    """`[unit] activation`, `[[networks]] 2, step`: where in the file an error is."""
    keys = _keys(error["loc"], given)
    inner = error.get("ctx", {}).get("key", "")
    if error["type"] == "misfit":
        keys += [int(part) if part.isdigit() else part for part in inner.split(".") if part]
    elif error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        keys.append(error["ctx"]["discriminator"].strip("'"))
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


def _keys(loc: tuple[Any, ...], given: Any) -> list[Any]:
    """The part of pydantic's location that is in the file: without the names of union members."""
    keys, node = [], given
    for part in loc:
        if isinstance(node, dict):
            if part in (node.get("kind"), node.get("law"), node.get("dynamics")):
                continue
            keys.append(part)
            if part not in node:
                break
            node = node[part]
        elif isinstance(node, list | tuple):
            if isinstance(part, int):
                keys.append(part)
                node = node[part]
        else:
            break
    return keys
