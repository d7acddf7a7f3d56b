"""Implicit exchange between neighbours, against dense linear algebra."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from widelimit.numerics import solve_exchange

_solve = jax.jit(solve_exchange)


def _matrix(forth: np.ndarray, back: np.ndarray) -> np.ndarray:
    n = len(forth) + 1
    out = np.eye(n)
    for i in range(n - 1):
        out[i, i] += forth[i]
        out[i + 1, i] -= forth[i]
        out[i + 1, i + 1] += back[i]
        out[i, i + 1] -= back[i]
    return out


@pytest.mark.parametrize("stiffness", [1e-3, 1.0, 1e3])
def test_solves_the_dense_system(stiffness: float) -> None:
    rng = np.random.default_rng(0)
    forth, back, given = stiffness * rng.random((2, 29)), None, rng.random(30)
    forth, back = forth
    expected = np.linalg.solve(_matrix(forth, back), given)
    # The condition number of the dense system is about the stiffness times the square of the size.
    np.testing.assert_allclose(_solve(forth, back, given), expected, rtol=1e-10)


def test_keeps_mass_and_sign_where_elimination_would_not() -> None:
    rng = np.random.default_rng(1)
    forth, back = 1e12 * rng.random((2, 499)) ** 8
    given = rng.random(500) ** 20
    given /= given.sum()
    found = np.asarray(_solve(forth, back, given))
    assert found.sum() == pytest.approx(1.0, abs=1e-14)
    assert found.min() >= 0
    # Plain elimination forgets the 1 beside 1e12.
    plain = np.linalg.solve(_matrix(forth, back), given)
    assert abs(plain.sum() - 1.0) > 1e-12


def test_detailed_balance_does_not_move() -> None:
    rng = np.random.default_rng(2)
    weights = np.exp(10.0 * rng.random(40))
    forth = 1e8 * rng.random(39)
    back = forth * weights[:-1] / weights[1:]
    np.testing.assert_allclose(_solve(forth, back, weights), weights, rtol=1e-13)


def test_further_axes_are_independent_systems() -> None:
    rng = np.random.default_rng(3)
    forth, back, given = rng.random((5, 2, 3)), rng.random((5, 2, 3)), rng.random((6, 2, 3))
    found = _solve(forth, back, given)
    for j in range(2):
        for k in range(3):
            one = _solve(forth[:, j, k], back[:, j, k], given[:, j, k])
            np.testing.assert_allclose(found[:, j, k], one, rtol=1e-14)
    assert bool(jnp.all(found > 0))
