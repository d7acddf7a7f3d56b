"""The closed forms of rotskoff2018 against sampling, differences and brute force."""

import functools

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from widelimit.theory import rotskoff2018 as theory


def network(seed=0):
    rng = np.random.default_rng(seed)
    x, f, mu = rng.normal(size=(6, 2)), rng.normal(size=6), rng.dirichlet(np.ones(6))
    return rng.normal(size=4), rng.normal(size=(4, 2)), rng.dirichlet(np.ones(4)), x, f, mu


def risk(c, y, w, x, f, mu):
    return 0.5 * mu @ ((w * c) @ np.tanh(y @ x.T) - f) ** 2


def test_energy_is_the_loss():
    c, y, w, x, f, mu = network()
    of = theory.tanh_features(y, x)
    assert theory.energy(c, w, of, f, mu) == pytest.approx(risk(c, y, w, x, f, mu), rel=1e-13)


def test_forces_are_minus_the_gradient_over_the_weight():
    c, y, w, x, f, mu = network()
    charges, places = theory.forces(c, w, theory.tanh_features(y, x), f, mu)
    e = 1e-6
    for i in range(4):
        step = e * np.eye(4)[i]
        slope = (risk(c + step, y, w, x, f, mu) - risk(c - step, y, w, x, f, mu)) / (2 * e)
        assert charges[i] == pytest.approx(-slope / w[i], rel=1e-7)
        for k in range(2):
            move = np.zeros_like(y)
            move[i, k] = e
            slope = (risk(c, y + move, w, x, f, mu) - risk(c, y - move, w, x, f, mu)) / (2 * e)
            assert places[i, k] == pytest.approx(-slope / w[i], rel=1e-6)


def test_features():
    _, y, _, x, _, _ = network()
    of, e = theory.tanh_features(y, x), 1e-6
    for k in range(2):
        move = e * np.eye(2)[k]
        up, down = theory.tanh_features(y + move, x), theory.tanh_features(y - move, x)
        np.testing.assert_allclose(of.slope[:, k], (up.phi - down.phi) / (2 * e), atol=1e-9)
        np.testing.assert_allclose(of.bend[:, k], (up.slope - down.slope) / (2 * e), atol=1e-8)


def test_the_kernel_moves_the_function():
    c, y, w, x, f, mu = network()
    of = theory.tanh_features(y, x)
    charges, places = theory.forces(c, w, of, f, mu)
    e = 1e-6
    after = theory.value(c + e * charges, w, theory.tanh_features(y + e * places, x))
    rate = -theory.tangent_kernel(c, w, of) @ (mu * (theory.value(c, w, of) - f))
    np.testing.assert_allclose((after - theory.value(c, w, of)) / e, rate, rtol=1e-4, atol=1e-5)


def test_covariance_blocks_by_brute_force():
    c, y, w, x, f, mu = network()
    of = theory.tanh_features(y, x)
    r = theory.value(c, w, of) - f
    a_0, a_1, a_2 = theory.covariance_blocks(r, of, mu)
    g, h = of.phi * r, of.slope * r
    for i in range(4):
        for j in range(4):
            assert a_0[i, j] == pytest.approx(mu @ (g[i] * g[j]) - (mu @ g[i]) * (mu @ g[j]), abs=1e-14)
            np.testing.assert_allclose(a_1[i, :, j], (h[i] * g[j]) @ mu - (h[i] @ mu) * (mu @ g[j]), atol=1e-14)
            np.testing.assert_allclose(a_2[i, :, j], (h[i] * mu) @ h[j].T - np.outer(h[i] @ mu, h[j] @ mu), atol=1e-14)


def test_covariance_by_differences_of_flows():
    """SUM p_i |df/de|^2 over the flows of p + e (delta_i - p), and for the noise over kicks by single samples."""
    c, y, p, x, f, mu = network(1)
    rows, t = np.concatenate([c[:, None], y], axis=1), 1.5
    found = theory.covariance(rows, p, functools.partial(theory.tanh_features, x=x), f, mu, np.array([0.0, t]))
    printed = theory.covariance(
        rows, p, functools.partial(theory.tanh_features, x=x), f, mu, np.array([0.0, t]), centred=False
    )

    def flow(p, until, kick=None, at=0.0):
        def rate(s, state):
            z = state.reshape(4, 3)
            parts = theory.forces(z[:, 0], p, theory.tanh_features(z[:, 1:], x), f, mu)
            return np.concatenate([parts[0][:, None], parts[1]], axis=1).ravel()

        z = rows.ravel()
        if at > 0.0:
            z = solve_ivp(rate, (0.0, at), z, "DOP853", rtol=1e-10, atol=1e-12).y[:, -1]
        if kick is not None:
            s = z.reshape(4, 3)
            of = theory.tanh_features(s[:, 1:], x)
            r = (p * s[:, 0]) @ of.phi - f
            g = np.concatenate([of.phi[:, None], s[:, :1, None] * of.slope], axis=1) * r
            z = z - kick[0] * (g[:, :, kick[1]] - g @ mu).ravel()
        z = solve_ivp(rate, (at, until), z, "DOP853", rtol=1e-10, atol=1e-12).y[:, -1].reshape(4, 3)
        return (p * z[:, 0]) @ np.tanh(z[:, 1:] @ x.T)

    e = 1e-4

    def square(one, other):
        return float(mu @ ((one - other) / (2 * e)) ** 2)

    eye = np.eye(4)
    start = sum(p[i] * square(flow(p + e * (eye[i] - p), t), flow(p - e * (eye[i] - p), t)) for i in range(4))
    assert found.start[1] == pytest.approx(start, rel=1e-5)
    assert found.start[0] == pytest.approx(
        sum(p[i] * mu @ (c[i] * np.tanh(y[i] @ x.T) - (p * c) @ np.tanh(y @ x.T)) ** 2 for i in range(4)), rel=1e-12
    )
    assert printed.start[1] > 1.01 * found.start[1]
    # White noise in time: the kicks of every moment, by Gauss' rule over 5 of them.
    moments, weights = np.polynomial.legendre.leggauss(5)
    moments, weights = 0.5 * t * (moments + 1.0), 0.5 * t * weights
    noise = [sum(mu[q] * square(flow(p, t, (e, q), s), flow(p, t, (-e, q), s)) for q in range(6)) for s in moments]
    assert found.noise[1] == pytest.approx(weights @ noise, rel=1e-3)


def test_three_spin_by_sampling():
    d, rng = 5, np.random.default_rng(0)
    a = rng.normal(size=(d, d, d))
    x = rng.normal(size=(400_000, d))
    x *= np.sqrt(d) / np.linalg.norm(x, axis=1, keepdims=True)
    f = theory.spin(a, x)

    def close(samples, exact):
        assert abs(np.mean(samples) - exact) < 4.0 * np.std(samples) / len(samples) ** 0.5

    close(f**2, sum(theory.moments(a)))
    for gaussian in (False, True):
        phi = np.exp(x @ x[:2].T - (d if gaussian else 0.0))
        for k in range(2):
            close(f * phi[:, k], theory.overlap(a, x[:2], 1.0, gaussian=gaussian)[k])
        close(phi[:, 0] * phi[:, 1], theory.kernel(x[:2], x[:2], 1.0, gaussian=gaussian)[0, 1])


def test_three_spin_derivatives():
    d, rng = 4, np.random.default_rng(1)
    a, x, e = rng.normal(size=(d, d, d)), rng.normal(size=(3, d)), 1e-5
    assert theory.spin(a, x)[0] == pytest.approx(np.einsum("pqr,p,q,r->", a, x[0], x[0], x[0]) / d)
    for k in range(d):
        move = e * np.eye(d)[k]
        slope = (theory.spin(a, x + move) - theory.spin(a, x - move)) / (2 * e)
        np.testing.assert_allclose(theory.spin_gradient(a, x)[:, k], slope, rtol=1e-7, atol=1e-9)


def test_three_dimensions_in_elementary_functions():
    """d = 3: K = sinh s/s, s = alpha sqrt 3 |y + z|; lambda_0 = sinh(3 alpha)/(3 alpha)."""
    y = np.random.default_rng(2).normal(size=(4, 3))
    s = 0.7 * np.sqrt(3.0) * np.linalg.norm(y[:, None] + y[None], axis=2)
    np.testing.assert_allclose(theory.kernel(y, y, 0.7), np.sinh(s) / s, rtol=1e-12)
    assert theory.eigenvalue(0, 3, 0.7) == pytest.approx(np.sinh(2.1) / 2.1, rel=1e-12)
    np.testing.assert_allclose(theory.kernel(y, -y, 0.7)[0, 0], 1.0, rtol=1e-12)


def test_the_forces_of_the_kernel():
    """(4.5) is -n times the gradient of half the square in the space of the kernel, along the sphere."""
    d, n, rng = 4, 5, np.random.default_rng(3)
    a, c, y = rng.normal(size=(d, d, d)), rng.normal(size=n), rng.normal(size=(n, d))
    y *= np.sqrt(d) / np.linalg.norm(y, axis=1, keepdims=True)

    def square(c, y):
        return -c @ theory.spin(a, y) / n + c @ np.exp(0.5 * y @ y.T) @ c / (2 * n**2)

    charges, places = theory.rbf_forces(a, c, y, 0.5)
    e, axis = 1e-6, np.eye(n)
    for i in range(n):
        slope = (square(c + e * axis[i], y) - square(c - e * axis[i], y)) / (2 * e)
        assert charges[i] == pytest.approx(-n * slope, rel=1e-6)
        tangent = rng.normal(size=d)
        tangent -= (tangent @ y[i]) * y[i] / d
        move = np.outer(axis[i], tangent)
        slope = (square(c, y + e * move) - square(c, y - e * move)) / (2 * e)
        assert places[i] @ tangent == pytest.approx(-n * slope, rel=1e-5, abs=1e-8)
        assert places[i] @ y[i] == pytest.approx(0.0, abs=1e-12)


def test_one_cube_by_hand():
    """f = x_1^3/d: E f x_1 = 3/(d + 2), which is the slope of f_1, and E f^2 = 15/((d + 2)(d + 4))."""
    a = np.zeros((5, 5, 5))
    a[0, 0, 0] = 1.0
    first, third = theory.moments(a)
    assert first == pytest.approx(9.0 / 49.0, rel=1e-14)
    assert first + third == pytest.approx(15.0 / 63.0, rel=1e-14)
