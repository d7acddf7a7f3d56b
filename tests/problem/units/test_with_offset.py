"""A trainable output bias: the mean of a block beside the unit moves as one number does."""

import jax
import numpy as np
import pytest

import widelimit as wl
from widelimit import data, mobilities, penalties, sampling, scales, units
from widelimit.problem.networks import TwoLayer

RNG = np.random.default_rng(2)
N, KAPPA, RATE, DECAY, STEP = 6, 3.0, 0.3, 0.2, 0.05
X = RNG.normal(size=(9, 2))
NEURON = units.Neuron(wl.activations.tanh)


def made(outputs: tuple[int, ...], spread: float) -> tuple[wl.Problem, wl.Particles, np.ndarray]:
    """A problem with output scale kappa, particles whose offsets have a spread, and its targets."""
    y = RNG.normal(size=(len(X), *outputs))
    problem = wl.Problem(
        units.WithOffset(NEURON),
        data.Samples(X, y),
        scale=scales.Power(1.0, 1.0 / KAPPA),
        mobility=mobilities.Diagonal(offset=RATE / KAPPA**2 / STEP),
        penalty=penalties.l2(DECAY * KAPPA**2, "offset"),
    )
    rows = RNG.normal(size=(N, problem.dim))
    size = int(np.prod(outputs, dtype=int))
    rows[:, -size:] = 0.4 + spread * (rows[:, -size:] - rows[:, -size:].mean(0))
    return problem, wl.Particles(rows, blocks=problem.blocks), y


@pytest.mark.parametrize("outputs", [(), (3,)])
def test_f_has_the_scaled_mean_of_the_block(outputs):
    problem, rho, y = made(outputs, 0.5)
    assert [block.name for block in problem.blocks] == ["output", "weight", "bias", "offset"]
    assert dict(problem.blocks)["offset"] == outputs
    c, w, b, a = (np.asarray(rho[name]) for name in ("output", "weight", "bias", "offset"))
    f = KAPPA * (np.einsum("n...,nq->q...", c, np.tanh(w @ X.T + b[:, None])) / N + a.mean(0))
    np.testing.assert_allclose(problem.predict(rho, X), f, rtol=1e-12)
    np.testing.assert_allclose(problem.risk(rho), 0.5 * np.mean(np.sum((f - y).reshape(9, -1) ** 2, 1)), rtol=1e-12)
    held = wl.Problem(TwoLayer(NEURON, KAPPA * a.mean(0)), data.Samples(X, y), scale=problem.scale)
    size = problem.dim - held.dim
    without = wl.Particles(rho.positions[:, :-size], blocks=held.blocks)
    np.testing.assert_allclose(held.predict(without, X), f, rtol=1e-12)


@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_the_bias_moves_by_gradient_descent_with_its_own_rate(spread):
    """b = kappa mean(a) with step s and mobility eta / (kappa^2 s); the decay of a is that of b, too."""
    problem, rho, y = made((), spread)
    bias = KAPPA * float(np.mean(rho["offset"]))
    bent = np.asarray(problem.predict(rho, X)) - bias
    frozen = wl.SGD(STEP, sampling=sampling.Full(), trainable="offset")
    end = wl.evolve(problem, rho, frozen, t1=5 * STEP).final
    for _ in range(5):
        bias -= RATE * (np.mean(bent + bias - y) + 2.0 * DECAY * bias)
    assert abs(bias - KAPPA * 0.4) > 0.1
    np.testing.assert_allclose(KAPPA * np.mean(end["offset"]), bias, rtol=1e-12)
    np.testing.assert_allclose(problem.predict(end, X), bent + bias, rtol=1e-11)


def test_what_it_knows():
    assert not units.WithOffset(NEURON).kinked
    assert units.WithOffset(units.Neuron(wl.activations.relu)).kinked
    assert units.WithOffset(NEURON).linear is None
    with pytest.raises(ValueError, match=r"WithOffset\(unit=...\): expected one of widelimit.units, got 'tanh'"):
        units.WithOffset("tanh")
    with pytest.raises(ValueError, match="WithOffset has a block 'offset' itself"):
        wl.Problem(units.WithOffset(units.WithOffset(NEURON)), data.Samples(X, X[:, 0]))


def test_the_kernel_of_a_bias_is_a_constant():
    """M(x, x') of the unit, and 1 for the bias (kappa = 1)."""
    from widelimit.kernels import tangent_kernel

    both = wl.Problem(units.WithOffset(NEURON), data.Samples(X, X[:, 0]))
    plain = wl.Problem(NEURON, data.Samples(X, X[:, 0]))
    rows = jax.random.normal(jax.random.key(0), (N, both.dim))
    found = tangent_kernel(both, wl.Particles(rows, blocks=both.blocks), X)
    alone = tangent_kernel(plain, wl.Particles(rows[:, :-1], blocks=plain.blocks), X)
    np.testing.assert_allclose(found, np.asarray(alone) + 1.0, rtol=1e-10)
