"""`widelimit run --set`, `--quiet` and `--dry-run`."""

import json
import tomllib

import pytest

from .conftest import TOML, call, comparable, numbers_of, refused, write_tiny

SET = (
    "--set",
    "time.t1=0.25",
    "--set",
    "networks.widths=[2]",
    "--set",
    "limit.particles=4",
    "--set",
    "networks.seeds=1",
)


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    """A finished run with other values than its file's, and what it printed; not to be written to."""
    place = tmp_path_factory.mktemp("changed")
    result = call("run", write_tiny(place), "--out", place / "run", "--quiet", *SET)
    return place / "run", result


def test_quiet_says_nothing(changed):
    _, result = changed
    assert (result.code, result.out, result.err) == (0, "", "")


def test_what_is_set_is_run_and_written_down(changed):
    folder, _ = changed
    numbers = numbers_of(folder)
    assert numbers["t1"] == 0.25
    assert numbers["limit"]["sizes"] == [2, 4]
    assert [network["width"] for network in numbers["networks"]] == [2]
    words = "time.t1 = 0.25, networks.widths = [2], limit.particles = 4, networks.seeds = 1"
    assert numbers["problem"]["set"] == words
    assert words in (folder / "report.html").read_text()
    assert words in call("show", folder).out
    # The user's file stays what it was.
    assert (folder / "problem.toml").read_text() == TOML
    assert json.loads((folder / "set.json").read_text())["networks.widths"] == [2]


def test_resume_keeps_what_was_set(changed, tmp_path):
    import shutil

    folder, _ = changed
    copy = tmp_path / "run"
    shutil.copytree(folder, copy)
    shutil.rmtree(copy / "network-2-0.zarr")
    (copy / "numbers.json").unlink()
    assert call("resume", copy).code == 0
    assert comparable(copy) == comparable(folder)


def test_a_run_that_nothing_was_set_for_has_no_such_line(finished):
    assert "set" not in numbers_of(finished.path)["problem"]
    assert not (finished.path / "set.json").exists()


def test_the_words_of_a_value():
    from widelimit.runs.parse import read_settings

    given = [
        "a=1",
        "b.c = 2.5",
        "d=[1, 2]",
        "e=true",
        "f=relu",
        "g='x y'",
        "h={ law = 'atom' }",
        "i=../a.csv",
        "j=nan.x",
    ]
    values = read_settings(given)
    assert list(values.values()) == [1, 2.5, [1, 2], True, "relu", "x y", {"law": "atom"}, "../a.csv", "nan.x"]
    assert list(values) == ["a", "b.c", *"defghij"]
    assert type(values["a"]) is int


def read(tmp_path, *texts, toml=TOML):
    from widelimit.runs.parse import read_problem_file, read_settings

    return read_problem_file(write_tiny(tmp_path, toml), read_settings(texts))[0]


def test_a_fixed_resolution_takes_the_place_of_doubling(tmp_path):
    doubling = TOML.replace("particles = 8", "tolerance = 0.1\nfirst_particles = 8\nmost_particles = 64")
    assert read(tmp_path, "limit.particles=16", toml=doubling).limit.particles == 16
    # Where both are set there is no telling which is meant.
    both = ("--set", "limit.particles=16", "--set", "limit.tolerance=0.1")
    assert "goes with doubling" in refused("run", write_tiny(tmp_path, doubling), *both, "--out", tmp_path / "out")
    # Other keys of [limit] leave it alone.
    assert read(tmp_path, "limit.schedule=0.5", toml=doubling).limit.first_particles == 8


def test_tables_and_single_tables(tmp_path):
    two = TOML + "\n[[networks]]\nwidths = [8]\ndynamics = 'gradient_flow'\n"
    file = read(tmp_path, "networks.2.widths=[3, 5]", "start.output={ law = 'normal', std = 2.0 }", toml=two)
    assert [table.widths for table in file.networks] == [(4,), (3, 5)]
    assert file.start["output"].std == 2.0
    file = read(tmp_path, "unit={ kind = 'radial_basis', width = 2.0 }")
    assert file.unit.kind == "radial_basis"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("time.t2=1",), "--set time.t2: [time] t2: 't2' is not known; allowed are t1, saves. Did you mean 't1'?"),
        (("tmie.t1=1",), "Did you mean 'time'?"),
        (("time.t1=true",), "--set time.t1: [time] t1: expected a number, got true."),
        (("time.t1=fast",), "--set time.t1: [time] t1: expected a number, got 'fast'."),
        (("networks.widths=0.5",), "--set networks.widths: [[networks]] 1, widths"),
        (("time.saves=5", "unit.activation=rleu"), "--set unit.activation: [unit] activation: 'rleu' is not known"),
        (("networks.3.step=0.1",), "networks.3.step: there is no table 3, only 1."),
        (("networks.1=5",), "networks.1: names a table; say which of its keys"),
        (("time=5",), "--set time: [time]: expected a table, got 5."),
        (("time",), "--set time: expected KEY=VALUE, such as time.t1=5"),
        (("=5",), "--set =5: expected KEY=VALUE"),
        (("time..t1=5",), "expected KEY=VALUE"),
        (("time.t1=[1",), "--set time.t1=[1: '[1' is no value of TOML"),
        (("time.t1=1\nunit=2",), "is no value of TOML"),
        (("time.t1=",), "is no value of TOML"),
        (("time.t1=1", "time.t1=2"), "--set time.t1: is set twice."),
    ],
)
def test_what_cannot_be_set(tmp_path, given, expected):
    options = [word for one in given for word in ("--set", one)]
    said = refused("run", write_tiny(tmp_path), *options, "--out", tmp_path / "out")
    assert expected in said
    assert not (tmp_path / "out").exists()


def test_what_is_wrong_in_the_file_is_not_blamed_on_what_is_set(tmp_path):
    path = write_tiny(tmp_path, TOML.replace("t1 = 0.5", "t1 = -0.5"))
    said = refused("run", path, "--set", "time.saves=8", "--out", tmp_path / "out")
    assert "--set" not in said
    assert "[time] t1: must be greater than 0" in said


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(tmp_path):
    path = write_tiny(tmp_path)
    arguments = ("run", path, "--out", tmp_path / "out", "--dry-run", *SET)
    result = call(*arguments)
    assert result.code == 0, result.err
    for said in ("limit, gradient flow, 2 particles", "width 2, 1 seed, SGD", "time.t1 = 0.25", "nothing was run"):
        assert said in result.out
    found = json.loads(call(*arguments, "--json").out)
    assert found["path"] == str(tmp_path / "out")
    flow, finer, network = found["items"]
    # 12 rows of 2 inputs, neurons of 4 parameters, 500 velocities; 5 steps of 4 rows and 4 saves of 12.
    assert flow["operations"] == 6 * 4 * 2 * 12 * 500 == finer["operations"] / 2
    assert network["steps"] == 5
    assert network["operations"] == 6 * 4 * 2 * (5 * 4 + 4 * 12)
    # Four saves of (4 parameters and a weight), ten numbers of each parameter beside.
    assert network["memory"] == 8 * 2 * ((4 + 1) * 4 + 10 * 4)
    assert not (tmp_path / "out").exists()


def test_a_dry_run_refuses_what_a_run_refuses(tmp_path, finished):
    path = write_tiny(tmp_path)
    most = ("--set", "networks.step=1e-12", "--dry-run", "--out", tmp_path / "out")
    assert "more than 1e+09" in refused("run", path, *most)
    assert call("run", path, *most, "--force").code == 0
    assert "holds a finished run already" in refused("run", path, "--dry-run", "--out", finished.path)
    assert call("run", path, "--dry-run", "--out", finished.path, "--overwrite").code == 0
    assert (finished.path / "numbers.json").exists()


@pytest.mark.slow
def test_a_first_file_runs_as_it_is_written(tmp_path, monkeypatch):
    """For each kind of target, with less time: no network diverges and the risk falls."""
    rows = [f"{a},{(3 * a) % 7},{(a * a) % 5},{'low' if a < 20 else 'high'}" for a in range(40)]
    (tmp_path / "own.csv").write_text("\n".join(["a,b,y,kind", *rows]) + "\n")
    monkeypatch.chdir(tmp_path)
    for target in ("y", "kind"):
        text = call("init", "own.csv", "--target", target).out
        (tmp_path / f"{target}.toml").write_text(text)
        assert tomllib.loads(text)["data"]["target"] == target
        less = ("--set", "time.t1=1", "--set", "limit.particles=16", "--set", "networks.widths=[16]")
        assert call("run", f"{target}.toml", *less, "--quiet", "--out", target).code == 0
        numbers = numbers_of(tmp_path / target)
        assert numbers["limit"]["risk"] < numbers["limit"]["risk_start"]
        assert not numbers["failed"]
