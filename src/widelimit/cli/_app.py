"""The commands and their options. What they do is imported when one is called: help answers at once."""

import io
import os
import pathlib
import sys
from typing import Annotated

import typer

from widelimit import __version__
from widelimit._compiled import keep_compiled
from widelimit.runs.errors import FAILED, INTERRUPTED, tell
from widelimit.runs.paths import given

from ._complete import claims as claims_of, figures, papers, scales
from ._errors import guarded

app = typer.Typer(
    name="widelimit",
    help="What training does to a wide two-layer network: the mean-field limit, and networks beside it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

_Folder = Annotated[str, typer.Argument(metavar="DIR", help="A folder that `widelimit run` made.")]
_Scale = Annotated[
    str,
    typer.Option(
        "--scale", metavar="quick|paper", help="A minute a figure, or the paper's own sizes.", autocompletion=scales
    ),
]
_Plugins = Annotated[
    list[str] | None,
    typer.Option("--plugin", metavar="FILE.py", help="Run this file, which registers units of your own; repeatable."),
]
_Json = Annotated[bool, typer.Option("--json", help="Print the numbers as JSON, and nothing else.")]


def main() -> None:
    """The entry point of the `widelimit` command."""
    _print_safely()
    keep_compiled()
    try:
        app()
    except SystemExit as end:
        try:
            sys.stdout.flush()
        except OSError as error:
            # A command that failed has told why, this or another reason.
            if end.code != FAILED:
                tell(f"widelimit: standard output cannot be written ({error.strerror}).")
            # What is left in it would be tried once more.
            os._exit(FAILED)
        if end.code == INTERRUPTED:
            # A compilation cut short by Ctrl-C leaves threads that crash the interpreter while it shuts down.
            sys.stderr.flush()
            os._exit(INTERRUPTED)
        raise


def _print_safely() -> None:
    """Standard streams that are closed, or do not know a character, are no reason to fail."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, io.StringIO())
        elif isinstance(stream := getattr(sys, name), io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _out(path: str | None) -> pathlib.Path | None:
    return None if path is None else given(path, "--out")


def _all(plugins: list[str] | None) -> list[pathlib.Path]:
    return [given(path, "--plugin") for path in plugins or ()]


def _version(wanted: bool) -> bool:
    if wanted:
        typer.echo(f"widelimit {__version__}")
        raise typer.Exit()
    return wanted


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def init(
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="The table: csv, tsv, xlsx, parquet, npz, or sklearn:NAME.")
    ] = None,
    like: Annotated[
        str | None, typer.Option("--like", metavar="NAME", help="Take a problem that is ready instead: digits, ...")
    ] = None,
    target: Annotated[
        list[str] | None, typer.Option("--target", metavar="COLUMN", help="What to learn; repeatable.")
    ] = None,
) -> None:
    """Write a commented problem file for a table of your own to standard output: `widelimit init a.csv > a.toml`."""
    with guarded():
        from ._init import write_first

        write_first(file, like, target or [])


@app.command()
def run(
    file: Annotated[str, typer.Argument(metavar="FILE.toml", help="The problem file.")],
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="DIR", help="Where to write; runs/<name of the file> if left out."),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Another value of a key, time.t1=5; repeatable."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the parts and an estimate of what they take, and run none.")
    ] = False,
    plugin: _Plugins = None,
    json: _Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing while it runs, and print no summary.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an older run in DIR.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Run what looks too large for this machine.")] = False,
) -> None:
    """Compute the limit, train the networks beside it, and write numbers and a report."""
    with guarded():
        from ._commands import dry_run_file, run_file

        path, place, plugins, keys = given(file, "FILE"), _out(out), _all(plugin), setting or []
        if dry_run:
            dry_run_file(path, place, plugins, keys, json=json, overwrite=overwrite, force=force)
        else:
            run_file(path, place, plugins, keys, json=json, quiet=quiet, overwrite=overwrite, force=force)


@app.command()
def sweep(
    file: Annotated[str, typer.Argument(metavar="FILE.toml", help="A problem file with a [sweep].")],
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="DIR", help="Where to write; sweeps/<name of the file> if left out."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the runs and an estimate of what they cost, and make none.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", help="Processes on this machine; one a core if left out.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", metavar="ADDRESS", help="A running dask scheduler, tcp://host:8786.")
    ] = None,
    timeout: Annotated[
        float,
        typer.Option("--timeout", metavar="SECONDS", help="A run that takes longer is given to another worker."),
    ] = 3600.0,
    max_runs: Annotated[int, typer.Option("--max-runs", metavar="N", help="Refuse a sweep of more runs.")] = 1000,
    plugin: _Plugins = None,
    json: _Json = False,
    force: Annotated[bool, typer.Option("--force", help="Run what looks too large for this machine.")] = False,
) -> None:
    """Make every run that the sweep of a problem file asks for; called again it goes on where it was stopped."""
    with guarded():
        from ._sweeps import dry_sweep, sweep_file

        path, plugins = given(file, "FILE"), _all(plugin)
        if dry_run:
            dry_sweep(path, _out(out), plugins, max_runs=max_runs, force=force, json=json)
        else:
            options = {"workers": workers, "scheduler": scheduler, "timeout": timeout}
            sweep_file(path, _out(out), plugins, options, max_runs=max_runs, force=force, json=json)


@app.command()
def schema(
    sweep: Annotated[bool, typer.Option("--sweep", help="Of files for `widelimit sweep`.")] = False,
    plugin: _Plugins = None,
) -> None:
    """Print the JSON schema of problem files, from which editors complete and check them."""
    with guarded():
        from ._commands import print_schema

        print_schema(_all(plugin), sweep=sweep)


@app.command()
def resume(folder: _Folder, plugin: _Plugins = None, json: _Json = False) -> None:
    """Go on with a run that was stopped; it ends with the same numbers as an unbroken one."""
    with guarded():
        from ._commands import resume_folder

        resume_folder(given(folder, "DIR"), _all(plugin), json=json)


@app.command()
def show(folder: _Folder, json: _Json = False) -> None:
    """Print the numbers of a run, finished or not."""
    with guarded():
        from ._commands import show_folder

        show_folder(given(folder, "DIR"), json=json)


@app.command()
def report(folder: _Folder, plugin: _Plugins = None) -> None:
    """Write the report of a finished run anew from what it stored."""
    with guarded():
        from ._commands import report_folder

        report_folder(given(folder, "DIR"), _all(plugin))


@app.command()
def compare(
    folders: Annotated[list[str], typer.Argument(metavar="DIR...", help="Folders that `widelimit run` made.")],
    out: Annotated[str, typer.Option("--out", metavar="FILE.html", help="Where to write the page.")] = "compare.html",
    png: Annotated[bool, typer.Option("--png", help="Write its pictures beside it, too.")] = False,
    plugin: _Plugins = None,
) -> None:
    """Put the limits and the networks of several runs on one page."""
    with guarded():
        from ._compare import compare_folders

        compare_folders([given(folder, "DIR") for folder in folders], given(out, "--out"), _all(plugin), png=png)


@app.command()
def diagnose(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Weights: an .npz or .safetensors file.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="Its rows: csv, tsv, xlsx, parquet, npz, sklearn:NAME.")],
    target: Annotated[
        list[str] | None, typer.Option("--target", metavar="COLUMN", help="What it predicts; repeatable.")
    ] = None,
    activation: Annotated[
        str | None, typer.Option("--activation", metavar="NAME", help="Of the hidden layer: tanh, relu, sigmoid, ...")
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option("--loss", metavar="NAME", help="squared; with --class logistic, or softmax for more than two."),
    ] = None,
    classes: Annotated[
        list[str] | None, typer.Option("--class", metavar="CLASS", help="The target's classes, in order; repeatable.")
    ] = None,
    weight_decay: Annotated[
        float, typer.Option("--weight-decay", metavar="LAMBDA", help="As PyTorch's optimisers have it.")
    ] = 0.0,
    missing: Annotated[
        str,
        typer.Option("--missing", metavar="WAY", help="Of missing cells: refuse, drop (the row), mean or median."),
    ] = "refuse",
    unseen: Annotated[
        str, typer.Option("--unseen", metavar="WAY", help="Of categories that only --held-out has: refuse or zero.")
    ] = "refuse",
    categories: Annotated[
        list[str] | None, typer.Option("--category", metavar="COLUMN", help="Of numbers that are names; repeatable.")
    ] = None,
    decimal: Annotated[str, typer.Option("--decimal", metavar="MARK", help="Before the decimals.")] = ".",
    thousands: Annotated[str, typer.Option("--thousands", metavar="MARK", help="Between groups of digits.")] = "",
    separator: Annotated[
        str | None, typer.Option("--separator", metavar="MARK", help="Of the columns of a csv file.")
    ] = None,
    sheet: Annotated[str | None, typer.Option("--sheet", metavar="NAME", help="Of an Excel file.")] = None,
    held_out: Annotated[
        str | None, typer.Option("--held-out", metavar="DATA", help="Other rows: says whether more data would help.")
    ] = None,
    out: Annotated[str | None, typer.Option("--out", metavar="FILE.html", help="Write a page.")] = None,
    json: _Json = False,
) -> None:
    """Judge a trained two-layer network: its training, its neurons, its width."""
    with guarded():
        from ._diagnose import diagnose_files

        options = {"activation": activation, "loss": loss, "weight_decay": weight_decay}
        reading = {"target": target or None, "classes": classes or None, "categories": categories or ()}
        reading |= {"missing": missing, "unseen": unseen, "decimal": decimal, "thousands": thousands}
        reading |= {"separator": separator, "sheet": sheet}
        diagnose_files(given(model, "MODEL"), data, reading, held_out, _out(out), options, json=json)


@app.command()
def explore(
    what: Annotated[
        str | None,
        typer.Argument(metavar="FILE.toml|PAGE", help="A problem file, a paper or a page such as mei2018/fig1."),
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", metavar="N", help="By default the first free from 8765.")
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the address in a browser.")] = True,
    plugin: _Plugins = None,
) -> None:
    """Pictures that move, with sliders, in the browser: the papers' main phenomena, or a problem file's."""
    with guarded():
        from ._explore import explore_page

        explore_page(what, _all(plugin), port=port, browser=browser)


@app.command()
def reproduce(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="PAPER[/FIGURE]", help="mei2018, or mei2018/fig1; all papers if left out.", autocompletion=figures
        ),
    ] = None,
    scale: _Scale = "quick",
    out: Annotated[
        str, typer.Option("--out", metavar="DIR", help="Where to write: DIR/<paper>/<scale>/index.html.")
    ] = "reproduced",
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter of one figure, delta=0.5; repeatable."),
    ] = None,
    formats: Annotated[
        list[str] | None, typer.Option("--format", metavar="svg|pdf", help="Pictures beside the PNG; repeatable.")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Print the figures and what --set may set in each.")] = False,
) -> None:
    """Draw the figures of a paper anew and check its claims; called again it goes on where it was stopped."""
    with guarded():
        from ._papers import list_parameters, reproduce_papers

        if listed:
            list_parameters(what)
        else:
            reproduce_papers(what, scale, given(out, "--out"), setting or [], formats or [])


@app.command()
def claims(
    paper: Annotated[
        str | None, typer.Argument(metavar="PAPER", help="All papers if left out.", autocompletion=papers)
    ] = None,
    scale: _Scale = "quick",
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="ID", help="This claim; may be given more than once.", autocompletion=claims_of),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="DIR", help="Share finished pieces with `reproduce --out DIR`, and go on there."),
    ] = None,
    json: _Json = False,
) -> None:
    """Check what a paper claims; exit code 1 when a verdict is not the one that is known."""
    with guarded():
        from ._papers import check_papers

        check_papers(paper, scale, only or [], _out(out), json=json)
