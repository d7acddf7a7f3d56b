"""Pages, the report's and of one's own: sentences, pictures and tables in one file that needs nothing else."""

import base64
import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from widelimit.numerics import write_whole

from ._words import DASH


@dataclasses.dataclass(frozen=True)
class Picture:
    """`name` is its key in `Page.figures`; `caption` says what to read from it, `alt` what is to be seen."""

    name: str
    png: bytes
    caption: str
    alt: str

    @property
    def source(self) -> str:
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows of cells, all text. The first cell of a row is its head; cells of several lines keep them."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclasses.dataclass(frozen=True)
class Section:
    """A heading, a few sentences, pictures, tables; `folded` tables are shown on request."""

    anchor: str
    title: str
    sentences: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    folded: tuple[Table, ...] = ()


@dataclasses.dataclass(frozen=True)
class Page:
    """An HTML page in one file: `html` is its text, `figures` the pictures in it, name -> PNG."""

    title: str
    html: str
    figures: dict[str, bytes] = dataclasses.field(repr=False)

    def save(self, path: str | os.PathLike[str]) -> pathlib.Path:
        """Write the page to `path`, whole or not at all. Raises `ValueError` where that cannot be done."""
        target = pathlib.Path(path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            write_whole(target, self.html.encode())
        except OSError as error:
            raise ValueError(f"Page.save(path=...): cannot write {target}: {error.strerror}.") from error
        return target

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from html import escape

        return f'<iframe srcdoc="{escape(self.html)}" style="width:100%;height:40em;border:0"></iframe>'


def make_page(
    title: str, lead: Sequence[str], warnings: Sequence[str], sections: Sequence[Section], *, notes: Sequence[str] = ()
) -> Page:
    """Put the parts into the template: below the lead what gives reason to doubt, then the notes."""
    from importlib.resources import files

    import jinja2

    from widelimit import __version__

    text = files("widelimit.report").joinpath("page.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    html = environment.from_string(text).render(
        title=title, lead=lead, warnings=warnings, notes=notes, sections=sections, version=__version__
    )
    pictures = {picture.name: picture.png for section in sections for picture in section.pictures}
    return Page(title, html, pictures)


def facts(caption: str, values: dict[str, Any]) -> Table:
    """A table of two columns; nested values become rows of their own: versions, jax."""
    return Table(caption, (), tuple(_flat(values, "")))


def _flat(values: dict[str, Any], prefix: str) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for key, value in values.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{prefix}{key}, ")
        else:
            rows.append((f"{prefix}{key}", DASH if value is None else str(value)))
    return rows
