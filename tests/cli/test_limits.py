"""Every dynamics that has a resolution is reached by [limit] and agrees with others; what does not fit is refused."""

import json

import pytest

from .conftest import call, refused, write_tiny

LINE = """
[data]
source = "line.csv"
target = "y"
scaling = "none"
[unit]
kind = "neuron"
activation = "tanh"
bias = false
output_weight = false
[start]
weight = { law = "normal", mean = 0.3, std = 0.7 }
[time]
t1 = 0.5
saves = 4
[limit]
"""
# The limit's risk at t1, which the quantiles know to nine digits.
RISK = 0.07611565913


def write_line(folder, limit):
    places = (-2.0, -1.5, -1.0, -0.3, 0.1, 0.6, 1.2, 2.0)
    rows = [f"{x},{(3 * x + 0.5) / (1 + abs(3 * x + 0.5))}" for x in places]
    (folder / "line.csv").write_text("\n".join(["x,y", *rows]) + "\n")
    return write_tiny(folder, LINE + limit)


def limit_of(folder, limit):
    result = call("run", write_line(folder, limit), "--out", folder / "out", "--json")
    assert result.code == 0, result.err
    assert (folder / "out" / "report.html").exists()
    return json.loads(result.out)


def test_quantiles_with_a_coarser_tolerance_beside_them(tmp_path):
    from widelimit.cli.call._build import build
    from widelimit.cli.call._folder import create
    from widelimit.cli.call._limit import compute_limit, finely
    from widelimit.cli.call._part import Work
    from widelimit.cli.parse._problem_file import read_problem_file

    file, _ = read_problem_file(write_line(tmp_path, "dynamics = 'quantiles'"))
    (tmp_path / "out").mkdir()
    folder = create(tmp_path / "out", {}, overwrite=False)
    limit = compute_limit(Work(folder, file, build(file, "problem.toml"), lambda said: None))
    assert limit.runs[-1].risk[-1] == pytest.approx(RISK, abs=1e-9)
    assert (limit.sizes, finely(file, limit.sizes[-1])) == ((1e-7, 1e-9), "rtol 1e-09")
    assert 0.0 < limit.error[-1] < 1e-7
    assert "rtol was given" in limit.note
    assert {path.name for path in folder.path.glob("*.zarr")} == {"limit-1e-07.zarr", "limit-1e-09.zarr"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "sizes", "off"),
    [
        ("particles = 64", [32, 64], 1e-4),
        ("dynamics = 'quantiles'", [1e-7, 1e-9], 1e-9),
        ("dynamics = 'characteristics'\nparticles = 64", [32, 64], 1e-4),
        ("dynamics = 'transport_pde'\nfirst_cells = 16\nmost_cells = 64\ntolerance = 0.02", [16, 32, 64], 3e-4),
        ("dynamics = 'jko'\ntau = 0.02\nparticles = 64", [0.04, 0.02], 2e-3),
        (
            "dynamics = 'entropic_jko'\ntau = 0.1\ngrid = {kind = 'uniform', lower = -4, upper = 4, cells = 80}",
            [0.2, 0.1],
            2e-2,
        ),
        # Approximations, not the limit itself: they only have to be near, and to say what they are.
        ("dynamics = 'gaussian_closure'", [1e-6, 1e-8], 0.3),
        ("dynamics = 'tangent_flow'\nparticles = 16", [8, 16], 0.1),
    ],
)
def test_other_dynamics(tmp_path, limit, sizes, off):
    numbers = limit_of(tmp_path, limit)["limit"]
    assert numbers["sizes"] == sizes
    assert numbers["risk"] == pytest.approx(RISK, abs=off)


@pytest.mark.slow
def test_heat_and_a_schedule(tmp_path):
    limit = "dynamics = 'transport_pde'\ncells = 64\ntemperature = 0.1\nschedule = { kind = 'power', exponent = 0.25 }"
    numbers = limit_of(tmp_path, limit)
    assert numbers["limit"]["dynamics"] == (
        "transport pde, cells 64, temperature 0.1, schedule power, exponent 0.25, scale 1"
    )
    # INT_0^t xi is larger than t for t < 1: the risk has fallen further than at T = 0 with xi = 1.
    assert numbers["limit"]["risk"] < RISK


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("dynamics = 'sgd'", "[limit] dynamics: 'sgd' is not known; allowed are characteristics, "),
        ("dynamics = 'jko'", "[limit] tau: is missing"),
        ("dynamics = 'entropic_jko'\ntau = 0.1", "[limit] dynamics: EntropicJKO(grid=...): needed where"),
        ("dynamics = 'quantiles'\nrtol = 0.1", "[limit] rtol: must be at most 0.001, got 0.1"),
        ("dynamics = 'transport_pde'\ncels = 64", "[limit] cels: 'cels' is not known"),
        ("trainable = 'wieght'", "[limit] trainable: the unit has no such block: 'wieght' is not known"),
        (
            "[[networks]]\nwidths = [4]\ndynamics = 'transport_pde'",
            "[[networks]] 1, dynamics: 'transport_pde' does not move the neurons of a network",
        ),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(tmp_path, limit, expected):
    path = write_line(tmp_path, limit)
    assert expected in refused("run", path, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_too_many_parameters_for_a_grid(tmp_path):
    path = write_tiny(tmp_path)
    path.write_text(path.read_text().replace("particles = 8", "dynamics = 'transport_pde'"))
    said = refused("run", path, "--out", tmp_path / "out")
    assert "[limit] dynamics: TransportPDE" in said
    assert not (tmp_path / "out").exists()
