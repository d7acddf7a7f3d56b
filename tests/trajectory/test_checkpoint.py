"""Checkpoints: a run that was killed, interrupted or damaged."""

import errno
import fcntl
import functools
import os
import pathlib
import random
import runpy
import shutil
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import jax
import numpy as np
import pytest

import widelimit as wl
from widelimit.numerics import alone

_SETUP = """
import jax, numpy as np, widelimit as wl
from widelimit import integrators, observables, sampling

rng = np.random.default_rng(0)
x = rng.normal(size=(9, 2))
problem = wl.Problem(
    wl.units.Neuron(wl.activations.tanh), wl.data.Samples(x, np.sin(x[:, 0])), penalty=wl.penalties.l2(0.01)
)
start = wl.Particles(rng.normal(size=(6, 4)))
dynamics = {
    "flow": (wl.GradientFlow(integrators.Tsit5(1e-9, 1e-11)), 40.0),
    "heun": (wl.GradientFlow(integrators.ProximalHeun()), 40.0),
    "fresh": (wl.SGD(0.01, batch=2, temperature=0.01), 40.0),
    "epochs": (wl.SGD(0.01, batch=2, sampling=sampling.Epochs(), dtype=jax.numpy.float32), 40.0),
}

def go(name, **options):
    dynamic, t1 = dynamics[name]
    watch = (observables.Risk(), observables.Moments())
    return wl.evolve(problem, start, dynamic, t1=t1, key=jax.random.key(4), observe=watch, **options)
"""

# Each write is slow, so that a kill finds the run at work.
_CHILD = """
import sys, time
from widelimit.trajectory import Folder

write = Folder.write

def slowly(self, *args):
    write(self, *args)
    time.sleep(0.02)

Folder.write = slowly
go(sys.argv[1], checkpoint=wl.Checkpoint(sys.argv[2], every=0.0))
"""


@pytest.fixture(scope="module")
def go(tmp_path_factory: Any) -> Any:
    path = tmp_path_factory.mktemp("setup") / "setup.py"
    path.write_text(_SETUP)
    return runpy.run_path(str(path))["go"]


def _same(a: wl.Trajectory, b: wl.Trajectory) -> None:
    assert (a.outcome, a.steps) == (b.outcome, b.steps)
    np.testing.assert_array_equal(a.times, b.times)
    np.testing.assert_array_equal(a.positions, b.positions)
    assert a.observables.keys() == b.observables.keys()
    for name in a.observables:
        np.testing.assert_array_equal(a.observables[name], b.observables[name])


@pytest.mark.first(1)
@pytest.mark.parametrize("name", ["flow", "fresh", "epochs"])
def test_killed_and_resumed_ends_bit_for_bit_the_same(go: Any, tmp_path: pathlib.Path, name: str) -> None:
    script, folder = tmp_path / "setup.py", tmp_path / "run"
    script.write_text(_SETUP + _CHILD)
    child = subprocess.Popen([sys.executable, str(script), name, str(folder)])
    deadline = time.monotonic() + 60
    while not (folder / "manifest.json").exists() and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(random.random() * 0.8)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    rows = len(list(folder.glob("row-*.npz")))
    assert 0 <= rows < 65, "the child was done before it was killed"
    resumed = go(name, checkpoint=wl.Checkpoint(folder, every=0.0))
    _same(resumed, go(name))
    assert not list(folder.glob("*.part"))


@pytest.mark.parametrize("name", ["heun", "fresh"])
def test_an_interrupt_leaves_a_checkpoint(go: Any, tmp_path: pathlib.Path, monkeypatch: Any, name: str) -> None:
    from widelimit.trajectory import Progress

    update, calls = Progress.update, []

    def interrupted(self: Any, t: float, steps: int) -> None:
        update(self, t, steps)
        calls.append(t)
        if len(calls) == 30:
            raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        go(name, checkpoint=tmp_path / "run")
    monkeypatch.undo()
    rows = len(list((tmp_path / "run").glob("row-*.npz")))
    assert 5 < rows < 65
    resumed = go(name, checkpoint=tmp_path / "run")
    _same(resumed, go(name))
    # It went on: the seconds of both pieces count.
    assert resumed.wall > 0


def test_a_finished_run_is_read_back(go: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from widelimit.trajectory import Progress

    first = go("fresh", checkpoint=tmp_path / "run")
    monkeypatch.setattr(Progress, "update", lambda *_: pytest.fail("it runs again"))
    again = go("fresh", checkpoint=tmp_path / "run")
    _same(first, again)


def test_a_step_limit_can_be_raised_on_resuming(go: Any, tmp_path: pathlib.Path) -> None:
    short = go("fresh", checkpoint=tmp_path / "run", max_steps=1000, throw=False)
    assert (short.outcome, short.steps) == (wl.Outcome.MAX_STEPS, 1000)
    _same(go("fresh", checkpoint=tmp_path / "run"), go("fresh"))


@pytest.fixture(scope="module")
def short_run(tmp_path_factory: Any) -> Any:
    """A run of some steps, told in full, and the folder of its checkpoint."""
    x = np.random.default_rng(0).normal(size=(9, 2))
    neuron, data = wl.units.Neuron(wl.activations.tanh), wl.data.Samples(x, np.sin(x[:, 0]))
    told = {
        "problem": wl.Problem(neuron, data),
        "measure": wl.Particles(x[:6] @ np.ones((2, 4))),
        "dynamics": wl.SGD(0.01, batch=2),
        "t1": 0.05,
        "save_at": [0.0],
        "key": jax.random.key(0),
        "observe": (wl.observables.Risk(),),
    }
    folder = tmp_path_factory.mktemp("short") / "run"
    wl.evolve(**told, checkpoint=folder)
    return told, folder


def _changed(name: str, old: Any) -> Any:
    if name == "problem":
        return wl.Problem(old.unit, old.data, penalty=wl.penalties.l2(0.01))
    if name == "measure":
        return wl.Particles(1.01 * np.asarray(old.positions))
    changes = {
        "dynamics": wl.SGD(0.01, batch=3),
        "t1": 0.06,
        "save_at": [0.02],
        "key": jax.random.key(1),
        "observe": (wl.observables.Risk(), wl.observables.Moments()),
    }
    return changes[name]


@pytest.mark.parametrize("name", ["problem", "measure", "dynamics", "t1", "save_at", "key", "observe"])
def test_another_run_is_refused(short_run: Any, name: str) -> None:
    """Each thing that `evolve` is told is part of what a run is: the checkpoint of another one is not gone on with."""
    told, folder = short_run
    before = sorted(path.name for path in folder.iterdir())
    # It says what is another.
    words = {"problem": "problem.penalty", "measure": "the start", "key": "the key", "observe": "observe"}
    differs = {"dynamics": "dynamics.batch, dynamics.largest_batch", "t1": "the times", "save_at": "the times"} | words
    with pytest.raises(ValueError, match=f"another run, from which this one differs in {differs[name]}; delete"):
        wl.evolve(**(told | {name: _changed(name, told[name])}), checkpoint=folder)
    assert sorted(path.name for path in folder.iterdir()) == before


_OF_A_MODULE = """
import equinox as eqx, jax.numpy as jnp, numpy as np, widelimit as wl

class Shape(eqx.Module):
    def __call__(self, theta, x):
        return theta.a * jnp.{}(theta.b * x[0])

problem = wl.Problem(
    wl.units.Function(Shape(), columns=["a", "b"]), wl.data.Samples(np.ones((2, 1)), np.ones(2))
)
start = wl.Particles(np.ones((2, 2)))
"""


def _of_a_module(path: pathlib.Path, function: str) -> Any:
    path.write_text(_OF_A_MODULE.format(function))
    made = runpy.run_path(str(path))
    return functools.partial(wl.evolve, made["problem"], made["start"], wl.GradientFlow(), t1=0.1, save_at=[0.1])


def test_another_function_in_a_module_without_arrays_is_another_run(tmp_path: pathlib.Path) -> None:
    first = _of_a_module(tmp_path / "run.py", "tanh")(checkpoint=tmp_path / "kept")
    _same(first, _of_a_module(tmp_path / "run.py", "tanh")(checkpoint=tmp_path / "kept"))
    with pytest.raises(ValueError, match="another run"):
        _of_a_module(tmp_path / "run.py", "sin")(checkpoint=tmp_path / "kept")


def test_what_cannot_be_seen_needs_no_checkpoint(tmp_path: pathlib.Path) -> None:
    lock = threading.Lock()

    def seen(problem: Any, measure: Any) -> Any:
        return measure.mass * (1.0 if lock else 0.0)

    run = functools.partial(_of_a_module(tmp_path / "run.py", "tanh"), observe=[wl.observables.Function("seen", seen)])
    assert run().provenance["fingerprint"] is None
    with pytest.raises(ValueError, match=r"its lock is an object of _thread\.lock"):
        run(checkpoint=tmp_path / "kept")


def test_a_whole_number_of_time_is_the_same_run(tmp_path: pathlib.Path) -> None:
    problem = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(np.ones((2, 2)), np.ones(2)))
    start = wl.Particles(np.ones((2, 4)))
    for t1 in (1, 1.0):
        wl.evolve(problem, start, wl.GradientFlow(), t1=t1, checkpoint=tmp_path / "run")


def _damage(kind: str, file: pathlib.Path) -> None:
    content = file.read_bytes()
    if kind == "missing":
        file.unlink()
    elif kind == "short":
        file.write_bytes(content[: len(content) // 2])
    elif kind == "empty":
        file.write_bytes(b"")
    elif kind == "binary":
        file.write_bytes(b"\xff\xfe\x00" * 20)
    else:
        middle = len(content) // 2
        file.write_bytes(content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :])


@pytest.mark.parametrize("kind", ["missing", "short", "empty", "binary", "flipped"])
def test_a_damaged_checkpoint_is_refused(go: Any, tmp_path: pathlib.Path, kind: str) -> None:
    folder = tmp_path / "run"
    short = {"max_steps": 1000, "throw": False}
    go("fresh", checkpoint=folder, **short)
    state = next(folder.glob("state-*.npz")).name
    for name in ("manifest.json", state, "row-000003.npz"):
        if (kind, name) == ("missing", "manifest.json"):
            # Without a manifest there is no checkpoint: the run starts anew.
            continue
        copy = tmp_path / "copy"
        shutil.copytree(folder, copy)
        _damage(kind, copy / name)
        with pytest.raises(ValueError, match=r"(?s)checkpoint: .*copy.*delete the folder"):
            go("fresh", checkpoint=copy, **short)
        shutil.rmtree(copy)


@pytest.mark.parametrize("content", ["[]", "3", "{}", '{"fingerprint": 1}', "null"])
def test_a_manifest_of_another_shape_is_refused(go: Any, tmp_path: pathlib.Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(ValueError, match=r"checkpoint: .*(damaged|another run)"):
        go("fresh", checkpoint=tmp_path)


def test_leftovers_of_a_kill_do_no_harm(go: Any, tmp_path: pathlib.Path) -> None:
    for name in ("row-000000.npz", "row-000000.npz.part", "state-1.npz", "manifest.json.part"):
        (tmp_path / name).write_bytes(b"half")
    _same(go("fresh", checkpoint=tmp_path), go("fresh"))


def test_a_place_that_cannot_be_written(go: Any, tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "file" / "run", "/proc/nothing"):
        with pytest.raises(ValueError, match="checkpoint: cannot write"):
            go("fresh", checkpoint=path)


def test_two_runs_do_not_share_a_folder(short_run: Any) -> None:
    told, folder = short_run
    with alone(folder), pytest.raises(ValueError, match=r"another run is at work in .*run; choose another"):
        wl.evolve(**told, checkpoint=folder)
    assert wl.evolve(**told, checkpoint=folder).outcome.ok


def test_a_file_system_without_locks_is_said_and_gone_on_with(short_run: Any, monkeypatch: Any) -> None:
    def flock(*_: Any) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", flock)
    told, folder = short_run
    with pytest.warns(UserWarning, match=r"run: no lock is to be had here \(Function not implemented\)"):
        assert wl.evolve(**told, checkpoint=folder).outcome.ok


@pytest.mark.parametrize(
    "place", ["s3://bucket/run", pathlib.Path("s3://bucket/run"), "", "a\0b", "~nobody-of-that-name/x"]
)
def test_what_is_no_place_on_this_machine_is_refused(place: Any) -> None:
    run = wl.Trajectory(
        np.zeros(1), np.zeros((1, 1, 1)), np.ones((1, 1)), (), {}, wl.Outcome.SUCCESS, "", 0, 0.0, {"key": None}
    )
    for use in (wl.Checkpoint, wl.load, run.save):
        with pytest.raises(ValueError, match=r"path=\.\.\.\): '.*"):
            use(place)
    assert not pathlib.Path("s3:").exists()


def test_a_tilde_is_the_home_folder(short_run: Any, tmp_path: pathlib.Path, monkeypatch: Any) -> None:
    told, _ = short_run
    monkeypatch.setenv("HOME", str(tmp_path))
    run = wl.evolve(**told, checkpoint="~/kept")
    assert (tmp_path / "kept" / "manifest.json").exists()
    assert run.save("~/run.zarr") == tmp_path / "run.zarr"
    _same(wl.load("~/run.zarr"), run)


@pytest.mark.parametrize("every", [-1.0, float("nan")])
def test_bad_interval(every: float) -> None:
    with pytest.raises(ValueError, match=r"Checkpoint\(every"):
        wl.Checkpoint("run", every=every)
