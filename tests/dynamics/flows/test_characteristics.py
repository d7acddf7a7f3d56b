"""Characteristics against Gaussians that stay Gaussian, the Jacobian of the flow, and quantiles in one parameter."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.interpolate
from scipy.special import ndtri

import widelimit as wl
from widelimit import integrators, laws
from widelimit.dynamics import Characteristics, Quantiles, advance
from widelimit.measure import GridDensity, grids, join, split

TIGHT = integrators.Tsit5(1e-10, 1e-11)


def _linear(theta: Any, x: Any) -> Any:
    return jnp.dot(theta.w, x)


def _form(theta: Any, x: Any) -> Any:
    """w^T A w / 2 with A given in the input."""
    return 0.5 * theta.w @ x.reshape(2, 2) @ theta.w


def _tanh(theta: Any, x: Any) -> Any:
    return jnp.tanh(theta.r * x[0] + x[1])


def _number(theta: Any, x: Any) -> Any:
    return theta.r * x[0]


def _itself(f: Any, y: Any) -> Any:
    return f


_rng = np.random.default_rng(0)
_plane = wl.units.Function(_linear, columns={"w": (2,)})
_pairs = wl.data.Samples(_rng.normal(size=(5, 2)), _rng.normal(size=5))
_X2 = np.array([[1.0, 0.3], [-2.0, 1.0], [0.5, -1.0]])
LINE = wl.Problem(
    wl.units.Function(_tanh, columns=["r"]), wl.data.Samples(_X2, np.array([0.7, -0.5, 0.2])), wl.losses.squared(1.0)
)
NEURON = wl.Problem(wl.units.Neuron(wl.activations.tanh, bias=False), _pairs, penalty=wl.penalties.l2(0.02))


def _gauss(rows: Any, mean: Any, covariance: Any) -> np.ndarray:
    away = np.asarray(rows) - mean
    size = np.linalg.slogdet(2 * math.pi * covariance)[1]
    return -0.5 * np.einsum("ni,ij,nj->n", away, np.linalg.inv(covariance), away) - 0.5 * size


@pytest.mark.parametrize("dim", [1, 2])
def test_a_uniform_contraction_raises_the_density_everywhere(dim: int) -> None:
    # phi = w . x with an l2 penalty: div v = -2 lambda P D at every place and time.
    unit = wl.units.Function(_linear, columns={"w": (dim,)})
    data = wl.data.Samples(_pairs.nodes.x[:, :dim], _pairs.nodes.y)
    problem = wl.Problem(unit, data, penalty=wl.penalties.l2(0.3), mobility=wl.mobilities.Diagonal(w=0.5))
    run = wl.evolve(problem, laws.Normal(0.3, 1.2, dim=(dim,)), Characteristics(64), t1=2.0, save_at=[0.5, 2.0])
    for i, t in enumerate(run.times):
        np.testing.assert_allclose(run.log_density[i], run.log_density[0] + 0.3 * dim * t, rtol=0, atol=1e-12)
    np.testing.assert_allclose(run.entropy, -run.log_density.mean(axis=1), rtol=1e-13)
    np.testing.assert_allclose(run.objective + run.dissipated, run.objective[0], rtol=1e-7)


def test_a_gaussian_stays_gaussian() -> None:
    # psi = w^T A w / 2 whatever rho is: rho_t = N(M m, M S M^T), M = exp(-A t).
    form = np.array([[1.0, 0.4], [0.4, -0.6]])
    problem = wl.Problem(
        wl.units.Function(_form, columns={"w": (2,)}),
        wl.data.Samples(form.reshape(1, 4), np.zeros(1)),
        wl.losses.Loss(_itself),
    )
    law = laws.Normal(np.array([0.5, -1.0]), np.array([0.7, 1.3]), dim=(2,))
    run = wl.evolve(problem, law, Characteristics(128, integrator=TIGHT), t1=1.5, save_at=[0.6, 1.5])
    values, vectors = np.linalg.eigh(form)
    for i, t in enumerate(run.times):
        flow = vectors @ np.diag(np.exp(-values * t)) @ vectors.T
        exact = _gauss(run.positions[i], flow @ [0.5, -1.0], flow @ np.diag([0.49, 1.69]) @ flow.T)
        np.testing.assert_allclose(run.log_density[i], exact, atol=1e-8)


def _at(dynamics: Characteristics, problem: wl.Problem, law: laws.AbstractLaw, t: float) -> Any:
    state = dynamics.init(problem, law, t1=t, key=None)
    last, _, _ = advance(dynamics, problem, state, state.end, jnp.asarray(10**6))
    return state, last


def test_mass_is_conserved_along_each_characteristic() -> None:
    # log rho_t(X) + log det dX/dx_0 = log rho_0(x_0), where x_0 moves a test particle in the given potential: the
    # Jacobian by differentiating the whole run, in which a particle of weight 0 is added.
    law = laws.product(output=laws.Normal(0.0, 1.0), weight=laws.Normal(0.0, 1.0, dim=2))
    flow, n, steps = Characteristics(16, integrator=integrators.RungeKutta4(0.05)), 16, 20
    state, last = _at(flow, NEURON, law, 1.0)
    masses = state.carried._replace(weights=jnp.append(state.carried.weights, 0.0))
    rows = join(NEURON.blocks, state.y[0].theta)

    @eqx.filter_jit
    @jax.jacfwd
    def end(row: Any) -> Any:
        y = flow.start(NEURON, split(NEURON.blocks, jnp.vstack([rows, row])), jnp.zeros(n + 1))

        def velocity(y: Any) -> Any:
            return flow.velocity(NEURON, masses, y)

        def step(y: Any, _: Any) -> Any:
            k1 = velocity(y)
            k2 = velocity(jax.tree.map(lambda a, b: a + 0.025 * b, y, k1))
            k3 = velocity(jax.tree.map(lambda a, b: a + 0.025 * b, y, k2))
            k4 = velocity(jax.tree.map(lambda a, b: a + 0.05 * b, y, k3))
            return jax.tree.map(lambda a, p, q, r, s: a + 0.05 / 6 * (p + 2 * q + 2 * r + s), y, k1, k2, k3, k4), None

        return join(NEURON.blocks, jax.lax.scan(step, y, None, length=steps)[0].theta)[-1]

    start = law.log_density(rows)
    for i in (0, 5, 11):
        jacobian = np.asarray(end(rows[i]))
        # Both integrate the same field with the same step; only the quadrature of the trace in time differs, O(h^4).
        assert float(last.y[0].log_density[i]) == pytest.approx(
            float(start[i]) - np.linalg.slogdet(jacobian)[1], abs=2e-7
        )
        assert abs(np.linalg.slogdet(jacobian)[1]) > 0.01


@pytest.mark.slow
def test_divergence_is_that_of_finite_differences() -> None:
    law = laws.product(output=laws.Normal(0.0, 1.0), weight=laws.Normal(0.0, 1.0, dim=2))
    problem = wl.Problem(
        NEURON.unit, NEURON.data, penalty=NEURON.penalty, mobility=wl.mobilities.Diagonal(output=2.0, weight=0.5)
    )
    flow = Characteristics(8)
    state = flow.init(problem, law, t1=1.0, key=None)
    rows, weights = np.asarray(join(problem.blocks, state.y[0].theta)), state.carried.weights
    (drift, rate), power = flow.rates(problem, state.carried, state.y[0])
    drift = join(problem.blocks, drift)
    psi = problem.potential(problem.pack(problem.unpack(wl.Particles(rows))[0], weights))
    scale, h = np.array([2.0, 0.5, 0.5]), 1e-5
    for i in (0, 3, 7):
        away = [(psi.gradient(rows[i] + h * e) - psi.gradient(rows[i] - h * e)) @ e / (2 * h) for e in np.eye(3)]
        # Central differences of a gradient: rounding 1e-16/h and h^2.
        assert float(rate[i]) == pytest.approx(float(scale @ np.array(away)), abs=1e-8)
    gradient = np.asarray(psi.gradient(rows))
    np.testing.assert_allclose(drift, -scale * gradient, rtol=1e-12, atol=1e-14)
    assert float(power) == pytest.approx(float(np.mean(np.sum(scale * gradient**2, axis=1))), rel=1e-12)


def test_like_the_quantiles_of_one_parameter() -> None:
    # rho_t(X(z)) X'(z) = n(z), X' by differentiating the polynomial of each panel.
    law = laws.Normal(0.2, 0.8)
    line = wl.evolve(LINE, law, Quantiles(1e-10, capacity=32), t1=1.0, save_at=[1.0])
    run = wl.evolve(LINE, law, Characteristics(2001, integrator=TIGHT), t1=1.0, save_at=[1.0])
    # The midpoint rule of a normal law errs by what is beyond its last points, z = 3.5.
    assert run.risk[-1] == pytest.approx(line.risk[-1], abs=1e-5)
    x, z = np.asarray(line.final.positions).reshape(-1, 16), ndtri(line.level[-1][: len(line.final)]).reshape(-1, 16)
    nodes = np.polynomial.legendre.leggauss(16)[0]
    densities = []
    for row, labels in zip(x, z, strict=True):
        fitted = np.polynomial.Legendre.fit(nodes, row, 15).deriv()(nodes)
        slope = fitted * (nodes[-1] - nodes[0]) / (labels[-1] - labels[0])
        densities.append(-0.5 * labels**2 - 0.5 * math.log(2 * math.pi) - np.log(slope))
    middle = np.abs(z) < 3.0
    exact = scipy.interpolate.CubicSpline(x[middle], np.array(densities)[middle])
    seen = run.positions[-1, :, 0]
    inside = (seen > x[middle].min()) & (seen < x[middle].max())
    assert inside.sum() > 1900
    np.testing.assert_allclose(run.log_density[-1][inside], exact(seen[inside]), atol=1e-4)


def test_order_of_a_fixed_step() -> None:
    law = laws.product(output=laws.Normal(0.0, 1.0), weight=laws.Normal(0.0, 1.0, dim=2))
    _, exact = _at(Characteristics(16, integrator=TIGHT), NEURON, law, 2.0)
    counts, errors = [8, 16, 32, 64], []
    for count in counts:
        flow = Characteristics(16, integrator=integrators.RungeKutta4(2.0 / count))
        assert flow.facts(NEURON).order == 4
        _, last = _at(flow, NEURON, law, 2.0)
        ends = [(join(NEURON.blocks, state.y[0].theta), state.y[0].log_density) for state in (last, exact)]
        errors.append([float(jnp.sqrt(jnp.mean((a - b) ** 2))) for a, b in zip(*ends, strict=True)])
    slopes = -np.polyfit(np.log(counts), np.log(errors), 1)[0]
    np.testing.assert_allclose(slopes, 4.0, atol=0.3)


def test_a_density_on_a_grid() -> None:
    grid = grids.product(grids.uniform(-1.0, 1.0, 6), grids.uniform(-1.0, 1.0, 5))
    masses = np.arange(30.0).reshape(6, 5)
    start = GridDensity(grid, masses / masses.sum())
    problem = wl.Problem(_plane, _pairs, penalty=wl.penalties.l2(0.3))
    run = wl.evolve(problem, start, Characteristics(), t1=1.0, save_at=[1.0])
    assert len(run.final) == 29
    kept = masses.ravel() > 0
    np.testing.assert_allclose(run.log_density[0], np.log(np.asarray(start.density).ravel()[kept]), rtol=1e-13)
    np.testing.assert_allclose(run.log_density[-1], run.log_density[0] + 1.2, atol=1e-12)


def test_in_pieces_it_is_the_same() -> None:
    law = laws.product(output=laws.Normal(0.0, 1.0), weight=laws.Normal(0.0, 1.0, dim=2))
    small = wl.Problem(NEURON.unit, NEURON.data, penalty=NEURON.penalty, budget=40)
    flow = Characteristics(16)
    state = flow.init(NEURON, law, t1=1.0, key=None)
    whole, pieces = (flow.rates(problem, state.carried, state.y[0]) for problem in (NEURON, small))
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(pieces), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


def test_stops_where_mass_reaches_a_wall() -> None:
    problem = wl.Problem(
        wl.units.Function(_number, columns=["r"]),
        wl.data.Samples(np.ones((1, 1)), np.zeros(1)),
        wl.losses.Loss(_itself),
        domain=wl.domains.HalfLine(),
    )
    # v = -1: the lowest of 16 quantiles of the uniform law starts at 1 + 1/32.
    law = laws.Uniform(1.0, 2.0)
    assert wl.evolve(problem, law, Characteristics(16), t1=1.0).outcome.ok
    run = wl.evolve(problem, law, Characteristics(16), t1=1.2, throw=False)
    assert run.outcome.name == "STALLED"
    assert "wall" in run.message
    assert run.times[-1] < 1.0 + 1 / 32


_wall = wl.Problem(wl.units.Function(_number, columns=["r"]), _pairs, domain=wl.domains.HalfLine())
_sphere = wl.Problem(_plane, _pairs, domain=wl.domains.Sphere())
_relu = wl.Problem(wl.units.Neuron(wl.activations.relu, bias=False, output_weight=False), _pairs)
_scaled = wl.Problem(_plane, _pairs, scale=wl.scales.Power(0.5))
_rough = wl.Problem(_plane, _pairs, penalty=wl.penalties.total_variation(0.1, "w"))
_square = laws.Normal(0.0, 1.0, dim=(2,))


@pytest.mark.parametrize(
    ("problem", "start", "words"),
    [
        (LINE, wl.Particles(np.zeros((2, 1))), "Particles has none.*laws.Normal"),
        (LINE, laws.Atom(1.0), "Atom has none"),
        (LINE, laws.Normal(0.0, 0.0), "no density"),
        (LINE, _square, "2 columns, the unit needs 1: r"),
        (LINE, laws.product(q=laws.Normal(0.0, 1.0)), "blocks are q"),
        (_wall, laws.Normal(0.0, 1.0), "outside the problem's domain"),
        (_sphere, _square, "'w' lives on a sphere"),
        (_relu, _square, "kinks.*smooth activation"),
        (_scaled, _square, "scale"),
        (_rough, _square, "penalty is not smooth"),
    ],
)
def test_bad_input(problem: wl.Problem, start: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        wl.evolve(problem, start, Characteristics(8), t1=1.0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Characteristics(0), "particles"),
        (lambda: Characteristics(True), "particles"),
        (lambda: Characteristics(schedule=-1.0), "schedule"),
    ],
)
def test_bad_numbers(make: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()
