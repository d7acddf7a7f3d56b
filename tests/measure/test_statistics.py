"""Moments, covariance and quantiles against NumPy, SciPy and the definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings, strategies as st

from widelimit.measure import Particles, covariance, laws, moment, quantiles

# XLA takes subnormal numbers for zero.
numbers = st.floats(-100, 100, allow_subnormal=False)
clouds = st.lists(st.tuples(numbers, st.integers(0, 5)), min_size=1, max_size=4).filter(
    lambda atoms: any(w for _, w in atoms)
)


def measure_of(atoms):
    x, w = np.array(atoms, float).T
    return Particles(x[:, None], w / w.sum())


def test_moments_of_two_atoms():
    rho = Particles([[1.0, -2.0], [3.0, 0.5]], [0.25, 0.5])
    np.testing.assert_allclose(moment(rho), [1.75, -0.25], rtol=1e-15)
    np.testing.assert_allclose(moment(rho, 2), [4.75, 1.125], rtol=1e-15)
    np.testing.assert_allclose(moment(rho, 0), [0.75, 0.75], rtol=1e-15)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 6])
def test_moments_of_gauss_nodes_are_those_of_the_law(order):
    rho = laws.Normal(0.3, 1.7).quantise(8, laws.Gauss())
    exact = scipy.stats.norm(0.3, 1.7).moment(order)
    # 8 Gauss nodes are exact to degree 15; what is left is rounding.
    np.testing.assert_allclose(moment(rho, order), [exact], rtol=1e-12)


def test_covariance_is_that_of_numpy():
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(50, 3)), rng.integers(1, 5, 50)
    expected = np.cov(x.T, fweights=w, ddof=0)
    np.testing.assert_allclose(covariance(Particles(x, w / w.sum())), expected, rtol=1e-12)
    # The mass is divided out.
    np.testing.assert_allclose(covariance(Particles(x, 7.0 * w)), expected, rtol=1e-12)


def test_quantiles_need_no_luck_with_rounding():
    rho = Particles(np.arange(10.0)[::-1, None], np.full(10, 0.1))
    levels = np.arange(1, 11) / 10
    np.testing.assert_array_equal(quantiles(rho, levels), np.arange(10.0))
    np.testing.assert_array_equal(quantiles(rho, levels[:-1] + 1e-9), np.arange(1.0, 10.0))


def test_quantiles_pass_over_atoms_without_mass():
    rho = Particles([[-5.0], [1.0], [2.0], [9.0]], [0.0, 0.5, 0.5, 0.0])
    np.testing.assert_array_equal(quantiles(rho, [0.0, 0.5, 0.51, 1.0]), [1.0, 1.0, 2.0, 2.0])


def test_quantiles_of_a_column_and_under_jit():
    rho = Particles([[0.0, 3.0], [1.0, 1.0], [2.0, 2.0]])
    levels = jnp.asarray([[0.1, 0.5], [0.9, 1.0]])
    expected = [[1.0, 2.0], [3.0, 3.0]]
    np.testing.assert_array_equal(quantiles(rho, levels, column=1), expected)
    np.testing.assert_array_equal(jax.jit(lambda m, p: quantiles(m, p, 1))(rho, levels), expected)


@settings(max_examples=50, deadline=None)
@given(atoms=clouds, level=st.integers(0, 12))
def test_quantile_is_the_inverse_distribution_function(atoms, level):
    rho = measure_of(atoms)
    x, w = np.array(atoms, float).T
    # Integer arithmetic: level/12 <= F(x) as 12 * mass below x >= level * mass.
    reached = [v for v in sorted(x) if 12 * w[x <= v].sum() >= level * w.sum() and w[x <= v].sum() > 0]
    assert float(quantiles(rho, level / 12)) == reached[0]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: moment(m, -1), "order"),
        (lambda m: quantiles(m, [0.5, 1.1]), "levels"),
        (lambda m: quantiles(m, float("nan")), "levels"),
        (lambda m: quantiles(m, 0.5, column=1), "column"),
        (lambda m: quantiles(m, 0.5, column=-1), "column"),
        (lambda m: quantiles(Particles(m.positions, [2.0, -1.0]), 0.5), "non-negative"),
        (lambda m: quantiles(Particles(m.positions, [0.0, 0.0]), 0.5), "not all zero"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ValueError, match=words):
        call(Particles([[0.0], [1.0]]))
