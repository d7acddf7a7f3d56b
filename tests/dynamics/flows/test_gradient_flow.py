"""The gradient flow against another solver and against flows solved by hand."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.linalg

import widelimit as wl
from widelimit import integrators, observables, schedules

TIGHT = integrators.Tsit5(1e-11, 1e-12)
# Compiles in a third of the time.
FINE = integrators.RungeKutta4(0.01)


def _value(theta: Any, x: Any) -> Any:
    return theta.a


def _pair(theta: Any, x: Any) -> Any:
    return theta.a * x[0] + theta.h * x[1]


def _linear(theta: Any, x: Any) -> Any:
    return jnp.dot(theta.w, x)


# phi = a, one target 0: R = a^2 / 2 for one particle.
_number = wl.units.Function(_value, columns=["a"])
_origin = wl.data.Samples(np.zeros((1, 1)), np.zeros(1))


def test_against_an_independent_solver() -> None:
    rng = np.random.default_rng(0)
    n, q, d, decay = 7, 9, 3, 0.03
    x, y, mu = rng.normal(size=(q, d)), rng.normal(size=q), rng.uniform(1, 2, q)
    mu /= mu.sum()
    w = rng.uniform(1, 2, n)
    w /= w.sum()
    start = rng.normal(size=(n, d + 2))

    def velocity(t: float, flat: np.ndarray) -> np.ndarray:
        rows = flat.reshape(n, d + 2)
        c, v, b = rows[:, 0], rows[:, 1:-1], rows[:, -1]
        hidden = np.tanh(v @ x.T + b[:, None])
        slope = mu * (w @ (c[:, None] * hidden) - y)
        inner = slope * c[:, None] * (1 - hidden**2)
        gradient = np.concatenate([(hidden @ slope)[:, None], inner @ x, inner.sum(1)[:, None]], axis=1)
        return -(gradient + 2 * decay * rows).ravel()

    times = np.array([0.0, 0.3, 1.7, 4.0])
    exact = scipy.integrate.solve_ivp(velocity, (0, 4), start.ravel(), "DOP853", times, rtol=1e-12, atol=1e-13)
    problem = wl.Problem(
        wl.units.Neuron(wl.activations.tanh), wl.data.Samples(x, y, mu), penalty=wl.penalties.l2(decay)
    )
    for integrator, tolerance in ((TIGHT, 1e-8), (integrators.RungeKutta4(0.01), 1e-8)):
        run = wl.evolve(problem, wl.Particles(start, w), wl.GradientFlow(integrator), t1=4.0, save_at=times)
        np.testing.assert_allclose(run.positions, exact.y.T.reshape(4, n, d + 2), atol=tolerance)


def test_a_quadratic_potential_decays_exponentially() -> None:
    run = wl.evolve(wl.Problem(_number, _origin), wl.Particles([[2.0]]), wl.GradientFlow(TIGHT), t1=3.0)
    np.testing.assert_allclose(run.positions[:, 0, 0], 2.0 * np.exp(-run.times), rtol=1e-8)
    np.testing.assert_allclose(run.risk, 2.0 * np.exp(-2.0 * run.times), rtol=1e-8)
    np.testing.assert_allclose(run.dissipation, 4.0 * np.exp(-2.0 * run.times), rtol=1e-8)


def test_mobility_loss_factor_and_penalty_set_the_rate() -> None:
    problem = wl.Problem(
        _number,
        _origin,
        wl.losses.squared(1.0),
        penalty=wl.penalties.l2(0.25),
        mobility=wl.mobilities.Diagonal(a=3.0),
    )
    run = wl.evolve(problem, wl.Particles([[2.0]]), wl.GradientFlow(FINE), t1=1.0)
    # a' = -3 (2 a + 2 a / 4).
    np.testing.assert_allclose(run.positions[:, 0, 0], 2.0 * np.exp(-7.5 * run.times), rtol=1e-5)
    np.testing.assert_allclose(run.dissipated + run.risk + run.penalty, 5.0, rtol=1e-5)


def test_a_linear_unit_moves_by_a_matrix_exponential() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(6, 2))
    y = x @ np.array([1.0, -2.0])
    start = rng.normal(size=(3, 2))
    problem = wl.Problem(wl.units.Function(_linear, columns={"w": (2,)}), wl.data.Samples(x, y))
    last = wl.evolve(problem, wl.Particles(start), wl.GradientFlow(FINE), t1=2.0).final.positions
    # The mean obeys m' = -A (m - m*), and every particle moves as the mean does.
    mean, best = start.mean(0), np.array([1.0, -2.0])
    shift = scipy.linalg.expm(-2.0 * x.T @ x / 6) @ (mean - best) + best - mean
    np.testing.assert_allclose(last, start + shift, atol=1e-9)


@pytest.mark.parametrize("start", [1.0, -1.0])
def test_total_variation_follows_the_soft_threshold_path(start: float) -> None:
    strength = 0.5
    problem = wl.Problem(_number, _origin, penalty=wl.penalties.total_variation(strength, "a"))
    times = np.linspace(0.0, 2.0, 41)
    flow = wl.GradientFlow(integrators.ProximalHeun(1e-7, 1e-9))
    run = wl.evolve(problem, wl.Particles([[start]]), flow, t1=2.0, save_at=times)
    # |a|' = -|a| - strength until 0, which is reached at log((1 + strength) / strength).
    exact = np.maximum(0.0, -strength + (1.0 + strength) * np.exp(-times))
    np.testing.assert_allclose(run.positions[:, 0, 0], np.sign(start) * exact, atol=1e-5)
    after = times > np.log((1.0 + strength) / strength) + 0.01
    assert after.sum() > 15
    assert np.all(run.positions[after] == 0.0)
    fall = run.risk[0] + run.penalty[0] - run.risk - run.penalty
    np.testing.assert_allclose(run.dissipated, fall, atol=2e-4)


def test_total_variation_wakes_no_charge_below_the_threshold() -> None:
    data = wl.data.Samples(np.zeros((1, 1)), np.array([0.4]))
    quiet = wl.Problem(_number, data, penalty=wl.penalties.total_variation(0.5, "a"))
    loud = wl.Problem(_number, data, penalty=wl.penalties.total_variation(0.3, "a"))
    assert np.all(wl.evolve(quiet, wl.Particles([[0.0]]), wl.GradientFlow(), t1=5.0).positions == 0.0)
    last = wl.evolve(loud, wl.Particles([[0.0]]), wl.GradientFlow(), t1=30.0).final.positions
    np.testing.assert_allclose(last, 0.1, atol=1e-4)


@pytest.mark.parametrize("integrator", [integrators.Tsit5(1e-9, 1e-11), integrators.RungeKutta4(0.001)])
def test_mass_gathers_at_a_wall_and_leaves_it_later(integrator: Any) -> None:
    # R = ((h - a)^2 + a^2) / 4: h follows a, which starts beyond the wall h <= 1 and decays.
    x, y = np.array([[-1.0, 1.0], [1.0, 0.0]]), np.zeros(2)
    problem = wl.Problem(
        wl.units.Function(_pair, columns=["a", "h"]),
        wl.data.Samples(x, y),
        domain=wl.domains.product(h=wl.domains.Box(-1.0, 1.0)),
    )
    times = np.linspace(0.0, 6.0, 61)
    free = np.array([[-1.0, 0.5], [0.5, -0.5]])

    def inside(t: float, z: np.ndarray) -> np.ndarray:
        return free @ z

    def reaches(t: float, z: np.ndarray) -> float:
        return z[1] - 1.0

    reaches.terminal = True  # pyright: ignore[reportFunctionMemberAccess]
    first = scipy.integrate.solve_ivp(
        inside, (0, 6), [3.0, 0.9], "DOP853", events=reaches, rtol=1e-12, atol=1e-13, dense_output=True
    )
    hit, a = first.t[-1], first.y[0, -1]
    # On the wall a' = -a + 1/2, until a = 1.
    leave = hit + np.log((a - 0.5) / 0.5)
    expected = np.empty((61, 2))
    for i, t in enumerate(times):
        if t <= hit:
            expected[i] = first.sol(t)
        elif t <= leave:
            expected[i] = 0.5 + (a - 0.5) * np.exp(-(t - hit)), 1.0
        else:
            expected[i] = scipy.linalg.expm(free * (t - leave)) @ np.ones(2)
    assert 0.0 < hit < leave < 3.0
    run = wl.evolve(problem, wl.Particles([[3.0, 0.9]]), wl.GradientFlow(integrator), t1=6.0, save_at=times)
    # Steps across the wall lose their order there: an error of one step.
    np.testing.assert_allclose(run.positions[:, 0], expected, atol=2e-3)
    assert np.all(run.positions[..., 1] <= 1.0)
    assert np.all(run.positions[(times > hit + 0.02) & (times < leave - 0.02), 0, 1] == 1.0)


def _minus(f: Any, y: Any) -> Any:
    return -f


def test_a_sphere_is_kept_and_its_great_circle_followed() -> None:
    # psi = -w . e_1 on the circle of radius 2: the angle to e_1 obeys p' = -sin(p) / 2.
    problem = wl.Problem(
        wl.units.Function(_linear, columns={"w": (2,)}),
        wl.data.Samples(np.array([[1.0, 0.0]]), np.zeros(1)),
        _minus,
        domain=wl.domains.Sphere(2.0),
    )
    angles = np.array([0.3, 1.5, -3.0])
    start = 2.0 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    run = wl.evolve(problem, wl.Particles(start), wl.GradientFlow(TIGHT), t1=4.0)
    exact = 2.0 * np.arctan(np.tan(angles / 2) * np.exp(-run.times[:, None] / 2))
    np.testing.assert_allclose(np.linalg.norm(run.positions, axis=-1), 2.0, rtol=1e-13)
    np.testing.assert_allclose(np.arctan2(run.positions[..., 1], run.positions[..., 0]), exact, atol=1e-7)


def test_a_circle_is_walked_around() -> None:
    # psi = -a on numbers modulo 1: a' = 1, written in [0, 1).
    problem = wl.Problem(_number, _origin, _minus, domain=wl.domains.Circle(1.0))
    for integrator in (None, integrators.RungeKutta4(0.3), integrators.ProximalHeun()):
        run = wl.evolve(
            problem, wl.Particles([[0.25]]), wl.GradientFlow(integrator), t1=2.6, save_at=[0.5, 0.9, 1.7, 2.4]
        )
        np.testing.assert_allclose(run.positions[:, 0, 0], np.mod(0.25 + run.times, 1.0), atol=1e-9)


@pytest.mark.parametrize(
    "xi", [schedules.power(0.5, 2.0), schedules.piecewise([0.5, 1.0], [1.0, 3.0, 0.5]), lambda t: 1.0 + t**2]
)
def test_a_schedule_only_changes_the_clock(xi: Any) -> None:
    flow = wl.GradientFlow(FINE, schedule=xi)
    run = wl.evolve(wl.Problem(_number, _origin), wl.Particles([[2.0]]), flow, t1=2.0, save_at=[0.25, 0.75, 1.5])
    tau = [scipy.integrate.quad(lambda t: float(flow.schedule(t)), 0, t, points=[0.5, 1.0])[0] for t in run.times]
    np.testing.assert_allclose(run.positions[:, 0, 0], 2.0 * np.exp(-np.array(tau)), rtol=1e-7)


def test_a_schedule_that_ends_at_zero_stops_the_flow() -> None:
    flow = wl.GradientFlow(FINE, schedule=schedules.piecewise([1.0], [1.0, 0.0]))
    run = wl.evolve(wl.Problem(_number, _origin), wl.Particles([[2.0]]), flow, t1=3.0, save_at=[1.0, 2.0])
    np.testing.assert_allclose(run.positions[1:, 0, 0], 2.0 * np.exp(-1.0), rtol=1e-9)


def _tanh_problem(**options: Any) -> wl.Problem:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(8, 2))
    return wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(x, np.sin(x[:, 0])), **options)


@pytest.mark.first(1)
@pytest.mark.parametrize("integrator", [None, integrators.RungeKutta4(0.05), integrators.ProximalHeun()])
def test_frozen_blocks_stay_bit_for_bit(integrator: Any) -> None:
    start = wl.Particles(np.random.default_rng(3).normal(size=(5, 4)))
    flow = wl.GradientFlow(integrator, trainable=["output"])
    last = wl.evolve(_tanh_problem(), start, flow, t1=1.0).final.positions
    np.testing.assert_array_equal(last[:, 1:], start.positions[:, 1:])
    assert float(jnp.min(jnp.abs(last[:, 0] - start.positions[:, 0]))) > 1e-4


def test_trainable_equals_a_mobility_of_zero() -> None:
    start = wl.Particles(np.random.default_rng(3).normal(size=(5, 4)))
    still = wl.mobilities.Diagonal(weight=0.0, bias=0.0)
    a = wl.evolve(_tanh_problem(), start, wl.GradientFlow(FINE, trainable=("output",)), t1=1.0)
    b = wl.evolve(_tanh_problem(mobility=still), start, wl.GradientFlow(FINE), t1=1.0)
    np.testing.assert_allclose(a.positions, b.positions, atol=1e-9)


def test_what_is_dissipated_is_the_fall_of_the_objective() -> None:
    start = wl.Particles(np.random.default_rng(4).normal(size=(5, 4)))
    for penalty in (wl.penalties.l2(0.1), wl.penalties.total_variation(0.2, "output")):
        integrator: Any = FINE if penalty.smooth else integrators.ProximalHeun(1e-6, 1e-8)
        run = wl.evolve(_tanh_problem(penalty=penalty), start, wl.GradientFlow(integrator), t1=3.0)
        objective = run.risk + run.penalty
        np.testing.assert_allclose(run.dissipated, objective[0] - objective, atol=1e-8 if penalty.smooth else 1e-3)


def test_a_particle_of_weight_zero_moves_and_moves_nothing() -> None:
    rows = np.random.default_rng(5).normal(size=(4, 4))
    flow = wl.GradientFlow(FINE)
    alone = wl.evolve(_tanh_problem(), wl.Particles(rows[:3]), flow, t1=1.0).final.positions
    beside = wl.evolve(_tanh_problem(), wl.Particles(rows, [1 / 3, 1 / 3, 1 / 3, 0.0]), flow, t1=1.0).final.positions
    np.testing.assert_allclose(beside[:3], alone, atol=1e-9)
    assert float(jnp.max(jnp.abs(beside[3] - rows[3]))) > 1e-3


def test_particles_in_single_precision_run() -> None:
    rows = np.random.default_rng(5).normal(size=(4, 4))
    wide = wl.evolve(_tanh_problem(), wl.Particles(rows), wl.GradientFlow(), t1=1.0)
    narrow = wl.evolve(_tanh_problem(), wl.Particles(rows.astype(np.float32)), wl.GradientFlow(), t1=1.0)
    np.testing.assert_allclose(narrow.positions, wide.positions, atol=1e-5)


def test_data_in_single_precision_run() -> None:
    x = np.random.default_rng(2).normal(size=(8, 2)).astype(np.float32)
    problem = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(x, np.sin(x[:, 0])))
    start = wl.Particles(np.random.default_rng(5).normal(size=(4, 4)))
    run = wl.evolve(problem, start, wl.GradientFlow(), t1=1.0)
    np.testing.assert_allclose(
        run.positions, wl.evolve(_tanh_problem(), start, wl.GradientFlow(), t1=1.0).positions, atol=1e-5
    )


# Finite width against the limit.

_WIDTH = 128


def _wave(theta: Any, x: Any) -> Any:
    return jnp.tanh(theta.w * x[0])


def _wave_problem() -> wl.Problem:
    x = np.linspace(-2.0, 2.0, 9)
    return wl.Problem(wl.units.Function(_wave, columns=["w"]), wl.data.Samples(x, np.sin(2.0 * x)))


def _flows(problem: wl.Problem, rows: np.ndarray, weights: np.ndarray, flow: wl.GradientFlow) -> tuple[Any, Any]:
    """Risks and predictions at the end of many flows at once; particles of weight zero fill them up."""
    from widelimit.dynamics import advance

    clock = flow.clock.reading(1.0)
    x = problem.data.nodes.x  # pyright: ignore[reportOptionalMemberAccess]

    @jax.jit
    def one(rows: Any, weights: Any) -> Any:
        state = flow.init(problem, wl.Particles(rows, weights), t1=1.0, key=None)
        state, _, _ = advance(flow, problem, state, clock, 1000)
        last = flow.measure(problem, state, clock)
        return problem.risk(last), problem.predict(last, x)

    return jax.lax.map(lambda pair: one(*pair), (jnp.asarray(rows), jnp.asarray(weights)))


def test_finite_width_approaches_the_limit_as_one_over_n() -> None:
    problem, flow = _wave_problem(), wl.GradientFlow(integrators.RungeKutta4(0.1))
    nodes, mass = np.polynomial.hermite_e.hermegauss(_WIDTH)
    _, limit = _flows(problem, nodes[None, :, None], (mass / mass.sum())[None], flow)
    seeds, widths = 80, np.array([8, 16, 32, 64])
    rows = np.random.default_rng(6).normal(size=(seeds, _WIDTH, 1))
    squares, falls = [], []
    risk: dict[int, np.ndarray] = {}
    for n in (*widths, _WIDTH):
        groups = np.zeros((_WIDTH // n, _WIDTH))
        for i, group in enumerate(groups):
            group[i * n : (i + 1) * n] = 1.0 / n
        few = groups[: max(2, 16 // n)] if n < _WIDTH else groups
        risks, f = _flows(problem, np.repeat(rows, len(few), 0), np.tile(few, (seeds, 1)), flow)
        risk[int(n)] = np.asarray(risks).reshape(seeds, len(few))
        squares.append(float(jnp.mean((f - limit) ** 2)))
    for n in widths:
        # Two halves against their union: what is linear in the measure cancels, the bias of order 1/n stays.
        falls.append(float(np.mean(risk[int(n)][:, :2].mean(1) - risk[int(2 * n)][:, 0])))
    assert abs(np.polyfit(np.log([*widths, _WIDTH]), np.log(squares), 1)[0] + 1.0) < 0.3
    assert min(falls) > 0
    assert abs(np.polyfit(np.log(widths), np.log(falls), 1)[0] + 1.0) < 0.3


# What cannot run.


def test_refuses_data_without_nodes() -> None:
    data = wl.data.GaussianClasses(1.0, 2.0, dim=2)
    problem = wl.Problem(wl.units.Neuron(wl.activations.tanh), data)
    with pytest.raises(ValueError, match=r"GradientFlow needs data with nodes.*freeze"):
        wl.evolve(problem, wl.Particles(np.ones((2, 4))), wl.GradientFlow(), t1=1.0)


def test_unknown_trainable_block() -> None:
    for names in (["nothing"], []):
        with pytest.raises(ValueError, match=r"trainable.*output, weight, bias"):
            wl.evolve(_tanh_problem(), wl.Particles(np.ones((2, 4))), wl.GradientFlow(trainable=names), t1=1.0)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: integrators.RungeKutta4(0.0), "step"),
        (lambda: integrators.RungeKutta4(-1.0), "step"),
        (lambda: integrators.RungeKutta4(float("nan")), "step"),
        (lambda: integrators.Tsit5(rtol=0.0), "rtol"),
        (lambda: integrators.Tsit5(atol=-1.0), "atol"),
        (lambda: integrators.Tsit5(largest=-1.0), "largest"),
        (lambda: integrators.Tsit5(largest=0.0), "largest"),
        (lambda: integrators.ProximalHeun(rtol=2.0), "rtol"),
        (lambda: wl.GradientFlow(schedule=-1.0), "schedule"),
        (lambda: wl.GradientFlow(schedule=float("nan")), "schedule"),
    ],
)
def test_bad_numbers(make: Any, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        make()


def test_the_advice_of_a_blow_up() -> None:
    def cube(theta: Any, x: Any) -> Any:
        return theta.a**3

    # a' = 3 a^5 blows up in finite time.
    problem = wl.Problem(wl.units.Function(cube, columns=["a"]), _origin, lambda f, y: -0.5 * f**2)
    for integrator in (None, integrators.RungeKutta4(0.01)):
        run = wl.evolve(problem, wl.Particles([[1.0]]), wl.GradientFlow(integrator), t1=1.0, throw=False)
        assert run.outcome in (wl.Outcome.DIVERGED, wl.Outcome.STALLED)
        assert 0.0 < run.times[-1] < 0.1
        exact = (1.0 - 12.0 * run.times) ** -0.25
        np.testing.assert_allclose(run.positions[:-1, 0, 0], exact[:-1], rtol=1e-2)
        with pytest.raises(wl.EvolutionError) as raised:
            wl.evolve(problem, wl.Particles([[1.0]]), wl.GradientFlow(integrator), t1=1.0)
        np.testing.assert_array_equal(raised.value.trajectory.times, run.times)
        assert "t1" in str(raised.value) or "try" in str(raised.value)


def test_a_step_that_diverges_is_answered_by_one_that_works() -> None:
    import re

    # Curvature 100: the classical method is stable below 2.78 / 100.
    problem = wl.Problem(_number, _origin, wl.losses.squared(50.0))
    watch = (observables.Risk(),)
    start = wl.Particles([[1.0]])
    bad = wl.evolve(problem, start, wl.GradientFlow(integrators.RungeKutta4(0.5)), t1=200.0, throw=False, observe=watch)
    assert bad.outcome is wl.Outcome.DIVERGED
    step = float(re.search(r"RungeKutta4\(step=([^)]*)\)", bad.message).group(1))  # pyright: ignore
    good = wl.evolve(problem, start, wl.GradientFlow(integrators.RungeKutta4(step)), t1=2.0, observe=watch)
    assert good.risk[-1] < 1e-6


def test_a_vector_charge_turns_while_it_shrinks() -> None:
    """c' = (0, 1) - l c/|c|: the direction of the penalty's force changes along the step."""
    unit = wl.units.Function(lambda theta, x: theta.c, columns={"c": (2,)}, linear="c")
    data = wl.data.Samples([[1.0]], [[0.0, 0.0]])
    problem = wl.Problem(unit, data, lambda f, y: -f[1], penalty=wl.penalties.total_variation(0.9, "c"))

    def right(t: float, c: Any) -> Any:
        return np.array([0.0, 1.0]) - 0.9 * c / np.hypot(*c)

    exact = scipy.integrate.solve_ivp(right, (0.0, 0.5), [1.0, 0.0], rtol=1e-11, atol=1e-12).y[:, -1]
    errors = []
    for rtol in (1e-3, 1e-5):
        flow = wl.GradientFlow(integrators.ProximalHeun(rtol, rtol / 100))
        run = wl.evolve(problem, wl.Particles([[1.0, 0.0]]), flow, t1=0.5)
        errors.append(float(np.max(np.abs(run.final.positions[0] - exact))))
    assert errors[1] < 1e-4
    assert errors[1] < errors[0] / 10
