"""Expansions of wide residual networks against nested derivatives, closed forms and double sums."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl

acts = wl.activations
L, N, D, Q = 3, 2, 2, 4
RNG = np.random.default_rng(3)
X = RNG.normal(size=(Q, D))
DATA = wl.data.Samples(X, np.tanh(X[:, ::-1]))
R = wl.problems.wide_resnet(DATA, depth=L, activation=acts.tanh)
THETA = RNG.normal(size=(L, N, D, D))
MASS = np.stack([RNG.dirichlet(np.ones(N)) / L for _ in range(L)])
ROWS = np.concatenate([THETA.reshape(L * N, D * D), np.repeat(np.arange(L), N)[:, None]], axis=1)
MEASURE = wl.Particles(ROWS, MASS.ravel(), blocks=R.blocks)


def forward(act, s, theta=THETA, mass=MASS, x=X):
    """X^L of the measure s rho, without the library."""
    state = jnp.asarray(x)
    for level, masses in zip(theta, mass, strict=True):
        state = state + s * jnp.einsum("n,nqi->qi", masses, act(jnp.einsum("nij,qj->nqi", level, state)))
    return state


def coefficients(function, most):
    """Taylor coefficients at s = 0 by derivatives of derivatives."""
    out = []
    for k in range(most + 1):
        out.append(np.asarray(function(0.0)) / math.factorial(k))
        function = functools.partial(lambda f, s: jax.jvp(f, (s,), (1.0,))[1], function)
    return out


@pytest.mark.first(1)
@pytest.mark.parametrize("name", ["tanh", "arctan", "erf", "quadratic", "identity"])
def test_terms_are_the_derivatives_in_s(name):
    plain = {"tanh": jnp.tanh, "arctan": jnp.arctan, "erf": jax.scipy.special.erf, "quadratic": jnp.square}
    act = plain.get(name, lambda z: z)
    network = wl.networks.Expansion(getattr(acts, name), L, 4)
    found = network.terms(*R.unpack(MEASURE), jnp.asarray(X))
    np.testing.assert_allclose(found, coefficients(lambda s: forward(act, s), 4), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_the_problem_predicts_the_partial_sum(order):
    small = R.expansion(order=order)
    wanted = sum(coefficients(lambda s: forward(jnp.tanh, s), order))
    np.testing.assert_allclose(small.predict(MEASURE, X), wanted, rtol=1e-12, atol=1e-14)
    risk = 0.5 * np.mean(np.sum((wanted - np.asarray(DATA.y)) ** 2, axis=1))
    assert float(small.risk(MEASURE)) == pytest.approx(risk, rel=1e-12, abs=0.0)


def pairs(inside):
    """c_2 of (9) in loops: pairs of levels b > a once, of one level `inside` times."""
    out = np.zeros((Q, D))
    for b in range(L):
        for a in range(b + 1):
            for m, later in zip(MASS[b], THETA[b], strict=True):
                for n, earlier in zip(MASS[a], THETA[a], strict=True):
                    slope = 1.0 - np.tanh(X @ later.T) ** 2
                    term = m * n * slope * (np.tanh(X @ earlier.T) @ later.T)
                    out += term if a < b else inside * term
    return out


def test_the_second_term_is_the_double_sum():
    """With 1/L^2 in the masses; at L = infinity pairs of one level count 1/2 (NOTATION)."""
    theta, w = R.unpack(MEASURE)
    for continuous, inside in ((False, 0.0), (True, 0.5)):
        network = wl.networks.Expansion(acts.tanh, L, 2, continuous=continuous)
        found = network.terms(theta, w, jnp.asarray(X))
        np.testing.assert_allclose(found[2], pairs(inside), rtol=1e-12, atol=1e-14)


@pytest.mark.slow
def test_at_infinite_depth_one_atom_is_known_in_closed_form():
    """tanh, d = 1: X(s) = asinh(exp(theta s) sinh(theta x))/theta (NOTATION), whatever L."""
    t, x = 0.8, np.array([[0.7], [-1.1]])
    r = wl.problems.wide_resnet(wl.data.Samples(x, x), depth=3, activation=acts.tanh)
    measure = r.start(wl.laws.Atom(t), width=1)
    network = wl.networks.Expansion(acts.tanh, 3, 6, continuous=True)
    found = network.terms(*r.unpack(measure), jnp.asarray(x))
    wanted = coefficients(lambda s: jnp.arcsinh(jnp.exp(t * s) * jnp.sinh(t * jnp.asarray(x))) / t, 6)
    np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-13)


@pytest.mark.first(1)
@pytest.mark.parametrize(
    ("order", "continuous"),
    [(1, False), (3, True), *(pytest.param(*case, marks=pytest.mark.slow) for case in ((3, False), (1, True)))],
)
def test_psi_and_grad_psi(order, continuous):
    """Derivatives in mass and position by differences; the potential off the particles by psi on them."""
    small = R.expansion(order=order, continuous=continuous)
    found = small.variation(*small.unpack(MEASURE))
    h, mass = 1e-5, MASS.ravel()

    @jax.jit
    def risk(rows, masses):
        return small.risk(wl.Particles(rows, masses, blocks=small.blocks))

    for i in (0, 3, 5):
        step = h * np.eye(L * N)[i]
        assert float(found.psi[i]) == pytest.approx(
            float(risk(ROWS, mass + step) - risk(ROWS, mass - step)) / (2.0 * h), rel=1e-7, abs=1e-9
        )
        step = np.zeros(ROWS.shape)
        step[i, 1] = h
        assert mass[i] * float(found.gradient.theta[i, 0, 1]) == pytest.approx(
            float(risk(ROWS + step, mass) - risk(ROWS - step, mass)) / (2.0 * h), rel=1e-6, abs=1e-9
        )
    np.testing.assert_allclose(small.potential(MEASURE)(ROWS), found.psi, rtol=1e-11, atol=1e-14)


@pytest.mark.slow
def test_it_trains_and_approaches_the_network():
    start = R.start(wl.laws.Normal(0.0, 0.3, dim=D * D), width=N, key=jax.random.key(0))
    errors = [float(jnp.max(jnp.abs(R.expansion(order=k).predict(start, X) - R.predict(start, X)))) for k in (1, 2, 4)]
    assert errors[0] > 4.0 * errors[1] > 16.0 * errors[2]
    run = wl.evolve(R.expansion(order=2), start, wl.GradientFlow(), t1=3.0)
    assert np.all(np.diff(run.risk) < 0)
    assert run.risk[-1] < 0.9 * run.risk[0]


@pytest.mark.slow
def test_the_radius_of_a_pole_and_of_a_square_root():
    """Two levels, d = 1, one atom: tanh(t (x + s tanh(t x)/2)) has its pole at |t (x + s u/2)| = pi/2 i. At infinite
    depth X(s) branches where exp(t s) sinh(t x) = +-i."""
    t, x = 1.0, 0.9
    data = wl.data.Samples(np.array([[x]]), np.array([[0.0]]))
    r = wl.problems.wide_resnet(data, depth=2, activation=acts.tanh)
    measure = r.start(wl.laws.Atom(t), width=1)
    pole = abs(2.0 * (0.5j * math.pi / t - x) / math.tanh(t * x))
    found = r.expansion(order=1).radius(measure, terms=30)
    # A complex pair of poles: the sizes oscillate about the line.
    assert found.pole == pytest.approx(pole, rel=0.05, abs=0.0)
    assert found.used == tuple(range(15, 31))
    branch = abs((0.5j * math.pi - math.log(math.sinh(t * x))) / t)
    deep = r.expansion(order=1, continuous=True).radius(measure, terms=24)
    assert deep.branch == pytest.approx(branch, rel=0.05, abs=0.0)


def test_the_sizes_behind_a_radius():
    found = R.expansion(order=1).radius(MEASURE, terms=6)
    wanted = [np.sqrt(np.mean(np.sum(c**2, axis=1))) for c in coefficients(lambda s: forward(jnp.tanh, s), 4)[1:]]
    np.testing.assert_allclose(found.coefficients[:4], wanted, rtol=1e-11)
    logs = np.log(found.coefficients[2:])
    assert found.pole == pytest.approx(np.exp(-np.polyfit([3, 4, 5, 6], logs, 1)[0]), rel=1e-12, abs=0.0)


def test_infinite_radii():
    flat = wl.problems.wide_resnet(DATA, depth=1, activation=acts.tanh)
    one = wl.Particles(np.column_stack([ROWS[:N, :-1], np.zeros(N)]))
    assert flat.expansion(order=1).radius(one, terms=6).pole == math.inf
    linear = wl.problems.wide_resnet(DATA, depth=L, activation=acts.identity)
    found = linear.expansion(order=1).radius(MEASURE, terms=6)
    assert found.branch == math.inf
    assert "entire" in found.reason


def _shifted(z):
    """softplus(z) - log 2, whose derivative JAX has by a rule of its own."""
    return jax.nn.softplus(z) - jnp.log(2.0)


def other(activation):
    return wl.problems.wide_resnet(DATA, depth=L, activation=activation)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: other(acts.sigmoid).expansion(order=2), r"'sigmoid' is 0\.5 at 0"),
        (lambda: other(acts.softplus).expansion(order=2), r"'softplus' is 0\.693 at 0"),
        (
            lambda: other(acts.Activation(_shifted, "own")).expansion(order=2),
            "'own' has no rule for Taylor series: its",
        ),
        (lambda: other(acts.relu).expansion(order=2), "'relu' has kinks"),
        (lambda: other(acts.Activation(jnp.arctan, "atan")).expansion(order=2), "'atan' has no rule for Taylor series"),
        (lambda: R.expansion(order=0), r"order=.*from 1"),
        (lambda: R.expansion(order=2).radius(MEASURE, terms=2), r"terms=.*at least 6|terms=.*from 6"),
        (lambda: wl.Problem(wl.units.ResNetBranch(2, acts.tanh), DATA).expansion(order=1), "TwoLayer has none"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
