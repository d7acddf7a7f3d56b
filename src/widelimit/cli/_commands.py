"""What the commands do: what they ask of a run, and what they print."""

import contextlib
import dataclasses
import io
import pathlib
from collections.abc import Sequence

import typer

from widelimit.runs.errors import BadInput, Failed
from widelimit.runs.folder import RunFolder, existing, is_sweep, print_json


def run_file(
    path: pathlib.Path,
    out: pathlib.Path | None,
    plugins: Sequence[pathlib.Path],
    settings: Sequence[str],
    *,
    json: bool,
    quiet: bool,
    overwrite: bool,
    force: bool,
) -> None:
    """`widelimit run`."""
    from widelimit.runs import verbs
    from widelimit.runs.parse import read_settings

    keys = read_settings(settings)
    # Whoever has something to say of its progress says it there.
    with contextlib.redirect_stderr(io.StringIO()) if quiet else contextlib.nullcontext():
        folder = verbs.run_file(path, out, plugins, keys, overwrite=overwrite, force=force)
    _print(folder, json=json, quiet=quiet)


def dry_run_file(
    path: pathlib.Path,
    out: pathlib.Path | None,
    plugins: Sequence[pathlib.Path],
    settings: Sequence[str],
    *,
    json: bool,
    overwrite: bool,
    force: bool,
) -> None:
    """`widelimit run --dry-run`."""
    from widelimit.runs import verbs
    from widelimit.runs.parse import read_settings

    found = verbs.outlook(path, out, plugins, read_settings(settings), overwrite=overwrite, force=force)
    if json:
        print_json(dataclasses.asdict(found) | {"path": str(found.path)})
    else:
        from ._show import print_outlook

        print_outlook(found)


def print_schema(plugins: Sequence[pathlib.Path], *, sweep: bool) -> None:
    """`widelimit schema`."""
    from widelimit._sweep import sweep_schema
    from widelimit.runs.parse import json_schema, plugged

    with plugged(plugins):
        print_json(sweep_schema() if sweep else json_schema())


def resume_folder(path: pathlib.Path, plugins: Sequence[pathlib.Path], *, json: bool) -> None:
    """`widelimit resume`."""
    if is_sweep(path):
        from ._sweeps import resume_sweep

        resume_sweep(path, plugins, json=json)
        return
    from widelimit.runs import verbs

    _print(verbs.resume(path, plugins), json=json)


def show_folder(path: pathlib.Path, *, json: bool) -> None:
    """`widelimit show`."""
    if is_sweep(path):
        from ._sweeps import show_sweep

        show_sweep(path, json=json)
        return
    folder = existing(path)
    if folder.state == "finished":
        _print(folder, json=json, ends=False)
    elif json:
        print_json(folder.status)
    else:
        from ._show import print_status

        print_status(folder)


def report_folder(path: pathlib.Path, plugins: Sequence[pathlib.Path]) -> None:
    """`widelimit report`."""
    if is_sweep(path):
        from widelimit._sweep import report_sweep

        typer.echo(str(report_sweep(path, plugins)))
    else:
        from widelimit.runs import verbs

        typer.echo(str(verbs.report_again(path, plugins)))


def _print(folder: RunFolder, *, json: bool, ends: bool = True, quiet: bool = False) -> None:
    """The numbers of a finished run; with `ends`, that networks failed is how the command ends."""
    numbers = folder.read("numbers.json")
    if json:
        print_json(numbers)
    elif not quiet:
        from ._show import print_numbers

        try:
            print_numbers(folder, numbers)
        except (KeyError, TypeError, AttributeError) as error:
            raise BadInput(
                f"{folder.path / 'numbers.json'}: is damaged ({error!r}); "
                f"`widelimit resume {folder.path}` makes it again."
            ) from error
    if ends and numbers["failed"]:
        raise Failed("; ".join(why.rstrip(".") for why in numbers["failed"].values()) + ".")
