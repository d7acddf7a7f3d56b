"""What a run's numbers look like on a terminal."""

import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from widelimit.runs.folder import RunFolder, how_to_go_on

if TYPE_CHECKING:
    from widelimit.runs.verbs import Outlook


def _console() -> Console:
    # Where nothing says how wide the output is, no table is folded.
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 160)


def print_numbers(folder: RunFolder, numbers: dict[str, Any]) -> None:
    """The summary of a finished run, on standard output."""
    console = _console()
    limit, checks = numbers["limit"], numbers["checks"]
    console.print(f"[bold]{escape(numbers['title'])}[/bold]")
    for name, words in numbers["problem"].items():
        console.print(f"  {name:8} {escape(words)}")
    console.print(_risks(numbers))
    if numbers.get("classes"):
        console.print(_classes(numbers["classes"]))
    console.print(escape(limit["note"]))
    console.print(escape(checks["gap_bracket"] if checks["gap_informs"] else checks["gap_statement"]))
    about = "" if checks["gap_certified"] or checks["gap"] is None else ", about"
    correlation = (("largest correlation", checks["largest_correlation"]),)
    rows = (
        # The bracket above may hold a better bound: this one says what it is.
        (f"optimality gap by the first variation{about}", checks["gap"]),
        *(correlation if checks["largest_correlation"] is not None else ()),
        ("stationarity, rms", checks["stationarity_rms"]),
        ("stationarity, largest", checks["stationarity_largest"]),
        ("dissipation defect", checks["dissipation_defect"]),
        ("kernel change", checks["kernel_change"]),
    )
    for name, value in rows:
        console.print(f"  {name:22} {_number(value)}")
    if checks["regime"]:
        console.print(escape(checks["regime"]))
    for sentence in numbers["predicted"]["sentences"]:
        console.print(escape(sentence))
    unpredicted = [f"{what}: {why}" for what, why in numbers["predicted"]["reasons"].items()]
    for notice in (*numbers["notices"], *unpredicted, *numbers["failed"].values()):
        console.print(f"  notice: {escape(notice)}")
    report = escape(str(folder.path / "report.html"))
    console.print(f"{numbers['seconds']['total']:.1f} s in flows and networks; report: {report}")


def print_outlook(found: "Outlook") -> None:
    """A run that is not made: its problem, its parts and what they take, on standard output."""
    from widelimit.runs.call import in_bytes

    console = _console()
    console.print(f"[bold]{escape(found.title)}[/bold]")
    for name, words in found.problem.items():
        console.print(f"  {name:8} {escape(words)}")
    table = Table("part", "Gflop", "steps", "about", "memory")
    for item in found.items:
        row = (f"{item.operations / 1e9:.3g}", f"{item.steps:.0f}", in_time(item.seconds), in_bytes(item.memory))
        table.add_row(escape(item.name), *row)
    console.print(table)
    seconds, memory = sum(item.seconds for item in found.items), max(item.memory for item in found.items)
    console.print(
        f"at most about {in_time(seconds)} of one core, to a factor of a few, and {in_bytes(memory)} at a time; "
        "not counted: compilation, predicted bands and checks, of a minute or so, and some 1.2 GB of the program itself"
    )
    console.print(escape(f"nothing was run; it would go to {found.path}"))


def print_status(folder: RunFolder) -> None:
    """How far an unfinished run is, on standard output."""
    console = _console()
    table = Table("part", "ended", "t", "risk", "held-out risk", "steps", "seconds")
    for name, part in folder.status["parts"].items():
        row = (name, part["outcome"].lower(), f"{part['t']:g}", _number(part["risk"]))
        table.add_row(*row, _number(part["held_out_risk"]), f"{part['steps']}", f"{part['seconds']:.1f}")
    console.print(table)
    said = [*folder.status["failed"].values(), folder.status["message"]]
    if folder.state != "failed":
        said.append(f"unfinished; {how_to_go_on(folder.path)}")
    for sentence in filter(None, said):
        console.print(escape(sentence))


def _risks(numbers: dict[str, Any]) -> Table:
    limit = numbers["limit"]
    title = f"at t = {numbers['t1']:g}; ± is the standard error of a mean over seeds, and the limit's own error"
    table = Table("", "seeds", "risk", "over the limit", "held-out risk", title=title)
    risk = _with_error(limit["risk"], limit["risk_error"])
    table.add_row(f"limit, {limit['resolution']}", "", risk, "", _number(limit["held_out_risk"]))
    for network in numbers["networks"]:
        ended, above = network["ended"], network["above_limit"]
        seeds = f"{ended} of {len(network['seeds'])}" if ended < len(network["seeds"]) else str(ended)
        off = "-" if above is None else _with_error(above, network["above_limit_error"], sign="+")
        means = [_mean(network[name]) for name in ("risk", "held_out_risk")]
        table.add_row(f"width {network['width']}, {network['dynamics']}", seeds, means[0], off, means[1])
    return table


def _classes(records: list[dict[str, Any]]) -> Table:
    held_out = any("held_out_accuracy" in record for record in records)
    shown = ("accuracy", "auc", *(("held_out_accuracy", "held_out_auc") if held_out else ()))
    names = {"accuracy": "accuracy", "auc": "area under ROC"}
    names |= {f"held_out_{name}": f"held-out {said}" for name, said in names.items()}
    title = "classes at the end; ± is over seeds, of the limit's held-out accuracy over rows"
    table = Table("", *(names[name] for name in shown), title=title)
    for record in records:
        table.add_row(record["name"], *(_mean(record.get(name)) for name in shown))
    return table


def _mean(found: dict[str, Any] | None) -> str:
    return "-" if found is None else _with_error(found["mean"], found["error"])


def _with_error(value: float, error: float | None, *, sign: str = "") -> str:
    return f"{value:{sign}.5g}" if error is None else f"{value:{sign}.5g} ± {error:.2g}"


def in_time(seconds: float) -> str:
    """`12 s`, `3.4 min`, `2.1 h`."""
    unit, size = ("s", 1.0) if seconds < 120 else ("min", 60.0) if seconds < 7200 else ("h", 3600.0)
    return f"{seconds / size:.2g} {unit}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.5g}"
