"""Pages, the report's and of one's own: sentences, pictures and tables in one file that needs nothing else."""

import base64
import dataclasses
import os
import pathlib
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from widelimit.numerics import local_path, write_whole

from ._terms import anchor, linked, terms_in
from .canvas import DPI
from .words import DASH


@dataclasses.dataclass(frozen=True)
class Picture:
    """`name` is its key in `Page.figures`; `caption` says what to read from it, `alt` what is to be seen."""

    name: str
    png: bytes = dataclasses.field(repr=False)
    caption: str
    alt: str

    def save(self, path: str | os.PathLike[str]) -> pathlib.Path:
        """Write the PNG to `path`, whole or not at all. Raises `ValueError` where that cannot be done."""
        return written(local_path(path, "Picture.save(path=...)"), self.png, "Picture.save(path=...)")

    def _repr_png_(self) -> bytes:
        # What a notebook shows.
        return self.png

    @property
    def size(self) -> tuple[int, int]:
        """Its pixels, which a PNG says in its header."""
        width, height = struct.unpack(">II", self.png[16:24])
        return width, height

    @property
    def rem(self) -> float:
        """The width at which its text is as large as that of the page."""
        return 6.6 * self.size[0] / DPI

    @property
    def source(self) -> str:
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows of cells, all text. The first cell of a row is its head; cells of several lines keep them.

    `links`: where the head of each row leads, beside the page; none where it is empty.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    links: tuple[str, ...] = ()


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
    html: str = dataclasses.field(repr=False)
    figures: dict[str, bytes] = dataclasses.field(repr=False)

    def save(self, path: str | os.PathLike[str]) -> pathlib.Path:
        """Write the page to `path`, whole or not at all. Raises `ValueError` where that cannot be done."""
        return written(local_path(path, "Page.save(path=...)"), self.html.encode(), "Page.save(path=...)")

    def _repr_html_(self) -> str:
        # What a notebook shows.
        return framed(self.html, height="40em")


def make_page(
    title: str,
    lead: Sequence[str],
    warnings: Sequence[str],
    sections: Sequence[Section],
    *,
    notes: Sequence[str] = (),
    terms: Mapping[str, str] | None = None,
) -> Page:
    """Put the parts into the template: below the lead what gives reason to doubt, then the notes.

    `terms`: what the page's terms mean; those that occur are explained at its end and link there.
    """
    from importlib.resources import files

    import jinja2

    from widelimit import __version__

    text = files("widelimit.report").joinpath("page.html.j2").read_text(encoding="utf-8")
    known = terms or {}
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["linked"] = lambda text: linked(text, known)
    shown = "\n".join([*lead, *(text for section in sections for text in _linked_texts(section))])
    explained = [(anchor(term), term, known[term]) for term in terms_in(shown, known)]
    html = environment.from_string(text).render(
        title=title, lead=lead, warnings=warnings, notes=notes, sections=sections, terms=explained, version=__version__
    )
    pictures = {picture.name: picture.png for section in sections for picture in section.pictures}
    return Page(title, html, pictures)


def _linked_texts(section: Section) -> list[str]:
    """The texts in which the template links terms."""
    cells = [
        cell for table in section.tables for cell in (table.caption, *table.header, *(row[0] for row in table.rows))
    ]
    return [*section.sentences, *(picture.caption for picture in section.pictures), *cells]


def framed(html: str, *, height: str) -> str:
    """A whole page within another."""
    from html import escape

    return f'<iframe srcdoc="{escape(html)}" style="width:100%;height:{height};border:0"></iframe>'


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


def written(target: pathlib.Path, content: bytes, who: str) -> pathlib.Path:
    """Write to `target`, whole or not at all, in a folder that is made where there is none; errors name `who`."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, content)
    except OSError as error:
        raise ValueError(f"{who}: cannot write {target}: {error.strerror}.") from error
    return target
