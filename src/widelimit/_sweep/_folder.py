"""A sweep's folder.

sweep.json     its runs              sweep.toml     the user's file
runs/<name>/   a run, as `widelimit run` leaves it; it gets this name when it is done, and is never written again
runs/.<name>.<n>.part/   a run that is being computed, or was when its worker was lost
results.zarr   all end risks         report.html    the report
"""

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from widelimit.runs.errors import BadInput
from widelimit.runs.folder import is_sweep, locked, read_json, to_json, writing

if TYPE_CHECKING:
    from ._plan import Plan, PlannedRun

_FORMAT = 2
ENDED = ("finished", "failed")


@dataclasses.dataclass(frozen=True)
class SweepFolder:
    """A sweep on disk. What is done is seen from the runs' own folders, so that no list of it can be wrong."""

    path: pathlib.Path
    plan: "Plan"

    def run_path(self, name: str) -> pathlib.Path:
        return self.path / "runs" / name

    def state(self, name: str) -> str:
        """`finished`, `failed`, or `missing`."""
        return state_of(self.run_path(name))

    def missing(self) -> "list[PlannedRun]":
        return [run for run in self.plan.runs if self.state(run.name) not in ENDED]

    def estimate(self) -> dict[str, Any]:
        """What every run costs, as plain data; `seconds` of one core for all that are missing.

        A limit that several runs share counts in the first of them. Where runs are done, their networks' own seconds
        say how fast this machine is; `basis` says which it was.
        """
        known, rows, total = {run.limit for run in self.plan.runs if self.state(run.name) == "finished"}, [], 0.0
        factor = self._speed()
        for run in self.plan.runs:
            limit = 0.0 if run.limit in known else run.cost.limit_seconds
            state, seconds = self.state(run.name), limit + run.cost.training_seconds * (factor or 1.0)
            if state == "missing":
                total += seconds
                known.add(run.limit)
            rows.append(
                {"name": run.name, "values": run.values, "state": state, "seconds": seconds}
                | {
                    "limit": run.cost.limit if limit else 0.0,
                    "networks": run.cost.training,
                    "steps": sum(run.cost.steps),
                }
            )
        basis = "to a factor of a few, compilation not counted"
        if factor is not None:
            basis = f"networks as fast as those that are done, {factor:.2g} times the first estimate"
        return {"runs": rows, "seconds": total, "basis": basis}

    def _speed(self) -> float | None:
        """Seconds that the finished runs' networks took, over their estimate; None where none is."""
        taken = expected = 0.0
        for run in self.plan.runs:
            if self.state(run.name) == "finished":
                parts = read_json(self.run_path(run.name) / "status.json")["parts"]
                taken += sum(part["seconds"] for name, part in parts.items() if name.startswith("network"))
                expected += run.cost.training_seconds
        return taken / expected if taken > 0 and expected > 0 else None

    def write(self, name: str, content: bytes) -> None:
        from widelimit.numerics import write_whole

        with writing(str(self.path / name)):
            write_whole(self.path / name, content)


def state_of(path: pathlib.Path) -> str:
    """How a run at `path` ended; `missing` where nothing is."""
    try:
        state = read_json(path / "status.json").get("state")
    except BadInput:
        return "missing"
    return str(state) if state in ENDED else "missing"


@contextlib.contextmanager
def at_work_in(path: pathlib.Path, plan: "Plan", content: bytes | None) -> Iterator[SweepFolder]:
    """The folder of a sweep for one process alone, made if it is not there; runs that are in it stay.

    Raises `BadInput` for a folder that is something else, or in which another sweep is at work.
    """
    with writing(f"--out {path}"):
        path.mkdir(parents=True, exist_ok=True)
        inside = sorted(entry.name for entry in path.iterdir() if entry.name != ".lock")
    if inside and not is_sweep(path):
        raise BadInput(f"--out {path}: holds {inside[0]!r} and is not the folder of a sweep; choose another folder.")
    with locked(path):
        folder = SweepFolder(path, plan)
        folder.write("sweep.json", to_json({"format": _FORMAT} | plan.record()).encode())
        if content is not None:
            folder.write("sweep.toml", content)
        with writing(str(path)):
            (path / "runs").mkdir(exist_ok=True)
        yield folder


def existing_sweep(path: pathlib.Path) -> SweepFolder:
    """The sweep at `path`. Raises `BadInput` for a folder that is none, or a damaged one."""
    from ._plan import plan_of

    if not is_sweep(path):
        raise BadInput(f"{path}: is not the folder of a sweep (no sweep.json in it).")
    again = "The same `widelimit sweep FILE` writes it again and keeps the runs."
    record = read_json(path / "sweep.json")
    if record.get("format") != _FORMAT:
        raise BadInput(f"{path}: is of another version (format {record.get('format')!r}, not {_FORMAT}). {again}")
    try:
        return SweepFolder(path, plan_of(record))
    except (KeyError, TypeError) as error:
        raise BadInput(f"{path / 'sweep.json'}: is damaged ({error!r}). {again}") from None
