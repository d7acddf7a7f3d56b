"""Real runs, made in this process by what a worker calls: their folders, their programs, what a lost worker left."""

import collections
import functools
import json
import logging
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from .conftest import DRAWN, START, TOML, write_tiny
from .test_section import call

pytestmark = pytest.mark.slow


class Compilations(logging.Handler):
    """Counts the programs that JAX compiles, by name."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.counts = collections.Counter()

    def emit(self, record):
        text = record.getMessage()
        if text.startswith("Compiling "):
            self.counts[text.split()[1].removeprefix("jit(").rstrip(")")] += 1


def counted(call):
    """The programs that a call compiles."""
    import jax

    counter = Compilations()
    loggers = [logging.getLogger(name) for name in ("jax._src.interpreters.pxla", "jax._src.dispatch")]
    for logger in loggers:
        logger.addHandler(counter)
    try:
        with jax.log_compiles():
            call()
    finally:
        for logger in loggers:
            logger.removeHandler(counter)
    return counter.counts


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A finished sweep of two steps and two starts, not to be written to; what each run compiled, by its values."""
    import jax

    from widelimit._sweep import plan_file
    from widelimit._sweep._folder import at_work_in
    from widelimit._sweep._work import Task, work

    # What other tests of this process have compiled would not be counted.
    jax.clear_caches()
    place = tmp_path_factory.mktemp("swept")
    path = write_tiny(place, TOML + START + DRAWN)
    plan, content = plan_file(path, ())
    compiled, limits = {}, {}
    with at_work_in(place / "out", plan, content) as folder:
        for run in plan.runs:
            task = Task(str(folder.run_path(run.name)), run.problem, (), limits.get(run.limit))
            counts = counted(functools.partial(work, task))
            compiled[tuple(run.values.values())[1:]] = counts
            limits.setdefault(run.limit, task.path)
    return SimpleNamespace(file=path, folder=folder, plan=plan, compiled=compiled)


@pytest.fixture
def copied(swept, tmp_path):
    """A copy that a test may break."""
    from widelimit._sweep import existing_sweep

    return existing_sweep(shutil.copytree(swept.folder.path, tmp_path / "out"))


def numbers(folder, run):
    return json.loads((folder.run_path(run.name) / "numbers.json").read_text())


def test_seeds_train_in_one_program_and_settings_share_it(swept):
    """Three seeds are one `_advance`, that of `evolve_many`; another step or start is a number and compiles nothing."""
    first, *others = swept.compiled.values()
    assert first["_advance"] == 1
    assert sum(first.values()) > 10
    assert [sum(other.values()) for other in others] == [0, 0, 0]


def test_another_width_is_another_program_of_its_networks_alone(swept, tmp_path):
    from widelimit._sweep import plan_file
    from widelimit._sweep._work import Task, work

    path = swept.file.with_name("wider.toml")
    path.write_text(TOML + START + DRAWN.replace("[4]", "[5]"))
    run = plan_file(path, ())[0].runs[0]
    assert run.limit == swept.plan.runs[0].limit
    counts = counted(lambda: work(Task(str(tmp_path / "run"), run.problem, (), None)))
    assert counts["_advance"] == 1
    assert sum(counts.values()) < sum(next(iter(swept.compiled.values())).values())


def test_runs_of_one_kind_train_in_one_call(swept, tmp_path, monkeypatch):
    """Two starts of three seeds are six networks in one program, with the numbers of the runs one by one."""
    import jax

    from widelimit._sweep._work import Task, work
    from widelimit.runs.call import _part
    from widelimit.trajectory import load

    runs = [run for run in swept.plan.runs if run.kind == swept.plan.runs[0].kind]
    assert [run.values["networks.step"] for run in runs] == [0.05, 0.05]
    assert len({run.kind for run in swept.plan.runs}) == 2
    made, real = [], _part._evolved
    monkeypatch.setattr(_part, "_evolved", lambda jobs: made.append([part.name for _, part in jobs]) or real(jobs))
    tasks = [
        Task(str(tmp_path / run.name), run.problem, (), str(swept.folder.run_path(run.name).resolve())) for run in runs
    ]
    jax.clear_caches()
    counts = counted(lambda: work(*tasks))
    assert made == [["network-4-0", "network-4-1", "network-4-2"] * 2]
    assert counts["_advance"] == 1
    for run in runs:
        ours, theirs = (
            json.loads((at / run.name / "numbers.json").read_text()) for at in (tmp_path, swept.folder.path / "runs")
        )
        assert ours["networks"][0]["seeds"] == theirs["networks"][0]["seeds"]
        for seed in range(3):
            a, b = (load(at / run.name / f"network-4-{seed}.zarr") for at in (tmp_path, swept.folder.path / "runs"))
            np.testing.assert_allclose(a.positions, b.positions, rtol=1e-10, atol=1e-12)
            np.testing.assert_allclose(a.observables["held_out_risk"], b.observables["held_out_risk"], rtol=1e-10)
    assert not list(tmp_path.glob(".*.part"))


def test_a_run_of_a_sweep_is_a_run(swept):
    run = swept.plan.runs[0]
    path = swept.folder.run_path(run.name)
    shown = call("show", path)
    assert shown.exit_code == 0
    assert "Tiny: width 4, step 0.05, output std 0.5" in shown.stdout
    assert "is finished already" in call("resume", path).stderr
    found = numbers(swept.folder, run)
    assert found["networks"][0]["seeds"] == [0, 1, 2]
    # The same limit for both steps, computed once: its seconds are the same.
    limits = [numbers(swept.folder, other) for other in swept.plan.runs if other.limit == run.limit]
    assert len(limits) == 2
    assert limits[0]["limit"] == limits[1]["limit"]
    assert len({other["seconds"]["parts"]["limit-8"] for other in limits}) == 1


def test_what_is_done_is_not_done_again(swept, monkeypatch):
    from widelimit._sweep._work import Task, work
    from widelimit.runs import verbs

    monkeypatch.setattr(verbs, "carry_out", None)
    run = swept.plan.runs[0]
    assert work(Task(str(swept.folder.run_path(run.name)), run.problem, (), None)) == ["finished"]
    assert swept.folder.missing() == []


def test_what_a_lost_worker_left_is_gone_on_with(copied, monkeypatch):
    """Its finished parts are taken as they are; a folder that a hanging worker holds is left alone."""
    from widelimit._sweep._work import Task, work
    from widelimit.runs.call import _part
    from widelimit.runs.folder import locked

    run = copied.plan.runs[0]
    path = copied.run_path(run.name)
    before = numbers(copied, run)
    part = path.with_name(f".{run.name}.2.part")
    path.rename(part)
    status = json.loads((part / "status.json").read_text())
    del status["parts"]["network-4-2"]
    (part / "status.json").write_text(json.dumps(status | {"state": "running"}))
    shutil.rmtree(part / "network-4-2.zarr")
    held = path.with_name(f".{run.name}.1.part")
    held.mkdir()
    made = []
    real = _part._evolved
    monkeypatch.setattr(_part, "_evolved", lambda jobs: made.append(jobs[0][1].place) or real(jobs))
    with locked(held):
        assert work(Task(str(path), run.problem, (), None)) == ["finished"]
    assert made == ["[[networks]] 1"]
    after = numbers(copied, run)
    assert after["networks"] == before["networks"]
    assert not part.exists()


def test_whoever_is_second_throws_his_own_away(copied):
    from widelimit._sweep._work import _published

    run = copied.plan.runs[0]
    path = copied.run_path(run.name)
    mine = path.with_name(f".{run.name}.1.part")
    shutil.copytree(path, mine)
    (mine / "numbers.json").write_text("{}")
    _published(mine, path)
    assert not mine.exists()
    assert numbers(copied, run) != {}


def test_the_table_is_that_of_the_runs(swept):
    """Each number under the values of its own run; the widest network and the limit as their own files have them."""
    from widelimit._sweep._table import gather
    from widelimit.trajectory import load

    data = gather(swept.folder)
    for run in swept.plan.runs:
        here = data.sel({key: value for key, value in run.values.items()})
        for seed in range(3):
            stored = load(swept.folder.run_path(run.name) / f"network-4-{seed}.zarr")
            assert float(here["risk"].sel(seed=seed)) == stored.risk[-1]
        assert float(here["limit_risk"]) == load(swept.folder.run_path(run.name) / "limit-8.zarr").risk[-1]
