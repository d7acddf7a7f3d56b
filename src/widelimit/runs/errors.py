"""How a run ends when it does not end well: a sentence, and the exit code of the command that asked for it."""

import contextlib
from collections.abc import Iterator
from typing import Any

BAD_INPUT, FAILED, INTERRUPTED = 2, 1, 130


class BadInput(ValueError):
    """Something the user can set right."""

    code = BAD_INPUT


class ProblemFileError(BadInput):
    """A problem file that does not say what is needed.

    - `file`: as the user gave it.
    - `place`: the section and key, `[unit] activation`, or the line; may be empty.
    """

    def __init__(self, file: str, place: str, text: str) -> None:
        super().__init__(f"{file}: {place}: {text}" if place else f"{file}: {text}")
        self.file, self.place, self.text = file, place, text

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.file, self.place, self.text)


class Failed(Exception):
    """Something that was computed did not come out well; what was saved is kept."""

    code = FAILED


class Interrupted(Exception):
    """Ctrl-C; the message says how to go on."""

    code = INTERRUPTED


@contextlib.contextmanager
def place(file: str, where: str) -> Iterator[None]:
    """Give every ValueError from the library its place in the problem file."""
    try:
        yield
    except BadInput:
        raise
    except ValueError as error:
        raise ProblemFileError(file, where, sentence(error)) from error


def sentence(error: object) -> str:
    """An error's text on one line."""
    return " ".join(str(error).split())


def tell(text: str) -> None:
    """Progress and notices: standard error, so that standard output has the result alone."""
    import typer

    typer.echo(text, err=True)
