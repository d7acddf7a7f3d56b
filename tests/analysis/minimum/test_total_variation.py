"""The least total variation of a univariate ReLU network (williams2019 (16)): certified, and a linear spline."""

import numpy as np
import pytest

import widelimit as wl

X, Y = np.linspace(-0.9, 0.9, 6), np.array([1.0, -1.0, 0.5, 0.2, -0.7, 0.9])


@pytest.mark.first(1)
@pytest.mark.parametrize("weight", [0.1, 0.03])
def test_the_minimum_is_certified_and_meets_its_conditions(weight):
    problem = wl.problems.canonical_relu(X, Y, penalty=wl.penalties.total_variation(weight, "r"))
    found = wl.minimise(problem)
    assert found.certified
    assert found.gap < 1e-11
    rho = found.measure
    angle, r = np.asarray(rho["angle"]), np.asarray(rho["r"])
    assert np.all((angle >= 0) & (angle < 2 * np.pi))
    # |SUM_j g_j phi~(angle, x_j)| <= lambda, with equality and the right sign where there is mass.
    g = np.asarray(problem.predict(rho, X)) - Y

    def psi(angles):
        return np.maximum(np.cos(angles)[:, None] * X + np.sin(angles)[:, None], 0.0) @ g

    assert np.max(np.abs(psi(np.linspace(0.0, 2 * np.pi, 20_001)))) <= weight * (1 + 1e-9)
    heavy = np.asarray(rho.weights) * np.abs(r) > 1e-6
    np.testing.assert_allclose(psi(angle[heavy]), -weight * np.sign(r[heavy]), rtol=1e-6)
    # A linear spline: no more knots than samples.
    assert heavy.sum() <= len(X)
    risk = 0.5 * np.sum(g**2) + weight * np.sum(np.asarray(rho.weights) * np.abs(r))
    assert float(found.objective) == pytest.approx(risk, rel=1e-10)


@pytest.mark.slow
def test_a_convex_solver_on_a_grid_is_no_better():
    import cvxpy

    weight = 0.1
    problem = wl.problems.canonical_relu(X, Y, penalty=wl.penalties.total_variation(weight, "r"))
    rays = np.mod([-np.arctan(X), np.pi - np.arctan(X)], 2 * np.pi).ravel()
    angles = np.concatenate([np.linspace(0.0, 2 * np.pi, 721), rays])
    features = np.maximum(np.cos(angles)[:, None] * X + np.sin(angles)[:, None], 0.0)
    c = cvxpy.Variable(len(angles))
    value = cvxpy.Problem(cvxpy.Minimize(0.5 * cvxpy.sum_squares(features.T @ c - Y) + weight * cvxpy.norm1(c)))
    best = value.solve(solver="CLARABEL")
    objective = float(wl.minimise(problem).objective)
    assert objective <= best + 1e-8
    assert objective == pytest.approx(best, abs=1e-3)
