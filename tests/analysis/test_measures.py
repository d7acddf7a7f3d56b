"""Measures that nothing can be said of are refused by every analysis."""

import math
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit.analysis import expected_risk, free_energy, gibbs, optimality_gap, stability

X = np.linspace(-2.0, 2.0, 8)
LINE = wl.Problem(
    wl.units.Neuron(wl.activations.tanh, bias=False, output_weight=False),
    wl.data.Samples(X, np.sin(X)),
    wl.losses.squared(1.0),
)
BOX = wl.Problem(LINE.unit, LINE.data, LINE.loss, domain=wl.domains.Box(-1.0, 0.2))
SMALL = wl.problems.isotropic_gaussians(delta=0.4, dim=20).reduced()


def one(row, weight=1.0):
    return wl.Particles([[row]], [weight])


@pytest.mark.parametrize("dim", [20, math.inf])
def test_not_a_number_is_not_infinity(dim):
    problem = wl.problems.isotropic_gaussians(delta=0.4, dim=dim).reduced()
    assert np.isnan(problem.risk(one(np.nan)))
    assert np.isnan(problem.potential(one(1.0))(jnp.array([np.nan])))
    assert np.isfinite(problem.risk(one(np.inf)))


@pytest.mark.parametrize("function", [optimality_gap, stability, expected_risk])
@pytest.mark.parametrize(
    ("problem", "measure", "said"),
    [
        (SMALL, one(np.nan), "not a number"),
        (LINE, one(np.nan), "not a number"),
        (BOX, one(7.0), "outside the problem's domain"),
        (SMALL, one(-1.0), "outside the problem's domain"),
        (LINE, wl.Particles([[1.0], [2.0]], [2.0, -1.0]), "not negative"),
        (LINE, one(1.0, 0.0), "sum"),
    ],
)
def test_refused(function, problem, measure, said):
    with pytest.raises(ValueError, match=said if said != "sum" or function is not optimality_gap else "no mass"):
        function(problem, measure)


@pytest.mark.parametrize("function", [stability, expected_risk])
def test_a_mass_other_than_one_is_refused(function):
    with pytest.raises(ValueError, match="sum to 1"):
        function(LINE, one(1.0, 2.0))


def test_a_penalty_that_is_not_finite_is_named():
    steep = wl.Problem(
        LINE.unit, LINE.data, LINE.loss, penalty=wl.penalties.function(lambda t: jnp.sum(jnp.log(t.weight)))
    )
    grid = wl.grids.uniform(-1.0, 1.0, 20)
    with pytest.raises(ValueError, match=r"penalty is not finite at the cell centre \[-0\.95"):
        gibbs(steep, temperature=0.5, grid=grid)
    with pytest.raises(ValueError, match="not finite"):
        free_energy(steep, wl.GridDensity(grid, np.full(20, 0.05)), 0.5)


def test_targets_near_zero_are_their_own_certificate():
    """The objective bounds the gap where it cannot be negative: here it is 1e-17."""
    x = np.linspace(-20.0, 20.0, 15)
    problem = wl.Problem(LINE.unit, wl.data.Samples(x, 1e-8 * np.sin(np.arange(15))), domain=wl.domains.Box(-5.0, 5.0))
    best = wl.minimise(problem)
    assert best.converged
    assert best.objective <= best.gap <= 1e-12


# Another process: here arguments are checked against their annotations, which a user's Python does not do.
SCRIPT = """
import numpy as np
import widelimit as wl
from widelimit.analysis import expected_risk, gibbs, stability

x = np.linspace(-2.0, 2.0, 8)
unit = wl.units.Neuron(wl.activations.tanh, bias=False, output_weight=False)
line = wl.Problem(unit, wl.data.Samples(x, np.sin(x)), wl.losses.squared(1.0))
small = wl.problems.isotropic_gaussians(delta=0.4, dim=20).reduced()
atom, grid = wl.Particles([[1.0]]), wl.grids.uniform(-1.0, 1.0, 9)
for call in CALLS:
    try:
        print("passed", eval(call))
    except Exception as error:
        print(type(error).__name__, "..." in str(error), call, error)
"""
CALLS = [
    "wl.minimise(line, tolerance='a')",
    "wl.minimise(line, budget=True)",
    "wl.minimise(None)",
    "wl.minimise(line, starts='a')",
    "wl.minimise(line, most=-1)",
    "wl.minimise(line, key=0)",
    "stability(line, atom, tolerance='a')",
    "stability(line, atom, merge='a')",
    "gibbs(line, temperature=True, grid=grid)",
    "gibbs(line, temperature=0.1, grid=grid, tolerance=None)",
    "expected_risk(line, atom, samples='a')",
    "expected_risk(line, wl.laws.Normal(0.0, 1.0, dim=3))",
    "wl.grids.uniform('a', 1, 10)",
    "wl.grids.half_line(10, 3.0, 'a')",
    "wl.grids.line(10, 'a')",
    "wl.Grid(None)",
    "wl.Grid((['a', 'b'],))",
    "wl.TransportPDE(cells=10, temperature=True)",
    "small.lift(atom, key=0)",
    "wl.problems.isotropic_gaussians(delta=0.5, dim=3).reduced(nodes=10**7)",
    "wl.evolve(line, atom, wl.JKO(0.05, temperature=0.5), t1=0.1)",
]


def test_one_clear_error():
    script = SCRIPT.replace("CALLS", repr(CALLS))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == len(CALLS)
    assert [line for line in lines if not line.startswith(("ValueError True", "ValueError False lift"))] == []


def test_cells_may_be_a_number_of_numpy():
    assert wl.TransportPDE(cells=np.int64(50)).cells == (50,)
