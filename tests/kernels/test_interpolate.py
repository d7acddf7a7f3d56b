"""Interpolants, ridge regression and early stopping: against linear algebra, the flow itself, splines; bad input."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, strategies as st

import widelimit as wl
from widelimit import laws
from widelimit.kernels import interpolate, neural_tangent, random_features

RELU = wl.units.Neuron(wl.activations.relu)
SIGNS = laws.Empirical(np.array([[-1.0], [1.0]]))
SPLINE = random_features(RELU, laws.product(weight=SIGNS, bias=laws.Uniform(-1.0, 1.0)))
PLANE = random_features(RELU, laws.Normal(0.0, 1.0, dim=3))
X, Y = np.array([0.5, -0.9, 0.1, 0.75, -0.3]), np.array([1.0, -1.0, 0.5, 0.2, -0.7])
EPS = float(np.finfo(float).eps)


def table(kernel, x):
    return np.asarray(kernel(x, x))


@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize("time", [0.0, 0.7, 30.0, math.inf])
def test_it_is_the_flow_stopped(ridge, time):
    """alpha' = y - (K + ridge) alpha by one exponential of the augmented matrix; the limit by a solve."""
    for kernel, x in [(SPLINE, X), (PLANE, np.random.default_rng(0).normal(size=(5, 2)))]:
        f = interpolate(kernel, x, Y, ridge=ridge, time=time)
        k = table(kernel, x) + ridge * np.eye(5)
        if time == math.inf:
            alpha = np.linalg.solve(k, Y)
        else:
            generator = np.block([[-k, Y[:, None]], [np.zeros((1, 6))]])
            alpha = (scipy.linalg.expm(generator * time) @ np.eye(6)[5])[:5]
        # Conditions are below 1e4.
        np.testing.assert_allclose(f.coefficients, alpha, rtol=1e-11, atol=1e-13)
        assert float(f.norm_squared) == pytest.approx(alpha @ table(kernel, x) @ alpha, rel=1e-10)
        new = X[:3] + 0.05 if kernel is SPLINE else x[:3] + 0.05
        np.testing.assert_allclose(f(new), np.asarray(kernel(new, x)) @ alpha, rtol=1e-10)


def test_the_function_space_flow():
    """g' = -K (g - y) on the samples: g = (1 - e^(-K t)) y."""
    g = interpolate(SPLINE, X, Y, time=2.0)(X)
    np.testing.assert_allclose(g, Y - scipy.linalg.expm(-2.0 * table(SPLINE, X)) @ Y, atol=1e-13)


def test_an_interpolant():
    f = interpolate(SPLINE, X, Y)
    np.testing.assert_allclose(f(X), Y, atol=100 * EPS * f.condition)
    values = np.linalg.eigvalsh(table(SPLINE, X))
    assert f.condition == pytest.approx(values[-1] / values[0], rel=1e-9)
    assert float(f.norm_squared) == pytest.approx(Y @ np.linalg.solve(table(SPLINE, X), Y), rel=1e-11)
    assert f.error == pytest.approx(f.condition * np.linalg.norm(SPLINE.error(X, X)) / values[-1], rel=1e-6)
    assert f(0.0).shape == ()
    assert f(X[:, None]).shape == f(X).shape == (5,)
    assert float(f(0.3)) == pytest.approx(float(f(np.array([0.3]))[0]), rel=1e-14)
    assert jax.jit(lambda x: f(x))(jnp.asarray(0.3)) == pytest.approx(float(f(0.3)), rel=1e-13)


def test_the_condition_of_an_early_stop():
    """Factors (1 - e^(-s t))/s fall with s: the largest belongs to the least eigenvalue."""
    values = np.linalg.eigvalsh(table(SPLINE, X)) + 0.1
    factors = -np.expm1(-3.0 * values) / values
    f = interpolate(SPLINE, X, Y, ridge=0.1, time=3.0)
    assert f.condition == pytest.approx(factors[0] / factors[-1], rel=1e-9)
    assert interpolate(SPLINE, X, Y, time=0.0).condition == 1.0


@given(st.permutations(range(5)))
def test_the_order_of_samples_does_not_matter(order):
    f, g = interpolate(SPLINE, X, Y), interpolate(SPLINE, X[list(order)], Y[list(order)])
    np.testing.assert_allclose(g(np.linspace(-1, 1, 7)), f(np.linspace(-1, 1, 7)), atol=1e-11)


def test_least_norm():
    """Any function of the space through the samples, here one that passes through another point too, has more."""
    f = interpolate(SPLINE, X, Y)
    for value in (-1.0, float(f(0.3)), 2.0):
        more = interpolate(SPLINE, np.append(X, 0.3), np.append(Y, value))
        assert float(more.norm_squared) >= float(f.norm_squared) * (1 - 1e-10)
    assert float(more.norm_squared) > 2.0 * float(f.norm_squared)


def test_equal_positions():
    f = interpolate(SPLINE, X, Y)
    twice = interpolate(SPLINE, np.append(X, X[:2]), np.append(Y, Y[:2]))
    assert twice.x.shape == (5, 1)
    assert float(twice.norm_squared) == pytest.approx(float(f.norm_squared), rel=1e-12)
    with pytest.raises(ValueError, match=r"samples 1 and 6 are both at x = -0.9 and have the labels -1 and 3"):
        interpolate(SPLINE, np.append(X, [0.2, -0.9]), np.append(Y, [0.0, 3.0]))
    with pytest.raises(ValueError, match=r"samples 0 and 1 are both at x = \[1, -2\] and"):
        interpolate(PLANE, [[1.0, -2.0], [1.0, -2.0]], [0.0, 3.0])
    # With a ridge labels are averaged: two samples at one place are one of half the ridge.
    both = interpolate(SPLINE, [0.3, 0.3], [1.0, 3.0], ridge=0.2)
    assert float(both(0.5)) == pytest.approx(float(interpolate(SPLINE, [0.3], [2.0], ridge=0.1)(0.5)), rel=1e-12)
    assert math.isfinite(float(interpolate(SPLINE, [0.3, 0.3], [1.0, 3.0], time=5.0)(0.5)))


def test_a_singular_matrix_is_refused_by_name():
    """Two samples that rounding cannot tell apart; and one where no neuron is active."""
    x = np.append(X, X[2] + 1e-12)
    with pytest.raises(ValueError, match=r"null vectors: 2 \(x = 0.1\), 5 \(x = 0.1\)\. Leave"):
        interpolate(SPLINE, x, np.append(Y, 0.5))
    one_sided = random_features(RELU, laws.product(weight=laws.Atom(1.0), bias=laws.Uniform(-1.0, 0.0)))
    with pytest.raises(ValueError, match=r"null vectors: 1 \(x = -0.9\), 4 \(x = -0.3\)\."):
        interpolate(one_sided, X, Y)
    with pytest.raises(ValueError, match="shorter time"):
        interpolate(one_sided, X, Y, time=1e20)
    # A matrix of rank 2 through 12 samples: all of them are in null vectors, and eight are named.
    two = random_features(RELU, laws.product(weight=SIGNS, bias=laws.Atom(2.0)))
    with pytest.raises(ValueError, match="and 4 more"):
        interpolate(two, np.linspace(-1, 1, 12), np.zeros(12))


def test_a_ridge_or_a_stop_makes_a_singular_matrix_regular():
    one_sided = random_features(RELU, laws.product(weight=laws.Atom(1.0), bias=laws.Uniform(-1.0, 0.0)))
    for f in (interpolate(one_sided, X, Y, ridge=1e-3), interpolate(one_sided, X, Y, time=10.0)):
        assert float(f(-0.9)) == 0.0
        assert np.all(np.isfinite(f.coefficients))
    # At dead samples alone nothing is learned.
    assert float(interpolate(one_sided, [-0.9, -0.3], [1.0, 2.0], ridge=0.1)(0.5)) == 0.0
    assert interpolate(one_sided, [-0.9, -0.3], [1.0, 2.0], ridge=0.1).error == 0.0
    # Where nothing moves, alpha grows as t y.
    assert float(interpolate(one_sided, X, Y, time=10.0).coefficients[1]) == pytest.approx(-10.0)
    with pytest.raises(ValueError, match="singular"):
        interpolate(one_sided, X, Y, ridge=1e-18)


def test_the_tangent_kernel_interpolates_in_any_dimension():
    x = np.random.default_rng(2).normal(size=(8, 4))
    y = np.sin(x.sum(axis=1))
    law = laws.product(output=laws.Normal(0.0, 1.0), weight=laws.Normal(0.0, 0.5, dim=4), bias=laws.Normal(0.0, 0.5))
    f = interpolate(neural_tangent(RELU, law), x, y)
    np.testing.assert_allclose(f(x), y, atol=100 * EPS * f.condition)
    assert f(x[:3]).shape == (3,)


def test_nodes_count_in_the_error():
    smooth = random_features(wl.units.Neuron(wl.activations.tanh), laws.Normal(0.0, 1.0, dim=2), nodes=64)
    f = interpolate(smooth, [0.0, 1.0], [1.0, -1.0])
    assert f.error > 1e-8


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: interpolate(SPLINE, [], []), "at least one sample"),
        (lambda: interpolate(SPLINE, X, Y[:3]), r"expected one label a sample, \(5,\); got \(3,\)"),
        (lambda: interpolate(SPLINE, 0.3, 1.0), "one label a sample"),
        (lambda: interpolate(SPLINE, X, Y[:, None]), "one label a sample"),
        (lambda: interpolate(SPLINE, X, np.where(Y > 0, np.nan, Y)), r"interpolate\(y=...\): must be finite"),
        (lambda: interpolate(SPLINE, np.where(Y > 0, np.inf, X), Y), r"interpolate\(x=...\): must be finite"),
        (lambda: interpolate(PLANE, X, Y), r"interpolate\(x=...\): expected \[n, 2\]"),
        (lambda: interpolate(SPLINE, X, Y, ridge=-1.0), r"interpolate\(ridge=...\): .* at least 0"),
        (lambda: interpolate(SPLINE, X, Y, time=-1.0), r"interpolate\(time=...\): .* at least 0"),
        (lambda: interpolate(SPLINE, X, Y, time=np.nan), r"interpolate\(time=...\)"),
        (lambda: interpolate(SPLINE, np.arange(9000.0), np.zeros(9000)), "at most 8192"),
    ],
)
def test_bad_input(build, words):
    with pytest.raises(ValueError, match=words):
        build()
