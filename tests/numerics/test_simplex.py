"""Quadratics on the simplex: the conditions of optimality, and an interior-point solver."""

import cvxpy
import numpy as np
import pytest
from hypothesis import given, strategies as st

from widelimit.numerics import quadratic_on_simplex


def check(matrix, slope, p, atol):
    """p >= 0, SUM p = 1, and H p + c is one number on the support and nowhere below it."""
    assert np.all(p >= 0)
    assert p.sum() == pytest.approx(1.0, abs=1e-13)
    gradient = matrix @ p + slope
    assert gradient @ p - gradient.min() <= atol


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 10_000))
def test_optimal_for_matrices_of_any_rank(n, rank, seed):
    rng = np.random.default_rng(seed)
    columns, slope = rng.normal(size=(rank, n)), rng.normal(size=n)
    matrix, start = columns.T @ columns, rng.dirichlet(np.ones(n))
    # The ridge changes the matrix by 1e-13 of its size.
    check(matrix, slope, quadratic_on_simplex(matrix, slope, start), 1e-11 * (1 + np.abs(matrix).max()))


@pytest.mark.parametrize("gain", [1e-3, 1e-6, 1e-9])
def test_a_weight_enters_for_a_gain_however_small(gain):
    """(p^2 + q^2) / 2 + (1 - 2 g) q with p + q = 1 is least at q = g."""
    found = quadratic_on_simplex(np.eye(2), np.array([0.0, 1.0 - 2.0 * gain]), np.array([1.0, 0.0]))
    np.testing.assert_allclose(found, [1.0 - gain, gain], atol=1e-12)  # The ridge has 1e-13.


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_an_interior_point_method(seed):
    rng = np.random.default_rng(seed)
    # Outside of the hull of the columns, so that the minimum is one point of one face.
    columns, target = rng.normal(size=(6, 40)), 5.0 * rng.normal(size=6)
    matrix, slope = columns.T @ columns, -columns.T @ target
    p = quadratic_on_simplex(matrix, slope, np.full(40, 1 / 40))
    q = cvxpy.Variable(40, nonneg=True)
    problem = cvxpy.Problem(cvxpy.Minimize(0.5 * cvxpy.sum_squares(columns @ q - target)), [cvxpy.sum(q) == 1])
    value = problem.solve(solver=cvxpy.CLARABEL)
    assert 0.5 * np.sum((columns @ p - target) ** 2) <= value + 1e-8
    # A face of a hull in six dimensions, and all other weights exactly zero.
    assert np.sum(p > 0) <= 6


def test_equal_columns_share_nothing_but_the_optimum():
    columns = np.asarray([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    matrix, slope = columns.T @ columns, -columns.T @ np.asarray([0.7, 0.3])
    p = quadratic_on_simplex(matrix, slope, np.asarray([0.2, 0.2, 0.6]))
    check(matrix, slope, p, 1e-12)
    assert p[0] + p[1] == pytest.approx(0.7)


@pytest.mark.parametrize("start", [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [1 / 3, 1 / 3, 1 / 3]])
def test_a_linear_function_goes_to_its_least_corner(start):
    p = quadratic_on_simplex(np.zeros((3, 3)), np.asarray([1.0, -2.0, 0.5]), np.asarray(start))
    np.testing.assert_array_equal(p, [0.0, 1.0, 0.0])


def test_one_weight_is_one():
    np.testing.assert_array_equal(quadratic_on_simplex(np.eye(1), np.ones(1), np.ones(1)), [1.0])
