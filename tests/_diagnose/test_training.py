"""The parts of a diagnosis against computations by hand: descents, time constants, agitation, pursuit."""

import warnings

import numpy as np
import pytest
from sklearn.neural_network import MLPRegressor

from widelimit._diagnose._descend import descend
from widelimit._diagnose._neurons import neurons
from widelimit._diagnose._smaller import _pursued, smaller
from widelimit._diagnose._spectrum import spectrum
from widelimit._diagnose.reading._readers import read
from widelimit.analysis import stationarity

RNG = np.random.default_rng(2)
X = RNG.normal(size=(20, 2))
Y = X[:, 0] * X[:, 1] + 0.3
N = 6


@pytest.fixture(scope="module")
def model():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MLPRegressor(hidden_layer_sizes=(N,), activation="tanh", alpha=0.0, max_iter=30, random_state=0).fit(
            X, Y
        )


@pytest.fixture(scope="module")
def problem_and_measure(model):
    network = read(model, X, Y, activation=None, loss=None, weight_decay=0.0, names=None)
    problem = network.problem(X, Y)
    return problem, network.particles(problem)


def jacobian(model):
    """d f(x_q) / d (v, w, b, o), by hand."""
    (w, v), (b, _) = model.coefs_, model.intercepts_
    z = np.tanh(X @ w + b)
    slope = (1.0 - z**2) * v[:, 0]
    inner = (slope[:, None, :] * X[:, :, None]).reshape(len(X), -1)
    return np.concatenate([z, inner, slope, np.ones((len(X), 1))], axis=1)


def test_time_constants_are_those_of_the_trainers_parameters(model, problem_and_measure):
    found = spectrum(*problem_and_measure, time=None)
    j, r = jacobian(model), model.predict(X) - Y
    values, modes = np.linalg.eigh(j @ j.T / len(X))
    seen = values > 1e-13 * values[-1]
    np.testing.assert_allclose(1.0 / found.times, values[seen][::-1], atol=1e-13 * values[-1])
    parts = (modes.T @ r) ** 2 / np.sum(r**2)
    np.testing.assert_allclose(found.shares, parts[seen][::-1], atol=1e-6)
    # At that time, by the same sum, half of the risk is left.
    left = 1.0 - parts[seen].sum() + parts[seen] @ np.exp(-2.0 * values[seen] * found.half)
    np.testing.assert_allclose(left, 0.5, rtol=1e-6)
    assert found.agitated is None


def test_modes_that_are_done_are_agitated_where_they_hold_risk(problem_and_measure):
    times = spectrum(*problem_and_measure, time=None).times
    middle = 5.0 * float(np.sqrt(times[2] * times[3]))
    found = spectrum(*problem_and_measure, time=middle)
    np.testing.assert_allclose(found.agitated or 0.0, found.shares[:3].sum(), rtol=1e-12)


def test_what_the_kernel_does_not_reach_is_never_halved(problem_and_measure):
    """One neuron that is switched off, and targets of mean zero: only a constant can be learned."""
    dead = {"weight": np.zeros((1, 2)), "bias": np.zeros(1), "output": np.zeros((1, 1)), "offset": np.zeros(1)}
    network = read(dead, X, Y - Y.mean(), activation="tanh", loss=None, weight_decay=0.0, names=None)
    problem = network.problem(X, Y - Y.mean())
    assert spectrum(problem, network.particles(problem), None).half == np.inf


def test_a_descent_ends_where_it_says_and_at_rest(problem_and_measure):
    problem, measure = problem_and_measure
    ended = descend(problem, measure, 2000)
    np.testing.assert_allclose(ended.problem.objective(ended.measure), ended.objective, rtol=1e-10)
    assert ended.objective < 0.1 * float(problem.objective(measure))
    assert stationarity(ended.problem, ended.measure).conditions[0] < 1e-3
    # With the output bias moved to its best place, the mean residual is zero.
    f = np.asarray(ended.problem.predict(ended.measure, X))
    assert abs(np.mean(f - Y)) < 1e-4
    held = descend(problem, measure, 5, offset=False)
    assert held.problem is problem


def test_pursuit_finds_the_columns_that_a_target_is_made_of():
    columns = RNG.normal(size=(40, 8))
    columns[:, 5] = columns[:, 1]
    whole = columns[:, [1, 6]] @ np.array([[2.0], [-1.0]])
    order, errors = _pursued(columns, whole, 1e-10)
    assert set(order) == {1, 6}
    assert errors[-1] < 1e-10
    # The errors are those of least squares on the columns taken so far.
    noisy = whole + RNG.normal(size=(40, 1))
    order, errors = _pursued(columns, noisy, 0.0)
    assert len(order) == 7
    for k in (1, 4, 7):
        best = np.linalg.lstsq(columns[:, order[:k]], noisy, rcond=None)[0]
        np.testing.assert_allclose(errors[k], np.linalg.norm(noisy - columns[:, order[:k]] @ best), rtol=1e-9)


def test_a_smaller_network_keeps_its_word(problem_and_measure):
    problem, measure = problem_and_measure
    found = smaller(problem, measure, X, 0.3)
    assert found.width < N
    assert found.difference <= 0.3
    off = np.asarray(problem.predict(found.measure, X)) - np.asarray(problem.predict(measure, X))
    assert np.max(np.abs(off)) <= found.largest + 1e-12
    assert len(found.measure) == found.width
    np.testing.assert_allclose(np.sum(found.measure.weights), 1.0)


def test_dead_duplicate_and_cancelling_neurons():
    """2 is 0 with both signs turned, so that they add up; 3, 5 and 6 are one, and nearly cancel; 4 has no output."""
    a, b, c, d = RNG.normal(size=(4, 3))
    inner = np.stack([a, b, -a, c, d, c, c])
    arrays = {
        "weight": inner[:, :2],
        "bias": inner[:, 2],
        "output": [[0.5], [1.0], [-0.5], [1.0], [0.0], [-0.4], [-0.61]],
    }
    arrays = {name: np.asarray(values, float) for name, values in arrays.items()}
    network = read(arrays, X, Y, activation="tanh", loss=None, weight_decay=0.0, names=None)
    problem = network.problem(X, Y)
    found = neurons(problem, network.particles(problem), X)
    assert found.dead == (4,)
    assert found.duplicates == ((0, 2), (3, 5, 6))
    assert found.cancelling == ((3, 5, 6),)
