"""The adapter of flows: a flow in three members gets walls, energy, integrators and refusals."""

import logging
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit import integrators

X = np.linspace(-2.0, 2.0, 8)[:, None]
PROBLEM = wl.Problem(
    wl.units.Neuron(wl.activations.tanh, bias=False, output_weight=False), wl.data.Samples(X, np.tanh(3.0 * X[:, 0]))
)
START = wl.Particles(np.array([[-0.8], [-0.1], [0.4], [1.0], [1.7]]))


class HeavyBall(wl.dynamics.AbstractFlow):
    friction: float = 1.0

    def start(self, problem: Any, theta: Any, w: Any) -> Any:
        return {"theta": theta, "v": jax.tree.map(jnp.zeros_like, theta)}

    def velocity(self, problem: Any, w: Any, y: Any) -> Any:
        force = problem.velocity(y["theta"], problem.variation(y["theta"], w).gradient)
        return {"theta": y["v"], "v": jax.tree.map(lambda f, v: f - self.friction * v, force, y["v"])}

    def positions(self, y: Any) -> Any:
        return y["theta"]


class Doubled(HeavyBall):
    def positions(self, y: Any) -> Any:
        return jax.tree.map(lambda leaf: 2.0 * leaf, y["theta"])


class Cut(HeavyBall):
    def velocity(self, problem: Any, w: Any, y: Any) -> Any:
        return {"theta": y["v"]}


def test_the_energy_of_a_strangers_flow_is_what_the_objective_lost() -> None:
    flow = HeavyBall(friction=0.0, integrator=integrators.Tsit5(1e-9, 1e-11))
    run = wl.evolve(PROBLEM, START, flow, t1=20.0)
    np.testing.assert_allclose(run.objective[0] - run.objective, run.dissipated, atol=1e-8)
    # Momentum carries it uphill at times, which a descent never does.
    assert np.min(np.diff(run.dissipated)) < -1e-5


@pytest.mark.slow
def test_large_friction_is_the_gradient_flow() -> None:
    run = wl.evolve(PROBLEM, START, HeavyBall(friction=400.0), t1=400.0, save_at=[400.0])
    flow = wl.evolve(PROBLEM, START, wl.GradientFlow(), t1=1.0, save_at=[1.0])
    # The difference is of order 1/friction^2 in units of the force's slope.
    np.testing.assert_allclose(run.final.positions, flow.final.positions, atol=1e-3)


def test_positions_are_put_back_into_the_domain_and_the_rest_is_left_alone() -> None:
    problem = wl.Problem(PROBLEM.unit, PROBLEM.data, domain=wl.domains.Box(-0.8, 2.0))
    flow = HeavyBall(friction=0.1)
    theta = problem.unpack(START)[0]
    y = {"theta": jax.tree.map(lambda leaf: leaf - 0.5, theta), "v": theta}
    back = flow.put_back(problem, y)
    np.testing.assert_array_equal(back["theta"][0], np.clip(np.asarray(theta[0]) - 0.5, -0.8, 2.0))
    np.testing.assert_array_equal(back["v"][0], theta[0])
    run = wl.evolve(problem, START, flow, t1=10.0)
    assert run.positions.min() >= -0.8


def test_what_it_refuses() -> None:
    boxed = wl.Problem(PROBLEM.unit, PROBLEM.data, domain=wl.domains.Box(-0.8, 2.0))
    with pytest.raises(ValueError, match=r"Doubled.positions.*put_back"):
        wl.evolve(boxed, START, Doubled(), t1=1.0)
    with pytest.raises(ValueError, match=r"Cut.velocity"):
        wl.evolve(PROBLEM, START, Cut(), t1=1.0)
    kinked = wl.penalties.total_variation(0.1, PROBLEM.blocks[0].name)
    rough = wl.Problem(PROBLEM.unit, PROBLEM.data, penalty=kinked)
    assert "proximal" in str(HeavyBall().accepts(rough, START))
    assert "sample it first" in str(HeavyBall().accepts(PROBLEM, wl.laws.Normal(0.0, 1.0)))
    with pytest.raises(ValueError, match=r"HeavyBall\(integrator="):
        HeavyBall(integrator="fast")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="schedule"):
        HeavyBall(schedule=-1.0)  # pyright: ignore[reportArgumentType]


def test_its_numbers_do_not_compile_again(caplog: Any) -> None:
    def run(friction: float) -> None:
        wl.evolve(PROBLEM, START, HeavyBall(friction=friction), t1=1.0, save_at=[1.0])

    run(0.5)
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        run(0.7)
        run(0.9)
    assert [r for r in caplog.records if "Finished XLA compilation" in r.getMessage()] == []


def test_what_does_not_move_stays_to_the_last_bit() -> None:
    problem = wl.Problem(wl.units.Neuron(wl.activations.tanh, bias=False), PROBLEM.data)
    start = wl.Particles(np.random.default_rng(0).normal(size=(5, 2)))
    for integrator in (None, integrators.RungeKutta4(0.07)):
        run = wl.evolve(problem, start, wl.GradientFlow(integrator, trainable="output"), t1=1.0)
        np.testing.assert_array_equal(run.positions[:, :, 1], np.broadcast_to(start.positions[:, 1], (len(run), 5)))
        assert np.all(run.positions[-1][:, 0] != run.positions[0][:, 0])
