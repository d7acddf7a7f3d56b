"""`widelimit explore`: what it refuses, what it says, and how it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest

from widelimit.explore import listen


def refused(*arguments):
    """The one sentence with which the command refuses."""
    from typer.testing import CliRunner

    from widelimit.cli import app

    result = CliRunner().invoke(app, ["explore", *arguments])
    assert result.exit_code in (1, 2), result.output
    assert "Traceback" not in result.output
    assert len(result.stderr.splitlines()) == 1
    return SimpleNamespace(code=result.exit_code, said=result.stderr)


def test_an_unknown_page_gets_the_nearest_name():
    assert "Did you mean 'mei2018/fig4'?" in refused("mei2018/fig44", "--no-browser").said
    assert "Did you mean 'mei2018'?" in refused("mei20018", "--no-browser").said


def test_a_problem_file_that_is_not_there_or_wrong(tmp_path):
    assert "nowhere.toml" in refused("nowhere.toml", "--no-browser").said
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[data]\nsource = 3\n")
    assert "wrong.toml" in refused(str(wrong), "--no-browser").said


def test_a_port_that_is_taken_or_none():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = refused("--port", str(port), "--no-browser")
        assert found.code == 2
        assert f"port {port} is not free" in found.said
    assert "from 1 to 65535, got 70000" in refused("--port", "70000", "--no-browser").said


def test_without_a_port_the_first_free_one_is_taken_on_this_machine_alone():
    with listen(None) as first, listen(None) as second:
        assert first.getsockname()[0] == second.getsockname()[0] == "127.0.0.1"
        assert second.getsockname()[1] > first.getsockname()[1] >= 8765


def test_without_marimo_it_says_what_to_install(monkeypatch):
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "marimo" else find(name))
    assert "pip install 'widelimit[explore]'" in refused("mei2018", "--no-browser").said


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_it_says_its_address_serves_and_stops_at_ctrl_c(tmp_path):
    command = [sys.executable, "-m", "widelimit.cli", "explore", "--no-browser"]
    command[1:3] = ["-c", "from widelimit.cli import main; main()"]
    environment = os.environ | {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().split()[0]
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address, timeout=60) as answer:
            page = answer.read().decode()
        assert "widelimit explore" in page
        assert "wl-figure" in page
        # A page of another site whose name was made to point here.
        strange = urllib.request.Request(address, headers={"Host": "example.org"})
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(strange, timeout=60)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, rest, said) == (0, "", "widelimit: stopped\n")


def test_without_a_browser_the_address_is_there_to_open(monkeypatch, capsys):
    import webbrowser

    from widelimit import explore
    from widelimit.cli import _explore

    def end(code):
        raise SystemExit(code)

    monkeypatch.setattr(explore, "serve", lambda pages, first, listening, ready: ready())
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    monkeypatch.setattr(os, "_exit", end)
    with pytest.raises(SystemExit, match="0"):
        _explore.explore_page("mei2018", (), port=None, browser=True)
    said = capsys.readouterr()
    assert said.out.startswith("http://127.0.0.1:")
    assert "no browser was found" in said.err
    assert said.err.endswith("widelimit: stopped\n")
