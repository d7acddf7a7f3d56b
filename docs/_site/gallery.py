"""The gallery: each script in docs/gallery runs once, and its picture, code and output become a page.

What a script made is kept under its text and the library's source: a site that is built again runs only what changed.
`python docs/_site/gallery.py` runs them all and says how long each took.
"""

import ast
import concurrent.futures
import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "docs" / "gallery"
KEPT = ROOT / ".cache" / "gallery"
_RUNNER = pathlib.Path(__file__).with_name("run_script.py")
# Longer than any may take on a loaded machine.
_LONGEST = 600.0


@dataclasses.dataclass(frozen=True)
class Example:
    """`code` is the script below its docstring; `pictures` are files, `output` what it printed."""

    name: str
    title: str
    text: str
    alt: str
    code: str
    output: str
    pictures: tuple[pathlib.Path, ...]

    @property
    def page(self) -> str:
        """Markdown; the pictures stand beside the page."""
        shown = "\n\n".join(f"![{self.alt}]({picture_name(self, i)})" for i in range(len(self.pictures)))
        printed = f"\nIt prints:\n\n```text\n{self.output.rstrip()}\n```\n" if self.output.strip() else ""
        return f"# {self.title}\n\n{self.text}\n\n{shown}\n\n```python\n{self.code.strip()}\n```\n{printed}"


def picture_name(example: Example, index: int) -> str:
    """The file of a picture on the site."""
    return f"{example.name}-{index + 1}{example.pictures[index].suffix}"


def examples() -> list[Example]:
    """Every script with what it made; those that are not kept run now, two at a time.

    Raises `RuntimeError` with what a script said, if one fails.
    """
    library = _library()
    with concurrent.futures.ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        return list(pool.map(lambda script: _made(script, library), scripts()))


def scripts() -> list[pathlib.Path]:
    """The files, in the order of their names."""
    return sorted(SCRIPTS.glob("*.py"))


def overview(found: list[Example]) -> str:
    """All pictures with their titles."""
    cards = "\n".join(
        f'<a class="card" href="{one.name}/"><img src="{picture_name(one, 0)}" alt="" loading="lazy">'
        f"<span>{one.title}</span></a>"
        for one in found
    )
    lead = "Short scripts, each with the picture that it makes. They run when this site is built."
    return f'# Gallery\n\n{lead}\n\n<div class="gallery">\n{cards}\n</div>\n'


def parts(script: pathlib.Path) -> tuple[str, str, str, str]:
    """Title, text, alternative text and code. Raises `ValueError` for a script without one of them."""
    source = script.read_text(encoding="utf-8")
    tree = ast.parse(source)
    said = ast.get_docstring(tree) or ""
    title, _, rest = said.partition("\n")
    text, _, alt = rest.partition("\nAlt:")
    end = tree.body[0].end_lineno if tree.body else 0
    if not (title.strip() and text.strip() and alt.strip()):
        raise ValueError(f"{script.name}: its docstring must have a title, a text and a line that begins with `Alt:`.")
    return title.strip(), text.strip(), " ".join(alt.split()), "\n".join(source.splitlines()[end:])


def _made(script: pathlib.Path, library: str) -> Example:
    title, text, alt, code = parts(script)
    kept = KEPT / hashlib.sha256(f"{library}{script.read_text(encoding='utf-8')}".encode()).hexdigest()[:32]
    if not (kept / "done.json").is_file():
        _run(script, kept)
    said = json.loads((kept / "done.json").read_text(encoding="utf-8"))
    return Example(script.stem, title, text, alt, code, said["output"], tuple(kept / name for name in said["pictures"]))


def _run(script: pathlib.Path, kept: pathlib.Path) -> None:
    """Run a script in a process and a folder of its own; what it made is moved to `kept` when all of it is there."""
    KEPT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=KEPT) as folder:
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, str(_RUNNER), str(script)], cwd=folder, capture_output=True, text=True, timeout=_LONGEST
        )
        if done.returncode:
            raise RuntimeError(f"docs/gallery/{script.name} failed:\n{done.stderr[-4000:]}")
        pictures = sorted(path.name for path in pathlib.Path(folder).iterdir() if path.suffix in (".png", ".gif"))
        if not pictures:
            raise RuntimeError(f"docs/gallery/{script.name} left no open figure and wrote no picture.")
        said = {"output": done.stdout, "pictures": pictures, "seconds": round(time.monotonic() - begun, 1)}
        (pathlib.Path(folder) / "done.json").write_text(json.dumps(said), encoding="utf-8")
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(folder, kept)


def _library() -> str:
    """A digest of the library's source: another library may make other pictures."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "src").rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    for one in examples():
        print(f"{one.name}: {one.title} ({len(one.pictures)} pictures)")
