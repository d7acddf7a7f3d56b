"""Which runs a worker gets together."""

import collections
from types import SimpleNamespace
from typing import Any

import pytest

from widelimit._sweep import _drive


def run(name: str, *, kind: str = "a", limit: str = "", most: int = 10) -> Any:
    return SimpleNamespace(name=name, kind=kind, limit=limit or f"limit of {name}", most=most, values={})


def loop(runs: list[Any], finished: tuple[str, ...] = ()) -> Any:
    folder = SimpleNamespace(
        plan=SimpleNamespace(runs=runs),
        state=lambda name: "finished" if name in finished else "missing",
        run_path=lambda name: SimpleNamespace(resolve=lambda: name),
    )
    waiting = collections.deque(one for one in runs if one.name not in finished)
    client: Any = None
    return _drive._Drive(client, folder, 1.0, lambda _: None, waiting)


def names(runs: tuple[Any, ...]) -> str:
    return "".join(one.name for one in runs)


def handed_out(drive: Any, workers: int = 1) -> list[str]:
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
def test_runs_of_one_kind_go_together(runs: list[Any], workers: int, expected: list[str]) -> None:
    assert handed_out(loop(runs), workers) == expected


def test_a_limit_is_computed_once_before_the_others_go_together() -> None:
    runs = [run(name, limit="one") for name in "xyz"]
    drive = loop(runs)
    assert names(first := drive.next(1)) == "x"
    drive.flying["future"] = _drive._Flight(first, "worker", 0.0)
    assert drive.next(1) == ()
    assert handed_out(loop(runs, ("x",))) == ["yz"]


def test_what_was_lost_goes_together_again_and_the_last_time_alone() -> None:
    runs = [run(name) for name in "xy"]
    drive = loop(runs)
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
