"""Canonical parameters of univariate ReLU neurons: maps both ways, metrics, limits, and what is refused."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit.problem.units._canonical import lifted, turned

X, Y = np.linspace(-0.9, 0.9, 6), np.array([1.0, -1.0, 0.5, 0.2, -0.7, 0.9])
LAW = wl.laws.product(r=wl.laws.Normal(0.0, 1.0), angle=wl.laws.Uniform(0.0, 2.0 * math.pi))


def _full(rng, n=40):
    return wl.Particles(rng.normal(size=(n, 3)), rng.dirichlet(np.ones(n)))


@pytest.mark.parametrize("scale", [None, wl.scales.Power(0.5, 0.3)])
def test_maps_both_ways_keep_the_function(scale):
    rng = np.random.default_rng(0)
    full = wl.problems.univariate_relu(X, Y, scale=scale)
    canon = wl.problems.canonical_relu(X, Y, delta=1.0, scale=scale)
    rho = full.pack(*full.unpack(_full(rng)))
    small = canon.project(rho)
    np.testing.assert_allclose(canon.predict(small, X), full.predict(rho, X), rtol=1e-13)
    k = 1.0 if scale is None else 40**0.5 / 0.3
    c, a, b = np.asarray(rho.positions).T
    np.testing.assert_allclose(small["r"], k * c * np.hypot(a, b), rtol=1e-13)
    np.testing.assert_allclose(small["delta"], k * (c**2 - a**2 - b**2), rtol=1e-13)
    np.testing.assert_allclose(np.exp(1j * np.asarray(small["angle"])), (a + 1j * b) / np.hypot(a, b), rtol=1e-13)
    assert np.all((small["angle"] >= 0) & (small["angle"] < 2 * np.pi))
    np.testing.assert_allclose(canon.lift(small).positions, rho.positions, rtol=1e-11)
    assert canon.lift(small).weights.tolist() == rho.weights.tolist()


@pytest.mark.parametrize("scale", [None, wl.scales.Power(0.5, 0.3)])
def test_the_canonical_velocity_is_that_of_the_full_weights(scale):
    """Proposition 4, another output scale alpha(m) included: time is then multiplied by m/alpha."""
    rng = np.random.default_rng(1)
    full = wl.problems.univariate_relu(X, Y, scale=scale)
    canon = wl.problems.canonical_relu(X, Y, delta=1.0, scale=scale)
    rho = full.pack(*full.unpack(_full(rng)))
    (theta, w), (small, _) = full.unpack(rho), canon.unpack(canon.project(rho))
    v = full.velocity(theta, full.variation(theta, w).gradient)
    moved, k = canon.velocity(small, canon.variation(small, w).gradient), 1.0 if scale is None else 40**0.5 / 0.3
    c, a, b = theta.output, theta.weight[:, 0], theta.bias
    size = np.hypot(a, b)
    radial = k * (v.output * size + c * (a * v.weight[:, 0] + b * v.bias) / size)
    np.testing.assert_allclose(k * moved.r, radial, rtol=1e-10)
    np.testing.assert_allclose(k * moved.angle, (a * v.bias - b * v.weight[:, 0]) / size**2, rtol=1e-10, atol=1e-13)
    assert not np.any(moved.delta)


def test_every_strength_and_delta_lifts():
    r = np.concatenate([[0.0, 0.0, 0.0], 10.0 ** np.linspace(-150, 150, 61), -(10.0 ** np.linspace(-9, 9, 19))])
    for delta in (-1e8, -3.0, -1e-9, 0.0, 1e-9, 3.0, 1e8):
        c, length = (np.asarray(part) for part in lifted(jnp.array(r), jnp.full(len(r), delta)))
        np.testing.assert_allclose(c * length, r, rtol=1e-14, atol=0)
        larger = np.maximum(c**2, length**2)
        assert np.all(np.abs(c**2 - length**2 - delta) <= 1e-15 * larger * 4)
        assert np.all(length >= 0)
        assert c[0] == math.sqrt(max(delta, 0.0))
        assert length[0] == pytest.approx(math.sqrt(max(-delta, 0.0)), rel=1e-15, abs=0)


def test_infinite_delta_is_the_limit_of_large_ones():
    canon = {d: wl.problems.canonical_relu(X, Y, delta=d) for d in (-1e9, -math.inf, 1e9, math.inf)}
    start = canon[1e9].start(LAW, 20, key=jax.random.key(0))
    assert canon[math.inf].start(LAW, 20, key=jax.random.key(0)).dim == 2
    for sign in (-1.0, 1.0):
        theta, w = canon[sign * 1e9].unpack(start)
        theta = theta._replace(delta=jnp.full(20, sign * 1e9))
        g = canon[sign * 1e9].variation(theta, w).gradient
        finite = canon[sign * 1e9].velocity(theta, g)
        limit, w = canon[sign * math.inf].unpack(wl.Particles(start.positions[:, :2]))
        g = canon[sign * math.inf].variation(limit, w).gradient
        limit = canon[sign * math.inf].velocity(limit, g)
        np.testing.assert_allclose(finite.r / 1e9, limit.r, rtol=1e-8)
        np.testing.assert_allclose(finite.angle / 1e9, limit.angle, rtol=1e-8, atol=1e-8)


@pytest.mark.slow
def test_at_rest():
    """delta >= 0 and r = 0: a = b = 0, where nothing moves; delta < 0: r passes through 0."""
    for delta, moves in ((2.0, False), (0.0, False), (-2.0, True)):
        canon = wl.problems.canonical_relu(X, Y, delta=delta)
        theta, w = canon.unpack(canon.start(wl.laws.Empirical(jnp.array([[0.0, 0.5], [1.0, 2.0]])), 2))
        v = canon.velocity(theta, canon.variation(theta, w).gradient)
        assert np.all(np.isfinite(v.r))
        assert np.all(np.isfinite(v.angle))
        assert bool(v.r[0] != 0) is moves
        assert v.angle[0] == 0.0
        slope = jax.jacfwd(lambda th, p=canon, w=w: p.velocity(th, p.variation(th, w).gradient).r)(theta)
        assert all(np.all(np.isfinite(part)) for part in slope)


def test_angles_turn_by_less_than_half_a_turn():
    angle = jnp.array([0.1, 6.2, 3.0, 1.0])
    w = jnp.array([[1.0, -0.2], [1.0, 0.3], [-2.0, -0.1], [0.0, 0.0]])
    found = np.array(jax.vmap(turned)(angle, w))
    true = np.unwrap(np.stack([np.asarray(angle), np.arctan2(*np.asarray(w).T[::-1])]), axis=0)[1]
    np.testing.assert_allclose(found[:3], true[:3], rtol=1e-14)
    assert found[3] == 1.0


def test_starts():
    atoms = wl.laws.Empirical(jnp.array([[1.0, 0.5], [-2.0, 3.0]]))
    canon = wl.problems.canonical_relu(X, Y, delta=[1.0, -4.0])
    start = canon.start(atoms, 2)
    assert start.positions.tolist() == [[1.0, 0.5, 1.0], [-2.0, 3.0, -4.0]]
    assert canon.start(start, 2).positions.tolist() == start.positions.tolist()
    assert wl.problems.canonical_relu(X, Y).start(atoms).dim == 2
    full = wl.problems.univariate_relu(X, Y)
    law = wl.laws.product(**{name: wl.laws.Normal(0.0, 1.0) for name in ("output", "weight", "bias")})
    assert len(full.start(law, width=7, key=jax.random.key(0))) == 7


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: wl.problems.canonical_relu(X, Y, delta=[1.0, math.inf]), "finite and infinite delta together"),
        (lambda: wl.problems.canonical_relu(X, Y, delta=[-math.inf, math.inf]), "take all finite"),
        (lambda: wl.problems.canonical_relu(X, Y, delta=math.nan), "one number a neuron"),
        (lambda: wl.problems.canonical_relu(np.ones((3, 2)), np.ones(3), delta=1.0), "expected one input"),
        (lambda: wl.problems.canonical_relu([], [], delta=1.0), "n, d >= 1"),
        (
            lambda: wl.problems.canonical_relu(X, Y, delta=[1.0, 2.0]).start(LAW, 3, key=jax.random.key(0)),
            "has 2 deltas",
        ),
        (lambda: wl.problems.canonical_relu(X, Y, delta=1.0).start(LAW, 3), "sampled with a key"),
        (lambda: wl.problems.canonical_relu(X, Y, delta=1.0).start(3.0, 3), "one of widelimit.laws"),
        (
            lambda: wl.problems.canonical_relu(X, Y, delta=math.inf).start(wl.laws.Empirical(jnp.array([[0.0, 1.0]]))),
            "1 neurons start at r = 0",
        ),
        (lambda: wl.problems.canonical_relu(X, Y).lift(wl.Particles(jnp.ones((1, 2)))), "flat metric has no delta"),
        (
            lambda: wl.problems.canonical_relu(X, Y, delta=math.inf).lift(wl.Particles(jnp.ones((1, 2)))),
            "delta = inf has no full weights",
        ),
        (lambda: wl.problems.canonical_relu(X, Y, delta=1.0).project(LAW), "sample or quantise"),
        (
            lambda: wl.Problem(wl.units.FreeKnot(), wl.data.Samples(X, Y), mobility=wl.mobilities.Lifted()),
            "is for units.CanonicalReLU",
        ),
        (lambda: wl.problems.canonical_relu(X, Y, delta=1.0).log_volume(None), "no temperature"),
    ],
)
def test_what_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_walls_and_a_metric_that_is_not_constant():
    with pytest.raises(ValueError, match="walls and spheres"):
        wl.Problem(
            wl.units.CanonicalReLU(),
            wl.data.Samples(X, Y),
            mobility=wl.mobilities.Lifted(),
            domain=wl.domains.product(r=wl.domains.Box(-1.0, 1.0)),
        )
