"""Runs in their folders, the table they make and the page: made here in one process, by what a worker calls."""

import collections
import functools
import json
import logging
import shutil
import tomllib
from types import SimpleNamespace
from urllib.parse import quote

import numpy as np
import pytest

from .conftest import TOML, write_tiny
from .test_section import call

# Numbers alone vary: all runs share their programs.
DRAWN = """
[sweep]
seeds = 3

[sweep.grid]
networks.widths = [4]
networks.step = [0.05, 0.1]
start.output.std = [0.5, 1.0]

[[sweep.draw]]
x = "networks.step"
y = "start.output.std"

[[sweep.draw]]
x = "networks.step"
"""
START = '[start]\noutput = { law = "normal", std = 1.0 }\n'


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
    from widelimit._sweep import plan_file
    from widelimit._sweep._folder import at_work_in
    from widelimit._sweep._work import Task, work

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


@pytest.mark.slow
def test_another_width_is_another_program_of_its_networks_alone(swept, tmp_path):
    from widelimit._sweep import plan_file
    from widelimit._sweep._work import Task, work

    path = write_tiny(tmp_path, TOML + START + DRAWN.replace("[4]", "[5]"))
    run = plan_file(path, ())[0].runs[0]
    assert run.limit == swept.plan.runs[0].limit
    counts = counted(lambda: work(Task(str(tmp_path / "run"), run.problem, (), None)))
    assert counts["_advance"] == 1
    assert sum(counts.values()) < sum(next(iter(swept.compiled.values())).values())


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
    assert work(Task(str(swept.folder.run_path(run.name)), run.problem, (), None)) == "finished"
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
    monkeypatch.setattr(_part, "_evolved", lambda job, parts: made.append(parts[0].place) or real(job, parts))
    with locked(held):
        assert work(Task(str(path), run.problem, (), None)) == "finished"
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


def test_the_data_set(swept):
    from widelimit._sweep._table import gather

    data = gather(swept.folder)
    assert data["risk"].dims == ("networks.widths", "networks.step", "start.output.std", "seed")
    assert list(data["start.output.std"].values) == [0.5, 1.0]
    assert list(data["networks.step"].values) == [0.05, 0.1]
    for run in swept.plan.runs:
        found = numbers(swept.folder, run)
        here = data.sel({key: value for key, value in run.values.items()})
        assert here["risk"].values.tolist() == found["networks"][0]["risk"]["values"]
        assert here["held_out_risk"].values.tolist() == found["networks"][0]["held_out_risk"]["values"]
        assert float(here["limit_risk"]) == found["limit"]["risk"]
        assert float(here["operations"]) == run.cost.networks[0]
        assert str(here["run"].values) == run.name


def test_a_missing_run_is_not_a_number_and_said(copied):
    from widelimit._sweep import Sweep

    run = copied.plan.runs[3]
    shutil.rmtree(copied.run_path(run.name))
    made = Sweep(copied)
    risk = made.dataset["risk"]
    assert np.isnan(risk.sel({key: value for key, value in run.values.items()})).all()
    assert np.isfinite(risk).sum() == 9
    page = made.report().html
    assert "1 run of 4 not made yet" in page
    assert "Shares and differences are of the settings that are complete: without " in page
    assert "unfinished; " in call("show", copied.path).stdout


def test_a_failed_seed_keeps_its_place(copied):
    """The values of the seeds that ended are theirs, not those of the first ones."""
    from widelimit._sweep import Sweep

    run = copied.plan.runs[0]
    found = numbers(copied, run)
    record = found["networks"][0]
    values = record["risk"]["values"]
    record["risk"]["values"], record["held_out_risk"], record["ended"] = [values[0], values[2]], None, 2
    found["failed"] = {"network-4-1": "diverged"}
    (copied.run_path(run.name) / "numbers.json").write_text(json.dumps(found))
    risk = Sweep(copied).dataset["risk"].sel({key: value for key, value in run.values.items()})
    assert [float(v) for v in risk.sel(seed=[0, 2])] == [values[0], values[2]]
    assert np.isnan(risk.sel(seed=1))


def test_the_page(copied):
    import xarray

    result = call("report", copied.path)
    assert (result.exit_code, result.stdout.strip()) == (0, str(copied.path / "report.html"))
    html = (copied.path / "report.html").read_text()
    for run in copied.plan.runs:
        assert f'href="runs/{quote(run.name)}/report.html"' in html
        assert (copied.run_path(run.name) / "report.html").exists()
    assert "4 runs over step (2) and output std (2), 3 seeds a setting." in html
    assert "Phase diagram: risk at the end over step and output std" in html
    assert (
        "Risk at the end over step. Means over seeds; bars are their standard errors. Averaged over output std." in html
    )

    with xarray.open_zarr(copied.path / "results.zarr", consolidated=False) as data:
        assert data["risk"].shape == (1, 2, 2, 3)


def test_from_python_and_from_the_command_line(copied, swept):
    """All is done: no worker is started."""
    import widelimit as wl

    said = []
    made = wl.sweep(swept.file, copied.path, say=said.append)
    assert said == [f"4 runs, 4 of them done already: {copied.path}"]
    assert made.statement.startswith("The lowest risk at the end, ")
    assert [row.factor for row in made.shares] == ["step", "output std", "interactions", "seed"]
    assert sum(row.share for row in made.shares) == pytest.approx(1.0, rel=1e-12)
    means = made.dataset["risk"].mean("seed").values[0]
    assert made.choice.best == np.unravel_index(means.argmin(), means.shape)
    found = call("sweep", swept.file, "--out", copied.path, "--json")
    assert found.exit_code == 0, found.stderr
    record = json.loads(found.stdout)
    assert record["statement"] == made.statement
    assert record["choice"]["best"] == list(made.choice.best)
    assert [row["state"] for row in record["runs"]] == ["finished"] * 4
    assert call("show", copied.path).stdout.splitlines()[1] == made.statement
    assert call("resume", copied.path).exit_code == 0
    tables = tomllib.loads(swept.file.read_text())
    tables["data"]["source"] = str(swept.file.parent / "tiny.csv")
    with pytest.raises(ValueError, match=r"sweep: \[sweep\] stpe 1: .* Did you mean 'step'\?"):
        wl.sweep(tables | {"sweep": {"grid": {"networks.stpe": [1]}}}, copied.path)


def test_more_of_the_same_sweep_keeps_what_is_there(copied, swept):
    """Another value adds runs; a dry run takes the speed from those that are done."""
    swept.file.write_text(swept.file.read_text().replace("[0.05, 0.1]", "[0.05, 0.1, 0.025]"))
    result = call("sweep", swept.file, "--out", copied.path, "--dry-run", "--json")
    estimate = json.loads(result.stdout)
    assert [run["state"] for run in estimate["runs"]].count("finished") == 4
    assert [run["state"] for run in estimate["runs"]].count("missing") == 2
    assert "as fast as those that are done" in estimate["basis"]
    # The limit is there already.
    assert all(run["limit"] == 0.0 for run in estimate["runs"])
