"""The uniform law on an interval: its panels, nodes and samples, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit.problem.data import Interval

RESOLVED = {
    "square": (lambda x: x**2, 0.0, 1.0, ()),
    "wave": (lambda x: jnp.sin(2 * jnp.pi * x), 0.0, 1.0, ()),
    "fast": (lambda x: jnp.cos(300.0 * x), -1.0, 2.0, ()),
    "runge": (lambda x: 1.0 / (1.0 + 25.0 * x**2), -1.0, 1.0, ()),
    "steep": (lambda x: jnp.tanh(100.0 * (x - 0.3)), 0.0, 1.0, ()),
    "kink": (lambda x: jnp.abs(x - 1.0 / 3.0), 0.0, 1.0, (1.0 / 3.0,)),
    "steps": (jnp.floor, 0.0, 3.0, (1.0, 2.0)),
    "zero": (lambda x: 0.0 * x, 0.0, 1.0, ()),
    "small": (lambda x: 1e-20 * jnp.exp(x), 0.0, 1.0, ()),
}


@pytest.mark.parametrize("name", RESOLVED)
def test_panels_are_the_target_to_rounding(name):
    target, lower, upper, breaks = RESOLVED[name]
    data = Interval(target, lower, upper, breaks=breaks)
    spline = wl.Problem(wl.units.FreeKnot(), data).integrals.spline("test")
    x = np.random.default_rng(0).uniform(lower, upper, size=2000)
    y = np.asarray(jax.vmap(target)(jnp.asarray(x)))
    # Four times the rounding of the values, and of the argument, which the fast ones multiply by up to 300.
    slope = {"fast": 600.0, "steep": 100.0, "runge": 5.0}.get(name, 10.0)
    np.testing.assert_allclose(
        spline.target(x), y, rtol=0, atol=4 * 16 * 2.3e-16 * (1 + slope * (name in ("fast", "steep"))) * np.abs(y).max()
    )


def test_a_polynomial_is_one_panel_and_a_wave_few():
    assert len(Interval(lambda x: 1.0 + x**7).ends) == 2
    assert len(Interval(lambda x: jnp.sin(2 * jnp.pi * x)).ends) < 64


@pytest.mark.parametrize("name", ["wave", "runge", "kink", "steps"])
def test_nodes_integrate_smooth_functions(name):
    target, lower, upper, breaks = RESOLVED[name]
    data = Interval(target, lower, upper, breaks=breaks)
    nodes = data.nodes
    assert float(jnp.sum(nodes.weights)) == pytest.approx(1.0, abs=1e-14)
    np.testing.assert_allclose(nodes.y, jax.vmap(target)(nodes.x[:, 0]), rtol=1e-14, atol=1e-15)
    grid = np.linspace(lower, upper, 30 * 64 + 1)
    u, v = np.polynomial.legendre.leggauss(12)
    edges = np.unique(np.concatenate([grid, breaks]))
    x = 0.5 * (edges[1:] + edges[:-1])[:, None] + 0.5 * np.diff(edges)[:, None] * u
    y = np.asarray(jax.vmap(target)(jnp.asarray(x.ravel()))).reshape(x.shape)
    expected = np.sum(0.5 * np.diff(edges)[:, None] * v * y * np.cos(3 * x)) / (upper - lower)
    found = float(jnp.sum(nodes.weights * nodes.y * jnp.cos(3 * nodes.x[:, 0])))
    assert found == pytest.approx(expected, abs=1e-13)


def test_samples_are_uniform_and_labelled():
    data = Interval(lambda x: x**3, -1.0, 3.0)
    x, y = data.batch(jax.random.key(0), 20_000)
    assert x.shape == (20_000, 1)
    assert y.shape == (20_000,)
    assert float(jnp.min(x)) >= -1.0
    assert float(jnp.max(x)) <= 3.0
    # Five standard errors of the mean and of the second moment.
    assert float(jnp.mean(x)) == pytest.approx(1.0, abs=5 * (16 / 12 / 20_000) ** 0.5)
    assert float(jnp.mean(x**2)) == pytest.approx(7 / 3, abs=5 * (61 / 5 / 20_000) ** 0.5)
    np.testing.assert_array_equal(y, x[:, 0] ** 3)
    assert (data.inputs, data.outputs) == (1, ())


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        (lambda x: 1.0 / x, {"lower": -1.0, "upper": 1.0}, "not finite at x = |not smooth near x = "),
        (jnp.log, {}, "not smooth near x = 0;|not finite"),
        (lambda x: jnp.log(x - 0.5), {}, "not finite at x = 0"),
        (jnp.sqrt, {}, r"not smooth near x = .*breaks=\[\.\.\.\]"),
        (lambda x: jnp.abs(x - 0.3), {}, r"not smooth near x = 0\.3;.*breaks="),
        (lambda x: jnp.where(x < 0.3, 0.0, 1.0), {}, r"not smooth near x = 0\.3;.*breaks="),
        (lambda x: jnp.sin(1e6 * x), {}, "not smooth near x = "),
        (lambda x: jnp.stack([x, x]), {}, r"gives one real number, got .*2"),
        (lambda x: x[0], {}, "it fails on a number"),
        (lambda x: x > 0.5, {}, "one real number"),
        (lambda x: None, {}, "one real number"),
        (3.0, {}, "expected a function"),
        (jnp.sin, {"lower": 1.0, "upper": 1.0}, "lower must be below upper, got 1 and 1"),
        (jnp.sin, {"lower": float("-inf")}, "lower=.*finite number"),
        (jnp.sin, {"upper": "1"}, "upper=.*finite number"),
        (jnp.sin, {"breaks": [0.0]}, r"breaks=.*inside \(0, 1\)"),
        (jnp.sin, {"breaks": [0.2, float("nan")]}, r"breaks=.*inside \(0, 1\)"),
        (jnp.sin, {"breaks": "half"}, "breaks="),
    ],
)
def test_refusals(target, options, message):
    with pytest.raises(ValueError, match=rf"(?s)Interval\(.*({message})"):
        Interval(target, **options)
