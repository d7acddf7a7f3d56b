"""What a worker does: one run, in a folder of its own that gets the run's name when all of it is there."""

import contextlib
import dataclasses
import errno
import itertools
import pathlib
import shutil
import signal
from collections.abc import Iterator
from typing import Any

from widelimit._compiled import keep_compiled
from widelimit.runs.errors import BadInput, Failed, ProblemFileError, sentence
from widelimit.runs.folder import RunFolder, at_work, create, existing, locked

from ._folder import ENDED, state_of


@dataclasses.dataclass(frozen=True)
class Task:
    """One run for a worker: plain data, paths as all machines see them.

    - `path`: the folder that it is to become; `limit`: that of a run whose limit is the same, if one is done.
    """

    path: str
    problem: dict[str, Any]
    plugins: tuple[dict[str, str], ...]
    limit: str | None


def work(task: Task) -> str:
    """Compute the run if it is not there; how it ended. A run whose own numbers go wrong is an ended one: it says so.

    Whoever is second to finish the same run throws its own away.
    """
    from widelimit.runs.call import build, take_limit
    from widelimit.runs.parse import check, plugged, require_same
    from widelimit.runs.verbs import carry_out, files_of

    path = pathlib.Path(task.path)
    if (state := state_of(path)) in ENDED:
        return state
    with plugged([pathlib.Path(plugin["path"]) for plugin in task.plugins]) as loaded:
        require_same(task.plugins, loaded, path)
        name = str(path / "problem.json")
        file = check(task.problem, name)
        built = build(file, name)
        files = files_of(file, built, loaded)
        with _alone(path) as part:
            folder = _begun(part, files)
            if task.limit is not None:
                take_limit(folder, pathlib.Path(task.limit))
            try:
                carry_out(folder, file, name, built, say=_quiet, progress=False)
            except Failed as error:
                folder.mark("failed", _as_at(path, part, error))
            except ProblemFileError as error:
                # The folder is gone where nothing was in it yet.
                part.mkdir(exist_ok=True)
                folder = create(part, files, overwrite=True)
                folder.mark("failed", _as_at(path, part, error))
            _published(part, path)
    return state_of(path)


def carry(task: Task) -> str:
    """`work` in a worker's process, which shares compiled programs with the others of its machine."""
    keep_compiled()
    return work(task)


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
