"""A part of a run: one evolution, kept in the run's folder once it is done."""

import dataclasses
from collections.abc import Callable

from jaxtyping import Array

from widelimit._evolve import evolve
from widelimit.dynamics import AbstractDynamics, Start
from widelimit.trajectory import Checkpoint, Trajectory

from .._errors import BadInput, Diverged, ProblemFileError, sentence
from ..parse._problem_file import ProblemFile
from ._build import Built
from ._folder import RunFolder

# Seconds between checkpoints: what a kill may cost.
_EVERY = 5.0


@dataclasses.dataclass(frozen=True, eq=False)
class Work:
    """Everything a part needs: where it is kept, what is asked, and somewhere to say how far it is."""

    folder: RunFolder
    file: ProblemFile
    built: Built
    say: Callable[[str], None]

    @property
    def name(self) -> str:
        return str(self.folder.path / "problem.toml")


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
    """One evolution: the name it is kept under, what to call it, where in the file it is asked for, and its making."""

    name: str
    label: str
    place: str
    start: Callable[[], Start]
    dynamics: AbstractDynamics
    key: Array | None = None


def carry_out(work: Work, part: Part) -> Trajectory:
    """The part as the folder has it; else computed, from its checkpoint if there is one, and kept."""
    done = work.folder.load(part.name)
    if done is None:
        work.say(f"{part.label} ...")
        done = _evolved(work, part)
        work.folder.keep(part.name, done)
        work.say(f"  risk {done.risk[-1]:.6g} at t = {done.times[-1]:.4g} ({done.wall:.1f} s)")
    if not done.outcome.ok:
        raise Diverged(f"{part.label}: {done.message.rstrip('.')}. What was saved is kept in {work.folder.path}.")
    return done


def _evolved(work: Work, part: Part) -> Trajectory:
    built = work.built
    # A dynamics may know an observable better than the particles do.
    reported = set(part.dynamics.reports(built.problem))
    try:
        return evolve(
            built.problem,
            part.start(),
            part.dynamics,
            t1=work.file.time.t1,
            save_at=built.save_at,
            observe=[each for each in built.watched if not reported & set(each.names(built.problem))],
            key=part.key,
            throw=False,
            checkpoint=Checkpoint(work.folder.checkpoint(part.name), every=_EVERY),
        )
    except ValueError as error:
        if str(error).startswith("checkpoint"):
            raise BadInput(f"{work.folder.path}: {sentence(error)}") from error
        raise ProblemFileError(work.name, part.place, f"{part.label}: {sentence(error)}") from error
