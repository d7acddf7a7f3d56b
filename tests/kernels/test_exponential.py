"""The Gaussian and the exponential kernel: values, and what they are on a sphere."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.polynomial.chebyshev import chebgauss
from scipy.special import eval_gegenbauer, roots_gegenbauer
from sphere_rule import sphere_rule

import widelimit as wl

RNG = np.random.default_rng(0)
X, Z = RNG.normal(size=(4, 3)), RNG.normal(size=(5, 3))
PAIRS = {
    "exponential": (wl.kernels.exponential(0.7), lambda x, y: np.exp(0.7 * x @ y), 0.0),
    "gaussian": (wl.kernels.gaussian(0.7), lambda x, y: np.exp(-0.35 * (x - y) @ (x - y)), 0.7),
}
both = pytest.mark.parametrize(("kernel", "value", "damping"), PAIRS.values(), ids=PAIRS.keys())


@both
def test_values_and_shapes(kernel, value, damping):
    known = np.array([[value(x, z) for z in Z] for x in X])
    np.testing.assert_allclose(kernel(X, Z), known, rtol=1e-14)
    assert np.all(np.abs(np.asarray(kernel(X, Z)) - known) <= kernel.error(X, Z))
    assert float(kernel(0.5, -1.0)) == pytest.approx(value(np.array([0.5]), np.array([-1.0])), rel=1e-14)
    assert kernel(0.5, [1.0, 2.0, 3.0]).shape == (3,)
    theta = wl.measure.split(kernel.unit.blocks(3, ()), jnp.asarray(np.append(2.0, Z[0])))
    assert float(kernel.unit(theta, jnp.asarray(X[0]))) == pytest.approx(2.0 * known[0, 0], rel=1e-14)


@both
def test_interpolation(kernel, value, damping):
    f = wl.kernels.interpolate(kernel, X, np.arange(4.0))
    np.testing.assert_allclose(f(X), np.arange(4.0), atol=1e-10)
    gram = np.array([[value(x, z) for z in X] for x in X])
    assert float(f.norm_squared) == pytest.approx(np.arange(4.0) @ np.linalg.solve(gram, np.arange(4.0)), rel=1e-9)


@both
@pytest.mark.parametrize("d", [2, 3, 5, 10])
def test_eigenvalues(kernel, value, damping, d):
    """By Funk and Hecke: lambda_k is the mean of phi C_k/C_k(1) over the law of a coordinate; C_k = cos k at d = 2."""
    u, w = chebgauss(60) if d == 2 else roots_gegenbauer(60, (d - 2) / 2)
    phi = np.exp(0.7 * d * u - damping * d)
    for k in (0, 1, 3, 8):
        ratio = np.cos(k * np.arccos(u)) if d == 2 else eval_gegenbauer(k, (d - 2) / 2, u)
        ratio = ratio if d == 2 else ratio / eval_gegenbauer(k, (d - 2) / 2, 1.0)
        # The sum over 60 nodes rounds to 1e-16 of its largest terms.
        known, size = w @ (phi * ratio) / w.sum(), w @ phi / w.sum()
        assert float(kernel.eigenvalue(k, d)) == pytest.approx(known, rel=1e-11, abs=1e-14 * size)


@both
def test_the_iterated_kernel(kernel, value, damping):
    """INT phi phi' over the sphere, by quadrature, on and off it; opposite points on it give e^(-2 damping d)."""
    nodes, w = sphere_rule(3, 24)
    on = 3**0.5 * X / np.linalg.norm(X, axis=1, keepdims=True)
    for left, right in ((on, on), (X, Z)):
        table = [np.array([[value(p, q) for q in nodes] for p in rows]) for rows in (left, right)]
        np.testing.assert_allclose(kernel.iterated(left, right), (table[0] * w) @ table[1].T, rtol=1e-12)
    assert float(kernel.iterated(on[:1], -on[:1])[0, 0]) == pytest.approx(np.exp(-6.0 * damping), rel=1e-14)


def test_one_is_the_other_times_a_number():
    on = 3**0.5 * X / np.linalg.norm(X, axis=1, keepdims=True)
    flat, bell = wl.kernels.exponential(0.7), wl.kernels.gaussian(0.7)
    np.testing.assert_allclose(flat(on, on), np.exp(0.7 * 3) * bell(on, on), rtol=1e-13)
    assert float(flat.eigenvalue(2, 3)) == pytest.approx(np.exp(2.1) * float(bell.eigenvalue(2, 3)), rel=1e-13)
    # The first does not overflow where the other's numbers would: lambda_0 = (1 - e^(-2s))/(2s), s = alpha d.
    assert float(wl.kernels.gaussian(1000.0).eigenvalue(0, 3)) == pytest.approx(1 / 6000.0, rel=1e-11)


def test_it_is_differentiable_and_alpha_is_a_leaf():
    def total(alpha):
        return jnp.sum(wl.kernels.gaussian(alpha).iterated(X, Z)) + wl.kernels.exponential(alpha).eigenvalue(3, 4)

    step = (total(0.7 + 1e-6) - total(0.7 - 1e-6)) / 2e-6
    assert float(jax.jit(jax.grad(total))(0.7)) == pytest.approx(float(step), rel=1e-8)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: wl.kernels.gaussian(0.0), r"gaussian\(alpha=\.\.\.\): must be a finite number above 0"),
        (lambda: wl.kernels.exponential(-1.0), r"exponential\(alpha=\.\.\.\)"),
        (lambda: wl.kernels.gaussian(1.0).eigenvalue(-1, 3), r"eigenvalue\(degree=\.\.\.\)"),
        (lambda: wl.kernels.gaussian(1.0).eigenvalue(1, 1), r"eigenvalue\(dim=\.\.\.\)"),
        (lambda: wl.kernels.gaussian(1.0)(X, np.ones((2, 2))), r"kernel\(other=\.\.\.\): has 2 inputs, x has 3"),
        (
            lambda: wl.kernels.gaussian(1.0).iterated(X, np.full((1, 3), np.nan)),
            r"kernel\(other=\.\.\.\): must be finite",
        ),
    ],
)
def test_what_it_refuses(call, said):
    with pytest.raises(ValueError, match=said):
        call()
