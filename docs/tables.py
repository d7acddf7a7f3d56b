"""Write the tables of problem-file.md anew from the registries: `python docs/tables.py`.

A table stands between `<!-- table: unit -->` and `<!-- end -->`.
"""

import pathlib
import re

from widelimit import dynamics
from widelimit.dynamics import integrators, sampling, schedules
from widelimit.measure import grids, laws
from widelimit.numerics.registry import UNSAID, Entry, Registry, Value
from widelimit.problem import activations, domains, losses, mobilities, networks, penalties, scales, units
from widelimit.runs.parse._sections import resolution_of
from widelimit.runs.parse._words import about

PAGE = pathlib.Path(__file__).parent / "problem-file.md"
PARTS = (
    *(units, networks, activations, losses, penalties, domains, mobilities, scales, laws, grids),
    *(dynamics, integrators, schedules, sampling),
)
REGISTRIES: dict[str, Registry] = {part.registry.concept: part.registry for part in PARTS}


def page() -> str:
    """The page with every table as the registries have it now."""
    return re.sub(
        r"<!-- table: (\w+) -->\n.*?<!-- end -->",
        lambda found: f"<!-- table: {found[1]} -->\n{table(REGISTRIES[found[1]])}\n<!-- end -->",
        PAGE.read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )


def table(registry: Registry) -> str:
    """One row a thing: its name, its keys, what it is."""
    rows = [f"| `{registry.tag}` | keys | what it is |", "|---|---|---|"]
    for entry in registry:
        keys = "; ".join(words(name, value, entry) for name, value in entry.said.items())
        rows.append(f'| `"{entry.name}"` | {keys or "none"} | {meaning(entry)} |')
    return "\n".join(rows)


def words(name: str, value: Value, entry: Entry) -> str:
    """A key: what it may be, and its default."""
    kind = kinds(value)
    if value.many:
        kind = f"list of {kind}" if value.many == "list" else f"table of {kind} by block"
    if value.doubled:
        default = f"doubled from {value.doubled[0]} to {value.doubled[1]}"
    elif value.fact:
        default = f"the {value.fact}"
    elif value.default is UNSAID:
        default = "needed"
    else:
        default = "may be left out" if value.default is None else str(value.default).lower()
    fine = ", **how finely**" if entry.values.get(resolution_of(entry) or "") is value else ""
    return f"`{name}`: {kind} ({default}){fine}"


def kinds(value: Value) -> str:
    """What one value may be."""
    if value.registry is not None:
        return value.registry.concept
    if value.kind in ("flag", "text"):
        return (
            " or ".join(f'`"{name}"`' for name in value.names) or {"flag": "true or false", "text": "text"}[value.kind]
        )
    limits = ((value.above, "above"), (value.least, "at least"), (value.below, "below"))
    said = [f"{word} {limit:g}" for limit, word in limits if limit is not None]
    said += [f"at most {value.most:g}"] if value.most is not None and value.most < 10**8 else []
    said += [f'or `"{word}"`' for word in value.words]
    return " ".join([{"number": "number", "whole": "whole number"}[value.kind], ", ".join(said)]).strip()


def meaning(entry: Entry) -> str:
    """The first sentence of what makes it, fit for a cell of a table."""
    parts = re.split(r"(\$[^$]*\$)", about(entry))
    return "".join(p.replace("|", r"\vert ") if p.startswith("$") else p.replace("|", r"\|") for p in parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
