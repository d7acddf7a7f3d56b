"""Where a file of the repository stands on the site, and the links between pages rewritten to it."""

import os
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
# A link or picture of Markdown; not those to the web, nor to a place on the same page.
LINK = re.compile(r"(!?\[[^\]]*\]\()(?!https?:|mailto:|#)([^)\s#]+)(#[^)\s]*)?(\))")


def place_of(file: str) -> str:
    """`docs/limit.md` -> `limit.md`; pages beside docs stand under `about`, other files under `files`."""
    if file.startswith("docs/"):
        return file.removeprefix("docs/")
    if file.endswith(".md"):
        return f"about/{file.removesuffix('.md').replace('/', '-').lower()}.md"
    return f"files/{file}"


def links_of(file: str, text: str) -> set[str]:
    """The files of the repository that a page links to. Raises `ValueError` for one that is not there."""
    return {_target(file, found[2]) for found in LINK.finditer(text)}


def rewritten(file: str, text: str) -> str:
    """The page with its links as they are on the site."""

    def moved(found: re.Match) -> str:
        here = os.path.dirname(place_of(file))
        there = os.path.relpath(place_of(_target(file, found[2])), here or ".")
        return f"{found[1]}{there}{found[3] or ''}{found[4]}"

    return LINK.sub(moved, text)


def _target(file: str, link: str) -> str:
    target = os.path.normpath(os.path.join(os.path.dirname(file), link))
    if not (ROOT / target).is_file():
        raise ValueError(f"{file}: the link to {link} leads to no file of the repository.")
    return target


def linked_files(pages: list[str]) -> list[str]:
    """Every file outside docs that the pages lead to, and those that these lead to."""
    found, todo = set(), list(pages)
    while todo:
        page = todo.pop()
        if not page.endswith(".md"):
            continue
        new = links_of(page, (ROOT / page).read_text(encoding="utf-8")) - found - set(pages)
        found |= new
        todo += new
    return sorted(file for file in found if not file.startswith("docs/"))
