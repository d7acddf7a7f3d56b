"""(2.37) along runs: both sides of each state, the run's own increments, and (2.39)."""

import re
from typing import Any

import jax
import numpy as np
import pytest

import widelimit as wl
from widelimit.analysis import function_space

_RNG = np.random.default_rng(5)
_X = _RNG.normal(size=(7, 2))
_Y = np.sign(_X[:, 0])
_DATA = wl.data.Samples(_X, _Y, weights=np.linspace(1.0, 2.0, 7))
_MU = np.asarray(_DATA.weights)
_START = wl.Particles(_RNG.normal(size=(6, 3)), np.linspace(0.1, 0.2, 6) / np.linspace(0.1, 0.2, 6).sum())
_NEURON = wl.units.Neuron(wl.activations.tanh, bias=False)
_GENERAL = wl.Problem(
    _NEURON,
    _DATA,
    wl.losses.logistic(),
    mobility=wl.mobilities.Diagonal(output=2.0, weight=0.5),
    scale=wl.scales.Power(0.5),
)
_TIMES = np.linspace(0.0, 1.0, 21)


def test_the_paper_s_kernel_and_both_sides() -> None:
    problem = wl.Problem(_NEURON, _DATA)
    run = wl.evolve(problem, _START, wl.GradientFlow(), t1=1.0, save_at=[0.0, 0.5, 1.0])
    found = function_space(problem, run)
    for i in range(3):
        c, w = run.positions[i][:, 0], run.positions[i][:, 1:]
        hidden = np.tanh(w @ _X.T)
        slope = (c[:, None] * (1.0 - hidden**2))[:, :, None] * _X
        m = np.einsum("i,iqd,ird->qr", run.weights[i], slope, slope) + np.einsum(
            "i,iq,ir->qr", run.weights[i], hidden, hidden
        )
        np.testing.assert_allclose(found.kernel(i), m, atol=1e-13)
        f = (run.weights[i] * c) @ hidden
        np.testing.assert_allclose(found.prediction[i], f, atol=1e-13)
        np.testing.assert_allclose(found.driven[i], -m @ (_MU * (f - _Y)), atol=1e-13)
        # (2.39), its right-hand side.
        r = _MU * (f - _Y)
        direct = run.weights[i] @ (np.sum((slope.transpose(0, 2, 1) @ r) ** 2, axis=1) + (hidden @ r) ** 2)
        assert found.fall[i] == pytest.approx(direct, rel=1e-12)
    assert np.max(found.difference) < 1e-13


def test_any_loss_mobility_and_scale() -> None:
    run = wl.evolve(_GENERAL, _START, wl.GradientFlow(), t1=1.0, save_at=_TIMES)
    found = function_space(_GENERAL, run)
    assert np.max(found.difference) < 1e-13
    # The run's tolerance (1e-6) and the spline of 20 pieces.
    assert np.max(found.defect) < 1e-5
    assert np.min(found.eigenvalues(4)) > -1e-14
    assert np.min(found.eigenvalues(4)[-1]) > 0.1
    # d risk / d tau = -fall, by central differences of the run.
    slope = (run.risk[2:] - run.risk[:-2]) / 0.1
    np.testing.assert_allclose(-slope, found.fall[1:-1], rtol=5e-3)
    np.testing.assert_array_equal(found.times, _TIMES)


def test_a_schedule_sets_the_clock() -> None:
    xi = wl.schedules.piecewise([0.3, 0.6], [1.0, 0.0, 2.0])
    run = wl.evolve(_GENERAL, _START, wl.GradientFlow(schedule=xi), t1=1.0, save_at=np.linspace(0.0, 1.0, 41))
    found = function_space(_GENERAL, run, schedule=xi)
    np.testing.assert_allclose(found.times[[0, 12, 20, 40]], [0.0, 0.3, 0.3, 1.1], atol=1e-12)
    assert np.max(found.defect) < 1e-5
    assert np.max(function_space(_GENERAL, run).defect) > 0.1


def test_sgd_has_its_noise_in_the_defect() -> None:
    ran = wl.evolve(_GENERAL, _START, wl.SGD(0.05, batch=1), t1=1.0, save_at=_TIMES, key=jax.random.key(0))
    found = function_space(_GENERAL, ran)
    assert np.max(found.difference) < 1e-13
    assert 1e-3 < np.max(found.defect) < 1.0


def test_vector_outputs_and_a_single_save() -> None:
    problem = wl.Problem(_NEURON, wl.data.Samples(_X, np.stack([_Y, _X[:, 1]], axis=1)))
    start = wl.Particles(_RNG.normal(size=(4, 4)))
    run = wl.evolve(problem, start, wl.GradientFlow(), t1=0.2, save_at=[0.0, 0.2])
    found = function_space(problem, run)
    assert found.kernel(-1).shape == (7, 2, 7, 2)
    assert found.driven.shape == (2, 7, 2)
    assert np.max(found.difference) < 1e-13
    assert len(found.eigenvalues(0)) == 14


def test_what_it_refuses() -> None:
    run: Any = wl.evolve(_GENERAL, _START, wl.GradientFlow(), t1=0.1, save_at=[0.0, 0.1])
    walls = wl.domains.product(output=wl.domains.Box(-9.0, 9.0))
    for problem, said in (
        (wl.Problem(_NEURON, _DATA, penalty=wl.penalties.l2(0.1)), "with a penalty"),
        (wl.Problem(_NEURON, _DATA, domain=walls), "with a domain with walls"),
        (wl.Problem(_NEURON, wl.data.Samples(np.zeros((4097, 2)), np.zeros(4097))), "at most 4096 nodes"),
        (wl.Problem(_NEURON, wl.data.GaussianClasses(1.0, 1.0, dim=2)), "needs data with nodes"),
    ):
        with pytest.raises(ValueError, match=re.escape(said)):
            function_space(problem, run)
    with pytest.raises(ValueError, match=re.escape("FunctionSpace.kernel(index=...)")):
        function_space(_GENERAL, run).kernel(2)
