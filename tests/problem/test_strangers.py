"""A law, a penalty, a domain and a mobility of one's own in a few lines each, through everything that should take them.

What they do not say is not known: certificates are not given then, and what cannot do without refuses.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit import analysis, domains, kernels, laws, mobilities, penalties

X = np.linspace(-1.0, 1.0, 9)[:, None]
DATA = wl.data.Samples(X, np.sin(3.0 * X[:, 0]))
UNIT = wl.units.Neuron(wl.activations.tanh)
START = laws.product(output=laws.Normal(0.0, 1.0), weight=laws.Normal(0.0, 1.0, dim=(1,)), bias=laws.Normal(0.0, 0.3))
PARTICLES = START.sample(16, key=jax.random.key(0))


class Triangle(laws.AbstractLaw):
    """The sum of two uniform numbers: no more than draws."""

    shape = ()

    def draw(self, n, key):
        return jnp.sum(jax.random.uniform(key, (n, 1, 2)), axis=2)


class Wedge(laws.AbstractLaw):
    """Density 2 h on [0, 1]: also what integrals need."""

    shape = ()

    def draw(self, n, key):
        return jnp.sqrt(jax.random.uniform(key, (n, 1)))

    def from_cube(self, u):
        return np.sqrt(u)

    def mean(self):
        return jnp.array([2.0 / 3.0])

    def covariance(self):
        return jnp.array([[1.0 / 18.0]])

    def line(self):
        def ramp(x):
            return np.where(x < 1.0, np.clip(x, 0.0, 1.0) ** 3 / 3.0, x - 2.0 / 3.0)

        return laws.Line(
            (0.0, 1.0),
            np.array([0.0, 1.0]),
            lambda x: np.where((x >= 0.0) & (x <= 1.0), 2.0 * x, 0.0),
            lambda x: np.clip(x, 0.0, 1.0) ** 2,
            ramp,
        )


class Huber(penalties.AbstractPenalty):
    def __call__(self, theta):
        return 0.1 * (jnp.sqrt(1.0 + theta.output**2) - 1.0)


class Lasso(penalties.AbstractPenalty):
    """0.3 |bias|, which is no total variation of the library's."""

    @property
    def smooth(self):
        return False

    def __call__(self, theta):
        return 0.3 * jnp.abs(theta.bias)

    def prox(self, theta, step):
        size = jnp.abs(theta.bias)
        return theta._replace(bias=jnp.sign(theta.bias) * jnp.maximum(size - 0.3 * step.bias, 0.0))


class Disc(domains.AbstractDomain):
    """|z| <= 1."""

    def tangent(self, z, v):
        radial = jnp.sum(z * v)
        return jnp.where((jnp.sum(z * z) >= 1.0) & (radial > 0.0), v - radial * z, v)

    def retract(self, z):
        return z / jnp.maximum(1.0, jnp.sqrt(jnp.sum(z * z)))


class Slow(mobilities.AbstractMobility):
    def __call__(self, theta, gradient):
        return jax.tree.map(lambda g: g / (1.0 + theta.output**2), gradient)


def falls(problem, start=PARTICLES):
    run = wl.evolve(problem, start, wl.GradientFlow(), t1=0.5)
    assert run.risk[-1] < run.risk[0]
    return run


@pytest.mark.slow
def test_a_law_that_can_be_drawn_from():
    law = laws.product(
        output=laws.Mixture([Triangle(), laws.Atom(1.0)], [0.5, 0.5]), weight=laws.Normal(0, 1, (1,)), bias=Triangle()
    )
    rho = law.sample(2000, key=jax.random.key(1))
    np.testing.assert_allclose(np.mean(rho["bias"]), 1.0, atol=4.0 * (1 / 6 / 2000) ** 0.5)
    assert (law.mean(), law.covariance(), law.n_atoms) == (None, None, None)
    assert [round(p, 12) for p, _ in law.components()] == [0.5, 0.5]
    found = analysis.expected_risk(wl.Problem(UNIT, DATA), law, key=jax.random.key(2), neurons=256)
    assert np.isfinite(float(found.limit.value))
    for ask in (lambda: law.quantise(8), lambda: law.box_probability(*np.asarray([-rho.positions, rho.positions]))):
        with pytest.raises(ValueError, match="Triangle"):
            ask()
    spline = wl.problems.free_knot_spline(lambda x: x**2)
    for ask in (analysis.orthogonality, analysis.totality, analysis.spectrum):
        with pytest.raises(ValueError, match="sample"):
            ask(spline, laws.product(c=laws.Atom(1.0), h=Triangle()))


def test_a_law_with_facts_is_integrated_exactly():
    """Against the same law as midpoints, whose error is of the sort O(1/n)."""
    spline = wl.problems.free_knot_spline(lambda x: x**2)
    law = laws.product(c=laws.Uniform(0.0, 2.0), h=laws.Mixture([Wedge(), laws.Atom(0.25)], [0.75, 0.25]))
    h = np.append(np.sqrt((np.arange(400) + 0.5) / 400), 0.25)
    rows = np.stack([np.tile([1.0 - 3.0**-0.5, 1.0 + 3.0**-0.5], len(h)), np.repeat(h, 2)], axis=1)
    many = wl.Particles(rows, 0.5 * np.repeat(np.append(np.full(400, 0.75 / 400), 0.25), 2))
    exact, close = (analysis.spectrum(spline, rho) for rho in (law, many))
    np.testing.assert_allclose(exact.eigenvalues[:5], close.eigenvalues[:5], rtol=1e-3)
    a, b = (analysis.orthogonality(spline, rho) for rho in (law, many))
    np.testing.assert_allclose(a.violation, b.violation, rtol=2e-3)
    assert analysis.totality(spline, law).total
    np.testing.assert_allclose(law.mean(), [1.0, 0.75 * 2 / 3 + 0.25 * 0.25], rtol=1e-12)
    spread = 0.75 * (1 / 18 + (2 / 3 - 0.5625) ** 2) + 0.25 * (0.25 - 0.5625) ** 2
    np.testing.assert_allclose(law.covariance(), np.diag([1 / 3, spread]), rtol=1e-12)


@pytest.mark.slow
def test_a_smooth_penalty():
    problem = wl.Problem(UNIT, DATA, penalty=Huber() + penalties.l2(0.01))
    falls(problem)
    gap = analysis.optimality_gap(problem, PARTICLES)
    assert not gap.certified
    with pytest.raises(ValueError, match="invariant"):
        wl.problems.isotropic_gaussians(0.5, 8, output_weight=True, penalty=Huber()).reduced()


def test_a_penalty_with_a_proximal_map():
    problem = wl.Problem(UNIT, DATA, penalty=Lasso() + penalties.l2(0.01))
    run = falls(problem)
    assert np.sum(run.positions[-1][:, -1] == 0.0) > 0
    with pytest.raises(ValueError, match="different blocks"):
        wl.Problem(UNIT, DATA, penalty=Lasso() + penalties.total_variation(0.1, "output"))


@pytest.mark.slow
def test_a_domain():
    problem = wl.Problem(UNIT, DATA, domain=domains.product(weight=Disc(), output=domains.Box(-2.0, 2.0)))
    start = wl.Particles(np.clip(PARTICLES.positions, -1.0, 1.0), blocks=PARTICLES.blocks)
    run = falls(problem, start=start)
    assert np.all(np.abs(run.positions[-1][:, 1]) <= 1.0 + 1e-12)
    assert not analysis.optimality_gap(problem, start).certified
    outside = wl.Particles(np.array([[0.0, 3.0, 0.0]]), blocks=PARTICLES.blocks)
    with pytest.raises(ValueError, match="domain"):
        wl.evolve(problem, outside, wl.GradientFlow(), t1=0.1)
    line = wl.Problem(wl.units.Function(lambda theta, x: jnp.tanh(theta.w * x[0]), columns=["w"]), DATA, domain=Disc())
    for dynamics in (wl.TransportPDE(), wl.JKO(tau=0.1), wl.Quantiles(), wl.Characteristics()):
        with pytest.raises(ValueError, match=r"Disc|disc"):
            wl.evolve(line, laws.Uniform(-0.5, 0.5), dynamics, t1=0.1)


def test_a_mobility():
    problem = wl.Problem(UNIT, DATA, mobility=Slow())
    falls(problem)
    kernel = np.asarray(kernels.tangent_kernel(problem, PARTICLES, X))
    np.testing.assert_allclose(kernel, kernel.T, rtol=1e-12)
    with pytest.raises(ValueError, match="one number a block"):
        wl.evolve(problem, PARTICLES, wl.SGD(step=0.01, temperature=0.1), t1=0.1, key=jax.random.key(0))
    with pytest.raises(ValueError, match="one number a block"):
        wl.Problem(UNIT, DATA, mobility=Slow(), penalty=Lasso())


TRACES: list[int] = []


def counted(theta, x):
    TRACES.append(1)
    return theta.c * jnp.tanh(jnp.dot(theta.w, jnp.append(x, 1.0))) * jnp.cos(theta.s)


COUNTED = wl.units.Function(counted, columns={"c": (), "w": (2,), "s": ()})
ROWS = np.random.default_rng(0).normal(size=(4, 4))


def numbered(v):
    """A problem whose numbers are v [8], and a start."""
    problem = wl.Problem(
        COUNTED,
        DATA,
        penalty=penalties.l2(v[0]) + penalties.total_variation(v[1], "c"),
        domain=domains.product(c=domains.Box(-v[2], v[3]), w=domains.Sphere(v[4]), s=domains.Circle(v[5])),
        mobility=mobilities.Diagonal(w=v[6]),
        scale=wl.scales.Power(0.5, v[7]),
    )
    theta = problem.retract(problem.unpack(wl.Particles(ROWS))[0])
    return problem, problem.pack(theta, jnp.full(4, 0.25))


def after_a_step(v):
    problem, start = numbered(v)
    theta, w = problem.unpack(start)
    drift = problem.velocity(theta, problem.variation(theta, w).gradient)
    moved = jax.tree.map(lambda z, u: z + 0.1 * u, theta, drift)
    return problem.objective(problem.pack(problem.retract(problem.prox(moved, 0.1)), w))


FIRST = np.array([0.01, 0.02, 0.3, 0.5, 0.9, 5.0, 2.0, 1.5])


@pytest.mark.slow
def test_other_numbers_compile_nothing():
    problem, start = numbered(FIRST)
    one = wl.evolve(problem, start, wl.GradientFlow(), t1=0.1)
    problem, start = numbered(1.1 * FIRST)
    seen = len(TRACES)
    two = wl.evolve(problem, start, wl.GradientFlow(), t1=0.1)
    assert len(TRACES) == seen > 0
    assert one.risk[-1] != two.risk[-1]


def test_numbers_have_derivatives():
    value, slope = jax.jit(jax.value_and_grad(after_a_step))(jnp.asarray(FIRST))
    np.testing.assert_allclose(value, after_a_step(FIRST), rtol=1e-12)
    numeric = [(after_a_step(FIRST + e) - after_a_step(FIRST - e)) / 2e-5 for e in 1e-5 * np.eye(8)]
    np.testing.assert_allclose(slope, numeric, rtol=1e-6, atol=1e-9)
    # Where the circle is cut nothing depends on.
    assert np.count_nonzero(np.abs(slope) > 1e-6) >= 7
