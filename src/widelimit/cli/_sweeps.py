"""`widelimit sweep`, and `show` and `resume` of what it made."""

import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from widelimit import _sweep
from widelimit._sweep import Sweep, SweepFolder, existing_sweep, make_runs, plan_file
from widelimit.runs.folder import how_to_go_on, print_json
from widelimit.runs.parse import plugged

from ._show import in_time


def sweep_file(
    path: pathlib.Path,
    out: pathlib.Path | None,
    plugins: Sequence[pathlib.Path],
    options: dict[str, Any],
    *,
    max_runs: int,
    force: bool,
    json: bool,
) -> None:
    """All runs of the file that are not there yet."""
    with plugged(plugins) as loaded:
        plan, content = plan_file(path, loaded, max_runs=max_runs, force=force)
        folder = make_runs(_place(path, out), plan, content, **options)
    _print(folder, json=json)


def dry_sweep(
    path: pathlib.Path,
    out: pathlib.Path | None,
    plugins: Sequence[pathlib.Path],
    *,
    max_runs: int,
    force: bool,
    json: bool,
) -> None:
    """The runs and what they may cost; writes nothing."""
    with plugged(plugins) as loaded:
        plan, _ = plan_file(path, loaded, max_runs=max_runs, force=force)
    _print_runs(SweepFolder(_place(path, out), plan), json=json)


def resume_sweep(path: pathlib.Path, plugins: Sequence[pathlib.Path], *, json: bool) -> None:
    """`widelimit resume` of a sweep."""
    _print(_sweep.resume_sweep(path, plugins), json=json)


def show_sweep(path: pathlib.Path, *, json: bool) -> None:
    """`widelimit show` of a sweep: what it says, once all runs are there; else how far it is."""
    folder = existing_sweep(path)
    if folder.missing():
        _print_runs(folder, json=json)
        if not json:
            _console().print(escape(f"unfinished; {how_to_go_on(path)}"))
    else:
        _print(folder, json=json)


def _print(folder: SweepFolder, *, json: bool) -> None:
    """What a finished sweep says."""
    swept = Sweep(folder)
    if json:
        print_json(swept.record())
        return
    console = _console()
    console.print(f"[bold]{escape(folder.plan.title)}[/bold]")
    console.print(escape(swept.statement))
    console.print(escape(f"report: {folder.path / 'report.html'}"))


def _print_runs(folder: SweepFolder, *, json: bool) -> None:
    estimate = folder.estimate()
    if json:
        print_json(estimate)
        return
    keys = [key for factor in folder.plan.factors for key in factor.keys]
    table = Table(*keys, "state", "limit, Gflop", "networks, Gflop", "steps", "about")
    for run in estimate["runs"]:
        values = [escape(str(run["values"][key])) for key in keys]
        work = [f"{run[name] / 1e9:.3g}" for name in ("limit", "networks")]
        table.add_row(*values, run["state"], *work, f"{run['steps']:.0f}", f"{run['seconds']:.2g} s")
    _console().print(table)
    left = sum(run["state"] == "missing" for run in estimate["runs"])
    said = f"{len(estimate['runs'])} runs, {left} to make: about {in_time(estimate['seconds'])} of one core"
    _console().print(escape(f"{said}; {estimate['basis']}"))


def _console() -> Console:
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 160)


def _place(path: pathlib.Path, out: pathlib.Path | None) -> pathlib.Path:
    return pathlib.Path("sweeps") / path.stem if out is None else out
