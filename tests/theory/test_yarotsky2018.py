"""The closed forms of yarotsky2018 against mpmath with 30 digits and against quadrature."""

import itertools

import mpmath
import numpy as np
import pytest
from scipy import integrate, optimize

from widelimit.theory import yarotsky2018 as theory

K = np.arange(10)


def nodes(n=400):
    x, w = np.polynomial.legendre.leggauss(n)
    return 0.5 * (x + 1.0), 0.5 * w


def exact_root(k):
    """xi_k by bisection of cos xi + sech xi, 50 digits."""
    with mpmath.workdps(50):
        lead = mpmath.pi * (k + mpmath.mpf(1) / 2)
        return mpmath.findroot(
            lambda z: mpmath.cos(z) + mpmath.sech(z),
            (lead - mpmath.mpf(1) / 3, lead + mpmath.mpf(1) / 3),
            solver="anderson",
            tol=mpmath.mpf(10) ** -80,
        )


@pytest.mark.parametrize("k", [0, 1, 2, 5, 9, 30, 400])
def test_roots_to_rounding(k):
    with mpmath.workdps(50):
        exact = exact_root(k)
        assert abs(mpmath.mpf(float(theory.xi(k))) / exact - 1) < 3e-16
        assert abs(mpmath.mpf(float(theory.zeta(k))) * exact**4 - 1) < 2e-15


def test_the_printed_roots():
    np.testing.assert_allclose(theory.xi(K[:3]), [1.87510, 4.69409, 7.85475], atol=1e-5)
    np.testing.assert_allclose(theory.zeta(K[:3]), [0.08089, 0.002059, 0.0002627], rtol=5e-4)


@pytest.mark.parametrize("k", [0, 1, 9, 60])
@pytest.mark.parametrize("derivative", [0, 1, 2, 3])
def test_eigenfunctions_keep_their_digits(k, derivative):
    """Against (50) as printed, with enough digits for its cancellation: exp(xi) eats 82 of them at k = 60."""
    h = np.linspace(0.0, 1.0, 7)
    with mpmath.workdps(150):
        z = mpmath.findroot(lambda s: mpmath.cos(s) + mpmath.sech(s), mpmath.mpf(float(theory.xi(k))))
        ratio = (mpmath.cosh(z) + mpmath.cos(z)) / (mpmath.sinh(z) + mpmath.sin(z))
        turned = derivative * mpmath.pi / 2

        def printed(x):
            y = z * x
            even, odd = (mpmath.sinh, mpmath.cosh) if derivative % 2 else (mpmath.cosh, mpmath.sinh)
            return even(y) + mpmath.cos(y + turned) - ratio * (odd(y) + mpmath.sin(y + turned))

        exact = np.array([float(printed(mpmath.mpf(float(x)))) for x in h])
    # Rounding xi h turns the phase by eps xi.
    found = theory.eigenfunction(k, h, derivative) / theory.xi(k) ** derivative
    np.testing.assert_allclose(found, exact, atol=4e-16 * (4.0 + float(theory.xi(k))))


def test_eigenfunctions_are_orthonormal_and_solve_the_equation():
    x, w = nodes()
    for table in (theory.eigenfunction(K[:, None], x), theory.image(K[:, None], x)):
        np.testing.assert_allclose((table * w) @ table.T, np.eye(10), atol=1e-13)
    h = np.array([0.0, 0.2, 0.55, 0.9, 1.0])
    for k in (0, 3, 9):
        for at in h:
            y, v = at * x, at * w
            left = np.sum(v * theory.kernel(at, y) * theory.eigenfunction(k, y))
            y, v = at + (1.0 - at) * x, (1.0 - at) * w
            right = np.sum(v * theory.kernel(at, y) * theory.eigenfunction(k, y))
            assert left + right == pytest.approx(theory.zeta(k) * theory.eigenfunction(k, at), abs=2e-14)


def test_kernel_by_quadrature():
    for h, other in [(0.2, 0.7), (0.5, 0.5), (-0.4, 0.3), (-1.0, -0.2), (0.3, 1.2)]:
        points = [p for p in (h, other) if 0 < p < 1]
        found, _ = integrate.quad(
            lambda x, h=h, other=other: max(x - h, 0) * max(x - other, 0), 0, 1, points=points or None, epsabs=1e-14
        )
        assert theory.kernel(h, other) == pytest.approx(found, abs=1e-14)


def test_sine_coefficients_by_quadrature():
    x, w = nodes()
    for j in range(1, 6):
        z = -0.3 * np.sin(j * np.pi * x)
        expected = theory.image(K[:, None], x) @ (w * z)
        np.testing.assert_allclose(theory.sine_coefficient(K, j, 0.3), expected, atol=1e-14)


def test_the_small_output_flow_against_its_own_equation():
    """(23) on 200 midpoints of h, stepped by a matrix exponential in another basis: eigh of the discrete kernel."""
    n, j, amplitude = 200, 2, 1e-3
    h = (np.arange(n) + 0.5) / n
    table = theory.kernel(h[:, None], h[None, :]) / n
    x, w = nodes(1000)
    z = -amplitude * np.sin(j * np.pi * x)
    # u_0(h) = INT (x - h)_+ z dx.
    start = np.maximum(x[None, :] - h[:, None], 0.0) @ (w * z)
    values, vectors = np.linalg.eigh(table)
    coefficients = theory.sine_coefficient(np.arange(400), j, amplitude)
    times = np.array([1.0, 30.0, 1e3])
    found = theory.shift(h, times, coefficients)
    loss = theory.loss(times, coefficients)
    for t, row, value in zip(times, found, loss, strict=True):
        growth = np.where(values > 1e-16, -np.expm1(-values * t) / np.maximum(values, 1e-16), t)
        s = vectors @ (growth * (vectors.T @ start))
        # The midpoint rule: 1/(24 n^2) of a second derivative.
        np.testing.assert_allclose(row, s, atol=2e-4 * np.max(np.abs(s)))
        error = z - np.maximum(x[:, None] - h[None, :], 0.0) @ s / n
        assert value == pytest.approx(0.5 * np.sum(w * error**2), rel=1e-3)
    # At t = 0 the series is half the squared norm of z; its tail after K terms falls as K^-3.
    assert theory.loss(np.array([0.0]), coefficients)[0] == pytest.approx(amplitude**2 / 4, rel=1e-6)


def test_linearisation_at_the_global_minimum():
    """(52) and (37) at t = 0 by quadrature, and lambda_k as eigenvalue of the linearised operator."""
    k = np.arange(4000)
    x, w = nodes(1000)
    # delta f = INT_0^x (F_0 - F_inf), F the distributions: the loss at the start, exactly.
    box = np.clip(x - 0.3, 0.0, 0.5) ** 2 + np.maximum(x - 0.8, 0.0) - 0.5 * x**2
    cosine = 0.1 * (1.0 - np.cos(2 * np.pi * x)) / (2 * np.pi) ** 2
    for coefficients, delta in (
        (theory.box_coefficient(k, 0.3, 0.8), box),
        (theory.cosine_coefficient(k, 0.1), cosine),
    ):
        start = theory.linearised_loss(np.array([0.0]), coefficients)[0]
        # The tail after K terms falls as K^-5; the rule meets a kink of delta f'' at the ends of the box.
        assert start == pytest.approx(0.5 * np.sum(w * delta**2), rel=1e-9)
    m = theory.mu(k[:5])
    by_rule = np.sin(m[:, None] * x) @ (w * 0.1 * np.cos(2 * np.pi * x))
    np.testing.assert_allclose(theory.cosine_coefficient(k[:5], 0.1), by_rule, atol=1e-13)
    by_rule = np.sin(m[:, None] * (0.3 + 0.5 * x)) @ w - np.sin(m[:, None] * x) @ w
    np.testing.assert_allclose(theory.box_coefficient(k[:5], 0.3, 0.8), by_rule, atol=1e-13)
    # The eigenvalue equation of the regular part: lambda p = INT_0^h (h - h') p dh' - h/mu.
    for mode in range(3):
        y = 0.7 * x
        rate, root = theory.decay(mode), theory.mu(mode)
        right = 0.7 * np.sum(w * (0.7 - y) * np.sin(root * y)) - 0.7 / root
        assert rate * np.sin(0.7 * root) == pytest.approx(float(right), abs=1e-13)
    np.testing.assert_allclose(theory.decay(k[:3]), -1 / (np.pi * (k[:3] + 0.5)) ** 2)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("left", [False, True])
def test_families_are_stationary(count, left):
    family = theory.with_left_mass(count) if left else theory.without_left_mass(count)

    def error(x):
        ramps = np.maximum(np.asarray(x)[..., None] - family.knots, 0.0) @ family.masses
        return family.left_mass * np.asarray(x) - family.left_moment + ramps - np.asarray(x) ** 2

    cuts = [0.0, *family.knots, 1.0]
    pieces = [(a, b) for a, b in itertools.pairwise(cuts) if b > a]
    u, v = nodes(6)
    loss = 0.5 * sum((b - a) * np.sum(v * error(a + (b - a) * u) ** 2) for a, b in pieces)
    assert family.loss == pytest.approx(loss, rel=1e-13, abs=0.0)
    held = pieces if left else pieces[1:]
    for a, b in held:
        for power in (0, 1):
            assert abs(np.sum(v * error(a + (b - a) * u) * u**power)) < 1e-16
    assert family.knots[0] > 0
    assert len(family.knots) == count


def test_the_single_atom():
    c, h = theory.single_atom()
    family = theory.without_left_mass(1)
    assert (family.masses[0], family.knots[0]) == (pytest.approx(c, abs=1e-15), pytest.approx(h, abs=1e-15))
    np.testing.assert_allclose(theory.atom_velocity(c, h), 0.0, atol=1e-15)
    # As an atom it attracts; a cloud of it spreads.
    assert np.all(np.linalg.eigvalsh(theory.atom_jacobian(c, h)) < 0)
    assert theory.growth_rate(c, h) == pytest.approx(c * h * h)
    assert theory.growth_rate(c, h) > 0


@pytest.mark.parametrize(("c", "h"), [(1.3, 0.4), (-0.7, 0.8), (2.0, -0.6), (0.5, 0.0), (1.0, 1.3)])
def test_the_motion_of_an_atom(c, h):
    start = min(max(h, 0.0), 1.0)
    expected = [
        -integrate.quad(lambda x: (c * (x - h) - x * x) * (x - h), start, 1.0)[0],
        c * integrate.quad(lambda x: c * (x - h) - x * x, start, 1.0)[0],
    ]
    np.testing.assert_allclose(theory.atom_velocity(c, h), expected, atol=1e-14)
    step = 1e-6
    if h != 0.0:
        columns = [
            (theory.atom_velocity(c + a, h + b) - theory.atom_velocity(c - a, h - b)) / (2 * step)
            for a, b in ((step, 0.0), (0.0, step))
        ]
        np.testing.assert_allclose(theory.atom_jacobian(c, h), np.stack(columns, axis=-1), atol=1e-9)


def test_no_other_single_atom():
    """A scan of c for every h: the conditions of rest in c and in h agree at one h < 1 only."""

    def defect(h):
        # dc/dt is affine in c: its root, and the force on h there.
        at_zero, at_one = (theory.atom_velocity(c, h)[0] for c in (0.0, 1.0))
        c = at_zero / (at_zero - at_one)
        return float(theory.atom_velocity(c, h)[1] / c)

    grid = np.linspace(-3.0, 0.99, 400)
    values = np.array([defect(h) for h in grid])
    changes = np.flatnonzero(values[1:] * values[:-1] < 0)
    assert len(changes) == 1
    root = optimize.brentq(defect, grid[changes[0]], grid[changes[0] + 1], xtol=1e-14)
    assert root == pytest.approx(theory.single_atom()[1], abs=1e-12)


def test_one_input():
    t = np.array([0.0, 0.5, 2.0])
    moved = theory.displacement(t, y=1.0, y0=0.3)
    flow = integrate.solve_ivp(lambda _, w: 1.0 - w, (0, 2), [0.3], t_eval=t, rtol=1e-10, atol=1e-12).y[0]
    np.testing.assert_allclose(0.3 + moved, flow, atol=1e-9)
    np.testing.assert_allclose(theory.one_input_loss(t, 1.0, 0.3), 0.5 * (1.0 - flow) ** 2, atol=1e-9)


@pytest.mark.parametrize("gap", [0.7, -0.2, 0.01, 0.0])
def test_the_limit_of_the_linear_theory_solves_its_equation(gap):
    y0, std = 0.4, 0.5

    def start(w):
        return np.exp(-0.5 * ((w - y0) / std) ** 2) / (std * np.sqrt(2 * np.pi))

    w = np.linspace(-2.0, 3.0, 11)
    step = 1e-5
    slope = (theory.linear_limit(w + step, y0 + gap, y0, std) - theory.linear_limit(w - step, y0 + gap, y0, std)) / (
        2 * step
    )
    # (41); the difference quotient errs by step^2.
    np.testing.assert_allclose(theory.linear_limit(w, y0 + gap, y0, std) + gap * slope, start(w), atol=1e-8)
    x = np.linspace(-8.0, 24.0, 20001)
    mean = np.trapezoid(x * theory.linear_limit(x, y0 + gap, y0, std), x)
    assert mean == pytest.approx(y0 + gap, abs=1e-9)


def test_bad_input():
    with pytest.raises(ValueError, match="whole numbers"):
        theory.xi(-1)
    with pytest.raises(ValueError, match="at least 1"):
        theory.with_left_mass(0)
    with pytest.raises(ValueError, match="derivative"):
        theory.eigenfunction(0, np.zeros(1), -1)
    with pytest.raises(ValueError, match="lower < upper"):
        theory.box_coefficient(0, 0.5, 0.5)
    with pytest.raises(ValueError, match="std"):
        theory.linear_limit(np.zeros(1), 1.0, 0.0, 0.0)
