"""Progress goes to standard error, and only when asked for or on a terminal."""

import io
import pathlib
import subprocess
import sys
import types
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


def test_words_take_each_others_place_on_a_terminal_and_go_nowhere_in_a_log(capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("widelimit.trajectory._progress._PATIENCE", 0.0)
    for terminal in (False, True):
        monkeypatch.setattr("sys.stderr.isatty", lambda terminal=terminal: terminal)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "150")
        with Progress(None, None, "minimise") as bar:
            bar.tell("round 3 [of] many")
        assert ("minimise" in (err := capsys.readouterr().err)) == terminal
        assert ("round 3 [of] many" in err) == terminal


class _Jupyter(types.ModuleType):
    """What a kernel's IPython is asked for; `outputs`: of the cell that runs, as its notebook would keep them."""

    def __init__(self, kernel: object = True) -> None:
        super().__init__("IPython")
        self.outputs: list[dict[str, str]] = []
        self.states: list[str] = []
        self.shell = types.SimpleNamespace(kernel=kernel, execution_count=1)
        self.display = types.SimpleNamespace(display=self._display)

    def get_ipython(self) -> Any:
        return self.shell

    def _display(self, content: dict[str, str], *, raw: bool, display_id: bool) -> Any:
        assert raw
        assert display_id
        place = len(self.outputs)
        self.outputs.append({})

        def update(content: dict[str, str], *, raw: bool) -> None:
            assert raw
            self.outputs[place] = content
            self.states.append(content["text/plain"])

        update(content, raw=True)
        return types.SimpleNamespace(update=update)


def test_a_cell_of_jupyter_has_one_line_which_goes(capsys: Any, monkeypatch: Any) -> None:
    """Run after run in the same place; another cell has its own."""
    monkeypatch.setattr("widelimit.trajectory._progress._PATIENCE", 0.0)
    monkeypatch.setattr("widelimit.trajectory._progress._REDRAWN", 0.0)
    jupyter = _Jupyter()
    monkeypatch.setitem(sys.modules, "IPython", jupyter)
    for cell in (1, 2):
        jupyter.shell.execution_count = cell
        for _ in range(3):
            with Progress(10.0, None, "a < b") as bar:
                bar.update(2.5, 1000)
                assert '<progress value="0.250"' in jupyter.outputs[-1]["text/html"]
                assert "a &lt; b: t = 2.5 of 10, " in jupyter.outputs[-1]["text/html"]
                bar.update(5.0, 2000)
                assert jupyter.outputs[-1]["text/plain"].startswith("a < b: t = 5 of 10, ")
        assert jupyter.outputs == [{"text/plain": ""}] * cell
    assert len(jupyter.states) == 2 * 3 * 3
    assert capsys.readouterr() == ("", "")
    # A short run leaves nothing at all, and the prompt of IPython is a terminal.
    jupyter.shell.execution_count = 3
    with Progress(10.0, None, "SGD"):
        pass
    assert len(jupyter.outputs) == 2
    jupyter.shell.kernel = None
    with Progress(10.0, True, "SGD") as bar:
        bar.update(2.5, 1000)
    assert "SGD: t = 2.5 of 10" in capsys.readouterr().err


def test_a_cell_of_marimo_has_a_spinner_which_goes(capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("widelimit.trajectory._progress._PATIENCE", 0.0)
    monkeypatch.setattr("widelimit.trajectory._progress._REDRAWN", 0.0)
    seen: list[Any] = []

    class Spinner:
        def __init__(self, **options: Any) -> None:
            assert options.pop("remove_on_exit")
            seen.append(options)

        def __enter__(self) -> Any:
            return types.SimpleNamespace(update=lambda **options: seen.append(options))

        def __exit__(self, *_: object) -> None:
            seen.append("gone")

    marimo = types.SimpleNamespace(running_in_notebook=lambda: True, status=types.SimpleNamespace(spinner=Spinner))
    monkeypatch.setitem(sys.modules, "marimo", marimo)
    with Progress(10.0, None, "SGD") as bar:
        bar.update(2.5, 1000)
        bar.update(5.0, 1000)
    assert [one if one == "gone" else one["subtitle"][:12] for one in seen] == [
        "t = 2.5 of 1", "t = 2.5 of 1", "t = 5 of 10,", "gone",
    ]  # fmt: skip
    assert capsys.readouterr() == ("", "")


def _stop(bar: Progress, *said: str) -> None:
    """Ctrl-C while something is under way."""
    with bar:
        if bar.t1 is None:
            bar.tell("round 3")
        else:
            bar.update(2.5, 1000)
            bar.kept = "; kept"
        raise KeyboardInterrupt(*said)


def test_who_interrupts_is_told_how_far_it_was() -> None:
    with pytest.raises(KeyboardInterrupt, match=r"^SGD stopped at t = 2.5 of 10, after 1,000 steps; kept$") as caught:
        _stop(Progress(10.0, False, "SGD"))
    # In a notebook the traceback is of the user's lines, not of those of a compiler.
    assert caught.value.__suppress_context__
    with pytest.raises(KeyboardInterrupt, match=r"^minimise stopped: round 3$"):
        _stop(Progress(None, False, "minimise"))
    with pytest.raises(KeyboardInterrupt, match=r"^mine$"):
        _stop(Progress(None, False, "minimise"), "mine")
