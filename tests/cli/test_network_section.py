"""[network] in place of [unit]: a wide residual network in a problem file, from its keys to its report."""

import json
import pathlib
import shutil

import numpy as np
import pytest

from .conftest import call, comparable, numbers_of, refused

TOML = """
title = "Deep"

[data]
source = "deep.csv"
target = ["u", "v"]
scaling = "none"

[network]
kind = "wide_resnet"
depth = 3
activation = "tanh"

[start]
theta = { law = "uniform", lower = -0.5, upper = 0.5 }

[domain]
theta = { kind = "ball", radius = 1.2 }

[time]
t1 = 1.0
saves = 3

[limit]
particles = 8

[[networks]]
widths = [2]
dynamics = "sgd"
step = 0.1
batch = 4
"""


def write(folder: pathlib.Path, toml: str = TOML) -> pathlib.Path:
    x = np.random.default_rng(0).normal(size=(12, 2))
    y = x + np.tanh(x[:, ::-1])
    rows = [",".join(f"{value:.6f}" for value in (*a, *b)) for a, b in zip(x, y, strict=True)]
    (folder / "deep.csv").write_text("\n".join(["a,b,u,v", *rows]) + "\n")
    path = folder / "problem.toml"
    path.write_text(toml)
    return path


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("depth = 3", "depth = 0", "[network] depth: must be at least 1, got 0."),
        ("depth = 3", "", "[network] depth: is missing."),
        ("depth = 3", "depht = 3", "[network] depht: 'depht' is not known"),
        ("wide_resnet", "wide_rsnet", "[network] kind: 'wide_rsnet' is not known; allowed are two_layer, wide_resnet."),
        ('"tanh"', '"tanhh"', "[network] activation: 'tanhh' is not known"),
        (
            "[start]",
            "[unit]\nkind = 'free_knot'\n[start]",
            "[unit]: does not go with [network] wide_resnet: it is one or the other.",
        ),
        (
            "[start]",
            "[scale]\nkind = 'mean_field'\n[start]",
            "[scale]: does not go with [network] wide_resnet: each of its levels",
        ),
        (
            '[network]\nkind = "wide_resnet"\ndepth = 3\nactivation = "tanh"',
            "",
            "[unit]: is missing; or a [network] of a kind",
        ),
        ('["u", "v"]', '"u"', "[network]: WideResNet: inputs and outputs are of one size; the inputs are in R^3"),
        ("theta = { law", "depth = { law = 'normal' }\ntheta = { law", "[start] depth: the network has no such block"),
        ("theta = { kind", "weight = { kind", "[domain] weight: the network has no such block"),
        (
            "[time]",
            "[mobility]\nkind = 'diagonal'\nblocks = { depth = 2.0 }\n[time]",
            "[mobility]: Diagonal(depth=...)",
        ),
        ("[time]", "[penalty]\nl2 = 0.1\n[time]", "'depth' says on which level a particle stands"),
        ("[time]", "[penalty]\ntotal_variation = 0.1\n[time]", "[penalty]: needs 'block'"),
        ("batch = 4", "batch = 4\ntrainable = ['depth']", "[[networks]] 1, trainable: the network has no such block"),
        ("particles = 8", 'dynamics = "transport_pde"', "[limit] dynamics: "),
        ("particles = 8", 'dynamics = "quantiles"', "[limit] dynamics: "),
    ],
)
def test_what_does_not_go_is_refused_with_its_place(tmp_path, old, new, expected):
    assert old in TOML
    assert expected in refused("run", write(tmp_path, TOML.replace(old, new)), "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_one_number_in_and_out(tmp_path):
    """Targets of one column are vectors of one entry for a network of levels."""
    from widelimit.runs.call._build import build
    from widelimit.runs.parse import read_problem_file

    toml = TOML.replace('["u", "v"]', '"u"\nfeatures = "a"\nheld_out = 0.25')
    path = write(tmp_path, toml)
    built = build(read_problem_file(path)[0], str(path))
    assert built.problem.data.outputs == (1,)
    assert dict(built.problem.blocks) == {"theta": (1, 1), "depth": ()}
    assert built.start.blocks[0].name == "theta"
    assert len(built.watched) == 5


def test_notices_of_the_problem_are_shown(tmp_path, monkeypatch):
    from widelimit.problem import Problem
    from widelimit.runs.call._build import build
    from widelimit.runs.parse import read_problem_file

    monkeypatch.setattr(Problem, "notice", property(lambda problem: "the loss cannot vanish"))
    path = write(tmp_path)
    assert build(read_problem_file(path)[0], str(path)).notices[-1] == "the loss cannot vanish"


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    place = tmp_path_factory.mktemp("deep")
    result = call("run", write(place), "--out", place / "run")
    assert result.code == 0, result.err
    return place / "run", result


@pytest.mark.slow
def test_a_run_and_its_report(deep):
    """The numbers are those of the library; what is for two-layer means is left out, with the reason."""
    import widelimit as wl

    folder, result = deep
    numbers = numbers_of(folder)
    assert "limit, 8 particles a level" in result.out
    assert numbers["problem"]["network"] == "wide resnet, depth 3, activation tanh"
    table = np.genfromtxt(folder.parent / "deep.csv", delimiter=",", skip_header=1)
    problem = wl.problems.wide_resnet(
        wl.data.Samples(table[:, :2], table[:, 2:]),
        depth=3,
        activation=wl.activations.tanh,
        domain=wl.domains.product(theta=wl.domains.Ball(1.2)),
    )
    start = problem.start(wl.laws.Uniform(-0.5, 0.5, dim=4).quantise(8), 8)
    run = wl.evolve(problem, start, wl.GradientFlow(), t1=1.0)
    assert numbers["limit"]["risk"] == pytest.approx(float(run.risk[-1]), rel=1e-9)
    assert len(wl.load(folder / "network-2-0.zarr").final) == 6
    assert numbers["checks"]["gap"] is None
    assert numbers["checks"]["stationarity_rms"] > 0.0
    for reason in ("gap", "kernel_change"):
        assert "two-layer mean" in numbers["checks"]["reasons"][reason]
    (why,) = numbers["predicted"]["reasons"].values()
    assert "two-layer mean" in why
    page = (folder / "report.html").read_text()
    assert "depth does not change" in page
    assert "At the end what has depth 2 has |theta|" in page


@pytest.mark.slow
def test_a_run_goes_on_where_it_was(deep, tmp_path):
    """A part that is missing is computed again, to the last bit."""
    folder = pathlib.Path(shutil.copytree(deep[0], tmp_path / "run"))
    shutil.rmtree(folder / "network-2-0.zarr")
    status = json.loads((folder / "status.json").read_text())
    del status["parts"]["network-2-0"]
    (folder / "status.json").write_text(json.dumps(status | {"state": "running"}))
    result = call("resume", folder)
    assert result.code == 0, result.err
    assert comparable(folder) == comparable(deep[0])
