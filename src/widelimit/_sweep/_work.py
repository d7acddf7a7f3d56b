"""What a worker does: one run, in a folder of its own that gets the run's name when all of it is there."""

import contextlib
import dataclasses
import errno
import itertools
import pathlib
import shutil
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from widelimit._compiled import keep_compiled
from widelimit.runs.errors import BadInput, Failed, ProblemFileError, sentence
from widelimit.runs.folder import RunFolder, at_work, create, existing, locked

from ._folder import ENDED, state_of

if TYPE_CHECKING:
    from widelimit.runs.call import Work


@dataclasses.dataclass(frozen=True)
class Task:
    """One run for a worker: plain data, paths as all machines see them.

    - `path`: the folder that it is to become; `limit`: that of a run whose limit is the same, if one is done.
    """

    path: str
    problem: dict[str, Any]
    plugins: tuple[dict[str, str], ...]
    limit: str | None


def work(*tasks: Task) -> list[str]:
    """Compute the runs that are not there; how each ended. One whose own numbers go wrong is an ended one: it says so.

    Runs of one kind: their networks train in one call, and are in the folder of each when it is carried out by itself.
    Whoever is second to finish the same run throws its own away.
    """
    from widelimit.runs.call import train_together
    from widelimit.runs.parse import plugged, require_same

    missing = [task for task in tasks if state_of(pathlib.Path(task.path)) not in ENDED]
    if missing:
        plugins = missing[0].plugins
        with (
            plugged([pathlib.Path(plugin["path"]) for plugin in plugins]) as loaded,
            contextlib.ExitStack() as held,
        ):
            require_same(plugins, loaded, pathlib.Path(missing[0].path))
            begun = [_Begun.of(task, loaded, held) for task in missing]
            if len(begun) > 1:
                train_together([each.work for each in begun])
            for each in begun:
                each.carry_out()
    return [state_of(pathlib.Path(task.path)) for task in tasks]


@dataclasses.dataclass(frozen=True)
class _Begun:
    """A run in a folder beside its place, which nobody else works in; `files`: what the folder says of its problem."""

    task: Task
    part: pathlib.Path
    files: dict[str, Any]
    work: "Work"

    @classmethod
    def of(cls, task: Task, loaded: list[dict[str, str]], held: contextlib.ExitStack) -> "_Begun":
        from widelimit.runs.call import Work, build
        from widelimit.runs.parse import check
        from widelimit.runs.verbs import files_of

        path = pathlib.Path(task.path)
        name = str(path / "problem.json")
        file = check(task.problem, name)
        built = build(file, name)
        files = files_of(file, built, loaded)
        part = held.enter_context(_alone(path))
        return cls(task, part, files, Work(_begun(part, files), file, name, built, _quiet, False))

    def carry_out(self) -> None:
        from widelimit.runs.call import take_limit
        from widelimit.runs.verbs import carry_out

        work, path = self.work, pathlib.Path(self.task.path)
        folder = work.folder
        if self.task.limit is not None:
            take_limit(folder, pathlib.Path(self.task.limit))
        try:
            carry_out(folder, work.file, work.name, work.built, say=_quiet, progress=False)
        except Failed as error:
            folder.mark("failed", _as_at(path, self.part, error))
        except ProblemFileError as error:
            # The folder is gone where nothing was in it yet.
            self.part.mkdir(exist_ok=True)
            folder = create(self.part, self.files, overwrite=True)
            folder.mark("failed", _as_at(path, self.part, error))
        _published(self.part, path)


def carry(*tasks: Task) -> list[str]:
    """`work` in a worker's process, which shares compiled programs with the others of its machine."""
    keep_compiled()
    return work(*tasks)


def dask_setup(worker: Any) -> None:
    """What dask calls when a worker starts that has this module as its preload: Ctrl-C is the sweep's own to hear.

    A terminal sends it to the workers as well.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextlib.contextmanager
def _alone(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A folder beside `path` that no other process works in: what a lost worker has left, or a new one."""
    for number in itertools.count(1):
        part = path.with_name(f".{path.name}.{number}.part")
        part.mkdir(parents=True, exist_ok=True)
        if at_work(part):
            # A worker that hangs, or one of a sweep that was killed, holds it.
            continue
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(locked(part))
            except BadInput:
                continue
            yield part
            return


def _begun(part: pathlib.Path, files: dict[str, Any]) -> RunFolder:
    """A run that a lost worker has begun, to go on with its finished parts and its checkpoint; else a new one."""
    with contextlib.suppress(BadInput):
        folder = existing(part)
        if folder.state in ("running", "stopped") and folder.read("problem.json") == files["problem.json"]:
            folder.mark("running")
            return folder
    return create(part, files, overwrite=True)


def _published(part: pathlib.Path, path: pathlib.Path) -> None:
    try:
        part.rename(path)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY) or state_of(path) not in ENDED:
            raise
        shutil.rmtree(part, ignore_errors=True)


def _as_at(path: pathlib.Path, part: pathlib.Path, error: Exception) -> str:
    return sentence(error).replace(str(part), str(path))


def _quiet(text: str) -> None:
    """Many workers at once are followed by their runs' ends."""
