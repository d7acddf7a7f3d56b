"""A network of two levels, written with `integrate` alone: its gradients are those of the first variation."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl

AbstractNetwork, TwoLayer, integrate = wl.networks.AbstractNetwork, wl.networks.TwoLayer, wl.networks.integrate


class Inner(wl.units.AbstractUnit):
    def blocks(self, inputs, outputs):
        return (wl.measure.Block("a", ()), wl.measure.Block("v", (inputs,)))

    def __call__(self, theta, x):
        return theta.a * jnp.sin(jnp.dot(theta.v, x))


class Outer(wl.units.AbstractUnit):
    def blocks(self, inputs, outputs):
        return (wl.measure.Block("c", outputs), wl.measure.Block("u", (inputs,)))

    def __call__(self, theta, x):
        return theta.c * jnp.cos(jnp.dot(theta.u, x))


class TwoLevel(AbstractNetwork):
    """f(x) = INT c cos(u g(x)) d rho, g(x) = INT a sin(v . x) d rho."""

    def blocks(self, inputs, outputs):
        return (*Inner().blocks(inputs, ()), *Outer().blocks(1, outputs))

    def __call__(self, theta, w, x):
        return integrate(Outer(), theta, w, integrate(Inner(), theta, w, x)[:, None])

    kinked = property(lambda self: False)


RNG = np.random.default_rng(0)
X = RNG.normal(size=(13, 2))
DATA = wl.data.Samples(X, np.sin(X[:, 0]) + 0.5, RNG.uniform(0.5, 1.0, size=13))
DEEP = wl.Problem(TwoLevel(), DATA)
ROWS = RNG.normal(size=(6, 5))
# The last particle has no mass: its psi and grad psi are there all the same.
MASS = np.append(RNG.dirichlet(np.ones(5)), 0.0)
MEASURE = wl.Particles(ROWS, MASS, blocks=DEEP.blocks)


def risk_of(rows, mass, problem=DEEP):
    return float(problem.risk(wl.Particles(rows, mass, blocks=problem.blocks)))


def difference(function, at, h=1e-5):
    """The derivative of a function of an array by central differences."""
    out = np.zeros(at.shape)
    for k in np.ndindex(at.shape):
        step = np.zeros(at.shape)
        step[k] = h
        out[k] = (function(at + step) - function(at - step)) / (2.0 * h)
    return out


def test_psi_is_the_derivative_in_the_mass():
    found = DEEP.variation(*DEEP.unpack(MEASURE))
    np.testing.assert_allclose(found.psi, difference(lambda mass: risk_of(ROWS, mass), MASS), rtol=1e-7, atol=1e-9)
    assert float(found.risk) == pytest.approx(risk_of(ROWS, MASS), rel=1e-14, abs=0.0)


def test_grad_psi_has_no_factor_of_the_mass_and_the_risk_has():
    found = np.asarray(wl.measure.join(DEEP.blocks, DEEP.variation(*DEEP.unpack(MEASURE)).gradient))
    by_rows = difference(lambda rows: risk_of(rows, MASS), ROWS)
    np.testing.assert_allclose(MASS[:, None] * found, by_rows, rtol=1e-6, atol=1e-9)
    assert np.all(np.abs(found[-1]) > 1e-4)
    ordinary = jax.grad(lambda rows: DEEP.risk(wl.Particles(rows, MASS, blocks=DEEP.blocks)))(jnp.asarray(ROWS))
    np.testing.assert_allclose(ordinary, by_rows, rtol=1e-6, atol=1e-9)


@pytest.mark.slow
def test_the_potential_off_the_particles():
    """That of particles of no mass: in value, in gradient, one by one and many at once."""
    psi, rows = DEEP.potential(MEASURE), RNG.normal(size=(3, 5))
    joined = wl.Particles(np.concatenate([ROWS, rows]), np.append(MASS, np.zeros(3)), blocks=DEEP.blocks)
    found = DEEP.variation(*DEEP.unpack(joined))
    np.testing.assert_allclose(psi(rows), found.psi[6:], rtol=1e-12)
    slopes = wl.measure.join(DEEP.blocks, found.gradient)[6:]
    np.testing.assert_allclose(psi.gradient(rows), slopes, rtol=1e-12)
    one = wl.measure.split(DEEP.blocks, jnp.asarray(rows[0]))
    np.testing.assert_allclose(wl.measure.join(DEEP.blocks, jax.grad(psi.at)(one)), slopes[0], rtol=1e-10)


def test_pieces_and_scales():
    """In pieces of one input the same numbers; another output scale multiplies f, for the potential as well."""
    pieces = wl.Problem(TwoLevel(), DATA, budget=3)
    for a, b in zip(*(jax.tree.leaves(p.variation(*p.unpack(MEASURE))) for p in (DEEP, pieces)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    grown = wl.Problem(TwoLevel(), DATA, scale=wl.scales.Power(0.5))
    np.testing.assert_allclose(grown.predict(MEASURE, X), 6.0**0.5 * DEEP.predict(MEASURE, X), rtol=1e-13)
    found = grown.variation(*grown.unpack(MEASURE))
    np.testing.assert_allclose(grown.potential(MEASURE)(ROWS), found.psi, rtol=1e-12)


@pytest.mark.parametrize("dynamics", [wl.GradientFlow(), wl.SGD(step=0.05)], ids=["flow", "sgd"])
def test_it_trains(dynamics):
    start = wl.Particles(ROWS, blocks=DEEP.blocks)
    run = wl.evolve(DEEP, start, dynamics, t1=10.0, key=jax.random.key(0))
    assert run.risk[-1] < 0.6 * run.risk[0]


def test_what_needs_a_two_layer_mean_says_so():
    reduced = wl.Problem(TwoLevel(), wl.data.GaussianClasses(1.0, 2.0, dim=4))
    for call in (
        lambda: DEEP.unit,
        reduced.reduced,
        lambda: wl.kernels.tangent_kernel(DEEP, MEASURE, X),
        lambda: wl.analysis.optimality_gap(DEEP, MEASURE),
        lambda: wl.minimise(DEEP),
        lambda: wl.analysis.stability(DEEP, MEASURE),
    ):
        with pytest.raises(ValueError, match="two-layer mean"):
            call()


class Heavy(wl.units.AbstractUnit):
    """A unit with a number that is an array."""

    k: jax.Array

    def blocks(self, inputs, outputs):
        return (wl.measure.Block("c", outputs), wl.measure.Block("w", (inputs,)))

    def __call__(self, theta, x):
        return theta.c * jnp.sin(self.k * jnp.dot(theta.w, x))


def test_three_ways_to_say_a_two_layer_mean():
    unit = Heavy(jnp.asarray(2.0))
    made = [wl.Problem(unit, DATA), wl.Problem(unit=unit, data=DATA), wl.Problem(TwoLayer(unit), DATA)]
    assert all(eqx.tree_equal(problem, made[0]) for problem in made)
    assert made[0].unit is unit
    with pytest.raises(ValueError, match="one network"):
        wl.Problem(TwoLayer(unit), DATA, unit=unit)
    with pytest.raises(ValueError, match="one network"):
        wl.Problem(data=DATA)


def test_another_number_does_not_compile_again():
    """Numbers of units and losses are leaves of the problem."""
    count = 0

    @eqx.filter_jit
    def risk(problem, rows):
        nonlocal count
        count += 1
        return problem.risk(wl.Particles(rows, blocks=problem.blocks))

    rows, values = jnp.asarray(RNG.normal(size=(4, 3))), []
    for width, factor in ((0.7, 0.5), (1.3, 0.5), (1.3, 1.0)):
        problem = wl.Problem(wl.units.RadialBasis(width), DATA, wl.losses.squared(factor))
        values.append(float(risk(problem, rows)))
    assert count == 1
    assert len(set(values)) == 3
    assert values[2] == pytest.approx(2.0 * values[1], rel=1e-14, abs=0.0)


@dataclasses.dataclass
class Said:
    """A unit that says something of itself."""

    facts: dict

    def unit(self, function):
        facts = self.facts

        class Claimed(wl.units.AbstractUnit):
            def blocks(self, inputs, outputs):
                return (wl.measure.Block("c", outputs), wl.measure.Block("w", (inputs,)))

            def __call__(self, theta, x):
                return function(theta.c, jnp.dot(theta.w, x))

            linear = property(lambda self: facts.get("linear"))
            homogeneity = property(lambda self: facts.get("homogeneity"))

        return Claimed()


@pytest.mark.parametrize(
    ("facts", "function", "message"),
    [
        ({"linear": "c"}, lambda c, z: c**2 * z, "not 'c' times one number"),
        ({"linear": "c"}, lambda c, z: c * z + 1.0, "not 'c' times one number"),
        ({"linear": "c", "homogeneity": 2.0}, lambda c, z: c * z, "not the degree"),
        ({"homogeneity": 1.0}, lambda c, z: c * z, "not the degree"),
        ({"linear": "w"}, lambda c, z: c * z, "has shape"),
    ],
)
def test_a_wrong_fact_is_caught(facts, function, message):
    with pytest.raises(ValueError, match=message):
        wl.Problem(Said(facts).unit(function), DATA)


def test_right_facts_pass():
    wl.Problem(Said({"linear": "c", "homogeneity": 1.0}).unit(lambda c, z: c * jnp.abs(z)), DATA)
    wl.Problem(Said({"homogeneity": 2.0}).unit(lambda c, z: c * z), DATA)
