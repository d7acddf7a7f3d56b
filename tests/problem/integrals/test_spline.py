"""Exact integrals of free-knot splines: against Gauss quadrature split at every knot, mpmath and finite differences."""

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

import widelimit as wl
from widelimit import problems

TARGETS = {
    "square": (lambda x: x**2, {}),
    "wave": (lambda x: jnp.sin(2 * jnp.pi * x) + jnp.exp(x), {"lower": -1.0, "upper": 2.5}),
    "jump": (lambda x: jnp.where(x < 0.3, x, 2.0 - x), {"breaks": [0.3]}),
    "far": (lambda x: x, {"lower": 100.0, "upper": 101.0}),
}
cases = pytest.mark.parametrize("name", TARGETS)


def problem_of(name, **more):
    target, options = TARGETS[name]
    return problems.free_knot_spline(target, **options, **more)


def particles(problem, *, n=40, seed=0, charge=True):
    """Knots left and right of the interval, equal, at both ends and at the breaks; one weight is zero."""
    rng, data = np.random.default_rng(seed), problem.data
    length = data.upper - data.lower
    h = data.lower + length * rng.uniform(-0.5, 1.3, size=n)
    h[:5] = data.lower + 0.3 * length
    h[5], h[6] = data.lower, data.upper
    w = rng.uniform(size=n)
    w[3] = 0.0
    c = rng.normal(size=n)
    return wl.Particles(np.stack([c, h], axis=1) if charge else h[:, None], w / w.sum())


@eqx.filter_jit
def varied(problem, rho):
    return problem.variation(*problem.unpack(rho))


def quadrature(data, a, knots, h, order=20):
    """(INT r^2, r(h), G1(h), G2(h)) by Gauss rules on pieces without a kink; written without the library."""
    pieces = np.linspace(data.lower, data.upper, 65)
    edges = np.unique(np.concatenate([pieces, data.breaks, *(np.clip(z, data.lower, data.upper) for z in (knots, h))]))
    u, v = np.polynomial.legendre.leggauss(order)
    x = (0.5 * (edges[1:] + edges[:-1])[:, None] + 0.5 * np.diff(edges)[:, None] * u).ravel()
    mu = (0.5 * np.diff(edges)[:, None] * v).ravel() / (data.upper - data.lower)

    def residual(x):
        return np.maximum(x[:, None] - knots, 0.0) @ a - np.asarray(jax.vmap(data.target)(jnp.asarray(x)))

    r = residual(x)
    inside = (h >= data.lower) & (h < data.upper)
    return (
        mu @ r**2,
        np.where(inside, residual(h), 0.0),
        (mu * r) @ (x[:, None] > h),
        (mu * r) @ np.maximum(x[:, None] - h, 0.0),
    )


def assert_close(found, expected, scale=None):
    """To 1e-12 of the largest entry: the integrals cancel, so that entries carry no relative accuracy of their own."""
    size = float(np.max(np.abs(expected))) if scale is None else scale
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-12 * max(size, 1e-300))


@pytest.mark.first(1)
@cases
@pytest.mark.parametrize("charge", [True, False])
def test_against_quadrature(name, charge):
    problem = problem_of(name, charge=charge, loss=wl.losses.squared(0.7))
    rho = particles(problem, charge=charge)
    h, w = np.asarray(rho.positions[:, -1]), np.asarray(rho.weights)
    c = np.asarray(rho.positions[:, 0]) if charge else np.ones_like(h)
    risk, _, first, second = quadrature(problem.data, w * c, h, h)
    assert float(problem.risk(rho)) == pytest.approx(0.7 * risk, rel=1e-12)
    found = varied(problem, rho)
    assert float(found.risk) == pytest.approx(0.7 * risk, rel=1e-12)
    assert_close(found.psi, 1.4 * c * second)
    assert_close(found.gradient.h, -1.4 * c * first)
    if charge:
        assert_close(found.gradient.c, 1.4 * second)


@pytest.mark.first(1)
@cases
def test_the_potential_anywhere(name):
    problem = problem_of(name)
    rho, data = particles(problem), problem.data
    rng = np.random.default_rng(1)
    rows = np.stack([rng.normal(size=60), rng.uniform(data.lower - 1.0, data.upper + 0.5, size=60)], axis=1)
    rows[:40, 1] = rho.positions[:, 1]
    a = np.asarray(rho.weights * rho.positions[:, 0])
    _, r, first, second = quadrature(data, a, np.asarray(rho.positions[:, 1]), rows[:, 1])
    psi = problem.potential(rho)
    assert_close(psi(rows), rows[:, 0] * second)
    assert_close(psi.gradient(rows), np.stack([second, -rows[:, 0] * first], axis=1))
    found = problem.integrals.spline("test").residual_integrals(rows[:, 1], a, rho.positions[:, 1])
    for got, expected in zip(found, (r, first, second), strict=True):
        assert_close(got, expected)
    mixed, bent = problem.integrals.spline("test").hessian(rows[:, 0], found[0], found[1])
    assert_close(mixed, -first)
    assert_close(bent, rows[:, 0] * r / (data.upper - data.lower))


@cases
def test_prediction_inside_and_outside(name):
    problem = problem_of(name)
    rho = particles(problem)
    x = np.linspace(problem.data.lower - 2.0, problem.data.upper + 2.0, 101)
    a = np.asarray(rho.weights * rho.positions[:, 0])
    assert_close(problem.predict(rho, x), np.maximum(x[:, None] - np.asarray(rho.positions[:, 1]), 0.0) @ a)


def test_against_mpmath():
    """x^2 with three atoms, in 40 digits."""
    problem = problem_of("square")
    c, h, w = [1.5, -0.25, 3.0], [-0.25, 0.375, 0.375], [0.5, 0.25, 0.25]
    rho = wl.Particles(np.stack([c, h], axis=1), w)
    with mpmath.workdps(40):

        def r(x):
            return sum(wi * ci * max(x - hi, 0) for ci, hi, wi in zip(c, h, w, strict=True)) - x**2

        risk = mpmath.quad(lambda x: r(x) ** 2, [0, 0.375, 1]) / 2
        first = [mpmath.quad(r, sorted({max(z, 0), 0.375, 1})) for z in h]
        second = [mpmath.quad(lambda x, z=z: r(x) * (x - z), sorted({max(z, 0), 0.375, 1})) for z in h]
    assert float(problem.risk(rho)) == pytest.approx(float(risk), rel=1e-14, abs=0.0)
    found = varied(problem, rho).gradient
    np.testing.assert_allclose(found.c, np.array(second, float), rtol=1e-13)
    np.testing.assert_allclose(found.h, -np.array(c) * np.array(first, float), rtol=1e-13)


def test_a_small_residual_keeps_its_digits():
    """y = f + 1e-9 e: risk and gradient keep six digits, where INT f^2 - 2 INT f y + INT y^2 is noise."""
    rng = np.random.default_rng(0)
    h, c = np.sort(rng.uniform(size=6)), rng.normal(size=6)
    rho = wl.Particles(np.stack([c, h], axis=1))

    def error(x):
        return jnp.sin(3.0 * x)

    def target(x):
        return jnp.sum(c * jnp.maximum(x - h, 0.0)) / 6.0 - 1e-9 * error(x)

    problem = problems.free_knot_spline(target, breaks=h)
    x, v = np.polynomial.legendre.leggauss(40)
    x, v = 0.5 + 0.5 * x, 0.5 * v
    assert float(problem.risk(rho)) == pytest.approx(0.5e-18 * float(v @ np.sin(3.0 * x) ** 2), rel=1e-6)
    second = [(1.0 - z) * 0.0 + _moment(z) for z in h]
    np.testing.assert_allclose(varied(problem, rho).gradient.c, 1e-9 * np.array(second), rtol=1e-6)


def _moment(h):
    """INT_h^1 sin(3x) (x - h) dx."""
    return -(1.0 - h) * np.cos(3.0) / 3.0 + (np.sin(3.0) - np.sin(3.0 * h)) / 9.0


@pytest.mark.first(1)
@pytest.mark.parametrize("name", ["wave", "jump"])
def test_the_risk_is_differentiable(name):
    """Against central differences in positions and weights, and forward against backward mode."""
    problem = problem_of(name)
    rho = particles(problem, n=12, seed=3)
    rng = np.random.default_rng(2)
    # Knots on an end or a break have one-sided second derivatives only, which is nothing to a first difference.
    dp, dw = rng.normal(size=rho.positions.shape), rng.normal(size=12)

    def along(t):
        return problem.risk(wl.Particles(rho.positions + t * dp, rho.weights + t * dw))

    _, slope = jax.jvp(along, (0.0,), (1.0,))
    assert float(slope) == pytest.approx(float(along(1e-6) - along(-1e-6)) / 2e-6, rel=1e-6)
    assert float(jax.grad(along)(0.0)) == pytest.approx(float(slope), rel=1e-13, abs=0.0)
    found = varied(problem, rho)
    by_rows = jnp.stack([found.gradient.c, found.gradient.h], axis=1)
    exact = jnp.sum(rho.weights[:, None] * by_rows * dp) + jnp.sum(found.psi * dw)
    assert float(exact) == pytest.approx(float(slope), rel=1e-12)


def test_the_risk_is_differentiable_in_the_target():
    """Nothing is differentiated away in silence: dR/dy = -k' INT r dy."""
    data = wl.data.Interval(lambda x: x**2)
    rho = particles(problem_of("square"))

    def risk(scale):
        scaled = wl.data.Interval(lambda x: x**2)
        object.__setattr__(scaled, "coefficients", scale * data.coefficients)
        return wl.Problem(wl.units.FreeKnot(), scaled).risk(rho)

    slope = float(jax.grad(risk)(1.0))
    assert slope == pytest.approx(float(risk(1.0 + 1e-6) - risk(1.0 - 1e-6)) / 2e-6, rel=1e-6)


@cases
def test_the_kernel_and_its_slopes(name):
    spline, data = problem_of(name).integrals.spline("test"), problem_of(name).data
    h = data.lower + (data.upper - data.lower) * np.array([-1.5, -0.2, 0.0, 0.3, 0.3, 0.8, 1.0, 1.4])
    one, other = (z.ravel() for z in np.meshgrid(h, h))
    edges = np.unique(np.clip(h, data.lower, data.upper))
    u, v = np.polynomial.legendre.leggauss(4)
    x = (0.5 * (edges[1:] + edges[:-1])[:, None] + 0.5 * np.diff(edges)[:, None] * u).ravel()[:, None]
    mu = (0.5 * np.diff(edges)[:, None] * v).ravel() / (data.upper - data.lower)
    assert_close(spline.kernel(one, other), mu @ (np.maximum(x - one, 0.0) * np.maximum(x - other, 0.0)))
    assert_close(spline.kernel_slope(one, other), -mu @ ((x > one) * np.maximum(x - other, 0.0)))
    assert_close(spline.kernel_mixed(one, other), mu @ ((x > one) * (x > other)))


def test_the_kernel_of_the_paper():
    """(36), corrected in NOTATION, on [0, 1]."""
    spline = problem_of("square").integrals.spline("test")
    h, other = np.random.default_rng(0).uniform(size=(2, 50))
    high, low = np.maximum(h, other), np.minimum(h, other)
    expected = (1 - high) ** 3 / 3 + (high - low) * (1 - high) ** 2 / 2
    np.testing.assert_allclose(spline.kernel(h, other), expected, rtol=1e-13)


@given(
    h=arrays(float, 9, elements=st.sampled_from([-1.0, 0.0, 0.25, 0.25 + 1e-16, 0.5, 1.0, 7.0]) | st.floats(-2.0, 2.0)),
    c=arrays(float, 9, elements=st.floats(-3.0, 3.0)),
)
def test_any_knots(h, c):
    """Ties, ends, far knots: what the sort may do with them never shows."""
    problem = problem_of("square")
    risk, _, first, second = quadrature(problem.data, c, h, h)
    found = problem.integrals.spline("test").variation(c, h)
    for got, expected in zip(found, (0.5 * risk, first, second), strict=True):
        np.testing.assert_allclose(got, expected, rtol=0.0, atol=1e-12 * (1.0 + np.sum(np.abs(c)) ** 2))


def test_what_has_a_spline():
    square = lambda x: x**2  # noqa: E731
    interval = wl.data.Interval(square)
    exact = wl.Problem(wl.units.FreeKnot(), interval)
    assert exact.integrals.exact
    assert not exact.rough
    assert exact.unit.kinked
    for other in (
        wl.Problem(wl.units.FreeKnot(), interval, wl.losses.huber()),
        wl.Problem(wl.units.FreeKnot(), wl.data.gauss_legendre(9, lambda x: x[0] ** 2)),
        exact.on_nodes(),
    ):
        assert not other.integrals.exact
        assert other.rough
    smooth = wl.Problem(wl.units.Neuron(wl.activations.tanh), interval)
    assert not smooth.integrals.exact
    assert not smooth.rough
    assert smooth.on_nodes() is smooth


def test_the_nodes_are_near_the_exact_integrals():
    """The rule misses a kink by a share of its panel; a problem on it is what the searches and certificates see."""
    problem = problem_of("square")
    rho = particles(problem)
    assert float(problem.on_nodes().risk(rho)) == pytest.approx(float(problem.risk(rho)), rel=1e-4)
    theta, w = problem.unpack(rho)
    by_nodes = problem.variation(theta, w, problem.data.nodes)
    exact = problem.variation(theta, w)
    np.testing.assert_allclose(by_nodes.gradient.h, exact.gradient.h, atol=1e-3)
    assert not np.array_equal(by_nodes.gradient.h, exact.gradient.h)


def test_the_output_scale_counts():
    """A scale alpha(N) multiplies f, and psi with it."""
    problem = problem_of("square")
    scaled = wl.Problem(problem.unit, problem.data, scale=wl.scales.Power(0.5))
    rho = particles(problem)
    n = len(rho)
    grown = wl.Particles(rho.positions * np.array([n**0.5, 1.0]), rho.weights)
    assert float(scaled.risk(rho)) == pytest.approx(float(problem.risk(grown)), rel=1e-13, abs=0.0)
    found, plain = (varied(p, r).gradient for p, r in ((scaled, rho), (problem, grown)))
    np.testing.assert_allclose(found.h, plain.h, rtol=1e-11)
    np.testing.assert_allclose(found.c, n**0.5 * plain.c, rtol=1e-11)
    assert_close(scaled.potential(rho).gradient(rho.positions), np.stack([found.c, found.h], axis=1))


def test_thousands_of_knots():
    """A sort that packs places and numbers into one integer, at a size where bits are short."""
    problem, n = problem_of("wave"), 1000
    rng = np.random.default_rng(5)
    c, h = rng.normal(size=n), rng.uniform(-1.0, 2.5, size=n)
    risk, _, first, second = quadrature(problem.data, c / n, h, h, order=8)
    found = problem.integrals.spline("test").variation(c / n, h)
    for got, expected in zip(found, (0.5 * risk, first, second), strict=True):
        assert_close(got, expected)


@pytest.mark.slow
def test_the_flow_dissipates_what_it_says():
    """A smooth problem: no tolerances of kinked units, and the energy balance holds to those of smooth ones."""
    problem = problem_of("wave")
    rho = particles(problem)
    run = wl.evolve(problem, rho, wl.GradientFlow(), t1=2.0, save_at=np.linspace(0.0, 2.0, 9))
    assert wl.analysis.dissipation(run).defect < 1e-5
    assert np.all(np.diff(run.risk) < 0)
    np.testing.assert_allclose(run.risk[-1], problem.risk(run.final), rtol=1e-13)
    gain = run.observables["dissipation"]
    norms = wl.analysis.stationarity(problem, run.final).norms
    assert float(gain[-1]) == pytest.approx(float(rho.weights @ norms**2), rel=1e-12)


@pytest.mark.slow
def test_sgd_takes_fresh_samples():
    problem = problem_of("square")
    rho = wl.Particles(np.stack([np.ones(8), np.linspace(0.0, 0.9, 8)], axis=1))
    run = wl.evolve(problem, rho, wl.SGD(0.02, batch=64), t1=4.0, save_at=[4.0], key=jax.random.key(0))
    flow = wl.evolve(problem, rho, wl.GradientFlow(), t1=4.0, save_at=[4.0])
    # The fluctuations are O((step/batch)^(1/2)) of a unit, 0.02.
    np.testing.assert_allclose(run.positions[-1], flow.positions[-1], atol=0.05)
    assert float(run.risk[0]) == pytest.approx(float(problem.risk(rho)), rel=1e-14, abs=0.0)


@pytest.mark.slow
def test_characteristics_carry_the_density():
    """The divergence of the velocity is exact, where automatic differentiation of the unit gives zero for d_hh psi."""
    problem = problem_of("square")
    start = wl.laws.product(c=wl.laws.Normal(1.0, 0.2), h=wl.laws.Normal(0.4, 0.1))
    run = wl.evolve(problem, start, wl.Characteristics(64), t1=0.5, save_at=[0.5])
    rho = start.quantise(64)
    # d log rho/dt = div grad psi = d_hh psi at the start, to first order in a short time.
    short = wl.evolve(problem, start, wl.Characteristics(64), t1=1e-4, save_at=[1e-4])
    r = problem.integrals.spline("test").residual_integrals(
        rho.positions[:, 1], rho.weights * rho.positions[:, 0], rho.positions[:, 1]
    )[0]
    slope = (short.log_density[-1] - short.log_density[0]) / 1e-4
    np.testing.assert_allclose(slope, rho.positions[:, 0] * r, atol=1e-4)
    assert np.all(np.isfinite(run.log_density))


@pytest.mark.slow
def test_searches_and_certificates_see_the_nodes():
    """`optimality_gap` and `minimise` solve the problem on the nodes, consistently, and say so by its numbers."""
    domain = wl.domains.product(h=wl.domains.Box(0.0, 1.0))
    problem = problems.free_knot_spline(TARGETS["square"][0], domain=domain)
    rho = wl.Particles(np.stack([2.0 * np.ones(4), [0.1, 0.3, 0.5, 0.8]], axis=1))
    gap = wl.analysis.optimality_gap(problem, rho, budget=3.0)
    same = wl.analysis.optimality_gap(problem.on_nodes(), rho, budget=3.0)
    assert gap.certified
    assert gap.gap == same.gap
    # max |G2| over h, by the exact integrals: at 0, where psi is extreme.
    grid = np.linspace(0.0, 1.0, 2001)
    second = problem.integrals.spline("test").residual_integrals(
        grid, rho.weights * rho.positions[:, 0], rho.positions[:, 1]
    )[2]
    assert gap.largest_correlation == pytest.approx(float(np.max(np.abs(second))), rel=1e-3)
