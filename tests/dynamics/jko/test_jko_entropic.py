"""EntropicJKO: its step by a conic solver, closed forms for Gaussians, walls, and the limit."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

import widelimit as wl
from widelimit import integrators, schedules
from widelimit.dynamics import JKO, EntropicJKO, TransportPDE
from widelimit.measure import Grid, GridDensity, grids
from widelimit.problem import domains, mobilities, penalties

_X = np.linspace(-1.5, 1.5, 9)
_Y = np.sin(2.0 * _X)


def _value(theta: Any, x: Any) -> Any:
    return theta.a + 0.0 * x[0]


def _bump(theta: Any, x: Any) -> Any:
    return theta.a * jnp.tanh(2.0 * (x[0] - theta.a))


def _line(theta: Any, x: Any) -> Any:
    return theta.a + theta.b * x[0]


def _plane(theta: Any, x: Any) -> Any:
    return theta.a * jnp.tanh(x[0] + theta.b)


def _nothing(theta: Any, x: Any) -> Any:
    return 0.0 * theta.a * x[0]


_SLOW = pytest.param(0.05, marks=pytest.mark.slow)
_BUMP = wl.units.Function(_bump, columns=["a"])
_SAMPLES = wl.data.Samples(_X, _Y)
_PROBLEM = wl.Problem(_BUMP, _SAMPLES, wl.losses.squared(1.0), penalty=penalties.l2(0.05))
_PLANE = wl.Problem(wl.units.Function(_plane, columns=["a", "b"], linear="a"), _SAMPLES, penalty=penalties.l2(0.05))


def _gaussian(**parts: Any) -> wl.Problem:
    """psi = (mean - 2) theta + theta^2 / 2."""
    unit = wl.units.Function(_value, columns=["a"])
    return wl.Problem(unit, wl.data.Samples([[0.0]], [2.0]), penalty=penalties.l2(0.5), **parts)


def _moments(run: Any) -> tuple[np.ndarray, np.ndarray]:
    """Means and variances [T, D]."""
    x = run.positions
    mean = run.weights @ x
    return mean, np.einsum("tn,tnd->td", run.weights, (x[None] - mean[:, None]) ** 2)


def _every_step(problem: wl.Problem, start: Any, dynamics: EntropicJKO, steps: int) -> Any:
    t1 = steps * float(dynamics.tau)
    return wl.evolve(problem, start, dynamics, t1=t1, save_at=np.linspace(0.0, t1, steps + 1))


def _variance(before: float, s: float, bend: float, heat: float, blur: float) -> float:
    """The v' that maps to v: v' (1 + s (bend - T/v'))^2 = v + blur^4 / (4 v')."""

    def excess(v: float) -> float:
        return v * (1.0 + s * (bend - heat / v)) ** 2 - before - blur**4 / (4.0 * v)

    # At the lower end the map turns back: 1 + s (bend - T/v') = 0.
    return scipy.optimize.brentq(excess, s * heat / (1.0 + s * bend) + 1e-12, 50.0, xtol=1e-15)


# Above, at and below T = eps / 2 = blur^2 / (2 tau), where a step is explicit.
@pytest.mark.first(1)
@pytest.mark.parametrize(
    ("heat", "blur"), [(0.0, None), (0.0, 0.1), (0.05, 0.1), (0.2, 0.1), (0.2, np.sqrt(0.02)), (0.2, 0.3)]
)
def test_gaussian_steps(heat: float, blur: float | None) -> None:
    # With b the exponential of a quadratic, Gamma(.|x) is Gaussian with precision p = (1 + s (1 - (T -
    # eps/2)/v'))/blur^2 and v' = 1/p + v / (blur^2 p)^2. Inserting eps = blur^2/s gives the recursion of `_variance`;
    # the mean is implicit Euler's, mean' + s psi'(mean') = mean.
    tau, steps, grid = 0.05, 12, grids.uniform(-5.0, 6.0, 220)
    run = _every_step(
        _gaussian(), wl.laws.Normal(0.0, 0.7, dim=1), EntropicJKO(tau, grid=grid, temperature=heat, blur=blur), steps
    )
    means, variances = _moments(run)
    width = 0.05 if blur is None else blur
    mean, v = means[0, 0], variances[0, 0]
    for k in range(steps):
        mean = (mean + 2.0 * tau) / (1.0 + 2.0 * tau)
        v = _variance(v, tau, 1.0, heat, width)
        # Sums over a grid of a Gaussian as narrow as a cell are right to 2 exp(-2 pi^2) = 5e-9.
        assert means[k + 1, 0] == pytest.approx(mean, abs=1e-8 if blur is None else 1e-10)
        assert variances[k + 1, 0] == pytest.approx(v, abs=1e-8 if blur is None else 1e-10)
    np.testing.assert_allclose(run.regularisation, width**2 / tau, rtol=1e-12)
    # The Fisher information of a Gaussian is 1/v; differences of the root of the density err by (cell)^2/(4 v).
    np.testing.assert_allclose(run.excess_temperature, width**4 / (8.0 * tau * variances[:, 0]), rtol=3e-3)


@pytest.mark.slow
def test_gaussian_steps_in_two_parameters() -> None:
    # Moves along the axes differ by the mobility; blur is in units of theta / sqrt(P).
    tau, heat, blur, speed = 0.04, 0.1, 0.16, np.array([1.0, 0.25])
    unit = wl.units.Function(_line, columns=["a", "b"])
    data = wl.data.Samples([[-1.0], [1.0]], [0.5, 1.5])
    problem = wl.Problem(unit, data, penalty=penalties.l2(0.5), mobility=mobilities.Diagonal(b=0.25))
    grid = grids.product(grids.uniform(-4.0, 5.0, 72), grids.uniform(-3.5, 4.5, 110))
    start = wl.laws.product(a=wl.laws.Normal(0.0, 0.6), b=wl.laws.Normal(0.2, 0.5))
    run = _every_step(problem, start, EntropicJKO(tau, grid=grid, temperature=heat, blur=blur), 5)
    means, variances = _moments(run)
    mean, v, target = means[0], variances[0], np.array([1.0, 0.5])
    for k in range(5):
        # psi = <mean - target, theta> + |theta|^2 / 2 for inputs of mean 0 and variance 1.
        mean = (mean + tau * speed * target) / (1.0 + 2.0 * tau * speed)
        v = np.array([_variance(v[i], tau * speed[i], 1.0, heat, blur * speed[i] ** 0.5) for i in range(2)])
        np.testing.assert_allclose(means[k + 1], mean, atol=1e-9)
        np.testing.assert_allclose(variances[k + 1], v, atol=1e-9)
    information = np.sum(speed / variances, axis=1)
    np.testing.assert_allclose(run.excess_temperature, blur**4 * information / (16.0 * tau), rtol=0.02)


@pytest.mark.first(2)
@pytest.mark.parametrize("heat", [0.0, 0.3])
@pytest.mark.parametrize("plane", [False, True])
def test_a_step_minimises_the_entropic_problem(heat: float, plane: bool) -> None:
    # The same problem for a conic solver, written with the mutual information, which is convex in (Gamma, n).
    import cvxpy as cp

    tau, rng = 0.3, np.random.default_rng(0)
    if plane:
        problem, grid = _PLANE, grids.product(Grid((np.array([-1.0, -0.4, 0.1, 0.9]),)), grids.uniform(-1.0, 1.0, 3))
    else:
        problem, grid = _PROBLEM, Grid((np.array([-1.0, -0.7, -0.5, -0.2, 0.0, 0.1, 0.5, 0.8, 1.2, 1.4]),))
    m = rng.uniform(0.5, 2.0, grid.shape)
    m /= m.sum()
    blur = float(max(jnp.max(width) for width in grid.widths)) * 1.1
    eps = blur**2 / tau
    x, h = np.asarray(grid.points), np.asarray(grid.volumes).ravel()
    cost = np.sum((x[:, None] - x) ** 2, axis=2)
    kernel, d = np.exp(-cost / (2.0 * blur**2)), np.ones(len(x))
    for _ in range(200):
        d = np.sqrt(d / (kernel @ (h * d)))
    theta, _ = problem.unpack(wl.Particles(x))
    units = np.array(
        [[float(problem.unit(type(theta)(*row), jnp.asarray([q]))) for row in zip(*theta, strict=True)] for q in _X]
    )
    penalty = 0.05 * np.sum(x**2, axis=1)
    factor = 0.5 if plane else 1.0
    gamma, old = cp.Variable((len(x), len(x))), m.ravel()
    new = cp.sum(gamma, axis=0)
    outer = old[:, None] @ cp.reshape(new, (1, len(x)), order="C")
    energy = factor * cp.sum_squares(units @ new - _Y) / 9.0 + penalty @ new
    entropy = -cp.sum(cp.entr(new)) - new @ np.log(h)
    coupling = cp.sum(cp.multiply(cost, gamma)) / (2.0 * tau) + eps * cp.sum(cp.rel_entr(gamma, outer))
    objective = coupling - eps * (new @ np.log(d)) + energy + (heat + 0.5 * eps) * entropy
    cp.Problem(cp.Minimize(objective), [cp.sum(gamma, axis=1) == old]).solve(
        solver=cp.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11
    )
    run = wl.evolve(problem, GridDensity(grid, m), EntropicJKO(tau, temperature=heat, blur=blur), t1=tau)
    np.testing.assert_allclose(run.weights[-1], new.value, atol=1e-6)
    assert np.max(np.abs(run.weights[-1] - old)) > 1e-2


@pytest.mark.slow
@pytest.mark.parametrize("heat", [0.0, _SLOW])
def test_uniform_between_walls_stays(heat: float) -> None:
    # On cells of many sizes: they are an image of equal ones.
    grid = grids.product(Grid((np.linspace(0.0, 1.0, 25) ** 1.5,)), grids.uniform(-1.0, 1.0, 20))
    unit = wl.units.Function(_nothing, columns=["a", "b"])
    start = GridDensity(grid, grid.volumes / 2.0)
    run = wl.evolve(wl.Problem(unit, _SAMPLES), start, EntropicJKO(0.1, temperature=heat), t1=1.0)
    np.testing.assert_allclose(run.weights[-1], run.weights[0], rtol=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize("heat", [0.0, _SLOW])
def test_masses_stay_positive_and_sum_to_one(heat: float) -> None:
    grid = grids.product(grids.uniform(-2.0, 2.0, 24), grids.uniform(-2.0, 2.0, 30))
    masses = np.zeros(grid.shape)
    masses[3:6, 10:20] = masses[15, 15] = 1.0
    start = GridDensity(grid, masses / masses.sum())
    run = wl.evolve(_PLANE, start, EntropicJKO(0.1, temperature=heat), t1=1.0)
    assert np.all(run.weights >= 0)
    assert np.all(run.weights[-1] > 0)
    np.testing.assert_allclose(run.weights.sum(axis=1), 1.0, atol=1e-14)
    assert run.objective[-1] < 0.95 * run.objective[0]
    assert isinstance(run.final, GridDensity)
    assert run.final.blocks == _PLANE.blocks


@pytest.mark.slow
def test_gibbs_between_walls() -> None:
    # psi = (mean - 2) theta on [0, 1]: exp(-psi / T) between the walls, up to a bias of fourth order in the blur.
    heat, errors = 0.2, []
    unit = wl.units.Function(_value, columns=["a"])
    problem = wl.Problem(unit, wl.data.Samples([[0.0]], [2.0]), domain=domains.Box(0.0, 1.0))
    s = scipy.optimize.brentq(lambda s: 2.0 - heat * s - np.exp(s) / np.expm1(s) + 1.0 / s, 0.1, 20.0)
    edges = np.linspace(0.0, 1.0, 61)
    exact = np.diff(np.exp(s * edges)) / np.expm1(s)
    for blur in (0.04, 0.08):
        dynamics = EntropicJKO(0.1, grid=grids.uniform(0.0, 1.0, 60), temperature=heat, blur=blur)
        run = wl.evolve(problem, wl.laws.Uniform(0.0, 1.0, dim=1), dynamics, t1=15.0)
        errors.append(np.sum(np.abs(run.weights[-1] - exact)))
    assert errors[1] < 0.02
    # 16 for blurs that are small against everything.
    assert errors[1] / errors[0] > 8.0


@pytest.mark.slow
@pytest.mark.parametrize("heat", [0.0, _SLOW])
def test_order_one(heat: float) -> None:
    start, counts = wl.laws.Normal(0.0, 1.0, dim=1), [4, 8, 16]
    grid = grids.uniform(-7.0, 7.0, 420)
    if heat == 0:
        exact = wl.evolve(_PROBLEM, start.quantise(1000), wl.GradientFlow(integrators.Tsit5()), t1=1.0).objective[-1]
    else:
        exact = wl.evolve(_PROBLEM, start, TransportPDE(grid, temperature=heat), t1=1.0).free_energy[-1]
    runs = [wl.evolve(_PROBLEM, start, EntropicJKO(1.0 / n, grid=grid, temperature=heat), t1=1.0) for n in counts]
    errors = [abs((run.objective if heat == 0 else run.free_energy)[-1] - exact) for run in runs]
    slope = -np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert abs(slope - 1.0) < 0.2, f"fitted {slope:.3f}; errors {errors}"
    # The bias is small beside the error.
    assert runs[-1].excess_temperature[-1] < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("heat", [0.0, _SLOW])
def test_agrees_with_quantiles(heat: float) -> None:
    start, tau, grid = wl.laws.Normal(0.0, 1.0, dim=1), 0.1, grids.uniform(-7.0, 7.0, 420)
    ours = wl.evolve(_PROBLEM, start, EntropicJKO(tau, grid=grid, temperature=heat), t1=1.0)
    other = wl.evolve(_PROBLEM, start, JKO(tau, temperature=heat, particles=800), t1=1.0)
    # The same scheme, not only the same limit: they differ by 1e-4 where each is 4e-3 from the limit.
    assert ours.objective[-1] == pytest.approx(other.objective[-1], abs=2e-4)
    assert ours.objective[-1] < ours.objective[0] - 0.3


@pytest.mark.slow
def test_a_reduced_problem_has_its_volume() -> None:
    heat, dim = 0.02, 40
    problem = wl.problems.isotropic_gaussians(delta=0.5, dim=dim, penalty=penalties.l2(0.3)).reduced()
    grid = grids.uniform(0.0, 4.0, 200)
    run = wl.evolve(problem, wl.laws.Chi(dim, 0.8 / dim**0.5), EntropicJKO(1.0, grid=grid, temperature=heat), t1=20.0)
    r = np.asarray(grid.centres[0])
    logs = (dim - 1) * np.log(r) - np.asarray(problem.potential(run.final)(r[:, None])) / heat
    exact = np.exp(logs - logs.max())
    assert np.sum(np.abs(run.weights[-1] - exact / exact.sum())) < 0.01


@pytest.mark.slow
def test_kinks_and_rough_penalties() -> None:
    problem = wl.Problem(
        wl.units.FreeKnot(),
        wl.data.Samples(np.linspace(0.0, 1.0, 9), np.linspace(0.0, 1.0, 9) ** 2),
        penalty=penalties.total_variation(0.01, "c"),
        domain=domains.product(h=domains.Box(0.0, 1.0)),
    )
    grid = grids.product(grids.uniform(-4.0, 4.0, 80), grids.uniform(0.0, 1.0, 12))
    start = wl.laws.product(c=wl.laws.Normal(0.0, 0.5), h=wl.laws.Uniform(0.0, 1.0))
    tau, t1 = 0.1, 1.0
    run = wl.evolve(problem, start, EntropicJKO(tau, grid=grid), t1=t1)
    flow = wl.evolve(problem, start.quantise(2000), wl.GradientFlow(), t1=t1)
    # First order in tau and the bias of coarse cells.
    assert run.objective[-1] == pytest.approx(flow.objective[-1], abs=0.1 * (flow.objective[0] - flow.objective[-1]))


@pytest.mark.slow
def test_the_fixed_point_of_a_reduced_problem_rests() -> None:
    # The entropy is relative to r^2 dr here; without it, or with its inverse, mass would run to small radii.
    heat, grid = 0.1, grids.uniform(0.0, 5.0, 60)
    problem = wl.problems.isotropic_gaussians(delta=0.5, dim=3, penalty=penalties.l2(0.3)).reduced()
    start = wl.analysis.gibbs(problem, temperature=heat, grid=grid).density
    run = wl.evolve(problem, start, EntropicJKO(0.5, temperature=heat), t1=1.5)
    # What is left is the bias of the blur.
    assert np.abs(run.weights[-1] - run.weights[0]).sum() < 0.05


def test_schedules() -> None:
    start, grid = wl.laws.Normal(0.0, 0.7, dim=1), grids.uniform(-5.0, 6.0, 220)
    problem = _gaussian()
    long = wl.evolve(problem, start, EntropicJKO(0.4, grid=grid), t1=0.4).weights[-1]
    short = wl.evolve(problem, start, EntropicJKO(0.1, grid=grid, schedule=4.0), t1=0.1).weights[-1]
    np.testing.assert_allclose(short, long, atol=1e-11)
    quench = EntropicJKO(0.1, grid=grid, schedule=schedules.piecewise([0.15, 0.35], [1.0, 0.0, 2.0]))
    run = _every_step(problem, start, quench, 6)
    np.testing.assert_array_equal(run.weights[2], run.weights[4])
    assert np.all(np.diff(run.objective)[[0, 1, 4, 5]] < -1e-4)
    assert np.all(np.isfinite(run.excess_temperature))


def test_a_step_that_is_not_solved_is_said() -> None:
    # eps = 4e-6 T: millions of sweeps.
    dynamics = EntropicJKO(1e4, grid=grids.uniform(-6.0, 6.0, 60), temperature=1.0, blur=0.2)
    run = wl.evolve(_PROBLEM, wl.laws.Normal(0.0, 1.0, dim=1), dynamics, t1=2e4, throw=False)
    assert not run.outcome.ok
    assert len(run) < 60
    assert "larger blur" in run.message


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"tau": 0.0}, r"tau=.*above 0"),
        ({"tau": float("nan")}, r"tau=.*above 0"),
        ({"tau": 0.1, "temperature": -1.0}, r"temperature=.*at least 0"),
        ({"tau": 0.1, "blur": 0.0}, r"blur=.*above 0"),
        ({"tau": 0.1, "blur": float("inf")}, r"blur=.*finite"),
    ],
)
def test_refuses_numbers(options: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        EntropicJKO(**options)


_GRID = grids.uniform(-6.0, 6.0, 60)
_LAW = wl.laws.Normal(0.0, 1.0, dim=1)


def _cubic(theta: Any, x: Any) -> Any:
    return theta.a * theta.b * theta.c * x[0]


def _speed(theta: Any, gradient: Any) -> Any:
    return gradient


_THREE = wl.Problem(wl.units.Function(_cubic, columns=["a", "b", "c"]), _SAMPLES)


@pytest.mark.parametrize(
    ("problem", "start", "options", "match"),
    [
        (_THREE, _LAW, {}, "one or two.*has 3.*reduced"),
        (wl.Problem(_BUMP, _SAMPLES, scale=wl.scales.Power(0.5)), _LAW, {}, "no number of neurons"),
        (wl.Problem(_BUMP, _SAMPLES, domain=domains.Circle()), _LAW, {}, "line or an interval"),
        (wl.Problem(_BUMP, _SAMPLES, domain=domains.HalfLine()), _LAW, {}, "outside the problem's domain"),
        (wl.Problem(_BUMP, _SAMPLES, mobility=mobilities.Function(_speed)), _LAW, {}, "mobility"),
        (_PLANE, wl.laws.product(a=_LAW, b=_LAW), {}, "1 axes.*2 parameters"),
        (_PROBLEM, wl.laws.Normal(0.0, 1.0, dim=2), {}, "2 columns, the unit needs 1"),
        (_PROBLEM, wl.laws.Normal(0.0, 3.0, dim=1), {}, r"4\.6 % of the start\'s mass lies outside"),
        (_PROBLEM, _LAW, {"grid": None}, r"grid=.*needed"),
        (_PROBLEM, _LAW, {"grid": grids.line(60)}, "must be finite"),
        (_PROBLEM, _LAW, {"blur": 0.19}, "less than the widest cell of the grid, 0.2"),
        (_PROBLEM, GridDensity(grids.uniform(-1.0, 1.0, 60), np.full(60, 1 / 60)), {}, "another grid"),
        (wl.problems.isotropic_gaussians(delta=0.5, dim=float("inf")).reduced(), wl.laws.Uniform(0.0, 2.0, dim=1),
         {"grid": grids.uniform(0.0, 4.0, 20), "temperature": 0.1}, "infinity"),
    ],
)  # fmt: skip
def test_refuses_problems_and_starts(problem: wl.Problem, start: Any, options: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        wl.evolve(problem, start, EntropicJKO(0.1, **{"grid": _GRID, **options}), t1=1.0)


def test_refuses_short_runs() -> None:
    with pytest.raises(ValueError, match="half a step"):
        wl.evolve(_PROBLEM, _LAW, EntropicJKO(0.1, grid=_GRID), t1=0.04)
