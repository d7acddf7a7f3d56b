"""Neurons of one input across the rays of their samples: the order, both charts, Euler's small steps, sticking."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit import integrators

X, Y = np.array([-0.8, -0.3, 0.1, 0.7]), np.array([1.0, -1.0, 0.6, -0.4])
LAW = wl.laws.product(r=wl.laws.Normal(0.0, 1.0), angle=wl.laws.Uniform(0.0, 2.0 * math.pi))
FULL = wl.problems.univariate_relu(X, Y)


def flow(step, **options):
    return wl.GradientFlow(integrators.Filippov(step), **options)


@functools.cache
def start_of(delta, width=30):
    canon = wl.problems.canonical_relu(X, Y, delta=delta)
    return canon, canon.start(LAW, width, key=jax.random.key(0))


def euler(rows, w, step, count, sigma=lambda z: (np.maximum(z, 0.0), z > 0)):
    """Explicit Euler of the full weights (c, a, b), sums written out; the derivative at a tie is the left one."""
    c, a, b = np.asarray(rows).T.copy()
    for _ in range(count):
        value, slope = sigma(np.outer(a, X) + b[:, None])
        g = (w * c) @ value - Y
        each = c[:, None] * slope * g
        c, a, b = c - step * value @ g, a - step * each @ X, b - step * each.sum(1)
    return (w * c) @ sigma(np.outer(a, X) + b[:, None])[0]


@pytest.mark.parametrize("delta", [-2.0, 0.0])
def test_order_against_small_steps_of_euler(delta):
    canon, start = start_of(delta)
    rho = canon.lift(start)
    true = euler(rho.positions, np.full(30, 1 / 30), 5e-5, 20_000)
    error = []
    for step in (0.02, 0.01):
        run = wl.evolve(FULL, rho, flow(step), t1=1.0, save_at=[1.0])
        error.append(np.max(np.abs(np.asarray(FULL.predict(run.final, X)) - true)))
        assert int(run.sticking[-1]) > 0
    # Euler's own error is a hundredth of the step's.
    assert 1.6 < error[0] / error[1] < 2.5
    assert error[1] < 5e-3


@pytest.mark.parametrize("delta", [-2.0, 0.5, 30.0])
def test_both_charts_and_the_order(delta):
    canon, start = start_of(delta)
    ends = {}
    for step in (0.01, 0.005, 0.0025):
        small = wl.evolve(canon, start, flow(step), t1=0.5, save_at=[0.5])
        large = wl.evolve(FULL, canon.lift(start), flow(step), t1=0.5, save_at=[0.5])
        ends[step] = canon.predict(small.final, X), FULL.predict(large.final, X)
        assert small.final["delta"].tolist() == start["delta"].tolist()
    apart = [float(np.max(np.abs(a - b))) for a, b in ends.values()]
    assert apart[2] < 0.6 * apart[0] + 1e-12
    f = [np.asarray(a) for a, _ in ends.values()]
    ratio = np.max(np.abs(f[0] - f[1])) / np.max(np.abs(f[1] - f[2]))
    assert 1.5 < ratio < 2.7


def test_what_is_dissipated_is_what_the_risk_falls_by():
    canon, start = start_of(0.5)
    defects = []
    for step in (0.01, 0.005):
        run = wl.evolve(canon, start, flow(step), t1=1.0)
        defects.append(abs(float(run.dissipated[-1] - (run.risk[0] - run.risk[-1]))))
        assert np.all(np.diff(run.risk) < 1e-12)
    assert defects[0] < 0.02 * float(run.risk[0] - run.risk[-1])
    assert 1.6 < defects[0] / defects[1] < 2.4


def test_one_neuron_that_sticks_and_slides():
    """Two samples, one neuron on the ray of the first: the law of its motion is solved by hand.

    x = 0 and 1, w = (a, b) on the ray of x = 0, b = 0, a > 0: it sees x = 1 alone, f(1) = c a. With y = (1, -3)
    (risk SUM (f - y)^2/2, weights 1 for one neuron) rho = (-1, c a + 3) and, on the ray, z_0' from below = -c rho_1,
    from above -c (rho_1 + rho_0). With c < 0 both lead to it while 0 < rho_1 < 1, so that c a is in (-3, -2): it
    slides, c' = -a rho_1, a' = -c rho_1, which keeps c^2 - a^2 and drives c a to -3.
    """
    problem = wl.problems.univariate_relu([0.0, 1.0], [1.0, -3.0])
    start = wl.Particles(jnp.array([[-1.6, 1.5, 0.0]]), jnp.array([1.0]))
    run = wl.evolve(problem, start, flow(1e-3), t1=3.0, save_at=[0.1, 3.0])
    c, a, b = np.asarray(run.final.positions[0])
    assert b == 0.0
    assert int(run.sticking[-1]) == 1
    assert c * a == pytest.approx(-3.0, abs=1e-4)
    assert c**2 - a**2 == pytest.approx(1.6**2 - 1.5**2, abs=5e-3)
    # p = c a: p' = -(c^2 + a^2)(p + 3), c^2 + a^2 = sqrt(delta^2 + 4 p^2).
    from scipy.integrate import solve_ivp

    delta = 1.6**2 - 1.5**2
    p = solve_ivp(lambda t, p: -np.sqrt(delta**2 + 4 * p**2) * (p + 3.0), (0.0, 0.1), [-2.4], rtol=1e-10).y[0, -1]
    assert np.prod(np.asarray(run[1].positions[0, :2])) == pytest.approx(p, abs=2e-3)


def test_outermost_rays_and_neurons_that_see_no_sample_are_dead():
    problem = wl.problems.univariate_relu([0.0, 1.0], [-1.0, -1.0])
    # One right of all samples, one on its way out of them with c rho > 0, one that keeps the residuals from resting.
    rows = jnp.array([[1.0, 1.0, -2.0], [2.0, 1.0, -0.9], [-0.1, 0.1, 0.5]])
    run = wl.evolve(problem, wl.Particles(rows), flow(1e-3), t1=2.0, save_at=[1.0, 2.0])
    first, second = run[1].positions, run[2].positions
    assert np.array_equal(first[0], rows[0])
    assert np.array_equal(second[0], rows[0])
    assert np.array_equal(first[1], second[1])
    assert -float(first[1, 2] / first[1, 1]) == pytest.approx(1.0, abs=1e-15)


def test_a_neuron_that_reaches_the_origin_stays_and_is_counted():
    """Samples at -2 and 1, both with target -1, and a neuron on the ray of the first: w = a (1, 2) sees the second.

    rho = (1, 1 + 3 c a), and while c rho_1 > 0 and rho_1 < 5 both sides lead to the ray, on which a falls: with
    delta = c^2 - 5 a^2 > 0 it is at the origin in finite time, where c = sqrt(delta).
    """
    problem = wl.problems.univariate_relu([-2.0, 1.0], [-1.0, -1.0])
    start = wl.Particles(jnp.array([[2.0, 0.2, 0.4]]), jnp.array([1.0]))
    run = wl.evolve(problem, start, flow(1e-3), t1=1.0, save_at=[0.01, 0.5, 1.0])
    assert run.sticking.tolist() == [1, 1, 0, 0]
    assert run.dead.tolist() == [0, 0, 1, 1]
    np.testing.assert_array_equal(run[2].positions, run[3].positions)
    c, a, b = np.asarray(run.final.positions[0])
    assert (a, b) == (0.0, 0.0)
    assert c == pytest.approx(math.sqrt(4.0 - 5.0 * 0.2**2), abs=2e-3)
    canon = wl.problems.canonical_relu([-2.0, 1.0], [-1.0, -1.0], delta=3.8)
    small = wl.evolve(canon, canon.project(start), flow(1e-3), t1=1.0, save_at=[1.0])
    assert int(small.dead[-1]) == 1
    assert small.final["r"].tolist() == [0.0]
    assert small.final["angle"].tolist() == pytest.approx([math.atan2(2.0, 1.0)], abs=1e-12)


def test_a_start_on_a_ray_is_on_it():
    angle = math.atan2(-X[1], 1.0)
    canon = wl.problems.canonical_relu(X, Y, delta=1.0)
    start = canon.start(wl.laws.Empirical(jnp.array([[1.0, angle], [1.0, angle + 1e-9], [-1.0, angle]])), 3)
    run = wl.evolve(canon, start, flow(1e-6), t1=1e-6, save_at=[1e-6])
    assert int(run.sticking[0]) == 2


@pytest.mark.slow
def test_a_leaky_kink():
    problem = wl.Problem(wl.units.Neuron(wl.activations.leaky_relu(0.2)), wl.data.Samples(X, Y), wl.losses.squared(2.0))
    rho = problem.pack(*problem.unpack(wl.Particles(np.random.default_rng(2).normal(size=(25, 3)))))

    def sigma(z):
        return np.where(z > 0, z, 0.2 * z), np.where(z > 0, 1.0, 0.2)

    true = euler(rho.positions, np.full(25, 1 / 25), 2.5e-5, 20_000, sigma)
    error = []
    for step in (0.01, 0.005):
        run = wl.evolve(problem, rho, flow(step), t1=0.5, save_at=[0.5])
        error.append(np.max(np.abs(np.asarray(problem.predict(run.final, X)) - true)))
    assert error[1] < 0.7 * error[0]
    assert error[1] < 5e-3


@pytest.mark.slow
def test_only_the_output_trains_like_a_linear_model():
    canon, start = start_of(-2.0)
    rho = canon.lift(start)
    run = wl.evolve(FULL, rho, flow(1e-3, trainable="output"), t1=1.0, save_at=[1.0])
    assert np.array_equal(run.final.positions[:, 1:], rho.positions[:, 1:])
    phi = np.maximum(np.outer(rho["weight"][:, 0], X) + np.asarray(rho["bias"])[:, None], 0.0)
    kernel = phi.T @ phi / 30
    values, vectors = np.linalg.eigh(kernel)
    f = Y + vectors @ (np.exp(-values) * (vectors.T @ (np.asarray(FULL.predict(rho, X)) - Y)))
    np.testing.assert_allclose(FULL.predict(run.final, X), f, atol=1e-3)
    frozen = wl.problems.canonical_relu(X, Y, delta=-math.inf)
    turned = wl.evolve(frozen, frozen.start(LAW, 30, key=jax.random.key(0)), flow(1e-3), t1=1.0, save_at=[1.0])
    assert np.array_equal(turned.final["angle"], turned[0]["angle"])


@pytest.mark.first(1)
@pytest.mark.parametrize("delta", [None, math.inf])
def test_flat_metrics_against_small_explicit_steps(delta):
    canon = wl.problems.canonical_relu(X, Y, delta=delta)
    start = canon.start(LAW, 30, key=jax.random.key(0))
    r, angle = (np.asarray(start[name]) for name in ("r", "angle"))
    for _ in range(20_000):
        z = np.cos(angle)[:, None] * X + np.sin(angle)[:, None]
        act = z > 0
        g = (r / 30) @ (z * act) - Y
        turn = r * ((act * (np.cos(angle)[:, None] - np.sin(angle)[:, None] * X)) @ g)
        r, angle = r - 2.5e-5 * (z * act) @ g, angle - 2.5e-5 * turn * (1.0 if delta is None else 1.0 / r**2)
    z = np.cos(angle)[:, None] * X + np.sin(angle)[:, None]
    true = (r / 30) @ (z * (z > 0))
    run = wl.evolve(canon, start, flow(2e-3), t1=0.5, save_at=[0.5])
    np.testing.assert_allclose(canon.predict(run.final, X), true, atol=2e-2 if delta else 3e-3)


def test_equal_samples_pull_together():
    twice = wl.problems.univariate_relu(np.repeat(X, 2), np.repeat(Y, 2), loss=wl.losses.squared(2.0))
    once = wl.problems.univariate_relu(X, Y)
    canon, start = start_of(0.5)
    rho = canon.lift(start)
    a, b = (wl.evolve(p, rho, flow(0.01), t1=1.0, save_at=[1.0]) for p in (twice, once))
    np.testing.assert_allclose(a.final.positions, b.final.positions, rtol=1e-9, atol=1e-11)
    assert int(a.sticking[-1]) == int(b.sticking[-1])


@pytest.mark.parametrize(
    ("problem", "start", "words"),
    [
        (wl.Problem(wl.units.RadialBasis(1.0), wl.data.Samples(X, Y)), jnp.ones((2, 2)), "piecewise-linear neurons"),
        (
            wl.Problem(wl.units.Neuron(wl.activations.relu), wl.data.Samples(X, Y), penalty=wl.penalties.l2(0.1)),
            jnp.ones((2, 3)),
            "takes no penalty",
        ),
        (
            wl.Problem(wl.units.Neuron(wl.activations.relu), wl.data.Samples(X, Y), domain=wl.domains.Box(-9.0, 9.0)),
            jnp.ones((2, 3)),
            "no walls",
        ),
        (
            wl.Problem(wl.units.Neuron(wl.activations.relu, bias=False), wl.data.Samples(X, Y)),
            jnp.ones((2, 2)),
            "with a bias",
        ),
    ],
)
def test_what_is_refused(problem, start, words):
    with pytest.raises(ValueError, match=words):
        wl.evolve(problem, wl.Particles(start), flow(0.1), t1=1.0)
    assert words in wl.GradientFlow(integrators.Filippov(0.1)).accepts(problem, wl.Particles(start))


def test_a_metric_that_moves_all_together_has_no_blocks_to_freeze():
    canon, start = start_of(0.5)
    with pytest.raises(ValueError, match="all blocks move together"):
        wl.evolve(canon, start, flow(0.1, trainable="r"), t1=1.0)
    with pytest.raises(ValueError, match="only a GradientFlow"):
        wl.Characteristics(4, integrator=integrators.Filippov(0.1)).neurons(canon, start.weights)


def test_the_advice_names_what_follows_kinks():
    canon, start = start_of(0.5)
    assert "integrators.Filippov(step)" in wl.GradientFlow().advice(canon, start)
    assert "Filippov" not in wl.GradientFlow().advice(
        wl.Problem(wl.units.Neuron(wl.activations.relu), wl.data.Samples(np.ones((2, 2)), np.ones(2))),
        wl.Particles(jnp.ones((2, 4))),
    )
    assert "a shorter one" in flow(0.1).advice(canon, start)


def test_one_step_of_one_neuron_by_hand():
    """c = a = b = 1, x = 1, y = 0: rho = 2 and G = (2, 2) are frozen, so w = (1 - 2 t)(1, 1) and c' = -(4 - 8 t)."""
    problem = wl.problems.univariate_relu([1.0], [0.0])
    run = wl.evolve(problem, wl.Particles(jnp.ones((1, 3))), flow(0.1), t1=0.1, save_at=[0.1])
    np.testing.assert_allclose(run.final.positions[0], [1.0 - 0.4 + 0.04, 0.8, 0.8], rtol=1e-13)
    # INT c'^2 + |w'|^2 = 16 h - 32 h^2 + 64 h^3/3 + 8 h.
    assert float(run.dissipated[-1]) == pytest.approx(1.6 - 0.32 + 0.064 / 3.0 + 0.8, rel=1e-12)


def test_the_next_ray_may_lie_on_the_other_side_of_infinity():
    """a changes its sign between two rays: the knot leaves at the left end and comes in from the right."""
    from widelimit.dynamics.kinks._corner import Fate
    from widelimit.dynamics.kinks._move import _next
    from widelimit.dynamics.kinks._world import Side, frozen
    from widelimit.problem.activations import Pieces
    from widelimit.problem.integrals.bins import line
    from widelimit.problem.units import Plane

    plane = Plane(jnp.ones(2), jnp.ones((2, 2)), jnp.ones(2), jnp.zeros((2, 2, 2)))
    world = frozen(line(jnp.array([-1.0, 0.5, 2.0])), Pieces(0.0, (0.0,), (0.0, 1.0)), jnp.zeros(3), plane)
    w, v = jnp.array([[0.5, 1.0], [0.5, 1.0]]), jnp.array([[-1.0, 0.0], [1.0, 0.0]])
    at = Side(jnp.zeros(2), jnp.zeros((2, 2)), jnp.ones(2, bool), jnp.zeros((2, 1), int))
    when, ray, _ = _next(world, w, Fate(v, at, jnp.full(2, -1), jnp.full((2, 1), -1)), 0)
    # -1/a = 2 at a = -1/2, t = 1; -1/a = -1 at a = 1, t = 1/2.
    assert ray.tolist() == [2, 0]
    np.testing.assert_allclose(when, [1.0, 0.5], rtol=1e-15)
