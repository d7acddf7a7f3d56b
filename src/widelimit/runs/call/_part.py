"""A part of a run: one evolution, kept in the run's folder once it is done."""

import dataclasses
import shutil
from collections.abc import Callable, Sequence
from typing import Any

from jaxtyping import Array

from widelimit._evolve import evolve, evolve_many
from widelimit.dynamics import AbstractDynamics, Start
from widelimit.trajectory import Checkpoint, Trajectory

from ..errors import BadInput, Failed, ProblemFileError, sentence
from ..folder import RunFolder
from ..parse._problem_file import ProblemFile
from ._build import Built

# Seconds between checkpoints: what a kill may cost.
_EVERY = 5.0


@dataclasses.dataclass(frozen=True, eq=False)
class Work:
    """Everything a part needs: where it is kept, what is asked and in which file, somewhere to say how far it is.

    - `progress`: whether an evolution shows how far it is itself, as in `evolve`.
    """

    folder: RunFolder
    file: ProblemFile
    name: str
    built: Built
    say: Callable[[str], None]
    progress: bool | None = None


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
    """The part as the folder has it; else computed, from its checkpoint if there is one, and kept.

    Raises `Failed` where it does not reach its end.
    """
    (done,) = carry_out_all(part.label, [(work, part)])
    if not done.outcome.ok:
        raise Failed(f"{part.label}: {done.message.rstrip('.')}. What was saved is kept in {work.folder.path}.")
    return done


def carry_out_all(label: str, jobs: Sequence[tuple[Work, Part]]) -> list[Trajectory]:
    """Parts of one run or of several, that differ in start, key and numbers alone, at once; each kept in its own run.

    Their checkpoint is one, kept under the first part's name until all of them are in their folders, so that after a
    kill the runs that are missing come out of it again.
    """
    known = [work.folder.mended(part.name) for work, part in jobs]
    done = [trajectory for trajectory in known if trajectory is not None]
    if len(done) == len(jobs):
        return done
    say = jobs[0][0].say
    say(f"{label} ...")
    made = _evolved(jobs)
    # Keeping the first part forgets the checkpoint.
    for (work, part), old, new in reversed(list(zip(jobs, known, made, strict=True))):
        if old is None:
            work.folder.keep(part.name, new)
    for (_, part), done in zip(jobs, made, strict=True):
        whose = "" if len(jobs) == 1 else f"{part.label}: "
        say(f"  {whose}risk {done.risk[-1]:.6g} at t = {done.times[-1]:.4g} ({done.wall:.1f} s)")
    return made


def _evolved(jobs: Sequence[tuple[Work, Part]]) -> list[Trajectory]:
    work, first = jobs[0]
    built, parts = work.built, [part for _, part in jobs]
    checkpoint = work.folder.checkpoint(first.name)
    # A dynamics may know an observable better than the particles do.
    reported = set(first.dynamics.reports(built.problem))
    settings: dict[str, Any] = {
        "t1": work.file.time.t1,
        "save_at": built.save_at,
        "observe": [each for each in built.watched if not reported & set(each.names(built.problem))],
        "checkpoint": Checkpoint(checkpoint, every=_EVERY),
        "progress": work.progress,
    }
    try:
        starts = [part.start() for part in parts]
        if len(parts) == 1:
            return [evolve(built.problem, starts[0], first.dynamics, key=first.key, throw=False, **settings)]
        keys = None if first.key is None else [part.key for part in parts if part.key is not None]
        # Seeds of one run are of one problem, which is then prepared once.
        problems, moves = [each.built.problem for each, _ in jobs], [part.dynamics for part in parts]
        return list(evolve_many(problems, starts, moves, keys=keys, **settings))
    except ValueError as error:
        if str(error).startswith(("checkpoint: cannot write", "checkpoint: another run is at work")):
            raise BadInput(f"{work.folder.path}: {sentence(error)}") from error
        if str(error).startswith("checkpoint") and checkpoint.exists():
            # Damaged, or of another version: what it would have spared is computed again.
            work.say(f"  notice: {sentence(error).partition(';')[0]}: this part starts anew")
            shutil.rmtree(checkpoint)
            return _evolved(jobs)
        raise ProblemFileError(work.name, first.place, f"{first.label}: {sentence(error)}") from error
