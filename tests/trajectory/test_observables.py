"""What is observed along a run, against the same quantity computed from the saved measures."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit import observables

_RNG = np.random.default_rng(0)
_X = _RNG.normal(size=(8, 2))
_PROBLEM = wl.Problem(
    wl.units.Neuron(wl.activations.tanh), wl.data.Samples(_X, np.sin(_X[:, 0])), penalty=wl.penalties.l2(0.1)
)
_START = wl.Particles(_RNG.normal(size=(5, 4)), np.array([1, 2, 3, 2, 2]) / 10)
_FLOW = wl.GradientFlow(wl.integrators.RungeKutta4(0.1))
_SAVE = [0.15, 0.4]


def _spread(problem: Any, measure: Any) -> Any:
    return jnp.std(measure["weight"], axis=0)


def test_each_is_that_of_the_saved_measure() -> None:
    held_out = wl.data.Samples(_X[:3] + 1.0, np.zeros(3))
    watch = (
        observables.Risk(),
        observables.RiskOn("held_out", held_out),
        observables.Penalty(),
        observables.Moments(),
        observables.Dissipation(),
        observables.Function("spread", _spread),
    )
    run = wl.evolve(_PROBLEM, _START, _FLOW, t1=1.0, save_at=_SAVE, observe=watch)
    other = wl.Problem(_PROBLEM.unit, held_out)
    assert run.mean.shape == (4, 4)
    assert run.spread.shape == (4, 2)
    for i in range(len(run)):
        rho = run[i]
        w, z = np.asarray(rho.weights), np.asarray(rho.positions)
        gradient = np.asarray(_PROBLEM.potential(rho).gradient(rho.positions))
        np.testing.assert_allclose(run.risk[i], _PROBLEM.risk(rho), rtol=1e-12)
        np.testing.assert_allclose(run.held_out[i], other.risk(rho), rtol=1e-12)
        np.testing.assert_allclose(run.penalty[i], 0.1 * np.sum(w * np.sum(z**2, 1)), rtol=1e-12)
        np.testing.assert_allclose(run.mean[i], w @ z, rtol=1e-12)
        np.testing.assert_allclose(run.second_moment[i], w @ z**2, rtol=1e-12)
        np.testing.assert_allclose(run.dissipation[i], np.sum(w * np.sum(gradient**2, 1)), rtol=1e-10)
        np.testing.assert_allclose(run.spread[i], z[:, 1:3].std(0), rtol=1e-12)


def test_what_is_observed_by_default() -> None:
    run = wl.evolve(_PROBLEM, _START, _FLOW, t1=1.0, save_at=_SAVE)
    assert set(run.observables) == {"risk", "penalty", "dissipation", "dissipated"}
    rough = wl.Problem(_PROBLEM.unit, _PROBLEM.data, penalty=wl.penalties.total_variation(0.1, "output"))
    assert [type(o).__name__ for o in observables.default(rough)] == ["Risk", "Penalty"]


def test_the_risk_on_fresh_samples_has_its_error() -> None:
    data = wl.data.GaussianClasses(1.0, 4.0, dim=2)
    problem = wl.Problem(_PROBLEM.unit, data)
    run = wl.evolve(
        problem,
        _START,
        wl.SGD(0.1, batch=4),
        t1=1.0,
        save_at=_SAVE,
        key=jax.random.key(1),
        observe=[observables.Risk(2000)],
    )
    assert set(run.observables) == {"risk", "risk_error", "tau"}
    x, y = data.batch(jax.random.key(77), 200_000)
    for i in range(len(run)):
        losses = 0.5 * (np.asarray(problem.predict(run[i], x)) - np.asarray(y)) ** 2
        assert run.risk_error[i] == pytest.approx(losses.std() / np.sqrt(2000), rel=0.2)
        assert abs(run.risk[i] - losses.mean()) < 4 * run.risk_error[i]


@pytest.mark.parametrize(
    ("observable", "problem", "name"),
    [
        (observables.RiskOn("other", wl.data.Samples(np.ones((2, 3)), np.ones(2))), _PROBLEM, "RiskOn"),
        (observables.RiskOn("other", wl.data.Samples(np.ones((2, 2)), np.ones((2, 2)))), _PROBLEM, "RiskOn"),
        (observables.RiskOn("other", wl.data.GaussianClasses(1.0, 1.0, dim=2)), _PROBLEM, "RiskOn"),
        (
            observables.Dissipation(),
            wl.Problem(_PROBLEM.unit, _PROBLEM.data, penalty=wl.penalties.total_variation(0.1, "output")),
            "Dissipation",
        ),
    ],
)
def test_what_cannot_be_observed(observable: Any, problem: wl.Problem, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        wl.evolve(problem, _START, wl.GradientFlow(), t1=1.0, observe=[observable])


@pytest.mark.parametrize(
    ("name", "beside"),
    [
        ("positions", []),
        ("risk", [observables.Risk()]),
        ("a", [observables.Function("a", _spread)]),
        ("times", []),
        ("dissipated", []),
    ],
)
def test_a_name_that_is_taken_is_refused(name: str, beside: Any) -> None:
    # Silently, one of the two would be lost.
    with pytest.raises(ValueError, match=name):
        wl.evolve(_PROBLEM, _START, _FLOW, t1=1.0, observe=[observables.Function(name, _spread), *beside])


def _not_a_number(problem: Any, measure: Any) -> Any:
    return jnp.nan * measure.mass


def test_an_observable_that_is_not_finite_is_named() -> None:
    # The run itself is sound: it goes on, or what stops it is named.
    try:
        run = wl.evolve(
            _PROBLEM,
            _START,
            _FLOW,
            t1=1.0,
            observe=[observables.Risk(), observables.Function("odd", _not_a_number)],
        )
    except ValueError as error:
        assert "odd" in str(error)  # noqa: PT017
    else:
        assert run.outcome is wl.Outcome.SUCCESS


@pytest.mark.parametrize("number", [float, np.asarray, lambda a: a.item(), lambda a: 1.0 if a > 0 else 0.0])
def test_a_function_that_wants_a_number_is_told_how(number: Any) -> None:
    own = observables.Function("own", lambda problem, measure: number(measure.mass))
    problem = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples([[1.0]], [1.0]))
    with pytest.raises(ValueError, match=r"observables.Function\('own'\): the function is compiled, where"):
        wl.evolve(problem, wl.Particles(np.ones((2, 3))), wl.GradientFlow(), t1=0.1, observe=[own])
