"""Problem files that come with the package."""

import importlib.resources
import pathlib

from widelimit.problem.data import SKLEARN
from widelimit.results import one_of

from ..errors import BadInput


def ready() -> tuple[str, ...]:
    """The names of the example files, and of the tables inside scikit-learn that have none."""
    return tuple(sorted({path.stem for path in _folder().glob("*.toml")} | set(SKLEARN)))


def copy_of(name: str) -> str | None:
    """The text of an example file; None for a table inside scikit-learn. Raises `BadInput` with the nearest name.

    Data that lies beside the example is named by its whole path, so that the copy runs from anywhere.
    """
    try:
        path = _folder() / f"{one_of(name, ready(), '--like')}.toml"
    except ValueError as error:
        raise BadInput(str(error)) from None
    if not path.exists():
        return None
    text = path.read_text(encoding="utf-8")
    for beside in _folder().glob("*.csv"):
        text = text.replace(f'"{beside.name}"', f'"{beside.resolve().as_posix()}"')
    return text.replace("# beside this file", "# comes with widelimit; copy it if you want it beside this file")


def _folder() -> pathlib.Path:
    """In an installed package a part of it; in a checkout beside the sources."""
    root = pathlib.Path(str(importlib.resources.files("widelimit")))
    return root / "examples" if (root / "examples").is_dir() else root.parents[1] / "examples"
