"""The one call: a problem file with a [sweep], all its runs made, and what they say together."""

import pathlib
from collections.abc import Callable, Sequence

from widelimit.runs.errors import BadInput, Failed, Interrupted, tell
from widelimit.runs.parse import read_tables

from ._cluster import connected
from ._drive import drive
from ._folder import SweepFolder, at_work_in
from ._plan import Plan, make_plan
from ._section import MOST_RUNS, read_section


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
        say(f"{len(plan.runs)} runs" + (f", {done} of them done already" if done else "") + f": {path}")
        if missing:
            say(f"a run that is not done after {timeout:g} s (--timeout) is given to another worker")
            try:
                with connected(scheduler, workers) as client:
                    faults = drive(client, folder, missing, timeout=timeout, say=say)
            except KeyboardInterrupt:
                raise Interrupted("stopped; the same `widelimit sweep` goes on from what is done") from None
    if faults:
        said = "; ".join(f"{name}: {why.rstrip('.')}" for name, why in faults.items())
        raise Failed(f"{len(faults)} of {len(plan.runs)} runs could not be made: {said}.")
    return folder
