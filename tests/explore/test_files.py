"""The page of a problem file."""

import numpy as np
import pytest

from widelimit import GradientFlow, evolve, integrators, observables
from widelimit.explore import Frame, svg
from widelimit.explore.files import page_of_file
from widelimit.runs.call import build
from widelimit.runs.errors import BadInput
from widelimit.runs.parse import read_problem_file

TOML = """
title = "Small"

[data]
source = "table.csv"
target = "y"

[unit]
kind = "neuron"
activation = "tanh"

[time]
t1 = 1.0

[[networks]]
widths = [8]
dynamics = "sgd"
step = 0.03
batch = 4
"""
RESNET = TOML.replace('[unit]\nkind = "neuron"', '[network]\nkind = "wide_resnet"\ndepth = 2').replace(
    'target = "y"', 'target = ["y", "z"]'
)


def written(folder, toml):
    rows = [f"{k % 5},{(k * k) % 7},{((3 * k) % 11) / 5},{k % 3}" for k in range(20)]
    (folder / "table.csv").write_text("\n".join(["a,b,y,z", *rows]) + "\n")
    (folder / "small.toml").write_text(toml)
    return folder / "small.toml"


@pytest.fixture
def path(tmp_path):
    return written(tmp_path, TOML)


@pytest.mark.slow
def test_sliders_are_those_of_the_file(path):
    page = page_of_file(path)
    assert page.title == "Small"
    assert page.start["step"] == 0.03
    assert [slider.name for slider in page.sliders] == ["width", "step", "size", "batch", "temperature"]
    assert page.start["temperature"] == 0.0


@pytest.mark.slow
@pytest.mark.parametrize("toml", [TOML, RESNET])
def test_every_slider_changes_the_picture(tmp_path, toml):
    page = page_of_file(written(tmp_path, toml))
    first = page.compute(page.start, 1)
    for slider in page.sliders:
        value = next(value for value in slider.values if value != slider.start)
        other = page.compute({**page.start, slider.name: value}, 1)
        assert not np.array_equal(first["risk"], other["risk"])
        assert np.all(np.isfinite(other["risk"]))
        svg(page.draw(other), Frame(3, len(other["t"])))
        assert "nan" not in page.caption(other) + page.alt(other)


@pytest.mark.slow
def test_the_limit_is_the_gradient_flow_of_its_particles(path):
    page = page_of_file(path)
    found = page.compute(page.start, 1)
    file, _ = read_problem_file(path)
    built = build(file, str(path))
    start = built.start.quantise(found["limit"].shape[1])
    flow = GradientFlow(integrators.Tsit5(1e-8, 1e-10))
    run = evolve(built.problem, start, flow, t1=1.0, observe=(observables.Risk(),), progress=False)
    assert found["limit risk"][-1] == pytest.approx(run.risk[-1], rel=2e-3)


def test_a_file_that_is_wrong_is_refused(tmp_path):
    with pytest.raises(BadInput, match="activation"):
        page_of_file(written(tmp_path, TOML.replace('"tanh"', '"tanhh"')))
