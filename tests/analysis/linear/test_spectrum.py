"""Spectra against the closed forms of yarotsky2018, A.3, A.6 and A.7."""

import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.linalg

import widelimit as wl

LAWS = wl.laws
START = LAWS.product(c=LAWS.Atom(0.0), h=LAWS.Uniform(0.0, 1.0))
SINE = wl.problems.free_knot_spline(lambda x: 1e-3 * jnp.sin(2 * jnp.pi * x))


def xi(k: int) -> mpmath.mpf:
    """cosh xi cos xi = -1."""
    guess = mpmath.pi / 2 + mpmath.pi * k + 2 * (-1) ** k * mpmath.exp(-mpmath.pi / 2 - mpmath.pi * k)
    return mpmath.findroot(lambda x: mpmath.cos(x) + 1 / mpmath.cosh(x), guess)


@pytest.fixture(scope="module")
def charges() -> wl.analysis.Spectrum:
    return wl.analysis.spectrum(SINE, START, trainable=("c",))


def test_zeta_to_twelve_digits(charges: wl.analysis.Spectrum) -> None:
    with mpmath.workdps(40):
        zeta = np.array([float(1 / xi(k) ** 4) for k in range(41)])
    # The issue asks for k < 10; by singular values all have the digits.
    np.testing.assert_allclose(charges.eigenvalues[:41], zeta, rtol=1e-12)
    assert charges.resolved > 50


@pytest.mark.parametrize("k", [0, 1, 7, 15, 40])
def test_eigenfunctions_are_stable_for_every_k(charges: wl.analysis.Spectrum, k: int) -> None:
    """(50), which float64 cannot evaluate beyond k = 9, with 80 digits; and q_k = s_k'' / xi_k^2."""
    h = np.linspace(0.0, 1.0, 17)
    with mpmath.workdps(80):
        x = xi(k)
        ratio = (mpmath.cosh(x) + mpmath.cos(x)) / (mpmath.sinh(x) + mpmath.sin(x))
        places = [x * mpmath.mpf(float(u)) for u in h]
        s, q = (
            np.array(
                [
                    float(mpmath.cosh(u) + sign * mpmath.cos(u) - ratio * (mpmath.sinh(u) + sign * mpmath.sin(u)))
                    for u in places
                ]
            )
            for sign in (1, -1)
        )
    dual = charges.dual(np.stack([0.3 * h, h], axis=1))[:, 0, k]
    # The pair has one sign in common. The error grows as zeta_0 / zeta_k to the power 1/2, 5,000 for k = 40.
    sign = np.sign(dual[0] * s[0])
    np.testing.assert_allclose(sign * dual, s, atol=4e-12)
    np.testing.assert_allclose(sign * charges.eigenfunctions(h)[:, k], q, atol=4e-12)


def test_the_operators_r_and_k_and_the_kernel_share_their_spectrum(charges: wl.analysis.Spectrum) -> None:
    # K~ of (24) by its kernel (36) on Gauss nodes.
    t, v = np.polynomial.legendre.leggauss(200)
    h, root = 0.5 * (t + 1.0), np.sqrt(0.5 * v)
    dense = root[:, None] * np.asarray(SINE.integrals.spline("test").kernel(h[:, None], h)) * root
    # The kernel has a jump in its third derivative across the diagonal: fourth order in 200 nodes.
    np.testing.assert_allclose(np.linalg.eigvalsh(dense)[::-1][:6], charges.eigenvalues[:6], rtol=1e-6)

    # R of (16) about U(0, 1), without charges (A.7), for p = p_reg + c delta(h): the regular part becomes the double
    # integral of p_reg from 0, plus c h; the delta's, minus the mean of that. In Legendre polynomials of 2 h - 1.
    n = 40
    once = np.zeros((n + 2, n + 2))
    for k in range(n + 1):
        once[k + 1, k] += 0.5 / (2 * k + 1)
        once[max(k - 1, 0), k] += 0.5 * (-1.0 if k else 1.0) / (2 * k + 1)
    matrix = np.zeros((n + 1, n + 1))
    matrix[:n, :n] = (once @ once)[:n, :n]
    matrix[:2, n] = 0.5
    matrix[n] = -matrix[0]
    values = np.sort(scipy.linalg.eigvals(matrix).real)
    plain = wl.problems.free_knot_spline(lambda x: 0.5 * x**2, charge=False)
    found = wl.analysis.spectrum(plain, LAWS.Uniform(0.0, 1.0))
    np.testing.assert_allclose(-values[:4], found.eigenvalues[:4], rtol=1e-9)
    mu = np.pi / 2 + np.pi * np.arange(40)
    np.testing.assert_allclose(found.eigenvalues[:40], mu**-2.0, rtol=1e-13)
    # p_k = sin(mu_k h) - delta / mu_k is div(rho s_k) with s_k = sqrt 2 cos(mu_k h), up to a factor.
    s = found.dual(np.linspace(0.0, 1.0, 9)[:, None])[:, 0, :5]
    np.testing.assert_allclose(
        np.abs(s), np.sqrt(2) * np.abs(np.cos(np.outer(np.linspace(0, 1, 9), mu[:5]))), atol=1e-13
    )
    # p_inf is a minimiser: nothing is left of the risk but rounding.
    assert found.risk(0.0) < 1e-28


def test_the_loss_as_a_sum_of_exponentials(charges: wl.analysis.Spectrum) -> None:
    # INT f^2 / 2 at the start; the run of the linear flow; nothing is out of its range.
    assert float(charges.risk(0.0)) == pytest.approx(0.25e-6, rel=1e-12)
    assert charges.floor < 1e-30
    times = np.array([0.0, 1.0, 30.0, 1e4])
    run = wl.evolve(SINE, START, wl.TangentFlow(trainable=("c",)), t1=1e4, save_at=times)
    np.testing.assert_allclose(charges.risk(times), run.risk, rtol=1e-13)
    # Times by the inverse function, the slope by a difference of logarithms.
    for target in (0.24e-6, 1e-7, 1e-9):
        assert float(charges.risk(charges.time_to(target))) == pytest.approx(target, rel=1e-10)
    assert charges.time_to(1.0) == 0.0
    assert charges.time_to(0.25e-6 * (1 + 1e-9)) == 0.0
    assert charges.time_to(-1.0) == np.inf
    e = 1e-5
    ratio = np.log(charges.risk(times[1:] * (1 + e)) / charges.risk(times[1:] * (1 - e))) / (2 * e)
    np.testing.assert_allclose(charges.slope(times[1:]), ratio, rtol=1e-6)
    assert float(charges.slope(0.0)) == 0.0


def test_one_mode_needs_the_time_of_its_eigenvalue() -> None:
    """A target q_k: the loss falls by e at t = 1 / (2 zeta_k) ~ (pi k)^4 / 2."""
    with mpmath.workdps(40):
        root = xi(2)
        exact = (mpmath.cosh(root) + mpmath.cos(root)) / (mpmath.sinh(root) + mpmath.sin(root))
        # cosh - r sinh in exponentials that do not cancel.
        falling, rising = float((1 + exact) / 2), float((1 - exact) / 2 * mpmath.exp(root))
        x, ratio = float(root), float(exact)

    def target(u):
        wave = ratio * jnp.sin(x * u) - jnp.cos(x * u)
        return wave + falling * jnp.exp(-x * u) + rising * jnp.exp(-x * (1.0 - u))

    found = wl.analysis.spectrum(wl.problems.free_knot_spline(target), START, trainable=("c",))
    assert found.amplitudes[2] == pytest.approx(0.5, rel=1e-10)
    assert found.time_to(0.5 / np.e) == pytest.approx(0.5 * x**4, rel=1e-10)


def test_the_limit_that_the_linear_theory_picks() -> None:
    # A.3: all particles move by y - y0, and the spread stays.
    unit = wl.units.Function(lambda theta, x: theta.w, columns=["w"])
    start = wl.Particles([[0.5], [1.0], [-0.3]], [0.2, 0.3, 0.5])
    limit = wl.analysis.spectrum(wl.Problem(unit, wl.data.Samples([[0.0]], [2.0])), start).limit()
    np.testing.assert_allclose(limit.measure.positions, np.asarray(start.positions) + 2.0 - 0.25, rtol=1e-14)
    assert (limit.tail, limit.risk) == (0.0, 0.0)
    # Charges on six knots against eight samples: least squares of smallest norm, sqrt(w) the metric.
    rng = np.random.default_rng(1)
    x, h, w = np.sort(rng.uniform(size=8)), np.linspace(-0.2, 0.7, 6), rng.dirichlet(np.ones(6))
    problem = wl.Problem(wl.units.FreeKnot(), wl.data.Samples(x, np.sin(9 * x)), wl.losses.squared(2.0))
    rows = np.stack([rng.normal(size=6), h], axis=1)
    found = wl.analysis.spectrum(problem, wl.Particles(rows, w), trainable="c").limit()
    ramps = np.maximum(x[:, None] - h, 0.0) * np.sqrt(w)
    rest = np.sin(9 * x) - ramps @ (np.sqrt(w) * rows[:, 0])
    step = np.linalg.lstsq(ramps, rest, rcond=None)[0] / np.sqrt(w)
    np.testing.assert_allclose(found.shift[:, 0], step, rtol=1e-9)
    np.testing.assert_allclose(found.prediction, problem.predict(found.measure, x), atol=1e-12)
    assert found.risk == pytest.approx(float(problem.risk(found.measure)), rel=1e-9)


def test_a_limit_that_is_no_law_is_seen() -> None:
    """For sin(2 pi x), f'(0) != 0: charges on [0, 1] alone would need a delta at 0; for (1 - x)^4 x^4 they do not."""
    singular = wl.analysis.spectrum(SINE, START, trainable=("c",)).limit()
    smooth = wl.problems.free_knot_spline(lambda x: (x * (1 - x)) ** 4)
    regular = wl.analysis.spectrum(smooth, START, trainable=("c",)).limit()
    assert singular.tail > 0.3
    assert regular.tail < 1e-3
    # Its charges are f'' (33).
    h, c = regular.measure.positions[:, 1], regular.measure.positions[:, 0]
    second = np.polynomial.Polynomial([0, 0, 0, 0, 1, -4, 6, -4, 1]).deriv(2)
    np.testing.assert_allclose(c, second(np.asarray(h)), atol=2e-3 * np.max(np.abs(c)))


def test_bad_input(charges: wl.analysis.Spectrum) -> None:
    with pytest.raises(ValueError, match=r"has risk 0.0\d+ \(the start: 2.5e-07\) and a gradient of norm 0.1"):
        wl.analysis.spectrum(SINE, LAWS.product(c=LAWS.Atom(1.0), h=LAWS.Uniform(0.0, 1.0)), start=START)
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        charges.eigenfunctions([1.2])
    with pytest.raises(ValueError, match=r"expected \[m, 2\]"):
        charges.dual([0.3, 0.4])
    with pytest.raises(ValueError, match="finite number"):
        charges.time_to(np.nan)
    with pytest.raises(ValueError, match="no block 'charge'; it has c, h"):
        wl.analysis.spectrum(SINE, START, trainable="charge")


@pytest.mark.slow
def test_any_output_scale_begins_as_the_flow_does() -> None:
    """At the start the modes' speeds add up to the velocity, and their decay to the dissipated energy."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(9, 2))
    unit = wl.units.Neuron(wl.activations.tanh)
    problem = wl.Problem(unit, wl.data.Samples(x, np.sin(x[:, 0])), scale=wl.scales.Power(0.5, 3.0))
    rho = wl.Particles(rng.normal(size=(7, 4)))
    found = wl.analysis.spectrum(problem, rho)
    theta, w = problem.unpack(rho)
    velocity = wl.measure.join(problem.blocks, problem.velocity(theta, problem.variation(theta, w).gradient))
    np.testing.assert_allclose(found.theory.field().sum(axis=2), velocity, atol=1e-10)
    rate = 2.0 * found.speed * float(found.eigenvalues @ found.amplitudes)
    assert rate == pytest.approx(float(jnp.sum(w * jnp.sum(velocity**2, axis=1))), rel=1e-10)
