"""`widelimit init`: a problem file on standard output."""

import os
import pathlib
import sys
from collections.abc import Sequence

import typer

from widelimit.runs.draft import copy_of, draft, guess, ready
from widelimit.runs.errors import BadInput


def write_first(file: str | None, like: str | None, target: list[str]) -> None:
    """The file for a table, or a copy of one that is ready."""
    if (file is None) == (like is None):
        said = "one of the two goes" if file is not None else f"ready for --like are {', '.join(ready())}"
        raise BadInput(f"init: give a table, FILE, or a problem that is ready, --like NAME; {said}.")
    if like is not None:
        text = copy_of(like)
        if text is not None:
            if target:
                raise BadInput("--target: an example has its own; say --target with a table.")
            typer.echo(text, nl=False)
            return
        file = f"sklearn:{like}"
    place = _place()
    source = str(file) if str(file).startswith("sklearn:") else _seen_from(place, str(file))
    found = guess(str(file), target, _asked if _is_terminal() else None)
    typer.echo(draft(found, source, place), nl=False)


def _place() -> pathlib.Path:
    """The file that standard output is written to, where the system says so; else one in the working directory."""
    try:
        path = pathlib.Path(os.readlink(f"/proc/self/fd/{sys.stdout.fileno()}"))
    except (OSError, ValueError):
        return pathlib.Path("problem.toml")
    return path if path.is_file() else pathlib.Path("problem.toml")


def _seen_from(place: pathlib.Path, file: str) -> str:
    """The table's path as the problem file at `place` must name it."""
    path = pathlib.Path(file).expanduser()
    if path.is_absolute() or place.parent.resolve() == pathlib.Path.cwd():
        return file
    return os.path.relpath(path.resolve(), place.parent.resolve())


def _is_terminal() -> bool:
    # Standard output goes to a file: the question is put on standard error.
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def _asked(columns: Sequence[str]) -> str:
    typer.echo(f"The columns are {', '.join(columns)}.", err=True)
    return typer.prompt("Which one is to be learned?", err=True)
