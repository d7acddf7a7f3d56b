"""Bad input through the command: one sentence with the place, exit code 2, nothing written is lost."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from .conftest import TOML, call, comparable, refused, write_tiny


def out_of(tmp_path):
    return tmp_path / "out"


def refused_run(tmp_path, toml=TOML, table=None):
    """What `run` says about a problem file and the table beside it; it must not have written anything."""
    path = write_tiny(tmp_path, toml)
    if table is not None:
        (tmp_path / "tiny.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
    said = refused("run", path, "--out", out_of(tmp_path))
    assert not out_of(tmp_path).exists()
    return said


GOOD_ROWS = "a,b,y\n1,2,3\n2,3,4\n3,5,1\n5,4,2\n"


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("", "tiny.csv: the file is empty"),
        ("a,b,y\n", "tiny.csv: a header but no rows"),
        (GOOD_ROWS + "7,8\n", "tiny.csv, line 6: 2 cells; the header names 3 columns"),
        (GOOD_ROWS + "7,red,1\n", "tiny.csv, line 6, column 'b': 'red' is not a number"),
        (GOOD_ROWS + "7,nan,1\n", "tiny.csv, line 6, column 'b': nan is not a finite number"),
        (GOOD_ROWS + "7,inf,1\n", "tiny.csv, line 6, column 'b': inf is not a finite number"),
        (GOOD_ROWS + "7,,1\n", "tiny.csv, line 6, column 'b': the cell is empty"),
        ("a,b,y\n1,2,3\n2,3,3\n3,5,3\n", "the target column 'y' is 3 in all 3 rows"),
        ("a,b,z\n1,2,3\n2,3,4\n", "there is no column 'y'"),
        (b"a,b,y\n1,\xff,3\n", "tiny.csv, line 2: not UTF-8 text"),
    ],
)
def test_bad_tables(tmp_path, table, expected):
    said = refused_run(tmp_path, table=table)
    assert said.startswith(f"widelimit: {tmp_path / 'problem.toml'}: [data]: ")
    assert expected in said


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"tiny.csv"', '"tyni.csv"', "there is no such file"),
        ('"tiny.csv"', '"https://example.org/a.csv"', "[data] source: 'https://example.org/a.csv' is a URL"),
        ('"tiny.csv"', '"s3://bucket/a.csv"', "[data] source: 's3://bucket/a.csv' is a URL"),
        ('"tiny.csv"', '"a\\u0000.csv"', "[data] source: 'a\\x00.csv': a path has no character NUL"),
        ('"tiny.csv"', f'"{300 * "a"}.csv"', "...: File name too long"),
        ('"tiny.csv"', '"~nobody-of-this-name/a.csv"', "[data] source: '~nobody-of-this-name/a.csv': "),
        ("[[networks]]", "[networks]", "[networks]: goes in double brackets, [[networks]]"),
        ("[limit]", "[[limit]]", "[[limit]]: goes in single brackets, [limit]"),
        ("batch = 4", "batch = 400", "[[networks]] 1, batch: must be at most the 12 rows to train on, got 400"),
        ('"tiny.csv"', '"sklearn:digit"', "Did you mean 'digits'?"),
        ('target = "y"', 'target = "yy"', "[data]: "),
        ('"tanh"', '"tahn"', "[unit] activation: 'tahn' is not known"),
        ('kind = "neuron"\nactivation = "tanh"', 'kind = "free_knot"', "[unit]: FreeKnot takes one input"),
        (
            "[time]",
            '[loss]\nkind = "logistic"\n[time]',
            "[loss] kind: losses.logistic: the targets must be labels -1 or +1",
        ),
        ("[time]", '[start]\nbias = { law = "sphere" }\n[time]', "[start] bias: a sphere needs a vector"),
        (
            "[time]",
            '[start]\nbias = {law = "uniform", lower = 1, upper = 1}\n[time]',
            "[start] bias: Uniform",
        ),
        ("[time]", '[domain]\nbias = { kind = "sphere" }\n[time]', "[domain]: domain of 'bias'"),
        (
            "[time]",
            '[domain]\nbias = {kind = "box", lower = 1, upper = 0}\n[time]',
            "lower must be below upper",
        ),
        ("widths = [4]", "widths = [0]", "[[networks]] 1, widths[0]: must be at least 1, got 0"),
        ("step = 0.05", "step = -0.05", "[[networks]] 1, step: must be greater than 0"),
        ("t1 = 0.5", "t1 = 0.0", "[time] t1: must be greater than 0"),
        ("held_out = 0.25", "held_out = 0.001", "leaves one part empty"),
        ("t1 = 0.5", "t1 = ", "problem.toml: line 14: not readable as TOML"),
    ],
)
def test_bad_problems(tmp_path, old, new, expected):
    assert old in TOML
    assert expected in refused_run(tmp_path, toml=TOML.replace(old, new))


def test_names_that_look_the_same(tmp_path):
    toml = TOML.replace('target = "y"', 'target = "gu\u0308te"')
    said = refused_run(tmp_path, toml, "a,b,g\u00fcte\n1,2,3\n2,3,4\n3,5,1\n5,4,2\n")
    assert r"'g\xfcte' reads the same and is spelled with other characters; 'gu\u0308te' was given." in said


def test_a_source_beside_what_a_link_points_to(tmp_path):
    """Not beside the link: the system follows it before it goes up."""
    (tmp_path / "real" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real" / "inner")
    (tmp_path / "real" / "tiny.csv").write_text("a,b,y\n1,2,real\n")
    path = write_tiny(tmp_path, TOML.replace('"tiny.csv"', '"link/../tiny.csv"'))
    assert "'real' is not a number" in refused("run", path, "--out", out_of(tmp_path))


@pytest.mark.slow
def test_home_in_every_path(tmp_path, monkeypatch, finished):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_tiny(tmp_path, TOML.replace('"tiny.csv"', '"~/tiny.csv"').replace("widths = [4]", "widths = [0]"))
    assert f"{tmp_path}/problem.toml: [[networks]] 1, widths[0]" in refused("run", "~/problem.toml")
    (tmp_path / "tiny.csv").write_text("a,b,y\n1,2,three\n")
    path = tmp_path / "problem.toml"
    path.write_text(TOML.replace('"tiny.csv"', '"~/tiny.csv"'))
    assert f"{tmp_path}/tiny.csv, line 2" in refused("run", "~/problem.toml", "--out", "~/out")
    shutil.copytree(finished.path, tmp_path / "run")
    assert call("show", "~/run").out == finished.out.replace(str(finished.path), str(tmp_path / "run"))
    assert f"--plugin {tmp_path}/no.py: cannot be read" in refused("run", path, "--plugin", "~/no.py")


@pytest.mark.parametrize("out", ["", " ", "s3://bucket/run", 300 * "a"])
def test_outputs_that_are_no_folders(tmp_path, monkeypatch, out):
    monkeypatch.chdir(tmp_path)
    path = write_tiny(tmp_path)
    before = set(tmp_path.iterdir())
    assert refused("run", path, "--out", out).startswith("widelimit: --out: ")
    assert set(tmp_path.iterdir()) == before


def test_links_to_nothing(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    path = write_tiny(tmp_path, TOML.replace('"tiny.csv"', f'"{tmp_path}/link"'))
    assert "[data] source: " in refused("run", path, "--out", tmp_path / "out")
    assert "--out: " in refused("run", path, "--out", tmp_path / "link")
    assert "which is not there" in refused("show", tmp_path / "link")


def test_a_byte_order_mark(tmp_path):
    path = write_tiny(tmp_path, TOML.replace("tanh", "tahn"))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert "[unit] activation: 'tahn' is not known" in refused("run", path)


def shown(folder, redirect, **environment):
    code = "from widelimit.cli import main; main()"
    command = f"{sys.executable} -c '{code}' show {folder} {redirect}"
    given = {"capture_output": True, "env": {**os.environ, **environment}}
    return subprocess.run(["sh", "-c", command], **given)


def test_standard_output_that_cannot_be_written(run_copy):
    full = shown(run_copy, "> /dev/full")
    assert full.returncode == 1
    assert full.stderr.decode().splitlines() == [
        "widelimit: standard output cannot be written (No space left on device)."
    ]
    closed = shown(run_copy, ">&-")
    assert (closed.returncode, closed.stderr) == (0, b"")
    plain = shown(run_copy, "", PYTHONIOENCODING="ascii")
    assert (plain.returncode, plain.stderr) == (0, b"")
    assert b"limit, 8 particles" in plain.stdout


def test_a_problem_file_that_is_not_there(tmp_path):
    assert "there is no such file" in refused("run", tmp_path / "no.toml")
    assert "cannot be read" in refused("run", tmp_path)


def test_an_output_that_cannot_be_written(tmp_path):
    path = write_tiny(tmp_path)
    said = refused("run", path, "--out", tmp_path / "tiny.csv" / "run")
    assert said == f"widelimit: --out {tmp_path / 'tiny.csv' / 'run'}: cannot be written (Not a directory)."


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_folder_without_permission(tmp_path):
    path = write_tiny(tmp_path)
    out_of(tmp_path).mkdir(mode=0o500)
    assert "cannot be written (Permission denied)" in refused("run", path, "--out", out_of(tmp_path))


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    path = write_tiny(tmp_path)
    said = refused("run", path, "--out", tmp_path, "--overwrite")
    assert "holds 'problem.toml' and is not the folder of a run" in said
    assert path.exists()


@pytest.mark.parametrize("name", ["numbers.json", "status.json", "problem.json", "limit-2.zarr"])
def test_names_that_are_anybodys_make_no_run(tmp_path, name):
    out_of(tmp_path).mkdir()
    (out_of(tmp_path) / name).write_text('{"state": "mine"}')
    said = refused("run", write_tiny(tmp_path), "--out", out_of(tmp_path), "--overwrite")
    assert f"holds {name!r} and is not the folder of a run" in said
    assert (out_of(tmp_path) / name).read_text() == '{"state": "mine"}'


def test_overwriting_removes_what_is_a_runs_alone(run_copy):
    from widelimit.runs.folder import create, vacant

    mine = ("notes.txt", "limit-8.zarr.backup", "limit-final.zarr", "data.json.old")
    for name in mine:
        (run_copy / name).write_text("mine")
    vacant(run_copy, overwrite=True)
    create(run_copy, {"problem.toml": b""}, overwrite=True)
    assert {entry.name for entry in run_copy.iterdir()} == {*mine, ".lock", "problem.toml", "status.json"}


def test_bad_input_that_is_found_late_leaves_no_folder(tmp_path, monkeypatch):
    from widelimit.runs.call import _part

    def fails(*_, **__):
        raise ValueError("evolve: the risk is not finite at the start.")

    monkeypatch.setattr(_part, "evolve", fails)
    path = write_tiny(tmp_path)
    result = call("run", path, "--out", out_of(tmp_path))
    assert (result.code, result.out) == (2, "")
    assert result.err.splitlines()[-1].startswith(
        f"widelimit: {path}: [limit]: limit, gradient flow, 4 particles: evolve:"
    )
    assert not out_of(tmp_path).exists()


def test_a_run_killed_as_it_began(tmp_path, monkeypatch):
    from widelimit.runs.folder import RunFolder, create

    out_of(tmp_path).mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "mark", lambda self, state: self.set(state="begun"))
        create(out_of(tmp_path), {"problem.json": {}}, overwrite=False)
    path = write_tiny(tmp_path)
    assert "is half-written" in refused("resume", out_of(tmp_path))
    assert "holds a half-written run already; --overwrite replaces it" in refused(
        "run", path, "--out", out_of(tmp_path)
    )


def test_a_finished_run_is_not_replaced_by_mistake(run_copy, tmp_path):
    path = write_tiny(tmp_path)
    before = (run_copy / "numbers.json").read_bytes()
    assert "holds a finished run already; --overwrite replaces it" in refused("run", path, "--out", run_copy)
    path.write_text(TOML.replace("tanh", "tahn"))
    refused("run", path, "--out", run_copy, "--overwrite")
    assert (run_copy / "numbers.json").read_bytes() == before


def mark(folder, **changes):
    status = json.loads((folder / "status.json").read_text())
    (folder / "status.json").write_text(json.dumps(status | changes))


def test_an_unfinished_run_is_to_be_resumed(run_copy, tmp_path):
    from widelimit.runs.folder import locked

    mark(run_copy, state="running")
    path = write_tiny(tmp_path)
    said = refused("run", path, "--out", run_copy)
    assert f"`widelimit resume {run_copy}`" in said
    assert "is unfinished; `widelimit resume" in refused("report", run_copy)
    with locked(run_copy):
        for arguments in (
            ("run", path, "--out", run_copy),
            ("run", path, "--out", run_copy, "--overwrite"),
            ("report", run_copy),
        ):
            assert "another widelimit process is working in this folder" in refused(*arguments)
        assert "another widelimit process is working in this folder" in call("show", run_copy).out


@pytest.mark.parametrize("command", ["resume", "show", "report"])
def test_folders_that_are_no_runs(tmp_path, command):
    assert "there is no such folder" in refused(command, tmp_path / "no")
    assert "is not the folder of a run" in refused(command, tmp_path)
    (tmp_path / "problem.json").write_text("{")
    assert "is not the folder of a run" in refused(command, tmp_path)


@pytest.mark.parametrize("command", ["show", "report"])
@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"parts": 3}',
        '{"format": 1, "state": "finished", "message": "", "parts": {"a": {}}}',
    ],
)
def test_a_damaged_status(run_copy, command, content):
    (run_copy / "status.json").write_text(content)
    said = refused(command, run_copy)
    assert f"{run_copy / 'status.json'}: is damaged. `widelimit resume {run_copy}` goes on with the parts" in said


@pytest.mark.parametrize("command", ["show", "report"])
@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": 2, "limit": 3}'])
def test_damaged_numbers(run_copy, command, content):
    (run_copy / "numbers.json").write_text(content)
    assert "is damaged" in refused(command, run_copy)
    (run_copy / "numbers.json").unlink()
    assert "is missing; the folder is damaged" in refused(command, run_copy)


def test_a_damaged_part_is_computed_again(run_copy, finished):
    chunks = [path for path in (run_copy / "limit-8.zarr" / "positions").rglob("*") if path.is_file()]
    next(path for path in chunks if path.name != "zarr.json").unlink()
    said = refused("report", run_copy)
    assert "limit-8.zarr is damaged" in said
    assert f"`widelimit resume {run_copy}` computes it again" in said
    # The status as well, as a full disk may leave it.
    (run_copy / "status.json").write_text("{")
    (run_copy / "data.json").unlink()
    result = call("resume", run_copy)
    assert result.code == 0, result.err
    assert (run_copy / "data.json").read_bytes() == (finished.path / "data.json").read_bytes()
    assert "notice: " in result.err
    assert "limit, gradient flow, 8 particles ..." in result.err
    assert "limit, gradient flow, 4 particles ..." not in result.err
    assert comparable(run_copy) == comparable(finished.path)


def test_a_damaged_checkpoint_costs_its_part_alone(tmp_path, finished):
    """As a kill leaves it in the second run of the limit, and a bad disk after that."""
    out = pathlib.Path(shutil.copytree(finished.path, tmp_path / "run"))
    for name in ("limit-8.zarr", "network-4-0.zarr", "network-4-1.zarr"):
        shutil.rmtree(out / name)
    known = json.loads((out / "status.json").read_text())["parts"]["limit-4"]
    mark(out, state="stopped", parts={"limit-4": known})
    (out / "checkpoints" / "limit-8").mkdir(parents=True)
    (out / "checkpoints" / "limit-8" / "manifest.json").write_text("{")
    result = call("resume", out)
    assert result.code == 0, result.err
    assert "limit-8 is damaged" in result.err
    assert "this part starts anew" in result.err
    assert comparable(out) == comparable(finished.path)


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (("time", "t1"), 0.6, "time.t1 was 0.5 and is 0.6"),
        (("networks", 0, "step"), 0.1, "networks 1.step was 0.05 and is 0.1"),
        (("limit", "tolerance"), 0.1, "limit.tolerance was None and is 0.1"),
        (("networks", 0, "widths"), [4, 8], "networks 1.widths had 1 and has 2"),
    ],
)
@pytest.mark.parametrize("state", ["running", "finished"])
def test_an_edited_problem(run_copy, keys, value, said, state):
    mark(run_copy, state=state)
    problem = json.loads((run_copy / "problem.json").read_text())
    inner = problem
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    (run_copy / "problem.json").write_text(json.dumps(problem))
    assert f"problem.json: was edited since the run began ({said})" in refused("resume", run_copy)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_a_damaged_problem(run_copy, content):
    mark(run_copy, state="running")
    (run_copy / "problem.json").write_text(content)
    assert str(run_copy / "problem.json") in refused("resume", run_copy)


def test_data_that_changed(finished, run_copy):
    mark(run_copy, state="running")
    table = finished.path.parent / "tiny.csv"
    before = table.read_text()
    try:
        table.write_text(before.replace("\n0,0,", "\n9,0,", 1))
        assert "has changed since the run began (other numbers)" in refused("resume", run_copy)
        table.write_text(before + "9,9,9\n")
        assert "has changed since the run began (rows was 12 and is 13)" in refused("resume", run_copy)
    finally:
        table.write_text(before)


def test_two_processes_in_one_folder(run_copy):
    from widelimit.runs.folder import locked

    mark(run_copy, state="running")
    with locked(run_copy):
        assert "another widelimit process is working" in refused("resume", run_copy)
