"""The integral over particles against a double loop, and its derivative rule without the weight."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from widelimit import activations as acts, units
from widelimit.measure import row_size, split
from widelimit.problem.networks._integrate import integrate

N, Q = 5, 7


class Wave(units.AbstractUnit):
    """cos(k w.x + b) (1, 2): a vector output without a linear block, and an array among the unit's leaves."""

    k: jax.Array
    blocks_of = units.Neuron(acts.tanh, output_weight=False)

    def blocks(self, inputs, outputs):
        return self.blocks_of.blocks(inputs, ())

    def __call__(self, theta, x):
        return jnp.cos(self.k * jnp.dot(theta.weight, x) + theta.bias) * jnp.arange(1.0, 3.0)

    kinked = property(lambda self: False)
    linear = property(lambda self: None)
    homogeneity = property(lambda self: None)
    bound = property(lambda self: None)

    def lipschitz(self, x):
        return None

    def curvature(self, x):
        return None

    def outer_curvature(self, x):
        return None


CASES = {
    "neuron": (units.Neuron(acts.tanh), 3, ()),
    "neuron-vector": (units.Neuron(acts.tanh), 3, (2,)),
    "neuron-bare": (units.Neuron(acts.sigmoid, output_weight=False), 3, ()),
    "radial-vector": (units.RadialBasis(0.8), 2, (3,)),
    "wave": (Wave(jnp.asarray(1.3)), 2, (2,)),
    "free-knot": (units.FreeKnot(), 1, ()),
}
every = pytest.mark.parametrize(("unit", "inputs", "outputs"), CASES.values(), ids=CASES.keys())
SMOOTH = {name: case for name, case in CASES.items() if not case[0].kinked}
every_smooth = pytest.mark.parametrize(("unit", "inputs", "outputs"), SMOOTH.values(), ids=SMOOTH.keys())


def system(unit, inputs, outputs, seed=0):
    """Blocks, rows [N, D], weights [N] (one of them 0), inputs [Q, d], targets [Q, *outputs]."""
    rng = np.random.default_rng(seed)
    blocks = unit.blocks(inputs, outputs)
    rows = jnp.asarray(rng.normal(size=(N, row_size(blocks))))
    w = jnp.asarray([0.3, 0.0, 0.25, 0.35, 0.1])
    x, y = rng.normal(size=(Q, inputs)), rng.normal(size=(Q, *outputs))
    return blocks, rows, w, jnp.asarray(x), jnp.asarray(y)


def plain(unit, blocks, rows, w, x):
    """f by a sum that differentiates as written: its gradients carry the weights."""
    one = jax.vmap(jax.vmap(lambda row, point: unit(split(blocks, row), point), (None, 0)), (0, None))
    return jnp.tensordot(w, one(rows, x), axes=1)


def risk(f, y):
    return jnp.mean(jnp.cosh(f - y) - 1)


@every
def test_double_loop(unit, inputs, outputs):
    blocks, rows, w, x, _ = system(unit, inputs, outputs)
    expected = np.zeros((Q, *outputs))
    for q in range(Q):
        for i in range(N):
            expected[q] += float(w[i]) * np.asarray(unit(split(blocks, rows[i]), x[q]))
    f = integrate(unit, split(blocks, rows), w, x)
    assert f.shape == (Q, *outputs)
    np.testing.assert_allclose(f, expected, rtol=1e-12, atol=1e-14)


@every
def test_gradients_are_those_of_the_functional(unit, inputs, outputs):
    blocks, rows, w, x, y = system(unit, inputs, outputs)

    def through(rows, w):
        return risk(integrate(unit, split(blocks, rows), w, x), y)

    gradient, psi = jax.jit(jax.grad(through, argnums=(0, 1)))(rows, w)
    true, slope = jax.jit(jax.grad(lambda r, v: risk(plain(unit, blocks, r, v, x), y), argnums=(0, 1)))(rows, w)
    heavy = np.asarray(w) > 0
    np.testing.assert_allclose(gradient[heavy], true[heavy] / w[heavy, None], rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(psi, slope, rtol=1e-12, atol=1e-14)
    assert np.all(np.asarray(true)[~heavy] == 0)

    # At weight zero: the gradient of psi(theta) = INT R'(f) phi(theta, .), with f held fixed.
    @jax.jit
    def first(row):
        dual = jax.grad(risk)(plain(unit, blocks, rows, w, x), y)
        return jax.grad(lambda r: jnp.sum(dual * plain(unit, blocks, r[None], jnp.ones(1), x)))(row)

    np.testing.assert_allclose(gradient[1], first(rows[1]), rtol=1e-11, atol=1e-14)


@every_smooth
def test_gradient_against_finite_differences(unit, inputs, outputs):
    blocks, rows, w, x, y = system(unit, inputs, outputs)
    value = jax.jit(lambda r: risk(plain(unit, blocks, r, w, x), y))
    gradient = jax.jit(jax.grad(lambda r: risk(integrate(unit, split(blocks, r), w, x), y)))(rows)
    h = 1e-6
    for i in (0, 2, 4):
        for j in range(rows.shape[1]):
            shift = jnp.zeros_like(rows).at[i, j].set(h)
            numeric = (value(rows + shift) - value(rows - shift)) / (2 * h) / w[i]
            np.testing.assert_allclose(gradient[i, j], numeric, atol=1e-8)


@every_smooth
def test_derivative_of_the_gradient_along_a_motion(unit, inputs, outputs):
    """Forward mode over the rule: d/dt grad psi(theta_i(t); rho(t)), particles and weights moving."""
    blocks, rows, w, x, y = system(unit, inputs, outputs)
    motion = jnp.asarray(np.random.default_rng(7).normal(size=rows.shape))
    dw = jnp.asarray([0.1, 0.2, -0.1, -0.3, 0.1])

    @jax.jit
    def gradients(rows, w):
        return jax.grad(lambda r, v: risk(integrate(unit, split(blocks, r), v, x), y), argnums=(0, 1))(rows, w)

    _, (moved, moved_psi) = jax.jvp(gradients, (rows, w), (motion, dw))
    h = 1e-5
    ahead, behind = (gradients(rows + s * motion, w + s * dw) for s in (h, -h))
    np.testing.assert_allclose(moved, (ahead[0] - behind[0]) / (2 * h), atol=1e-7)
    np.testing.assert_allclose(moved_psi, (ahead[1] - behind[1]) / (2 * h), atol=1e-7)


@every
def test_derivatives_in_the_inputs_and_in_the_unit_are_the_true_ones(unit, inputs, outputs):
    blocks, rows, w, x, y = system(unit, inputs, outputs)
    arrays, rest = eqx.partition(unit, eqx.is_array)

    def through(arrays, x):
        return risk(integrate(eqx.combine(arrays, rest), split(blocks, rows), w, x), y)

    def straight(arrays, x):
        return risk(plain(eqx.combine(arrays, rest), blocks, rows, w, x), y)

    got, expected = (jax.jit(jax.grad(function, argnums=(0, 1)))(arrays, x) for function in (through, straight))
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-14)


@every
def test_blocks_keep_their_shape_and_precision(unit, inputs, outputs):
    blocks, rows, w, x, y = system(unit, inputs, outputs)
    arrays = jax.tree.map(lambda a: a.astype(jnp.float32) if eqx.is_array(a) else a, (unit, rows, w, x, y))
    unit, rows, w, x, y = arrays
    theta = split(blocks, rows)
    gradient = jax.eval_shape(jax.grad(lambda th: risk(integrate(unit, th, w, x), y)), theta)
    assert [g.shape for g in gradient] == [t.shape for t in theta]
    assert {g.dtype for g in gradient} == {jnp.dtype("float32")}


def test_vmap_over_seeds():
    unit, inputs, outputs = CASES["neuron"]
    blocks, rows, w, x, y = system(unit, inputs, outputs)
    value = jax.jit(jax.grad(lambda r: risk(integrate(unit, split(blocks, r), w, x), y)))
    stacked = jnp.stack([rows, 2 * rows])
    np.testing.assert_allclose(jax.jit(jax.vmap(value))(stacked)[1], value(2 * rows), rtol=1e-12)
