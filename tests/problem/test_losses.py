"""Losses: values, gradients, convexity, what they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st

import widelimit as wl
from widelimit import losses

CASES = {
    "squared": losses.squared(),
    "squared(1)": losses.squared(1.0),
    "logistic": losses.logistic(),
    "huber": losses.huber(),
    "huber(0.3)": losses.huber(0.3),
}
every = pytest.mark.parametrize("loss", CASES.values(), ids=CASES.keys())
numbers = st.floats(-20, 20)
labels = st.sampled_from([-1.0, 1.0])


def closed(name, f, y):
    if name.startswith("squared"):
        return (1.0 if "1" in name else 0.5) * np.sum((f - y) ** 2)
    if name == "logistic":
        return np.sum(np.log1p(np.exp(-y * f)))
    t, r = (0.3 if "0.3" in name else 1.0), np.abs(f - y)
    return np.sum(np.where(r <= t, r**2 / 2, t * (r - t / 2)))


@pytest.mark.parametrize("name", CASES)
@given(f=numbers, y=labels)
def test_values(name, f, y):
    np.testing.assert_allclose(CASES[name](jnp.asarray(f), jnp.asarray(y)), closed(name, f, y), rtol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_vectors_add_over_components(name):
    f, y = np.array([0.2, -1.4, 3.0]), np.array([1.0, -1.0, 1.0])
    value = CASES[name](jnp.asarray(f), jnp.asarray(y))
    assert value.shape == ()
    np.testing.assert_allclose(value, closed(name, f, y), rtol=1e-13)


@every
@given(a=numbers, b=numbers, y=labels, t=st.floats(0, 1))
def test_convex_and_not_negative(loss, a, b, y, t):
    assert loss.convex
    values = [float(loss(jnp.asarray(f), jnp.asarray(y))) for f in (a, b, t * a + (1 - t) * b)]
    assert min(values) >= 0
    assert values[2] <= t * values[0] + (1 - t) * values[1] + 1e-11


@every
@given(f=numbers, y=labels)
def test_gradient(loss, f, y):
    h = 1e-5
    f, y = jnp.asarray(f), jnp.asarray(y)
    # The curvature of Huber's loss jumps at the threshold: error 1e-5 there.
    np.testing.assert_allclose(jax.grad(loss)(f, y), (loss(f + h, y) - loss(f - h, y)) / (2 * h), atol=2e-5)


@every
def test_zero_at_the_target_or_not(loss):
    y = jnp.asarray(1.0)
    value, slope = jax.value_and_grad(loss)(y, y)
    if loss.name == "logistic":
        np.testing.assert_allclose([value, slope], [np.log1p(np.exp(-1.0)), -1 / (1 + np.e)], rtol=1e-13)
    else:
        assert (float(value), float(slope)) == (0.0, 0.0)


def test_logistic_far_out():
    loss, y = losses.logistic(), jnp.asarray(1.0)
    for f, value, slope in ((-1e3, 1e3, -1.0), (1e3, 0.0, 0.0), (-1e300, 1e300, -1.0)):
        got = jax.value_and_grad(loss)(jnp.asarray(f), y)
        np.testing.assert_allclose(got, (value, slope), rtol=1e-14)
    assert np.isfinite(jax.grad(jax.grad(loss))(jnp.asarray(-1e3), y))


def test_huber_meets_itself_at_the_threshold():
    for sign in (-1.0, 1.0):
        value, slope = jax.value_and_grad(losses.huber(0.3))(jnp.asarray(0.3 * sign), jnp.asarray(0.0))
        np.testing.assert_allclose([value, slope], [0.045, 0.3 * sign], rtol=1e-14)


@every
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_precision_is_kept(loss, dtype):
    f, y = jnp.asarray(0.3, dtype), jnp.asarray(1.0, dtype)
    assert jax.eval_shape(loss, f, y).dtype == dtype
    assert jax.eval_shape(jax.grad(loss), f, y).dtype == dtype


def test_a_loss_of_your_own_is_not_taken_as_convex():
    assert not losses.Loss(lambda f, y: jnp.abs(f - y)).convex


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_refusals(bad):
    with pytest.raises(ValueError, match="factor"):
        losses.squared(bad)
    with pytest.raises(ValueError, match="threshold"):
        losses.huber(bad)


def _half_square(f, y):
    return 0.5 * jnp.sum((f - y) ** 2)


def test_a_name_is_no_fact():
    """What a loss is called says nothing; its square factor does."""
    named = losses.Loss(_half_square, "squared", convex=True)
    assert named.square_factor is None
    assert float(losses.squared(0.7).square_factor) == 0.7
    data = wl.data.Interval(lambda x: x)
    assert not wl.Problem(wl.units.FreeKnot(), data, named).integrals.exact
    with pytest.raises(ValueError, match="squared loss"):
        wl.analysis.spectrum(wl.Problem(wl.units.FreeKnot(), data, named), wl.Particles(np.ones((2, 2))))
    with pytest.raises(ValueError, match="is for losses"):
        wl.analysis.expected_risk(wl.Problem(wl.units.FreeKnot(), data, named), wl.Particles(np.ones((2, 2))))


def test_labels_of_fresh_samples_are_checked():
    law = wl.laws.Normal(0.0, 1.0, dim=2)
    unit = wl.units.Neuron(wl.activations.tanh)
    for target in (lambda x: jnp.where(x[0] > 0, 1.0, 0.0), lambda x: x[1]):
        with pytest.raises(ValueError, match="labels -1 or \\+1"):
            wl.Problem(unit, wl.data.FromLaw(law, target), losses.logistic())
    wl.Problem(unit, wl.data.FromLaw(law, lambda x: jnp.sign(x[0])), losses.logistic())
    wl.Problem(unit, wl.data.GaussianClasses(1.0, 2.0, dim=2), losses.logistic())


def test_labels_are_checked():
    x = np.arange(4.0)
    wl.Problem(wl.units.FreeKnot(), wl.data.Samples(x, [1.0, -1.0, -1.0, 1.0]), losses.logistic())
    for labels in ([1.0, 0.0, 0.0, 1.0], [1.0, -1.0, np.nextafter(1.0, 2.0), 1.0]):
        with pytest.raises(ValueError, match="labels -1 or \\+1"):
            wl.Problem(wl.units.FreeKnot(), wl.data.Samples(x, labels), losses.logistic())
    # A numeric target is no label for the others.
    wl.Problem(wl.units.FreeKnot(), wl.data.Samples(x, x), losses.huber())
