"""Every dynamics that has a resolution is reached by [limit] and agrees with others; what does not fit is refused."""

import json
from types import SimpleNamespace

import pytest

from .conftest import TOML, call, refused, write_tiny

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


@pytest.mark.slow
def test_quantiles_with_a_coarser_tolerance_beside_them(tmp_path):
    from widelimit.runs.call._build import build
    from widelimit.runs.call._limit import compute_limit, finely
    from widelimit.runs.call._part import Work
    from widelimit.runs.folder import create
    from widelimit.runs.parse import read_problem_file

    file, _ = read_problem_file(write_line(tmp_path, "dynamics = 'quantiles'"))
    (tmp_path / "out").mkdir()
    folder = create(tmp_path / "out", {}, overwrite=False)
    limit = compute_limit(Work(folder, file, "problem.toml", build(file, "problem.toml"), lambda said: None))
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


@pytest.mark.parametrize(
    ("old", "new", "place", "said"),
    [
        ("widths = [4]", "widths = [100_000_000]", "[[networks]] 1, widths", "100,000,000 neurons of 2 seeds"),
        ("particles = 8", "particles = 100_000_000", "[limit] particles", "100,000,000 particles with 65 save times"),
        ("particles = 8", "most_particles = 100_000_000", "[limit] most_particles", "take about 292 GB"),
        ("step = 0.05", "step = 1e-12", "[[networks]] 1, step", "sgd takes 5e+11 steps to t1 = 0.5"),
        ("t1 = 0.5", "t1 = 1e30", "[time] t1", "gradient_flow takes, at about one a unit of time, 1e+30 steps"),
        ("t1 = 0.5", "t1 = 1e308", "[time] t1", "between 1e-50 and 1e+50 in size, got 1e+308"),
        ("t1 = 0.5", "t1 = 1e-320", "[time] t1", "between 1e-50 and 1e+50 in size, got 9.99989e-321"),
        ("[time]", "[start]\nweight = {law = 'normal', std = 1e200}\n[time]", "[start] weight.std", "got 1e+200"),
        ("[time]", "[penalty]\nl2 = 1e300\n[time]", "[penalty] l2", "got 1e+300"),
        (
            'kind = "neuron"\nactivation = "tanh"',
            "kind = 'radial_basis'\nwidth = 1e-300",
            "[unit] width",
            "got 1e-300",
        ),
    ],
)
def test_what_cannot_end_or_fit_is_refused_beforehand(tmp_path, monkeypatch, old, new, place, said):
    from widelimit.runs.call import _cost

    monkeypatch.setattr(_cost, "memory", lambda: 64e9)
    toml = TOML.replace("saves = 4\n", "").replace(old, new)
    message = refused("run", write_tiny(tmp_path, toml), "--out", tmp_path / "out")
    assert f"problem.toml: {place}: " in message
    assert said in message
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_force_runs_what_looks_too_large(tmp_path, monkeypatch, finished):
    from widelimit.runs.call import _cost, _limit

    def reached(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(_cost, "memory", lambda: 1.0)
    monkeypatch.setattr(_limit, "_run", reached)
    path = write_tiny(tmp_path)
    assert "this machine has 1 bytes" in refused("run", path, "--out", tmp_path / "out")
    assert call("run", path, "--out", tmp_path / "out", "--force").code == 130


def test_the_memory_of_this_machine():
    from widelimit.runs.call._cost import memory

    assert 1e8 < memory() < 1e14


def test_the_error_is_the_larger_of_the_last_two_movements():
    """A last doubling that moves nothing by accident hides no error; older ones do not count."""
    import numpy as np

    from widelimit.runs.call._limit import limit_error

    curves = [np.full(9, level) for level in (5.0, 1.0, 1.2, 1.2)]
    np.testing.assert_allclose(limit_error(curves), 0.2)
    np.testing.assert_allclose(limit_error(curves[:2]), 4.0)
    crossing = np.array([0.1, 0.1, 0.0, -0.1, -0.1])
    np.testing.assert_allclose(limit_error([np.zeros(5), crossing]), 0.1)


def test_runs_of_other_steps_are_compared_at_the_times_of_the_last():
    import numpy as np

    from widelimit.runs.call._limit import curves_of, limit_error

    coarse = SimpleNamespace(times=np.array([0.0, 0.4, 0.8]), risk=np.array([1.0, 0.6, 0.2]))
    fine = SimpleNamespace(times=np.array([0.0, 0.2, 0.4, 0.6]), risk=np.array([1.0, 0.7, 0.6, 0.4]))
    old, new = curves_of([coarse, fine], "risk")
    np.testing.assert_allclose(old, [1.0, 0.8, 0.6, 0.4], rtol=1e-15)
    np.testing.assert_array_equal(new, fine.risk)
    np.testing.assert_allclose(limit_error([old, new]), 0.1, rtol=1e-14)


def test_curves_between_their_times_are_no_straight_lines():
    """(1 - t)^2 at four times, of which straight lines miss 1/36 half-way between."""
    import numpy as np

    from widelimit.runs.call._limit import curves_of

    coarse, fine = (SimpleNamespace(times=(t := np.linspace(0.0, 1.0, n)), risk=(1.0 - t) ** 2) for n in (4, 7))
    old, new = curves_of([coarse, fine], "risk")
    assert np.max(np.abs(old - new)) < 0.5 / 36
