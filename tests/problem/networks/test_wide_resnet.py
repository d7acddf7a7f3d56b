"""Wide residual networks against loops over levels and particles in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl

acts, laws = wl.activations, wl.laws
L, N, D, Q = 3, 4, 2, 5
RNG = np.random.default_rng(0)
X = RNG.normal(size=(Q, D))
DATA = wl.data.Samples(X, np.tanh(X[:, ::-1]), RNG.uniform(0.5, 1.0, size=Q))
DEEP = wl.problems.wide_resnet(DATA, depth=L, activation=acts.tanh)
THETA = RNG.normal(size=(L, N, D, D))
# One particle of each level has no mass: its psi and grad psi are there all the same.
MASS = np.stack([np.append(RNG.dirichlet(np.ones(N - 1)), 0.0) / L for _ in range(L)])
ROWS = np.concatenate([THETA.reshape(L * N, D * D), np.repeat(np.arange(L), N)[:, None]], axis=1)
MEASURE = wl.Particles(ROWS, MASS.ravel(), blocks=DEEP.blocks)
MU = np.asarray(DATA.weights)


def states(theta, mass, x):
    """X^0, ..., X^L of one input, particle by particle."""
    out = [np.array(x)]
    for level, masses in zip(theta, mass, strict=True):
        state = out[-1].copy()
        for one, m in zip(level, masses, strict=True):
            state = state + m * np.tanh(one @ out[-1])
        out.append(state)
    return out


def risk(theta, mass):
    return sum(
        m * 0.5 * np.sum((states(theta, mass, x)[-1] - y) ** 2)
        for m, x, y in zip(MU, X, np.asarray(DATA.y), strict=True)
    )


def backward(theta, mass):
    """psi [L, N] and grad psi [L, N, d, d] by the backward equation of NOTATION, in loops."""
    psi, slope = np.zeros(mass.shape), np.zeros(theta.shape)
    for m, x, y in zip(MU, X, np.asarray(DATA.y), strict=True):
        at = states(theta, mass, x)
        p = at[-1] - y
        for level in reversed(range(len(theta))):
            before = p.copy()
            for i, one in enumerate(theta[level]):
                s = np.tanh(one @ at[level])
                psi[level, i] += m * p @ s
                slope[level, i] += m * np.outer((1.0 - s**2) * p, at[level])
                before = before + mass[level, i] * one.T @ ((1.0 - s**2) * p)
            p = before
    return psi, slope


def fields(problem, measure):
    """psi [L, N], grad psi in theta [L, N, d, d] and in the level."""
    found = problem.variation(*problem.unpack(measure))
    return (
        found.psi.reshape(L, N),
        found.gradient.theta.reshape(L, N, D, D),
        np.asarray(found.gradient.depth),
    )


def test_the_network_is_a_loop_over_levels_and_particles():
    np.testing.assert_allclose(DEEP.predict(MEASURE, X), [states(THETA, MASS, x)[-1] for x in X], rtol=1e-13)
    np.testing.assert_allclose(DEEP.predict(MEASURE, X[0]), states(THETA, MASS, X[0])[-1], rtol=1e-13)
    assert float(DEEP.risk(MEASURE)) == pytest.approx(risk(THETA, MASS), rel=1e-13, abs=0.0)


def test_psi_is_the_backward_equation():
    psi, slope, level = fields(DEEP, MEASURE)
    by_hand = backward(THETA, MASS)
    np.testing.assert_allclose(psi, by_hand[0], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(slope, by_hand[1], rtol=1e-12, atol=1e-15)
    assert np.all(level == 0.0)
    assert np.all(np.abs(np.asarray(psi)[:, -1]) > 1e-4)


def test_psi_is_the_derivative_in_the_mass_and_grad_psi_that_in_the_position_over_it():
    psi, slope = backward(THETA, MASS)
    h = 1e-5
    for level, i in ((0, 0), (1, 2), (2, N - 1)):
        step = np.zeros(MASS.shape)
        step[level, i] = h
        found = (risk(THETA, MASS + step) - risk(THETA, MASS - step)) / (2.0 * h)
        assert psi[level, i] == pytest.approx(found, rel=1e-7, abs=1e-9)
        step = np.zeros(THETA.shape)
        step[level, i, 0, 1] = h
        found = (risk(THETA + step, MASS) - risk(THETA - step, MASS)) / (2.0 * h)
        assert MASS[level, i] * slope[level, i, 0, 1] == pytest.approx(found, rel=1e-6, abs=1e-9)


def test_the_risk_has_its_usual_derivatives_and_grad_psi_those_along_a_motion():
    def rows_risk(rows):
        return DEEP.risk(wl.Particles(rows, MASS.ravel(), blocks=DEEP.blocks))

    slope = backward(THETA, MASS)[1].reshape(L * N, -1)
    found = jax.grad(rows_risk)(jnp.asarray(ROWS))
    np.testing.assert_allclose(found[:, :-1], MASS.reshape(-1, 1) * slope, rtol=1e-11, atol=1e-14)

    theta, w = DEEP.unpack(MEASURE)
    motion = jnp.asarray(RNG.normal(size=theta.theta.shape))

    def gradient(matrices):
        return DEEP.variation(theta._replace(theta=matrices), w).gradient.theta

    tangent = np.asarray(jax.jvp(gradient, (theta.theta,), (motion,))[1]).reshape(THETA.shape)
    step = 1e-5 * np.asarray(motion).reshape(THETA.shape)
    by_hand = (backward(THETA + step, MASS)[1] - backward(THETA - step, MASS)[1]) / 2e-5
    np.testing.assert_allclose(tangent, by_hand, rtol=1e-6, atol=1e-8)


def test_the_potential_of_any_particle():
    """On the particles psi itself; off them the derivative in the mass of another particle; between levels none."""
    potential = DEEP.potential(MEASURE)
    np.testing.assert_allclose(potential(ROWS), backward(THETA, MASS)[0].ravel(), rtol=1e-12, atol=1e-15)
    slopes = np.asarray(potential.gradient(ROWS))
    np.testing.assert_allclose(slopes[:, :-1], backward(THETA, MASS)[1].reshape(L * N, -1), rtol=1e-12, atol=1e-15)
    assert np.all(slopes[:, -1] == 0.0)
    outside = np.concatenate([RNG.normal(size=(2, D * D)), [[0.5], [3.0]]], axis=1)
    assert np.all(np.isnan(potential(outside)))


def test_pieces_scales_and_float32():
    """In pieces of one input the same numbers; another output scale multiplies f; 6 digits in float32."""
    pieces = wl.problems.wide_resnet(DATA, depth=L, activation=acts.tanh, budget=2 * L * N * D)
    for a, b in zip(fields(DEEP, MEASURE), fields(pieces, MEASURE), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(pieces.potential(MEASURE)(ROWS), DEEP.potential(MEASURE)(ROWS), rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(pieces.predict(MEASURE, X), DEEP.predict(MEASURE, X), rtol=1e-13)
    small = wl.Particles(ROWS.astype(np.float32), MASS.ravel().astype(np.float32), blocks=DEEP.blocks)
    np.testing.assert_allclose(DEEP.predict(small, X), DEEP.predict(MEASURE, X), rtol=2e-6)


def test_rows_come_in_any_order_of_their_levels():
    order = RNG.permutation(L * N)
    mixed = wl.Particles(ROWS[order], MASS.ravel()[order])
    same = DEEP.arranged(mixed)
    np.testing.assert_array_equal(same.positions[:, -1], ROWS[:, -1])
    np.testing.assert_allclose(DEEP.predict(mixed, X), DEEP.predict(MEASURE, X), rtol=1e-13)
    np.testing.assert_allclose(jax.jit(DEEP.predict)(mixed, X), DEEP.predict(MEASURE, X), rtol=1e-13)
    # Nothing can be raised in compiled code: there it is no number.
    rows = ROWS.copy()
    rows[0, -1] = 1.0
    assert np.all(np.isnan(jax.jit(DEEP.predict)(wl.Particles(rows, MASS.ravel()), X)))


@pytest.mark.first(1)
@pytest.mark.parametrize(
    ("dynamics", "limit"),
    [
        (wl.GradientFlow(), 0.8),
        (wl.SGD(step=0.05, sampling=wl.sampling.Full()), 0.8),
        (wl.SGD(step=0.05, batch=2, dtype=jnp.float32), 0.9),
        (wl.SGD(step=0.05, batch=2, temperature=0.001), 0.9),
    ],
    ids=["flow", "sgd", "sgd32", "noisy"],
)
def test_it_trains_and_levels_stay(dynamics, limit):
    start = DEEP.start(laws.Normal(0.0, 0.5, dim=D * D), width=N, key=jax.random.key(0))
    run = wl.evolve(DEEP, start, dynamics, t1=5.0, save_at=np.linspace(0.0, 5.0, 6), key=jax.random.key(1))
    assert run.risk[-1] < limit * run.risk[0]
    np.testing.assert_array_equal(np.asarray(run.positions)[..., -1], np.tile(ROWS[:, -1], (6, 1)))
    if dynamics.facts(DEEP).decreases:
        assert np.all(np.diff(run.risk) < 0)
    assert not dynamics.facts(DEEP).permutes
    assert not dynamics.facts(DEEP).splits


def test_a_step_of_sgd_is_gradient_descent_on_the_network():
    """theta - a dE/dtheta with E of L N parameters of weight 1/(L N): SGD(step=a/(L N)), by loops."""
    even = np.full((L, N), 1.0 / (L * N))
    start = wl.Particles(ROWS, even.ravel(), blocks=DEEP.blocks)
    a = 0.6
    step = a / (L * N)
    run = wl.evolve(DEEP, start, wl.SGD(step=step, sampling=wl.sampling.Full()), t1=step, key=jax.random.key(0))
    gradient = backward(THETA, even)[1] / (L * N)
    np.testing.assert_allclose(DEEP.unpack(run.final)[0].theta, (THETA - a * gradient).reshape(-1, D, D), rtol=1e-12)


def test_starts():
    """Independent rows on each level with a key; atoms need none; particles of one level stand on each."""
    drawn = DEEP.start(laws.Normal(0.0, 0.5, dim=D * D), width=N, key=jax.random.key(0))
    assert drawn["depth"].tolist() == ROWS[:, -1].tolist()
    assert len(np.unique(drawn["theta"][:, 0, 0])) == L * N
    point = np.arange(4.0)
    atoms = DEEP.start(laws.Atom(point), width=2)
    np.testing.assert_array_equal(atoms["theta"], np.tile(point.reshape(2, 2), (2 * L, 1, 1)))
    np.testing.assert_allclose(atoms.weights, 1.0 / (2 * L))
    same = DEEP.start(wl.Particles(THETA[0].reshape(N, -1)), width=N)
    np.testing.assert_array_equal(same["theta"], np.tile(THETA[0], (L, 1, 1)))
    np.testing.assert_array_equal(DEEP.start(MEASURE, width=N).positions, ROWS)


def test_one_level_is_a_two_layer_mean_with_a_skip():
    """X^1 = x + INT sigma(theta x) d rho, against the units of a problem of its own."""
    flat = wl.problems.wide_resnet(wl.data.Samples(X, DATA.y - X), depth=1, activation=acts.tanh)
    block = wl.units.Function(lambda theta, x: jnp.tanh(theta.m @ x), columns={"m": (D, D)})
    mean = wl.Problem(block, wl.data.Samples(X, DATA.y - X))
    rows, w = ROWS[:N], L * MASS[0]
    found = flat.predict(wl.Particles(np.column_stack([rows[:, :-1], np.zeros(N)]), w), X)
    np.testing.assert_allclose(found, X + mean.predict(wl.Particles(rows[:, :-1], w), X), rtol=1e-13)


def test_a_branch_is_the_vanilla_network():
    """The ensemble's unit is the wide network with one particle a level; its mean is an ordinary problem."""
    branch = wl.Problem(wl.units.ResNetBranch(L, acts.tanh), DATA)
    assert branch.blocks == (wl.measure.Block("theta", (L, D, D)),)
    vanilla = DEEP.start(wl.Particles(ROWS[::N], np.full(L, 1.0 / L)), width=1)
    one = wl.Particles(THETA[:, :1].reshape(1, -1))
    np.testing.assert_allclose(branch.predict(one, X), DEEP.predict(vanilla, X), rtol=1e-13)
    two = wl.Particles(np.stack([THETA[:, 0].ravel(), THETA[:, 1].ravel()]), [0.3, 0.7])
    each = [[states(THETA[:, [i]], np.full((L, 1), 1.0 / L), x)[-1] for x in X] for i in (0, 1)]
    np.testing.assert_allclose(branch.predict(two, X), 0.3 * np.array(each[0]) + 0.7 * np.array(each[1]), rtol=1e-13)
    run = wl.evolve(branch, two, wl.GradientFlow(), t1=2.0)
    assert run.risk[-1] < run.risk[0]


def test_checkpoint_report_and_what_needs_a_two_layer_mean(tmp_path):
    start = DEEP.start(laws.Normal(0.0, 0.5, dim=D * D), width=N, key=jax.random.key(0))
    run = wl.evolve(DEEP, start, wl.GradientFlow(), t1=1.0, checkpoint=tmp_path / "run")
    again = wl.evolve(DEEP, start, wl.GradientFlow(), t1=1.0, checkpoint=tmp_path / "run")
    np.testing.assert_array_equal(run.positions, again.positions)
    page = tmp_path / "run.html"
    wl.report.compare(network=run).save(page)
    assert page.stat().st_size > 0
    for call in (
        lambda: DEEP.unit,
        lambda: wl.kernels.tangent_kernel(DEEP, MEASURE, X),
        lambda: wl.analysis.optimality_gap(DEEP, MEASURE),
        lambda: wl.analysis.fluctuations(DEEP, MEASURE, t1=1.0),
        lambda: wl.minimise(DEEP),
        lambda: wl.evolve(DEEP, start, wl.TangentFlow(), t1=1.0),
        DEEP.reduced,
    ):
        with pytest.raises(ValueError, match="two-layer mean"):
            call()


def measure(depths, weights=None):
    return wl.Particles(np.column_stack([np.ones((len(depths), D * D)), depths]), weights)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wl.networks.WideResNet(acts.tanh, 0), r"depth=.*at least 1"),
        (lambda: wl.units.ResNetBranch(0, acts.tanh), r"depth=.*at least 1"),
        (lambda: wl.networks.WideResNet(3.0, 2), "expected an activation"),
        (lambda: wl.problems.wide_resnet(wl.data.Samples(X, X[:, 0]), depth=2, activation=acts.tanh), "of one size"),
        (lambda: wl.Problem(wl.units.ResNetBranch(2, acts.tanh), wl.data.Samples(X, X[:, :1])), "of one size"),
        (lambda: DEEP.predict(measure([0, 0, 1, 1, 2]), X), "as many particles on each"),
        (lambda: DEEP.predict(measure([0, 1, 3]), X), "last column is the level"),
        (lambda: DEEP.predict(measure([0, 1, 1.5]), X), "last column is the level"),
        (lambda: jax.jit(DEEP.predict)(measure([0, 1, 2, 2]), X), "not equally many"),
        (lambda: DEEP.start(laws.Normal(0.0, 1.0, dim=3), width=2, key=jax.random.key(0)), "has 4, the rows"),
        (lambda: DEEP.start(laws.Normal(0.0, 1.0, dim=4), width=2), "sampled with a key"),
        (lambda: DEEP.start(MEASURE, width=N + 1), "on each of 3 levels"),
        (lambda: wl.evolve(DEEP, measure([0, 1, 2], [0.5, 0.25, 0.25]), wl.GradientFlow(), t1=1.0), "mass 1/3"),
        (lambda: wl.evolve(DEEP, measure([0, 1, 2], [0.5, 0.5, 0.5]), wl.GradientFlow(), t1=1.0), "sum to 1"),
        (
            lambda: wl.problems.wide_resnet(
                DATA, depth=2, activation=acts.tanh, domain=wl.domains.Ball(1.0, np.zeros(4))
            ),
            r"'theta'.*shape \(4,\), the block has shape \(2, 2\)",
        ),
        (lambda: wl.evolve(DEEP, laws.Normal(0.0, 1.0, dim=5), wl.Characteristics(4), t1=1.0), "has no levels"),
        (
            lambda: wl.evolve(DEEP, MEASURE, wl.GradientFlow(trainable="depth"), t1=1.0),
            "no block 'depth'; it has theta",
        ),
        (
            lambda: wl.problems.wide_resnet(DATA, depth=2, activation=acts.tanh, domain=wl.domains.Sphere()),
            "needs a vector block",
        ),
        (
            lambda: wl.problems.wide_resnet(
                DATA, depth=2, activation=acts.tanh, domain=wl.domains.product(depth=wl.domains.Box(0, 1))
            ),
            "no block 'depth'",
        ),
        (
            lambda: wl.problems.wide_resnet(DATA, depth=2, activation=acts.tanh, penalty=wl.penalties.l2(0.1)),
            "not penalised",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_walls_and_penalties_of_the_matrices():
    """A box holds the matrices and not the levels; a penalty of the matrices leaves the levels alone."""
    walled = wl.problems.wide_resnet(
        DATA,
        depth=L,
        activation=acts.tanh,
        domain=wl.domains.Box(-0.5, 0.5),
        penalty=wl.penalties.l2(0.1, "theta"),
    )
    start = walled.start(laws.Uniform(-0.5, 0.5, dim=4), width=N, key=jax.random.key(0))
    run = wl.evolve(walled, start, wl.GradientFlow(), t1=3.0)
    assert np.max(np.abs(DEEP.unpack(run.final)[0].theta)) <= 0.5
    assert np.all(DEEP.unpack(run.final)[0].depth == ROWS[:, -1])
    assert run.objective[-1] < run.objective[0]
