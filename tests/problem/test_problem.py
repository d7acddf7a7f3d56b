"""The problem: risks against plain numpy, symmetries, memory, fresh samples, what it refuses."""

import copy
import pickle
import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import widelimit as wl
from widelimit.measure import Block, split

acts, units, losses, penalties, domains = wl.activations, wl.units, wl.losses, wl.penalties, wl.domains
RNG = np.random.default_rng(1)
X = RNG.normal(size=(13, 2))
Y = np.sign(X[:, 0] + 0.3)
Y2 = np.stack([Y, X[:, 1] ** 2], axis=1)
MU = RNG.uniform(0.2, 1.0, size=13)
NUMBERS, VECTORS = wl.data.Samples(X, Y, MU), wl.data.Samples(X, Y2, MU)
LABELS = wl.data.Samples(X, np.stack([Y, np.sign(X[:, 1])], axis=1), MU)
NEURON = units.Neuron(acts.tanh)


def plain_neurons(rows, w, x, outputs):
    """f in numpy."""
    size = int(np.prod(outputs))
    heads = rows[:, :size].reshape(-1, *outputs)
    return np.tensordot(np.tanh(x @ rows[:, size : size + 2].T + rows[:, -1]) * w, heads, axes=1)


def network(problem, n, seed=0):
    rng = np.random.default_rng(seed)
    return wl.Particles(rng.normal(size=(n, problem.dim)), rng.dirichlet(np.ones(n)))


def variation(problem, rho):
    """`Problem.variation`, compiled as in a dynamics."""
    return eqx.filter_jit(problem.variation)(*problem.unpack(rho), problem.data.nodes)


LOSSES = {
    "squared": (losses.squared(), lambda f, y: (f - y) ** 2 / 2),
    "squared-1": (losses.squared(1.0), lambda f, y: (f - y) ** 2),
    "logistic": (losses.logistic(), lambda f, y: np.logaddexp(0, -y * f)),
    "huber": (
        losses.huber(0.5),
        lambda f, y: np.where(abs(f - y) < 0.5, (f - y) ** 2 / 2, 0.5 * (abs(f - y) - 0.25)),
    ),
}


@pytest.mark.parametrize("data", [NUMBERS, LABELS], ids=["number", "vector"])
@pytest.mark.parametrize(("loss", "closed"), LOSSES.values(), ids=LOSSES.keys())
def test_risk_and_objective_in_numpy(data, loss, closed):
    problem = wl.Problem(NEURON, data, loss, penalty=penalties.l2(0.3))
    rho = network(problem, 6)
    rows, w, y = (np.asarray(a) for a in (rho.positions, rho.weights, data.nodes.y))
    f = plain_neurons(rows, w, X, data.outputs)
    np.testing.assert_allclose(problem.predict(rho, X), f, rtol=1e-12, atol=1e-14)
    risk = MU / MU.sum() @ closed(f, y).reshape(13, -1).sum(axis=1)
    penalty = 0.3 * w @ np.sum(rows**2, axis=1)
    np.testing.assert_allclose(problem.risk(rho), risk, rtol=1e-12)
    np.testing.assert_allclose(problem.penalty_of(rho), penalty, rtol=1e-12)
    np.testing.assert_allclose(problem.objective(rho), risk + penalty, rtol=1e-12)


def test_without_a_penalty_the_objective_is_the_risk():
    problem = wl.Problem(NEURON, NUMBERS)
    rho = network(problem, 6)
    assert float(problem.penalty_of(rho)) == 0.0
    assert float(problem.objective(rho)) == float(problem.risk(rho))


@eqx.filter_jit
def everything(problem, rho):
    return problem.risk(rho), problem.objective(rho), problem.predict(rho, X), variation(problem, rho)


@pytest.mark.parametrize("budget", [1, 7, 1000])
def test_the_memory_budget_changes_rounding_only(budget):
    # Three particles: pieces of one sample, of two (with a filled row), and the whole.
    parts = dict(penalty=penalties.l2(0.1), scale=wl.scales.Power(0.5))
    rho = network(wl.Problem(NEURON, VECTORS), 3)
    got, expected = (
        everything(wl.Problem(NEURON, LABELS, losses.logistic(), budget=allowed, **parts), rho)
        for allowed in (budget, None)
    )
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-14)


SYMMETRIC = wl.Problem(NEURON, LABELS, losses.logistic(), penalty=penalties.l2(0.2), budget=40)


@settings(max_examples=10)
@given(order=st.permutations(range(6)))
def test_the_order_of_the_particles_means_nothing(order):
    rho = network(SYMMETRIC, 6)
    mixed = wl.Particles(rho.positions[jnp.asarray(order)], rho.weights[jnp.asarray(order)])
    np.testing.assert_allclose(SYMMETRIC.objective(mixed), SYMMETRIC.objective(rho), rtol=1e-13)


@settings(max_examples=10)
@given(which=st.integers(0, 5), part=st.floats(0, 1))
def test_a_particle_split_in_two_means_nothing(which, part):
    rho = network(SYMMETRIC, 6)
    w = rho.weights.at[which].multiply(part)
    halves = wl.Particles(
        jnp.concatenate([rho.positions, rho.positions[which][None]]),
        jnp.append(w, (1 - part) * rho.weights[which]),
    )
    np.testing.assert_allclose(SYMMETRIC.objective(halves), SYMMETRIC.objective(rho), rtol=1e-12)
    theta = rho.positions
    np.testing.assert_allclose(
        SYMMETRIC.potential(halves)(theta), SYMMETRIC.potential(rho)(theta), rtol=1e-11, atol=1e-14
    )


def test_a_sample_split_in_two_means_nothing():
    problem = wl.Problem(NEURON, NUMBERS)
    x, y = np.concatenate([X, X[:1]]), np.concatenate([Y, Y[:1]])
    mu = np.append(MU, 0.3 * MU[0])
    mu[0] *= 0.7
    rho = network(problem, 6)
    halves = wl.Problem(NEURON, wl.data.Samples(x, y, mu))
    np.testing.assert_allclose(halves.risk(rho), problem.risk(rho), rtol=1e-13)


# Memory


EVERY = ["risk", "variation", "predict", "potential", "gradient", "jax.grad(risk)"]
MEMORY = [(NEURON, what) for what in EVERY] + [(units.RadialBasis(1.0), "variation")]


@pytest.mark.parametrize(("unit", "what"), MEMORY)
def test_no_table_of_all_particles_and_all_data(unit, what):
    n = 3000
    x = np.random.default_rng(0).normal(size=(n, 8))
    problem = wl.Problem(unit, wl.data.Samples(x, x[:, 0]))
    positions = np.random.default_rng(1).normal(size=(n, problem.dim))

    def risk(rows):
        return problem.risk(wl.Particles(rows))

    functions = {
        "risk": risk,
        "variation": lambda rows: variation(problem, wl.Particles(rows)),
        "predict": lambda rows: problem.predict(wl.Particles(rows), x),
        "potential": lambda rows: problem.potential(wl.Particles(rows))(rows),
        "gradient": lambda rows: problem.potential(wl.Particles(rows)).gradient(rows),
        "jax.grad(risk)": jax.grad(risk),
    }
    memory = jax.jit(functions[what]).lower(positions).compile().memory_analysis()
    if memory is None:
        pytest.skip("this backend does not report memory")
    # The table of 3000 x 3000 doubles has 72 MB. The budget of 2^18 entries (2^26 on an accelerator) is 2 MB
    # here; a step holds a few tables of that size.
    assert memory.temp_size_in_bytes < 6 * 8 * 2**18


def test_the_budget_counts_the_components_of_a_vector_output():
    """A unit without a linear block has a table of particles x data x components."""

    def phi(theta, x):
        return jnp.tanh(theta.c * jnp.dot(theta.w, x))

    n, outputs = 1500, 16
    x = np.random.default_rng(0).normal(size=(n, 2))
    unit = units.Function(phi, columns={"c": (outputs,), "w": (2,)})
    problem = wl.Problem(unit, wl.data.Samples(x, np.ones((n, outputs))))
    positions = np.random.default_rng(1).normal(size=(n, problem.dim))

    memory = jax.jit(lambda rows: variation(problem, wl.Particles(rows))).lower(positions).compile().memory_analysis()
    if memory is None:
        pytest.skip("this backend does not report memory")
    assert memory.temp_size_in_bytes < 6 * 8 * 2**18


# Prediction


@pytest.mark.parametrize("data", [NUMBERS, VECTORS], ids=["number", "vector"])
def test_shapes_of_a_prediction(data):
    problem = wl.Problem(NEURON, data)
    rho = network(problem, 3)
    assert problem.predict(rho, X).shape == (13, *data.outputs)
    assert problem.predict(rho, X[:1]).shape == (1, *data.outputs)
    assert problem.predict(rho, X[0]).shape == data.outputs
    np.testing.assert_allclose(problem.predict(rho, X)[4], problem.predict(rho, X[4]), rtol=1e-13)


def test_shapes_of_a_prediction_with_one_input():
    problem = wl.Problem(units.FreeKnot(), wl.data.Samples(X[:, 0], Y))
    rho = network(problem, 3)
    assert problem.predict(rho, X[:, 0]).shape == (13,)
    assert problem.predict(rho, X[:, :1]).shape == (13,)
    assert problem.predict(rho, X[0, :1]).shape == ()


@pytest.mark.parametrize("x", [np.ones((3, 3)), np.ones(3), np.ones((2, 2, 2)), 1.0, "ab", [[1.0, 2.0], [3.0]]])
def test_predict_refuses(x):
    problem = wl.Problem(NEURON, NUMBERS)
    with pytest.raises(ValueError, match=r"predict\(x="):
        problem.predict(network(problem, 3), x)


# Output scale


def test_power_scale():
    for exponent, factor in ((1.0, 1.0), (0.5, 3.0), (0.0, 9.0)):
        problem = wl.Problem(NEURON, NUMBERS, scale=wl.scales.Power(exponent, 1.0))
        rho = network(problem, 9)
        mean = wl.Problem(NEURON, NUMBERS).predict(rho, X)
        np.testing.assert_allclose(problem.predict(rho, X), factor * mean, rtol=1e-13)
    assert wl.scales.Power(0.5, 4.0).factor(16) == 1.0


@pytest.mark.parametrize("arguments", [(0.5, 0.0), (0.5, -1.0), (0.5, np.nan), (0.5, np.inf), (np.nan,), (np.inf,)])
def test_power_scale_refuses(arguments):
    with pytest.raises(ValueError, match=r"Power\((scale|exponent)"):
        wl.scales.Power(*arguments)


# Fresh samples

CLASSES = wl.data.GaussianClasses(1.44, 0.64, dim=2)


def test_data_without_nodes_refuses_and_says_how_to_freeze():
    problem = wl.Problem(NEURON, CLASSES)
    rho = network(problem, 3)
    for name in ("risk", "potential", "objective"):
        with pytest.raises(ValueError, match=r"nodes.*fresh samples.*data\.freeze\("):
            getattr(problem, name)(rho)
    frozen = wl.Problem(NEURON, CLASSES.freeze(50, key=jax.random.key(0)))
    assert np.isfinite(frozen.risk(rho))
    assert problem.predict(rho, X).shape == (13,)


def test_estimate_covers_the_risk():
    """y = 0, bare neurons phi = cos(w.x): E f^2 has a closed form under normal inputs."""
    unit = units.Neuron(jnp.cos, bias=False, output_weight=False)
    problem = wl.Problem(unit, wl.data.FromLaw(wl.laws.Normal(0.0, 1.0, dim=2), lambda x: 0.0 * x[0]))
    rho = network(problem, 4)
    rows, w = np.asarray(rho.positions), np.asarray(rho.weights)

    def mean_cosine(v):
        return np.exp(-np.sum(v**2, axis=-1) / 2)

    pairs = mean_cosine(rows[:, None] + rows[None]) + mean_cosine(rows[:, None] - rows[None])
    true = w @ pairs @ w / 4
    for seed in range(5):
        got = problem.estimate_risk(rho, samples=4000, key=jax.random.key(seed))
        assert abs(got.value - true) <= 4 * got.error
        assert 0 < got.error < 0.01


def test_the_standard_error_is_that_of_repeated_estimates():
    problem = wl.Problem(NEURON, CLASSES)
    rho = network(problem, 3)
    keys = jax.random.split(jax.random.key(0), 60)
    estimates = jax.vmap(lambda key: problem.estimate_risk(rho, samples=200, key=key))(keys)
    spread = np.std(np.asarray(estimates.value), ddof=1)
    # 60 draws show a standard deviation to 9 %.
    assert float(jnp.mean(estimates.error)) == pytest.approx(spread, rel=0.4)


def test_estimate_on_weighted_samples():
    problem = wl.Problem(NEURON, NUMBERS, budget=100)
    rho = network(problem, 3)
    got = problem.estimate_risk(rho, samples=4000, key=jax.random.key(2))
    assert abs(got.value - problem.risk(rho)) <= 4 * got.error
    again = problem.estimate_risk(rho, samples=4000, key=jax.random.key(2))
    assert float(again.value) == float(got.value)


@pytest.mark.parametrize("samples", [1, 0, -5])
def test_estimate_refuses(samples):
    problem = wl.Problem(NEURON, CLASSES)
    with pytest.raises(ValueError, match=r"estimate_risk\(samples"):
        problem.estimate_risk(network(problem, 3), samples=samples, key=jax.random.key(0))


# What the dynamics use


def test_pack_is_the_inverse_of_unpack():
    problem = wl.Problem(NEURON, VECTORS)
    rho = network(problem, 4)
    theta, w = problem.unpack(rho)
    assert [field.shape for field in theta] == [(4, 2), (4, 2), (4,)]
    again = problem.pack(theta, w)
    np.testing.assert_array_equal(again.positions, rho.positions)
    np.testing.assert_array_equal(again.weights, rho.weights)
    assert again.blocks == problem.blocks


def test_velocity_is_minus_the_mobility_times_the_gradient_inside_the_domain():
    problem = wl.Problem(
        NEURON,
        NUMBERS,
        domain=domains.product(bias=domains.Box(-1.0, 1.0), weight=domains.Sphere()),
        mobility=wl.mobilities.Diagonal(output=3.0, bias=2.0),
    )
    theta = split(problem.blocks, jnp.asarray([[0.5, 0.6, 0.8, 1.0], [0.5, 0.6, 0.8, 0.0]]))
    gradient = split(problem.blocks, jnp.asarray([[1.0, 3.0, 4.0, -1.0], [1.0, 0.8, -0.6, -1.0]]))
    velocity = problem.velocity(theta, gradient)
    np.testing.assert_allclose(velocity.output, [-3.0, -3.0])
    np.testing.assert_allclose(velocity.weight, [[0.0, 0.0], [-0.8, 0.6]], atol=1e-15)
    np.testing.assert_allclose(velocity.bias, [0.0, 2.0])
    moved = problem.retract(jax.tree.map(lambda a, v: a + 0.6 * v, theta, velocity))
    np.testing.assert_allclose(jnp.linalg.norm(moved.weight, axis=1), 1.0, rtol=1e-15)
    assert float(moved.bias[1]) == 1.0


def test_precision_is_kept():
    data = wl.data.Samples(X.astype(np.float32), Y.astype(np.float32))
    rho = wl.Particles(np.ones((3, 4), np.float32))
    for loss, _ in LOSSES.values():
        problem = wl.Problem(NEURON, data, loss, penalty=penalties.l2(0.1), scale=wl.scales.Power(0.5))
        leaves = jax.tree.leaves(eqx.filter_eval_shape(everything, problem, rho))
        assert {leaf.dtype for leaf in leaves} == {jnp.dtype("float32")}


# What is refused


def test_a_measure_with_other_columns():
    problem = wl.Problem(NEURON, NUMBERS)
    with pytest.raises(ValueError, match=r"3 columns.*4: output, weight\[2\], bias"):
        problem.risk(wl.Particles(np.ones((2, 3))))
    _, weight, bias = problem.blocks
    with pytest.raises(ValueError, match=r"blocks are weight\[2\], bias, charge; the unit's are output"):
        problem.risk(wl.Particles(np.ones((2, 4)), blocks=(weight, bias, Block("charge", ()))))
    with pytest.raises(ValueError, match=r"output\[2\].*weight\[2\]"):
        problem.risk(wl.Particles(np.ones((2, 4)), blocks=(Block("output", (2,)), Block("weight", ()), bias)))


def test_parts_that_do_not_fit_together():
    with pytest.raises(ValueError, match=r"Problem\(budget"):
        wl.Problem(NEURON, NUMBERS, budget=0)
    with pytest.raises(ValueError, match=r"outpt.*output, weight, bias"):
        wl.Problem(NEURON, NUMBERS, mobility=wl.mobilities.Diagonal(outpt=1.0))
    with pytest.raises(ValueError, match="outpt"):
        wl.Problem(NEURON, NUMBERS, penalty=penalties.total_variation(0.1, "outpt"))
    with pytest.raises(ValueError, match=r"penalty.*mobility"):
        wl.Problem(
            NEURON,
            NUMBERS,
            penalty=penalties.total_variation(0.1, "output"),
            mobility=wl.mobilities.Function(lambda th, g: g),
        )
    with pytest.raises(ValueError, match="FreeKnot"):
        wl.Problem(units.FreeKnot(), NUMBERS)
    with pytest.raises(ValueError, match=r"unit=.*no attribute 'b'"):
        wl.Problem(units.Function(lambda th, x: th.b, columns=["a"]), NUMBERS)
    with pytest.raises(ValueError, match=r"output has shape \(2,\).*\(\)"):
        wl.Problem(units.Function(lambda th, x: th.a * x, columns=["a"]), NUMBERS)


@pytest.mark.parametrize(
    "loss",
    [losses.squared, lambda f, y: f - y + jnp.zeros(2), lambda f: f],
    ids=["no call", "vector", "one argument"],
)
def test_a_loss_that_is_none(loss):
    with pytest.raises(ValueError, match=r"Problem\(loss"):
        wl.Problem(NEURON, NUMBERS, loss)


@pytest.mark.parametrize(
    "penalty", [lambda th: th.weight, lambda th: th.nothing], ids=["not a number", "no such block"]
)
def test_a_penalty_that_is_none(penalty):
    with pytest.raises(ValueError, match="penalt"):
        wl.Problem(NEURON, NUMBERS, penalty=penalties.function(penalty))


WRONG_KINDS = """
import numpy as np, widelimit as wl
neuron, data = wl.units.Neuron(wl.activations.tanh), wl.data.Samples(np.eye(2), np.ones(2))
bad = dict(
    unit=lambda: wl.Problem("relu", data), data=lambda: wl.Problem(neuron, np.eye(2)),
    loss=lambda: wl.Problem(neuron, data, "squared"),
    penalty=lambda: wl.Problem(neuron, data, penalty=lambda theta: 0.0),
    domain=lambda: wl.Problem(neuron, data, domain="box"),
    mobility=lambda: wl.Problem(neuron, data, mobility=2.0),
    scale=lambda: wl.Problem(neuron, data, scale=2.0),
    budget=lambda: wl.Problem(neuron, data, budget="all"),
    measure=lambda: wl.Problem(neuron, data).risk(np.ones((3, 4))),
    weight=lambda: wl.Problem(neuron, data, domain=wl.domains.product(weight=3)),
)
for name, make in bad.items():
    try:
        make()
        print(name, "was accepted")
    except ValueError as error:
        if name not in str(error):
            print(name, "is not named:", error)
    except Exception as error:
        print(name, "raised", type(error).__name__, error)
"""


def test_things_of_another_kind_are_value_errors():
    """As a user runs it: the shape checks of the tests would refuse them first, with other errors."""
    done = subprocess.run([sys.executable, "-c", WRONG_KINDS], capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_a_law_of_one_number_fits_a_weight_of_one_input():
    problem = wl.Problem(
        wl.units.Neuron(wl.activations.tanh, output_weight=False), wl.data.Samples([0.1, 0.5], [0.0, 1.0])
    )
    law = wl.laws.product(weight=wl.laws.Normal(0.0, 1.0), bias=wl.laws.Atom(0.0))
    rho = law.sample(3, key=jax.random.key(0))
    assert float(problem.risk(rho)) == float(problem.risk(wl.Particles(rho.positions)))
    other = wl.laws.product(bias=wl.laws.Atom(0.0), weight=wl.laws.Normal(0.0, 1.0)).sample(3, key=jax.random.key(0))
    np.testing.assert_array_equal(problem.unpack(other)[0].weight[:, 0], other.positions[:, 1])


def test_columns_are_found_by_their_names():
    problem = wl.Problem(NEURON, NUMBERS)
    output, weight, bias = problem.blocks
    rows = np.random.default_rng(0).normal(size=(3, 4))
    rho = wl.Particles(rows, blocks=problem.blocks)
    other = wl.Particles(rows[:, [1, 2, 3, 0]], blocks=(weight, bias, output))
    assert float(problem.risk(other)) == float(problem.risk(rho))
    np.testing.assert_array_equal(problem.arranged(other).positions, rows)
    np.testing.assert_array_equal(other.arranged(problem.blocks)["weight"], rho["weight"])
    np.testing.assert_array_equal(problem.potential(other)(rows), problem.potential(rho)(rows))
    run = wl.evolve(problem, other, wl.GradientFlow(), t1=0.1, save_at=[0.1])
    assert run.blocks == problem.blocks
    np.testing.assert_array_equal(run.positions[0], rows)
    with pytest.raises(ValueError, match="in this order"):
        wl.analysis.optimality_gap(problem, other)


def test_methods_go_into_jit_and_survive_copies():
    problem = wl.Problem(NEURON, NUMBERS, penalty=penalties.l2(0.1))
    rho = network(problem, 5)
    for method in (problem.risk, problem.objective, problem.penalty_of):
        assert float(jax.jit(method)(rho)) == pytest.approx(float(method(rho)), rel=1e-12)
    np.testing.assert_allclose(jax.jit(problem.predict)(rho, X), problem.predict(rho, X), rtol=1e-12)
    np.testing.assert_allclose(
        jax.jit(problem.potential(rho))(rho.positions), problem.potential(rho)(rho.positions), rtol=1e-12
    )
    assert problem.risk == problem.risk
    assert problem.risk != wl.Problem(NEURON, NUMBERS).risk
    assert "R(rho)" in str(problem.risk.__doc__)
    theta = problem.unpack(rho)[0]
    for way in (lambda o: pickle.loads(pickle.dumps(o)), copy.deepcopy):
        assert float(way(problem).risk(way(rho))) == float(problem.risk(rho))
        assert float(way(problem.risk)(rho)) == float(problem.risk(rho))
        assert float(way(problem.potential(rho))(rho.positions)[0]) == float(problem.potential(rho)(rho.positions)[0])
        assert eqx.tree_equal(way(theta), theta)


def test_a_target_in_numpy_is_explained():
    def numpy_target(x):
        return np.sin(x[0])

    for make in (
        lambda: wl.data.Samples(X, numpy_target),
        lambda: wl.Problem(NEURON, wl.data.FromLaw(wl.laws.Normal(0.0, 1.0, dim=2), numpy_target)),
        lambda: wl.data.Samples(X, lambda x: float(x[0])),
    ):
        with pytest.raises(ValueError, match=r"cannot trace.*write it with jax.numpy.*y=\[n\]"):
            make()


@pytest.mark.slow
def test_no_rank_is_promoted():
    """As under JAX_NUMPY_RANK_PROMOTION=raise, which some set to find mistakes of their own."""
    data = wl.data.Samples(X, Y)
    with jax.numpy_rank_promotion("raise"):
        for problem in (
            wl.Problem(NEURON, VECTORS, penalty=penalties.total_variation(0.1, "output")),
            wl.problems.free_knot_spline(jnp.sin),
            wl.problems.isotropic_gaussians(0.6, 10).reduced(),
            wl.Problem(units.RadialBasis(0.5), data),
        ):
            rho = wl.Particles(np.random.default_rng(0).uniform(0.1, 0.9, size=(7, problem.dim)))
            theta, w = problem.unpack(rho)
            assert np.isfinite(float(problem.risk(rho)))
            assert np.all(np.isfinite(problem.potential(rho).gradient(rho.positions)))
            problem.velocity(theta, problem.variation(theta, w).gradient)
            problem.predict(rho, problem.data.nodes.x)
        spline = wl.problems.free_knot_spline(jnp.sin)
        spline.integrals.curvature(*spline.unpack(wl.Particles(np.full((7, 2), 0.5))))


def test_facts_of_a_unit_are_not_believed_unseen():
    def unit(function, **facts):
        return units.Function(function, columns=["a", "b"], **facts)

    def powered(theta, x):
        # Not a number where b is negative.
        return theta.a**2 * theta.b**0.5 * x[0]

    for made, words in (
        (unit(lambda theta, x: theta.a * jnp.sin(theta.a + x[0]), linear="a"), "is not 'a' times one number"),
        (unit(powered, linear="a"), "is not 'a' times one number"),
        (unit(powered, homogeneity=1.0), "not the degree homogeneity=1"),
        (unit(lambda theta, x: theta.a * theta.b**2, linear="a", bound=0.5), "goes beyond the bound=0.5"),
        (unit(lambda theta, x: theta.a * jnp.log(-1.0 - theta.b**2), linear="a"), "no finite value at any of six"),
    ):
        with pytest.raises(ValueError, match=words):
            wl.Problem(made, NUMBERS)
    wl.Problem(unit(powered, homogeneity=2.5), NUMBERS)
    wl.Problem(unit(lambda theta, x: theta.a * jnp.sin(theta.b), linear="a", bound=1.0), NUMBERS)
