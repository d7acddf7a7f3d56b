"""The equation on a grid: closed forms, particles, orders of convergence, invariants, and what is refused."""

import math
import pathlib
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import widelimit as wl
from widelimit import integrators
from widelimit.dynamics import TransportPDE, advance
from widelimit.measure import Grid, GridDensity, grids

RISK = (wl.observables.Risk(),)


# One node and the unit theta: psi = (mean - y) theta + lambda theta^2, so a normal law stays normal.
_DECAY, _TARGET = 0.3, 4.0


def _linear(theta: Any, x: Any) -> Any:
    return theta.a


def _first_two(theta: Any, x: Any) -> Any:
    return jnp.stack([theta.a, theta.b])


_PLAIN = wl.Problem(
    wl.units.Function(_linear, columns=["a"]),
    wl.data.Samples([1.0], [_TARGET]),
    penalty=wl.penalties.l2(_DECAY),
)


def _ornstein(
    t: float, mean: float, std: float, target: float, warmth: float, rate: float = 1.0
) -> tuple[float, float]:
    """Mean and standard deviation of the normal law that the quadratic problem moves, for a mobility `rate`."""
    pull = 1.0 + 2.0 * _DECAY
    rest, still = target / pull, warmth / (2.0 * _DECAY)
    variance = still + (std**2 - still) * math.exp(-4.0 * _DECAY * rate * t)
    return rest + (mean - rest) * math.exp(-pull * rate * t), math.sqrt(variance)


def _stretched(cells: int) -> Grid:
    u = np.linspace(0.0, 1.0, cells + 1)
    return Grid((5.5 * (u + 0.12 * np.sin(2.0 * np.pi * u)),))


GRIDS = {
    "uniform": lambda cells: grids.uniform(0.0, 5.5, cells),
    "stretched": _stretched,
    "half_line": lambda cells: grids.half_line(cells, 3.0),
    "line": lambda cells: grids.line(cells, 3.0, 2.0),
}


def _end(dynamic: TransportPDE, problem: wl.Problem, start: Any, t1: float) -> GridDensity:
    own = dynamic.prepare(problem)
    state = dynamic.init(own, start, t1=t1, key=None)
    clock = jnp.asarray(dynamic.clock.reading(t1))
    state, _, finite = advance(dynamic, own, state, clock, jnp.asarray(10**6))
    assert bool(finite)
    assert not bool(dynamic.clock.before(state, clock))
    return dynamic.measure(own, state, clock)


def _apart(density: GridDensity, law: Any) -> tuple[float, float]:
    """The L1 distance of the masses from a law's, and W1 with both at the centres (1-D)."""
    off = np.asarray(density.masses).ravel() - law.box_probability(*density.grid.boxes())
    gaps = np.diff(np.asarray(density.grid.centres[0]))
    w1 = float(np.abs(np.cumsum(off)[:-1]) @ gaps) if density.grid.dim == 1 else math.nan
    return float(np.abs(off).sum()), w1


def _order(sizes: list[int], errors: Any) -> float:
    return -float(np.polyfit(np.log(sizes), np.log(errors), 1)[0])


# (a) Closed forms, T = 0.


@pytest.mark.slow
@pytest.mark.parametrize("name", list(GRIDS))
def test_transport_is_of_second_order(name: str) -> None:
    sizes = [200, 400, 800]
    exact = wl.laws.Normal(*_ornstein(1.0, 1.5, 0.25, _TARGET, 0.0))
    start = wl.laws.Normal(1.5, 0.25)
    errors = [_apart(_end(TransportPDE(GRIDS[name](n)), _PLAIN, start, 1.0), exact) for n in sizes]
    l1, w1 = np.asarray(errors).T
    # The limiter flattens the top of the bump, which shows in L1 first.
    assert 1.7 < _order(sizes, l1) < 2.3
    assert 1.7 < _order(sizes, w1) < 2.5
    assert l1[-1] < 4e-3


@pytest.mark.slow
def test_transport_in_two_parameters() -> None:
    problem = wl.Problem(
        wl.units.Function(_first_two, columns=["a", "b"]),
        wl.data.Samples([1.0], [[_TARGET, 3.0]]),
        penalty=wl.penalties.l2(_DECAY),
        mobility=wl.mobilities.Diagonal(a=1.0, b=0.5),
    )
    start = wl.laws.product(a=wl.laws.Normal(1.5, 0.35), b=wl.laws.Normal(1.0, 0.35))
    exact = wl.laws.product(
        a=wl.laws.Normal(*_ornstein(1.0, 1.5, 0.35, _TARGET, 0.0)),
        b=wl.laws.Normal(*_ornstein(1.0, 1.0, 0.35, 3.0, 0.0, rate=0.5)),
    )
    sizes = [60, 120, 240]
    errors = []
    for n in sizes:
        grid = grids.product(grids.line(n, 2.0, 2.0), grids.uniform(-1.2, 3.6, n))
        errors.append(_apart(_end(TransportPDE(grid), problem, start, 1.0), exact)[0])
    assert 1.65 < _order(sizes, errors) < 2.3
    assert errors[-1] < 0.02


# (b) Particles.


def _tanh(theta: Any, x: Any) -> Any:
    return jnp.tanh(theta.a * x[0])


_X = np.linspace(-2.0, 2.0, 24)
_CURVED = wl.Problem(wl.units.Function(_tanh, columns=["a"]), wl.data.Samples(_X, np.sin(1.5 * _X)))


@pytest.mark.slow
def test_agrees_with_particles_at_second_order() -> None:
    start, times = wl.laws.Normal(0.5, 0.3), [0.5, 1.0, 2.0]
    # 48 Gauss nodes carried by the flow integrate the smooth unit to 1e-10.
    flow = wl.GradientFlow(integrators.Tsit5(1e-9, 1e-11))
    exact = wl.evolve(_CURVED, start.quantise(48, wl.laws.Gauss()), flow, t1=2.0, save_at=times, observe=RISK).risk
    sizes = [100, 200, 400]
    errors = []
    for n in sizes:
        run = wl.evolve(_CURVED, start, TransportPDE(cells=n), t1=2.0, save_at=times, observe=RISK)
        errors.append(np.max(np.abs(run.risk - exact)))
    assert 1.7 < _order(sizes, errors) < 2.5
    assert errors[-1] < 2e-5


def _by_place(theta: Any, gradient: Any) -> Any:
    return gradient._replace(a=theta.a * gradient.a)


@pytest.mark.slow
def test_a_mobility_of_the_place_is_that_of_the_faces() -> None:
    # d theta/dt = -theta psi'(theta): half a cell off, the velocity would be wrong by half a per cent.
    problem = wl.Problem(_PLAIN.unit, _PLAIN.data, mobility=wl.mobilities.Function(_by_place))
    start = wl.laws.Normal(1.5, 0.2)
    exact = wl.evolve(problem, start.quantise(24, wl.laws.Gauss()), wl.GradientFlow(), t1=0.3, progress=False)
    density = _end(TransportPDE(grids.uniform(0.0, 5.5, 400)), problem, start, 0.3)
    moved = float(exact.weights[-1] @ exact.positions[-1][:, 0])
    assert moved > 2.0
    # 400 cells of 0.014: second order leaves a few 1e-5.
    assert float(density.weights @ density.positions[:, 0]) == pytest.approx(moved, abs=3e-4)


# (c) Invariants.

_CELLS, _NODES, _STEPS = 48, 5, 60


def _charged(theta: Any, x: Any) -> Any:
    return x[0] * jnp.tanh(x[1] * theta.a + x[2])


def _steps(dynamic: TransportPDE, problem: wl.Problem, state: Any) -> Any:
    def one(state: Any, _: Any) -> Any:
        new = dynamic.step(problem, state, None)
        return new, (jnp.sum(new.y[0]), jnp.min(new.y[0]), new.reading.energy, new.y[1], new.clock)

    return jax.lax.scan(one, state, length=_STEPS)[1]


_walk = eqx.filter_jit(_steps)


@st.composite
def _random_case(draw: Any) -> tuple[Any, ...]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([0.3, 1.0, 5.0]))
    spread = draw(st.sampled_from(["dense", "sparse", "one"]))
    masses = rng.random(_CELLS) ** 4
    if spread == "sparse":
        masses *= rng.random(_CELLS) < 0.2
    masses[rng.integers(_CELLS)] += 1.0 if spread == "one" else 0.1
    return scale * rng.normal(size=(_NODES, 3)), rng.normal(size=_NODES), masses / masses.sum(), rng


@pytest.mark.first(1)
@pytest.mark.parametrize(
    ("loss", "warmth"),
    [
        *((wl.losses.squared(1.0), warmth) for warmth in (0.0, 0.02, 3.0)),
        (wl.losses.logistic(), 0.02),
        *(pytest.param(wl.losses.logistic(), warmth, marks=pytest.mark.slow) for warmth in (0.0, 3.0)),
    ],
)
@settings(max_examples=12)
@given(case=_random_case())
def test_keeps_mass_and_sign_and_never_raises_the_free_energy(loss: Any, warmth: float, case: Any) -> None:
    x, y, masses, rng = case
    problem = wl.Problem(
        wl.units.Function(_charged, columns=["a"]),
        wl.data.Samples(x, np.where(y < 0, -1.0, 1.0)),
        loss,
        penalty=wl.penalties.total_variation(0.05, "a"),
    )
    middle = np.sort(rng.uniform(-2.0, 2.0, _CELLS - 1))
    edges = np.concatenate([[-np.inf], middle + 1e-3 * np.arange(_CELLS - 1), [np.inf]])
    inner = 0.5 * (edges[1:-2] + edges[2:-1])
    grid = Grid((edges,), (np.concatenate([[edges[1] - 0.1], inner, [edges[-2] + 0.1]]),))
    dynamic = TransportPDE(grid, temperature=warmth)
    state = dynamic.init(problem, GridDensity(grid, masses), t1=5.0, key=None)
    first = float(state.reading.energy)
    mass, least, energy, spent, clock = (np.asarray(a) for a in _walk(dynamic, problem, state))
    assert np.max(np.abs(mass - 1.0)) < 1e-14
    assert np.min(least) >= 0.0
    # Rounding of the sum of a few hundred terms of the size of the energy's parts.
    size = abs(first) + 1.0 + warmth * float(np.max(np.abs(state.cells.log_volumes)))
    assert np.max(np.diff(np.concatenate([[first], energy]))) <= 1e-13 * size
    assert np.min(np.diff(spent)) >= -1e-13 * size
    assert clock[-1] > 0


@pytest.mark.slow
def test_an_atom_finds_the_minimum_of_a_fixed_potential() -> None:
    # Without data that matters only the penalty (theta^2 - 1)^2 acts: the mass left of 0 ends at -1, the rest at 1.
    def zero(theta: Any, x: Any) -> Any:
        return 0.0 * theta.a

    double = wl.penalties.function(_double_well)
    problem = wl.Problem(wl.units.Function(zero, columns=["a"]), wl.data.Samples([1.0], [0.0]), penalty=double)
    density = _end(TransportPDE(grids.uniform(-2.0, 2.0, 200)), problem, wl.laws.Normal(0.2, 0.25), 20.0)
    x, m = np.asarray(density.grid.centres[0]), np.asarray(density.masses)
    left = wl.laws.Normal(0.2, 0.25).box_probability(np.array([[-np.inf]]), np.array([[0.0]]))[0]
    # 200 cells resolve where the mass parts to a hundredth of the density there.
    assert m[x < 0].sum() == pytest.approx(left, abs=2e-3)
    # What the upwind flux leaves sits in the cells on both sides of the minimum.
    assert m[np.abs(np.abs(x) - 1.0) < 0.03].sum() == pytest.approx(1.0, abs=1e-6)


def _double_well(theta: Any) -> Any:
    return (theta.a**2 - 1.0) ** 2


@pytest.mark.parametrize(("warmth", "tolerance"), [(0.0, 2e-5), (0.05, 2e-4)])
def test_what_it_dissipates_is_what_falls(warmth: float, tolerance: float) -> None:
    dynamic = TransportPDE(cells=100, temperature=warmth, rtol=1e-5)
    run = wl.evolve(_CURVED, wl.laws.Normal(0.5, 0.3), dynamic, t1=1.0, save_at=[0.3, 1.0], observe=RISK)
    fall = run.free_energy[0] - run.free_energy
    assert fall[-1] > 0.005
    # The time integral is of third order (T = 0) and of second order (T > 0) in steps of a few hundredths.
    assert run.dissipated[-1] == pytest.approx(fall[-1], rel=tolerance)
    # Within a step masses and integral are interpolated linearly, and F is not linear.
    assert run.dissipated[1] == pytest.approx(fall[1], rel=1e-3)


# (d) T > 0.


@pytest.mark.parametrize("name", list(GRIDS))
def test_diffusion_is_of_second_order(name: str) -> None:
    sizes = [50, 100, 200]
    exact = wl.laws.Normal(*_ornstein(1.0, 1.5, 0.25, _TARGET, 0.2))
    start = wl.laws.Normal(1.5, 0.25)
    dynamic = {n: TransportPDE(GRIDS[name](n), temperature=0.2, rtol=1e-5) for n in sizes}
    errors = [_apart(_end(dynamic[n], _PLAIN, start, 1.0), exact)[0] for n in sizes]
    assert 1.7 < _order(sizes, errors) < 2.3
    assert errors[-1] < 2e-3


@pytest.mark.slow
def test_mean_and_variance_of_ornstein_uhlenbeck() -> None:
    times = [0.25, 0.5, 1.0, 3.0]
    grid = grids.uniform(-2.0, 6.0, 400)
    dynamic = TransportPDE(grid, temperature=0.2, rtol=1e-5)
    run = wl.evolve(_PLAIN, wl.laws.Normal(1.5, 0.25), dynamic, t1=3.0, save_at=times, observe=RISK)
    x = np.asarray(grid.centres[0])
    for t, m in zip(run.times[1:], run.weights[1:], strict=True):
        mean, std = _ornstein(float(t), 1.5, 0.25, _TARGET, 0.2)
        # Steps of first order may misplace 1e-5 of the mass each, those of second order do less.
        assert m @ x == pytest.approx(mean, abs=1e-4)
        # 400 cells of 0.02: h^2/12 of the cells themselves, and as much from the fluxes.
        assert m @ x**2 - (m @ x) ** 2 == pytest.approx(std**2, abs=2e-4)


@pytest.mark.slow
def test_steps_of_a_fixed_size_are_of_second_order_in_time() -> None:
    grid, start = grids.uniform(-2.0, 6.0, 100), wl.laws.Normal(1.5, 0.5)

    def at(step: float) -> np.ndarray:
        return np.asarray(_end(TransportPDE(grid, temperature=0.2, step=step), _PLAIN, start, 1.0).masses)

    exact, counts = at(1.0 / 1024), [16, 32, 64]
    errors = [float(np.abs(at(1.0 / n) - exact).sum()) for n in counts]
    assert 1.7 < _order(counts, errors) < 2.3


def test_the_schedule_is_the_clock() -> None:
    grid, start = grids.uniform(-2.0, 6.0, 100), wl.laws.Normal(1.5, 0.5)
    plain = _end(TransportPDE(grid), _PLAIN, start, 1.5)
    # INT_0^t s^(-1/4) ds = (4/3) t^(3/4) = 1.5.
    slow = _end(TransportPDE(grid, schedule=wl.schedules.power(0.25)), _PLAIN, start, (1.5 * 0.75) ** (4 / 3))
    np.testing.assert_allclose(slow.masses, plain.masses, atol=1e-13)


def _gibbs(table: np.ndarray, y: np.ndarray, penalty: np.ndarray, log_v: np.ndarray, warmth: float) -> np.ndarray:
    """m = V exp(-psi(m)/T)/Z by damped iteration; psi = Phi (Phi^T m - y)/Q + penalty, Phi [N, Q]."""
    masses, share = np.full(len(log_v), 1.0 / len(log_v)), min(0.5, 0.5 * warmth)
    for _ in range(int(60.0 / share)):
        psi = table @ (table.T @ masses - y) / len(y) + penalty
        new = np.exp(log_v - (psi - psi.min()) / warmth)
        masses = (1.0 - share) * masses + share * new / new.sum()
    return masses


@pytest.mark.parametrize(
    ("warmth", "name", "step"), [(0.1, "uniform", 0.5), (0.1, "half_line", 0.5), (0.01, "uniform", 0.02)]
)
def test_the_gibbs_measure_is_an_exact_fixed_point(warmth: float, name: str, step: float) -> None:
    problem = wl.Problem(_CURVED.unit, _CURVED.data, penalty=wl.penalties.l2(0.05))
    grid = GRIDS[name](120)
    x, log_v = np.asarray(grid.centres[0]), np.log(np.asarray(grid.volumes))
    gibbs = _gibbs(np.tanh(x[:, None] * _X), np.sin(1.5 * _X), 0.05 * x**2, log_v, warmth)
    # At the lower temperature psi changes by more than 2 T from cell to cell, and the coupling makes long steps jump.
    dynamic = TransportPDE(grid, temperature=warmth, step=step)
    state = dynamic.init(problem, GridDensity(grid, gibbs), t1=10.0, key=None)
    new = eqx.filter_jit(dynamic.step)(problem, state, None)
    assert float(new.clock) == step
    np.testing.assert_allclose(new.y[0], state.y[0], rtol=0, atol=1e-15)
    # It is where a run ends: steps grow as long as none misplaces more than 1e-4 of the mass.
    far = _end(TransportPDE(grid, temperature=warmth), problem, wl.laws.Normal(2.0, 0.2), 300.0)
    assert np.abs(np.asarray(far.masses) - gibbs).sum() < 1e-5


@pytest.mark.slow
def test_two_parameters_by_splitting() -> None:
    problem = wl.Problem(
        wl.units.Function(_first_two, columns=["a", "b"]),
        wl.data.Samples([1.0], [[_TARGET, 3.0]]),
        penalty=wl.penalties.l2(_DECAY),
        mobility=wl.mobilities.Diagonal(a=1.0, b=0.5),
    )
    grid = grids.product(grids.line(60, 2.0, 2.0), grids.uniform(-2.0, 5.0, 70))
    start = wl.laws.product(a=wl.laws.Normal(1.5, 0.3), b=wl.laws.Normal(1.0, 0.3))
    exact = wl.laws.product(
        a=wl.laws.Normal(*_ornstein(1.0, 1.5, 0.3, _TARGET, 0.2)),
        b=wl.laws.Normal(*_ornstein(1.0, 1.0, 0.3, 3.0, 0.2, rate=0.5)),
    )
    dynamic = TransportPDE(grid, temperature=0.2)
    density = _end(dynamic, problem, start, 1.0)
    assert float(density.mass) == pytest.approx(1.0, abs=1e-14)
    # About 8 cells a standard deviation on both axes.
    assert _apart(density, exact)[0] < 0.02
    points, log_v = np.asarray(grid.points), np.log(np.asarray(grid.volumes).ravel())
    # The loss sums over two outputs and does not average: twice the table, twice the mean.
    table, y = 2.0**0.5 * points, 2.0**0.5 * np.array([_TARGET, 3.0])
    gibbs = _gibbs(table, y, _DECAY * np.sum(points**2, axis=1), log_v, 0.2).reshape(grid.shape)
    fixed = TransportPDE(grid, temperature=0.2, step=0.3)
    state = fixed.init(problem, GridDensity(grid, gibbs), t1=1.0, key=None)
    new = eqx.filter_jit(fixed.step)(problem, state, None)
    np.testing.assert_allclose(new.y[0], state.y[0], rtol=0, atol=1e-15)


@pytest.mark.slow
def test_a_reduced_problem_has_the_volume_of_its_orbits() -> None:
    small = wl.problems.isotropic_gaussians(delta=0.5, dim=5).reduced()
    problem = eqx.tree_at(lambda p: p.penalty, small, wl.penalties.l2(0.3), is_leaf=lambda x: x is None)
    grid, warmth = grids.uniform(0.0, 6.0, 80), 0.5
    start = wl.laws.Uniform(0.5, 1.5)
    run = wl.evolve(problem, start, TransportPDE(grid, temperature=warmth), t1=60.0, save_at=[60.0], observe=RISK)
    r, m = np.asarray(grid.centres[0]), run.weights[-1]
    psi = np.asarray(problem.potential(GridDensity(grid, m))(r[:, None]))
    expected = r**4 * np.exp(-psi / warmth)
    np.testing.assert_allclose(m, expected / expected.sum(), atol=1e-8)


# (e) Walls.


@pytest.mark.parametrize("warmth", [0.0, 0.05])
def test_mass_gathers_at_a_wall_and_stays(warmth: float) -> None:
    problem = wl.Problem(_PLAIN.unit, _PLAIN.data, domain=wl.domains.Box(0.0, 1.0))
    dynamic = TransportPDE(cells=50, temperature=warmth)
    run = wl.evolve(problem, wl.laws.Uniform(0.1, 0.6), dynamic, t1=5.0, save_at=[5.0], observe=RISK)
    m, x = run.weights[-1], np.asarray(run.grid.centres[0])
    assert m.sum() == pytest.approx(1.0, abs=1e-14)
    if warmth == 0.0:
        # All of it in the last cell, half a cell from the wall, where the flow of particles has it at the wall.
        assert m[-1] == pytest.approx(1.0, abs=1e-12)
        assert run.risk[-1] == pytest.approx(0.5 * (_TARGET - 0.99) ** 2, abs=1e-10)
    else:
        # psi = -(4 - mean) theta: an exponential layer at the wall.
        layer = np.exp((_TARGET - m @ x) * x / warmth)
        np.testing.assert_allclose(m, layer / layer.sum(), atol=1e-6)


# (f) Noisy SGD.


@pytest.mark.slow
def test_noisy_sgd_agrees_with_the_diffusion_equation() -> None:
    warmth, start, times = 0.1, wl.laws.Normal(0.5, 0.3), [0.25, 0.5, 1.0]
    problem = wl.Problem(_CURVED.unit, _CURVED.data, penalty=wl.penalties.l2(0.05))
    pde = wl.evolve(
        problem, start, TransportPDE(cells=400, temperature=warmth, rtol=1e-5), t1=1.0, save_at=times, observe=RISK
    )
    count = 40_000
    sgd = wl.SGD(0.005, sampling=wl.sampling.Full(), temperature=warmth)
    particles = start.sample(count, key=jax.random.key(5))
    net = wl.evolve(problem, particles, sgd, t1=1.0, save_at=times, observe=RISK, key=jax.random.key(6))
    x = np.asarray(pde.grid.centres[0])
    for i in range(1, 4):
        m, theta = pde.weights[i], net.positions[i][:, 0]
        mean, variance = m @ x, m @ x**2 - (m @ x) ** 2
        fourth = m @ (x - mean) ** 4
        # Four standard errors of N independent particles, and the bias of the step, of the size of the step.
        assert theta.mean() == pytest.approx(mean, abs=4 * math.sqrt(variance / count) + 0.005 * 0.2)
        error = math.sqrt((fourth - variance**2) / count)
        assert theta.var() == pytest.approx(variance, abs=4 * error + 0.005 * 0.2)
        assert net.risk[i] == pytest.approx(pde.risk[i], rel=0.02)


# Saving, resuming, starts.


@pytest.mark.parametrize("warmth", [0.0, 0.05])
def test_the_end_depends_on_no_save_time_and_no_checkpoint(warmth: float, tmp_path: pathlib.Path) -> None:
    dynamic, start = TransportPDE(cells=100, temperature=warmth), wl.laws.Normal(0.5, 0.3)

    def run(**options: Any) -> wl.Trajectory:
        return wl.evolve(_CURVED, start, dynamic, t1=1.0, observe=RISK, **options)

    plain = run(save_at=[1.0])
    many = run(save_at=np.linspace(0.0, 1.0, 23))
    with pytest.raises(wl.EvolutionError):
        run(save_at=[1.0], max_steps=plain.steps // 2, checkpoint=wl.Checkpoint(tmp_path / "run", every=0.0))
    resumed = run(save_at=[1.0], checkpoint=wl.Checkpoint(tmp_path / "run", every=0.0))
    for other in (many, resumed):
        np.testing.assert_array_equal(other.weights[-1], plain.weights[-1])
        np.testing.assert_array_equal(other.dissipated[-1], plain.dissipated[-1])
        assert other.steps == plain.steps
    # Between steps it interpolates: as good as a run that ends there, to the square of the step.
    for t, weights in zip(many.times[1:-1:7], many.weights[1:-1:7], strict=True):
        short = wl.evolve(_CURVED, start, dynamic, t1=float(t), save_at=[t], observe=RISK)
        assert np.abs(short.weights[-1] - weights).sum() < 5e-4
    assert np.all(np.abs(many.weights.sum(axis=1) - 1.0) < 1e-14)
    assert np.all(np.diff(many.free_energy) <= 0)


@pytest.mark.slow
def test_a_density_goes_on_where_it_stopped() -> None:
    start = wl.laws.Normal(0.5, 0.3)
    half = wl.evolve(_CURVED, start, TransportPDE(cells=100), t1=0.5, observe=RISK).final
    assert isinstance(half, GridDensity)
    then = wl.evolve(_CURVED, half, TransportPDE(), t1=0.5, observe=RISK)
    whole = wl.evolve(_CURVED, start, TransportPDE(cells=100), t1=1.0, observe=RISK)
    # The steps differ by the one that was cut at 0.5.
    np.testing.assert_allclose(then.weights[-1], whole.weights[-1], atol=1e-6)


def test_starts_from_a_law_are_exact_and_from_particles_keep_mass_and_mean() -> None:
    grid = grids.product(grids.uniform(-2.0, 2.0, 20), grids.half_line(30))
    problem = wl.Problem(wl.units.Function(_first_two, columns=["a", "b"]), wl.data.Samples([1.0], [[0.0, 0.0]]))
    law = wl.laws.product(a=wl.laws.Uniform(-1.0, 1.0), b=wl.laws.Chi(3, 0.5))
    masses = TransportPDE(grid).init(problem, law, t1=1.0, key=None).y[0]
    np.testing.assert_allclose(jnp.sum(masses, axis=1), np.where(np.abs(grid.centres[0]) < 1, 0.1, 0.0), atol=1e-15)
    particles = law.sample(50, key=jax.random.key(0))
    shared = TransportPDE(grid).init(problem, particles, t1=1.0, key=None).y[0]
    assert float(jnp.sum(shared)) == pytest.approx(1.0, abs=1e-15)
    mean = GridDensity(grid, shared).weights @ grid.points
    np.testing.assert_allclose(mean, jnp.mean(particles.positions, axis=0), rtol=1e-13)
    edge = TransportPDE(grid).init(problem, wl.Particles([[2.0, 0.0]]), t1=1.0, key=None).y[0]
    assert float(edge[-1, 0]) == 1.0


@pytest.mark.parametrize(
    ("domain", "ends"),
    [
        (None, (-math.inf, math.inf)),
        (wl.domains.Box(-1.0, 3.0), (-1.0, 3.0)),
        (wl.domains.HalfLine(0.25), (0.25, math.inf)),
        (wl.domains.Box(-math.inf, 4.0), (-math.inf, 4.0)),
    ],
)
def test_the_default_grid_follows_the_domain_and_the_start(domain: Any, ends: tuple[float, float]) -> None:
    problem = wl.Problem(_PLAIN.unit, _PLAIN.data, domain=domain)
    start = wl.laws.Uniform(1.0, 2.0)
    state = TransportPDE(cells=64).init(problem, start, t1=1.0, key=None)
    edges, centres = np.asarray(state.cells.grid.edges[0]), np.asarray(state.cells.grid.centres[0])
    assert (edges[0], edges[-1]) == ends
    assert len(centres) == 64
    assert state.y[0] @ centres == pytest.approx(1.5, abs=2e-3)
    assert np.sum(np.asarray(state.y[0]) > 0) > 4
    assert len(TransportPDE().init(problem, start, t1=1.0, key=None).y[0]) == 400


def test_facts() -> None:
    cold, warm = TransportPDE().facts(_PLAIN), TransportPDE(temperature=0.1).facts(_PLAIN)
    assert cold.decreases == ("objective",)
    assert warm.decreases == ("free_energy",)
    assert cold.conserves == warm.conserves == ("mass",)


# (g) Bad input.

_THREE = wl.Problem(wl.units.Function(_linear, columns=["a", "b", "c"]), _PLAIN.data)
_TWO = wl.Problem(wl.units.Function(_linear, columns=["a", "b"]), _PLAIN.data)
_START = wl.laws.Normal(1.0, 0.3)
_PAIR = wl.laws.product(a=_START, b=_START)


def _turn(theta: Any, gradient: Any) -> Any:
    return gradient._replace(a=gradient.a + 0.5 * gradient.b, b=gradient.b + 0.5 * gradient.a)


BAD_RUNS: dict[str, tuple[wl.Problem, Any, TransportPDE, str]] = {
    "three parameters": (
        _THREE,
        _START,
        TransportPDE(),
        r"one or two parameters, the problem has 3: a, b, c; reduce it",
    ),
    "mass outside": (
        _PLAIN,
        wl.laws.Normal(1.0, 0.45),
        TransportPDE(grids.uniform(0.0, 2.0, 40)),
        r"2\.6 % of the start's mass lies outside the grid \[0, 2\]; take a larger grid",
    ),
    "particle outside": (
        _PLAIN,
        wl.Particles([[0.5], [2.5]]),
        TransportPDE(grids.uniform(0.0, 2.0, 40)),
        r"50 % of the start's mass lies outside the grid \[0, 2\]",
    ),
    "another grid": (
        _PLAIN,
        GridDensity(grids.uniform(0.0, 1.0, 4), np.full(4, 0.25)),
        TransportPDE(grids.uniform(0.0, 2.0, 4)),
        "a density on another grid; leave the grid out",
    ),
    "axes": (
        _TWO,
        _PAIR,
        TransportPDE(grids.uniform(0.0, 2.0, 4)),
        r"the grid has 1 axes, the problem has 2 parameters",
    ),
    "cells": (_TWO, _PAIR, TransportPDE(cells=(3, 4, 5)), r"cells=\.\.\.\): 3 numbers, the problem has 2 parameters"),
    "domain": (
        wl.Problem(_PLAIN.unit, _PLAIN.data, domain=wl.domains.Box(0.0, 3.0)),
        wl.laws.Uniform(1.0, 2.0),
        TransportPDE(grids.uniform(-1.0, 3.0, 4)),
        r"\[-1, 3\] reaches outside the problem's domain of 'a', \[0, 3\]",
    ),
    "circle": (
        wl.Problem(_PLAIN.unit, _PLAIN.data, domain=wl.domains.Circle()),
        wl.laws.Uniform(1.0, 2.0),
        TransportPDE(),
        "the domain of 'a' must be a line or an interval, got Circle",
    ),
    "mobility": (
        wl.Problem(_TWO.unit, _TWO.data, mobility=wl.mobilities.Function(_turn)),
        _PAIR,
        TransportPDE(cells=10),
        "the mobility must be one number a block",
    ),
    "scale": (
        wl.Problem(_PLAIN.unit, _PLAIN.data, scale=wl.scales.Power(0.5)),
        _START,
        TransportPDE(),
        "a density has no number of neurons",
    ),
    "step": (
        _PLAIN,
        _START,
        TransportPDE(grids.line(100, 3.0), step=0.5),
        r"step=\.\.\.\): 0\.5 is above the CFL limit, which is 0\.0\d+ at the start",
    ),
    "fresh samples": (
        wl.Problem(wl.units.Function(_linear, columns=["a"]), wl.data.GaussianClasses(4.0, 1.0, dim=2)),
        _START,
        TransportPDE(),
        "TransportPDE needs data with nodes",
    ),
    "columns": (_PLAIN, _PAIR, TransportPDE(), "the measure has 2 columns, the unit needs 1"),
    "names": (
        _TWO,
        wl.laws.product(b=_START, a=_START),
        TransportPDE(),
        "the measure's blocks are b, a; the unit's are a, b",
    ),
    "no limit volume": (
        wl.problems.isotropic_gaussians(delta=0.5, dim=math.inf).reduced(),
        wl.laws.Uniform(0.5, 1.0),
        TransportPDE(cells=10, temperature=0.1),
        "at d = infinity there is no reduced problem with a temperature",
    ),
}


@pytest.mark.parametrize("name", list(BAD_RUNS))
def test_bad_runs(name: str) -> None:
    problem, start, dynamic, message = BAD_RUNS[name]
    with pytest.raises(ValueError, match=message):
        wl.evolve(problem, start, dynamic, t1=1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"temperature": -0.1}, r"temperature=\.\.\.\): must be a finite number at least 0; got -0\.1"),
        ({"temperature": math.nan}, r"temperature=\.\.\.\)"),
        ({"temperature": "hot"}, r"temperature=\.\.\.\)"),
        ({"cfl": 0.0}, r"cfl=\.\.\.\): must be a finite number above 0 and at most 0\.5"),
        ({"cfl": 0.51}, r"cfl=\.\.\.\): must be a finite number above 0 and at most 0\.5"),
        ({"rtol": 0.0}, r"rtol=\.\.\.\)"),
        ({"step": 0.0}, r"step=\.\.\.\): must be a finite number above 0"),
        ({"cells": 1}, r"cells=\.\.\.\), one number or one an axis: must be a whole number of at least 2"),
        ({"cells": 10.5}, r"cells=\.\.\.\)"),
        ({"cells": 10, "grid": grids.uniform(0.0, 1.0, 4)}, "give one of the two"),
        ({"grid": np.linspace(0, 1, 5)}, r"grid=\.\.\.\): expected one of widelimit\.measure\.grids"),
        ({"schedule": -1.0}, r"schedule=\.\.\.\)"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TransportPDE(**arguments)
