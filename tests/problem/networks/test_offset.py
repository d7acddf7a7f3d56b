"""The constant that a two-layer network adds to f: the output bias of a trained network."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit import activations, data, losses, units
from widelimit.analysis import optimality_gap, stationarity
from widelimit.problem.networks import TwoLayer

RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(30, 2)), RNG.normal(size=30)
ROWS = RNG.normal(size=(5, 4))
OFFSET = 0.7


def problem(activation=activations.tanh, offset: Any = OFFSET, y=Y, x=X, loss=None) -> wl.Problem:
    return wl.Problem(TwoLayer(units.Neuron(activation), offset), data.Samples(x, y), loss)


def of(p: wl.Problem) -> wl.Particles:
    return wl.Particles(ROWS[:, : p.dim], blocks=p.blocks)


@pytest.mark.parametrize("loss", [losses.squared(), losses.huber(0.5)])
def test_a_problem_with_an_offset_is_that_of_the_shifted_loss(loss):
    with_offset = problem(loss=loss)
    plain = problem(offset=None, y=Y - OFFSET, loss=loss)
    rho = of(plain)
    np.testing.assert_allclose(with_offset.predict(rho, X), plain.predict(rho, X) + OFFSET, rtol=1e-12)
    theta, w = plain.unpack(rho)
    for a, b in zip(
        jax.tree.leaves(with_offset.variation(theta, w)), jax.tree.leaves(plain.variation(theta, w)), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
    places = RNG.normal(size=(3, 4))
    np.testing.assert_allclose(with_offset.potential(rho)(places), plain.potential(rho)(places), rtol=1e-10)


def test_a_kinked_unit_of_one_input_keeps_its_offset():
    x = np.linspace(-1.0, 1.0, 30)
    p = problem(activations.relu, x=x)
    rho = of(p)
    c, a, b = (np.asarray(rho[name]) for name in ("output", "weight", "bias"))
    f = OFFSET + np.mean(c[:, None] * np.maximum(a * x + b[:, None], 0.0), axis=0)
    np.testing.assert_allclose(p.predict(rho, x), f, rtol=1e-12)
    np.testing.assert_allclose(p.risk(rho), 0.5 * np.mean((f - Y) ** 2), rtol=1e-12)
    with pytest.raises(ValueError, match="takes no offset"):
        wl.evolve(p, rho, wl.GradientFlow(integrator=wl.integrators.Filippov(step=0.01)), t1=0.1)


@pytest.mark.slow
def test_what_is_said_of_the_minimum_is_that_of_the_shifted_targets():
    with_offset, plain = problem(), problem(offset=None, y=Y - OFFSET)
    rho = of(plain)
    found, known = (optimality_gap(p, rho, starts=8, max_seconds=20.0) for p in (with_offset, plain))
    np.testing.assert_allclose([found.gap, found.lower, found.upper], [known.gap, known.lower, known.upper], rtol=1e-6)
    a, b = (wl.minimise(p, budget=0.5, starts=8, tolerance=1e-6, max_seconds=20.0) for p in (with_offset, plain))
    np.testing.assert_allclose(a.objective, b.objective, rtol=1e-6)
    np.testing.assert_allclose(stationarity(with_offset, rho).dissipation, stationarity(plain, rho).dissipation)


def test_several_outputs_have_an_offset_each():
    y = RNG.normal(size=(30, 2))
    p = problem(offset=[1.0, -2.0], y=y)
    rho = wl.Particles(RNG.normal(size=(5, p.dim)), blocks=p.blocks)
    z = np.tanh(np.asarray(rho["weight"]) @ X.T + np.asarray(rho["bias"])[:, None])
    np.testing.assert_allclose(p.predict(rho, X), z.T @ np.asarray(rho["output"]) / 5 + [1.0, -2.0], rtol=1e-12)


@pytest.mark.slow
def test_the_expansion_around_the_limit_knows_the_offset():
    law = wl.laws.Normal(0.0, 1.0, dim=4)
    options = {"width": 20, "t1": 0.2, "save_at": [0.0, 0.2], "particles": 16, "draws": 20, "networks": 0}
    a, b = (
        wl.predict(p, law, key=jax.random.key(0), **options) for p in (problem(), problem(offset=None, y=Y - OFFSET))
    )
    np.testing.assert_allclose(a.mean, b.mean, rtol=1e-6)


@pytest.mark.parametrize("offset", [[1.0, 2.0], np.nan])
def test_what_is_no_offset_is_refused(offset):
    with pytest.raises(ValueError, match=r"TwoLayer\(offset=...\)"):
        problem(offset=offset)


def test_another_offset_compiles_nothing_anew():
    seen = []

    @jax.jit
    def risk(offset):
        seen.append(1)
        return problem(offset=offset).risk(of(problem()))

    risk(jnp.asarray(0.1))
    risk(jnp.asarray(0.2))
    assert len(seen) == 1
