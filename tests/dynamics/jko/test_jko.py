"""JKO: its steps by other solvers, its inequalities, its order, and the density it holds at a temperature."""

import itertools
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.stats

import widelimit as wl
from widelimit import integrators, schedules
from widelimit.dynamics import JKO, TransportPDE
from widelimit.measure import grids
from widelimit.problem import domains, mobilities, penalties

_X = np.linspace(-1.5, 1.5, 9)
_Y = np.sin(2.0 * _X)
_Z = np.array([-1.2, 0.3, -0.4, 1.0, 0.5])
_W = np.array([0.1, 0.2, 0.3, 0.15, 0.25])
_LAW = wl.laws.Normal(0.0, 1.0, dim=1)


def _bump(theta: Any, x: Any) -> Any:
    return theta.a * jnp.tanh(2.0 * (x[0] - theta.a))


def _value(theta: Any, x: Any) -> Any:
    return theta.a + 0.0 * x[0]


def _nothing(theta: Any, x: Any) -> Any:
    return 0.0 * theta.a * x[0]


_UNIT = wl.units.Function(_bump, columns=["a"])
_VALUE = wl.units.Function(_value, columns=["a"])


def _problem(points: int = 9, **parts: Any) -> wl.Problem:
    """psi'' is above -1.4, so that steps up to 0.7 have one minimum."""
    data = wl.data.Samples(_X[:points], _Y[:points])
    return wl.Problem(_UNIT, data, wl.losses.squared(1.0), **{"penalty": penalties.l2(0.05), **parts})


def _gaussian(target: float = 2.0, **parts: Any) -> wl.Problem:
    """psi = (mean - target) theta + theta^2 / 2: a Gaussian stays one."""
    return wl.Problem(_VALUE, wl.data.Samples([[0.0]], [target]), penalty=penalties.l2(0.5), **parts)


def _run(problem: wl.Problem, start: Any, dynamics: JKO, t1: float, **options: Any) -> Any:
    steps = round(t1 / float(dynamics.tau))
    return wl.evolve(problem, start, dynamics, t1=t1, save_at=np.linspace(0.0, t1, steps + 1), **options)


def _step(problem: wl.Problem, start: Any, dynamics: JKO) -> np.ndarray:
    return _run(problem, start, dynamics, float(dynamics.tau)).positions[-1][:, 0]


def _particles(x: Any, w: Any = None) -> wl.Particles:
    return wl.Particles(np.reshape(x, (-1, 1)), w)


def _objective(x: np.ndarray, w: np.ndarray, points: int = 9) -> float:
    """The objective of `_problem`, in NumPy."""
    f = w @ (x[:, None] * np.tanh(2.0 * (_X[:points] - x[:, None])))
    return float(np.mean((f - _Y[:points]) ** 2) + 0.05 * w @ x**2)


# The inner problem has more data than particles, and fewer: dense, and by Woodbury's formula.
@pytest.mark.parametrize("points", [9, 2])
def test_a_step_is_backward_euler(points: int) -> None:
    tau, problem = 0.3, _problem(points)

    def residual(x: np.ndarray) -> np.ndarray:
        own = x[:, None]
        psi1 = problem.potential(_particles(x, _W)).gradient(own)[:, 0]
        return x - _Z + tau * np.asarray(psi1)

    found = scipy.optimize.root(residual, _Z, tol=1e-14)
    assert np.max(np.abs(residual(found.x))) < 1e-14
    np.testing.assert_allclose(_step(problem, _particles(_Z, _W), JKO(tau)), found.x, rtol=0, atol=1e-13)


def test_a_step_at_a_temperature_minimises_the_free_energy() -> None:
    tau, heat, lower = 0.3, 0.2, -1.5
    order = np.argsort(_Z)
    z, w = _Z[order], _W[order]
    masses = np.concatenate([[0.5 * w[0]], 0.5 * (w[1:] + w[:-1])])

    def energy(x: np.ndarray) -> float:
        gaps = np.diff(np.concatenate([[lower], x]))
        if np.any(gaps <= 0):
            return np.inf
        free = _objective(x, w) - heat * np.sum(masses * np.log(gaps / masses))
        return free + np.sum(w * (x - z) ** 2) / (2.0 * tau)

    best = scipy.optimize.minimize(
        energy, z, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-15, "maxiter": 8000}
    )
    problem = _problem(domain=domains.HalfLine(lower))
    run = _run(problem, _particles(_Z, _W), JKO(tau, temperature=heat), tau)
    x = run.positions[-1][order, 0]
    # A minimum found from values alone is known to the root of their rounding.
    np.testing.assert_allclose(x, best.x, atol=1e-6)
    assert energy(x) <= best.fun + 1e-14
    assert run.free_energy[-1] == pytest.approx(energy(x) - np.sum(w * (x - z) ** 2) / (2.0 * tau), abs=1e-13)


def test_walls_hold_what_the_step_pushes_into_them() -> None:
    tau, problem = 0.4, _problem(domain=domains.Box(0.5, 2.0))
    z = np.array([0.5, 0.52, 0.55, 0.7, 1.0, 1.8])
    w = np.full(6, 1.0 / 6.0)

    def energy(x: np.ndarray) -> float:
        return _objective(x, w) + np.sum(w * (x - z) ** 2) / (2.0 * tau)

    best = scipy.optimize.minimize(
        energy, z, bounds=[(0.5, 2.0)] * 6, method="L-BFGS-B", options={"ftol": 1e-16, "gtol": 1e-10}
    )
    x = _step(problem, _particles(z), JKO(tau))
    np.testing.assert_allclose(x, best.x, atol=1e-6)
    assert energy(x) <= best.fun + 1e-14
    assert 1 < np.sum(x == 0.5) < 6
    np.testing.assert_array_equal(x == 0.5, best.x == 0.5)


def test_the_upper_wall_is_a_mirror_of_the_lower_one() -> None:
    def mirrored(theta: Any, x: Any) -> Any:
        return -theta.a * jnp.tanh(2.0 * (x[0] + theta.a))

    z, data = np.array([0.5, 0.52, 0.55, 0.7, 1.0, 1.8]), wl.data.Samples(_X, _Y)
    below = _step(_problem(domain=domains.Box(0.5, 2.0)), _particles(z), JKO(0.4))
    unit = wl.units.Function(mirrored, columns=["a"])
    other = wl.Problem(unit, data, wl.losses.squared(1.0), penalty=penalties.l2(0.05), domain=domains.Box(-2.0, -0.5))
    run = _run(other, _particles(-z), JKO(0.4), 0.4)
    np.testing.assert_allclose(run.positions[-1][:, 0], -below, atol=1e-13)
    assert np.sum(run.positions[-1] == -0.5) > 1
    # As many steps of Newton's method as from the other side.
    assert run.newton[-1] == _run(_problem(domain=domains.Box(0.5, 2.0)), _particles(z), JKO(0.4), 0.4).newton[-1]


@pytest.mark.parametrize("heat", [0.0, 0.1])
@pytest.mark.parametrize("tau", [0.05, 0.6])
def test_energy_inequality(heat: float, tau: float) -> None:
    problem = _problem()
    run = _run(problem, _LAW, JKO(tau, temperature=heat, particles=60), 12 * tau)
    energy = run.objective if heat == 0 else run.free_energy
    fall = -np.diff(energy)
    assert np.all(fall > 0)
    steps = [float(wl.measure.wasserstein2(a, b)) ** 2 for a, b in itertools.pairwise(run[i] for i in range(len(run)))]
    assert np.all(np.array(steps) <= 2.0 * tau * fall)
    np.testing.assert_allclose(run.action, np.concatenate([[0.0], np.cumsum(steps)]) / (2.0 * tau), rtol=1e-12)
    assert run.action[-1] > 0.3 * fall.sum()


@pytest.mark.slow
@pytest.mark.parametrize("heat", [0.0, 0.05])
def test_order_one(heat: float) -> None:
    problem, counts = _problem(), [8, 16, 32, 64]
    start = _LAW.quantise(20)
    if heat == 0:
        exact = wl.evolve(problem, start, wl.GradientFlow(integrators.Tsit5(1e-10, 1e-12)), t1=1.0).positions[-1]
    else:
        # No other method moves these particles; the limit is tested by the density below.
        fine = [wl.evolve(problem, start, JKO(1.0 / n, temperature=heat), t1=1.0).positions[-1] for n in (1024, 2048)]
        exact = 2.0 * fine[1] - fine[0]
    runs = [wl.evolve(problem, start, JKO(1.0 / n, temperature=heat), t1=1.0) for n in counts]
    errors = [np.sqrt(np.mean((run.positions[-1] - exact) ** 2)) for run in runs]
    slope = -np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert abs(slope - 1.0) < 0.15, f"fitted {slope:.3f}; errors {errors}"


def test_gaussian_steps_at_a_temperature() -> None:
    # W_2 between N(a, u^2) and N(b, v^2) is (a - b)^2 + (u - v)^2: the step is mean' + tau (2 mean' - 2) = mean and
    # v' (1 + tau - tau T / v'^2) = v for the standard deviation v.
    tau, heat, t1 = 0.1, 0.2, 1.0
    mean, deviation = 0.0, 0.7
    for _ in range(10):
        mean = (mean + 2.0 * tau) / (1.0 + 2.0 * tau)
        deviation = (deviation + np.sqrt(deviation**2 + 4.0 * (1.0 + tau) * tau * heat)) / (2.0 * (1.0 + tau))
    errors, counts = [], [50, 200]
    for n in counts:
        run = wl.evolve(_gaussian(), wl.laws.Normal(0.0, 0.7, dim=1), JKO(tau, temperature=heat, particles=n), t1=t1)
        x = run.positions[-1][:, 0]
        assert x.mean() == pytest.approx(mean, abs=1e-12)
        errors.append(abs(x.var() / deviation**2 - 1.0))
    # The variance of n midpoint quantiles is itself too small by about 1/n.
    assert errors[1] < 0.01
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.1)


def test_gibbs_between_walls() -> None:
    # psi = (mean - 2) theta on [0, 1]: the fixed point is exp(-psi / T) between the walls.
    heat, errors, counts = 0.2, [], [50, 200]
    problem = wl.Problem(_VALUE, wl.data.Samples([[0.0]], [2.0]), domain=domains.Box(0.0, 1.0))
    s = scipy.optimize.brentq(lambda s: 2.0 - heat * s - np.exp(s) / np.expm1(s) + 1.0 / s, 0.1, 20.0)
    for n in counts:
        run = wl.evolve(problem, wl.laws.Uniform(0.0, 1.0, dim=1), JKO(0.5, temperature=heat, particles=n), t1=40.0)
        levels = (np.arange(n) + 0.5) / n
        errors.append(np.mean(np.abs(run.positions[-1][:, 0] - np.log1p(levels * np.expm1(s)) / s)))
    assert errors[1] < 1e-3
    assert errors[0] / errors[1] > 3.5


@pytest.mark.slow
def test_gibbs_of_a_reduced_problem_has_its_volume() -> None:
    heat, n, dim = 0.02, 100, 40
    problem = wl.problems.isotropic_gaussians(delta=0.5, dim=dim, penalty=penalties.l2(0.3)).reduced()
    start = wl.laws.Chi(dim, 0.8 / dim**0.5)
    last = wl.evolve(problem, start, JKO(1.0, temperature=heat, particles=n), t1=40.0).final
    r = np.linspace(0.0, 8.0, 4001)[1:]
    psi = np.asarray(problem.potential(last)(r[:, None]))
    density = r ** (dim - 1) * np.exp(-psi / heat)
    cdf = scipy.integrate.cumulative_trapezoid(density, r, initial=0.0)
    exact = np.interp((np.arange(n) + 0.5) / n, cdf / cdf[-1], r)
    x = np.sort(np.asarray(last.positions[:, 0]))
    assert np.sqrt(np.mean((x - exact) ** 2)) < 0.01 * exact.std()
    # Without the volume the same potential gives another density: the test can fail.
    flat = scipy.integrate.cumulative_trapezoid(density / r ** (dim - 1), r, initial=0.0)
    assert np.sqrt(np.mean((x - np.interp((np.arange(n) + 0.5) / n, flat / flat[-1], r)) ** 2)) > 0.3 * exact.std()


@pytest.mark.slow
def test_agrees_with_the_diffusion_equation() -> None:
    heat, problem, grid = 0.1, _problem(), grids.uniform(-7.0, 7.0, 1400)
    pde = wl.evolve(problem, _LAW, TransportPDE(grid, temperature=heat, rtol=1e-5), t1=1.0)
    runs = [wl.evolve(problem, _LAW, JKO(tau, temperature=heat, particles=800), t1=1.0) for tau in (0.02, 0.01)]
    # Extrapolated in tau; the particles leave O(1/n).
    risk, free = (2.0 * getattr(runs[1], name)[-1] - getattr(runs[0], name)[-1] for name in ("risk", "free_energy"))
    assert risk == pytest.approx(pde.risk[-1], abs=3e-4)
    assert free == pytest.approx(pde.free_energy[-1], abs=1e-3)


def test_particles_without_weight_are_carried_along() -> None:
    problem = _problem()
    start, extra = _particles(_Z, _W), _particles([*_Z, 0.7, -0.9], [*_W, 0.0, 0.0])
    plain, more = (_run(problem, s, JKO(0.2), 1.0).positions[-1][:, 0] for s in (start, extra))
    np.testing.assert_allclose(more[:5], plain, atol=1e-13)
    # A test particle takes the implicit Euler steps of one: where psi of the others is taken from.
    after = _step(problem, extra, JKO(0.2))
    slope = problem.potential(_particles(after, extra.weights)).gradient(after[5:, None])[:, 0]
    np.testing.assert_allclose(after[5:] + 0.2 * np.asarray(slope), [0.7, -0.9], atol=1e-13)


def test_step_size_is_tau_xi_p() -> None:
    problem, start = _problem(), _particles(_Z, _W)
    long = _step(problem, start, JKO(0.4))
    np.testing.assert_allclose(_step(problem, start, JKO(0.1, schedule=4.0)), long, atol=1e-13)
    scaled = _problem(mobility=mobilities.Diagonal(a=4.0))
    np.testing.assert_allclose(_step(scaled, start, JKO(0.1)), long, atol=1e-13)
    # mei2018's xi(t) = t^(-1/4) is infinite at 0: taken at the right end.
    power = JKO(0.1, schedule=schedules.power(0.25, 4.0 * 0.1**0.25))
    np.testing.assert_allclose(_step(problem, start, power), long, atol=1e-13)
    stopped = _run(problem, start, JKO(0.1, schedule=schedules.piecewise([0.25], [1.0, 0.0])), 0.6)
    np.testing.assert_array_equal(stopped.positions[3], stopped.positions[-1])
    assert np.max(np.abs(stopped.positions[2] - stopped.positions[3])) > 1e-3
    assert np.all(np.isfinite(stopped.action))


def test_a_law_starts_at_its_midpoint_quantiles() -> None:
    parts = [wl.laws.Normal(-1.0, 0.5, dim=1), wl.laws.Normal(1.0, 0.2, dim=1)]
    run = wl.evolve(_problem(), wl.laws.Mixture(parts, [0.3, 0.7]), JKO(0.1, particles=50), t1=0.1)
    x = run.positions[0][:, 0]
    cdf = 0.3 * scipy.stats.norm.cdf(x, -1.0, 0.5) + 0.7 * scipy.stats.norm.cdf(x, 1.0, 0.2)
    np.testing.assert_allclose(cdf, (np.arange(50) + 0.5) / 50, atol=1e-12)
    np.testing.assert_allclose(run.weights[0], 0.02)
    atoms = wl.laws.Empirical([[0.5], [-0.5]], weights=[0.25, 0.75])
    run = wl.evolve(_problem(), atoms, JKO(0.1, particles=50), t1=0.1)
    assert sorted(zip(run.positions[0][:, 0], run.weights[0], strict=True)) == [(-0.5, 0.75), (0.5, 0.25)]


def test_two_particles_at_a_temperature() -> None:
    # They settle where the pressure balances psi' = mean - 2 + x; half of each weight is in the gap:
    # x_2 - x_1 = 2 T / (x_2 - x_1).
    x = wl.evolve(_gaussian(), _particles([-0.5, 0.5]), JKO(0.5, temperature=0.3), t1=60.0).positions[-1][:, 0]
    np.testing.assert_allclose(x, 1.0 + np.array([-0.5, 0.5]) * np.sqrt(0.6), atol=1e-10)
    with pytest.raises(ValueError, match="one particle is an atom"):
        wl.evolve(_gaussian(), _particles([0.3]), JKO(0.5, temperature=0.3), t1=60.0)


def test_a_step_that_is_too_long_is_said() -> None:
    run = wl.evolve(_problem(), _LAW, JKO(5.0, particles=40), t1=25.0, throw=False)
    assert not run.outcome.ok
    assert "JKO(tau=1.2)" in run.message
    with pytest.raises(wl.EvolutionError, match="too long"):
        wl.evolve(_problem(), _LAW, JKO(5.0, particles=40), t1=25.0)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"tau": 0.0}, r"tau=.*above 0"),
        ({"tau": -1.0}, r"tau=.*above 0"),
        ({"tau": float("inf")}, r"tau=.*finite"),
        ({"tau": True}, r"tau=.*number"),
        ({"tau": 0.1, "temperature": -0.1}, r"temperature=.*at least 0"),
        ({"tau": 0.1, "temperature": float("nan")}, r"temperature=.*finite"),
        ({"tau": 0.1, "particles": 0}, r"particles=.*at least 1"),
        ({"tau": 0.1, "particles": True}, r"particles=.*whole"),
        ({"tau": 0.1, "schedule": -1.0}, r"schedule=.*at least 0"),
    ],
)
def test_refuses_numbers(options: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        JKO(**options)


def _plane(theta: Any, x: Any) -> Any:
    return theta.a * jnp.tanh(theta.b * x[0])


def _pair(theta: Any, x: Any) -> Any:
    return jnp.stack([theta.a, theta.a**2]) * x[0]


def _speed(theta: Any, gradient: Any) -> Any:
    return gradient


_SAMPLES = wl.data.Samples(_X, _Y)


@pytest.mark.parametrize(
    ("problem", "start", "heat", "match"),
    [
        (
            wl.Problem(wl.units.Function(_plane, columns=["a", "b"]), _SAMPLES),
            _LAW,
            0.0,
            r"one parameter.*has 2.*reduced",
        ),
        (wl.Problem(wl.units.Function(_bump, columns=["a"], kinked=True), _SAMPLES), _LAW, 0.0, "kink.*EntropicJKO"),
        (_problem(penalty=penalties.total_variation(0.1, "a")), _LAW, 0.0, "not smooth"),
        (_problem(domain=domains.Circle()), _LAW, 0.0, "interval"),
        (_problem(domain=domains.HalfLine()), _LAW, 0.0, "outside the problem's domain"),
        (_problem(mobility=mobilities.Function(_speed)), _LAW, 0.0, "mobility"),
        (_problem(mobility=mobilities.Diagonal(a=0.0)), _LAW, 0.0, "mobility"),
        (
            wl.Problem(wl.units.Function(_pair, columns=["a"]), wl.data.Samples(_X, np.stack([_Y, _Y], 1))),
            _LAW,
            0.0,
            "must be numbers",
        ),
        (_problem(), wl.laws.Normal(0.0, 1.0, dim=2), 0.0, "2 columns, the unit needs 1"),
        (_problem(), _particles([0.0, 0.0, 1.0]), 0.1, "at one place"),
        (_problem(domain=domains.HalfLine()), _particles([0.0, 0.5, 1.0]), 0.1, "on a wall"),
        (_problem(), _particles([0.0, 0.5, 1.0], [0.5, 0.5, 0.0]), 0.1, "weight zero"),
        (wl.problems.isotropic_gaussians(delta=0.5, dim=float("inf")).reduced(), wl.laws.Chi(4, 0.5), 0.1, "infinity"),
    ],
)
def test_refuses_problems_and_starts(problem: wl.Problem, start: Any, heat: float, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        wl.evolve(problem, start, JKO(0.1, temperature=heat), t1=1.0)


def test_refuses_densities_and_short_runs() -> None:
    density = wl.measure.GridDensity(grids.uniform(-1.0, 1.0, 4), np.full(4, 0.25))
    with pytest.raises(ValueError, match=r"density\.particles"):
        wl.evolve(_problem(), density, JKO(0.1), t1=1.0)
    with pytest.raises(ValueError, match="half a step"):
        wl.evolve(_problem(), _LAW, JKO(0.1), t1=0.04)
    with pytest.raises(ValueError, match="too large"):
        wl.evolve(
            wl.Problem(_UNIT, wl.data.Samples(np.zeros((8200, 1)), np.zeros(8200))),
            _LAW,
            JKO(0.1, particles=8300),
            t1=1.0,
        )
