"""Neurons of several kinks across the lines of their samples: brute force, Euler's small steps, vertices, apexes."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit import integrators
from widelimit.dynamics.kinks import APEX, NONE, kinked_neurons, move

HARD = [-1.0, 1.0], [-1.0, 1.0]
THREE = [-1.0, 0.0, 1.0], [-1.0, 0.3, 1.0]
# Slopes -1 and 1/2 around one kink at 1/2, with ends so far away that nothing meets them.
VEE = [-8.0, 0.5, 8.0], [8.5, 0.0, 3.75]


def flow(step, **options):
    return wl.GradientFlow(integrators.Filippov(step), **options)


def problem_of(points, x, y):
    """Risk SUM (f - y)^2 / 2."""
    unit = wl.units.Neuron(wl.activations.piecewise_linear(*points))
    return wl.Problem(unit, wl.data.Samples(x, y), wl.losses.squared(len(x) / 2))


def slopes_of(points):
    knots, values = map(np.array, points)
    return knots, np.concatenate([[0.0], np.diff(values) / np.diff(knots), [0.0]])


def euler(points, rows, x, y, step, count):
    knots, slopes = slopes_of(points)
    c, a, b = rows.T.copy()
    for _ in range(count):
        z = np.outer(a, x) + b[:, None]
        value = np.interp(z, *points)
        g = c @ value / len(c) - y
        each = c[:, None] * slopes[np.searchsorted(knots, z)] * g
        c, a, b = c - step * value @ g, a - step * each @ x, b - step * each.sum(1)
    return c @ np.interp(np.outer(a, x) + b[:, None], *points) / len(c)


X5 = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
X4 = np.array([-0.8, -0.3, 0.1, 0.7])


@pytest.mark.parametrize(
    ("points", "x"),
    [
        pytest.param(HARD, X4, marks=pytest.mark.slow, id="hard"),
        pytest.param(THREE, X5, id="three"),
        pytest.param(VEE, X4, marks=pytest.mark.slow, id="vee"),
    ],
)
def test_order_against_small_steps_of_euler(points, x):
    """On regular samples three lines of different kinks meet in points: a x + b = -1, 0, 1 at three of them."""
    y = 1.5 * np.sin(5.0 * x)
    rows = 1.5 * np.random.default_rng(1).normal(size=(30, 3))
    problem = problem_of(points, x, y)
    true = euler(points, rows, x, y, 1e-4, 10_000)
    error = []
    for step in (0.02, 0.01):
        run = wl.evolve(problem, wl.Particles(rows), flow(step), t1=1.0, save_at=[1.0])
        error.append(np.max(np.abs(np.asarray(problem.predict(run.final, x)) - true)))
        assert int(run.sticking[-1]) > 5
        assert np.all(np.diff(run.risk) < 0)
    # Euler's own error is a hundredth of the step's.
    assert 1.6 < error[0] / error[1] < 2.5
    assert error[1] < 2e-3


def descent(points, x, rho, charge, w):
    """The steepest descent of psi at w to first order, on lines or not: every direction's sector, written out.

    psi'(u) = c SUM_j rho_j sigma'(z_j; u X_j) u X_j, in which a sample on a kink has the slope of the side u goes to.
    The minimum over |u| = 1 of a function linear between the rays is on one of them or in the velocity of a sector.
    """
    knots, slopes = slopes_of(points)
    ray = np.stack([x, np.ones_like(x)], axis=1)
    z = ray @ w
    met = [(j, k) for j, k in itertools.product(range(len(x)), range(len(knots))) if abs(z[j] - knots[k]) < 1e-9]
    held = {j for j, _ in met}

    def force(u):
        g = np.zeros(2)
        for j in range(len(x)):
            k = next((k for i, k in met if i == j), None)
            slope = slopes[np.searchsorted(knots, z[j])] if k is None else slopes[k + int(ray[j] @ u > 0)]
            g += slope * rho[j] * ray[j]
        return charge * g

    angles = sorted(np.arctan2(-s * x[j], s) % (2 * np.pi) for j in held for s in (1, -1)) or [0.0]
    ends = [*angles, angles[0] + 2 * np.pi]
    middle = [0.5 * (a + b) for a, b in itertools.pairwise(ends)]
    at = [np.array([np.cos(t), np.sin(t)]) for t in middle]
    found = [(-np.linalg.norm(force(u)), -force(u)) for u in at]
    found = [(p, v) for (p, v), u in zip(found, at, strict=True) if all((ray[j] @ v) * (ray[j] @ u) > 0 for j in held)]
    if any(np.linalg.norm(force(u)) < 1e-12 for u in at):
        return np.zeros(2)
    for t in angles if held else []:
        u, side = np.array([np.cos(t), np.sin(t)]), np.array([np.cos(t + 1e-7), np.sin(t + 1e-7)])
        slope = force(side) @ u
        found.append((slope, -slope * u))
    p, v = min(found, key=lambda pair: pair[0], default=(0.0, np.zeros(2)))
    return v if p < -1e-12 else np.zeros(2)


def straight(points, x, rho, charge, w, time):
    """One neuron with frozen residuals and charge: from event to event by all lines at once."""
    knots, _ = slopes_of(points)
    for _ in range(200):
        v = descent(points, x, rho, charge, w)
        z, rate = x * w[0] + w[1], x * v[0] + v[1]
        with np.errstate(divide="ignore", invalid="ignore"):
            when = (knots[:, None] - z) / rate
        off = np.abs(knots[:, None] - z) > 1e-9
        dt = min(time, np.min(np.where(off & (when > 0), when, np.inf)))
        w, time = w + dt * v, time - dt
        if time <= 0 or not v.any():
            return w
    raise AssertionError


@pytest.mark.first(1)
@pytest.mark.parametrize(
    "points", [HARD, THREE, pytest.param(VEE, marks=pytest.mark.slow)], ids=["hard", "three", "vee"]
)
def test_one_step_against_brute_force(points):
    """Long steps, so that neurons cross, slide and meet vertices; some start at vertices and apexes."""
    rng, x, knots = np.random.default_rng(3), X5, points[0]
    corners = [[0.0, t] for t in knots]
    for (i, s), (j, t) in itertools.combinations(itertools.product(range(5), knots), 2):
        if i != j and s != t and abs(s) < 8.0 and abs(t) < 8.0:
            corners.append([(t - s) / (x[j] - x[i]), t - (t - s) / (x[j] - x[i]) * x[j]])
    places = np.concatenate([rng.normal(size=(100 - len(corners), 2)), corners])
    rows = np.concatenate([3.0 * rng.normal(size=(100, 1)), places], axis=1)
    problem = problem_of(points, x, 3.0 * rng.normal(size=5))
    theta, carried = problem.unpack(wl.Particles(rows))
    neurons = kinked_neurons(problem, carried, None, "test")
    rho = np.asarray(jax.jit(lambda theta: neurons.dual(neurons.on(), neurons.planes(theta)))(theta))
    done = jax.jit(lambda theta: move(neurons, theta, neurons.labels(theta), jnp.asarray(0.3)))(theta)
    expected = np.array([straight(points, x, rho, c, np.array(w), 0.3) for c, *w in rows])
    # A place that is on a line to 1e-9 is on it, in the brute force.
    np.testing.assert_allclose(done.w, expected, atol=1e-7)
    assert np.all(done.left == 0)
    label = np.asarray(done.label)
    assert np.sum(np.sum(label >= 0, axis=1) == 1) > 3
    assert np.any(np.sum(label >= 0, axis=1) >= 2) or points is VEE
    assert np.any(label == APEX)
    z = np.take(x, np.maximum(label, 0)) * np.asarray(done.w[:, :1]) + np.asarray(done.w[:, 1:])
    np.testing.assert_allclose(z[label >= 0], np.broadcast_to(knots, z.shape)[label >= 0], atol=1e-12)


def test_a_neuron_at_rest_beside_a_region_without_force():
    """Samples at -1, 1 and a hard tanh: at w = (1, 0) both are at a kink, z = -1 and 1.

    Target (-2, 2), f = (-c, c): rho = (2 - c, c - 2), and beyond both kinks psi is constant, so the neuron rests; only
    c moves, c' = 2 (2 - c).
    """
    problem = problem_of(HARD, np.array([-1.0, 1.0]), np.array([-2.0, 2.0]))
    run = wl.evolve(problem, wl.Particles(jnp.array([[1.0, 1.0, 0.0]])), flow(1e-3), t1=1.0, save_at=[1.0])
    np.testing.assert_array_equal(run.final.positions[0, 1:], [1.0, 0.0])
    assert int(run.sticking[-1]) == 1
    assert float(run.final.positions[0, 0]) == pytest.approx(2.0 - np.exp(-2.0), abs=1e-3)


def test_a_neuron_held_by_two_lines_is_solved_by_hand():
    """Slopes -1, 1, -1 with kinks -1 and 1, samples -1 and 1: at w = (1, 0) each is on a kink.

    The subgradients of psi there are c [rho_0 s_0 (-1, 1) + rho_1 s_1 (1, 1)], both s in [-1, 1]: with c rho_0 > 0 >
    c rho_1 both kinks are convex, and 0 is among them. Targets -3 and 3: rho = (3 - c, c - 3), so it is held for c < 3,
    where c' = 2 (3 - c); and psi falls towards the vertex from around it.
    """
    problem = problem_of(([-8.0, -1.0, 1.0, 8.0], [6.0, -1.0, 1.0, -6.0]), np.array([-1.0, 1.0]), np.array([-3.0, 3.0]))
    for row in ([1.0, 1.0, 0.0], [1.0, 1.05, 0.02]):
        run = wl.evolve(problem, wl.Particles(jnp.array([row])), flow(1e-3), t1=1.0, save_at=[0.5, 1.0])
        c, a, b = np.asarray(run.final.positions[0])
        assert (a, b) == (1.0, 0.0)
        assert run.sticking.tolist()[1:] == [1, 1]
        assert c == pytest.approx(3.0 - 2.0 * np.exp(-2.0), abs=0.02 if a != row[1] else 1e-3)


@pytest.mark.slow
def test_a_neuron_slides_into_an_apex_and_is_held():
    """|z - 1/2|, samples -1 and 1 with targets -1: psi is c SUM rho |z - 1/2|, rho >= 1, least at the apex (0, 1/2).

    On the line of -1, w = (a, a + 1/2), only the sample 1 counts, rho_1 = 2 a c + 1: a' = -c rho_1, c' = -2 a rho_1
    keep c^2 - 2 a^2.
    """
    problem = problem_of(([-8.0, 0.5, 8.0], [8.5, 0.0, 7.5]), np.array([-1.0, 1.0]), np.array([-1.0, -1.0]))
    run = wl.evolve(problem, wl.Particles(jnp.array([[1.0, 0.3, 0.8]])), flow(1e-3), t1=1.0, save_at=[0.05, 0.5, 1.0])
    assert run.sticking.tolist() == [1, 1, 0, 0]
    assert run.dead.tolist() == [0, 0, 0, 0]
    c, a, b = np.asarray(run.final.positions[0])
    assert (a, b) == (0.0, 0.5)
    assert c == pytest.approx(np.sqrt(1.0 - 2.0 * 0.3**2), abs=2e-3)
    np.testing.assert_array_equal(run[2].positions, run[3].positions)


@pytest.mark.slow
def test_a_neuron_leaves_an_apex():
    """Slopes -1 and 2 at 1/2, samples 0 and 1, targets 1 and 3, f = 0 at the apex: rho = (-1, -3).

    With both above the kink v = 2 (X_0 + 3 X_1) = (6, 8), with both below -(3, 4), and less between.
    """
    problem = problem_of(([-8.0, 0.5, 8.0], [8.5, 0.0, 15.0]), np.array([0.0, 1.0]), np.array([1.0, 3.0]))
    theta, carried = problem.unpack(wl.Particles(np.array([[1.0, 0.0, 0.5]])))
    neurons = kinked_neurons(problem, carried, None, "test")
    label = neurons.labels(theta)
    assert label.tolist() == [[NONE, APEX, NONE]]
    done = jax.jit(lambda theta, label: move(neurons, theta, label, jnp.asarray(0.01)))(theta, label)
    np.testing.assert_allclose(done.w, [[0.06, 0.58]], rtol=1e-13)
    assert done.label.tolist() == [[NONE] * 3]
    # A hard tanh is constant beside its apexes: nothing leaves them.
    hard = problem_of(HARD, X4, np.ones(4))
    run = wl.evolve(hard, wl.Particles(jnp.array([[1.0, 0.0, 1.0], [1.0, 0.5, 0.2]])), flow(0.01), t1=0.1)
    np.testing.assert_array_equal(run.final.positions[0, 1:], [0.0, 1.0])
    assert run.dead.tolist()[-1] == 1


@pytest.mark.slow
def test_residual_dynamics_are_those_of_the_particles():
    """Against what a short step does to the predictions; the offsets of the pieces count, and so does a scale."""
    rows = 1.5 * np.random.default_rng(1).normal(size=(30, 3))
    base = problem_of(THREE, X5, 1.5 * np.sin(5.0 * X5))
    scaled = wl.Problem(base.unit, base.data, base.loss, scale=wl.scales.Power(0.5))
    for problem, time in ((base, 1.0), (scaled, 0.02)):
        run = wl.evolve(problem, wl.Particles(rows), flow(0.02 * time), t1=time, save_at=[time])
        found = wl.analysis.residual_dynamics(problem, run.final)
        step = 1e-7
        moved = wl.evolve(problem, run.final, flow(step), t1=step, save_at=[step])
        rate = (problem.predict(moved.final, X5) - problem.predict(run.final, X5)) / step
        np.testing.assert_allclose(found.rate, rate, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(found.rate, -(found.kernel @ found.dual), rtol=1e-11, atol=1e-12)
    with pytest.raises(ValueError, match="one kink"):
        wl.analysis.attractors(base, run.final)


@pytest.mark.slow
def test_equal_particles_move_as_one_and_a_run_goes_on_where_it_was(tmp_path):
    rows = 1.5 * np.random.default_rng(1).normal(size=(30, 3))
    problem = problem_of(THREE, X5, 1.5 * np.sin(5.0 * X5))
    once = wl.evolve(problem, wl.Particles(rows), flow(0.02), t1=1.0, save_at=[1.0])
    twice = wl.evolve(problem, wl.Particles(np.repeat(rows, 2, axis=0)), flow(0.02), t1=1.0, save_at=[1.0])
    np.testing.assert_allclose(twice.final.positions[::2], once.final.positions, rtol=1e-9, atol=1e-10)
    assert int(twice.sticking[-1]) == 2 * int(once.sticking[-1])
    part = wl.evolve(
        problem, wl.Particles(rows), flow(0.02), t1=1.0, save_at=[1.0], max_steps=20, throw=False, checkpoint=tmp_path
    )
    assert not part.outcome.ok
    whole = wl.evolve(problem, wl.Particles(rows), flow(0.02), t1=1.0, save_at=[1.0], checkpoint=tmp_path)
    np.testing.assert_array_equal(whole.final.positions, once.final.positions)
