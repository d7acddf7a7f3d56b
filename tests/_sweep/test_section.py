"""From [sweep] to the runs, and what is refused: nothing is computed here."""

import pytest

from .conftest import SWEEP, TOML, write_tiny


def call(*arguments):
    from typer.testing import CliRunner

    from widelimit.cli import app

    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def plan(tmp_path, sweep, **options):
    from widelimit._sweep import plan_file

    return plan_file(write_tiny(tmp_path, TOML + sweep), (), **options)[0]


def test_a_grid_a_zip_and_a_list_multiply(tmp_path):
    made = plan(
        tmp_path,
        "[sweep.grid]\nnetworks.widths = [4, 8]\n[sweep.zip]\ntime.t1 = [0.5, 1.0, 1.5]\ntime.saves = [4, 8, 16]\n"
        "[[sweep.list]]\nnetworks.step = 0.1\nnetworks.batch = 2\n"
        "[[sweep.list]]\nnetworks.step = 0.05\nnetworks.batch = 4\n",
    )
    assert len(made.runs) == 2 * 3 * 2
    assert len({run.name for run in made.runs}) == 12
    seen = {tuple(run.values.values()) for run in made.runs}
    assert (8, 1.5, 16, 0.1, 2) in seen
    assert (8, 1.5, 4, 0.1, 2) not in seen
    (run,) = [run for run in made.runs if tuple(run.values.values()) == (8, 1.0, 8, 0.05, 4)]
    assert run.level == (1, 1, 1)
    assert run.problem["time"] == {"t1": 1.0, "saves": 8}
    assert run.problem["networks"][0]["widths"] == [8]
    assert (run.problem["networks"][0]["step"], run.problem["networks"][0]["batch"]) == (0.05, 4)
    # The limit depends on the time alone here.
    assert len({run.limit for run in made.runs}) == 3


def test_output_bias_and_scale_vary(tmp_path):
    toml = "[network]\noutput_bias = true\n[mobility]\noffset = 1.0\n"
    toml += "[sweep.grid]\nnetworks.widths = [4]\nnetworks.step = [0.1]\n"
    made = plan(tmp_path, toml + "network.scale = [1.0, 2.0]\nmobility.offset = [0.5, 1.0]\n")
    said = [(run.problem["network"]["scale"], run.problem["mobility"]["blocks"]["offset"]) for run in made.runs]
    assert sorted(said) == [(1.0, 0.5), (1.0, 1.0), (2.0, 0.5), (2.0, 1.0)]
    # The limit depends on both.
    assert len({run.limit for run in made.runs}) == 4


def test_seeds_are_no_runs_and_go_to_every_table(tmp_path):
    toml = '[[networks]]\ndynamics = "gradient_flow"\nwidths = 4\n[sweep]\nseeds = 5\n'
    toml += "[sweep.grid]\nnetworks.1.widths = [4, 8]\nnetworks.1.step = [0.1]\n"
    made = plan(tmp_path, toml)
    assert len(made.runs) == 2
    for run, width in zip(made.runs, (4, 8), strict=True):
        assert [table["seeds"] for table in run.problem["networks"]] == [[0, 1, 2, 3, 4]] * 2
        assert [table["widths"] for table in run.problem["networks"]] == [[width], [4]]


def test_names_are_stable_and_those_of_the_problem(tmp_path):
    first, second = plan(tmp_path, SWEEP), plan(tmp_path, SWEEP.replace("[0.05, 0.1]", "[0.1, 0.2, 0.05]"))
    names = {run.name for run in first.runs}
    assert names < {run.name for run in second.runs}
    other = plan(tmp_path, SWEEP.replace("seeds = 3", "seeds = 4"))
    assert not names & {run.name for run in other.runs}
    assert all(run.name.startswith(f"width={run.values['networks.widths']},step=") for run in first.runs)
    # Another table under the same name is another problem.
    write_tiny(tmp_path)
    (tmp_path / "tiny.csv").write_text((tmp_path / "tiny.csv").read_text() + "1,1,1\n")
    from widelimit._sweep import plan_file

    assert not names & {run.name for run in plan_file(tmp_path / "tiny.toml", ())[0].runs}


def test_a_plan_is_read_back_as_it_was_written(tmp_path):
    import json

    from widelimit._sweep._plan import plan_of

    made = plan(tmp_path, SWEEP)
    assert plan_of(json.loads(json.dumps(made.record()))) == made


def test_what_a_run_costs(tmp_path):
    """By hand: 12 rows of 2 inputs, neurons of 4 parameters, 3 seeds."""
    costs = {tuple(run.values.values()): run.cost for run in plan(tmp_path, SWEEP).runs}
    for (width, step), cost in costs.items():
        steps = round(0.5 / step)
        assert (cost.steps, cost.seeds) == ((steps,), (3,))
        assert cost.networks == (6 * 4 * width * 4 * steps,)
        assert cost.training == 3 * 6 * 4 * width * (4 * steps + 4 * 12)
        assert cost.limit == 6 * 4 * (4 + 8) * 12 * 500


def test_a_dry_run_prints_the_runs_and_writes_nothing(tmp_path):
    path = write_tiny(tmp_path)
    result = call("sweep", path, "--dry-run", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.count("missing") == 4
    assert "4 runs, 4 to make: about " in result.stdout
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("sweep", "expected"),
    [
        ("", "[sweep]: is missing"),
        ("[sweep]\n", "[sweep]: varies nothing"),
        ("[sweep]\nsedes = 3\n", "Did you mean 'seeds'?"),
        ("[sweep]\nseeds = []\n", "[sweep] seeds: expected 1 or more entries, got 0."),
        ("[sweep.grid]\nnetworks.step = []\n", "[sweep] grid.networks.step: the list is empty."),
        ("[sweep.grid]\nnetworks.step = 0.1\n", "[sweep] grid.networks.step: expected a list of values, got 0.1."),
        ("[sweep.grid]\nnetworks.step = [0.1, 0.1]\n", "[sweep] grid.networks.step: 0.1 is there twice."),
        ("[sweep.grid]\nnetworks.stpe = [0.1, 0.2]\n", "Did you mean 'step'?"),
        ("[sweep.grid]\ntmie.t1 = [0.1, 0.2]\n", "Did you mean 'time'?"),
        ("[sweep.grid]\nnetworks.2.step = [0.1]\n", "networks.2.step: there is no table 2, only 1."),
        ("[sweep.grid]\ntitle.x = [0.1]\n", "title.x: what 'x' should be a key of is 'Tiny', and no table."),
        ("[sweep.zip]\ntime.t1 = [1.0, 2.0]\ntime.saves = [4]\n", "of one length; time.t1 has 2, time.saves has 1."),
        ("[[sweep.list]]\ntime.t1 = 1.0\n[[sweep.list]]\ntime.saves = 4\n", "table 2 sets time.saves, and the first"),
        ("[sweep]\nseeds = 2\n[sweep.grid]\nnetworks.seeds = [2]\n", "[sweep] networks.seeds: is set in two places."),
        (SWEEP.replace("0.1]", "-0.1]"), "[sweep] width 4, step -0.1: [[networks]] 1, step: must be greater than 0"),
        (SWEEP + "start.bais.law = ['atom']\n", "the unit has no such block"),
        (SWEEP + "[[sweep.draw]]\nx = 'networks.stpe'\n", "[[sweep.draw]] x: 'networks.stpe' is not known"),
        (SWEEP.replace("[sweep]", "[sweep]\nresponse = 'rsik'"), "Did you mean 'risk'?"),
    ],
)
def test_bad_sweeps(tmp_path, sweep, expected):
    path = write_tiny(tmp_path, TOML + sweep)
    result = call("sweep", path, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert result.stdout == ""
    (said,) = result.stderr.splitlines()
    assert said.startswith(f"widelimit: {path}: ")
    assert expected in said
    assert not (tmp_path / "out").exists()


def refused(*arguments):
    result = call("sweep", *arguments)
    assert (result.exit_code, result.stdout) == (2, ""), result.stderr
    return result.stderr.splitlines()[-1]


def test_bad_options(tmp_path):
    path, out = write_tiny(tmp_path), tmp_path / "out"
    assert "asks for 4 runs, more than --max-runs 3." in refused(path, "--out", out, "--max-runs", 3)
    assert "--max-runs: must be at least 1" in refused(path, "--out", out, "--max-runs", 0)
    assert "--timeout: must be a number of seconds above 0" in refused(path, "--out", out, "--timeout", 0)
    assert "--workers: must be at least 1" in refused(path, "--out", out, "--workers", 0)
    assert not out.exists()
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    assert "holds 'notes.txt' and is not the folder of a sweep" in refused(path, "--out", out)
    assert [entry.name for entry in out.iterdir()] == ["notes.txt"]


def test_two_sweeps_in_one_folder(tmp_path):
    from widelimit.runs.folder import locked

    path, out = write_tiny(tmp_path), tmp_path / "out"
    out.mkdir()
    with locked(out):
        assert "another widelimit process is working in this folder" in refused(path, "--out", out)


def test_a_scheduler_that_is_not_there(tmp_path, monkeypatch):
    from widelimit._sweep import _cluster

    monkeypatch.setattr(_cluster, "_PATIENCE", 0.5)
    path = write_tiny(tmp_path)
    options = (path, "--out", tmp_path / "out", "--scheduler")
    said = refused(*options, "tcp://127.0.0.1:9")
    assert said == "widelimit: --scheduler tcp://127.0.0.1:9: no scheduler answers there within 0.5 s."
    assert "--scheduler nonsense://x: no scheduler answers there" in refused(*options, "nonsense://x")


def test_run_says_what_a_file_with_a_sweep_is_for(tmp_path):
    path = write_tiny(tmp_path)
    result = call("run", path, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert result.stderr == f"widelimit: {path}: [sweep]: asks for many runs; `widelimit sweep {path}` makes them.\n"
