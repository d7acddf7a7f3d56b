"""Fluctuations against cases solved by hand, derivatives of the flow by finite differences, and trained networks."""

import math
import re

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit.measure import join

LINEAR = wl.units.Function(lambda theta, x: theta.a * x[0], columns=["a"])
TIMES = [0.0, 0.4, 1.5]
# An even number of atoms of any size is the same to a network that only sees their mean.
MANY = wl.Particles(np.linspace(-1.0, 2.0, 300)[:, None], np.random.default_rng(5).dirichlet(np.ones(300)))


def by_hand(loss, y=1.0):
    return wl.Problem(LINEAR, wl.data.Samples([1.0], [y]), loss)


def spread_of(rho):
    p, a = np.asarray(rho.weights), np.asarray(rho.positions)[:, 0]
    return float(p @ a), float(p @ a**2 - (p @ a) ** 2)


def logistic_by_hand(f0, t):
    """f' = 1/(1 + e^f) has f + e^f = t + f0 + e^f0: the risk and its first two derivatives in f0, and f's."""
    low, high = f0, f0 + t + 1.0
    for _ in range(200):
        f = 0.5 * (low + high)
        low, high = (f, high) if f + math.exp(f) < t + f0 + math.exp(f0) else (low, f)
    first = (1 + math.exp(f0)) / (1 + math.exp(f))
    second = (math.exp(f0) - math.exp(f) * first**2) / (1 + math.exp(f))
    slope, bend = -1 / (1 + math.exp(f)), math.exp(f) / (1 + math.exp(f)) ** 2
    return math.log1p(math.exp(-f)), first, 0.5 * bend * first**2, 0.5 * slope * second


def test_a_linear_network_by_hand():
    """f = mean of a, loss 3 (f - 1)^2: f - 1 falls like e^(-6t), so does every fluctuation, and nothing is biased."""
    rho = wl.Particles([[0.0], [4.0], [7.0]], [0.7, 0.25, 0.05])
    found = wl.analysis.fluctuations(by_hand(wl.losses.squared(3.0)), rho, t1=0.4, save_at=[0.0, 0.1, 0.4])
    mean, variance = spread_of(rho)
    decay = np.exp(-12.0 * np.array([0.0, 0.1, 0.4]))
    np.testing.assert_array_equal(found.times, [0.0, 0.1, 0.4])
    np.testing.assert_allclose(found.limit, 3.0 * (mean - 1.0) ** 2 * decay, rtol=1e-4, atol=1e-12)
    np.testing.assert_allclose(found.prediction_variance, variance * decay, rtol=1e-4, atol=1e-12)
    np.testing.assert_allclose(found.bias, 0.0, atol=1e-12)
    np.testing.assert_allclose(found.excess_risk, 3.0 * variance * decay, rtol=1e-4, atol=1e-12)
    np.testing.assert_array_equal(found.standard_error, 0.0)
    np.testing.assert_allclose(found.risk(10), found.limit + found.excess_risk / 10)
    assert "3 atoms" in found.statement


@pytest.mark.parametrize("tolerance", [0.3, 0.001])
def test_a_logistic_loss_by_hand(tolerance):
    """One number f with a third derivative of the loss, from 300 atoms: by random directions, and by all of them."""
    mean, variance = spread_of(MANY)
    found = wl.analysis.fluctuations(by_hand(wl.losses.logistic()), MANY, t1=1.5, save_at=TIMES, tolerance=tolerance)
    exact = np.array([logistic_by_hand(mean, t) for t in TIMES])
    drawn = tolerance > 0.01
    assert ("random" in found.statement) == drawn
    assert np.all((found.standard_error > 0.0) == drawn)
    # One number fluctuates: variance and bias are off by the same factor, and the error shows it.
    rounding = 1e-5 * np.abs(exact[:, 1:]).max(axis=0) * variance
    np.testing.assert_allclose(found.limit, exact[:, 0], rtol=1e-5)
    pairs = (
        (found.prediction_variance, exact[:, 1] ** 2 * variance, found.variance_error, rounding[0] * 2),
        (found.bias, exact[:, 3] * variance, found.bias_error, rounding[2]),
        (found.excess_risk, (exact[:, 2] + exact[:, 3]) * variance, found.standard_error, rounding[1]),
    )
    for value, wanted, error, least in pairs:
        assert np.all(np.abs(value - wanted) <= 4.0 * error + least)
        assert np.all(error <= 0.3 * np.abs(wanted).max())


def flow(problem, trainable, rows, w, t):
    """f on the nodes and the risk after the gradient flow of particles with any weights, by another integrator."""
    names = trainable or [block.name for block in problem.blocks]

    def velocity(_, rows, args):
        theta, _ = problem.unpack(wl.Particles(rows, w))
        v = problem.velocity(theta, problem.variation(theta, w).gradient)
        still = jax.tree.map(jnp.zeros_like, v)
        return join(problem.blocks, still._replace(**{name: getattr(v, name) for name in names}))

    steps = diffrax.ConstantStepSize()
    end = diffrax.diffeqsolve(
        diffrax.ODETerm(velocity), diffrax.Dopri8(), 0.0, t, 0.05, rows, stepsize_controller=steps
    ).ys[-1]
    measure = wl.Particles(end, w)
    return problem.predict(measure, problem.data.nodes.x), problem.risk(measure)


def _turning(theta, g):
    return g._replace(weight=(1.0 + 0.5 * theta.output[0] ** 2) * g.weight, bias=jnp.cos(theta.weight[0]) * g.bias)


RNG = np.random.default_rng(2)
X, P = RNG.normal(size=(5, 2)), RNG.dirichlet(np.ones(4))
NEURON = wl.units.Neuron(wl.activations.tanh)
BALL = wl.units.Function(lambda theta, x: theta.c * jnp.exp(theta.z @ x), columns={"c": (), "z": (2,)}, linear="c")
ON_SPHERE = RNG.normal(size=(4, 2))
PROBLEMS = {
    "logistic, two outputs, mobility, penalty": (
        dict(
            unit=NEURON,
            data=wl.data.Samples(X, np.sign(RNG.normal(size=(5, 2))), RNG.dirichlet(np.ones(5))),
            loss=wl.losses.logistic(),
            mobility=wl.mobilities.Function(_turning),
            penalty=wl.penalties.l2(0.05) + wl.penalties.function(lambda theta: 0.1 * jnp.sum(theta.weight**4)),
            budget=400,
        ),
        RNG.normal(size=(4, 5)),
        None,
    ),
    "squared, scale, trainable": (
        dict(
            unit=NEURON,
            data=wl.data.Samples(X, RNG.normal(size=5)),
            loss=wl.losses.squared(0.8),
            scale=wl.scales.Power(1.0, 0.5),
        ),
        RNG.normal(size=(4, 4)),
        ["output", "weight"],
    ),
    "sphere": (
        dict(
            unit=BALL,
            data=wl.data.Samples(X, RNG.normal(size=5)),
            domain=wl.domains.product(z=wl.domains.Sphere(1.0)),
        ),
        np.column_stack([RNG.normal(size=4), ON_SPHERE / np.linalg.norm(ON_SPHERE, axis=1)[:, None]]),
        None,
    ),
}


@pytest.mark.first(1)
@pytest.mark.parametrize("name", PROBLEMS)
def test_derivatives_of_the_flow(name):
    """Variance and excess risk are sums of first and second derivatives of the flow in the weights: differences of it.

    Of step h = 1e-3, central: off by h^2 = 1e-6 times fourth derivatives, and rounding 1e-16/h^2.
    """
    parts, rows, trainable = PROBLEMS[name]
    problem, rows, p, h = wl.Problem(**parts), jnp.asarray(rows), jnp.asarray(P), 1e-3
    t = 1.0
    found = wl.analysis.fluctuations(problem, wl.Particles(rows, p), t1=t, save_at=[t], trainable=trainable)
    moved = jnp.concatenate([p + s * h * (jnp.eye(4) - p) for s in (1.0, -1.0)] + [p[None]])
    f, risk = jax.jit(jax.vmap(lambda w: flow(problem, trainable, rows, w, t)))(moved)
    first = (f[:4] - f[4:8]) / (2.0 * h)
    mu = problem.data.nodes.weights
    variance = jnp.einsum("i,q,iq->", p, mu, jnp.sum(first.reshape(4, 5, -1) ** 2, axis=2))
    excess = 0.5 * p @ (risk[:4] + risk[4:8] - 2.0 * risk[8]) / h**2
    mean = 0.5 * jnp.einsum("i,i...->...", p, f[:4] + f[4:8] - 2.0 * f[8]) / h**2
    slope = jax.vmap(jax.grad(problem.loss))(f[8], problem.data.nodes.y)
    bias = jnp.einsum("q,q->", mu, jnp.sum((slope * mean).reshape(5, -1), axis=1))
    np.testing.assert_allclose(found.limit, risk[8], rtol=1e-6)
    np.testing.assert_allclose(found.prediction_variance, variance, rtol=1e-4)
    np.testing.assert_allclose(found.bias, bias, rtol=1e-4)
    np.testing.assert_allclose(found.excess_risk, excess, rtol=1e-4)
    assert abs(bias) > 0.02 * abs(excess)
    covariance = found.covariance(problem.data.nodes.x)
    flat = first.reshape(4, -1)
    wanted = ((p * flat.T) @ flat).reshape(*first.shape[1:], *first.shape[1:])
    np.testing.assert_allclose(covariance[0], wanted, atol=1e-4 * float(variance))


def test_an_atom_in_two_halves_is_one():
    parts, rows, _ = PROBLEMS["squared, scale, trainable"]
    problem = wl.Problem(**parts)
    split = wl.Particles(np.concatenate([rows, rows[:1]]), np.append(P, 0.25 * P[0]) - np.eye(1, 5)[0] * 0.25 * P[0])
    one, two = (
        wl.analysis.fluctuations(problem, rho, t1=1.0, save_at=[0.0, 1.0]) for rho in (wl.Particles(rows, P), split)
    )
    for name in ("limit", "prediction_variance", "bias", "excess_risk"):
        # The steps are others, as the error is measured over other particles.
        np.testing.assert_allclose(getattr(two, name), getattr(one, name), rtol=1e-5, atol=1e-12)


def test_laws():
    """A law's atoms are exact; another law is quantised, or sampled where it has no map; both are said."""
    problem = by_hand(wl.losses.squared())
    atoms = wl.laws.Empirical([[0.0], [4.0]], [0.75, 0.25])
    found = wl.analysis.fluctuations(problem, atoms, t1=0.4, save_at=[0.4])
    assert float(found.prediction_variance[0]) == pytest.approx(3.0 * math.exp(-0.8), rel=1e-5)
    assert "the law's 2 atoms" in found.statement
    found = wl.analysis.fluctuations(problem, wl.laws.Normal(0.5, 2.0), t1=0.4, save_at=[0.0], particles=64)
    assert float(found.prediction_variance[0]) == pytest.approx(4.0, rel=0.05)
    assert "64 particles that the law was quantised to" in found.statement


class Heavy(wl.laws.AbstractLaw):
    """A Cauchy law."""

    shape = ()

    def draw(self, n, key):
        return jax.random.cauchy(key, (n, 1))


class Drawn(Heavy):
    def covariance(self):
        return jnp.eye(1)


DATA = wl.data.Samples([1.0], [1.0])
BAD = {
    "second moments": (by_hand(None), Heavy(), {}),
    "can only be sampled": (by_hand(None), Drawn(), {}),
    "twice continuously differentiable": (by_hand(wl.losses.huber()), MANY, {}),
    "'function' is not known to be twice": (by_hand(lambda f, y: (f - y) ** 2), MANY, {}),
    "has kinks": (wl.Problem(wl.units.Neuron(wl.activations.relu), DATA), wl.Particles(np.ones((2, 3))), {}),
    "needs data with nodes": (
        wl.Problem(LINEAR, wl.data.FromLaw(wl.laws.Normal(0.0, 1.0), lambda x: x[0])),
        MANY,
        {},
    ),
    "is not smooth": (wl.Problem(LINEAR, DATA, penalty=wl.penalties.total_variation(0.1, block="a")), MANY, {}),
    "has walls": (wl.Problem(LINEAR, DATA, domain=wl.domains.Box(-5.0, 5.0)), MANY, {}),
    "no limit to fluctuate around": (wl.Problem(LINEAR, DATA, scale=wl.scales.Power()), MANY, {}),
    "t1=...": (by_hand(None), MANY, {"t1": 0.0}),
    "save_at=...): expected a list of times in": (by_hand(None), MANY, {"save_at": [0.0, 2.0]}),
    "save_at=...): expected increasing": (by_hand(None), MANY, {"save_at": [0.5, 0.5]}),
    "tolerance=...": (by_hand(None), MANY, {"tolerance": 0.0}),
    "particles=...": (by_hand(None), MANY, {"particles": 1}),
    "no block 'b'": (by_hand(None), MANY, {"trainable": "b"}),
    "the law has 2 columns": (by_hand(None), wl.laws.Normal(0.0, 1.0, dim=2), {}),
    "sum to 1": (by_hand(None), wl.Particles([[1.0]], [2.0]), {}),
}


@pytest.mark.parametrize("said", BAD)
def test_what_is_refused(said):
    problem, start, options = BAD[said]
    with pytest.raises(ValueError, match=re.escape(said)):
        wl.analysis.fluctuations(problem, start, **{"t1": 1.0, **options})


def test_a_reduced_problem_is_refused():
    problem = wl.problems.isotropic_gaussians(delta=0.5, dim=6).reduced()
    with pytest.raises(ValueError, match="give the full problem"):
        wl.analysis.fluctuations(problem, wl.Particles([[0.4]]), t1=1.0)


def test_a_flow_that_blows_up_is_an_error():
    """a' = a^3 from a = 1 is infinite at t = 1/2."""
    steep = wl.losses.Loss(lambda f, y: -0.25 * f**4, smooth=True)
    with pytest.raises(ValueError, match=r"breaks down at t = 0\.[45]"):
        wl.analysis.fluctuations(by_hand(steep), wl.Particles([[0.9], [1.1]]), t1=1.0)


@pytest.mark.slow
def test_trained_networks_of_finite_width():
    """400 networks of 32 tanh neurons, two outputs, trained by the flow: mean risk and scatter of f within 4 errors.

    What is linear in the weights that a network draws has mean zero: it is taken out by regression. The next order is
    1/n = 3 % of what is asked.
    """
    parts, rows, _ = PROBLEMS["logistic, two outputs, mobility, penalty"]
    problem, n, count, t = wl.Problem(**parts), 32, 400, 1.0
    start = wl.Particles(rows, P)
    found = wl.analysis.fluctuations(problem, start, t1=t, save_at=[0.0, t])
    which = np.random.default_rng(0).choice(4, size=(count, n), p=P)
    starts = [wl.Particles(rows[i]) for i in which]
    runs = wl.evolve_many(problem, starts, wl.GradientFlow(), t1=t, save_at=[0.0, t])
    limit = wl.evolve(problem, start, wl.GradientFlow(), t1=t, save_at=[0.0, t])
    x, mu = problem.data.nodes.x, problem.data.nodes.weights
    drawn = np.stack([np.bincount(i, minlength=4) / n - P for i in which])[:, :3]
    for i in range(2):
        risks = np.array([run.risk[i] for run in runs])
        fit = np.column_stack([np.ones(count), drawn])
        mean, *slope = np.linalg.lstsq(fit, risks)[0]
        error = np.std(risks - drawn @ slope) / math.sqrt(count)
        assert abs(mean - found.risk(n)[i]) < 4.0 * error + 0.05 * abs(found.excess_risk[i]) / n
        # Without the term of order 1/n the mean is far away.
        assert abs(mean - found.limit[i]) > 8.0 * error
        f = np.stack([problem.predict(run[i], x) for run in runs])
        off = n * np.sum((f - np.asarray(problem.predict(limit[i], x))) ** 2, axis=2) @ np.asarray(mu)
        error = off.std() / math.sqrt(count)
        assert abs(off.mean() - found.prediction_variance[i]) < 4.0 * error
        assert error < 0.1 * off.mean()
