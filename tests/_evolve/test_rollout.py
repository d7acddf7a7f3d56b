"""A fixed number of steps as a pure function: like evolve, and under jit, vmap and grad."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit import integrators, sampling

_RNG = np.random.default_rng(0)
_X = _RNG.normal(size=(8, 2))
PROBLEM = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(_X, np.sin(_X[:, 0])))
START = wl.Particles(_RNG.normal(size=(5, 4)))
KEY = jax.random.key(1)


@pytest.mark.parametrize(
    ("dynamics", "t1"),
    [
        (wl.SGD(0.02, batch=2, temperature=0.01), 0.4),
        (wl.SGD(0.02, batch=3, sampling=sampling.Epochs(), dtype=jnp.float32), 0.4),
        (wl.GradientFlow(integrators.RungeKutta4(0.02)), 0.4),
    ],
    ids=["fresh", "epochs", "rk4"],
)
def test_it_is_the_run_of_evolve(dynamics: Any, t1: float) -> None:
    run = wl.evolve(PROBLEM, START, dynamics, t1=t1, save_at=[t1], key=KEY)
    assert run.steps == 20
    last = wl.rollout(PROBLEM, START, dynamics, steps=20, key=KEY)
    # The loop is another program, whose sums may be rounded otherwise.
    np.testing.assert_allclose(
        last.positions, run.final.positions, rtol=1e-6 if last.positions.dtype == "f4" else 1e-12
    )


def _risk(step: Any, rate: Any, rows: Any, key: Any) -> Any:
    dynamics = wl.SGD(step, batch=2, schedule=rate)
    return PROBLEM.risk(wl.rollout(PROBLEM, wl.Particles(rows), dynamics, steps=10, key=key))


def test_derivatives_and_maps() -> None:
    value, slopes = jax.jit(jax.value_and_grad(_risk, argnums=(0, 1, 2)))(0.05, 1.0, START.positions, KEY)
    assert float(value) == pytest.approx(float(_risk(0.05, 1.0, START.positions, KEY)), rel=1e-12)
    # Only the product step x rate counts.
    assert float(slopes[1]) == pytest.approx(0.05 * float(slopes[0]), rel=1e-9)
    h = 1e-5
    there, here = (float(_risk(0.05 + s, 1.0, START.positions, KEY)) for s in (h, -h))
    assert float(slopes[0]) == pytest.approx((there - here) / (2 * h), rel=1e-6)
    row = np.zeros((5, 4))
    row[2, 1] = h
    there, here = (float(_risk(0.05, 1.0, START.positions + s * row, KEY)) for s in (1.0, -1.0))
    assert float(slopes[2][2, 1]) == pytest.approx((there - here) / (2 * h), rel=1e-5)
    keys = jax.random.split(KEY, 3)
    many = jax.vmap(lambda key: _risk(0.05, 1.0, START.positions, key))(keys)
    for one, key in zip(many, keys, strict=True):
        assert float(one) == pytest.approx(float(_risk(0.05, 1.0, START.positions, key)), rel=1e-12)


@pytest.mark.first(1)
@pytest.mark.parametrize("integrator", [integrators.RungeKutta4(0.05), integrators.Tsit5(1e-3, 1e-5)], ids=["rk4", "5"])
def test_flows_are_differentiable(integrator: Any) -> None:
    def risk(rows: Any) -> Any:
        return PROBLEM.risk(wl.rollout(PROBLEM, wl.Particles(rows), wl.GradientFlow(integrator), steps=6))

    slope = jax.jit(jax.grad(risk))(START.positions)
    move, h = np.random.default_rng(3).normal(size=(5, 4)), 1e-4
    slow = (float(risk(START.positions + h * move)) - float(risk(START.positions - h * move))) / (2 * h)
    # Adaptive steps count as given in the derivative, while the difference quotient sees where they lead.
    assert float(jnp.sum(slope * move)) == pytest.approx(slow, rel=1e-6 if integrator.fixed is not None else 0.2)


def test_what_it_refuses() -> None:
    line = wl.Problem(
        wl.units.Neuron(wl.activations.tanh, bias=False, output_weight=False), wl.data.Samples([[1.0]], [1.0])
    )
    with pytest.raises(ValueError, match=r"rollout\(steps"):
        wl.rollout(PROBLEM, START, wl.GradientFlow(), steps=-1)
    with pytest.raises(ValueError, match="room"):
        wl.rollout(line, wl.laws.Normal(0.0, 1.0), wl.Quantiles(), steps=1)
    with pytest.raises(ValueError, match="key"):
        wl.rollout(PROBLEM, START, wl.SGD(0.1), steps=1)


@pytest.mark.parametrize("dynamics", [wl.TransportPDE(cells=20), wl.JKO(0.1, particles=8), wl.GaussianClosure()])
def test_a_first_state_that_is_made_on_the_host_is_not_traced(dynamics: Any) -> None:
    unit = wl.units.Neuron(wl.activations.tanh, bias=False, output_weight=False)

    def end(strength: Any) -> Any:
        problem = wl.Problem(unit, wl.data.Samples([[1.0]], [1.0]), penalty=wl.penalties.l2(strength))
        return problem.risk(wl.rollout(problem, wl.laws.Normal(0.0, 1.0), dynamics, steps=2))

    with pytest.raises(
        ValueError, match=f"^rollout: {type(dynamics).__name__} makes its first state outside of compil"
    ):
        jax.jit(end)(0.1)
