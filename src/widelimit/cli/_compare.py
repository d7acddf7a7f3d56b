"""`widelimit compare`: the runs of several folders on one page."""

import pathlib
from collections.abc import Sequence

import typer

from widelimit.report import Page, compare
from widelimit.runs.errors import BadInput, sentence
from widelimit.runs.folder import existing, is_sweep, writing
from widelimit.runs.parse import plugged, require_same
from widelimit.runs.report import runs_of
from widelimit.trajectory import Trajectory


def compare_folders(
    paths: Sequence[pathlib.Path], out: pathlib.Path, plugins: Sequence[pathlib.Path], *, png: bool
) -> None:
    """Every folder's limit and the networks of each width, their seeds together; the first folder's limit first."""
    if len({path.resolve() for path in paths}) < len(paths):
        raise BadInput("compare: a folder is there twice.")
    runs: dict[str, list[Trajectory]] = {}
    with plugged(plugins) as loaded:
        for path, name in zip(paths, _names(paths), strict=True):
            if is_sweep(path):
                raise BadInput(f"{path}: is the folder of a sweep: its report compares its runs, which are in it.")
            folder = existing(path)
            require_same(folder.plugins, loaded, path)
            runs |= {f"{name} {what}".strip(): found for what, found in runs_of(folder).items()}
    try:
        page = compare(**runs)
        typer.echo(str(page.save(out)))
        if png:
            _save_pictures(page, out)
    except ValueError as error:
        raise BadInput(sentence(error)) from error


def _names(paths: Sequence[pathlib.Path]) -> list[str]:
    """The folders' names; none for one alone, whole paths where two are alike."""
    if len(paths) == 1:
        return [""]
    short = [path.resolve().name for path in paths]
    return short if len(set(short)) == len(short) else [str(path) for path in paths]


def _save_pictures(page: Page, out: pathlib.Path) -> None:
    """Each picture of the page beside it: compare-risk.png."""
    for name, content in page.figures.items():
        path = out.with_name(f"{out.stem}-{name}.png")
        with writing(str(path)):
            path.write_bytes(content)
        typer.echo(str(path))
