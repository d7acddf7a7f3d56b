"""What a density on a grid asks of problem and start, and whose name an error has."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit.dynamics import JKO, EntropicJKO, TransportPDE
from widelimit.measure import GridDensity, grids


def _tanh(theta: Any, x: Any) -> Any:
    return jnp.tanh(theta.a * x[0])


def _pole(theta: Any, x: Any) -> Any:
    return jnp.where(theta.a > 0.9, jnp.inf, theta.a * x[0])


def _sum(theta: Any, x: Any) -> Any:
    return theta.a + theta.b + theta.c


def _well(theta: Any) -> Any:
    return jnp.where(theta.a > 0.9, jnp.nan, theta.a**2)


_X = np.linspace(-1.0, 1.0, 5)
_DATA = wl.data.Samples(_X, np.sin(_X))
_UNIT = wl.units.Function(_tanh, columns=["a"])
_GRID = grids.uniform(-1.0, 1.0, 20)
_START = wl.laws.Uniform(-0.5, 0.5, dim=1)


def _problem(**parts: Any) -> wl.Problem:
    return wl.Problem(_UNIT, _DATA, **parts)


def _pde(grid: Any = _GRID) -> TransportPDE:
    return TransportPDE(grid)


def _entropic(grid: Any = _GRID) -> EntropicJKO:
    return EntropicJKO(0.1, grid=grid)


def _jko() -> JKO:
    return JKO(0.1, particles=10)


def _run(dynamics: Any, problem: wl.Problem, start: Any = _START) -> None:
    wl.evolve(problem, start, dynamics, t1=0.2, progress=False)


_MAKERS = {"TransportPDE": _pde, "EntropicJKO": _entropic}
_ALL = {**_MAKERS, "JKO": _jko}
_FRESH = wl.data.FromLaw(wl.laws.Normal(0.0, 1.0), lambda x: x[0])


@pytest.mark.parametrize("who", _ALL)
@pytest.mark.parametrize(
    ("problem", "start", "words"),
    [
        (wl.Problem(_UNIT, _FRESH), _START, " needs data with nodes"),
        (wl.Problem(wl.units.Function(_sum, columns=["a", "b", "c"]), _DATA), _START, ": .* the problem has 3"),
        (_problem(domain=wl.domains.Circle()), _START, ": the domain of 'a' must be a line or an interval"),
        (_problem(), wl.laws.Normal(0.0, 1.0, dim=2), ": the measure has 2 columns, the unit needs 1"),
    ],
    ids=["nodes", "parameters", "domain", "columns"],
)
def test_errors_name_the_dynamics_that_was_called(who: str, problem: wl.Problem, start: Any, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{who}{words}"):
        _run(_ALL[who](), problem, start)


@pytest.mark.parametrize("who", _MAKERS)
def test_errors_of_a_grid_name_the_dynamics_and_its_argument(who: str) -> None:
    make, where = _MAKERS[who], rf"^{who}\(grid=\.\.\.\): "
    with pytest.raises(ValueError, match=where + "expected one of widelimit.measure.grids"):
        make(np.linspace(0.0, 1.0, 5))
    with pytest.raises(ValueError, match=where + "the grid has 2 axes, the problem has 1"):
        _run(make(grids.product(_GRID, _GRID)), _problem())
    with pytest.raises(ValueError, match=where + r"\[-1, 1\] reaches outside the problem's domain of 'a', \[0, inf\]"):
        _run(make(), _problem(domain=wl.domains.HalfLine()), wl.laws.Uniform(0.1, 0.5, dim=1))
    with pytest.raises(ValueError, match=where + r"25 % of the start's mass lies outside the grid \[-1, 1\]"):
        _run(make(), _problem(), wl.laws.Uniform(-1.0, 5.0 / 3.0, dim=1))
    other = GridDensity(grids.uniform(-1.0, 1.0, 10), np.full(10, 0.1))
    with pytest.raises(ValueError, match=where + "the start is a density on another grid"):
        _run(make(), _problem(), other)
    with pytest.raises(ValueError, match=where + r"the unit is not finite at the cell centre \[0\.95"):
        _run(make(), wl.Problem(wl.units.Function(_pole, columns=["a"]), _DATA))
    with pytest.raises(ValueError, match=where + r"the penalty is not finite at the cell centre \[0\.95"):
        _run(make(), _problem(penalty=wl.penalties.function(_well)))
    with pytest.raises(ValueError, match=f"^{who}: a density has no number of neurons"):
        _run(make(), _problem(scale=wl.scales.Power(0.5)))


@pytest.mark.parametrize("who", _ALL)
def test_errors_of_numbers_name_the_dynamics(who: str) -> None:
    steps = {} if who == "TransportPDE" else {"tau": 0.1}
    kind = {"TransportPDE": TransportPDE, "EntropicJKO": EntropicJKO, "JKO": JKO}[who]
    for name in ("temperature", *steps):
        for value in (-1.0, math.nan, math.inf, "hot", True, None):
            with pytest.raises(ValueError, match=rf"^{who}\({name}=\.\.\.\): must be a finite number"):
                kind(**{**steps, name: value})


@pytest.mark.parametrize("who", _MAKERS)
def test_particles_start_as_masses_of_the_nearest_cells(who: str) -> None:
    rho = wl.Particles([[-0.25], [0.3]], [0.25, 0.75])
    run = wl.evolve(_problem(), rho, _MAKERS[who](), t1=0.2, progress=False)
    np.testing.assert_allclose(run.weights[0], rho.cell_masses(_GRID))
    assert np.all(np.isfinite(run.weights[-1]))


def _half(theta: Any, x: Any) -> Any:
    return 0.5 * jnp.tanh(theta.a * x[0])


@pytest.mark.first(1)
@pytest.mark.parametrize("who", [*_MAKERS, "gibbs"])
def test_a_scale_that_is_the_same_for_every_width_counts(who: str) -> None:
    # alpha(N) = 2 N: half the mean, as of a unit half as large.
    scaled = _problem(scale=wl.scales.Power(1.0, 2.0))
    halved = wl.Problem(wl.units.Function(_half, columns=["a"]), _DATA)

    def masses(problem: wl.Problem) -> np.ndarray:
        if who == "gibbs":
            return np.asarray(wl.analysis.gibbs(problem, temperature=0.01, grid=_GRID).density.masses)
        return wl.evolve(problem, wl.laws.Uniform(-0.2, 0.5, dim=1), _MAKERS[who](), t1=2.0, progress=False).weights[-1]

    np.testing.assert_allclose(masses(scaled), masses(halved), rtol=0, atol=1e-12)
    assert np.abs(masses(scaled) - masses(_problem())).sum() > 1e-3


def test_numbers_may_be_traced() -> None:
    make = {"rtol": TransportPDE, "cfl": TransportPDE, "tau": lambda **v: JKO(**v), "blur": _blurred}
    for name, maker in make.items():
        assert jax.eval_shape(lambda value, name=name, maker=maker: maker(**{name: value}), 0.1) is not None


def _blurred(blur: Any) -> EntropicJKO:
    return EntropicJKO(0.1, temperature=blur, blur=blur)
