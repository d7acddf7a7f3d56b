"""Progress goes to standard error, and only when asked for or on a terminal."""

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


@pytest.mark.parametrize("show", ["yes", "no", "auto"])
def test_only_on_standard_error(tmp_path: pathlib.Path, show: str) -> None:
    script = tmp_path / "run.py"
    script.write_text(_SCRIPT)
    done = subprocess.run([sys.executable, str(script), show], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert bool(done.stderr.strip()) == (show == "yes")


def test_shows_rate_and_time(capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("widelimit.trajectory._progress._PATIENCE", 0.0)
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


def test_a_short_run_shows_nothing(capsys: Any) -> None:
    with Progress(1.0, True, "GradientFlow") as bar:
        bar.update(1.0, 1)
    assert capsys.readouterr() == ("", "")
