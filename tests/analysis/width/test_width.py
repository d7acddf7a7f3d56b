"""E R_N against averages over many networks, and against one data point solved by hand."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl

LINEAR = wl.units.Function(lambda theta, x: theta.a * x[0], columns=["a"])


def test_one_data_point_by_hand():
    """f = mean of a, y = 1, loss 3 (f - y)^2: a = 0 or 4 with weights 3/4 and 1/4 has mean 1, variance 3, E a^2 = 4."""
    problem = wl.Problem(LINEAR, wl.data.Samples([1.0], [1.0]), wl.losses.squared(3.0))
    found = wl.analysis.expected_risk(problem, wl.Particles([[0.0], [4.0]], [0.75, 0.25]))
    assert float(found.limit.value) == pytest.approx(0.0, abs=1e-15)
    assert float(found.variance.value) == pytest.approx(9.0)
    assert float(found.diagonal.value) == pytest.approx(12.0)
    assert float(found.risk(6).value) == pytest.approx(1.5)
    assert float(found.bound(6).value) == pytest.approx(2.0)
    assert float(found.risk(6).error) == 0.0


def test_a_law_with_atoms_is_exact():
    problem = wl.Problem(LINEAR, wl.data.Samples([1.0], [1.0]), wl.losses.squared(3.0))
    found = wl.analysis.expected_risk(problem, wl.laws.Atom(2.0))
    assert float(found.limit.value) == pytest.approx(3.0)
    assert float(found.variance.value) == pytest.approx(0.0, abs=1e-15)
    assert float(found.limit.error) == 0.0


def test_a_normal_law_by_hand():
    """a ~ N(m, s^2), x and y at one point: R = (m - 1)^2, variance s^2, K = m^2 + s^2; within four standard errors."""
    problem = wl.Problem(LINEAR, wl.data.Samples([1.0], [1.0]), wl.losses.squared(1.0))
    found = wl.analysis.expected_risk(problem, wl.laws.Normal(0.8, 0.5), key=jax.random.key(0))
    for estimate, exact in ((found.limit, 0.04), (found.variance, 0.25), (found.diagonal, 0.89)):
        assert 0.0 < float(estimate.error) < 0.02
        assert abs(float(estimate.value) - exact) < 4 * float(estimate.error)


def test_law_and_fresh_inputs_by_hand():
    """f = E a x, y = x, x ~ N(0, 1): R = (m - 1)^2, variance s^2 E x^2; both are drawn, and the errors show it."""
    data = wl.data.FromLaw(wl.laws.Normal(0.0, 1.0), lambda x: x[0])
    problem = wl.Problem(LINEAR, data, wl.losses.squared(1.0))
    found = wl.analysis.expected_risk(problem, wl.laws.Normal(0.8, 0.5), key=jax.random.key(1))
    for estimate, exact in ((found.limit, 0.04), (found.variance, 0.25), (found.diagonal, 0.89)):
        assert 0.0 < float(estimate.error) < 0.02
        assert abs(float(estimate.value) - exact) < 4 * float(estimate.error)


def test_few_drawn_neurons_leave_no_bias():
    """Two neurons a group see half the variance, and a risk too large by the other half: both are taken out again.

    a_1 ... a_400 ~ N(0.8, 0.5^2), each seen by a data point of its own: the mean over them leaves little scatter.
    """
    n = 400
    unit = wl.units.Function(lambda theta, x: jnp.dot(theta.a, x), columns={"a": (n,)})
    problem = wl.Problem(unit, wl.data.Samples(np.eye(n), np.ones(n)), wl.losses.squared(3.0))
    law = wl.laws.Normal(0.8, 0.5, dim=n)
    found = wl.analysis.expected_risk(problem, law, neurons=64, key=jax.random.key(2))
    for estimate, exact in ((found.limit, 3 * 0.04), (found.variance, 3 * 0.25), (found.diagonal, 3 * 0.89)):
        assert abs(float(estimate.value) - exact) < 4 * float(estimate.error)
        # The bias would be 3/8 of each.
        assert float(estimate.error) < 0.375 / 10


@pytest.mark.parametrize("outputs", [(), (2,)], ids=["number", "vector"])
def test_the_average_over_many_networks(outputs):
    """4,000 networks of 5 neurons drawn from weighted particles: within four standard errors, in either direction."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 2))
    y = rng.normal(size=(20, *outputs))
    unit = wl.units.Neuron(wl.activations.tanh)
    problem = wl.Problem(unit, wl.data.Samples(x, y), wl.losses.squared(0.7), budget=60)
    rows, p = rng.normal(size=(6, problem.dim)), rng.dirichlet(np.ones(6))
    found = wl.analysis.expected_risk(problem, wl.Particles(rows, p))
    drawn = jnp.asarray(rows[rng.choice(6, size=(4000, 5), p=p)])
    risks = np.asarray(jax.vmap(lambda net: problem.risk(wl.Particles(net)))(drawn))
    error = risks.std() / math.sqrt(len(risks))
    assert abs(risks.mean() - float(found.risk(5).value)) < 4 * error
    # The finite width shows: without its term the prediction would be far off.
    assert float(found.risk(5).value) - float(found.limit.value) > 10 * error
    assert float(found.limit.value) == pytest.approx(float(problem.risk(wl.Particles(rows, p))))


def test_proposition_1_bounds_the_best_network():
    """Ten networks drawn from the optimum: the best of them is an upper bound on inf R_N, below inf R + K/N."""
    unit = wl.units.Function(lambda theta, x: jnp.tanh(theta.a * x[0]), columns=["a"])
    x = np.linspace(-2, 2, 9)
    target = 0.5 * np.tanh(0.5 * x) + 0.5 * np.tanh(3.0 * x)
    problem = wl.Problem(unit, wl.data.Samples(x, target), wl.losses.squared(1.0))
    found = wl.analysis.expected_risk(problem, wl.Particles([[0.5], [3.0]]))
    assert float(found.limit.value) == pytest.approx(0.0, abs=1e-15)
    key = jax.random.key(0)
    for n in (3, 30):
        nets = jnp.where(jax.random.bernoulli(key, 0.5, (10, n, 1)), 0.5, 3.0)
        best = min(float(problem.risk(wl.Particles(net))) for net in nets)
        assert best <= float(found.bound(n).value)
        assert float(found.variance.value) < float(found.diagonal.value)


@pytest.mark.slow
def test_a_reduced_problem_stands_for_the_full_network():
    """2,000 networks of 4 neurons in R^6, turned at random, on fresh inputs: within four standard errors."""
    full = wl.problems.isotropic_gaussians(delta=0.5, dim=6)
    small = full.reduced()
    rho = wl.Particles([[0.4], [1.5]], [0.25, 0.75])
    found = wl.analysis.expected_risk(small, rho)
    keys = jax.random.split(jax.random.key(0), 2000)

    @jax.jit
    @jax.vmap
    def one(key):
        k1, k2, k3 = jax.random.split(key, 3)
        which = jax.random.choice(k1, 2, (4,), p=rho.weights)
        net = small.lift(wl.Particles(rho.positions[which]), key=k2)
        x, y = full.data.batch(k3, 200)
        return jnp.mean((full.predict(net, x) - y) ** 2)

    risks = np.asarray(one(keys))
    error = risks.std() / math.sqrt(len(risks))
    assert abs(risks.mean() - float(found.risk(4).value)) < 4 * error
    # Without the spread over directions the prediction would be far below.
    table = wl.analysis.expected_risk(wl.Problem(averaged(small), small.data, small.loss), rho)
    assert float(found.risk(4).value) - float(table.risk(4).value) > 10 * error
    assert float(found.limit.value) == pytest.approx(float(small.risk(rho)))


def averaged(problem):
    """The unit of a reduced problem as a function that nobody knows to be an average."""
    unit = problem.unit
    return wl.units.Function(lambda theta, x: unit(theta, x), columns=["radius"])


@pytest.mark.parametrize(("dims", "bias"), [((40.0,), 0.3), ((math.inf,), 0.0), ((3.0, 50.0), -0.2)])
def test_the_mean_square_over_directions(dims, bias):
    """Against a million directions drawn by NumPy: within four standard errors."""
    ramp = wl.activations.piecewise_linear([0.5, 1.5], [-2.5, 7.5])
    unit = wl.units.SphericalNeuron(ramp, dims, bias=True, output_weight=True)
    radius, s = np.array([0.9, 0.6])[: len(dims)], np.array([1.1, 1.4])[: len(dims)]
    blocks = unit.blocks(len(dims), ())
    theta = wl.measure.split(blocks, jnp.asarray([2.0, *radius, bias]))
    value = float(unit.mean_square(theta, jnp.asarray(s)))
    rng, z = np.random.default_rng(0), np.full(10**6, bias)
    for r, length, dim in zip(radius, s, dims, strict=True):
        g = rng.normal(size=10**6)
        rest = 0.0 if dim == math.inf else rng.chisquare(dim - 1, 10**6)
        z += r * length * (g if dim == math.inf else np.sqrt(dim) * g / np.sqrt(g**2 + rest))
    drawn = 4.0 * np.interp(z, [0.5, 1.5], [-2.5, 7.5]) ** 2
    assert abs(drawn.mean() - value) < 4 * drawn.std() / 1e3


def test_the_mean_square_at_the_ends_by_hand():
    """r = 0: sigma(0)^2 = 6.25; r = infinity: half of the directions see 7.5, the others -2.5."""
    for dim in (2.0, 40.0, math.inf):
        unit = wl.units.SphericalNeuron(wl.activations.piecewise_linear([0.5, 1.5], [-2.5, 7.5]), (dim,))
        for radius, exact in ((0.0, 6.25), (math.inf, 0.5 * (6.25 + 56.25))):
            theta = wl.measure.split(unit.blocks(1, ()), jnp.asarray([radius]))
            assert float(unit.mean_square(theta, jnp.asarray([1.3]))) == pytest.approx(exact, rel=1e-8)


def test_theorem_3_by_hand():
    assert wl.analysis.theorem3_error(100, 4, 0.001, z=1.0) == pytest.approx(
        0.1 * (math.sqrt(4 + math.log(1e5)) + 1.0), rel=1e-15, abs=0.0
    )
    # Steps above 1/N set the size.
    assert wl.analysis.theorem3_error(10_000, 4, 0.01) == pytest.approx(
        0.1 * math.sqrt(4 + math.log(1e6)), rel=1e-15, abs=0.0
    )


def gaussians(**more):
    unit = wl.units.Neuron(wl.activations.tanh, output_weight=False, bias=False)
    return wl.Problem(unit, wl.data.GaussianClasses(1.0, 2.0, dim=2), **more)


@pytest.mark.parametrize(
    ("problem", "rho", "more", "match"),
    [
        (gaussians(loss=wl.losses.huber()), wl.Particles(np.ones((1, 2))), {}, "squared"),
        (gaussians(scale=wl.scales.Power()), wl.Particles(np.ones((1, 2))), {}, "mean"),
        (gaussians(), wl.Particles(np.ones((1, 2))), {}, "key"),
        (gaussians(), wl.Particles(np.ones((1, 2)), [2.0]), {}, "weights"),
        (gaussians(), wl.Particles(np.ones((1, 3))), {}, "columns"),
        (gaussians(), wl.Particles(np.ones((1, 2))), {"samples": 3}, "samples"),
        (gaussians(), wl.laws.Normal(0.0, 1.0, dim=2), {"neurons": 3}, "neurons"),
    ],
)
def test_refusals(problem, rho, more, match):
    with pytest.raises(ValueError, match=match):
        wl.analysis.expected_risk(problem, rho, **more)


@pytest.mark.parametrize(
    ("arguments", "more", "match"),
    [
        ((0, 1, 0.1), {}, "width"),
        ((10, 0, 0.1), {}, "dim"),
        ((10, 1, 2.0), {}, "step"),
        ((10, 1, 0.1), {"z": -1}, "z="),
    ],
)
def test_refused_numbers(arguments, more, match):
    with pytest.raises(ValueError, match=match):
        wl.analysis.theorem3_error(*arguments, **more)


def test_free_knots_by_exact_integrals():
    """Two opposite atoms at h = 0: f = 0, and the variance is that of c, K(0, 0) = 1/3 times the loss's factor."""
    problem = wl.problems.free_knot_spline(lambda x: x**2, loss=wl.losses.squared(0.8))
    found = wl.analysis.expected_risk(problem, wl.Particles([[1.0, 0.0], [-1.0, 0.0]]))
    assert float(found.limit.value) == pytest.approx(0.8 / 5, rel=1e-13, abs=0.0)
    assert float(found.variance.value) == pytest.approx(0.8 / 3, rel=1e-13, abs=0.0)
    rng = np.random.default_rng(0)
    rho = wl.Particles(np.stack([rng.normal(size=9), rng.uniform(-0.3, 1.1, size=9)], axis=1))
    exact, near = (wl.analysis.expected_risk(p, rho) for p in (problem, problem.on_nodes()))
    # The nodes miss the kinks by a share of their panels.
    for name in ("limit", "variance", "diagonal"):
        assert float(getattr(exact, name).value) == pytest.approx(float(getattr(near, name).value), rel=1e-4)
