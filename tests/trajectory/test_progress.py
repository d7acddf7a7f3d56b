"""Progress goes to standard error, and only when asked for or on a terminal."""

import io
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from widelimit.trajectory import Progress

_SCRIPT = """
import sys, numpy as np, widelimit as wl
from widelimit.trajectory import _progress
_progress._PATIENCE = 0.0
problem = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(np.ones((2, 2)), np.ones(2)))
show = {"yes": True, "no": False, "auto": None}[sys.argv[1]]
wl.evolve(problem, wl.Particles(np.ones((2, 4))), wl.GradientFlow(), t1=1.0, progress=show)
"""


@pytest.mark.first(1)
@pytest.mark.parametrize("show", ["yes", "no", "auto"])
def test_only_on_standard_error(tmp_path: pathlib.Path, show: str) -> None:
    script = tmp_path / "run.py"
    script.write_text(_SCRIPT)
    done = subprocess.run([sys.executable, str(script), show], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert bool(done.stderr.strip()) == (show == "yes")


def test_shows_rate_and_time(capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("widelimit.trajectory._progress._PATIENCE", 0.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "150")
    with Progress(10.0, True, "GradientFlow") as bar:
        bar.update(2.5, 1000)
        bar.update(5.0, 2000)
    out, err = capsys.readouterr()
    assert out == ""
    assert "GradientFlow" in err
    assert "steps/s" in err
    assert "left" in err


def test_a_log_gets_lines_that_become_rare(capsys: Any, monkeypatch: Any) -> None:
    """No terminal, nothing asked: silent for ten seconds, then a line, each time after half as long again."""
    now = [100.0]
    monkeypatch.setattr("widelimit.trajectory._progress.time.monotonic", lambda: now[0])
    with Progress(10.0, None, "SGD") as bar:
        for second in range(1, 101):
            now[0] = 100.0 + second
            bar.update(0.1 * second, 1000 * second)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert lines[0] == "SGD: t = 1 of 10, 1,000 steps/s, about 90 s left"
    # 10, 20, 30, 45, 68 (67.5) seconds.
    assert [line.split()[3] for line in lines] == ["1", "2", "3", "4.5", "6.8"]
    # Nothing is said of the rest before a twentieth of the way.
    with Progress(10.0, None, "SGD") as bar:
        now[0] += 20.0
        bar.update(0.4, 10)
    assert capsys.readouterr().err == "SGD: t = 0.4 of 10, 0.5 steps/s\n"
    with Progress(10.0, False, "SGD") as bar:
        now[0] += 1000.0
        bar.update(1.0, 1)
    assert capsys.readouterr() == ("", "")


def test_a_log_that_is_closed_costs_no_run(monkeypatch: Any) -> None:
    monkeypatch.setattr("widelimit.trajectory._progress._PATIENCE", 0.0)
    log = io.StringIO()
    for stream in (log, None):
        monkeypatch.setattr("sys.stderr", stream)
        with Progress(10.0, True, "SGD") as bar:
            log.close()
            bar.update(1.0, 1)


def test_a_short_run_shows_nothing(capsys: Any) -> None:
    with Progress(1.0, True, "GradientFlow") as bar:
        bar.update(1.0, 1)
    assert capsys.readouterr() == ("", "")


def test_a_long_run_is_announced(capsys: Any) -> None:
    """Where it will take longer than one waits for a first line, and only if anything is to be shown."""
    for show, seconds in ((None, 90.0), (None, 5.0), (False, 90.0)):
        with Progress(10.0, show, "SGD") as bar:
            bar.expect(seconds)
    assert capsys.readouterr().err == "SGD: about 90 s\n"
