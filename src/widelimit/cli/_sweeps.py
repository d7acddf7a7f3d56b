"""`widelimit sweep`."""

import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from widelimit._sweep import SweepFolder, cores, make_runs, plan_file
from widelimit.runs.folder import print_json
from widelimit.runs.parse import plugged


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
    print(folder.path)


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
    folder = SweepFolder(_place(path, out), plan)
    estimate = folder.estimate()
    if json:
        print_json(estimate)
        return
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 160)
    keys = [key for factor in plan.factors for key in factor.keys]
    table = Table(*keys, "state", "limit, Gflop", "networks, Gflop", "steps", "about")
    for run in estimate["runs"]:
        values = [escape(str(run["values"][key])) for key in keys]
        work = [f"{run[name] / 1e9:.3g}" for name in ("limit", "networks")]
        table.add_row(*values, run["state"], *work, f"{run['steps']:.0f}", f"{run['seconds']:.3g} s")
    console.print(table)
    console.print(escape(_total(estimate)))


def _total(estimate: dict[str, Any]) -> str:
    left = sum(run["state"] == "missing" for run in estimate["runs"])
    seconds = estimate["seconds"]
    unit, size = ("s", 1.0) if seconds < 120 else ("min", 60.0) if seconds < 7200 else ("h", 3600.0)
    time = f"{seconds / size:.0f} {unit}"
    core = f"{time} of one core, {cores()} are here"
    return f"{len(estimate['runs'])} runs, {left} to make: about {core}; {estimate['basis']}"


def _place(path: pathlib.Path, out: pathlib.Path | None) -> pathlib.Path:
    return pathlib.Path("sweeps") / path.stem if out is None else out
