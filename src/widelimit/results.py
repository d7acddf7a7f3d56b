"""What a solver can report: an outcome, and what to try next."""

import enum
from collections.abc import Iterable, Sequence
from typing import Any


class Outcome(enum.Enum):
    """How a run ended. The value is one sentence for people."""

    SUCCESS = "reached the end time"
    DIVERGED = "a parameter or the risk grew without bound"
    MAX_STEPS = "the step limit was reached before the end time"
    STALLED = "the adaptive step shrank below the resolution of the clock"

    @property
    def ok(self) -> bool:
        return self is Outcome.SUCCESS


class EvolutionError(RuntimeError):
    """Raised by `evolve(..., throw=True)` when a run does not reach its end.

    `trajectory` holds all that was saved before the run stopped.
    """

    def __init__(self, message: str, trajectory: object) -> None:
        super().__init__(message)
        self.trajectory = trajectory

    def __reduce__(self) -> tuple[Any, ...]:
        # An error is copied and pickled by what it was called with: by default by its message alone.
        return type(self), (str(self), self.trajectory)


def one_of(value: str, allowed: Sequence[str], what: str) -> str:
    """Return `value` if it is one of `allowed`; else raise a ValueError that suggests the nearest."""
    if value in allowed:
        return value
    raise ValueError(f"{what}: {unknown(value, allowed)}")


def unknown(value: str, allowed: Sequence[str]) -> str:
    """`'tanhh' is not known; allowed are tanh, relu. Did you mean 'tanh'?`"""
    said = repr(value) if len(repr(value)) <= 60 else f"{value!r:.57}..."
    return f"{said} is not known; allowed are {', '.join(allowed)}.{did_you_mean(value, allowed)}"


def did_you_mean(value: str, known: Iterable[str]) -> str:
    """` Did you mean 'tanh'?`, to end a message; nothing where none of `known` is near."""
    import difflib
    import unicodedata

    # An u with two dots may be one character or two: on the screen they are the same.
    forms = {unicodedata.normalize("NFC", name): name for name in known}
    same = forms.get(unicodedata.normalize("NFC", value))
    if same is not None and same != value:
        return f" {same!a} reads the same and is spelled with other characters; {value!a} was given."
    near = difflib.get_close_matches(unicodedata.normalize("NFC", value), forms, n=1, cutoff=0.5)
    return f" Did you mean {forms[near[0]]!r}?" if near else ""
