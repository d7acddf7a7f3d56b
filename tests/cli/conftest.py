"""A tiny problem file and one finished run of it. Nothing here may import widelimit at the top."""

import json
import pathlib
import shutil
from types import SimpleNamespace

import pytest

TOML = """
title = "Tiny"

[data]
source = "tiny.csv"
target = "y"
held_out = 0.25

[unit]
kind = "neuron"
activation = "tanh"

[time]
t1 = 0.5
saves = 4

[predict]
order = 0

[limit]
particles = 8

[[networks]]
widths = [4]
seeds = 2
dynamics = "sgd"
step = 0.05
batch = 4
"""


def write_tiny(folder: pathlib.Path, toml: str = TOML) -> pathlib.Path:
    """problem.toml and its data; the path of the former."""
    rows = [f"{k % 5},{(k * k) % 7},{((3 * k) % 11) / 5}" for k in range(16)]
    (folder / "tiny.csv").write_text("\n".join(["a,b,y", *rows]) + "\n")
    path = folder / "problem.toml"
    path.write_text(toml)
    return path


def call(*arguments: object) -> SimpleNamespace:
    """`widelimit ...` in this process: its exit code and its two streams."""
    from typer.testing import CliRunner

    from widelimit.cli import app

    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return SimpleNamespace(code=result.exit_code, out=result.stdout, err=result.stderr)


def refused(*arguments: object) -> str:
    """The one sentence with which `widelimit ...` refuses bad input."""
    result = call(*arguments)
    assert result.code == 2, (result.code, result.err)
    assert result.out == ""
    assert "Traceback" not in result.err
    lines = result.err.splitlines()
    assert len(lines) == 1
    return lines[0]


def numbers_of(folder):
    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    return json.loads((folder / "numbers.json").read_text(), parse_constant=refuse)


def comparable(folder):
    """The numbers without the seconds; the hashes of all parts."""
    numbers = numbers_of(folder)
    del numbers["seconds"]
    status = json.loads((folder / "status.json").read_text())
    return numbers, {name: part["sha256"] for name, part in status["parts"].items()}


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The folder of a finished run, and what the command printed; not to be written to."""
    place = tmp_path_factory.mktemp("finished")
    result = call("run", write_tiny(place), "--out", place / "run")
    assert result.code == 0, result.err
    return SimpleNamespace(path=place / "run", **vars(result))


@pytest.fixture
def run_copy(finished, tmp_path):
    """A copy of the finished run that a test may break."""
    return pathlib.Path(shutil.copytree(finished.path, tmp_path / "run"))
