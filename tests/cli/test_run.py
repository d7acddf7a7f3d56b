"""Runs from start to end: what is printed, what is stored, how a run that stopped goes on."""

import json
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from .conftest import TOML, call, comparable, numbers_of, write_tiny

PARTS = ("limit-4", "limit-8", "network-4-0", "network-4-1")


def positions(folder):
    from widelimit.trajectory import load

    return {name: load(folder / f"{name}.zarr").positions for name in PARTS}


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from widelimit.cli import main; sys.argv = ['widelimit', '--help']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'jax', 'numpy', 'pydantic', 'xarray', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all(command in done.stdout for command in ("run", "resume", "show", "report"))


def test_version():
    from widelimit import __version__

    assert call("--version").out == f"widelimit {__version__}\n"


def test_what_a_run_prints(finished):
    assert finished.out.startswith("Tiny\n")
    for said in ("limit, 8 particles", "width 4, SGD, step 0.05", "optimality gap", "report.html"):
        assert said in finished.out
    assert "network of width 4, seed 1" in finished.err


def test_what_a_run_stores(finished):
    inside = {path.name for path in finished.path.iterdir()}
    files = {
        "problem.toml",
        "problem.json",
        "data.json",
        "numbers.json",
        "status.json",
        "report.html",
        ".lock",
    }
    assert inside == files | {f"{name}.zarr" for name in PARTS}
    assert (finished.path / "problem.toml").read_text() == TOML
    assert "<html" in (finished.path / "report.html").read_text()


def test_the_numbers(finished):
    from widelimit.trajectory import load

    numbers = numbers_of(finished.path)
    fine, coarse = load(finished.path / "limit-8.zarr"), load(finished.path / "limit-4.zarr")
    assert numbers["limit"]["risk"] == fine.risk[-1]
    assert numbers["limit"]["risk_error"] == np.max(np.abs(fine.risk - coarse.risk)[-3:])
    assert numbers["limit"]["held_out_risk"] == fine.held_out_risk[-1]
    (network,) = numbers["networks"]
    risks = [load(finished.path / f"network-4-{seed}.zarr").risk[-1] for seed in (0, 1)]
    assert risks[0] != risks[1]
    assert network["risk"]["values"] == risks
    assert network["risk"]["mean"] == pytest.approx(np.mean(risks), rel=1e-12)
    assert network["risk"]["std"] == pytest.approx(abs(risks[0] - risks[1]) / 2**0.5, rel=1e-12)
    assert network["risk"]["error"] == pytest.approx(abs(risks[0] - risks[1]) / 2, rel=1e-12)
    off = np.hypot(network["risk"]["error"], numbers["limit"]["risk_error"])
    assert network["above_limit_error"] == pytest.approx(off, rel=1e-12)
    assert numbers["checks"]["gap"] > 0
    assert numbers["checks"]["stationarity_rms"] > 0
    assert abs(numbers["checks"]["dissipation_defect"]) < 1e-3
    assert numbers["checks"]["kernel_change"] > 0.0
    assert numbers["checks"]["regime"].split(":")[0] in ("kernel", "intermediate", "adaptive")
    assert set(numbers["seconds"]["parts"]) == set(PARTS)


@pytest.mark.slow
def test_a_network_that_ends_a_step_late_is_compared_at_t1(tmp_path):
    """Three steps of 0.2 end at 0.6, two at 0.4; t1 is 0.5."""
    from widelimit.trajectory import load

    toml = TOML.replace("step = 0.05\nbatch = 4", "step = 0.2\nbatch = 12").replace("seeds = 2", "seeds = 1")
    assert call("run", write_tiny(tmp_path, toml), "--out", tmp_path / "run").code == 0
    run = load(tmp_path / "run" / "network-4-0.zarr")
    assert run.times[-1] == pytest.approx(0.6, rel=1e-12)
    numbers = numbers_of(tmp_path / "run")
    (network,) = numbers["networks"]
    # A full batch falls at every step.
    assert run.risk[-1] < network["risk"]["mean"] < run.risk[-2]
    assert run.held_out_risk[-1] != network["held_out_risk"]["mean"]
    assert network["above_limit"] == pytest.approx(network["risk"]["mean"] - numbers["limit"]["risk"], rel=1e-12)


def test_show_and_resume_of_a_finished_run(finished):
    assert json.loads(call("show", finished.path, "--json").out) == numbers_of(finished.path)
    assert call("show", finished.path).out == finished.out
    again = call("resume", finished.path)
    assert again.out == finished.out
    assert "is finished already" in again.err


def test_report_is_written_anew(run_copy):
    (run_copy / "report.html").unlink()
    result = call("report", run_copy)
    assert result.code == 0
    assert result.out.strip() == str(run_copy / "report.html")
    assert "<html" in (run_copy / "report.html").read_text()


def test_json_doubling_and_overwrite(tmp_path):
    toml = TOML.replace("particles = 8", "tolerance = 0.99\nfirst_particles = 2\nmost_particles = 8")
    path = write_tiny(tmp_path, toml)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "problem.json").write_text('{"data": 1, "time": 2, "limit": 3}')
    (tmp_path / "out" / "limit-64.zarr").mkdir()
    result = call("run", path, "--out", tmp_path / "out", "--json", "--overwrite")
    assert result.code == 0, result.err
    numbers = json.loads(result.out)
    assert numbers == numbers_of(tmp_path / "out")
    assert numbers["limit"]["sizes"] == [2, 4, 8]
    assert numbers["limit"]["converged"]
    assert not (tmp_path / "out" / "limit-64.zarr").exists()


@pytest.mark.slow
def test_a_network_that_diverges_is_said_and_the_others_are_there(tmp_path):
    toml = TOML.replace('target = "y"', 'target = "y"\nscaling = "none"').replace("tanh", "quadratic")
    toml = toml.replace("t1 = 0.5", "t1 = 40.0").replace("step = 0.05", "step = 2.0")
    toml = toml.replace("particles = 8", "particles = 2")
    start = '[start]\noutput = {law = "normal", std = 0.01}\nweight = {law = "normal", std = 0.01}\n[limit]'
    toml = toml.replace("[limit]", start) + '[[networks]]\nwidths = [2]\ndynamics = "gradient_flow"\n'
    out = tmp_path / "out"
    result = call("run", write_tiny(tmp_path, toml), "--out", out)
    assert result.code == 1, result.err
    said = result.err.splitlines()[-1]
    assert "network of width 4, seed 0" in said
    assert "network of width 4, seed 1" in said
    assert "try SGD(step=" in said
    assert "0 of 2" in result.out
    numbers = numbers_of(out)
    diverged, fine = numbers["networks"]
    assert (diverged["ended"], diverged["risk"], diverged["above_limit"]) == (0, None, None)
    assert (fine["ended"], fine["width"]) == (1, 2)
    assert set(numbers["failed"]) == {"network-4-0", "network-4-1"}
    report = (out / "report.html").read_text()
    assert "The network of width 4, seed 1: " in report
    assert "try SGD(step=" in report
    again = call("resume", out)
    assert (again.code, again.out) == (1, result.out)
    assert again.err.splitlines()[-1] == said
    assert call("show", out).code == 0


def test_a_network_that_cannot_start_does_not_stop_the_others(tmp_path, monkeypatch):
    from widelimit.runs.call import _networks

    real = _networks.carry_out_all

    def fails(label, jobs):
        if "network-4-0" in [part.name for _, part in jobs]:
            work, part = jobs[0]
            raise ProblemFileError(work.name, part.place, "no memory for it.")
        return real(label, jobs)

    from widelimit.runs.errors import ProblemFileError

    monkeypatch.setattr(_networks, "carry_out_all", fails)
    path = write_tiny(tmp_path, TOML + '[[networks]]\nwidths = [2]\ndynamics = "sgd"\nstep = 0.1\n')
    result = call("run", path, "--out", tmp_path / "out")
    assert result.code == 1
    assert f"{path}: [[networks]] 1: no memory for it." in result.err.splitlines()[-1]
    assert [network["ended"] for network in numbers_of(tmp_path / "out")["networks"]] == [0, 1]
    assert "no memory for it." in (tmp_path / "out" / "report.html").read_text()


# The two networks are the third call.
@pytest.mark.parametrize("stop_at", [0, 1, 2])
def test_ctrl_c_and_resume(tmp_path, finished, monkeypatch, stop_at):
    from widelimit.runs.call import _part

    calls = []

    def interrupted(real):
        def run(*args, **kwargs):
            calls.append(None)
            if len(calls) > stop_at:
                raise KeyboardInterrupt
            return real(*args, **kwargs)

        return run

    path = write_tiny(tmp_path)
    with monkeypatch.context() as patch:
        for name in ("evolve", "evolve_many"):
            patch.setattr(_part, name, interrupted(getattr(_part, name)))
        result = call("run", path, "--out", tmp_path / "out")
    assert result.code == 130
    assert f"`widelimit resume {tmp_path / 'out'}` goes on from here" in result.err.splitlines()[-1]
    shown = call("show", tmp_path / "out")
    assert "unfinished" in shown.out
    assert all((name in shown.out) == (i < stop_at) for i, name in enumerate(PARTS))
    # As a kill while a store is being written leaves it.
    (tmp_path / "out" / f".{PARTS[stop_at]}.zarr.0a1b2c3d.part").mkdir()
    (tmp_path / "out" / "status.json.part").write_text("{")
    assert call("resume", tmp_path / "out").code == 0
    assert comparable(tmp_path / "out")[1] == comparable(finished.path)[1]
    assert not list((tmp_path / "out").glob(".*.zarr.*"))


def test_a_store_written_just_before_a_kill_is_taken_over(run_copy, finished):
    status = json.loads((run_copy / "status.json").read_text())
    del status["parts"]["network-4-1"]
    (run_copy / "status.json").write_text(json.dumps(status | {"state": "running"}))
    (run_copy / "numbers.json").unlink()
    result = call("resume", run_copy)
    assert result.code == 0, result.err
    assert "network of width 4" not in result.err
    assert comparable(run_copy) == comparable(finished.path)


@pytest.mark.slow
def test_ctrl_c_in_a_terminal(tmp_path):
    path = write_tiny(tmp_path, TOML.replace("t1 = 0.5", "t1 = 500.0").replace("step = 0.05", "step = 0.0005"))
    command = [sys.executable, "-c", "from widelimit.cli import main; main()", "run", path, "--out", tmp_path / "out"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and parts_done(tmp_path / "out") < 1:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130
    assert out == ""
    assert "goes on from here" in err.splitlines()[-1]
    assert "Traceback" not in err


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_killed_at_random_moments_ends_bit_for_bit_the_same(tmp_path, seed):
    toml = TOML.replace("t1 = 0.5", "t1 = 50.0").replace("step = 0.05", "step = 0.0005")
    path = write_tiny(tmp_path, toml)
    # Checkpoints far more often than a user's run leaves them: kills fall between and into them.
    code = "from widelimit.cli import main\nfrom widelimit.runs.call import _part\n_part._EVERY = 0.02\nmain()"

    def start(*arguments):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], **quiet)

    whole, broken, rng = tmp_path / "whole", tmp_path / "broken", random.Random(seed)
    assert start("run", path, "--out", whole).wait() == 0
    kills, process = 0, start("run", path, "--out", broken)
    # Once in every part: a little after the part before it was finished.
    for part in range(len(PARTS)):
        while process.poll() is None and parts_done(broken) < part:
            time.sleep(0.005)
        time.sleep(rng.uniform(0.0, 1.0))
        if process.poll() is None and (broken / "status.json").exists():
            process.send_signal(signal.SIGKILL)
            kills += process.wait() == -signal.SIGKILL
            process = start("resume", broken)
    assert process.wait() == 0
    assert kills >= 1
    ours, theirs = positions(broken), positions(whole)
    assert all(np.array_equal(ours[name], theirs[name]) for name in PARTS)
    assert comparable(broken) == comparable(whole)


def parts_done(folder):
    path = folder / "status.json"
    return len(json.loads(path.read_text())["parts"]) if path.exists() else -1
