"""`widelimit init`: what it guesses of a table, and that what it writes is a problem file that runs."""

import subprocess
import sys
import tomllib

import numpy as np
import pytest

from .conftest import call, refused


def table(folder, header, rows, name="own.csv"):
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def numbers(count=24, seed=0):
    rng = np.random.default_rng(seed)
    return [f"{a:.4f},{b:.4f},{a - b:.4f}" for a, b in rng.normal(size=(count, 2))]


def written(folder, path, *more):
    """The tables of the file that `init` writes, after reading it as `run` does and making its problem."""
    from widelimit.runs.call import build
    from widelimit.runs.parse import read_problem_file

    result = call("init", path, *more)
    assert result.code == 0, result.err
    assert result.err == ""
    (folder / "mine.toml").write_text(result.out, encoding="utf-8")
    file, _ = read_problem_file(folder / "mine.toml")
    return tomllib.loads(result.out), build(file, "mine.toml")


def test_a_number_to_learn(tmp_path):
    tables, built = written(tmp_path, table(tmp_path, "a,b,y", numbers()), "--target", "y")
    assert tables["data"]["target_scaling"] == "unit-variance"
    assert "classes" not in tables["data"]
    assert tables["loss"] == {"kind": "squared"}
    assert tables["title"] == "own: y"
    assert built.facts["features"] == ["a", "b"]
    # A fifth of 24 rows.
    assert built.facts["held_out_rows"] == 5


@pytest.mark.parametrize(
    ("labels", "classes", "shown"),
    [
        (["no", "yes"], ["no", "yes"], ("no", "yes")),
        (["10", "2"], [2, 10], ("2", "10")),
        (["true", "false"], ["False", "True"], ("False", "True")),
        (["c", "a", 'b "odd"'], ["a", 'b "odd"', "c"], ("a", 'b "odd"', "c")),
    ],
)
def test_classes_to_learn(tmp_path, labels, classes, shown):
    cells = ['"{}"'.format(labels[k % len(labels)].replace('"', '""')) for k in range(24)]
    rows = [f"{row.rpartition(',')[0]},{cell}" for row, cell in zip(numbers(), cells, strict=True)]
    tables, built = written(tmp_path, table(tmp_path, "a,b,kind", rows), "--target", "kind")
    assert tables["data"]["classes"] == classes
    assert built.facts["classes"] == list(shown)
    assert tables["loss"] == {"kind": "logistic"}
    assert tables["penalty"]["l2"] > 0
    assert "target_scaling" not in tables["data"]


def test_whole_numbers_that_come_seldom_are_amounts(tmp_path):
    rows = [f"{row.rpartition(',')[0]},{k % 7}" for k, row in enumerate(numbers())]
    tables, _ = written(tmp_path, table(tmp_path, "a,b,y", rows), "--target", "y")
    assert "classes" not in tables["data"]


def test_columns_that_are_no_inputs_are_left_out_with_the_reason(tmp_path):
    rows = [f"{row},p{k},{'' if k == 3 else k},{'nan' if k == 5 else k}" for k, row in enumerate(numbers())]
    path = table(tmp_path, 'a,"b ""2""",y,name,gap,bad', rows)
    tables, built = written(tmp_path, path, "--target", "y")
    assert tables["data"]["features"] == ["a", 'b "2"'] == built.facts["features"]
    out = call("init", path, "--target", "y").out
    for said in ("name is left out: text, such as 'p0'", "gap is left out: one cell is empty", "bad is left out: 1 c"):
        assert f"# {said}" in out


def test_text_and_dates_are_inputs(tmp_path):
    rows = [f"2024-03-{k + 1:02},{'uv'[k % 2]},{row.rpartition(',')[2]}" for k, row in enumerate(numbers())]
    tables, built = written(tmp_path, table(tmp_path, "day,kind,y", rows), "--target", "y")
    assert "features" not in tables["data"]
    assert built.facts["features"] == ["day", "kind=u", "kind=v"]
    packed = table(tmp_path, "day\tkind\ty", [row.replace(",", "\t") for row in rows], "own.tsv")
    assert written(tmp_path, packed, "--target", "y")[1].facts["features"] == ["day", "kind=u", "kind=v"]


def test_the_step_is_an_eighth_of_what_diverges_or_less(tmp_path):
    """M(x, x) of the start over the rows: the curvature that one row alone sees."""
    import jax

    from widelimit.dynamics import stable_step

    tables, built = written(tmp_path, table(tmp_path, "a,b,y", numbers()), "--target", "y")
    (network,) = tables["networks"]
    most = stable_step(built.problem, built.sample(64, jax.random.key(0)), 1.0)
    assert most / 2.5 <= network["step"] <= most or network["step"] == 0.05 < most


@pytest.mark.parametrize(
    ("value", "below"), [(0.05, 0.05), (0.0499, 0.02), (0.019, 0.01), (0.3, 0.2), (1.0, 1.0), (7e-4, 5e-4)]
)
def test_steps_are_rounded_down(value, below):
    from widelimit.runs.draft._write import round_below

    assert round_below(value) == below


def test_few_rows_are_all_trained_on(tmp_path):
    tables, built = written(tmp_path, table(tmp_path, "a,b,y", numbers(8)), "--target", "y")
    assert "held_out" not in tables["data"]
    assert (built.facts["rows"], tables["networks"][0]["batch"]) == (8, 2)


def test_many_rows_have_a_coarser_limit(tmp_path):
    from widelimit.runs.draft import Guess
    from widelimit.runs.draft._write import _limit

    def most(rows):
        guess = Guess("a.csv", rows, ("y",), (), False, (0.0, 1.0), ("a",) * 10, {})
        return tomllib.loads(_limit(guess))["limit"]["most_particles"]

    sizes = [most(rows) for rows in (100, 3000, 5000, 10**6)]
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], sizes[-1]) == (2048, 1024)


def test_the_target_is_asked_for_on_a_terminal(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from widelimit.cli import _init, app

    path = table(tmp_path, "a,b,y", numbers())
    monkeypatch.setattr(_init, "_is_terminal", lambda: True)
    result = CliRunner().invoke(app, ["init", str(path)], input="y\n")
    assert result.exit_code == 0
    assert "The columns are a, b, y.\nWhich one is to be learned?" in result.stderr
    # What is typed is seen on the terminal.
    text = result.stdout[result.stdout.index("#") :]
    assert tomllib.loads(text)["data"]["target"] == "y"


@pytest.mark.parametrize(
    ("header", "rows", "more", "expected"),
    [
        ("a,b,y", ["x,u,v", "y,v,w"], ["--target", "y"], "the class 'v' appears once"),
        (
            "a,b,y",
            ["1,,3", "x,,u"],
            ["--target", "y"],
            "no column can be an input ('a': text, such as 'x'; 'b': 2 cells",
        ),
        ("a,b,price", ["1,2,3", "2,3,5"], ["--target", "prize"], "no column 'prize'; it has a, b, price. Did you mean"),
        ("a,b,y", ["1,2,3", "2,3,5"], [], "--target must say which column to learn; it has a, b, y."),
        ("a,b,y", ["1,2,3", "2,3,"], ["--target", "y"], "line 3, column 'y': the cell is empty"),
        ("a,b,y", ["1,2,3", "2,3,3"], ["--target", "y"], "the target 'y' is 3 in all rows: nothing to learn"),
        ("a,b,y", ["1,2,u", "2,3,u"], ["--target", "y"], "the target 'y' is 'u' in all rows: neither"),
        ("y,b", ["1,u", "2,3"], ["--target", "y"], "no column beside the target can be an input"),
        ("y", ["1", "2"], ["--target", "y"], "no feature column beside the target y"),
        ("a,y", ["5,1", "5,2", "5,3"], ["--target", "y"], "every feature column is the same in all 3 rows"),
    ],
)
def test_tables_that_nothing_can_be_learned_from(tmp_path, header, rows, more, expected):
    assert expected in refused("init", table(tmp_path, header, rows), *more)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "give a table, FILE, or a problem that is ready, --like NAME; ready for --like are breast_cancer"),
        (("a.csv", "--like", "digits"), "one of the two goes"),
        (("--like", "digit"), "--like: 'digit' is not known; allowed are breast_cancer"),
        (("--like", "digits", "--target", "y"), "--target: an example has its own"),
        (("no.csv", "--target", "y"), "no.csv: there is no such file"),
        (("no.xls", "--target", "y"), "expected 'sklearn:NAME' or a file that ends in .csv, .tsv, .csv.gz,"),
        (("sklearn:irsi",), "Did you mean 'iris'?"),
    ],
)
def test_what_cannot_be_begun_with(arguments, expected):
    assert expected in refused("init", *arguments)


def test_names_of_many_texts_are_no_classes(tmp_path):
    rows = [f"{k},n{k}" for k in range(40)]
    said = refused("init", table(tmp_path, "a,y", rows), "--target", "y")
    assert "the target 'y' is text, 40 different ones: neither a number nor a few classes" in said


@pytest.mark.parametrize("name", ["digits", "diabetes", "iris", "linnerud"])
def test_a_problem_that_is_ready(name, tmp_path, monkeypatch):
    """It runs from a folder where nothing else is."""
    from widelimit.runs.call import build
    from widelimit.runs.parse import read_problem_file

    monkeypatch.chdir(tmp_path)
    result = call("init", "--like", name)
    assert result.code == 0, result.err
    (tmp_path / "mine.toml").write_text(result.out, encoding="utf-8")
    file, _ = read_problem_file(tmp_path / "mine.toml")
    assert build(file, "mine.toml").facts["rows"] >= 16


def test_every_example_is_ready():
    import pathlib

    from widelimit.runs.draft import copy_of, ready

    examples = {path.stem for path in (pathlib.Path(__file__).parents[2] / "examples").glob("*.toml")}
    assert examples <= set(ready())
    for name in examples:
        text = copy_of(name)
        assert text is not None
        assert "title" in tomllib.loads(text)


def test_an_array_file(tmp_path):
    rng = np.random.default_rng(1)
    np.savez(tmp_path / "own.npz", x=rng.normal(size=(24, 3)), y=rng.normal(size=24))
    tables, built = written(tmp_path, tmp_path / "own.npz")
    assert tables["data"]["target"] == "y"
    assert len(built.facts["features"]) == 3


@pytest.mark.slow
def test_what_is_written_elsewhere_finds_its_table(tmp_path):
    """Standard output is a file in another folder than the working directory."""
    table(tmp_path, "a,b,y", numbers())
    (tmp_path / "inside").mkdir()
    command = [sys.executable, "-c", "from widelimit.cli import main; main()", "init", "own.csv", "--target", "y"]
    with open(tmp_path / "inside" / "mine.toml", "w") as out:
        done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "inside" / "mine.toml").read_text()
    assert tomllib.loads(text)["data"]["source"] == "../own.csv"
