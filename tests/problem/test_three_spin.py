"""The 3-spin function: its moments, exact risks in two norms, their flows; against quadrature on the sphere."""

import itertools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import eval_legendre, roots_legendre
from sphere_rule import sphere_rule

import widelimit as wl

RNG = np.random.default_rng(3)
ALPHA = 0.6
KERNELS = {"exponential": wl.kernels.exponential(ALPHA), "gaussian": wl.kernels.gaussian(ALPHA)}
every = pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS.keys())
A = RNG.normal(size=(3, 3, 3))
NODES, MASS = sphere_rule(3, 24)
F = np.einsum("pqr,np,nq,nr->n", A, NODES, NODES, NODES) / 3
FULL = wl.sampling.Full()


def on_sphere(rows):
    return rows.shape[1] ** 0.5 * rows / np.linalg.norm(rows, axis=1, keepdims=True)


def particles(unit, centers, charges=None):
    charges = RNG.normal(size=len(centers)) if charges is None else charges
    return wl.Particles(np.column_stack([charges, centers]), blocks=unit.blocks(centers.shape[1], ()))


@eqx.filter_jit
def variation(problem, theta, w):
    return problem.variation(theta, w)


@eqx.filter_jit
def velocity(problem, theta, w):
    return problem.velocity(theta, problem.variation(theta, w).gradient)


def agree(found, expected, rtol):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * np.max(np.abs(b)))


@pytest.mark.first(1)
@pytest.mark.parametrize("d", [2, 5])
def test_the_target_and_its_parts(d):
    """(4.1), E f^2 and the harmonics f_1 = 3/(d + 2) t.x and f - f_1, by a rule exact for degree 6."""
    a = RNG.normal(size=(d, d, d))
    x, w = sphere_rule(d, 5)
    data = wl.data.ThreeSpin(a)
    problem = wl.problems.three_spin(a, wl.kernels.gaussian(1.0))
    f = np.einsum("pqr,np,nq,nr->n", a, x, x, x) / d
    np.testing.assert_allclose(problem.target(x), f, rtol=1e-12, atol=1e-12)
    assert float(problem.target(x[0])) == pytest.approx(f[0], rel=1e-12)
    assert float(problem.target_norm_squared) == pytest.approx(w @ f**2, rel=1e-12)
    symmetric = np.mean([a.transpose(order) for order in itertools.permutations(range(3))], axis=0)
    slope = 3.0 / (d + 2) * np.einsum("iij->j", symmetric)
    for part, known, degree in zip(data.harmonics, (x @ slope, f - x @ slope), (1, 3), strict=True):
        np.testing.assert_allclose(jax.jit(jax.vmap(part.value))(jnp.asarray(x)), known, rtol=1e-11, atol=1e-11)
        assert float(part.norm_squared()) == pytest.approx(w @ known**2, rel=1e-11)
        assert part.degree == degree
        laplacian = jnp.trace(jax.jit(jax.hessian(part.value))(jnp.asarray(x[0])))
        assert abs(float(laplacian)) < 1e-11
        assert float(part.value(2.0 * jnp.asarray(x[0]))) == pytest.approx(2.0**degree * known[0], rel=1e-11)


def test_the_gradient_of_the_target_is_the_papers():
    """(4.6), for coefficients that are not symmetric."""
    x = NODES[7]
    known = np.einsum("pqr,q,r->p", A + A.transpose(1, 2, 0) + A.transpose(2, 0, 1), x, x) / 3
    found = jax.grad(wl.data.ThreeSpin(A).target)(jnp.asarray(x))
    sym = np.einsum("prq,q,r->p", A + A.transpose(1, 2, 0) + A.transpose(2, 0, 1), x, x) / 3
    np.testing.assert_allclose(found, 0.5 * (known + sym), rtol=1e-12)
    np.testing.assert_allclose(found @ x, 3 * np.einsum("pqr,p,q,r", A, x, x, x) / 3, rtol=1e-12)


def test_the_mean_square_over_normal_coefficients_is_d():
    squares = [float(wl.data.ThreeSpin(a).target_norm_squared("test")) for a in RNG.normal(size=(400, 4, 4, 4))]
    assert abs(np.mean(squares) - 4.0) < 4 * np.std(squares) / 20.0


def test_fresh_samples():
    x, y = wl.data.ThreeSpin(A).batch(jax.random.key(0), 4000)
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 3**0.5, rtol=1e-12)
    np.testing.assert_allclose(y, np.einsum("pqr,np,nq,nr->n", A, x, x, x) / 3, rtol=1e-10, atol=1e-12)
    assert abs(np.mean(y**2) - MASS @ F**2) < 4 * np.std(y**2) / 4000**0.5


@pytest.mark.first(1)
@pytest.mark.parametrize(
    ("kernel", "budget"),
    [("exponential", None), pytest.param("gaussian", None, marks=pytest.mark.slow), ("gaussian", 20)],
)
def test_the_exact_risk_is_that_of_the_network_on_a_quadrature(kernel, budget):
    """Centres off the sphere, weights of any sum, a factor of the loss and a scale; risk, psi and grad psi."""
    kernel = KERNELS[kernel]
    parts = {"loss": wl.losses.squared(0.7), "scale": wl.scales.Power(0.5, 2.0)}
    exact = wl.Problem(kernel.unit, wl.data.ThreeSpin(A), budget=budget, **parts)
    summed = wl.Problem(kernel.unit, wl.data.Samples(NODES, F, MASS), **parts)
    assert exact.integrals.exact
    theta, w = exact.unpack(particles(kernel.unit, 1.2 * RNG.normal(size=(7, 3))))
    w = jnp.asarray([0.2, 0.3, 0.0, 0.4, 0.5, 0.1, 0.2])
    agree(variation(exact, theta, w), variation(summed, theta, w), 1e-11)
    slopes = eqx.filter_jit(lambda p: jax.value_and_grad(p.integrals.risk, argnums=(0, 1))(theta, w))
    agree(slopes(exact), slopes(summed), 1e-11)


@pytest.mark.slow
def test_off_the_particles_and_second_variations():
    kernel = KERNELS["gaussian"]
    exact = wl.Problem(kernel.unit, wl.data.ThreeSpin(A))
    summed = wl.Problem(kernel.unit, wl.data.Samples(NODES, F, MASS))
    measure = particles(kernel.unit, RNG.normal(size=(4, 3)))
    rows = RNG.normal(size=(2, 4))
    np.testing.assert_allclose(exact.potential(measure)(rows), summed.potential(measure)(rows), rtol=1e-11)
    found, expected = (p.integrals.curvature(*p.unpack(measure)) for p in (exact, summed))
    agree(found[:2], expected[:2], 1e-10)


@pytest.mark.first(2)
@pytest.mark.parametrize(("d", "alpha"), [(2, 1.0), (5, 0.5), (10, 1.0)])
def test_in_other_dimensions(d, alpha):
    """Against fresh samples, within four standard errors; at d = 10 beyond the short series."""
    problem = wl.problems.three_spin(RNG.normal(size=(d, d, d)), wl.kernels.gaussian(alpha))
    measure = particles(problem.unit, on_sphere(RNG.normal(size=(6, d))), 3.0 * RNG.normal(size=6) * d)
    estimate = problem.estimate_risk(measure, samples=100_000, key=jax.random.key(0))
    assert abs(float(problem.risk(measure)) - float(estimate.value)) < 4 * float(estimate.error)
    assert float(problem.l2_risk(measure)) == pytest.approx(float(problem.risk(measure)), rel=1e-13)


@pytest.mark.first(1)
@every
def test_the_risk_in_the_space_of_the_kernel(kernel):
    """SUM_k |g_k|^2/lambda_k over the harmonics g_k of f - f_n, by projection on nodes; lambda_k by Funk and Hecke."""
    problem = wl.problems.three_spin(A, kernel, norm="rkhs")
    measure = particles(problem.unit, on_sphere(RNG.normal(size=(4, 3))))
    g = MASS * (F - np.asarray(problem.predict(measure, NODES)))
    u, v = roots_legendre(40)
    phi = np.asarray(kernel(np.array([[3**0.5, 0.0, 0.0]]), 3**0.5 * np.column_stack([u, (1 - u**2) ** 0.5, 0 * u])))[0]
    cosines, total = NODES @ NODES.T / 3, 0.0
    for k in range(14):
        eigenvalue = 0.5 * v @ (phi * eval_legendre(k, u))
        part = (2 * k + 1) * eval_legendre(k, cosines) @ g
        total += MASS @ part**2 / eigenvalue
    # What is left out is below 1e-9 of the sum; further eigenvalues by quadrature would be rounding.
    assert float(problem.risk(measure)) == pytest.approx(0.5 * total, rel=1e-7)
    assert float(problem.l2_risk(measure)) == pytest.approx(0.5 * MASS @ (g / MASS) ** 2, rel=1e-11)
    theta, w = problem.unpack(measure)
    found = variation(problem, theta, w)
    assert float(found.risk) == pytest.approx(float(problem.risk(measure)), rel=1e-12)
    slope = eqx.filter_jit(jax.grad(lambda t: problem.integrals.risk(t, w)))(theta)
    agree(jax.tree.map(lambda leaf: leaf / 4, found.gradient), slope, 1e-11)


def test_the_flow_in_the_space_of_the_kernel_is_the_papers():
    """(4.5), with exp(+ alpha y . y') and C_i C_j, projected onto the sphere."""
    problem = wl.problems.three_spin(A, KERNELS["exponential"], norm="rkhs")
    y, c = on_sphere(RNG.normal(size=(4, 3))), RNG.normal(size=4)
    found = velocity(problem, *problem.unpack(particles(problem.unit, y, c)))
    e = np.exp(ALPHA * y @ y.T)
    f = np.einsum("pqr,np,nq,nr->n", A, y, y, y) / 3
    slope = np.asarray(jax.vmap(jax.grad(wl.data.ThreeSpin(A).target))(jnp.asarray(y)))
    pull = c[:, None] * slope - ALPHA / 4 * c[:, None] * (e @ (c[:, None] * y))
    np.testing.assert_allclose(found.charge, f - e @ c / 4, rtol=1e-11)
    np.testing.assert_allclose(found.center, pull - np.sum(pull * y, 1)[:, None] / 3 * y, rtol=1e-10, atol=1e-12)


def test_one_function_two_dynamics():
    """Charges e^(alpha d) apart give the same network under the two kernels; its charges move differently."""
    size = math.exp(3 * ALPHA)
    flat, bell = (wl.problems.three_spin(A, kernel) for kernel in KERNELS.values())
    y, c = on_sphere(RNG.normal(size=(4, 3))), RNG.normal(size=4)
    here, there = particles(flat.unit, y, c), particles(bell.unit, y, size * c)
    np.testing.assert_allclose(flat.predict(here, NODES[:5]), bell.predict(there, NODES[:5]), rtol=1e-12)
    assert float(flat.risk(here)) == pytest.approx(float(bell.risk(there)), rel=1e-12)
    moves = [velocity(p, *p.unpack(m)) for p, m in ((flat, here), (bell, there))]
    np.testing.assert_allclose(moves[0].charge, size * moves[1].charge, rtol=1e-11)
    np.testing.assert_allclose(moves[0].center, moves[1].center, rtol=1e-10, atol=1e-12)


@pytest.mark.first(1)
@pytest.mark.parametrize("norm", ["l2", "rkhs"])
def test_the_flow_descends_and_stays_on_the_sphere(norm):
    problem = wl.problems.three_spin(A, KERNELS["exponential"], norm=norm)
    start = particles(problem.unit, on_sphere(RNG.normal(size=(12, 3))))
    flow = wl.GradientFlow(wl.integrators.RungeKutta4(0.02))
    run = wl.evolve(problem, start, flow, t1=0.6, save_at=[0.0, 0.2, 0.4, 0.6])
    assert np.all(np.diff(run.risk) < 0)
    assert run.risk[-1] < 0.8 * run.risk[0]
    np.testing.assert_allclose(np.linalg.norm(run.final.positions[:, 1:], axis=1), 3**0.5, rtol=1e-12)
    assert float(run.risk[-1]) == pytest.approx(float(problem.risk(run.final)), rel=1e-12)


@pytest.mark.slow
def test_steps_of_all_the_data_need_no_samples():
    """sampling.Full on data without nodes takes the exact integrals: one step by hand, with and without noise."""
    problem = wl.problems.three_spin(A, KERNELS["exponential"], norm="rkhs")
    start = particles(problem.unit, on_sphere(RNG.normal(size=(12, 3))))
    theta, w = problem.unpack(start)
    drift = velocity(problem, theta, w)
    moved = problem.retract(jax.tree.map(lambda z, v: z + 0.01 * v, theta, drift))
    run = wl.evolve(problem, start, wl.SGD(0.01, sampling=FULL), t1=0.01)
    agree(problem.unpack(run.final)[0], moved, 1e-13)
    heat = wl.schedules.piecewise([0.02], [0.1, 0.0])
    noisy = wl.evolve(problem, start, wl.SGD(0.01, sampling=FULL, temperature=heat), t1=0.04, key=jax.random.key(0))
    np.testing.assert_allclose(np.linalg.norm(noisy.final.positions[:, 1:], axis=1), 3**0.5, rtol=1e-12)
    gap = np.abs(np.asarray(noisy.final.positions) - np.asarray(start.positions))
    assert 0.02 < np.mean(gap[:, 0]) < 1.0


def test_noise_on_a_sphere_is_its_brownian_motion():
    """E y(t) = exp(-(d - 1) T t/r^2) y(0), by an energy of nothing: integrals alone, without data."""
    blocks = (wl.measure.Block("y", (3,)),)
    nothing = wl.integrals.Pairwise(V=lambda a: 0.0 * a.y[0], U=lambda a, b: 0.0 * a.y[0], blocks=blocks, kinked=False)
    problem = wl.Problem(integrals=nothing, domain=wl.domains.product(y=wl.domains.Sphere(2.0)))
    start = wl.Particles(np.tile([2.0, 0.0, 0.0], (4000, 1)))
    sgd = wl.SGD(0.01, sampling=FULL, temperature=1.0)
    run = wl.evolve(problem, start, sgd, t1=1.0, key=jax.random.key(1), save_at=[1.0], observe=())
    # Four standard errors of the mean; the scheme is off by O(step).
    assert float(np.mean(run.final.positions[:, 0])) == pytest.approx(2.0 * math.exp(-0.5), abs=4 * 2.0 / 4000**0.5)
    facts = sgd.facts(problem)
    assert facts.order is None
    assert wl.SGD(0.01, sampling=FULL).facts(wl.Problem(integrals=nothing)).order == 1.0


def test_sgd_of_a_sigmoid_network():
    """Fresh samples of the sphere, a quench by a larger batch: the risk falls, the second phase is quieter."""
    unit = wl.units.Neuron(wl.activations.sigmoid)
    problem = wl.problems.three_spin(A, unit=unit)
    start = wl.Particles(RNG.normal(size=(16, 5)))
    sgd = wl.SGD(0.1, batch=wl.schedules.piecewise([40.0], [4, 32]))
    run = wl.evolve(problem, start, sgd, t1=60.0, key=jax.random.key(0), save_at=[30.0, 60.0], observe=())
    risks = [problem.estimate_risk(m, key=jax.random.key(5)) for m in (start, run.final)]
    assert float(risks[1].value) < 0.8 * float(risks[0].value)
    with pytest.raises(ValueError, match=r"Problem\.risk needs data with nodes"):
        problem.risk(start)
    with pytest.raises(ValueError, match=r"sampling\.Full needs data with nodes"):
        wl.evolve(problem, start, wl.SGD(0.1, sampling=FULL), t1=1.0)


def test_sgd_draws_of_the_l2_risk():
    """The mean step over batches is the exact one: the gradient on 20,000 samples within its errors."""
    problem = wl.problems.three_spin(A, KERNELS["gaussian"])
    theta, w = problem.unpack(particles(problem.unit, on_sphere(RNG.normal(size=(4, 3)))))
    x, y = problem.data.batch(jax.random.key(2), 20_000)
    nodes = wl.data.Samples(x, y).nodes
    found = eqx.filter_jit(lambda t: problem.variation(t, w, nodes).gradient)(theta)
    agree(found, variation(problem, theta, w).gradient, 0.05)


def test_other_targets_and_norms():
    law = wl.data.uniform_box(1, lambda x: x[0] ** 2)
    tanh = wl.units.Neuron(wl.activations.tanh)
    grid = np.linspace(0.0, 1.0, 5)
    for data in (law, wl.data.Interval(lambda x: x**2), wl.data.gauss_legendre(4, lambda x: x[0] ** 2)):
        np.testing.assert_allclose(wl.Problem(tanh, data).target(grid), grid**2, rtol=1e-12)
    with pytest.raises(ValueError, match="it is not known for FromLaw"):
        _ = wl.Problem(tanh, law).target_norm_squared
    samples = wl.data.Samples(grid, grid**2, weights=[1, 1, 2, 1, 1])
    problem = wl.Problem(tanh, samples, wl.losses.squared(3.0))
    assert float(problem.target_norm_squared) == pytest.approx(np.average(grid**4, weights=[1, 1, 2, 1, 1]))
    with pytest.raises(ValueError, match=r"Problem.target: the data \(Samples\) know their targets"):
        problem.target(grid)
    measure = wl.Particles(RNG.normal(size=(3, 3)))
    assert float(problem.l2_risk(measure)) == pytest.approx(float(problem.risk(measure)) / 6.0, rel=1e-12)


def test_another_target_compiles_nothing():
    count = 0

    @jax.jit
    def risk(a, alpha, rows):
        nonlocal count
        count += 1
        problem = wl.problems.three_spin(a, wl.kernels.gaussian(alpha), norm="rkhs")
        return problem.risk(wl.Particles(rows)) + problem.l2_risk(wl.Particles(rows))

    rows = particles(KERNELS["gaussian"].unit, on_sphere(RNG.normal(size=(3, 3)))).positions
    assert float(risk(A, 0.6, rows)) != float(risk(2.0 * A, 0.5, rows))
    assert count == 1


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: wl.data.ThreeSpin(np.ones((2, 3, 2))),
            r"expected a cube \[d, d, d\] with d >= 2, got shape \(2, 3, 2\)",
        ),
        (lambda: wl.data.ThreeSpin(np.ones((1, 1, 1))), r"with d >= 2, got shape \(1, 1, 1\)"),
        (lambda: wl.data.ThreeSpin(np.full((2, 2, 2), np.inf)), r"ThreeSpin\(coefficients=\.\.\.\): must be finite"),
        (lambda: wl.problems.three_spin(A), "give either kernel="),
        (lambda: wl.problems.three_spin(A, KERNELS["gaussian"], unit=wl.units.RadialBasis(1.0)), "give either kernel="),
        (lambda: wl.problems.three_spin(A, 1.0), r"three_spin\(kernel=\.\.\.\): expected kernels\.exponential"),
        (lambda: wl.problems.three_spin(A, KERNELS["gaussian"], norm="h1"), r'must be "l2" or "rkhs", got \'h1\''),
        (
            lambda: wl.problems.three_spin(A, unit=wl.units.RadialBasis(1.0), norm="rkhs"),
            "the norm is that of a kernel",
        ),
        (
            lambda: wl.problems.three_spin(A, KERNELS["gaussian"], loss=lambda f, y: (f - y) ** 4),
            "SphereL2 needs units",
        ),
    ],
)
def test_what_it_refuses(call, said):
    with pytest.raises(ValueError, match=said):
        call()


@pytest.mark.slow
def test_points_off_the_sphere():
    problem = wl.problems.three_spin(A, KERNELS["gaussian"])
    start = particles(problem.unit, 1.01 * on_sphere(RNG.normal(size=(4, 3))))
    with pytest.raises(ValueError, match="some particles lie outside the problem's domain"):
        wl.evolve(problem, start, wl.GradientFlow(), t1=1.0)
