"""The closed forms against their definitions: adaptive quadrature over the law of (a, b), and each other."""

import itertools
import math

import numpy as np
import pytest
from scipy import integrate

from widelimit.theory import williams2019 as theory

X = (-0.8, -0.1, 0.0, 0.35, 0.9)
PAIRS = list(itertools.product(X, X))


def over_bias(function, a, ends, x):
    """The mean of a function of b over b uniform on `ends`, cut where a neuron changes."""
    cuts = [u for u in (a * x[0], a * x[1]) if ends[0] < u < ends[1]]
    value = integrate.quad(function, *ends, points=cuts or None, epsabs=1e-14, epsrel=1e-13)[0]
    return value / (ends[1] - ends[0])


def neurons(a, x):
    return lambda b: max(a * x[0] - b, 0.0) * max(a * x[1] - b, 0.0)


def steps(a, x):
    return lambda b: float(a * x[0] > b and a * x[1] > b)


@pytest.mark.parametrize("ends", [(-1.0, 1.0), (-0.3, 2.0), (0.2, 0.5)])
def test_uniform_bias(ends):
    a, q = np.array([-1.5, -0.2, 0.0, 1.0]), np.array([0.1, 0.2, 0.3, 0.4])
    for x in PAIRS:
        wanted = [sum(w * over_bias(f(s, x), s, ends, x) for s, w in zip(a, q, strict=True)) for f in (neurons, steps)]
        assert float(theory.uniform_bias_kernel(*x, a, q, ends)) == pytest.approx(wanted[0], abs=1e-13)
        assert float(theory.uniform_bias_steps(*x, a, q, ends)) == pytest.approx(wanted[1], abs=1e-12)


def test_two_signs_are_a_uniform_bias():
    x, other = np.array(PAIRS).T
    plain = theory.uniform_bias_kernel(x, other, np.array([-1.0, 1.0]), np.full(2, 0.5), (-0.9, 0.9))
    np.testing.assert_allclose(theory.two_sign_kernel(x, other, 0.9), plain, rtol=1e-13)


def test_box():
    """Against the mean over a of the kernel at each a, by a Gauss rule (it is a cubic in a on either side of 0)."""
    t, v = np.polynomial.legendre.leggauss(8)
    a = np.concatenate([0.5 * (t - 1.0), 0.5 * (t + 1.0)])
    x, other = np.array(PAIRS).T
    plain = theory.uniform_bias_kernel(x, other, a, np.tile(v, 2) / 4.0, (-1.0, 1.0))
    np.testing.assert_allclose(theory.box_kernel(x, other), plain, rtol=1e-13)


def test_radial():
    """Polar coordinates: E r^2 times the mean over angles; the step kernel is a share of the circle."""
    for x in PAIRS:

        def product(t, x=x):
            return neurons(math.sin(t), x)(-math.cos(t)) / (2.0 * math.pi)

        def step(t, x=x):
            return steps(math.sin(t), x)(-math.cos(t)) / (2.0 * math.pi)

        # x sin t + cos t is a cosine of t - arctan x.
        cuts = sorted({(math.atan(p) + d) % (2 * math.pi) for p in x for d in (0.5 * math.pi, 1.5 * math.pi)})
        ends = itertools.pairwise([0.0, *cuts, 2.0 * math.pi])
        wanted = np.sum([[integrate.quad(f, *end, epsabs=1e-14)[0] for f in (product, step)] for end in ends], axis=0)
        assert float(theory.radial_kernel(*x, 3.0)) == pytest.approx(3.0 * wanted[0], abs=1e-13)
        assert float(theory.radial_steps(*x)) == pytest.approx(wanted[1], abs=1e-13)


def test_the_printed_radial_kernel_is_right_on_the_diagonal_only():
    def printed(x, other):
        first = (np.pi - np.arctan(other) + np.arctan(x)) * (x * other + 1.0)
        second = (other / (1.0 + other**2) - x / (1.0 + x**2)) * (x * other - 1.0)
        third = (x + other) * (other**2 / (1.0 + other**2) - x**2 / (1.0 + x**2))
        return (first + second + third) / (2.0 * np.pi)

    assert printed(0.4, 0.4) == pytest.approx(float(theory.radial_kernel(0.4, 0.4)), rel=1e-14)
    assert abs(printed(0.1, 0.4) - float(theory.radial_kernel(0.1, 0.4))) > 0.05


def test_tangent():
    assert float(theory.tangent(0.3, 0.25, 2.0, -3.0, 4.0)) == pytest.approx(0.3 - 5.0)


@pytest.mark.parametrize(("a", "q"), [([1.0], [1.0]), ([-1.0, 1.0], [0.5, 0.5]), ([-0.5, 1.0, 2.0], [0.2, 0.5, 0.3])])
def test_norm_of_a_kernel_function(a, q):
    """|K(., z)|^2 = K(z, z), for b uniform on (-1, 1): K(., z)'' = nu_+ (z - u)_+ + nu_- (u - z)_+."""
    a, q, z = np.array(a), np.array(q), 0.3

    def density(b):
        return 0.5 if -1.0 < b < 1.0 else 0.0

    def nu(u, sign):
        return sum(w * abs(s) ** 3 * density(s * u) for s, w in zip(a, q, strict=True) if sign * s > 0.0)

    def second(u):
        return nu(u, 1.0) * max(z - u, 0.0) + nu(u, -1.0) * max(u - z, 0.0)

    def function(x):
        return float(theory.uniform_bias_kernel(x, z, a, q, (-1.0, 1.0)))

    norm = theory.curvature_norm(function, second, (-0.5, 0.6), a, q, density, (-1.0, 1.0), breaks=(z,))
    assert norm == pytest.approx(function(z), rel=1e-9)


def test_tangent_norm_of_a_kernel_function():
    """The parts of K_NTK(., z) for a in {1, 2}, b uniform on (-1, 1): they carry K_NTK(z, z)."""
    a, q, z, squares = np.array([1.0, 2.0]), np.array([0.6, 0.4]), 0.3, 2.5
    ends = (-1.0, 1.0)

    def density(b):
        return 0.5 if -1.0 < b < 1.0 else 0.0

    def nu(u, p):
        return sum(w * s**p * density(s * u) for s, w in zip(a, q, strict=True))

    def step(x):
        return float(theory.uniform_bias_steps(x, z, a, q, ends))

    def second(u):
        return nu(u, 3) * max(z - u, 0.0)

    def slope(u):
        return squares * nu(u, 1) * (u < z)

    def third(u):
        return squares * u * z * step(u)

    def third_slope(u):
        return z * (squares * step(u) + u * slope(u))

    norm = theory.tangent_norm(second, (slope, third_slope), third, a, q, density, ends, squares, breaks=(z,))
    kernel = theory.uniform_bias_kernel(z, z, a, q, ends)
    assert norm == pytest.approx(float(theory.tangent(kernel, step(z), z, z, squares)), rel=1e-9)
