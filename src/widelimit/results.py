"""What a solver can report: an outcome, and what to try next."""

import enum


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


def one_of(value: str, allowed: tuple[str, ...] | list[str], what: str) -> str:
    """Return `value` if it is one of `allowed`; else raise a ValueError that suggests the nearest."""
    if value in allowed:
        return value
    import difflib

    near = difflib.get_close_matches(value, allowed, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"{what}: {value!r} is not known; allowed are {', '.join(allowed)}.{hint}")
