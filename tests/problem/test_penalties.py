"""Penalties: values, proximal maps against minimisation by brute force, what they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

import widelimit as wl
from widelimit import penalties
from widelimit.measure import Block, join, row_size, split

SCALAR = (Block("output", ()), Block("weight", (2,)))
VECTOR = (Block("output", (2,)), Block("weight", ()))


def ridge(theta):
    """|b| - not smooth - as a penalty of one's own, with the map of total_variation written out."""
    return 0.4 * jnp.sqrt(jnp.sum(theta.weight**2))


def ridge_prox(theta, step):
    size = jnp.sqrt(jnp.sum(theta.weight**2))
    return theta._replace(weight=theta.weight * jnp.maximum(0.0, 1 - 0.4 * step.weight / size))


CASES = {
    "tv": (penalties.total_variation(0.7, "output"), SCALAR),
    "tv-vector": (penalties.total_variation(0.7, "output"), VECTOR),
    "tv-none": (penalties.total_variation(0.0, "output"), VECTOR),
    "l2": (penalties.l2(0.8), SCALAR),
    "l2-block": (penalties.l2(0.8, ["weight"]), SCALAR),
    "own": (penalties.function(ridge, ridge_prox), SCALAR),
    "tv+own": (penalties.total_variation(0.7, "output") + penalties.function(ridge, ridge_prox), SCALAR),
}
# TV with a penalty of one's own is refused by `check`: nothing shows that their blocks differ.
PROX = {name: case for name, case in CASES.items() if name != "tv+own"}
every = pytest.mark.parametrize(("penalty", "blocks"), CASES.values(), ids=CASES.keys())


def brute_force(penalty, blocks, row, steps):
    """min_u penalty(u) + sum_b |u_b - theta_b|^2 / (2 s_b), from many starts; the point and the value."""
    weight = np.concatenate([np.full(b.size, 1 / s) for b, s in zip(blocks, steps, strict=True)])
    value = jax.jit(lambda u: penalty(split(blocks, u)) + jnp.sum(weight * (u - row) ** 2) / 2)
    options = {"xatol": 1e-9, "fatol": 1e-14, "maxiter": 2000}
    starts = [row, 0.01 + 0 * row, np.where(np.arange(row.size) < blocks[0].size, 1e-6, row)]
    found = [scipy.optimize.minimize(value, u, method="Nelder-Mead", options=options) for u in starts]
    best = min(found, key=lambda result: result.fun)
    return best.x, best.fun, value


@pytest.mark.parametrize(("penalty", "blocks"), PROX.values(), ids=PROX.keys())
@pytest.mark.parametrize("seed", [0, 1])
def test_prox_is_the_minimiser(penalty, blocks, seed):
    rng = np.random.default_rng(seed)
    row, steps = rng.normal(size=row_size(blocks)), (0.9, 0.35)
    theta = split(blocks, jnp.asarray(row))
    got = np.asarray(join(blocks, penalty.prox(theta, type(theta)(*steps))))
    point, least, value = brute_force(penalty, blocks, row, steps)
    assert value(got) <= least + 1e-12
    # The function is strongly convex: a value within 1e-13 leaves the point within 1e-6.
    np.testing.assert_allclose(got, point, atol=1e-5)


def test_prox_in_the_metric_of_the_mobility():
    """Problem.prox: time s and mobility p make the step s p of the block."""
    penalty, blocks = penalties.total_variation(0.7, "output"), (*SCALAR, Block("bias", ()))
    data = wl.data.Samples(np.eye(2), np.ones(2))
    mobility = wl.mobilities.Diagonal(output=2.5, weight=0.1)
    problem = wl.Problem(wl.units.Neuron(wl.activations.tanh), data, penalty=penalty, mobility=mobility)
    rows = np.array([[1.3, 0.2, -0.4, 1.0], [-0.1, 0.3, 0.5, -1.0]])
    got = problem.prox(split(problem.blocks, jnp.asarray(rows)), 0.4)
    for i, row in enumerate(rows):
        point, *_ = brute_force(penalty, blocks, row, (0.4 * 2.5, 0.4 * 0.1, 0.4))
        np.testing.assert_allclose(join(problem.blocks, got)[i], point, atol=1e-5)
    assert float(got.output[1]) == 0.0


def test_a_frozen_block_stays_where_it_is():
    data = wl.data.Samples(np.eye(2), np.ones(2))
    problem = wl.Problem(
        wl.units.Neuron(wl.activations.tanh),
        data,
        penalty=penalties.total_variation(0.7, "output"),
        mobility=wl.mobilities.Diagonal(output=0.0),
    )
    theta = split(problem.blocks, jnp.asarray([[0.3, 1.0, 2.0, 3.0], [0.0, 1.0, 2.0, 3.0]]))
    np.testing.assert_array_equal(problem.prox(theta, 0.4).output, theta.output)


def test_smooth_penalties_are_left_to_the_gradient():
    data = wl.data.Samples(np.eye(2), np.ones(2))
    problem = wl.Problem(wl.units.Neuron(wl.activations.tanh), data, penalty=penalties.l2(1.0))
    theta = split(problem.blocks, jnp.ones((3, 4)))
    assert problem.smooth
    np.testing.assert_array_equal(join(problem.blocks, problem.prox(theta, 0.4)), np.ones((3, 4)))


@pytest.mark.parametrize("blocks", [SCALAR, VECTOR])
@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0 - 1e-12, 1.0])
def test_charges_inside_the_threshold_become_exactly_zero(blocks, factor):
    penalty = penalties.total_variation(0.7, "output")
    charge = np.asarray(0.7 * 0.9 * factor * (np.array([0.6, -0.8]) if blocks is VECTOR else 1.0))
    theta = split(blocks, jnp.ones(row_size(blocks)))._replace(output=jnp.asarray(charge))
    moved = penalty.prox(theta, type(theta)(0.9, 0.9))
    np.testing.assert_allclose(moved.output, 0.0, atol=1e-15)
    if factor < 1:
        np.testing.assert_array_equal(moved.output, 0.0 * charge)
    np.testing.assert_array_equal(moved.weight, theta.weight)


def test_values():
    theta = split(VECTOR, jnp.asarray([3.0, -4.0, 2.0]))
    assert float(penalties.total_variation(0.5, "output")(theta)) == pytest.approx(2.5)
    assert float(penalties.total_variation(0.5, "weight")(theta)) == pytest.approx(1.0)
    assert float(penalties.l2(0.1)(theta)) == pytest.approx(2.9)
    assert float(penalties.l2(0.1, ("weight",))(theta)) == pytest.approx(0.4)
    total = penalties.l2(0.1) + penalties.total_variation(0.5, "output") + penalties.function(lambda t: t.weight)
    assert float(total(theta)) == pytest.approx(2.9 + 2.5 + 2.0)
    assert len(penalties.parts(total)) == 3
    assert not total.smooth
    assert (penalties.l2(0.1) + penalties.function(lambda t: t.weight)).smooth


@pytest.mark.parametrize("name", ["tv", "tv-vector", "tv-none", "l2", "l2-block"])
def test_gradient_is_finite_at_zero(name):
    penalty, blocks = CASES[name]
    slope = jax.jit(jax.grad(lambda row: penalty(split(blocks, row))))(jnp.zeros(row_size(blocks)))
    # A subgradient of |c| is at most 1 long; |theta|^2 has the gradient 0.
    assert np.linalg.norm(slope) <= (penalty.strength if name.startswith("tv") else 0.0)


@every
def test_gradient_away_from_zero(penalty, blocks):
    row, h = np.random.default_rng(3).normal(size=row_size(blocks)), 1e-6
    value = jax.jit(lambda u: penalty(split(blocks, u)))
    numeric = [(value(row + h * e) - value(row - h * e)) / (2 * h) for e in np.eye(row.size)]
    np.testing.assert_allclose(jax.jit(jax.grad(value))(jnp.asarray(row)), numeric, atol=1e-8)


def test_gradient_of_the_potential_is_finite_where_a_vector_charge_is_zero():
    data = wl.data.Samples(np.eye(2), np.eye(2))
    problem = wl.Problem(wl.units.Neuron(wl.activations.tanh), data, penalty=penalties.total_variation(0.1, "output"))
    rho = wl.Particles(np.zeros((1, problem.dim)))
    assert np.all(np.isfinite(problem.potential(rho).gradient(rho.positions)))


def test_prox_of_a_sum_is_that_of_its_non_smooth_terms():
    total = penalties.l2(3.0) + penalties.total_variation(0.7, "output") + penalties.total_variation(0.2, "weight")
    total.check(SCALAR)
    theta = split(SCALAR, jnp.asarray([1.3, 0.4, -0.6]))
    step = type(theta)(0.5, 0.5)
    moved = total.prox(theta, step)
    assert float(moved.output) == pytest.approx(1.3 - 0.35)
    size = np.hypot(0.4, 0.6)
    np.testing.assert_allclose(moved.weight, theta.weight * (1 - 0.1 / size), rtol=1e-13)


# What is refused


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_strengths(bad):
    with pytest.raises(ValueError, match=r"l2\(strength"):
        penalties.l2(bad)
    with pytest.raises(ValueError, match=r"total_variation\(strength"):
        penalties.total_variation(bad, "output")


def test_blocks_that_are_not_there():
    with pytest.raises(ValueError, match=r"l2\(blocks.*outputs.*output, weight"):
        penalties.l2(1.0, ["outputs"]).check(SCALAR)
    with pytest.raises(ValueError, match=r"total_variation\(block.*outputs.*output, weight"):
        penalties.total_variation(1.0, "outputs").check(SCALAR)
    with pytest.raises(ValueError, match="outputs"):
        (penalties.l2(1.0) + penalties.total_variation(1.0, "outputs")).check(SCALAR)


def test_two_non_smooth_terms_on_one_block():
    tv = penalties.total_variation(1.0, "output")
    with pytest.raises(ValueError, match="different blocks"):
        (tv + tv).check(SCALAR)
    with pytest.raises(ValueError, match="different blocks"):
        CASES["tv+own"][0].check(SCALAR)


def test_a_smooth_function_has_no_proximal_map():
    with pytest.raises(ValueError, match="prox"):
        penalties.function(ridge).prox(split(SCALAR, jnp.ones(3)), None)


@pytest.mark.parametrize("name", ["tv", "tv-vector", "tv-none", "l2", "l2-block"])
def test_facts_are_those_of_the_values(name):
    penalty, blocks = CASES[name]
    theta = split(blocks, jnp.asarray(np.random.default_rng(1).normal(size=row_size(blocks))))
    names = tuple(block.name for block in blocks)
    for block in names:
        z = getattr(theta, block)
        without = penalty(theta._replace(**{block: jnp.zeros_like(z)}))
        cost, size = penalty.cost(block), float(jnp.sqrt(jnp.sum(z**2)))
        np.testing.assert_allclose(penalty(theta) - without, cost.size * size + cost.square * size**2, atol=1e-12)
        assert penalty.touches(block) == (cost != (0.0, 0.0))
        assert not penalty.touches("another") or name == "l2"
    row = join(blocks, theta)
    slope = jnp.linalg.norm(jax.grad(lambda u: penalty(split(blocks, u)))(row))
    assert slope <= penalty.slope(names, float(jnp.linalg.norm(row))) * (1.0 + 1e-12)
    bend = penalty.bend(names)
    hessian = jax.hessian(lambda u: penalty(split(blocks, u)))(row)
    assert bend.kinks == ((0.0,) if name in ("tv", "tv-vector") else ())
    if name != "tv-vector":
        # A norm of more than one number bends without bound near its kink.
        assert float(jnp.max(jnp.abs(jnp.linalg.eigvalsh(hessian)))) <= bend.most + 1e-12


def test_the_lengths_of_a_block_cost_the_same():
    theta = split(SCALAR, jnp.array([1.5, 3.0, -4.0]))
    reduced = split((SCALAR[0], Block("radius", ())), jnp.array([1.5, 5.0]))
    for penalty in (penalties.l2(0.3), penalties.l2(0.3, "weight"), penalties.total_variation(0.3, "weight")):
        small = penalty.of_lengths("weight", "radius")
        np.testing.assert_allclose(small(reduced), penalty(theta), rtol=1e-12)
        small.check((SCALAR[0], Block("radius", ())))
    assert penalties.function(ridge).of_lengths("weight", "radius") is None
