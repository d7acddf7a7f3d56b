"""What is done with a problem file and with the folder of its run: begin, go on, write the report anew."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .call._build import Built, build
from .call._cost import check_cost
from .call._estimate import Item, items_of
from .call._limit import compute_limit
from .call._networks import networks_of, train
from .call._part import Work
from .errors import BadInput, Failed, Interrupted, ProblemFileError, tell
from .folder import FORMAT, RunFolder, create, existing, how_to_go_on, locked, unoccupied, vacant
from .parse._keys import read_problem_file
from .parse._plugins import plugged, require_same
from .parse._problem_file import ProblemFile, check
from .parse._words import changes
from .report._classes import classes_of
from .report._numbers import checks_of, describe, numbers_of, settings_words
from .report._predicted import predicted_of
from .report._summary import write_report


@dataclasses.dataclass(frozen=True)
class Outlook:
    """A run before it is made: where it would be, its problem in words, and its parts with what they take."""

    path: pathlib.Path
    title: str
    problem: dict[str, str]
    items: tuple[Item, ...]


def run_file(
    path: pathlib.Path,
    out: pathlib.Path | None,
    plugins: Sequence[pathlib.Path],
    settings: Mapping[str, Any],
    *,
    overwrite: bool,
    force: bool,
) -> RunFolder:
    """All that the file asks for, in a new folder; everything that can be checked is checked before it is made.

    `settings`: keys of the file, `time.t1`, and the values that they have instead.
    """
    with plugged(plugins) as loaded:
        file, content, built = _read(path, settings, force=force)
        place = _place(path, out)
        vacant(place, overwrite=overwrite)
        with locked(place):
            files = files_of(file, built, loaded) | {"problem.toml": content}
            if settings:
                files["set.json"] = dict(settings)
            folder = create(place, files, overwrite=overwrite)
            carry_out(folder, file, str(path), built)
    return folder


def outlook(
    path: pathlib.Path,
    out: pathlib.Path | None,
    plugins: Sequence[pathlib.Path],
    settings: Mapping[str, Any],
    *,
    overwrite: bool,
    force: bool,
) -> Outlook:
    """What `run_file` would do, after the same checks; nothing is computed or written."""
    with plugged(plugins):
        file, _, built = _read(path, settings, force=force)
        place = _place(path, out)
        unoccupied(place, overwrite=overwrite)
        words = describe(file, built) | ({"set": settings_words(settings)} if settings else {})
        return Outlook(place, file.title or path.stem, words, items_of(file, built))


def _read(path: pathlib.Path, settings: Mapping[str, Any], *, force: bool) -> tuple[ProblemFile, bytes, Built]:
    file, content = read_problem_file(path, settings)
    file = file.model_copy(update={"title": file.title or path.stem})
    built = build(file, str(path))
    if not force:
        check_cost(file, str(path), built)
    return file, content, built


def _place(path: pathlib.Path, out: pathlib.Path | None) -> pathlib.Path:
    return pathlib.Path("runs") / path.stem if out is None else out


def resume(path: pathlib.Path, plugins: Sequence[pathlib.Path]) -> RunFolder:
    """What is missing or damaged in a run is computed, the rest is taken as it is."""
    folder = existing(path, mend=True)
    if folder.state == "failed":
        raise Failed(f"{path}: there is nothing to go on with: {folder.status['message']}")
    stored, name = folder.read("problem.json"), str(path / "problem.json")
    if edited := changes(folder.status["problem"], stored):
        raise BadInput(f"{name}: was edited since the run began ({edited}); a changed problem is a new run.")
    if folder.state == "finished" and _is_whole(folder):
        tell(f"{path}: is finished already")
        return folder
    with locked(path), plugged(plugins) as loaded:
        require_same(folder.plugins, loaded, path)
        file = check(stored, name)
        built = build(file, name)
        try:
            facts = folder.read("data.json")
        except BadInput:
            # What it was is not known any more; the parts that are there say themselves whether they are whole.
            facts = built.facts
            folder.write("data.json", facts)
        if built.facts["arrays_sha256"] != facts.get("arrays_sha256"):
            seen = {key: value for key, value in built.facts.items() if not key.endswith("sha256")}
            what = changes({key: facts.get(key) for key in seen}, seen) or "other numbers"
            raise BadInput(f"{path}: {file.data.source} has changed since the run began ({what}).")
        folder.mark("running")
        carry_out(folder, file, str(path / "problem.toml"), built)
    return folder


def report_again(path: pathlib.Path, plugins: Sequence[pathlib.Path]) -> pathlib.Path:
    """The report of a finished run, from what its folder holds."""
    folder = existing(path)
    if folder.state == "failed":
        raise Failed(f"{path}: has no report: {folder.status['message']}")
    if folder.state != "finished":
        raise BadInput(f"{path}: is unfinished; {how_to_go_on(path)}.")
    with locked(path), plugged(plugins) as loaded:
        require_same(folder.plugins, loaded, path)
        write_report(folder)
    return path / "report.html"


def files_of(file: ProblemFile, built: Built, plugins: list[dict[str, str]]) -> dict[str, Any]:
    """What a run's folder says of its problem, by the names of the files."""
    stored = file.model_dump(mode="json", exclude_none=True) | {"limit": file.limit.stated()}
    if built.facts["sha256"] is not None:
        # The folder may be resumed from another working directory.
        stored["data"]["source"] = str(pathlib.Path(file.data.source).resolve())
    files = {"data.json": built.facts, "problem.json": stored}
    return files | {"plugins.json": {"plugins": plugins}} if plugins else files


def carry_out(
    folder: RunFolder,
    file: ProblemFile,
    name: str,
    built: Built,
    say: Callable[[str], None] = tell,
    progress: bool | None = None,
) -> None:
    """All parts, then numbers and report; a stop or a failure is written down before it is passed on."""
    for notice in built.notices:
        say(f"notice: {notice}")
    work = Work(folder, file, name, built, say, progress)
    try:
        limit = compute_limit(work)
        trained = train(work, networks_of(file))
        say("optimality gap, stationarity, dissipation ...")
        checks = checks_of(work, limit)
        numbers = numbers_of(work, limit, trained, checks, predicted_of(work, limit, trained))
        folder.write("numbers.json", numbers | {"classes": classes_of(work, limit, trained)})
        say("report ...")
        write_report(folder)
    except KeyboardInterrupt:
        folder.mark("stopped")
        raise Interrupted(f"stopped; `widelimit resume {folder.path}` goes on from here") from None
    except SystemExit:
        # SIGTERM, after a checkpoint.
        folder.mark("stopped")
        raise
    except Failed as error:
        folder.mark("failed", str(error))
        raise
    except ProblemFileError as error:
        # Found late, and by nothing but a new problem file to be set right.
        if folder.status["parts"]:
            folder.mark("failed", str(error))
        else:
            folder.clear()
        raise
    folder.mark("finished")
    folder.tidy()


def _is_whole(folder: RunFolder) -> bool:
    """Whether all parts and the numbers of a finished run are there."""
    try:
        folder.read("data.json")
        parts = [folder.load(part) for part in folder.status["parts"]]
        return None not in parts and folder.read("numbers.json").get("format") == FORMAT
    except BadInput:
        return False
