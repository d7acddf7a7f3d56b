"""Activations: every declared fact, on fine grids, over the registry."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from hypothesis import given, strategies as st

from widelimit import activations
from widelimit.numerics.registry import UNSAID
from widelimit.problem.activations import Activation, leaky_relu, piecewise_linear

RAMP = piecewise_linear([0.5, 1.5], [-2.5, 7.5])
HAT = piecewise_linear([-1.0, 0.0, 0.25, 2.0], [0.0, 1.0, 1.0, -0.5])
# Those that need no number to be said.
NAMED = {
    entry.name: activations.registry.make(entry.name)
    for entry in activations.registry
    if all(value.default is not UNSAID for value in entry.values.values())
}
CASES = {
    **NAMED,
    "leaky_relu(-0.5)": leaky_relu(-0.5),
    "leaky_relu(1)": leaky_relu(1.0),
    "leaky_relu(3)": leaky_relu(3.0),
    "ramp": RAMP,
    "hat": HAT,
}
every = pytest.mark.parametrize("sigma", CASES.values(), ids=CASES.keys())

STEP = 1e-3
# Off every kink by an irrational part of a step, so that a difference straddles it.
GRID = np.arange(-6.0, 6.0, STEP) + STEP / np.pi


def values(sigma, z):
    return np.asarray(jax.vmap(sigma)(jnp.asarray(z)))


@every
def test_homogeneity(sigma):
    scales = (1e-3, 0.3, 2.0, 1e3)
    if sigma.homogeneity is not None:
        for s in scales:
            np.testing.assert_allclose(values(sigma, s * GRID), s**sigma.homogeneity * values(sigma, GRID), rtol=1e-12)
    else:
        for degree in (0, 1, 2):
            assert not np.allclose(values(sigma, 2.0 * GRID), 2.0**degree * values(sigma, GRID), rtol=1e-3)


@every
def test_bound_holds_and_is_the_least(sigma):
    size = np.abs(values(sigma, np.concatenate([GRID, [0.0, -1e3, 1e3, -1e6, 1e6]])))
    if sigma.bound is None:
        assert size.max() > 1e5
    else:
        assert size.max() <= sigma.bound * (1 + 1e-14)
        assert size.max() > 0.999 * sigma.bound


@every
def test_slope_holds_and_is_the_least(sigma):
    slopes = np.abs(np.diff(values(sigma, GRID)) / STEP)
    if sigma.slope is None:
        wide = np.abs(np.diff(values(sigma, 1e3 * GRID)) / (1e3 * STEP))
        assert wide.max() > 100 * slopes.max()
    else:
        assert slopes.max() <= sigma.slope * (1 + 1e-10)
        # softplus reaches its slope at infinity only: 0.998 at z = 6.
        assert slopes.max() > 0.995 * sigma.slope


@every
def test_curvature_holds_and_is_the_least(sigma):
    z = np.asarray([*GRID, 0.0])
    bends = np.abs(values(jax.grad(jax.grad(sigma)), z))
    if sigma.curvature is None:
        # Nothing smooth is left without it.
        assert sigma.kinks
    else:
        assert not sigma.kinks
        assert bends.max() <= sigma.curvature * (1 + 1e-12)
        assert bends.max() >= sigma.curvature * (1 - 1e-5)


@every
def test_parities(sigma):
    """A part without the sight of anything is constant (0 if odd), and one that sees moments is a power."""
    parity, z = sigma.parity, jnp.linspace(0.1, 4.0, 40)
    if parity is None:
        return
    ahead, back = jax.vmap(sigma)(z), jax.vmap(sigma)(-z)
    even, odd = 0.5 * (ahead + back), 0.5 * (ahead - back)
    constant = float(sigma(jnp.zeros(())))
    power = {0.0: jnp.zeros_like(z), 1.0: z, 2.0: z**2}
    for part, seen in ((even - constant, parity.even), (odd, parity.odd)):
        if seen in power:
            np.testing.assert_allclose(part, part[0] * power[seen] / max(float(power[seen][0]), 1e-300), atol=1e-14)
            assert bool(jnp.any(jnp.abs(part) > 1e-3)) == (seen > 0.0)
        else:
            # No polynomial of degree 4 or less, which would see moments alone.
            assert np.polynomial.Polynomial.fit(z, part, 4, full=True)[1][0][0] > 1e-10


@every
def test_kinks_are_where_the_slope_jumps_and_nowhere_else(sigma):
    v = values(sigma, GRID)
    # A smooth |sigma''| <= 2 shows 0.002 here; a kink at least half of its jump.
    jump = np.abs(v[2:] - 2 * v[1:-1] + v[:-2]) / STEP
    found = GRID[1:-1][jump > 0.02]
    kinks = np.asarray(sigma.kinks)
    for z in found:
        assert np.min(np.abs(kinks - z), initial=np.inf) <= STEP
    for kink in kinks:
        assert np.min(np.abs(found - kink), initial=np.inf) <= STEP


@every
def test_derivative_by_jax_is_that_of_the_values(sigma):
    z = GRID[::50]
    z = z[np.min(np.abs(z[:, None] - np.asarray([*sigma.kinks, np.inf])), axis=1) > 1e-3]
    numeric = (values(sigma, z + 1e-5) - values(sigma, z - 1e-5)) / 2e-5
    np.testing.assert_allclose(values(jax.grad(sigma), z), numeric, atol=1e-8)


@every
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_precision_is_kept(sigma, dtype):
    z = jnp.asarray(0.3, dtype)
    assert jax.eval_shape(sigma, z).dtype == dtype
    assert jax.eval_shape(jax.grad(sigma), z).dtype == dtype


def test_values():
    closed = {
        "relu": np.maximum(GRID, 0),
        "leaky_relu": np.where(GRID > 0, GRID, 0.01 * GRID),
        "tanh": np.tanh(GRID),
        "erf": scipy.special.erf(GRID),
        "sigmoid": scipy.special.expit(GRID),
        "softplus": np.logaddexp(0, GRID),
        "gaussian": np.exp(-(GRID**2) / 2),
        "quadratic": GRID**2,
        "arctan": np.arctan(GRID),
        "identity": GRID,
    }
    assert set(closed) == set(NAMED)
    for name, expected in closed.items():
        np.testing.assert_allclose(values(NAMED[name], GRID), expected, rtol=1e-12, atol=1e-15)


def test_names_are_those_of_the_registry():
    assert all(name == sigma.name for name, sigma in NAMED.items())


# Piecewise linear

knots_and_values = st.lists(
    st.tuples(st.integers(-50, 50), st.integers(-30, 30)), min_size=2, max_size=6, unique_by=lambda p: p[0]
).map(sorted)


@given(points=knots_and_values)
def test_piecewise_linear_interpolates(points):
    t, v = np.array([p[0] for p in points]) / 7, np.array([p[1] for p in points]) / 3
    sigma = piecewise_linear(t.tolist(), v.tolist())
    z = np.concatenate([t, (t[1:] + t[:-1]) / 2, [-40.0, 40.0]])
    # Sums of bends of up to 1e3 at distances of up to 1e2.
    np.testing.assert_allclose(values(sigma, z), np.interp(z, t, v), atol=1e-10)
    assert sigma.bound == np.max(np.abs(v))


@given(points=knots_and_values)
def test_piecewise_linear_declares_its_bends(points):
    t, v = np.array([p[0] for p in points]) / 8, np.array([p[1] for p in points], float)
    slopes = np.concatenate([[0.0], np.diff(v) / np.diff(t), [0.0]])
    sigma = piecewise_linear(t.tolist(), v.tolist())
    bends = np.abs(np.diff(slopes))
    assert set(t[bends > 1e-9]) <= {float(k) for k in sigma.kinks} <= set(t)
    assert sigma.slope == pytest.approx(np.max(np.abs(slopes)))


@pytest.mark.parametrize("z", [1e6, 1e12, 1e17, 1e300])
def test_piecewise_linear_is_constant_far_outside(z):
    np.testing.assert_allclose(values(RAMP, [-z, z]), [-2.5, 7.5], rtol=1e-6)


def test_piecewise_linear_is_constant_outside_in_float32():
    z = jnp.asarray([-3e3, 3e3, 3e4], jnp.float32)
    np.testing.assert_allclose(jax.vmap(RAMP)(z), [-2.5, 7.5, 7.5], rtol=1e-5)


@pytest.mark.parametrize(
    ("knots", "at"),
    [([0.0], [1.0]), ([0.0, 1.0], [1.0]), ([1.0, 0.0], [0.0, 1.0]), ([0.0, 0.0], [0.0, 1.0])],
)
def test_piecewise_linear_refuses(knots, at):
    with pytest.raises(ValueError, match=r"piecewise_linear.*knots"):
        piecewise_linear(knots, at)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_piecewise_linear_refuses_what_is_not_finite(bad):
    with pytest.raises(ValueError, match=r"piecewise_linear.*finite"):
        piecewise_linear([0.0, bad], [0.0, 1.0])
    with pytest.raises(ValueError, match=r"piecewise_linear.*finite"):
        piecewise_linear([0.0, 1.0], [0.0, bad])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_leaky_relu_refuses_what_is_not_finite(bad):
    with pytest.raises(ValueError, match=r"leaky_relu.*negative"):
        leaky_relu(bad)


def test_a_function_of_your_own_declares_nothing():
    sigma = Activation(jnp.sin)
    assert (sigma.homogeneity, sigma.bound, sigma.slope, sigma.kinks) == (None, None, None, ())
