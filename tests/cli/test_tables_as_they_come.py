"""[data] keys for tables as they come, and the same for `diagnose`: what is said where they do not go, and counted."""

import json

import numpy as np
import pytest

from .conftest import TOML, call, numbers_of, refused, write_tiny

TABLE = "day,kind,a,y\n" + "".join(
    f"2020-01-{k + 1:02},{('red', 'blue')[k % 2]},{'' if k % 6 == 5 else k % 5},{((3 * k) % 11) / 5}\n"
    for k in range(16)
)


def write(folder, keys="", table=TABLE):
    path = write_tiny(folder, TOML.replace("held_out = 0.25", f"held_out = 0.25\n{keys}"))
    (folder / "tiny.csv").write_text(table)
    return path


@pytest.mark.parametrize(
    ("keys", "table", "expected"),
    [
        ("", TABLE, "[data]: "),
        ("", TABLE, "tiny.csv: 2 cells in one column cannot be used: line 7, column 'a': the cell is empty; line 13,"),
        ("", "a,y\n1,up\n2,down\n3,up\n", "'up' is not a number. Turn it into a number, or name the classes"),
        ('classes = ["u", "v"]', "a,y\n1,u\n2,v\n3,u\n4,u\n", "the class 'v' appears once"),
        ("", "a,b\n1,2\n2,3\n", "there is no column 'y'; it has a, b."),
        ('missing = "men"', TABLE, "[data] missing: 'men' is not known; allowed are refuse, drop, mean, median."),
        ('unseen = "zeros"', TABLE, "[data] unseen: 'zeros' is not known; allowed are refuse, zero."),
        ('categories = "b"', TABLE, "[data]: "),
        ('decimal = ","\nthousands = ","', TABLE, "[data] thousands: ',' is the mark before the decimals already."),
        ('sheet = "one"', TABLE, "tiny.csv: sheet: is for .xlsx."),
        ('separator = "x"', TABLE, "[data] separator: 'x' is not known"),
        ('missing = "mean"', TABLE.replace("blue,1", "green,1"), "Say unseen='zero'"),
    ],
)
def test_what_does_not_go_is_refused_with_its_place(tmp_path, keys, table, expected):
    assert expected in refused("run", write(tmp_path, keys, table), "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_facts_of_the_data(tmp_path):
    from widelimit.runs.call._build import build
    from widelimit.runs.parse import read_problem_file

    path = write(tmp_path, 'missing = "median"\nseed = 3')
    built = build(read_problem_file(path)[0], str(path))
    assert built.facts["features"] == ["day", "kind=blue", "kind=red", "a"]
    assert built.problem.data.inputs == 4
    # All columns, those of categories too, are scaled by the rows to train on.
    x = np.asarray(built.problem.data.x)
    np.testing.assert_allclose(x.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(x.std(axis=0), 1.0, rtol=1e-12)
    notes = " ".join(built.facts["notes"])
    assert "1 column of categories became 2, one a category (kind: blue, red)" in notes
    assert "1 column of dates became days since 1970-01-01 (day)" in notes
    assert "filled with the median of the column (a: " in notes


@pytest.mark.slow
def test_run_resume_and_report_say_what_was_done(tmp_path):
    folder = tmp_path / "run"
    result = call("run", write(tmp_path, 'missing = "drop"'), "--out", folder)
    assert result.code == 0, result.err
    said = numbers_of(folder)["problem"]["table"]
    assert "2 rows with a missing cell were left out (a: 2)" in said
    assert "2 rows with a missing cell were left out (a: 2)" in (folder / "report.html").read_text()
    status = json.loads((folder / "status.json").read_text())
    del status["parts"]["network-4-1"]
    (folder / "status.json").write_text(json.dumps(status | {"state": "running"}))
    assert call("resume", folder).code == 0
    assert numbers_of(folder)["problem"]["table"] == said


def test_diagnose_reads_the_same_tables(tmp_path, monkeypatch):
    """Two bad tables of the same kind are refused for the same reasons; the others' columns are the first one's."""
    monkeypatch.chdir(tmp_path)
    np.savez("model.npz", weight=np.ones((3, 2)), output=np.ones((1, 3)))
    (tmp_path / "a.csv").write_text("kind;y\nu;1,5\nv;2,5\nu;3\n")
    (tmp_path / "b.csv").write_text("kind;y\nu;1,5\nw;2,5\n")
    common = ("diagnose", "model.npz", "a.csv", "--target", "y", "--activation", "tanh")
    assert "Or say separator=';'" in refused(*common)
    assert "say decimal=','" in refused(*common, "--separator", ";")
    written = ("--separator", ";", "--decimal", ",")
    assert "the category 'w' is in no row" in refused(*common, *written, "--held-out", "b.csv")
    assert "missing: 'men' is not known" in refused(*common, *written, "--missing", "men")
    assert "the table has shape" not in refused(*common, *written, "--category", "z")


@pytest.mark.slow
def test_diagnose_of_text_columns(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    np.savez("model.npz", weight=rng.normal(size=(3, 3)), bias=np.zeros(3), output=rng.normal(size=(1, 3)))
    rows = [f"{'uv'[k % 2]},{'' if k == 3 else k % 4},{k % 7}" for k in range(20)]
    (tmp_path / "a.csv").write_text("\n".join(["kind,a,y", *rows]) + "\n")
    result = call("diagnose", "model.npz", "a.csv", "--target", "y", "--activation", "tanh", "--missing", "drop")
    assert result.code == 0, result.err
    assert "notice: a.csv: 1 row with a missing cell was left out (a: 1)" in result.err
