"""Data: samplers against the moments they state, nodes, quadratures, teachers, what they refuse."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from widelimit import Particles, Problem, activations as acts, data, laws, units

KEY = jax.random.key(3)
N = 20_000
MATRIX = np.array([[2.0, 0.6, 0.0], [0.6, 1.0, -0.3], [0.0, -0.3, 0.5]])


def first(x):
    return x[0]


def assert_moments(x, mean, covariance):
    """Mean and covariance within 5 standard errors, entry by entry."""
    x, mean, covariance = np.asarray(x), np.broadcast_to(mean, x.shape[1:]), np.asarray(covariance)
    variance = np.diag(covariance)
    assert np.all(np.abs(x.mean(axis=0) - mean) <= 5 * np.sqrt(variance / len(x)))
    error = np.sqrt((np.outer(variance, variance) + covariance**2) / len(x))
    assert np.all(np.abs((x - mean).T @ (x - mean) / len(x) - covariance) <= 5 * error)


SAMPLERS = {
    "gaussian": data.GaussianClasses(1.5, 0.5, dim=3),
    "gaussian-full": data.GaussianClasses(MATRIX, np.array([1.0, 2.0, 3.0]), mean_plus=1.0, fraction=0.3),
    "sphere": data.uniform_sphere(3, first, radius=2.0),
    "box": data.uniform_box(2, first, lower=-1.0, upper=3.0),
    "law": data.FromLaw(laws.Normal(1.0, 0.5, dim=2), lambda x: x * x),
    "key": data.FromKey(lambda key: (jax.random.uniform(key, (2,)), jnp.ones(()))),
    "samples": data.Samples(np.arange(10.0), np.arange(10.0) ** 2),
    "weighted": data.Samples(np.eye(4), np.eye(4), [0.1, 0.0, 0.5, 0.4]),
    "quadrature": data.gauss_hermite(4, first, dim=2),
    "interval": data.Interval(lambda x: x**2, -1.0, 2.0),
}
every = pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS.keys())


@every
def test_a_batch_is_a_function_of_the_key(sampler):
    x, y = sampler.batch(KEY, 6)
    assert (x.shape, y.shape) == ((6, sampler.inputs), (6, *sampler.outputs))
    again = sampler.batch(KEY, 6)
    np.testing.assert_array_equal(x, again[0])
    np.testing.assert_array_equal(y, again[1])
    assert not np.array_equal(x, sampler.batch(jax.random.key(4), 6)[0])


@every
def test_batch_inside_a_compiled_step(sampler):
    """The data is an argument there, its arrays are traced; the shapes and types are those outside."""
    x, y = eqx.filter_eval_shape(lambda source, key: source.batch(key, 6), sampler, KEY)
    outside = sampler.batch(KEY, 6)
    assert [(a.shape, a.dtype) for a in (x, y)] == [(a.shape, a.dtype) for a in outside]


def test_samples_pass_through_plain_jit():
    """Samples are arrays and nothing else: whoever writes jax.jit(lambda data, ...) needs no equinox."""
    samples = SAMPLERS["samples"]
    np.testing.assert_array_equal(jax.jit(lambda s: s.batch(KEY, 5)[0])(samples), samples.batch(KEY, 5)[0])


@every
def test_freeze(sampler):
    frozen = sampler.freeze(7, key=KEY)
    x, y = sampler.batch(KEY, 7)
    assert isinstance(frozen, data.Samples)
    np.testing.assert_array_equal(frozen.nodes.x, x)
    np.testing.assert_array_equal(frozen.nodes.y, y)
    np.testing.assert_allclose(frozen.nodes.weights, 1 / 7)


# Two Gaussian classes


@pytest.mark.parametrize(
    ("plus", "minus", "means", "fraction"),
    [
        (1.44, 0.49, (0.0, 0.0), 0.5),
        (np.array([2.0, 1.0, 0.5]), 1.0, (np.array([1.0, 0.0, -1.0]), 0.5), 0.3),
        (MATRIX, np.array([2.0, 1.0, 0.5]), (0.0, np.array([1.0, 0.0, -1.0])), 0.6),
    ],
    ids=["numbers", "diagonal", "full"],
)
def test_gaussian_classes_have_the_stated_moments(plus, minus, means, fraction):
    classes = data.GaussianClasses(plus, minus, mean_plus=means[0], mean_minus=means[1], fraction=fraction, dim=3)
    x, y = (np.asarray(a) for a in classes.batch(KEY, N))
    assert set(y) == {-1.0, 1.0}
    assert abs(np.mean(y > 0) - fraction) <= 5 * math.sqrt(fraction * (1 - fraction) / N)
    for label, covariance, mean in ((1, plus, means[0]), (-1, minus, means[1])):
        full = covariance if np.ndim(covariance) == 2 else np.diag(np.broadcast_to(covariance, 3))
        assert_moments(x[y == label], mean, full)


def test_the_three_ways_to_say_a_covariance_agree():
    diagonal = np.array([2.0, 1.0, 0.5])
    for a, b in ((diagonal, np.diag(diagonal)), (2.0, np.full(3, 2.0)), (2.0, 2.0 * np.eye(3))):
        x, y = data.GaussianClasses(a, 1.0, mean_minus=0.5, dim=3).batch(KEY, 50)
        other_x, other_y = data.GaussianClasses(b, 1.0, mean_minus=0.5, dim=3).batch(KEY, 50)
        np.testing.assert_allclose(x, other_x, rtol=1e-13)
        np.testing.assert_array_equal(y, other_y)


def test_the_dimension_is_read_off_where_an_argument_shows_it():
    assert data.GaussianClasses(MATRIX, 1.0).inputs == 3
    assert data.GaussianClasses(1.0, 1.0, mean_minus=np.ones(4)).inputs == 4


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({}, "dim"),
        ({"dim": 0}, "dim"),
        ({"dim": 3, "mean_plus": np.ones(2)}, "dimensions"),
        ({"dim": 2, "plus": -1.0}, "plus"),
        ({"dim": 2, "minus": np.array([1.0, 0.0])}, "minus"),
        ({"dim": 2, "minus": np.nan}, "minus"),
        ({"plus": np.ones((2, 3))}, "plus"),
        ({"plus": np.array([[1.0, 0.5], [0.0, 1.0]])}, "plus"),
        ({"minus": -np.eye(2)}, "minus"),
        ({"minus": np.ones((2, 2))}, "minus"),
        ({"dim": 2, "plus": "a"}, "plus"),
        ({"dim": 2, "fraction": 0.0}, "fraction"),
        ({"dim": 2, "fraction": 1.0}, "fraction"),
        ({"dim": 2, "fraction": np.nan}, "fraction"),
        ({"dim": 2, "mean_plus": np.nan}, "mean_plus"),
        ({"dim": 2, "mean_minus": np.array([0.0, np.inf])}, "mean_minus"),
        ({"mean_plus": np.eye(2)}, "mean_plus"),
    ],
)
def test_gaussian_classes_refuse(arguments, named):
    with pytest.raises(ValueError, match=rf"GaussianClasses.*{named}"):
        data.GaussianClasses(**{"plus": 1.0, "minus": 1.0} | arguments)


# Other samplers


def test_uniform_on_a_sphere():
    x, y = SAMPLERS["sphere"].batch(KEY, N)
    np.testing.assert_allclose(jnp.linalg.norm(x, axis=1), 2.0, rtol=1e-14)
    np.testing.assert_array_equal(y, x[:, 0])
    assert_moments(x, 0.0, 4 / 3 * np.eye(3))
    # Archimedes: a coordinate of the sphere in R^3 is uniform.
    assert scipy.stats.kstest(np.asarray(x[:, 1]), scipy.stats.uniform(-2, 4).cdf).pvalue > 1e-4


def test_uniform_in_a_box():
    x, _ = SAMPLERS["box"].batch(KEY, N)
    assert np.all((x >= -1) & (x <= 3))
    assert_moments(x, 1.0, 16 / 12 * np.eye(2))


def test_from_a_law_and_from_a_key():
    x, y = SAMPLERS["law"].batch(KEY, N)
    assert_moments(x, 1.0, 0.25 * np.eye(2))
    np.testing.assert_allclose(y, x * x, rtol=1e-15)
    x, _ = SAMPLERS["key"].batch(KEY, N)
    assert_moments(x, 0.5, np.eye(2) / 12)


def test_one_sample_of_from_key_must_be_a_vector():
    with pytest.raises(ValueError, match=r"draw.*\[d\]"):
        _ = data.FromKey(lambda key: (jnp.ones((2, 2)), jnp.ones(()))).inputs


# Samples


@pytest.mark.parametrize("weights", [None, [1.0, 0.0, 2.0, 3.0, 0.5]])
def test_samples_are_drawn_by_weight(weights):
    samples = data.Samples(np.arange(5.0), np.arange(5.0), weights)
    counts = np.bincount(np.asarray(samples.batch(KEY, N)[1], int), minlength=5)
    expected = np.asarray(samples.nodes.weights) * N
    assert np.all(counts[expected == 0] == 0)
    keep = expected > 0
    assert scipy.stats.chisquare(counts[keep], expected[keep]).pvalue > 1e-4


def test_a_last_sample_without_weight_is_never_drawn():
    samples = data.Samples(np.arange(40.0), np.arange(40.0), [*([0.1] * 30), *([0.0] * 10)])
    assert float(jnp.max(samples.batch(KEY, N)[1])) < 30


def test_samples_keep_x_with_its_y():
    samples = data.Samples(np.arange(8.0)[:, None] * [1.0, -1.0], lambda x: jnp.stack([x[0], x[0] ** 2, x[1]]))
    x, y = samples.batch(KEY, 100)
    np.testing.assert_array_equal(y, jnp.stack([x[:, 0], x[:, 0] ** 2, x[:, 1]], axis=1))


def test_rounding_draws_no_sample_of_weight_zero(monkeypatch):
    # A uniform number so near 1 that its product with the sum of the weights rounds to the sum.
    monkeypatch.setattr(jax.random, "uniform", lambda key, shape, dtype: jnp.full(shape, 1.0, dtype))
    samples = data.Samples(np.arange(5.0), np.arange(5.0), [0.0, 1.0, 2.0, 0.0, 0.0])
    np.testing.assert_array_equal(samples.batch(jax.random.key(0), 3)[1], 2.0)


def test_nodes_have_weights_of_sum_one():
    nodes = data.Samples([1.0, 2.0], [3.0, 4.0], [2.0, 6.0]).nodes
    np.testing.assert_allclose(nodes.weights, [0.25, 0.75], rtol=1e-15)
    assert nodes.x.shape == (2, 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_samples_have_one_precision(dtype):
    samples = data.Samples(np.ones((3, 2), dtype), np.arange(3), [1, 2, 3])
    assert {leaf.dtype for leaf in samples.nodes} == {np.dtype(dtype)}


@given(x=arrays(float, array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3), elements=st.floats(width=32)))
def test_samples_take_matrices_of_finite_numbers_and_nothing_else(x):
    rows = x[:, None] if x.ndim == 1 else x
    if rows.ndim == 2 and rows.size and np.all(np.isfinite(x)):
        samples = data.Samples(x, np.zeros(len(x)))
        assert samples.nodes.x.shape == rows.shape
    else:
        with pytest.raises(ValueError, match=r"Samples\(x="):
            data.Samples(x, np.zeros(len(x) if x.ndim else 1))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (([[1.0, 2.0], [3.0]], [1.0, 2.0]), "x"),
        (("abc", [1.0]), "x"),
        ((None, [1.0]), "x"),
        (([], []), "x"),
        (([1.0, np.nan], [1.0, 2.0]), r"x=.*index \(1, *0*\)"),
        ((np.ones((2, 1), complex), [1.0, 2.0]), "x"),
        (([1.0, 2.0], [1.0, np.inf]), r"y=.*index \(1,\)"),
        (([1.0, 2.0], [1.0]), "y"),
        (([1.0, 2.0], 1.0), "y"),
        (([1.0, 2.0], np.ones((2, 1, 1))), "y"),
        (([1.0, 2.0], ["a", "b"]), "y"),
        (([1.0, 2.0], lambda x: jnp.outer(x, x)), "y"),
        (([1.0, 2.0], lambda x: jnp.log(x[0] - 1)), "y"),
        (([1.0, 2.0], [1.0, 2.0], [1.0, -1.0]), "weights"),
        (([1.0, 2.0], [1.0, 2.0], [0.0, 0.0]), "weights"),
        (([1.0, 2.0], [1.0, 2.0], [1.0, np.nan]), "weights"),
        (([1.0, 2.0], [1.0, 2.0], [1.0]), "weights"),
    ],
)
def test_samples_refuse(arguments, named):
    with pytest.raises(ValueError, match=rf"Samples\({named}"):
        data.Samples(*arguments)


def test_freeze_refuses():
    with pytest.raises(ValueError, match=r"freeze.*n="):
        SAMPLERS["gaussian"].freeze(0, key=KEY)


# Quadratures


@pytest.mark.parametrize("degree", range(8))
def test_quadratures_are_exact_to_degree_2n_minus_1(degree):
    hermite = data.gauss_hermite(4, lambda x: x[0] ** degree)
    moment = 0 if degree % 2 else math.prod(range(1, degree, 2))
    assert float(hermite.nodes.weights @ hermite.nodes.y) == pytest.approx(moment, rel=1e-12, abs=1e-12)
    legendre = data.gauss_legendre(4, lambda x: x[0] ** degree, lower=-1.0, upper=2.0)
    moment = (2 ** (degree + 1) - (-1) ** (degree + 1)) / (3 * (degree + 1))
    assert float(legendre.nodes.weights @ legendre.nodes.y) == pytest.approx(moment, rel=1e-13, abs=0.0)


def test_a_quadrature_one_degree_too_low_is_not_exact():
    hermite = data.gauss_hermite(4, lambda x: x[0] ** 8)
    assert abs(float(hermite.nodes.weights @ hermite.nodes.y) - 105) > 1


def test_quadratures_in_several_dimensions():
    box = data.gauss_legendre(3, lambda x: x[0] ** 4 * x[1] ** 2, dim=2, upper=np.array([1.0, 2.0]))
    assert box.nodes.x.shape == (9, 2)
    assert float(box.nodes.weights @ box.nodes.y) == pytest.approx(1 / 5 * 4 / 3, rel=1e-13, abs=0.0)
    normal = data.gauss_hermite(3, lambda x: x**2, mean=np.array([0.0, 1.0]), std=2.0, dim=2)
    np.testing.assert_allclose(normal.nodes.weights @ normal.nodes.y, [4.0, 5.0], rtol=1e-12)
    assert float(jnp.sum(normal.nodes.weights)) == pytest.approx(1.0, rel=1e-14, abs=0.0)


def test_other_rules_and_fresh_samples_of_the_same_law():
    sobol = data.Quadrature(laws.Uniform(-1.0, 3.0, dim=2), 256, first, laws.Sobol())
    assert sobol.nodes.x.shape == (256, 2)
    np.testing.assert_allclose(sobol.nodes.weights, 1 / 256)
    assert float(jnp.mean(sobol.nodes.y)) == pytest.approx(1.0, abs=0.01)
    x, y = sobol.batch(KEY, N)
    assert_moments(x, 1.0, 16 / 12 * np.eye(2))
    np.testing.assert_array_equal(y, x[:, 0])


def test_quadratures_refuse():
    with pytest.raises(ValueError, match="n="):
        data.gauss_hermite(0, first)
    with pytest.raises(ValueError, match=r"Quadrature\(y"):
        data.gauss_hermite(3, lambda x: jnp.log(x[0]))
    with pytest.raises(ValueError, match="upper"):
        data.gauss_legendre(3, first, lower=1.0, upper=0.0)


# Teachers


@pytest.mark.parametrize("outputs", [(), (2,)])
def test_a_teacher_is_its_network(outputs):
    unit, rng = units.Neuron(acts.tanh), np.random.default_rng(0)
    size = sum(block.size for block in unit.blocks(3, outputs))
    # Signed weights that do not sum to 1: a teacher may have any.
    measure = Particles(rng.normal(size=(4, size)), np.array([1.0, -2.0, 0.5, 3.0]))
    teacher = data.Teacher(unit, measure, inputs=3, outputs=outputs)
    x = rng.normal(size=(6, 3))
    rows, w = np.asarray(measure.positions), np.asarray(measure.weights)
    heads = rows[:, : size - 4].reshape(4, *outputs)
    features = np.tanh(x @ rows[:, -4:-1].T + rows[:, -1])
    expected = np.tensordot(features * w, heads, axes=1)
    samples = data.Samples(x, teacher)
    np.testing.assert_allclose(samples.nodes.y, expected, rtol=1e-12)
    fresh = data.FromLaw(laws.Normal(0.0, 1.0, dim=3), teacher)
    assert fresh.outputs == outputs
    np.testing.assert_allclose(Problem(unit, samples).predict(measure, x), expected, rtol=1e-12)


def test_a_teacher_refuses_columns_that_are_not_the_units():
    unit = units.Neuron(acts.tanh)
    with pytest.raises(ValueError, match=r"Teacher.*measure.*5 columns.*4"):
        data.Teacher(unit, Particles(np.ones((2, 4))), inputs=3)


def test_a_teachers_columns_are_found_by_their_names():
    unit = units.Neuron(acts.tanh)
    output, weight, bias = unit.blocks(3, ())
    rows, x = np.random.default_rng(0).normal(size=(2, 5)), jnp.ones(3)
    named = data.Teacher(unit, Particles(rows[:, [1, 2, 3, 4, 0]], blocks=(weight, bias, output)), inputs=3)
    assert float(named(x)) == float(data.Teacher(unit, Particles(rows), inputs=3)(x))
    with pytest.raises(ValueError, match=r"Teacher\(measure=\.\.\.\): the measure's blocks are"):
        data.Teacher(unit, Particles(rows, blocks=(weight, bias, output._replace(name="charge"))), inputs=3)
