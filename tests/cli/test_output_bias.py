"""[network] output_bias and scale beside [unit], from the keys to the report."""

import json

import numpy as np
import pytest

from .conftest import TOML, call, comparable, numbers_of, refused, write_tiny

BOTH = TOML.replace(
    "[time]",
    """[network]
output_bias = true
scale = 2.0

[start]
offset = { law = "atom", value = 0.3 }

[mobility]
offset = 0.5

[time]""",
)


def built(folder, toml):
    from widelimit.runs.call._build import build
    from widelimit.runs.parse import read_problem_file

    path = write_tiny(folder, toml)
    return build(read_problem_file(path)[0], str(path))


def test_the_keys_are_the_librarys_parts(tmp_path):
    made = built(tmp_path, BOTH)
    assert [block.name for block in made.problem.blocks] == ["output", "weight", "bias", "offset"]
    assert float(made.problem.scale.factor(7)) == pytest.approx(2.0, rel=1e-15)
    assert made.problem.mobility.scales(made.problem.unpack(made.start.quantise(4))[0]).offset == 0.5
    np.testing.assert_allclose(made.start.quantise(4)["offset"], 0.3)
    # Left out, it starts at zero; and a table that says nothing changes nothing.
    made = built(tmp_path, TOML.replace("[time]", "[network]\noutput_bias = true\n[time]"))
    np.testing.assert_allclose(made.start.quantise(4)["offset"], 0.0)
    made = built(tmp_path, TOML.replace("[time]", "[network]\nkind = 'two_layer'\n[time]"))
    assert [block.name for block in made.problem.blocks] == ["output", "weight", "bias"]
    assert made.problem.scale.factor(7) == 1.0


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("scale = 2.0", "scale = 0.0", "[network] scale: must be greater than 0, got 0."),
        ("output_bias = true", "output_bias = 1", "[network] output_bias: expected true or false, got 1."),
        ("output_bias = true", "output_bais = true", "[network] output_bais: 'output_bais' is not known"),
        ("output_bias = true", "", "[start] offset: the unit has no such block"),
        ("[time]", "[scale]\nkind = 'mean_field'\n[time]", "[scale]: does not go with [network] scale"),
        ('[unit]\nkind = "neuron"\nactivation = "tanh"\n', "", "[unit]: is missing; or a [network] of a kind that is"),
    ],
)
def test_what_does_not_go_is_refused_with_its_place(tmp_path, old, new, expected):
    assert old in BOTH
    assert expected in refused("run", write_tiny(tmp_path, BOTH.replace(old, new)), "--out", tmp_path / "run")


@pytest.mark.slow
def test_run_resume_and_report(tmp_path):
    import widelimit as wl

    path, folder = write_tiny(tmp_path, BOTH), tmp_path / "run"
    result = call("run", path, "--out", folder)
    assert result.code == 0, result.err
    numbers = numbers_of(folder)
    assert numbers["problem"]["network"] == "two layer, output bias, scale 2"
    assert numbers["problem"]["unit"] == "neuron, activation tanh, bias, output weight"
    made = built(tmp_path, BOTH)
    run = wl.evolve(made.problem, made.start.quantise(8), wl.GradientFlow(), t1=0.5)
    assert numbers["limit"]["risk"] == pytest.approx(float(run.risk[-1]), rel=1e-9)
    assert abs(float(np.mean(run.final["offset"])) - 0.3) > 1e-3
    assert "output bias" in (folder / "report.html").read_text()
    before = comparable(folder)
    status = json.loads((folder / "status.json").read_text())
    del status["parts"]["network-4-1"]
    (folder / "status.json").write_text(json.dumps(status | {"state": "running"}))
    assert call("resume", folder).code == 0
    assert comparable(folder) == before
    assert call("report", folder).code == 0
