"""Energies of pairs: the same numbers as the network whose risk they are, and what they refuse."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl

RNG = np.random.default_rng(0)
X = RNG.normal(size=(9, 2))
Y, MU = np.sin(X[:, 0]) + 0.3, RNG.dirichlet(np.ones(9))
UNIT = wl.units.Neuron(wl.activations.tanh)
NETWORK = wl.Problem(UNIT, wl.data.Samples(X, Y, MU), wl.losses.squared(0.7))


def values(theta):
    return jax.vmap(lambda x: UNIT(theta, x))(jnp.asarray(X))


def single(a):
    """-2 k INT y phi d mu."""
    return -1.4 * jnp.sum(MU * Y * values(a))


def double(a, b):
    """2 k INT phi phi' d mu, and an antisymmetric part, which must not count."""
    twist = a.output - b.output + a.bias * b.output - b.bias * a.output
    return 1.4 * jnp.sum(MU * values(a) * values(b)) + 3.0 * twist


def energy(**changes):
    given = {"V": single, "U": double, "blocks": NETWORK.blocks, "constant": 0.7 * float(MU @ Y**2), **changes}
    return wl.Problem(integrals=wl.integrals.Pairwise(**given))


ENERGY = energy()
# Weights need not sum to one, and may be zero.
MEASURE = wl.Particles(RNG.normal(size=(7, 4)), np.array([0.2, 0.3, 0.0, 0.4, 0.5, 0.1, 0.2]), blocks=NETWORK.blocks)


@pytest.mark.first(1)
@pytest.mark.parametrize("problem", [ENERGY, energy(budget=1), energy(budget=60)], ids=["whole", "rows", "pieces"])
def test_it_is_the_risk_that_it_was_made_of(problem):
    theta, w = problem.unpack(MEASURE)
    for found, expected in zip(
        jax.tree.leaves(problem.variation(theta, w)), jax.tree.leaves(NETWORK.variation(theta, w)), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-13)
    assert float(problem.risk(MEASURE)) == pytest.approx(float(NETWORK.risk(MEASURE)), rel=1e-12)
    by_rows = [jax.grad(lambda z, p=p: p.integrals.risk(z, w))(theta) for p in (problem, NETWORK)]
    for found, expected in zip(*map(jax.tree.leaves, by_rows), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-13)


def test_off_the_particles():
    rows = RNG.normal(size=(3, 4))
    found, expected = (p.potential(MEASURE) for p in (ENERGY, NETWORK))
    np.testing.assert_allclose(found(rows), expected(rows), rtol=1e-10)
    np.testing.assert_allclose(found.gradient(rows), expected.gradient(rows), rtol=1e-10)


def test_second_variations():
    """Those of the network, which are its curvature on the nodes; and the Hessian by differences of the gradient."""
    theta, w = ENERGY.unpack(MEASURE)
    found, expected = (p.integrals.curvature(theta, w) for p in (ENERGY, NETWORK))
    np.testing.assert_allclose(found.hessian, expected.hessian, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.kernel, expected.kernel, rtol=1e-9, atol=1e-12)
    assert found.size.shape == (7, 4)
    psi, row, h = ENERGY.potential(MEASURE), MEASURE.positions[1], 1e-5
    bent = [(psi.gradient(row + h * e) - psi.gradient(row - h * e)) / (2 * h) for e in np.eye(4)]
    np.testing.assert_allclose(found.hessian[1], np.stack(bent), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(ENERGY.integrals.hessian(theta, w), found.hessian)
    np.testing.assert_allclose(ENERGY.integrals.kernel(theta, w), found.kernel)


@pytest.mark.slow
def test_the_same_run_and_the_same_verdict():
    start = wl.Particles(RNG.normal(size=(6, 4)), blocks=NETWORK.blocks)
    flow = wl.GradientFlow(wl.integrators.Tsit5(1e-9, 1e-11))
    runs = [wl.evolve(p, start, flow, t1=3.0) for p in (ENERGY, NETWORK)]
    np.testing.assert_allclose(runs[0].risk, runs[1].risk, rtol=1e-7)
    assert "dissipation" in runs[0].observables
    smooth = energy(kinked=False)
    rates = [wl.analysis.stability(p, runs[1].final, tolerance=0.9).rates for p in (smooth, NETWORK)]
    np.testing.assert_allclose(*rates, rtol=1e-6)


@pytest.mark.parametrize("budget", [None, 40])
def test_repelling_particles_keep_their_centre(budget):
    """V = |z|^2/2 pulls the mean to zero as exp(-t), whatever U of z - z' does."""
    problem = wl.Problem(
        integrals=wl.integrals.Pairwise(
            V=lambda a: 0.5 * jnp.sum(a.z**2),
            U=lambda a, b: jnp.exp(-jnp.sum((a.z - b.z) ** 2)),
            blocks=(wl.measure.Block("z", (2,)),),
            budget=budget,
        )
    )
    run = wl.evolve(problem, wl.Particles(RNG.normal(size=(20, 2)) + 1.0), wl.GradientFlow(), t1=2.0)
    mean = [np.asarray(run.positions[k]).mean(axis=0) for k in (0, -1)]
    np.testing.assert_allclose(mean[1], np.exp(-2.0) * mean[0], rtol=1e-4)


def test_it_is_a_module_of_leaves():
    count = 0

    @eqx.filter_jit
    def risk(problem):
        nonlocal count
        count += 1
        return problem.risk(MEASURE)

    assert float(risk(energy(constant=2.0))) == pytest.approx(float(risk(energy(constant=3.0))) - 1.0, rel=1e-12)
    assert count == 1


def test_what_it_refuses():
    for call in (
        lambda: ENERGY.predict(MEASURE, X),
        lambda: ENERGY.estimate_risk(MEASURE, key=jax.random.key(0)),
        lambda: ENERGY.data,
        lambda: ENERGY.loss,
        lambda: ENERGY.batch_risk(*ENERGY.unpack(MEASURE), X, Y, MU),
        lambda: wl.evolve(ENERGY, wl.Particles(np.ones((2, 4))), wl.SGD(step=0.1), t1=1.0, key=jax.random.key(0)),
    ):
        with pytest.raises(ValueError, match="network and data"):
            call()
    for call in (lambda: wl.kernels.tangent_kernel(ENERGY, MEASURE, X), ENERGY.reduced):
        with pytest.raises(ValueError, match="two-layer mean"):
            call()
    with pytest.raises(ValueError, match="free-knot splines"):
        ENERGY.integrals.spline("this")
    for changes, message in (
        ({"blocks": ()}, "blocks"),
        ({"V": lambda a: a.weight}, r"V=\.\.\."),
        ({"U": lambda a, b: a.weight}, r"U=\.\.\."),
        ({"constant": float("nan")}, "constant"),
    ):
        with pytest.raises(ValueError, match=message):
            energy(**changes)
    with pytest.raises(ValueError, match="one network"):
        wl.Problem(integrals=ENERGY.integrals, loss=wl.losses.huber())
