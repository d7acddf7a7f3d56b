"""A real scheduler with real workers: one is killed, one hangs, and the sweep itself is killed and called again."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from .conftest import SWEEP, TOML, write_tiny

# Two limits, so that both workers have something to do from the start.
WIDER = SWEEP + "limit.particles = [8, 10]\n"
RUNS = 8
COMMAND = [sys.executable, "-c", "from widelimit.cli import main; main()", "sweep"]


def start(*arguments: object, start_new_session: bool = False) -> subprocess.Popen[str]:
    command = [*COMMAND, *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=start_new_session)


def quietly(*arguments: object) -> subprocess.Popen[bytes]:
    """A command of dask."""
    command = [sys.executable, "-m", "dask", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def holders(out: pathlib.Path) -> dict[int, pathlib.Path]:
    """The processes that compute a run, by the lock each holds."""
    found = {}
    for link in pathlib.Path("/proc").glob("[0-9]*/fd/*"):
        try:
            target = os.readlink(link)
        except OSError:
            continue
        if target.startswith(f"{out}/runs/") and target.endswith(".part/.lock"):
            found[int(link.parts[2])] = pathlib.Path(target).parent
    return found


def wait_for(condition, process, seconds=300.0):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return value


def done(out: pathlib.Path) -> dict[str, int]:
    """The finished runs, and when their numbers were written."""
    return {path.parent.name: path.stat().st_mtime_ns for path in out.glob("runs/[!.]*/numbers.json")}


def mid_way(out):
    """A process that has finished a part of its run."""

    def begun(part):
        try:
            return json.loads((part / "status.json").read_text())["parts"]
        except (OSError, ValueError):
            return False

    return next((pid for pid, part in holders(out).items() if begun(part)), None)


@pytest.mark.slow
def test_a_killed_and_a_hung_worker_cost_nothing_that_was_done(tmp_path):
    path, out = write_tiny(tmp_path, TOML + WIDER), tmp_path / "out"
    process = start(path, "--out", out, "--workers", 2, "--timeout", 240)
    killed = wait_for(lambda: mid_way(out), process)
    os.kill(killed, signal.SIGKILL)
    hung = wait_for(lambda: next((pid for pid in holders(out) if pid != killed), None), process)
    os.kill(hung, signal.SIGSTOP)
    output, errors = process.communicate(timeout=900)
    assert process.returncode == 0, errors
    assert output.endswith(f"report: {out}/report.html\n")
    assert "its worker is gone; another worker goes on with it" in errors
    assert "not done after 240 s (--timeout); another worker goes on with it" in errors
    assert "Traceback" not in errors
    assert len(done(out)) == RUNS
    # Nothing is left of what was broken off, and no process.
    assert not list(out.glob("runs/.*"))
    assert not holders(out)
    assert not pathlib.Path(f"/proc/{hung}").exists()
    # A worker may be lost as often as it likes: the numbers are those of an undisturbed run.
    from widelimit._sweep import existing_sweep
    from widelimit._sweep._work import Task, work

    folder = existing_sweep(out)
    for run in folder.plan.runs[:1]:
        again = tmp_path / "again" / run.name
        work(Task(str(again), run.problem, (), None))
        ours, theirs = (json.loads((at / "numbers.json").read_text()) for at in (folder.run_path(run.name), again))
        assert ours["networks"] == theirs["networks"]
        assert ours["limit"] == theirs["limit"]


@pytest.mark.slow
def test_ctrl_c_in_a_terminal(tmp_path):
    """It reaches the workers as well, and nobody says so twice."""
    path, out = write_tiny(tmp_path, TOML + WIDER), tmp_path / "out"
    process = start(path, "--out", out, "--workers", 2, start_new_session=True)
    wait_for(lambda: mid_way(out), process)
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=300)
    assert (process.returncode, output) == (130, "")
    assert errors.splitlines()[-1] == f"widelimit: stopped; `widelimit resume {out}` goes on from what is done"
    assert "Traceback" not in errors
    assert not holders(out)


@pytest.mark.slow
def test_a_killed_sweep_goes_on_and_repeats_nothing(tmp_path):
    path, out = write_tiny(tmp_path, TOML + WIDER), tmp_path / "out"
    process = start(path, "--out", out, "--workers", 2)
    wait_for(lambda: len(done(out)) >= 2, process)
    second = subprocess.run([*COMMAND, path, "--out", out], capture_output=True, text=True)
    assert second.returncode == 2
    assert second.stderr == f"widelimit: {out}: another widelimit process is working in this folder.\n"
    process.kill()
    process.communicate()
    before = done(out)
    assert len(before) < RUNS
    process = start(path, "--out", out, "--workers", 2)
    _, errors = process.communicate(timeout=900)
    assert process.returncode == 0, errors
    known = done(out)
    assert len(known) == RUNS
    assert {name: known[name] for name in before} == before
    assert f"{RUNS} runs, {len(before)} of them done already" in errors
    assert f" of {RUNS - len(before)}: " in errors


@pytest.mark.slow
def test_a_running_scheduler_and_its_end(tmp_path):
    """Workers started by somebody else; then the scheduler is killed under the sweep, and the rest is made here."""
    path, out = write_tiny(tmp_path, TOML + WIDER), tmp_path / "out"
    told = tmp_path / "scheduler.json"
    scheduler = quietly("scheduler", "--port", "0", "--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", told)
    worker = quietly("worker", "--scheduler-file", told, "--nthreads", "1", "--no-dashboard")
    try:
        address = json.loads(wait_for(lambda: told.exists() and told.read_text(), scheduler))["address"]
        process = start(path, "--out", out, "--scheduler", address)
        wait_for(lambda: len(done(out)) >= 1, process)
        scheduler.kill()
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 1
        last = errors.splitlines()[-1]
        assert last == "widelimit: lost the scheduler; what is done is kept, and the same command goes on."
        assert "Traceback" not in errors
    finally:
        for each in (scheduler, worker):
            each.terminate()
        worker.wait(timeout=60)
    before = done(out)
    assert before
    process = start(path, "--out", out, "--workers", 2)
    _, errors = process.communicate(timeout=900)
    assert process.returncode == 0, errors
    assert {name: done(out)[name] for name in before} == before
    assert len(done(out)) == RUNS
