"""The one call: a problem file with a [sweep], all its runs made, and what they say together."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from widelimit.report import Page, words
from widelimit.runs.errors import BadInput, Failed, Interrupted, tell
from widelimit.runs.folder import locked
from widelimit.runs.parse import plugged, read_tables, require_same

from ._cluster import connected
from ._drive import TIMEOUT, drive
from ._folder import SweepFolder, at_work_in, existing_sweep
from ._matters import Choice, Difference, Share
from ._page import found_words, sweep_page, write_report
from ._plan import Plan, make_plan
from ._section import MOST_RUNS, read_section
from ._study import Study, study_of
from ._table import gather

if TYPE_CHECKING:
    import xarray


@dataclasses.dataclass(frozen=True, eq=False)
class Sweep:
    """A sweep that was made: the folder of its runs, and what they say together."""

    folder: SweepFolder

    @property
    def path(self) -> pathlib.Path:
        return self.folder.path

    @functools.cached_property
    def dataset(self) -> "xarray.Dataset":
        """All end risks, one dimension a key of the grid, and `seed`; NaN where a network did not reach its end.

        Keys of a zip or a list vary along one dimension, `zip` or `list`, and are coordinates on it.
        """
        return gather(self.folder)

    @functools.cached_property
    def _study(self) -> Study:
        return study_of(self.folder, self.dataset)

    @property
    def shares(self) -> tuple[Share, ...]:
        """The share of each factor, of their interactions and of the seed in the variation of the end risk."""
        return self._study.shares

    @property
    def differences(self) -> tuple[Difference, ...]:
        """From each level of each factor to the next, and whether it is more than the seeds do."""
        return self._study.differences

    @property
    def choice(self) -> Choice:
        """The best setting, and the cheapest within the tolerance of it."""
        return self._study.choice

    @property
    def statement(self) -> str:
        """The best, the cheapest, and where the variation comes from, in sentences."""
        return " ".join(found_words(self._study)) or "No network reached its end."

    def record(self) -> dict[str, Any]:
        """All of that as plain data."""
        study = self._study
        known = study.comparable
        return {
            "title": self.folder.plan.title,
            "response": study.response,
            "statement": self.statement,
            "runs": [
                {"name": run.name, "values": run.values, "state": self.folder.state(run.name)}
                for run in self.folder.plan.runs
            ],
            "shares": [dataclasses.asdict(row) for row in self.shares] if known else [],
            "differences": [dataclasses.asdict(row) for row in self.differences] if known else [],
            "choice": dataclasses.asdict(self.choice) if study.some else None,
            "settings": {name: list(axis.labels) for name, axis in zip(study.names, study.axes, strict=True)},
        }

    def report(self) -> Page:
        """The page that `widelimit report` writes; its links lead into the sweep's folder."""
        return sweep_page(self.folder, self._study)


def sweep(
    problem: str | os.PathLike[str] | Mapping[str, Any],
    out: str | os.PathLike[str],
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    timeout: float = TIMEOUT,
    max_runs: int = MOST_RUNS,
    plugins: Sequence[str | os.PathLike[str]] = (),
    say: Callable[[str], None] = tell,
) -> Sweep:
    """Make every run that a problem file's [sweep] asks for, in a folder; runs that are there already are kept.

        swept = wl.sweep("digits.toml", "sweeps/digits")
        swept.dataset["risk"].mean("seed")

    - `problem`: the file, or its tables as a mapping; paths in the latter count from the working directory.
    - `workers`: processes on this machine, one a core by default; `scheduler`: the address of a running dask scheduler
      instead, whose workers must see `out` under the same path.
    - `timeout`: seconds after which a run is taken from its worker and given to another, which goes on from its
      checkpoint.
    - `plugins`: Python files that register units and other things of your own; `say`: where progress goes.

    Raises `ValueError` for what the problem file gets wrong, a folder that is something else or in which another sweep
    is at work, and a scheduler that does not answer; `RuntimeError` where runs could not be made.
    """
    settings: dict[str, Any] = {"workers": workers, "scheduler": scheduler, "timeout": timeout, "say": say}
    with plugged([pathlib.Path(path) for path in plugins]) as loaded:
        if isinstance(problem, Mapping):
            section = read_section(problem, "sweep")
            plan = make_plan(problem, section, pathlib.Path("sweep"), loaded, max_runs=max_runs, force=False)
            content = None
        else:
            plan, content = plan_file(pathlib.Path(problem), loaded, max_runs=max_runs)
        try:
            return Sweep(make_runs(pathlib.Path(out), plan, content, **settings))
        except Failed as error:
            raise RuntimeError(str(error)) from None
        except Interrupted as stopped:
            raise KeyboardInterrupt(f"sweep {stopped}") from None


def resume_sweep(path: pathlib.Path, plugins: Sequence[pathlib.Path]) -> SweepFolder:
    """What is missing in the sweep at `path`, with the plugins that it began with."""
    folder = existing_sweep(path)
    with plugged(plugins) as loaded:
        require_same(folder.plan.plugins, loaded, path)
        return make_runs(path, folder.plan, None, workers=None, scheduler=None, timeout=TIMEOUT)


def report_sweep(path: pathlib.Path, plugins: Sequence[pathlib.Path]) -> pathlib.Path:
    """The report of a sweep anew, from the runs that are there."""
    folder = existing_sweep(path)
    with locked(path), plugged(plugins) as loaded:
        require_same(folder.plan.plugins, loaded, path)
        write_report(folder)
    return path / "report.html"


def plan_file(
    path: pathlib.Path, loaded: Sequence[dict[str, str]], *, max_runs: int = MOST_RUNS, force: bool = False
) -> tuple[Plan, bytes]:
    """The runs that a file asks for, and its bytes."""
    if max_runs < 1:
        raise BadInput(f"--max-runs: must be at least 1, got {max_runs}.")
    tables, content = read_tables(path)
    section = read_section(tables, str(path))
    return make_plan(tables, section, path, loaded, max_runs=max_runs, force=force), content


def make_runs(
    path: pathlib.Path,
    plan: Plan,
    content: bytes | None,
    *,
    workers: int | None,
    scheduler: str | None,
    timeout: float,
    say: Callable[[str], None] = tell,
) -> SweepFolder:
    """All runs of a plan that are not in the folder yet. Raises `Failed` with the runs that could not be made."""
    if not timeout > 0:
        raise BadInput(f"--timeout: must be a number of seconds above 0, got {timeout:g}.")
    if workers is not None and workers < 1:
        raise BadInput(f"--workers: must be at least 1, got {workers}.")
    if workers is not None and scheduler is not None:
        raise BadInput("--workers: a scheduler that is running has its own; leave one of the two out.")
    faults: dict[str, str] = {}
    with at_work_in(path, plan, content) as folder:
        missing = folder.missing()
        done = len(plan.runs) - len(missing)
        say(words.count(len(plan.runs), "run") + (f", {done} of them done already" if done else "") + f": {path}")
        if missing:
            say(f"a run that is not done after {timeout:g} s (--timeout) is given to another worker")
            try:
                with connected(scheduler, workers) as client:
                    faults = drive(client, folder, missing, timeout=timeout, say=say)
            except KeyboardInterrupt:
                raise Interrupted(f"stopped; `widelimit resume {path}` goes on from what is done") from None
        write_report(folder)
    if faults:
        said = "; ".join(f"{name}: {why.rstrip('.')}" for name, why in faults.items())
        raise Failed(f"{len(faults)} of {len(plan.runs)} runs could not be made: {said}.")
    return folder
