"""Quantiles against flows solved by hand, another solver, particles, and itself at other tolerances and capacities."""

import math
import pathlib
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
from hypothesis import given, strategies as st
from scipy.special import log_ndtr, ndtr, ndtri

import widelimit as wl
from widelimit import integrators, laws
from widelimit.dynamics import Quantiles
from widelimit.dynamics.quantiles._inverse import EDGE, by_score, from_score
from widelimit.dynamics.quantiles._label_field import LabelField, walls
from widelimit.dynamics.quantiles._panels import Panels, halve, rule, tails
from widelimit.measure import GridDensity, grids

TIGHT = integrators.Tsit5(1e-11, 1e-12)


def _linear(theta: Any, x: Any) -> Any:
    return theta.r * x[0]


def _well(theta: Any, x: Any) -> Any:
    return 0.25 * theta.r**4 - 0.5 * theta.r**2


def _tanh(theta: Any, x: Any) -> Any:
    return jnp.tanh(theta.r * x[0] + x[1])


def _wave(theta: Any, x: Any) -> Any:
    return jnp.sin(theta.r + x[0])


def _itself(f: Any, y: Any) -> Any:
    return f


def _lifted(f: Any, y: Any) -> Any:
    return 0.5 * f**2 + f


_number = wl.units.Function(_linear, columns=["r"])
_one = wl.data.Samples(np.ones((1, 1)), np.array([0.5]))
# v = -2 (m - 1/2) - 0.6 X.
PULL = wl.Problem(_number, _one, wl.losses.squared(1.0), penalty=wl.penalties.l2(0.3))
# v = X - X^3 for every particle on its own, so X(t) = X_0 e^t / sqrt(1 + X_0^2 (e^2t - 1)).
WELL = wl.Problem(wl.units.Function(_well, columns=["r"]), _one, wl.losses.Loss(_itself))
_origin = wl.data.Samples(np.zeros((1, 1)), np.zeros(1))
_X2 = np.array([[1.0, 0.3], [-2.0, 1.0], [0.5, -1.0]])
TANH = wl.Problem(
    wl.units.Function(_tanh, columns=["r"]), wl.data.Samples(_X2, np.array([0.7, -0.5, 0.2])), wl.losses.squared(1.0)
)
# v = -(m + 1) for every particle on its own, on r >= 0.
WALL = wl.Problem(
    _number, wl.data.Samples(np.ones((1, 1)), np.zeros(1)), wl.losses.Loss(_lifted), domain=wl.domains.HalfLine()
)


def _well_flow(x: Any, t: float) -> Any:
    return x * math.exp(t) / np.sqrt(1.0 + x**2 * math.expm1(2.0 * t))


def _rms(w: Any, error: Any) -> float:
    return float(np.sqrt(np.sum(np.asarray(w) * np.asarray(error) ** 2)))


# Labels and panels.

LAWS = [
    laws.Normal(1.0, 0.5),
    laws.Chi(40, 0.1),
    laws.Chi(1, 2.0),
    laws.Uniform(-1.0, 2.0),
    laws.Mixture([laws.Normal(-1.0, 0.5), laws.Uniform(0.0, 3.0)], [0.3, 0.7]),
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: type(law).__name__)
def test_positions_of_scores_invert_the_distribution(law: laws.AbstractLaw) -> None:
    z = np.linspace(-EDGE, EDGE, 41)
    x = from_score(law, z)
    assert np.all(np.diff(x) >= 0)
    # In the nearer tail, where probabilities keep their digits; x itself has those of a float.
    upper, slack = z > 0, 16 * np.spacing(np.abs(x))
    inner, outer = (np.where(upper, x - side, x + side)[:, None] for side in (slack, -slack))
    far = np.full((41, 1), np.inf)
    masses = [np.where(upper, law.box_probability(y, far), law.box_probability(-far, y)) for y in (outer, inner)]
    exact = np.exp(log_ndtr(-np.abs(z)))
    assert np.all((masses[0] <= exact * (1 + 1e-12)) & (exact * (1 - 1e-12) <= masses[1]))


def test_positions_of_scores_in_closed_form() -> None:
    z = np.linspace(-EDGE, EDGE, 41)
    np.testing.assert_allclose(from_score(laws.Normal(1.0, 0.5), z), 1.0 + 0.5 * z, atol=4e-15)
    np.testing.assert_allclose(from_score(laws.Normal(3.0, 0.0), z), 3.0, rtol=1e-15)
    np.testing.assert_allclose(from_score(laws.Uniform(-1.0, 2.0), z), -1.0 + 3.0 * ndtr(z), atol=4e-15)
    # from_cube has its digits in the lower tail, as far as it goes.
    law, lower = LAWS[1], z[1:30]
    np.testing.assert_allclose(from_score(law, lower), law.from_cube(ndtr(lower)[:, None])[:, 0], rtol=1e-13)


@given(
    centre=st.floats(-1e3, 1e3),
    width=st.floats(1e-6, 1e3),
    z=st.lists(st.floats(-EDGE, EDGE), min_size=1, max_size=5),
)
def test_positions_of_scores_of_any_normal(centre: float, width: float, z: list[float]) -> None:
    labels = np.array(z)
    exact = centre + width * labels
    np.testing.assert_allclose(
        from_score(laws.Normal(centre, width), labels), exact, atol=1e-14 * (abs(centre) + 9 * width)
    )


def _score_panels(count: int, places: int) -> Panels:
    start = by_score(laws.Normal(0.0, 1.0), count)
    fill = (0, places - count)
    middle, half = 0.5 * (start.low + start.high), 0.5 * (start.high - start.low)
    parts = (
        np.pad(middle, fill, mode="edge"),
        np.pad(half, fill, mode="edge"),
        np.pad(start.mass(start.low, start.high), fill),
    )
    return Panels(*(jnp.asarray(part) for part in parts), jnp.ones(()), jnp.asarray(EDGE))


@eqx.filter_jit
def _seen(panels: Panels, order: int) -> tuple[Any, Any, Any]:
    return panels.labels(rule(order)), panels.weights(rule(order)), panels.levels(rule(order))


def test_panels_integrate_the_normal_law() -> None:
    z, w, level = (np.asarray(part) for part in _seen(_score_panels(8, 11), 16))
    assert w.sum() == pytest.approx(1.0, abs=4e-16)
    assert np.all(w[8:] == 0)
    for power, moment in ((1, 0.0), (2, 1.0), (4, 3.0)):
        assert np.sum(w * z**power) == pytest.approx(moment, rel=1e-12, abs=1e-13)
    np.testing.assert_allclose(level[:8], ndtr(z[:8]), atol=4e-16)


def test_halves_carry_polynomials_and_mass() -> None:
    matrices, panels = rule(8), _score_panels(4, 7)
    z = np.asarray(_seen(panels, 8)[0])
    chosen = jnp.asarray([False, True, True, False, False, False, False])
    new, values = eqx.filter_jit(halve)(matrices, panels, jnp.asarray(z**7 - 5.0 * z**3 + z), chosen)
    labels, used = np.asarray(_seen(new, 8)[0]), np.asarray(new.mass) > 0
    assert used.tolist() == [True] * 6 + [False]
    exact = labels**7 - 5.0 * labels**3 + labels
    np.testing.assert_allclose(np.asarray(values)[used], exact[used], rtol=1e-12, atol=1e-9)
    mass, middle, half = (np.asarray(part)[used] for part in (new.mass, new.middle, new.half))
    assert mass.sum() == pytest.approx(1.0, abs=4e-16)
    # Eight nodes on a width of four: the density is resolved to some 1e-5.
    np.testing.assert_allclose(mass, ndtr(middle + half) - ndtr(middle - half), rtol=1e-4)
    misplaced = np.asarray(eqx.filter_jit(Panels.misplaced)(panels, matrices))
    assert 1e-12 < misplaced[1] < 1e-3


def test_the_last_coefficients() -> None:
    nodes = rule(8).nodes
    last = np.asarray(eqx.filter_jit(tails)(rule(8), jnp.asarray(np.stack([nodes**5, nodes**7]))))
    # The last coefficient of z^7 on [-1, 1] is 2^7 (7!)^2/14! = 16/429, its root mean square that over sqrt 15.
    np.testing.assert_allclose(last, [0.0, 16 / 429 / 15**0.5], rtol=1e-12, atol=1e-15)


def test_panels_without_room_stay_whole() -> None:
    panels, chosen = _score_panels(3, 4), jnp.asarray([True, True, True, False])
    new, _ = eqx.filter_jit(halve)(rule(4), panels, _seen(panels, 4)[0], chosen)
    assert np.sum(np.asarray(new.mass)) == pytest.approx(1.0, abs=4e-16)
    assert np.sum(np.asarray(new.half) < 2.0) == 2


# Flows.


@pytest.mark.parametrize("law", [laws.Normal(0.5, 2.0), laws.Chi(3, 1.0), laws.Uniform(-1.0, 1.0)])
def test_linear_flow(law: laws.AbstractLaw) -> None:
    run = wl.evolve(PULL, law, Quantiles(1e-10), t1=2.0, save_at=[0.3, 1.1])
    mean = float(run[0].weights @ run[0].positions[:, 0])
    for i, t in enumerate(run.times):
        # m' = 1 - 2.6 m, and what differs from the mean decays at 0.6.
        centre = 1 / 2.6 + (mean - 1 / 2.6) * math.exp(-2.6 * t)
        exact = centre + (run.positions[0, :, 0] - mean) * math.exp(-0.6 * t)
        kept = run.weights[i] > 0
        np.testing.assert_allclose(run.positions[i, kept, 0], exact[kept], atol=2e-9)
        assert run.risk[i] == pytest.approx((centre - 0.5) ** 2, abs=1e-10)
    np.testing.assert_allclose(run.objective + run.dissipated, run.objective[0], rtol=1e-9)
    np.testing.assert_allclose(run.weights.sum(axis=1), 1.0, atol=1e-15)
    assert np.all(run.resolution < 1e-10)


def test_ten_digits_against_an_independent_solver() -> None:
    law, times = laws.Normal(0.2, 1.3), [0.0, 0.5, 2.0]
    run = wl.evolve(TANH, law, Quantiles(1e-10, capacity=32), t1=2.0, save_at=times)
    assert len(run[2]) > len(run[0])
    # Gauss-Legendre on 60 intervals, and particles without mass at the nodes of the run's end.
    edges, (nodes, weights) = np.linspace(-9, 9, 61), np.polynomial.legendre.leggauss(12)
    z = (0.5 * (edges[1:] + edges[:-1])[:, None] + 0.15 * nodes).ravel()
    w = (0.15 * np.tile(weights, 60)) * np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    level = run.level[-1][: len(run.final)]
    start = 0.2 + 1.3 * np.concatenate([z, ndtri(np.minimum(level, 1 - 1e-16))])
    y, n = np.array([0.7, -0.5, 0.2]), len(z)

    def hidden(r: np.ndarray) -> np.ndarray:
        return np.tanh(r[:, None] * _X2[:, 0] + _X2[:, 1])

    def velocity(t: float, r: np.ndarray) -> np.ndarray:
        table = hidden(r)
        return -(1.0 - table**2) @ ((2.0 / 3.0) * (w @ table[:n] - y) * _X2[:, 0])

    exact = scipy.integrate.solve_ivp(velocity, (0, 2), start, "DOP853", times, rtol=1e-12, atol=1e-13).y.T
    np.testing.assert_allclose(run.risk, [np.mean((w @ hidden(r[:n]) - y) ** 2) for r in exact], rtol=1e-10)
    # Farther out the level has lost the digits of the score.
    kept = (level > 1e-9) & (level < 1 - 1e-9)
    assert _rms(run.final.weights[kept], (run.final.positions[:, 0] - exact[-1, n:])[kept]) < 1e-10


@pytest.mark.slow
def test_panels_at_the_start_do_not_matter() -> None:
    # A start that three panels of 16 do not resolve, and functions of it that are known: E tanh by scipy.
    law = laws.Mixture([laws.Normal(-1.5, 0.3), laws.Normal(1.0, 0.5)], [0.4, 0.6])
    risks = []
    for panels in (1, 3, 10):
        run = wl.evolve(TANH, law, Quantiles(1e-9, panels=panels, capacity=32), t1=0.5, save_at=[0.5])
        risks.append(run.risk)
        np.testing.assert_array_less(run.resolution, 1e-9)
    np.testing.assert_allclose(risks[1:], risks[:-1], rtol=1e-9)

    def mean(k: int, m: float, s: float) -> float:
        return scipy.integrate.quad(
            lambda z: np.tanh((m + s * z) * _X2[k, 0] + _X2[k, 1]) * np.exp(-0.5 * z * z), -12, 12, epsabs=1e-13
        )[0] / math.sqrt(2 * math.pi)

    f = np.array([0.4 * mean(k, -1.5, 0.3) + 0.6 * mean(k, 1.0, 0.5) for k in range(3)])
    assert risks[0][0] == pytest.approx(np.mean((f - [0.7, -0.5, 0.2]) ** 2), rel=1e-9)


@pytest.mark.slow
def test_few_nodes_a_panel() -> None:
    law = laws.Normal(0.2, 1.3)
    runs = [wl.evolve(TANH, law, Quantiles(1e-6, order=k, capacity=32), t1=0.5, save_at=[0.5]) for k in (5, 16)]
    assert len(runs[0].final) // 5 > len(runs[1].final) // 16
    np.testing.assert_allclose(runs[0].risk, runs[1].risk, rtol=1e-6)


def test_refines_where_the_flow_splits_the_mass() -> None:
    law = laws.Normal(0.3, 1.0)
    run = wl.evolve(WELL, law, Quantiles(1e-8, capacity=64), t1=8.0, save_at=[2.0, 8.0])
    assert run.outcome.ok
    counts = (run.weights > 0).sum(axis=1) // 16
    # X steepens as e^t at the score -0.3: a halving for every factor 2, and not many more panels than that.
    assert counts[0] < counts[1] < counts[2] <= 8 + 3 * 8 / math.log(2)
    for i, t in enumerate(run.times):
        x, level = run[i].positions[:, 0], run.level[i][: len(run[i])]
        exact = _well_flow(0.3 + ndtri(np.minimum(level, 1 - 1e-16)), t)
        middle = (level > 1e-8) & (level < 1 - 1e-8)
        assert _rms(run[i].weights[middle], (x - exact)[middle]) < 1e-8
        assert np.all(np.diff(x) > -1e-12)
        risk = scipy.integrate.quad(
            lambda z, t=t: _well_of(_well_flow(0.3 + z, t)) * math.exp(-0.5 * z * z),
            -12,
            12,
            points=[-0.3 + side * 10.0**-k for k in range(1, 6) for side in (-1, 1)],
            limit=500,
            epsabs=1e-13,
        )[0]
        assert run.risk[i] == pytest.approx(risk / math.sqrt(2 * math.pi), rel=1e-8)


def _well_of(x: float) -> float:
    return 0.25 * x**4 - 0.5 * x**2


@pytest.mark.slow
def test_capacity_and_save_times_change_nothing() -> None:
    law, ends = laws.Normal(0.3, 1.0), []
    for capacity, times in ((16, [3.0]), (64, [3.0]), (16, [0.5, 1.0, 2.0, 3.0])):
        run = wl.evolve(WELL, law, Quantiles(1e-8, capacity=capacity), t1=3.0, save_at=times)
        ends.append(run.final)
    assert 16 * 16 < len(ends[0]) <= 32 * 16
    # Arrays of another length sum in another order.
    np.testing.assert_allclose(ends[0].positions, ends[1].positions, rtol=1e-10, atol=1e-11)
    np.testing.assert_array_equal(ends[0].positions, ends[2].positions)
    np.testing.assert_array_equal(ends[0].weights, ends[2].weights)


@pytest.mark.slow
def test_resumes_across_an_enlargement(tmp_path: pathlib.Path) -> None:
    law, flow = laws.Normal(0.3, 1.0), Quantiles(1e-8)
    whole = wl.evolve(WELL, law, flow, t1=3.0, save_at=[0.1, 3.0])
    assert (whole.weights[-1] > 0).sum() > flow.capacity * 16
    # Broken before the arrays have grown, and after.
    for most in (5, whole.steps - 5):
        broken = wl.evolve(
            WELL, law, flow, t1=3.0, save_at=[0.1, 3.0], max_steps=most, throw=False, checkpoint=tmp_path / "ck"
        )
        assert broken.outcome.name == "MAX_STEPS"
        assert broken.steps == most
    resumed = wl.evolve(WELL, law, flow, t1=3.0, save_at=[0.1, 3.0], checkpoint=tmp_path / "ck")
    assert resumed.steps == whole.steps
    np.testing.assert_array_equal(resumed.positions, whole.positions)
    np.testing.assert_array_equal(resumed.risk, whole.risk)


def test_stops_where_no_room_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("widelimit.dynamics.quantiles._quantiles.MOST_PANELS", 16)
    # An order of its own: what was compiled for another limit must not be taken again.
    run = wl.evolve(WELL, laws.Normal(0.3, 1.0), Quantiles(1e-8, order=14), t1=9.0, throw=False)
    assert run.outcome.name == "STALLED"
    assert "raise rtol" in run.message
    assert 0 < run.times[-1] < 9.0


# Starts.


def test_particles_are_those_of_the_gradient_flow() -> None:
    rng = np.random.default_rng(0)
    w = rng.uniform(1, 2, 6)
    w[2] = 0.0
    start = wl.Particles(rng.normal(size=(6, 1)), w / w.sum())
    exact = wl.evolve(TANH, start, wl.GradientFlow(TIGHT), t1=2.0, save_at=[0.4, 2.0])
    run = wl.evolve(TANH, start, Quantiles(1e-10), t1=2.0, save_at=[0.4, 2.0])
    np.testing.assert_allclose(run.positions, exact.positions, atol=1e-9)
    np.testing.assert_array_equal(run.weights, exact.weights)
    assert "resolution" not in run.observables


def test_an_atom_is_a_particle() -> None:
    one = wl.evolve(TANH, wl.Particles([[0.3]]), Quantiles(1e-9), t1=0.5, save_at=[0.5])
    atom = wl.evolve(TANH, laws.Atom(0.3), Quantiles(1e-9), t1=0.5, save_at=[0.5])
    np.testing.assert_array_equal(atom.positions, one.positions)
    assert np.all(atom.weights == 1.0)


def test_starts_from_a_density_on_a_grid() -> None:
    grid = grids.uniform(-2.0, 2.0, 8)
    masses = np.array([0.0, 0.1, 0.3, 0.0, 0.0, 0.2, 0.4, 0.0])
    run = wl.evolve(WELL, GridDensity(grid, masses), Quantiles(1e-9), t1=1.0, save_at=[1.0])
    # The same density, as a mixture of uniform laws.
    parts = [(m, laws.Uniform(-2 + 0.5 * j, -1.5 + 0.5 * j)) for j, m in enumerate(masses) if m > 0]
    exact = [
        m * scipy.integrate.quad(lambda x: _well_of(_well_flow(x, 1.0)), float(u.lower), float(u.upper))[0] / 0.5
        for m, u in parts
    ]
    assert run.risk[-1] == pytest.approx(sum(exact), rel=1e-9)
    assert float(run.final.mass) == pytest.approx(1.0, abs=1e-15)
    infinite = GridDensity(grids.half_line(4), np.full(4, 0.25))
    assert wl.evolve(WELL, infinite, Quantiles(1e-6), t1=0.5).outcome.ok


def test_schedule() -> None:
    plain = wl.evolve(WELL, laws.Normal(0.3, 0.5), Quantiles(1e-8), t1=1.0, save_at=[1.0])
    fast = wl.evolve(WELL, laws.Normal(0.3, 0.5), Quantiles(1e-8, schedule=2.0), t1=0.5, save_at=[0.5])
    np.testing.assert_array_equal(fast.positions, plain.positions)
    # tau = INT_0^t s^(-1/2) ds = 2 sqrt t.
    assert Quantiles(schedule=wl.schedules.power(0.5)).clock.reading(9.0) == pytest.approx(6.0, rel=1e-14, abs=0.0)


# Walls and circles.


@pytest.mark.slow
def test_mass_that_reaches_a_wall_stays_there() -> None:
    # All move at the same speed: X = max(X_0 - a, 0), a' = 1 + E max(X_0 - a, 0) = 1 + (1 - a)^2/2, X_0 uniform.
    run = wl.evolve(WALL, laws.Uniform(0.0, 1.0), Quantiles(1e-7, capacity=64), t1=0.6, save_at=[0.3, 0.6])
    a = scipy.integrate.solve_ivp(
        lambda t, a: 1 + 0.5 * (1 - a) ** 2, (0, 0.6), [0.0], t_eval=[0.0, 0.3, 0.6], rtol=1e-12, atol=1e-13
    ).y[0]
    for i in range(3):
        x, w = run[i].positions[:, 0], run[i].weights
        level = run.level[i][: len(run[i])]
        # A kink in the integrand: the limited depth of a panel at a wall leaves 1e-5 of the mean.
        assert float(w @ x) == pytest.approx(0.5 * (1 - a[i]) ** 2, abs=3e-5)
        np.testing.assert_allclose(x, np.maximum(level - a[i], 0.0), atol=1e-5)
        assert np.all(np.diff(x) >= 0)
        assert np.all(x >= 0)
    assert np.sum(run[2].weights[np.asarray(run[2].positions[:, 0]) == 0]) == pytest.approx(a[2], abs=0.02)
    assert run.resolution[0] < 1e-7 < run.resolution[2] < 1e-2
    assert (run.weights[-1] > 0).sum() < 60 * 16


@pytest.mark.slow
def test_walls_like_many_particles() -> None:
    # At first the drift pushes mass onto the wall, then it pulls it off: two targets of different speeds.
    data = wl.data.Samples(np.array([[1.0], [-0.35]]), np.array([-3.0, -1.0]), np.array([0.5, 0.5]))
    problem = wl.Problem(_number, data, wl.losses.squared(1.0), domain=wl.domains.Box(0.0, 1.5))
    start = wl.Particles(np.linspace(0.05, 1.45, 15)[:, None])
    exact = wl.evolve(problem, start, wl.GradientFlow(integrators.Tsit5(1e-9, 1e-10)), t1=0.5, save_at=[0.1, 0.5])
    run = wl.evolve(problem, start, Quantiles(1e-9), t1=0.5, save_at=[0.1, 0.5])
    assert np.any(exact.positions[-1] == 0)
    np.testing.assert_allclose(run.positions, exact.positions, atol=1e-6)
    np.testing.assert_allclose(run.dissipated, exact.dissipated, atol=1e-5)


def test_particles_leave_a_wall_when_the_velocity_turns_inside() -> None:
    # v = 0.3 - m - X, m the mean: while m > 0.3 what is near 0 is pressed against the wall. Without walls m falls as
    # 0.15 + 0.6 exp(-2 t), to 0.15; from m = 0.3 on the wall is left, by all that sit there at once.
    problem = wl.Problem(
        _number,
        wl.data.Samples(np.ones((1, 1)), np.array([0.3])),
        penalty=wl.penalties.l2(0.5),
        domain=wl.domains.Box(0.0, 1.5),
    )
    start = wl.Particles(np.array([0.05, 0.1, 0.15, 0.3, 1.2, 1.3, 1.4, 1.45])[:, None])
    exact = wl.evolve(problem, start, wl.GradientFlow(integrators.Tsit5(1e-9, 1e-10)), t1=1.6, save_at=[0.5, 1.6])
    run = wl.evolve(problem, start, Quantiles(1e-9), t1=1.6, save_at=[0.5, 1.6])
    assert np.sum(exact.positions[1] == 0.0) >= 2
    assert np.all(exact.positions[2] > 0.01)
    np.testing.assert_allclose(run.positions[1], exact.positions[1], atol=1e-8)
    # No step ends where the velocity turns: the wall is left up to a step late.
    np.testing.assert_allclose(run.positions[2], exact.positions[2], atol=3e-5)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_what_is_behind_a_wall_is_put_onto_it_where_the_drift_there_is_inward(side: float) -> None:
    # phi = x theta with f = 0 at the only node: v = side at every place, so inward at the wall below for side = 1.
    data = wl.data.Samples(np.zeros((1, 1)), np.zeros(1))
    slope = wl.penalties.function(_falls if side > 0 else _rises)
    problem = wl.Problem(_number, data, penalty=slope, domain=wl.domains.Box(0.0, 1.0))
    y = jnp.asarray([[-0.2, 0.4, 1.3]])
    field = LabelField(problem, jnp.full((1, 3), 1.0 / 3.0), jnp.asarray(1.0))
    freed, any_freed = field.release(y)
    expected = [0.0, 0.4, 1.3] if side > 0 else [-0.2, 0.4, 1.0]
    np.testing.assert_array_equal(freed[0], expected)
    assert bool(any_freed)
    # Nothing behind a wall: nothing changes, and nothing is said to.
    kept, changed = field.release(jnp.asarray([[0.0, 0.4, 1.0]]))
    np.testing.assert_array_equal(kept[0], [0.0, 0.4, 1.0])
    assert not bool(changed)


def _falls(theta: Any) -> Any:
    return -theta.r


def _rises(theta: Any) -> Any:
    return theta.r


def test_a_circle_has_no_ends() -> None:
    # v = -cos r for every particle on its own; it carries mass through 0 = 2 pi.
    problem = wl.Problem(
        wl.units.Function(_wave, columns=["r"]), _origin, wl.losses.Loss(_itself), domain=wl.domains.Circle()
    )
    assert walls(problem) == ()
    run = wl.evolve(problem, laws.Uniform(0.2, 1.4), Quantiles(1e-9), t1=1.5, save_at=[1.5])
    x, start = run.final.positions[:, 0], 0.2 + 1.2 * run.level[-1][: len(run.final)]
    exact = scipy.integrate.solve_ivp(lambda t, r: -np.cos(r), (0, 1.5), start, "DOP853", rtol=1e-12, atol=1e-13).y[
        :, -1
    ]
    np.testing.assert_allclose(x, exact % (2 * np.pi), atol=1e-7)
    assert np.any(exact < 0)
    assert np.any(exact > 0)


# Bad input.


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Quantiles(0.0), "rtol"),
        (lambda: Quantiles(1e-14), "1e-12"),
        (lambda: Quantiles(order=2), "order"),
        (lambda: Quantiles(panels=0), "panels"),
        (lambda: Quantiles(panels=True), "panels"),
        (lambda: Quantiles(capacity=10**6), "4096"),
        (lambda: Quantiles(schedule=-1.0), "schedule"),
    ],
)
def test_bad_numbers(make: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


_relu = wl.Problem(wl.units.Neuron(wl.activations.relu, bias=False, output_weight=False), _one)
_three = wl.Problem(wl.units.Neuron(wl.activations.tanh), _one)
_l1 = wl.Problem(_number, _one, penalty=wl.penalties.total_variation(0.1, "r"))
_scaled = wl.Problem(_number, _one, scale=wl.scales.Power(0.5))
_fresh = wl.Problem(
    wl.units.Neuron(wl.activations.tanh, bias=False, output_weight=False), wl.data.GaussianClasses(1.0, 0.5, dim=1)
)


@pytest.mark.parametrize(
    ("problem", "start", "words"),
    [
        (
            _three,
            laws.Normal(0.0, 1.0, dim=(3,)),
            r"one parameter, the problem has 3: output, weight.*GradientFlow or Char",
        ),
        (_relu, laws.Normal(0.0, 1.0), "kinks.*GradientFlow"),
        (_l1, laws.Normal(0.0, 1.0), "penalty is not smooth"),
        (_scaled, laws.Normal(0.0, 1.0), "scale"),
        (PULL, laws.Normal(0.0, 1.0, dim=2), "2 columns, the unit needs 1: r"),
        (PULL, laws.product(q=laws.Normal(0.0, 1.0)), "blocks are q"),
        (WALL, laws.Normal(0.0, 1.0), r"0.5 of the law's mass lies outside"),
        (PULL, laws.Sphere(1), "closed form"),
        (_fresh, laws.Normal(0.0, 1.0), "nodes"),
    ],
)
def test_bad_input(problem: wl.Problem, start: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        wl.evolve(problem, start, Quantiles(), t1=1.0)


def test_a_start_that_no_panels_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("widelimit.dynamics.quantiles._resolution.MOST_PANELS", 16)
    spikes = laws.Mixture([laws.Normal(float(k), 1e-4) for k in range(6)], np.full(6, 1 / 6))
    with pytest.raises(ValueError, match="does not resolve on 16 panels"):
        wl.evolve(TANH, spikes, Quantiles(1e-10), t1=1.0)
