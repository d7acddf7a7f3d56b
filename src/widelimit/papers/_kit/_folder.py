"""What reproducing a paper leaves on disk, written so that a kill at any moment leaves what was finished.

pieces/<name>-<hash>.npz      finished pieces of every scale, found again by the next run
quick/, paper/                one folder a scale:
  <figure>.png, .npz, .json   the picture, the arrays it is drawn from, its caption; the last is written last
  claims.json                 the claims that have been checked
  index.html                  all of it on one page
  <figure>,<name>=<value>.*   a figure with other parameters, on a page of its own
"""

import dataclasses
import json
import pathlib
from collections.abc import Iterable
from typing import Any

from widelimit import __version__

from ._bench import Bench, Scale
from ._changes import Changes
from ._claims import Checked
from ._data import Data, write_arrays
from ._figures import Figure

_TEXT = ("name", "title", "caption", "alt")


@dataclasses.dataclass(frozen=True)
class Shown:
    """A finished figure: its picture and what is said of it."""

    name: str
    title: str
    caption: str
    alt: str
    png: bytes


@dataclasses.dataclass(frozen=True)
class Results:
    """The folder of one paper. Its methods raise `OSError` where it cannot be written."""

    path: pathlib.Path
    scale: Scale

    @property
    def place(self) -> pathlib.Path:
        """The folder of the scale."""
        return self.path / self.scale.value

    @property
    def pieces(self) -> pathlib.Path:
        return self.path / "pieces"

    @property
    def page(self) -> pathlib.Path:
        return self.place / "index.html"

    def keep_figure(self, figure: Figure, data: Data, png: bytes, seconds: float) -> None:
        """Store a figure that was drawn from `data`."""
        said = {
            "name": figure.name,
            "title": figure.title,
            "caption": figure.caption(data),
            "alt": figure.alt(data),
            "scale": self.scale.value,
            "seconds": seconds,
            "widelimit": __version__,
        }
        write_arrays(self.place / f"{figure.name}.npz", data)
        self._write(f"{figure.name}.png", png)
        self._write(f"{figure.name}.json", _to_json(said))

    def keep_picture(self, figure: Figure, kind: str, picture: bytes) -> pathlib.Path:
        """Store a figure in another format as well."""
        self._write(f"{figure.name}.{kind}", picture)
        return self.place / f"{figure.name}.{kind}"

    def figures(self, names: Iterable[str]) -> list[Shown]:
        """Those of the figures that are finished; a damaged one counts as unfinished."""
        found = []
        for name in names:
            said = _read_json(self.place / f"{name}.json")
            try:
                texts = {key: str(said[key]) for key in _TEXT}
                png = (self.place / f"{name}.png").read_bytes()
                found.append(Shown(**texts, png=png))
            except (KeyError, TypeError, ValueError, OSError):
                continue
        return found

    def keep_claims(self, checked: Iterable[Checked]) -> None:
        """Store claims; those of other ids that were checked earlier stay."""
        known = {row.id: row for row in self.claims()} | {row.id: row for row in checked}
        self._write("claims.json", _to_json({"claims": [row.record() for row in known.values()]}))

    def _write(self, name: str, content: bytes) -> None:
        # Here and not above: the numerical tools bring JAX, and naming the papers needs none.
        from widelimit.numerics import write_whole

        self.place.mkdir(parents=True, exist_ok=True)
        write_whole(self.place / name, content)

    def claims(self) -> list[Checked]:
        """The claims that have been checked; none where the file is missing or damaged."""
        try:
            return [Checked.from_record(record) for record in _read_json(self.place / "claims.json")["claims"]]
        except (KeyError, TypeError, ValueError):
            return []

    def bench(self, tell: Any, changes: Changes | None = None) -> Bench:
        """A bench that keeps its pieces here."""
        return Bench(self.scale, self.pieces, tell, changes or {})


def _to_json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _read_json(path: pathlib.Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
