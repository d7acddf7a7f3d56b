"""The mean of exp(v . u) over directions: against mpmath's hypergeometric function, with its derivatives."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from widelimit.numerics import sphere_mean, sphere_mean_table, sphere_means

mpmath.mp.dps = 40
# Both sides of the end of the series, s = 12, and of where exp(s) overflows.
LENGTHS = np.array([0.0, 1e-8, 0.3, 3.0, 11.99, 12.01, 20.0, 120.0, 2000.0, 1e6])
# The value is exp of a sum of terms of size (d/2) log s, which rounding sees.
TOLERANCE = 3e-13


def exact(d, s, shift=0.0):
    value = mpmath.hyp0f1(mpmath.mpf(d) / 2, mpmath.mpf(s) ** 2 / 4)
    return float(value * mpmath.exp(-mpmath.mpf(shift)))


@pytest.mark.parametrize("d", [1, 2, 3, 5, 10, 25, 200])
def test_against_mpmath(d):
    """Scaled by exp(-s), at s from 0 to 1e6."""
    squares = jnp.asarray(LENGTHS**2)
    shifts = jnp.asarray(LENGTHS)
    known = np.array([exact(d, s, s) for s in LENGTHS])
    seen = known > 1e-290
    np.testing.assert_allclose(sphere_mean(d, squares, shifts)[seen], known[seen], rtol=TOLERANCE)


@pytest.mark.parametrize("d", [1, 2, 5])
def test_derivatives_of_all_orders(d):
    """d/d(s^2) of M_d is M_{d+2}/(2d): smooth through s = 0, where s itself is not."""
    squares = jnp.array([0.0, 1e-12, 4.0, 400.0])
    first = jax.grad(lambda q: sphere_mean(d, q, 3.0))
    second = jax.vmap(jax.grad(first))(squares)
    for found, below in ((jax.vmap(first)(squares), 2 * d), (second, 4 * d * (d + 2))):
        dim = d + 2 if below == 2 * d else d + 4
        known = [exact(dim, q**0.5, 3.0) / below for q in np.asarray(squares)]
        np.testing.assert_allclose(found, known, rtol=TOLERANCE)
    slope = jax.grad(lambda shift: sphere_mean(d, jnp.asarray(4.0), shift))(0.5)
    assert float(slope) == pytest.approx(-exact(d, 2.0, 0.5), rel=1e-13)


@pytest.mark.parametrize("most", [3.0, 30.0], ids=["series", "beyond"])
def test_tables_and_towers(most):
    """A table takes the short series where it may; a tower computes its lower members from the upper ones."""
    lengths = np.linspace(0.0, most, 6).reshape(2, 3)
    squares = jnp.asarray(lengths**2)
    known = np.vectorize(lambda s: exact(5, s, 1.5))(lengths)
    np.testing.assert_allclose(sphere_mean_table(5, squares, 1.5), known, rtol=TOLERANCE)
    value, slope = jax.jvp(lambda q: sphere_mean_table(5, q, 1.5), (squares,), (jnp.ones_like(squares),))
    np.testing.assert_allclose(value, known, rtol=TOLERANCE)
    np.testing.assert_allclose(slope, np.vectorize(lambda s: exact(7, s, 1.5))(lengths) / 10.0, rtol=TOLERANCE)
    for k, found in enumerate(sphere_means(3, 4, squares, 1.5)):
        np.testing.assert_allclose(found, np.vectorize(lambda s: exact(3 + 2 * k, s, 1.5))(lengths), rtol=TOLERANCE)  # noqa: B023


def test_it_is_an_average():
    """Of exp(v . u) over the circle, and cosh in one dimension; a square that rounding made negative is harmless."""
    angle = 2 * np.pi * np.arange(64) / 64
    v = np.array([1.0, -2.0])
    mean = np.mean(np.exp(v[0] * np.cos(angle) + v[1] * np.sin(angle)))
    assert float(sphere_mean(2, jnp.asarray(v @ v))) == pytest.approx(mean, rel=1e-13)
    assert float(sphere_mean(1, jnp.asarray(9.0))) == pytest.approx(np.cosh(3.0), rel=1e-14)
    assert float(sphere_mean(4, jnp.asarray(-1e-15))) == pytest.approx(1.0, abs=1e-15)
