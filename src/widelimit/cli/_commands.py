"""What the commands do."""

import pathlib
from collections.abc import Sequence
from typing import Any

import typer

from ._errors import BadInput, Failed, Interrupted, ProblemFileError, tell
from .call._folder import FORMAT, RunFolder, create, existing, how_to_go_on, locked, print_json, vacant


def run_file(
    path: pathlib.Path,
    out: pathlib.Path | None,
    plugins: Sequence[pathlib.Path],
    *,
    json: bool,
    overwrite: bool,
    force: bool,
) -> None:
    """`widelimit run`: everything that can be checked is checked before anything is written or replaced."""
    from .call._build import build
    from .call._cost import check_cost
    from .parse._plugins import plugged
    from .parse._problem_file import read_problem_file

    with plugged(plugins) as loaded:
        file, content = read_problem_file(path)
        file = file.model_copy(update={"title": file.title or path.stem})
        built = build(file, str(path))
        if not force:
            check_cost(file, str(path), built)
        folder_path = pathlib.Path("runs") / path.stem if out is None else out
        vacant(folder_path, overwrite=overwrite)
        stored = file.model_dump(mode="json", exclude_none=True) | {"limit": file.limit.stated()}
        if built.facts["sha256"] is not None:
            # The folder may be resumed from another working directory.
            stored["data"]["source"] = str(pathlib.Path(file.data.source).resolve())
        with locked(folder_path):
            files = {"problem.toml": content, "data.json": built.facts, "problem.json": stored}
            if loaded:
                files["plugins.json"] = {"plugins": loaded}
            folder = create(folder_path, files, overwrite=overwrite)
            _carry_out(folder, file, str(path), built, json=json)


def resume_folder(path: pathlib.Path, plugins: Sequence[pathlib.Path], *, json: bool) -> None:
    """`widelimit resume`: what is missing or damaged is computed, the rest is taken as it is."""
    from .call._build import build
    from .parse._plugins import plugged, require_same
    from .parse._problem_file import check
    from .parse._words import changes

    folder = existing(path, mend=True)
    if folder.state == "failed":
        raise Failed(f"{path}: there is nothing to go on with: {folder.status['message']}")
    stored, name = folder.read("problem.json"), str(path / "problem.json")
    if edited := changes(folder.status["problem"], stored):
        raise BadInput(f"{name}: was edited since the run began ({edited}); a changed problem is a new run.")
    if folder.state == "finished" and _is_whole(folder):
        tell(f"{path}: is finished already")
        _print(folder, folder.read("numbers.json"), json=json)
        return
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
        _carry_out(folder, file, str(path / "problem.toml"), built, json=json)


def show_folder(path: pathlib.Path, *, json: bool) -> None:
    """`widelimit show`."""
    folder = existing(path)
    if folder.state == "finished":
        _print(folder, folder.read("numbers.json"), json=json, ends=False)
    elif json:
        print_json(folder.status)
    else:
        from .report._show import print_status

        print_status(folder)


def report_folder(path: pathlib.Path, plugins: Sequence[pathlib.Path]) -> None:
    """`widelimit report`."""
    folder = existing(path)
    if folder.state == "failed":
        raise Failed(f"{path}: has no report: {folder.status['message']}")
    if folder.state != "finished":
        raise BadInput(f"{path}: is unfinished; {how_to_go_on(path)}.")
    from .parse._plugins import plugged, require_same
    from .report._summary import write_report

    with locked(path), plugged(plugins) as loaded:
        require_same(folder.plugins, loaded, path)
        write_report(folder)
    typer.echo(str(path / "report.html"))


def _carry_out(folder: RunFolder, file: Any, name: str, built: Any, *, json: bool) -> None:
    """All parts, then numbers and report; a stop or a failure is written down before it is passed on."""
    from .call._limit import compute_limit
    from .call._networks import networks_of, train
    from .call._part import Work
    from .report._numbers import checks_of, numbers_of
    from .report._predicted import predicted_of
    from .report._summary import write_report

    for notice in built.notices:
        tell(f"notice: {notice}")
    work = Work(folder, file, name, built, tell)
    try:
        limit = compute_limit(work)
        trained = train(work, networks_of(file))
        tell("optimality gap, stationarity, dissipation ...")
        checks = checks_of(work, limit)
        numbers = numbers_of(work, limit, trained, checks, predicted_of(work, limit, trained))
        folder.write("numbers.json", numbers)
        tell("report ...")
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
    _print(folder, folder.read("numbers.json"), json=json)


def _is_whole(folder: RunFolder) -> bool:
    """Whether all parts and the numbers of a finished run are there."""
    try:
        folder.read("data.json")
        parts = [folder.load(part) for part in folder.status["parts"]]
        return None not in parts and folder.read("numbers.json").get("format") == FORMAT
    except BadInput:
        return False


def _print(folder: RunFolder, numbers: Any, *, json: bool, ends: bool = True) -> None:
    """The numbers of a finished run; with `ends`, that networks failed is how the command ends."""
    if json:
        print_json(numbers)
    else:
        from .report._show import print_numbers

        try:
            print_numbers(folder, numbers)
        except (KeyError, TypeError, AttributeError) as error:
            raise BadInput(
                f"{folder.path / 'numbers.json'}: is damaged ({error!r}); "
                f"`widelimit resume {folder.path}` makes it again."
            ) from error
    if ends and numbers["failed"]:
        raise Failed("; ".join(why.rstrip(".") for why in numbers["failed"].values()) + ".")
