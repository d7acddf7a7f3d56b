"""The potential: the derivative of the objective in the mass of a particle, and its gradient."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit.measure import split

acts, units, losses, penalties = wl.activations, wl.units, wl.losses, wl.penalties
RNG = np.random.default_rng(0)
X = RNG.normal(size=(11, 2))
Y = np.sign(X[:, 0] + 0.3)
Y2 = np.stack([Y, X[:, 1] ** 2], axis=1)
WEIGHTS = RNG.uniform(0.2, 1.0, size=11)
NUMBERS, VECTORS = wl.data.Samples(X, Y, WEIGHTS), wl.data.Samples(X, Y2, WEIGHTS)
LABELS = wl.data.Samples(X, np.stack([Y, np.sign(X[:, 1])], axis=1), WEIGHTS)
TV = penalties.total_variation(0.3, "output")
CASES = {
    "squared": wl.Problem(units.Neuron(acts.tanh), NUMBERS),
    "squared-1-bare": wl.Problem(units.Neuron(acts.erf, output_weight=False), NUMBERS, losses.squared(1.0)),
    "logistic": wl.Problem(units.Neuron(acts.softplus), NUMBERS, losses.logistic(), penalty=penalties.l2(0.2)),
    "huber": wl.Problem(units.RadialBasis(0.9), NUMBERS, losses.huber(0.4), budget=7),
    "vector": wl.Problem(units.Neuron(acts.tanh), VECTORS, penalty=penalties.l2(0.1, ["weight"]) + TV),
    "power": wl.Problem(units.Neuron(acts.tanh), NUMBERS, scale=wl.scales.Power(0.5, 2.0), penalty=TV),
    "power-logistic-vector": wl.Problem(
        units.Neuron(acts.sigmoid), LABELS, losses.logistic(), scale=wl.scales.Power(0.75)
    ),
}
every = pytest.mark.parametrize("problem", CASES.values(), ids=CASES.keys())


def measures(problem, n=5):
    """A measure of n particles, the last of them without mass, and a function of that mass."""
    rng = np.random.default_rng(n)
    positions = rng.normal(size=(n, problem.dim))
    rest = rng.dirichlet(np.ones(n - 1))
    return lambda mass: wl.Particles(positions, jnp.append(rest, mass), blocks=problem.blocks)


@every
def test_potential_is_the_derivative_in_the_mass(problem):
    at = measures(problem)
    h = 1e-5
    numeric = (problem.objective(at(h)) - problem.objective(at(-h))) / (2 * h)
    rho = at(0.0)
    np.testing.assert_allclose(problem.potential(rho)(rho.positions[-1]), numeric, rtol=1e-8, atol=1e-9)


@every
def test_potential_is_the_derivative_in_every_weight(problem):
    rho = measures(problem)(0.1)

    def objective(w):
        return problem.objective(wl.Particles(rho.positions, w))

    # The rule of `integrate`, seen from outside.
    np.testing.assert_allclose(
        jax.jit(jax.grad(objective))(rho.weights),
        problem.potential(rho)(rho.positions),
        rtol=1e-11,
        atol=1e-13,
    )


@pytest.mark.first(4)
@every
def test_gradient_against_finite_differences(problem):
    psi = problem.potential(measures(problem)(0.1))
    rows = jnp.asarray(np.random.default_rng(9).normal(size=(3, problem.dim)))
    h = 1e-6
    shifts = h * jnp.eye(problem.dim)
    numeric = (psi(rows[:, None] + shifts) - psi(rows[:, None] - shifts)) / (2 * h)
    np.testing.assert_allclose(psi.gradient(rows), numeric, atol=2e-9)


@every
def test_variation_agrees_with_the_potential(problem):
    """On the particles, and at weight zero; the non-smooth penalty is in the potential only."""
    rho = measures(problem)(0.0)
    theta, w = problem.unpack(rho)
    got = eqx.filter_jit(problem.variation)(theta, w, problem.data.nodes)
    smooth = [term for term in penalties.parts(problem.penalty) if term.smooth]
    total = sum(smooth[1:], smooth[0]) if smooth else None
    plain = wl.Problem(problem.unit, problem.data, problem.loss, penalty=total, scale=problem.scale)
    psi = plain.potential(rho)
    np.testing.assert_allclose(got.risk, problem.risk(rho), rtol=1e-12)
    np.testing.assert_allclose(got.psi, psi(rho.positions), rtol=1e-11, atol=1e-14)
    rows = plain.pack(got.gradient, w).positions
    np.testing.assert_allclose(rows, psi.gradient(rho.positions), rtol=1e-10, atol=1e-13)


def test_derivative_of_the_gradient_along_a_motion():
    """d/dt grad psi(theta_i(t); rho(t)): forward mode through `variation`, against differences."""
    problem = CASES["logistic"]
    rho = measures(problem)(0.0)
    motion = jnp.asarray(np.random.default_rng(2).normal(size=rho.positions.shape))

    @jax.jit
    def gradient(positions):
        theta, w = problem.unpack(wl.Particles(positions, rho.weights))
        return problem.pack(problem.variation(theta, w, problem.data.nodes).gradient, w).positions

    _, moved = jax.jvp(gradient, (rho.positions,), (motion,))
    h = 1e-5
    ahead, behind = (
        problem.potential(wl.Particles(p, rho.weights)).gradient(p)
        for p in (rho.positions + h * motion, rho.positions - h * motion)
    )
    np.testing.assert_allclose(moved, (ahead - behind) / (2 * h), atol=1e-8)


def test_closed_form_for_the_squared_loss():
    problem = CASES["squared"]
    rho = measures(problem)(0.1)
    residual = np.asarray(problem.predict(rho, X)) - Y
    rows = np.random.default_rng(4).normal(size=(6, 4))
    phi = rows[:, :1] * np.tanh(rows[:, 1:3] @ X.T + rows[:, 3:])
    np.testing.assert_allclose(problem.potential(rho)(rows), phi @ (WEIGHTS / WEIGHTS.sum() * residual), rtol=1e-12)


@pytest.mark.parametrize("shape", [(), (3,), (2, 1, 2)])
@pytest.mark.parametrize("name", ["squared", "vector"])
def test_any_leading_shape(name, shape):
    problem = CASES[name]
    psi = problem.potential(measures(problem)(0.1))
    theta = np.random.default_rng(1).normal(size=(*shape, problem.dim))
    flat = theta.reshape(-1, problem.dim)
    values, slopes = psi(theta), psi.gradient(theta)
    assert (values.shape, slopes.shape) == (shape, theta.shape)
    np.testing.assert_allclose(np.ravel(values), psi(flat), rtol=1e-12)
    np.testing.assert_allclose(np.reshape(slopes, flat.shape), psi.gradient(flat), rtol=1e-12)


def test_no_queries_give_no_values():
    psi = CASES["squared"].potential(measures(CASES["squared"])(0.1))
    assert psi(np.zeros((0, 4))).shape == (0,)
    assert psi.gradient(np.zeros((0, 4))).shape == (0, 4)


@pytest.mark.parametrize("budget", [1, 100, 1000])
def test_budget_changes_rounding_only(budget):
    whole = CASES["vector"]
    problem = wl.Problem(whole.unit, whole.data, whole.loss, penalty=whole.penalty, budget=budget)
    rho = measures(whole)(0.1)
    theta = np.random.default_rng(1).normal(size=(23, problem.dim))
    psi, expected = problem.potential(rho), whole.potential(rho)
    np.testing.assert_allclose(psi(theta), expected(theta), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(psi.gradient(theta), expected.gradient(theta), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("query", ["values", "gradient"])
def test_a_second_query_compiles_nothing(query, caplog):
    problem = CASES["squared"]
    psi = problem.potential(measures(problem)(0.1))
    ask = psi if query == "values" else psi.gradient
    theta, other = jnp.ones((3, problem.dim)), jnp.zeros((3, problem.dim))
    ask(theta)
    with jax.log_compiles(), caplog.at_level("WARNING"):
        ask(other)
    assert [record.getMessage() for record in caplog.records if "Compiling" in record.getMessage()] == []


def test_inside_a_compiled_function_and_a_further_derivative():
    problem = CASES["squared"]
    psi = problem.potential(measures(problem)(0.1))
    theta = jnp.asarray([0.3, -0.2, 0.5, 0.1])
    hessian = jax.jit(jax.hessian(psi))(theta)
    h = 1e-6
    numeric = [(psi.gradient(theta + h * e) - psi.gradient(theta - h * e)) / (2 * h) for e in jnp.eye(4)]
    np.testing.assert_allclose(hessian, jnp.stack(numeric), atol=1e-8)


def test_precision_is_kept():
    data = wl.data.Samples(X.astype(np.float32), Y.astype(np.float32))
    problem = wl.Problem(units.Neuron(acts.tanh), data, penalty=TV + penalties.l2(0.1))
    rho = wl.Particles(np.ones((3, 4), np.float32))
    psi = problem.potential(rho)
    assert {jax.eval_shape(ask, rho.positions).dtype for ask in (psi, psi.gradient)} == {jnp.dtype("float32")}


@pytest.mark.parametrize("theta", [1.0, np.ones(3), np.ones((4, 5)), np.ones((4, 1))])
def test_refusals(theta):
    psi = CASES["squared"].potential(measures(CASES["squared"])(0.1))
    for ask in (psi, psi.gradient):
        with pytest.raises(ValueError, match=r"theta.*\[\.\.\., 4\]"):
            ask(theta)


def test_power_scale_multiplies_the_data_term():
    mean, power = CASES["squared"], wl.Problem(units.Neuron(acts.tanh), NUMBERS, scale=wl.scales.Power(0.5))
    rho = measures(mean)(0.1)
    factor = math.sqrt(len(rho))
    scaled = wl.Particles(rho.positions, factor * rho.weights)
    np.testing.assert_allclose(power.predict(rho, X), mean.predict(scaled, X), rtol=1e-13)
    theta = rho.positions
    np.testing.assert_allclose(power.potential(rho)(theta), factor * mean.potential(scaled)(theta), rtol=1e-12)


def test_its_gradient_goes_into_jit():
    problem = CASES["squared"]
    psi = problem.potential(measures(problem)(0.1))
    theta = jnp.asarray([[0.3, -0.2, 0.5, 0.1]])
    np.testing.assert_allclose(jax.jit(psi.gradient)(theta), psi.gradient(theta), rtol=1e-12)
    np.testing.assert_allclose(jax.jit(psi.at)(split(problem.blocks, theta[0])), psi(theta)[0], rtol=1e-12)
