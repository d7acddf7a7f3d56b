"""Which runs a worker gets together."""

import collections
import pathlib
from typing import Any

import pytest

from widelimit._sweep import _drive
from widelimit._sweep._folder import SweepFolder
from widelimit._sweep._plan import Plan, PlannedRun
from widelimit.runs.call import Cost


def run(name: str, *, kind: str = "a", limit: str = "", most: int = 10) -> PlannedRun:
    return PlannedRun(name, (), {}, {}, limit or f"limit of {name}", kind, most, Cost(0.0, (), (), (), ()))


def loop(path: pathlib.Path, runs: list[PlannedRun]) -> _drive._Drive:
    folder = SweepFolder(path, Plan("", {}, (), tuple(runs), ()))
    client: Any = None
    return _drive._Drive(client, folder, 1.0, lambda _: None, collections.deque(folder.missing()))


def names(runs: tuple[PlannedRun, ...]) -> str:
    return "".join(one.name for one in runs)


def handed_out(drive: _drive._Drive, workers: int = 1) -> list[str]:
    found = []
    while some := drive.next(workers):
        found.append(names(some))
    return found


@pytest.mark.parametrize(
    ("runs", "workers", "expected"),
    [
        # Of one kind: each worker gets its part, and what is left is shared again.
        ([run(name) for name in "xyzuv"], 2, ["xyz", "u", "v"]),
        ([run(name) for name in "xyzuv"], 1, ["xyzuv"]),
        # No more than train at once.
        ([run(name, most=2) for name in "xyz"], 1, ["xy", "z"]),
        # Kinds do not mix.
        ([run("x"), run("y", kind="b"), run("z")], 1, ["xz", "y"]),
    ],
)
def test_runs_of_one_kind_go_together(
    tmp_path: pathlib.Path, runs: list[Any], workers: int, expected: list[str]
) -> None:
    assert handed_out(loop(tmp_path, runs), workers) == expected


def test_a_limit_is_computed_once_before_the_others_go_together(tmp_path: pathlib.Path) -> None:
    runs = [run(name, limit="one") for name in "xyz"]
    drive = loop(tmp_path, runs)
    first = drive.next(1)
    assert names(first) == "x"
    future: Any = "its future"
    drive.flying[future] = _drive._Flight(first, "worker", 0.0)
    assert drive.next(1) == ()
    (tmp_path / "runs" / "x").mkdir(parents=True)
    (tmp_path / "runs" / "x" / "status.json").write_text('{"state": "finished"}')
    assert handed_out(loop(tmp_path, runs)) == ["yz"]


def test_what_was_lost_goes_together_again_and_the_last_time_alone(tmp_path: pathlib.Path) -> None:
    drive = loop(tmp_path, [run(name) for name in "xy"])
    together = drive.next(1)
    drive.lose(together, "gone")
    assert [names(some) for some in drive.broken] == ["xy"]
    drive.broken.clear()
    drive.lose(together, "gone")
    assert not drive.broken
    assert handed_out(drive) == ["x", "y"]
    drive.lose(together, "gone")
    assert set(drive.faults) == {"x", "y"}
    assert "given up after 3 workers" in drive.faults["x"]
