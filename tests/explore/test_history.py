"""Moments of a run in one compiled program, against `rollout` and `evolve`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from widelimit import SGD, GradientFlow, Particles, data, integrators, losses, rollout, units
from widelimit.explore._history import count_of, equal_weights, history, sgd, steps_to
from widelimit.problem import Problem, activations


@pytest.fixture(scope="module")
def problem():
    x = np.linspace(-1.0, 1.0, 7)
    unit = units.Neuron(activations.tanh, bias=False, output_weight=False)
    return Problem(unit, data.Samples(x[:, None], np.sin(3.0 * x)), losses.squared(1.0))


@pytest.fixture(scope="module")
def start(problem):
    return Particles(np.linspace(-2.0, 3.0, 5)[:, None], blocks=problem.blocks)


def test_moments_of_sgd_are_those_of_rollout(problem, start):
    key, moves = jax.random.key(3), sgd(0.05, 2.0, largest=2, dtype="float64")
    run = history(moves, problem, start, jnp.asarray([0, 3, 8]), most=100, key=key)
    assert count_of(run) == 3
    for k, steps in enumerate((0, 3, 8)):
        direct = rollout(problem, start, SGD(0.05, batch=2), steps=steps, key=key)
        np.testing.assert_allclose(run.positions[k], direct.positions, rtol=1e-12)


def test_a_smaller_batch_takes_fewer_samples(problem, start):
    key = jax.random.key(3)
    one, two = (
        history(sgd(0.05, size, largest=2), problem, start, jnp.asarray([1]), most=9, key=key) for size in (1.0, 2.0)
    )
    assert not np.allclose(one.positions, two.positions)


def test_a_run_that_is_cut_says_how_far_it_came(problem, start):
    flow = GradientFlow(integrators.RungeKutta4(0.1))
    run = history(flow, problem, start, jnp.asarray([0.0, 0.2, 0.4, 0.6]), most=4)
    np.testing.assert_array_equal(run.reached, [True, True, True, False])
    np.testing.assert_array_equal(run.positions[3], run.positions[2])
    assert count_of(run) == 3


def test_particles_without_mass_move_no_others(problem):
    flow = GradientFlow(integrators.RungeKutta4(0.1))
    rows = np.array([[0.5], [2.0], [7.0]])
    padded = Particles(rows, equal_weights(2, 3), blocks=problem.blocks)
    alone = Particles(rows[:2], blocks=problem.blocks)
    both = [history(flow, problem, at, jnp.asarray([0.5]), most=50).positions[0, :2] for at in (padded, alone)]
    np.testing.assert_allclose(both[0], both[1], rtol=1e-13)
    np.testing.assert_array_equal(padded.weights, [0.5, 0.5, 0.0])


def test_steps_to_times():
    np.testing.assert_array_equal(steps_to([0.0, 0.31, 1.0], 0.1), [0, 3, 10])
