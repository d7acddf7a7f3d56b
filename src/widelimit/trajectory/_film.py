"""A film of a trajectory that plays where it is shown."""

import dataclasses
import pathlib

from widelimit._shown import ask


@dataclasses.dataclass(frozen=True)
class Film:
    """A film that was made: `path`, its file. A notebook plays it; what takes a path takes the film."""

    path: pathlib.Path

    def __fspath__(self) -> str:
        return str(self.path)

    def _repr_html_(self) -> str | None:
        # The file's content is in it, so that a notebook is whole without the file.
        return ask("player", self)
