"""Ctrl-C, SIGTERM and SIGUSR1 in a run: read between chunks, a checkpoint is left, and nothing is lost."""

import gc
import pathlib
import re
import signal
import threading
from typing import Any

import jax
import numpy as np
import pytest

import widelimit as wl
from widelimit.numerics import Signals
from widelimit.trajectory import Folder, Progress

_X = np.random.default_rng(0).normal(size=(8, 2))
PROBLEM = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(_X, np.sin(_X[:, 0])))
START = wl.Particles(np.random.default_rng(1).normal(size=(5, 4)))
NAMES = ("SIGINT", "SIGTERM", "SIGUSR1")


@pytest.fixture(autouse=True)
def _ctrl_c_is_heard():
    """A shell starts what runs in its background with Ctrl-C ignored, and what is ignored stays so."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def _go(many: bool = False, **options: Any) -> Any:
    asked: dict[str, Any] = {"t1": 1.0, "save_at": np.linspace(0.0, 1.0, 21), "observe": (wl.observables.Risk(),)}
    key = jax.random.key(3)
    if many:
        return wl.evolve_many(PROBLEM, [START] * 2, wl.SGD(0.02), keys=jax.random.split(key), **asked, **options)[1]
    return wl.evolve(PROBLEM, START, wl.SGD(0.02), key=key, **asked, **options)


def _send(number: int) -> None:
    signal.raise_signal(number)


def _send_in_a_collector(number: int) -> None:
    """Where Python prints an exception and forgets it."""

    def callback(phase: str, info: Any) -> None:
        gc.callbacks.remove(callback)
        signal.raise_signal(number)

    gc.callbacks.append(callback)
    gc.collect()


@pytest.fixture
def after(monkeypatch: Any) -> Any:
    """Does something once, at the tenth news of the progress."""
    update, calls = Progress.update, []

    def set_up(action: Any) -> None:
        def told(self: Any, t: float, steps: int) -> None:
            update(self, t, steps)
            calls.append(t)
            if len(calls) == 10:
                action()

        monkeypatch.setattr(Progress, "update", told)

    return set_up


@pytest.mark.first(2)
@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("send", [_send, _send_in_a_collector])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_leaves_a_checkpoint_and_ends_the_run(
    after: Any, tmp_path: pathlib.Path, name: str, send: Any, many: bool
) -> None:
    number = getattr(signal, name)
    before = [signal.getsignal(getattr(signal, each)) for each in NAMES]
    after(lambda: send(number))
    with pytest.raises(KeyboardInterrupt if name == "SIGINT" else SystemExit) as caught:
        _go(many, checkpoint=tmp_path / "run")
    if name == "SIGINT":
        assert re.match(
            r"SGD.* stopped at t = .* of 1, after .* steps; the same call goes on from there", str(caught.value)
        )
    else:
        assert caught.value.code == 143
    assert [signal.getsignal(getattr(signal, each)) for each in NAMES] == before
    rows = len(list(tmp_path.rglob("row-*.npz")))
    assert 0 < rows < 21
    np.testing.assert_array_equal(_go(many, checkpoint=tmp_path / "run").risk, _go(many).risk)


def test_without_a_folder_ctrl_c_is_not_lost_either(after: Any) -> None:
    after(lambda: _send_in_a_collector(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        _go()


def test_sigusr1_leaves_a_checkpoint_and_the_run_goes_on(after: Any, tmp_path: pathlib.Path, monkeypatch: Any) -> None:
    write, saves = Folder.write, []
    monkeypatch.setattr(
        Folder, "write", lambda self, now, rows, wall: (saves.append(len(rows)), write(self, now, rows, wall))
    )
    after(lambda: signal.raise_signal(signal.SIGUSR1))
    found = _go(checkpoint=tmp_path / "run")
    assert found.outcome.ok
    assert len(saves) == 2
    assert 0 < saves[0] < saves[1] == 21


def test_a_handler_of_the_programs_own_is_called(after: Any, tmp_path: pathlib.Path) -> None:
    seen = []
    old = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    try:
        after(lambda: signal.raise_signal(signal.SIGTERM))
        assert _go(checkpoint=tmp_path / "run").outcome.ok
        assert seen == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, old)


def test_what_is_ignored_stays_ignored(after: Any) -> None:
    old = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        after(lambda: signal.raise_signal(signal.SIGINT))
        assert _go().outcome.ok
    finally:
        signal.signal(signal.SIGINT, old)


def test_a_second_ctrl_c_does_not_wait() -> None:
    with Signals(keeps=False) as signals:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        # The third is the system's.
        assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
        # The outer one serves for all inside of it.
        with Signals(keeps=True) as inner:
            assert inner is signals
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


def test_a_third_ctrl_c_does_not_end_a_notebook() -> None:
    """A kernel has a handler of its own: marimo's raises, and its process lives on."""
    presses = []

    def mine(number: int, frame: Any) -> None:
        presses.append(number)
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGINT, mine)
    try:
        with Signals(keeps=False):
            signal.raise_signal(signal.SIGINT)
            for _ in range(2):
                with pytest.raises(KeyboardInterrupt):
                    signal.raise_signal(signal.SIGINT)
        assert len(presses) == 1
        assert signal.getsignal(signal.SIGINT) is mine
    finally:
        signal.signal(signal.SIGINT, old)


def test_another_thread_leaves_the_signals_alone() -> None:
    seen = []
    thread = threading.Thread(target=lambda: seen.append((_go().outcome.ok, signal.getsignal(signal.SIGINT))))
    thread.start()
    thread.join()
    assert seen == [(True, signal.default_int_handler)]
