"""A penalty that settles the charge of each neuron: against a convex program over a grid, and psi on a grid."""

import cvxpy
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit.analysis.minimum import _charges, _depths, _regions

WEIGHTS = np.linspace(-5.0, 5.0, 201)
L2 = 1e-2


def problem_of(l2=L2, size=0.0, *, targets=None, domain=None):
    x = np.linspace(-2.0, 2.0, 15)[:, None]
    y = np.sin(2.0 * x[:, 0]) + 0.3 if targets is None else targets(x[:, 0])
    return wl.Problem(
        wl.units.Neuron(wl.activations.tanh, bias=False),
        wl.data.Samples(x, y),
        penalty=wl.penalties.l2(l2) + wl.penalties.total_variation(size, "output"),
        domain=domain,
    )


@pytest.fixture(scope="module")
def scattered():
    return wl.Particles(np.random.default_rng(0).normal(size=(8, 2)))


def of_a_grid(problem, l2=L2):
    """min over masses q and charges c at the grid's weights; with a = q c the price q c^2 = a^2/q is convex."""
    x, y, mu = (np.asarray(part) for part in problem.data.nodes)
    a, q, price = cvxpy.Variable(len(WEIGHTS)), cvxpy.Variable(len(WEIGHTS), nonneg=True), cvxpy.Variable(len(WEIGHTS))
    risk = 0.5 * cvxpy.sum_squares(cvxpy.multiply(np.sqrt(mu), np.tanh(x * WEIGHTS) @ a - y))
    # a^2 <= price q as a cone of second order.
    cone = cvxpy.SOC(price + q, cvxpy.vstack([2.0 * a, price - q]))
    objective = cvxpy.Minimize(risk + l2 * (cvxpy.sum(price) + WEIGHTS**2 @ q))
    cvxpy.Problem(objective, [cone, cvxpy.sum(q) == 1]).solve(solver=cvxpy.CLARABEL)
    kept = q.value > 1e-6
    rows = np.stack([a.value[kept] / q.value[kept], WEIGHTS[kept]], axis=1)
    return wl.Particles(rows, q.value[kept] / q.value[kept].sum()), float(objective.value)


def test_at_the_optimum_of_a_grid_nothing_is_left(scattered):
    """No loose bound from the charges alone: without the price of the weights it is above the objective itself."""
    problem = problem_of()
    best, value = of_a_grid(problem)
    objective = float(problem.objective(best))
    assert objective == pytest.approx(value, rel=1e-6)
    gap = wl.analysis.optimality_gap(problem, best, competitor=False)
    assert gap.certified
    # The grid lies above the infimum by the square of its spacing.
    assert 0.0 < gap.gap < 1e-3 * objective
    assert gap.lower <= value
    far = wl.analysis.optimality_gap(problem, scattered, competitor=False)
    assert far.certified
    assert far.lower <= value
    assert float(problem.objective(scattered)) - value <= far.gap


@pytest.mark.slow
def test_the_minimum_is_certified_from_outside():
    """`minimise` moves particles with all their blocks; the gap eliminates the charges. Neither knows of the other."""
    problem = problem_of()
    best = wl.minimise(problem)
    gap = wl.analysis.optimality_gap(problem, best.measure, competitor=False)
    assert best.converged
    assert not best.certified
    assert best.statement.startswith("Within about ")
    assert gap.certified
    assert gap.gap < 1e-11
    assert best.objective <= of_a_grid(problem)[1]


def lowest(problem, measure, charges):
    """The least of psi on a grid of charges and weights."""
    rows = np.stack([part.ravel() for part in np.meshgrid(*charges, WEIGHTS, indexing="ij")], axis=1)
    return float(jnp.min(problem.potential(measure)(rows)))


@pytest.mark.parametrize(
    ("size", "domain"),
    [(0.0, None), (0.05, None), (0.05, wl.domains.product(output=wl.domains.HalfLine()))],
)
def test_the_lowest_point_of_psi_is_that_of_a_grid(scattered, size, domain):
    scattered = wl.Particles(np.abs(scattered.positions))
    problem = problem_of(0.05, size, domain=domain)
    gap = wl.analysis.optimality_gap(problem, scattered, competitor=False)
    assert gap.largest_correlation is None
    value = float(problem.potential(scattered)(gap.maximiser))
    charges = np.linspace(-10.0 if domain is None else 0.0, 10.0, 801)
    grid = lowest(problem, scattered, [charges])
    assert value <= grid + 1e-12
    # The grid is coarse in w, and psi is flat to first order.
    assert value == pytest.approx(grid, rel=5e-3)
    # The first-order gap is no more than that of the lowest point, and true.
    mean = float(np.mean(np.asarray(problem.potential(scattered)(scattered.positions))))
    assert gap.gap <= (mean - value) * (1 + 1e-9)
    assert gap.certified


def test_vectors_of_charges_are_settled_too():
    problem = problem_of(0.05, 0.02, targets=lambda x: np.stack([np.sin(2.0 * x), np.cos(x)], axis=1))
    rho = wl.Particles(np.random.default_rng(1).normal(size=(8, 3)))
    gap = wl.analysis.optimality_gap(problem, rho, competitor=False)
    value = float(problem.potential(rho)(gap.maximiser))
    grid = lowest(problem, rho, [np.linspace(-6.0, 6.0, 81)] * 2)
    assert value <= grid + 1e-12
    assert value == pytest.approx(grid, rel=1e-2)


@pytest.mark.slow
def test_an_unbounded_unit_on_a_bounded_domain_is_taken():
    """phi~ is bounded where the knots are, so psi is: `minimise` and the gap agree, over the same competitors."""
    problem = wl.Problem(
        wl.units.FreeKnot(),
        wl.data.gauss_legendre(20, lambda x: jnp.sin(4.0 * x[0])),
        penalty=wl.penalties.l2(L2),
        domain=wl.domains.product(h=wl.domains.Box(0.0, 1.0)),
    )
    best = wl.minimise(problem)
    gap = wl.analysis.optimality_gap(problem, best.measure, competitor=False)
    assert best.converged
    assert gap.certified
    assert gap.gap < 1e-9
    assert "all measures on the domain" in best.statement
    assert "all measures on the domain" in gap.statement


def test_a_height_that_is_no_number_certifies_nothing(scattered, monkeypatch):
    problem = problem_of(domain=wl.domains.product(weight=wl.domains.Box(-2.0, 2.0)))
    region, cost = _regions.Region.of_features(problem), _charges.settled_cost(problem)
    known = _depths.depth(problem.potential(scattered), region, cost)
    assert 0.0 < known.weight < np.inf
    monkeypatch.setattr(_depths, "_tallest", lambda *_: float("nan"))
    assert _depths.depth(problem.potential(scattered), region, cost).weight == np.inf
