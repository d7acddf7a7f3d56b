"""The closed forms against their definitions: adaptive quadrature, mpmath, a second route, Monte Carlo."""

import itertools
import math

import numpy as np
import pytest
from scipy import integrate

from widelimit.theory.mei2018 import (
    NONMONOTONE,
    RAMP,
    Anisotropic,
    AnisotropicReLU,
    Isotropic,
    PiecewiseLinear,
    relu_mean,
)

SKEW = PiecewiseLinear((-1.0, 0.0, 0.4, 2.0), (1.0, -2.0, 0.5, 3.0))
SIGMAS = (RAMP, NONMONOTONE, SKEW)


def gaussian_mean(function, r, breaks):
    """E f(r G) by adaptive quadrature, cut at the kinks."""
    ends = sorted({-12.0, 12.0, *(b / r for b in breaks if abs(b / r) < 12.0)})
    pieces = itertools.pairwise(ends)
    return sum(
        integrate.quad(
            lambda g: function(r * g) * math.exp(-g * g / 2) / math.sqrt(2 * math.pi), a, b, epsabs=1e-14, epsrel=1e-13
        )[0]
        for a, b in pieces
    )


@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("r", [0.07, 0.6, 1.5, 9.0])
def test_gaussian_mean(sigma, r):
    # Two roundings of values up to 7.5.
    assert float(sigma.q(r)) == pytest.approx(gaussian_mean(sigma, r, sigma.knots), abs=2e-14)


@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("d", [2, 3, 13, 40])
@pytest.mark.parametrize("z", [0.3, 1.7, 12.0])
def test_sphere_mean(sigma, d, z):
    """c = cos(angle) with density proportional to sin(angle)^(d-2)."""
    cuts = sorted({0.0, math.pi, *(math.acos(t / z) for t in sigma.knots if abs(t) < z)})
    norm = math.exp(math.lgamma(d / 2) - math.lgamma((d - 1) / 2)) / math.sqrt(math.pi)

    def density(angle):
        return norm * math.sin(angle) ** (d - 2) * float(sigma(z * math.cos(angle)))

    direct = sum(integrate.quad(density, a, b, epsabs=1e-14, epsrel=1e-13)[0] for a, b in itertools.pairwise(cuts))
    assert float(sigma.p(z, d)) == pytest.approx(direct, abs=5e-14)


@pytest.mark.parametrize("sigma", SIGMAS)
def test_slopes(sigma):
    z, h = np.array([0.3, 0.8, 1.9, 7.0]), 1e-5
    # Central differences: h^2 times third derivatives below 1e3, and rounding 1e-15/h.
    q_slope = (sigma.q(z + h) - sigma.q(z - h)) / (2 * h)
    p_slope = (sigma.p(z + h, 9) - sigma.p(z - h, 9)) / (2 * h)
    np.testing.assert_allclose(sigma.q_slope(z), q_slope, atol=1e-7)
    np.testing.assert_allclose(sigma.p_slope(z, 9), p_slope, atol=1e-7)


@pytest.mark.parametrize("sigma", SIGMAS)
def test_ends(sigma):
    ends = np.array([0.0, math.inf])
    expected = [float(sigma(0.0)), (sigma.values[0] + sigma.values[-1]) / 2]
    for mean in (sigma.q, lambda z: sigma.p(z, 2), lambda z: sigma.p(z, 40)):
        np.testing.assert_array_equal(mean(ends), expected)
        # Continuous there: the distance to the limit is up to |bend| knot^2/radius, below 4e-5.
        np.testing.assert_allclose(mean(np.array([1e-6, 1e6])), expected, rtol=0, atol=4e-5)
    assert float(sigma.q_slope(math.inf)) == 0.0


def chi_mean(function, d, kinks):
    low, high = max(1e-300, math.sqrt(d) - 10), math.sqrt(d) + 10
    front = (d / 2 - 1) * math.log(2) + math.lgamma(d / 2)
    cuts = sorted({low, high, math.sqrt(d), *(k for k in kinks if low < k < high)})

    def weighted(s):
        return function(s) * math.exp((d - 1) * math.log(s) - s * s / 2 - front)

    return sum(
        integrate.quad(weighted, a, b, epsabs=1e-14, epsrel=1e-13, limit=500)[0] for a, b in itertools.pairwise(cuts)
    )


@pytest.mark.first(6)
@pytest.mark.parametrize("d", [2, 5, 40, 320])
@pytest.mark.parametrize(("r1", "r2"), [(0.4, 1.7), (3.0, 3.0), (8.0, 0.2)])
def test_u_by_adaptive_quadrature(d, r1, r2):
    model = Isotropic(0.8, d)
    kinks = [t / (tau * r) for t in RAMP.knots for tau in model.tau for r in (r1, r2)]
    direct = 0.5 * sum(
        chi_mean(lambda s, t=tau: float(RAMP.p(t * r1 * s, d) * RAMP.p(t * r2 * s, d)), d, kinks) for tau in model.tau
    )
    # Rounding of d log s in the density, 1e-13 at d = 320.
    assert float(model.u(r1, r2)) == pytest.approx(direct, abs=3e-13)


def panels(ends, nodes):
    """Gauss-Legendre between neighbouring ends."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    left, half = np.array(ends[:-1])[:, None], np.diff(ends)[:, None] / 2
    return (left + half * (x + 1)).ravel(), (half * w).ravel()


@pytest.mark.parametrize("d", [3, 40])
def test_u_through_the_angle_between_two_weights(d):
    """The other order of integration: given cos(w1, w2) = c, (<w1, x>, <w2, x>) is Gaussian of correlation c."""
    r1, r2, model = 0.9, 1.6, Isotropic(0.4, d)
    norm = math.exp(math.lgamma(d / 2) - math.lgamma((d - 1) / 2)) / math.sqrt(math.pi)
    # Near cos = +-1 the inner mean below has a sharp bend.
    angles, w_angle = panels(math.pi * np.array([0, 0.003, 0.03, 0.2, 0.4, 0.5, 0.6, 0.8, 0.97, 0.997, 1]), 20)

    def given(tau, c):
        # E sigma(tau r1 G) E[sigma(tau r2 (c G + sqrt(1-c^2) H)) | G]: the inner mean in closed form, as ramps.
        def inner(g):
            mean, spread = tau * r2 * c * g, tau * r2 * math.sqrt(1 - c * c)
            return RAMP.values[0] + sum(
                m * relu_mean(spread, mean - t) for m, t in zip(RAMP.bends, RAMP.knots, strict=True)
            )

        kinks = {t / (tau * r) for t in RAMP.knots for r in (r1, r2 * c)}
        g, w = panels(sorted({-9.0, 9.0, *(k for k in kinks if abs(k) < 9.0)}), 40)
        return np.sum(w * np.exp(-g * g / 2) / math.sqrt(2 * math.pi) * RAMP(tau * r1 * g) * inner(g))

    direct = sum(
        0.5 * w * norm * math.sin(a) ** (d - 2) * given(tau, math.cos(a))
        for a, w in zip(angles, w_angle, strict=True)
        for tau in model.tau
    )
    # The bend beside the kinks limits the inner rule; at d = 40 there is no weight where it is sharp.
    assert float(model.u(r1, r2)) == pytest.approx(direct, abs=1e-11 if d == 40 else 1e-8)


def test_kernels_by_monte_carlo():
    d, delta, r1, r2 = 6, 0.6, 0.9, 2.0
    rng = np.random.default_rng(0)
    n = 200_000
    y = rng.choice([-1.0, 1.0], n)
    x = (1 + y * delta)[:, None] * rng.normal(size=(n, d))
    one, two = (w / np.linalg.norm(w, axis=1, keepdims=True) for w in rng.normal(size=(2, n, d)))
    first, second = RAMP(r1 * np.sum(one * x, axis=1)), RAMP(r2 * np.sum(two * x, axis=1))
    model = Isotropic(delta, d)
    for values, exact in ((-y * first, model.v(r1)), (first * second, model.u(r1, r2))):
        assert abs(values.mean() - float(exact)) < 4 * values.std() / math.sqrt(n)


def test_the_limit_of_many_inputs_is_approached_at_rate_1_over_d():
    limit = float(Isotropic(0.5, math.inf).u(0.9, 1.6))
    gaps = [float(Isotropic(0.5, d).u(0.9, 1.6)) - limit for d in (100, 400, 1600)]
    rates = np.diff(np.log(gaps)) / math.log(4)
    np.testing.assert_allclose(rates, -1.0, atol=0.02)


def test_u_slope_and_psi_are_derivatives():
    model, h = Isotropic(0.3, 13), 1e-5
    slope = (model.u(1.2 + h, 0.7) - model.u(1.2 - h, 0.7)) / (2 * h)
    assert float(model.u_slope(1.2, 0.7)) == pytest.approx(float(slope), abs=1e-8)
    v_slope = (model.v(1.2 + h) - model.v(1.2 - h)) / (2 * h)
    assert float(model.v_slope(1.2)) == pytest.approx(float(v_slope), abs=1e-8)
    radii, weights = np.array([0.0, 1.1, math.inf]), np.array([0.2, 0.5, 0.3])
    # Mass at r changes the risk (4) at the rate 2 psi(r); the risk is quadratic in weights, so this is exact.
    for i in range(3):
        unit = np.eye(3)[i]
        rate = (model.risk(radii, weights + 0.5 * unit) - model.risk(radii, weights - 0.5 * unit)) / 2
        assert rate == pytest.approx(float(model.psi(radii, radii, weights)[i]), abs=1e-13)
    assert model.risk(np.array([1.1]), np.ones(1)) == pytest.approx(float(model.single(1.1)), abs=1e-14)


@pytest.mark.parametrize(("spread", "offset"), [(0.3, -0.7), (2.0, 1.5), (1.0, 0.0), (0.2, 3.0)])
def test_relu_mean(spread, offset):
    direct = gaussian_mean(lambda z: max(z + offset, 0.0), spread, (-offset,))
    assert float(relu_mean(spread, offset)) == pytest.approx(direct, abs=1e-14)
    assert float(relu_mean(0.0, offset)) == max(offset, 0.0)


def test_anisotropic_without_a_second_radius_is_isotropic():
    r = np.array([0.2, 1.0, 3.0])
    flat, plain = Anisotropic(0.4), Isotropic(0.4, math.inf)
    pairs = np.stack([r, np.zeros(3)], axis=1)
    np.testing.assert_allclose(flat.v(pairs), plain.v(r), rtol=1e-14)
    np.testing.assert_allclose(flat.u(pairs[:, None], pairs), plain.u(r[:, None], r), rtol=1e-14)


def samples(rng, n, d, relevant, delta):
    y = rng.choice([-1.0, 1.0], n)
    x = rng.normal(size=(n, d)).astype(np.float32)
    x[:, :relevant] *= (1 + y * delta)[:, None]
    return y, x


def turned(rng, n, d, relevant, r1, r2):
    """Weights of the given two norms, uniform in direction inside V and outside."""
    w = rng.normal(size=(n, d)).astype(np.float32)
    w[:, :relevant] *= r1 / np.linalg.norm(w[:, :relevant], axis=1, keepdims=True)
    w[:, relevant:] *= r2 / np.linalg.norm(w[:, relevant:], axis=1, keepdims=True)
    return w


def test_anisotropic_kernels_by_monte_carlo():
    d, relevant, n, delta = 400, 160, 40_000, 0.6
    rng = np.random.default_rng(1)
    y, x = samples(rng, n, d, relevant, delta)
    first, second = (0.8, 1.1), (1.7, 0.4)
    one, two = (np.sum(turned(rng, n, d, relevant, *r) * x, axis=1) for r in (first, second))
    ramp, relu = Anisotropic(delta), AnisotropicReLU(delta)
    a, b = (1.3, -0.7), (0.4, 0.9)
    f, g = (a[i] * np.maximum(z + b[i], 0.0) for i, z in enumerate((one, two)))
    neurons = [np.array([a[i], b[i], *r]) for i, r in enumerate((first, second))]
    radii = [np.array(r) for r in (first, second)]
    for values, exact in (
        (-y * RAMP(one), ramp.v(radii[0])),
        (RAMP(one) * RAMP(two), ramp.u(*radii)),
        (-y * f, relu.v(neurons[0])),
        (f * g, relu.u(*neurons)),
    ):
        # The v are exact at any d; the u differ from d = inf by O(1/d), here at most 0.02.
        assert abs(values.mean() - float(exact)) < 4 * values.std() / math.sqrt(n) + 0.02


@pytest.mark.parametrize(("delta", "d", "named"), [(0.0, 40, "delta"), (1.0, 40, "delta"), (0.5, 1, "d")])
def test_refusals(delta, d, named):
    with pytest.raises(ValueError, match=rf"Isotropic\({named}="):
        Isotropic(delta, d)
