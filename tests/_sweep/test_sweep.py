"""The table of a sweep, what is said of it and the page: on numbers that are made up, so that all answers are known."""

import json
import re
import shutil
import tomllib
from types import SimpleNamespace
from urllib.parse import quote

import numpy as np
import pytest

from .conftest import DRAWN, START, TOML, write_tiny
from .test_section import call

# By (step, output std): what three seeds end at. The step moves the mean by 0.2, the start by 0.1, neither together.
RISKS = {
    (0.05, 0.5): [0.40, 0.41, 0.42],
    (0.05, 1.0): [0.50, 0.51, 0.52],
    (0.1, 0.5): [0.60, 0.61, 0.62],
    (0.1, 1.0): [0.70, 0.71, 0.72],
}


def write_run(folder, run, risks, failed=()):
    """What a finished run leaves of itself that a sweep reads."""
    path = folder.run_path(run.name)
    path.mkdir(parents=True)
    ended = [risk for seed, risk in enumerate(risks) if seed not in failed]
    lost = {f"network-4-{seed}": "diverged" for seed in failed}
    spread = {"mean": float(np.mean(ended)), "error": float(np.std(ended, ddof=1) / len(ended) ** 0.5), "values": ended}
    seconds = {"limit-8": 1.0, **{f"network-4-{seed}": 0.5 for seed in range(3)}}
    record = {"width": 4, "risk": spread, "held_out_risk": None}
    limit = {"risk": 0.3, "risk_error": 0.01, "held_out_risk": None}
    numbers = {"limit": limit, "networks": [record], "failed": lost, "seconds": {"parts": seconds}}
    parts = {name: {"seconds": taken, "risk": 0.0} for name, taken in seconds.items()}
    status = {"state": "finished", "message": "", "parts": parts, "failed": lost}
    (path / "numbers.json").write_text(json.dumps(numbers))
    (path / "status.json").write_text(json.dumps(status))
    (path / "report.html").write_text("<html></html>")


@pytest.fixture
def swept(tmp_path):
    """A finished sweep of two steps and two starts, with the risks above."""
    from widelimit._sweep import plan_file
    from widelimit._sweep._folder import at_work_in

    path = write_tiny(tmp_path, TOML + START + DRAWN)
    plan, content = plan_file(path, ())
    with at_work_in(tmp_path / "out", plan, content) as folder:
        for run in plan.runs:
            write_run(folder, run, RISKS[run.values["networks.step"], run.values["start.output.std"]])
    return SimpleNamespace(file=path, folder=folder, plan=plan)


def run_of(swept, step, std):
    (run,) = [run for run in swept.plan.runs if tuple(run.values.values())[1:] == (step, std)]
    return run


def test_the_data_set(swept):
    from widelimit._sweep import Sweep

    data = Sweep(swept.folder).dataset
    assert data["risk"].dims == ("networks.widths", "networks.step", "start.output.std", "seed")
    assert list(data["networks.step"].values) == [0.05, 0.1]
    assert list(data["start.output.std"].values) == [0.5, 1.0]
    for (step, std), risks in RISKS.items():
        here = data.sel({"networks.widths": 4, "networks.step": step, "start.output.std": std})
        assert here["risk"].values.tolist() == risks
        assert float(here["limit_risk"]) == 0.3
        assert float(here["seconds"]) == 1.5
        assert float(here["operations"]) == run_of(swept, step, std).cost.networks[0]
        assert str(here["run"].values) == run_of(swept, step, std).name
    assert "held_out_risk" not in data


def two_times(tmp_path, networks):
    """A sweep over two end times, and for each run a function that writes its numbers."""
    from widelimit._sweep import plan_file
    from widelimit._sweep._folder import at_work_in

    toml = TOML.partition("[[networks]]")[0] + networks + "[sweep]\nseeds = 2\n[sweep.grid]\ntime.t1 = [0.5, 1.0]\n"
    plan, _ = plan_file(write_tiny(tmp_path, toml), ())
    with at_work_in(tmp_path / "out", plan, None) as folder:
        return folder


def write_records(folder, run, records):
    path = folder.run_path(run.name)
    path.mkdir(parents=True)
    limit = {"risk": run.values["time.t1"], "risk_error": 0.01, "held_out_risk": None}
    numbers = {"limit": limit, "networks": records, "failed": {}, "seconds": {"parts": {}}}
    (path / "numbers.json").write_text(json.dumps(numbers))
    (path / "status.json").write_text(json.dumps({"state": "finished", "message": "", "parts": {}, "failed": {}}))


def test_tables_and_widths_within_a_run_have_axes_of_their_own(tmp_path):
    from widelimit._sweep import Sweep

    sgd = '[[networks]]\ndynamics = "sgd"\nstep = 0.1\nwidths = [4, 8]\n'
    folder = two_times(tmp_path, sgd + '[[networks]]\ndynamics = "gradient_flow"\nwidths = [4, 8]\n')
    for run in folder.plan.runs:
        values = [[run.values["time.t1"] + 0.1 * k + 0.01 * seed for seed in range(2)] for k in range(4)]
        write_records(folder, run, [{"risk": {"values": each}, "held_out_risk": None} for each in values])
    data = Sweep(folder).dataset
    assert data["risk"].dims == ("time.t1", "table", "width", "seed")
    for k, (table, width) in enumerate([(1, 4), (1, 8), (2, 4), (2, 8)]):
        here = data.sel({"time.t1": 1.0, "table": table, "width": width})
        np.testing.assert_allclose(here["risk"].values, [1.0 + 0.1 * k, 1.01 + 0.1 * k])
        assert float(here["operations"]) == folder.plan.runs[1].cost.networks[k]


def test_limits_alone_are_compared_too(tmp_path):
    from widelimit._sweep import Sweep

    folder = two_times(tmp_path, "")
    for run in folder.plan.runs:
        write_records(folder, run, [])
    made = Sweep(folder)
    assert made.dataset["risk"].dims == ("time.t1", "seed")
    assert made.dataset["risk"].values.tolist() == [[0.5], [1.0]]
    assert made.dataset["operations"].values.tolist() == [run.cost.limit for run in folder.plan.runs]
    assert made.choice.best == (0,)


def test_what_is_said_of_it(swept):
    """Var: 0.01 of the step, 0.0025 of the start, 1e-4 of the seeds, whose deviations are the same everywhere."""
    import widelimit as wl

    said = []
    made = wl.sweep(swept.file, swept.folder.path, say=said.append)
    # All is done: no worker is started.
    assert said == [f"4 runs, 4 of them done already: {swept.folder.path}"]
    shares = {row.factor: row.share for row in made.shares}
    assert list(shares) == ["step", "output std", "interactions", "seed"]
    parts = np.array([0.01, 0.0025, 0.0, 1e-4])
    np.testing.assert_allclose(list(shares.values()), parts / parts.sum(), atol=1e-12)
    assert [(row.factor, row.first, row.second, row.beyond) for row in made.differences] == [
        ("step", "0.05", "0.1", True),
        ("output std", "0.5", "1", True),
    ]
    assert made.choice.best == made.choice.cheapest == (0, 0)
    best, cheapest, variation = made.statement.split(". ")
    assert best == "The lowest risk at the end, 0.4100 ± 0.0058, is that of step 0.05, output std 0.5"
    assert cheapest == "Within 5 % of it no setting is cheaper"
    told = re.findall(r"([a-z ]+) \((.*?) ± .*? %\)", variation.partition("comes from ")[2])
    assert [(name.strip(), share) for name, share in told] == [
        ("step", "79.4"),
        ("output std", "19.8"),
        ("the seed", "0.8"),
        ("and interactions", "0.0"),
    ]


def test_the_cheapest_is_said_with_its_doubt(swept):
    """A step twice as long costs half of the training."""
    from widelimit._sweep import Sweep

    cheap = run_of(swept, 0.1, 0.5)
    shutil.rmtree(swept.folder.run_path(cheap.name))
    write_run(swept.folder, cheap, [0.41, 0.42, 0.43])
    said = "the cheapest setting is step 0.1, output std 0.5, at 0.4200 ± 0.0058: it takes 50 %"
    assert f"{said} of the operations. The seeds leave no doubt of that (95 %)." in Sweep(swept.folder).statement
    shutil.rmtree(swept.folder.run_path(cheap.name))
    write_run(swept.folder, cheap, [0.43, 0.42, 0.41])
    assert f"{said} of the operations. By the means: the seeds' error (95 %)" in Sweep(swept.folder).statement


def test_a_missing_run_is_not_a_number_and_said(swept):
    from widelimit._sweep import Sweep

    shutil.rmtree(swept.folder.run_path(run_of(swept, 0.1, 1.0).name))
    made = Sweep(swept.folder)
    risk = made.dataset["risk"]
    assert np.isnan(risk.sel({"networks.step": 0.1, "start.output.std": 1.0})).all()
    assert np.isfinite(risk).sum() == 9
    page = made.report().html
    assert "1 run of 4 not made yet" in page
    assert "Shares and differences are of the settings that are complete: without " in page
    shown = call("show", swept.folder.path).stdout
    assert "4 runs, 1 to make" in shown
    assert f"unfinished; `widelimit resume {swept.folder.path}` goes on with it" in shown


def test_a_failed_seed_keeps_its_place(swept):
    """The values of the seeds that ended are theirs, not those of the first ones; the setting is not compared."""
    from widelimit._sweep import Sweep

    run = run_of(swept, 0.05, 0.5)
    shutil.rmtree(swept.folder.run_path(run.name))
    write_run(swept.folder, run, [0.40, 0.41, 0.42], failed=(1,))
    made = Sweep(swept.folder)
    risk = made.dataset["risk"].sel({"networks.widths": 4, "networks.step": 0.05, "start.output.std": 0.5})
    np.testing.assert_array_equal(risk.values, [0.40, np.nan, 0.42])
    assert made.choice.best == (0, 1)
    assert "diverged" in made.report().html


def test_one_setting_left_is_nothing_to_compare(swept):
    from widelimit._sweep import Sweep

    for run in swept.plan.runs[1:]:
        shutil.rmtree(swept.folder.run_path(run.name))
    made = Sweep(swept.folder)
    assert made.statement.endswith("Within 5 % of it no setting is cheaper.")
    assert "Too few settings are complete for shares and differences." in made.report().html
    assert made.record()["shares"] == []


def test_nothing_there_is_no_reason_to_fail(swept):
    from widelimit._sweep import Sweep

    shutil.rmtree(swept.folder.path / "runs")
    made = Sweep(swept.folder)
    assert made.statement == "No network reached its end."
    assert "4 runs of 4 not made yet" in made.report().html
    assert made.record()["choice"] is None


@pytest.mark.slow
def test_the_page(swept):
    import xarray

    path = swept.folder.path
    result = call("report", path)
    assert (result.exit_code, result.stdout.strip()) == (0, str(path / "report.html"))
    html = (path / "report.html").read_text()
    for run in swept.plan.runs:
        assert f'href="runs/{quote(run.name)}/report.html"' in html
    assert "4 runs over step (2) and output std (2), 3 seeds a setting." in html
    assert "Phase diagram: risk at the end over step and output std" in html
    assert "bars are their standard errors. Averaged over output std." in html
    # From 0.46 to 0.66, the deviations of the seeds cancel.
    assert "+0.2000" in html
    with xarray.open_zarr(path / "results.zarr", consolidated=False) as data:
        assert data["risk"].shape == (1, 2, 2, 3)


@pytest.mark.slow
def test_from_the_command_line(swept):
    path = swept.folder.path
    found = call("sweep", swept.file, "--out", path, "--json")
    assert found.exit_code == 0, found.stderr
    record = json.loads(found.stdout)
    assert record["choice"]["best"] == [0, 0]
    assert [row["state"] for row in record["runs"]] == ["finished"] * 4
    assert record["settings"] == {"step": ["0.05", "0.1"], "output std": ["0.5", "1"]}
    assert call("show", path).stdout.splitlines()[1] == record["statement"]
    assert call("resume", path).exit_code == 0


def test_tables_from_python(swept):
    import widelimit as wl

    tables = tomllib.loads(swept.file.read_text())
    tables["data"]["source"] = str(swept.file.parent / "tiny.csv")
    with pytest.raises(ValueError, match=r"sweep: \[sweep\] stpe 1: .* Did you mean 'step'\?"):
        wl.sweep(tables | {"sweep": {"grid": {"networks.stpe": [1]}}}, swept.folder.path)


def test_a_damaged_sweep_is_one_sentence(swept):
    (swept.folder.path / "sweep.json").write_text('{"format": 2}')
    result = call("show", swept.folder.path)
    assert result.exit_code == 2
    assert "sweep.json: is damaged (KeyError('runs'))." in result.stderr
    assert "The same `widelimit sweep FILE` writes it again and keeps the runs." in result.stderr


@pytest.mark.slow
def test_more_of_the_same_sweep_keeps_what_is_there(swept):
    """Another value adds runs; a dry run takes the speed from those that are done."""
    swept.file.write_text(swept.file.read_text().replace("[0.05, 0.1]", "[0.05, 0.1, 0.025]"))
    result = call("sweep", swept.file, "--out", swept.folder.path, "--dry-run", "--json")
    estimate = json.loads(result.stdout)
    assert [run["state"] for run in estimate["runs"]].count("finished") == 4
    missing = [run for run in estimate["runs"] if run["state"] == "missing"]
    assert len(missing) == 2
    # 1.5 s a run were taken; the limit is there already.
    expected = sum(run.cost.training_seconds for run in swept.plan.runs)
    (slow,) = {run["seconds"] for run in missing}
    assert all(run["limit"] == 0.0 for run in estimate["runs"])
    from widelimit._sweep import plan_file

    new = next(run for run in plan_file(swept.file, ())[0].runs if run.values["networks.step"] == 0.025)
    assert slow == pytest.approx(new.cost.training_seconds * 4 * 1.5 / expected, rel=1e-9)
