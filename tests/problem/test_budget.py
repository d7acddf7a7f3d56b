"""What compiled programs hold stays within 1.5 times the stated budget, as the compiler tells."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit import integrators
from widelimit._evolve import _host, _verb
from widelimit.analysis.minimum import _depths, _regions, _rounding
from widelimit.kernels import _tangent

# The whole table would have 40 times the budget, the particles 1/100 of it and the data 6/100.
N, Q, BUDGET = 2000, 20_000, 2**20
X = np.random.default_rng(0).standard_normal((Q, 3))
UNITS = {"neuron": wl.units.Neuron(wl.activations.tanh), "radial": wl.units.RadialBasis(1.0)}


def problem_of(unit: str) -> tuple[wl.Problem, wl.Particles]:
    problem = wl.Problem(UNITS[unit], wl.data.Samples(X, np.sin(X[:, 0])), budget=BUDGET)
    return problem, wl.Particles(np.random.default_rng(1).standard_normal((N, problem.dim)))


def variation(problem: wl.Problem, rho: wl.Particles) -> Any:
    return jax.jit(problem.variation).lower(*problem.unpack(rho)).compile()


def slope_of_risk(problem: wl.Problem, rho: wl.Particles) -> Any:
    return jax.jit(jax.grad(problem.integrals.risk)).lower(*problem.unpack(rho)).compile()


def potential(problem: wl.Problem, rho: wl.Particles) -> Any:
    return jax.jit(lambda rows: problem.potential(rho).gradient(rows)).lower(rho.positions).compile()


def chunk_of(dynamics: wl.dynamics.AbstractDynamics) -> Callable[..., Any]:
    def chunk(problem: wl.Problem, rho: wl.Particles) -> Any:
        watched = (wl.observables.Penalty(),)
        runs = _verb.set_up(problem, [rho], dynamics, 1.0, [jax.random.key(0)], [1.0], watched, None)
        stop = jnp.asarray(dynamics.clock.reading(1.0))
        told = runs.watch.dynamics, runs.watch.prepared, runs.states[0], stop, jnp.asarray(8)
        return _host._chunk.lower(*told).compile().compiled

    return chunk


def kernel(problem: wl.Problem, rho: wl.Particles) -> Any:
    some, whole = jnp.asarray(X[:300]), tuple(range(problem.dim))
    told = problem, rho.positions, rho.weights, jnp.ones(problem.dim), some, some, whole
    return _tangent._kernel.lower(*told).compile().compiled


def error_of_a_bound(problem: wl.Problem, rho: wl.Particles) -> Any:
    function = _depths.depth(problem.potential(rho), _regions.Region.of_features(problem))
    # Without the choice of a compiler's options, which has no `lower`.
    errors: Any = _rounding._errors
    return eqx.filter_jit(errors.__wrapped__).lower(function, rho.positions[:256]).compile().compiled


QUICK = (variation, error_of_a_bound)
ALL = {
    "variation": variation,
    "error": error_of_a_bound,
    "slope of the risk": slope_of_risk,
    "potential": potential,
    "flow": chunk_of(wl.GradientFlow(integrators.RungeKutta4(0.01))),
    "adaptive flow": chunk_of(wl.GradientFlow()),
    "SGD": chunk_of(wl.SGD(0.01, batch=1000)),
    "kernel": kernel,
}


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(
    "work", [pytest.param(work, id=name, marks=() if work in QUICK else pytest.mark.slow) for name, work in ALL.items()]
)
def test_memory_is_within_the_budget(unit: str, work: Callable[..., Any]) -> None:
    memory = work(*problem_of(unit)).memory_analysis()
    if memory is None:
        pytest.skip("this backend does not report memory")
    assert memory.temp_size_in_bytes < 1.5 * 8 * BUDGET
