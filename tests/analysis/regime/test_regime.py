"""Kernel or adaptive: attractors against their formula, residual dynamics against differences, both verdicts."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit import integrators
from widelimit.analysis import attractors, regime, residual_dynamics

X = np.array([0.7, -0.9, 0.2, -0.4, 0.55])
Y = np.array([1.0, -1.0, 0.5, 0.3, -0.8])
LAW = wl.laws.product(r=wl.laws.Normal(0.0, 1.0), angle=wl.laws.Uniform(0.0, 2.0 * math.pi))
FULL = wl.problems.univariate_relu(X, Y)


@functools.cache
def run_of(delta):
    canon = wl.problems.canonical_relu(X, Y, delta=delta)
    start = canon.start(LAW, 60, key=jax.random.key(0))
    flow = wl.GradientFlow(integrators.Filippov(0.01))
    return canon, wl.evolve(canon, start, flow, t1=2.0, save_at=[1.0, 2.0])


def formula(f):
    """NOTATION: A and B of each sample and side; attractor, repulsor, crossing, outermost."""
    order = np.argsort(X)
    x, rho = X[order], (f - Y)[order]
    kinds = np.full((len(x), 2, 2), "crossing", dtype="<U9")
    for k in range(len(x)):
        for side, seen in enumerate((x > x[k], x < x[k])):
            a = np.sum(seen * rho * rho[k] * (1.0 + x * x[k]))
            b = rho[k] ** 2 * (1.0 + x[k] ** 2)
            for sign, c in enumerate((1.0, -1.0)):
                if not seen.any():
                    kinds[k, sign, side] = "outermost"
                elif -b < a < 0:
                    kinds[k, sign, side] = "attractor" if c * rho[k] > 0 else "repulsor"
    return kinds


@pytest.mark.first(1)
@pytest.mark.parametrize("delta", [0.5, None, math.inf])
def test_attractors_are_those_of_the_formula(delta):
    canon, run = run_of(delta)
    for measure in (run[0], run.final):
        found = attractors(canon, measure)
        np.testing.assert_array_equal(found.kinds, formula(np.asarray(canon.predict(measure, X))))
        np.testing.assert_array_equal(found.x, np.sort(X))
    assert {"attractor", "repulsor", "crossing"} <= set(found.kinds.ravel())


def test_who_sits_on_the_samples():
    canon, run = run_of(0.5)
    found = attractors(canon, run.final)
    u, v = np.cos(run.final["angle"]), np.sin(run.final["angle"])
    near = np.abs(-v / u - np.sort(X)[:, None]) <= 1e-6
    for sign, r in enumerate((1.0, -1.0)):
        for side, a in enumerate((1.0, -1.0)):
            those = (np.sign(run.final["r"]) == r) & (np.sign(u) == a)
            np.testing.assert_array_equal(found.knots[:, sign, side], (near & those).sum(1))
    assert found.knots.sum() >= int(run.sticking[-1]) > 5
    assert found.mass.sum() == pytest.approx(found.knots.sum() / 60)
    assert found.knots.sum() + found.others[0] == 60
    assert found.share == pytest.approx(found.knots.sum() / 60)
    # What has stuck sits where knots are drawn to, or out of sight.
    assert set(found.kinds[found.knots > 0]) <= {"attractor", "outermost", "crossing"}
    assert f"{found.knots.sum()} of 60 knots" in repr(found)
    full = attractors(FULL, canon.lift(run.final))
    np.testing.assert_array_equal(full.kinds, found.kinds)
    np.testing.assert_array_equal(full.knots, found.knots)
    wide = attractors(canon, run.final, tol=0.05)
    assert wide.knots.sum() > found.knots.sum()
    flat = attractors(FULL, wl.Particles(jnp.array([[1.0, 0.0, 1.0], [1.0, 1.0, -0.2]])))
    assert (flat.flat, flat.knots.sum()) == (1, 1)


@pytest.mark.parametrize("which", [0, -1])
def test_residual_dynamics_are_those_of_the_particles(which):
    canon, run = run_of(0.5)
    for problem, measure in ((canon, run[which]), (FULL, canon.lift(run[which]))):
        found = residual_dynamics(problem, measure)
        step = 1e-7
        moved = wl.evolve(problem, measure, wl.GradientFlow(integrators.Filippov(step)), t1=step, save_at=[step])
        rate = (problem.predict(moved.final, X) - problem.predict(measure, X)) / step
        np.testing.assert_allclose(found.rate, rate, atol=1e-6)
        np.testing.assert_allclose(found.rate, -(found.kernel @ found.dual), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(found.dual, np.asarray(problem.predict(measure, X)) - Y, rtol=1e-11, atol=1e-13)
        whole = np.asarray(wl.kernels.tangent_kernel(problem, measure, X))
        apart = whole - found.kernel
        if which == 0:
            np.testing.assert_allclose(apart, 0.0, atol=1e-13)
        else:
            # Those that slide have lost the motion across their rays.
            assert np.linalg.eigvalsh(apart).min() > -1e-12
            assert np.trace(apart) > 1e-3
        # (13), written out: the regions that see j, and what each of their samples contributes.
        ray = np.stack([X, np.ones(5)], axis=1)
        region = [
            sum(
                found.slopes[k, j] * ray[j] @ found.covariance[k] @ (found.slopes[k] * found.dual @ ray)
                for k in range(len(found.slopes))
            )
            for j in range(5)
        ]
        np.testing.assert_allclose(found.rate, -np.array(region), rtol=1e-10, atol=1e-12)


@pytest.mark.slow
def test_a_frozen_kernel_and_an_adaptive_end():
    canon, run = run_of(-math.inf)
    lazy = regime(canon, run)
    assert lazy.verdict == "kernel"
    assert lazy.kernel_change < 1e-12
    assert lazy.inner is None or lazy.inner == 0.0
    assert lazy.linear_gap < 0.01
    canon = wl.problems.canonical_relu(X, Y, delta=0.01)
    law = wl.laws.product(r=wl.laws.Normal(0.0, 0.1), angle=wl.laws.Uniform(0.0, 2.0 * math.pi))
    start = canon.start(law, 60, key=jax.random.key(0))
    run = wl.evolve(canon, start, wl.GradientFlow(integrators.Filippov(0.05)), t1=20.0, save_at=[1.0, 20.0])
    moved = regime(canon, run)
    assert moved.verdict == "adaptive"
    before, after = (np.asarray(wl.kernels.tangent_kernel(canon, m, X)) for m in (run[0], run.final))
    assert moved.kernel_change == pytest.approx(np.linalg.norm(after - before) / np.linalg.norm(before))
    turn = np.angle(np.exp(1j * np.asarray(run.final["angle"] - run[0]["angle"])))
    assert moved.inner == pytest.approx(np.sqrt(np.mean(turn**2)))
    r0, r1 = run[0]["r"], run.final["r"]
    assert moved.outer == pytest.approx(np.sqrt(np.sum((r1 - r0) ** 2) / np.sum(r0**2)))
    assert moved.balance.mean == pytest.approx(0.01)
    assert f"{moved.kernel_change:.2g}" in moved.sentence
    ends = regime(canon, run[0], run.final)
    assert ends.linear_gap is None
    assert (ends.kernel_change, ends.inner, ends.outer) == (moved.kernel_change, moved.inner, moved.outer)


@pytest.mark.slow
def test_any_network_of_any_dimension():
    """A wide tanh network at the scale of the tangent kernel is a kernel method; a small start in the mean is not."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 3)), rng.normal(size=12)
    wide = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(x, y), scale=wl.scales.Power(0.5))
    run = wl.evolve(
        wide, wl.Particles(rng.normal(size=(4000, 5))), wl.GradientFlow(), t1=1.0 / 4000**0.5, save_at=[0.01]
    )
    found = regime(wide, run)
    assert found.balance is None
    assert found.verdict == "kernel"
    assert found.linear_gap < 0.1
    relu = wl.Problem(wl.units.Neuron(wl.activations.relu), wl.data.Samples(x, y))
    start = wl.Particles(0.5 * rng.normal(size=(100, 5)))
    run = wl.evolve(relu, start, wl.GradientFlow(integrators.RungeKutta4(0.02)), t1=10.0, save_at=[10.0])
    found = regime(relu, run)
    assert found.verdict == "adaptive"
    rows = np.asarray(start.positions)
    delta = rows[:, 0] ** 2 - np.sum(rows[:, 1:] ** 2, axis=1)
    assert found.balance.mean == pytest.approx(delta.mean())
    assert found.balance.deviation == pytest.approx(delta.std())
    assert (found.balance.least, found.balance.most) == pytest.approx((delta.min(), delta.max()))
    assert found.balance.drift < 1e-2
    outer = wl.evolve(relu, start, wl.GradientFlow(trainable="output"), t1=10.0, save_at=[10.0])
    assert regime(relu, outer, trainable="output").verdict == "kernel"
    assert regime(relu, outer).balance.drift > 0.1


def test_the_degree_of_an_activation_divides():
    """phi~ of degree 2: c^2 - (|w|^2 + b^2)/2 is what the flow keeps."""
    rng = np.random.default_rng(1)
    problem = wl.Problem(
        wl.units.Neuron(wl.activations.quadratic), wl.data.Samples(rng.normal(size=(8, 2)), rng.normal(size=8))
    )
    start = wl.Particles(0.5 * rng.normal(size=(20, 4)))
    run = wl.evolve(problem, start, wl.GradientFlow(integrators.Tsit5(1e-10, 1e-12)), t1=1.0, save_at=[1.0])
    found = regime(problem, run)
    assert found.balance.drift < 1e-8
    assert found.outer > 1e-3


def test_what_is_refused():
    canon, run = run_of(0.5)
    with pytest.raises(ValueError, match="the start has 60 particles, the end 3"):
        regime(canon, run[0], canon.start(LAW, 3, key=jax.random.key(0)))
    with pytest.raises(ValueError, match="got NoneType"):
        regime(canon, run[0])
    with pytest.raises(ValueError, match="a trajectory has its end"):
        regime(canon, run, run.final)
    with pytest.raises(ValueError, match="tol"):
        attractors(canon, run.final, tol=-1.0)
    smooth = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(X, Y))
    with pytest.raises(ValueError, match="attractors follows piecewise-linear neurons"):
        attractors(smooth, wl.Particles(jnp.ones((2, 3))))
    with pytest.raises(ValueError, match="residual_dynamics follows"):
        residual_dynamics(smooth, wl.Particles(jnp.ones((2, 3))))
