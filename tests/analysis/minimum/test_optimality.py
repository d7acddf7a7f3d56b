"""The gap against independent convex solvers: the LASSO on a fine grid of features."""

import cvxpy
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit.analysis.minimum import _bracket, _charges, _depths, _extremum, _optimality, _regions
from widelimit.trajectory import Progress

KNOTS = np.linspace(0.0, 1.0, 401)


def knot_problem(penalty=None, loss=None, **more):
    data = wl.data.gauss_legendre(40, lambda x: jnp.sin(4.0 * x[0]))
    return wl.Problem(
        unit=wl.units.FreeKnot(),
        data=data,
        loss=loss,
        penalty=penalty,
        domain=wl.domains.product(h=wl.domains.Box(0.0, 1.0)),
        **more,
    )


def lasso(features, data, strength):
    """min 1/2 SUM mu (F c - y)^2 + strength |c|_1, by an interior-point solver -> (c, risk, |c|_1)."""
    _, y, mu = (np.asarray(a) for a in data.nodes)
    c = cvxpy.Variable(features.shape[1])
    risk = 0.5 * cvxpy.sum_squares(cvxpy.multiply(np.sqrt(mu), features @ c - y))
    cvxpy.Problem(cvxpy.Minimize(risk + strength * cvxpy.norm1(c))).solve(solver=cvxpy.CLARABEL)
    residual = features @ c.value - y
    return c.value, 0.5 * float(np.sum(mu * residual**2)), float(np.sum(np.abs(c.value)))


def ramps(data):
    return np.maximum(np.asarray(data.nodes.x) - KNOTS, 0.0)


def some_particles(columns=2, n=60, seed=0):
    charge, knot = np.random.default_rng(seed).normal(size=n), (np.arange(n) + 0.5) / n
    assert columns == 2
    return wl.Particles(np.stack([charge, knot], axis=1))


@pytest.fixture(scope="module")
def trained():
    problem = knot_problem(wl.penalties.total_variation(1e-2, "c"))
    return problem, wl.evolve(problem, some_particles(), wl.GradientFlow(), t1=300.0).final


@pytest.mark.slow
def test_total_variation_bounds_the_distance_to_the_lasso(trained):
    problem, rho = trained
    gap = wl.analysis.optimality_gap(problem, rho)
    _, risk, size = lasso(ramps(problem.data), problem.data, 1e-2)
    true = float(problem.objective(rho)) - (risk + 1e-2 * size)
    assert gap.certified
    # The grid's optimum lies above the infimum, by O(grid^2) only.
    assert true - 1e-9 <= gap.gap
    # Not an empty bound: training brings it down to a fraction of the objective at the start.
    assert gap.gap < 0.3 * float(problem.objective(some_particles()))


def test_the_gap_vanishes_at_the_optimum_of_the_lasso():
    """A grid of knots misses the free ones by its spacing, and the correlation's maximum by the square of that."""
    problem = knot_problem(wl.penalties.total_variation(1e-2, "c"))
    coefficients, risk, size = lasso(ramps(problem.data), problem.data, 1e-2)
    kept = np.flatnonzero(np.abs(coefficients) > 1e-6 * size)
    # f = SUM w_i c_i ramp_i with w_i = 1/n: charges n times the coefficients.
    rho = wl.Particles(np.stack([coefficients[kept] * len(kept), KNOTS[kept]], axis=1))
    gap = wl.analysis.optimality_gap(problem, rho)
    assert gap.certified
    assert -1e-9 < gap.gap < 1e-3 * (risk + 1e-2 * size)


@pytest.mark.first(1)
@pytest.mark.parametrize("strength", [1e-3, 1e-2, 0.1])
def test_budget_bounds_the_distance_to_the_constrained_optimum(strength):
    """The LASSO's solution is the optimum among all with its own |c|_1."""
    problem = knot_problem()
    _, risk, size = lasso(ramps(problem.data), problem.data, strength)
    rho = some_particles(seed=1)
    gap = wl.analysis.optimality_gap(problem, rho, budget=size)
    assert gap.budget == size
    assert float(problem.risk(rho)) - risk <= gap.gap + 1e-12
    assert gap.certified


@pytest.mark.parametrize("size", [0.5, 4.0])
def test_the_infimum_lies_in_its_bracket(size):
    """The constrained LASSO, by an interior-point method; the grid's optimum lies above, by O(grid^2)."""
    problem, rho = knot_problem(), some_particles(seed=1)
    _, y, mu = (np.asarray(a) for a in problem.data.nodes)
    c = cvxpy.Variable(len(KNOTS))
    risk = 0.5 * cvxpy.sum_squares(cvxpy.multiply(np.sqrt(mu), ramps(problem.data) @ c - y))
    best = cvxpy.Problem(cvxpy.Minimize(risk), [cvxpy.norm1(c) <= size]).solve(solver=cvxpy.CLARABEL)
    gap = wl.analysis.optimality_gap(problem, rho, budget=size)
    assert gap.objective == pytest.approx(float(problem.risk(rho)))
    assert gap.lower <= best + 1e-9
    assert best - 1e-4 <= gap.upper <= gap.objective
    # The gap of this measure alone says much less, where the budget is large nothing.
    assert gap.upper - gap.lower < 0.02 * gap.gap
    assert gap.certified
    assert gap.informs
    # The better measure is within the budget, and as good as is said.
    assert float(jnp.sum(gap.competitor.weights * jnp.abs(gap.competitor["c"]))) <= size * (1 + 1e-12)
    assert float(problem.risk(gap.competitor)) == pytest.approx(gap.upper, rel=1e-9)
    assert "what is missing" in gap.bracket


def test_an_infimum_of_zero_is_said_as_zero():
    """Two points that one saturated neuron tells apart: nobody wants to read 6.7e-30."""
    problem = wl.Problem(
        wl.units.Neuron(wl.activations.tanh, bias=False), wl.data.Samples([[-1.0], [1.0]], [-1.0, 1.0])
    )
    gap = wl.analysis.optimality_gap(problem, some_particles(problem.dim, n=5), budget=1.0)
    assert gap.lower == 0.0
    assert 0.0 <= gap.upper < 1e-20
    assert "is 0 to rounding" in gap.bracket
    assert "a single atom, reaches it" in gap.bracket


def test_a_search_that_ends_at_no_number_is_an_error(monkeypatch):
    largest = _optimality._largest

    def lost(*arguments):
        found, far = largest(*arguments)
        return found._replace(upper=float("nan")), far

    monkeypatch.setattr(_optimality, "_largest", lost)
    with pytest.raises(ValueError, match="psi is not a number"):
        wl.analysis.optimality_gap(knot_problem(), some_particles(), budget=0.5)


def test_a_longer_or_shorter_residual_bounds_better():
    """Targets out of reach: the bound at a poor measure, by the dual's best multiple, against the least squares."""
    problem, rho = knot_problem(), some_particles(seed=1)
    best = wl.minimise(problem, budget=0.5).objective
    at = problem.on_nodes()
    region = _regions.Region.of_features(at)
    search = _extremum.Search(2, jax.random.key(0), 10**5, 64)
    top = _extremum.scan(_depths.depth(at.potential(rho), region), search).upper
    others = _bracket.Comparison(_charges.Costs(0.0, 0.0), 0.5, 0.5, "")
    bound = _bracket.DualBound(at, rho, at.potential(rho), top, others)
    first = float(problem.risk(rho)) - (
        float(jnp.sum(rho.weights * at.potential(rho)(rho.positions))) - bound.floor(1.0)
    )
    scaled = _bracket._scaled(bound)
    assert first + 1e-3 < scaled <= best + 1e-12
    # Of the sampled multiples none is better.
    tilt, bend = (float(part) for part in _bracket._conjugate(at, rho))
    assert max(bound.floor(t) - t * tilt - t * t * bend for t in np.linspace(0.0, 3.0, 3001)) <= scaled + 1e-12


def test_default_budget_is_that_of_the_measure():
    problem, rho = knot_problem(), some_particles()
    gap = wl.analysis.optimality_gap(problem, rho)
    assert gap.budget == pytest.approx(float(jnp.mean(jnp.abs(rho.positions[:, 0]))))
    assert "that of the measure itself" in gap.statement
    grid = np.stack([np.ones_like(KNOTS), KNOTS], axis=1)
    on_grid = np.max(np.abs(np.asarray(problem.potential(rho)(grid))))
    assert gap.largest_correlation == pytest.approx(on_grid, rel=1e-4)
    # The maximum is at the knot 0, which is on the grid: equal to the rounding of two sums.
    assert gap.largest_correlation >= on_grid * (1 - 1e-14)


@pytest.mark.slow
def test_squared_charge_bounds_the_distance_along_the_lasso_path():
    """inf R + l INT c^2 d rho over rho and c is min over signed measures of R + l TV^2."""
    strength = 1e-2
    problem = knot_problem(wl.penalties.l2(strength, ["c"]))
    path = [lasso(ramps(problem.data), problem.data, s) for s in np.geomspace(1e-3, 0.3, 12)]
    best = min(risk + strength * size**2 for _, risk, size in path)
    for rho in (some_particles(), wl.evolve(problem, some_particles(), wl.GradientFlow(), t1=50.0).final):
        gap = wl.analysis.optimality_gap(problem, rho)
        assert gap.budget is None
        assert gap.certified
        assert float(problem.objective(rho)) - best <= gap.gap + 1e-12


@pytest.mark.slow
def test_weight_decay_of_relu_neurons_is_a_lasso_over_directions():
    """inf R + l INT (c^2 + |w|^2) d rho = min R + 2 l INT |nu| over directions on the circle (degree 1)."""
    strength = 2e-3
    x = np.linspace(-1.0, 1.0, 15)
    problem = wl.Problem(
        wl.units.Neuron(wl.activations.relu),
        wl.data.Samples(x, np.abs(x) - 0.3),
        penalty=wl.penalties.l2(strength),
    )
    angles = np.linspace(0.0, 2 * np.pi, 721)[:-1]
    features = np.maximum(np.outer(x, np.cos(angles)) + np.sin(angles), 0.0)
    _, risk, size = lasso(features, problem.data, 2 * strength)
    start = wl.Particles(np.random.default_rng(2).normal(size=(100, 3)))
    # Adaptive steps are slow across the kinks.
    rho = wl.evolve(problem, start, wl.GradientFlow(wl.integrators.RungeKutta4(0.05)), t1=100.0).final
    gap = wl.analysis.optimality_gap(problem, rho)
    true = float(problem.objective(rho)) - (risk + 2 * strength * size)
    assert gap.certified
    assert true - 1e-6 <= gap.gap
    assert gap.gap < 0.05 * float(problem.objective(start))


@pytest.mark.slow
def test_bounded_first_variation_needs_no_budget():
    """A unit without a linear block on a box: min psi by a fine grid."""
    unit = wl.units.Neuron(wl.activations.tanh, bias=True, output_weight=False)
    x = np.linspace(-1.0, 1.0, 9)
    problem = wl.Problem(unit, wl.data.Samples(x, 0.3 * x), domain=wl.domains.Box(-2.0, 2.0))
    rho = wl.Particles(np.random.default_rng(0).uniform(-2, 2, size=(30, 2)))
    gap = wl.analysis.optimality_gap(problem, rho)
    psi = problem.potential(rho)
    axis = np.linspace(-2, 2, 301)
    least = float(jnp.min(psi(jnp.stack(jnp.meshgrid(axis, axis), -1))))
    expected = float(jnp.mean(psi(rho.positions))) - least
    assert gap.certified
    assert gap.largest_correlation is None
    assert expected <= gap.gap <= expected + 1e-3
    best = wl.evolve(problem, rho, wl.GradientFlow(), t1=500.0)
    assert float(problem.risk(rho)) - best.risk[-1] <= gap.gap


@pytest.mark.slow
def test_vector_outputs_and_high_dimension_give_an_estimate():
    x = np.random.default_rng(0).normal(size=(40, 5))
    problem = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(x, np.stack([x[:, 0], x[:, 1]], 1)))
    rho = wl.Particles(np.random.default_rng(1).normal(size=(50, 8)))
    gap = wl.analysis.optimality_gap(problem, rho)
    assert not gap.certified
    assert "estimate" in gap.statement
    assert gap.maximiser is not None
    assert gap.maximiser.shape == (8,)
    end = wl.evolve(problem, rho, wl.GradientFlow(), t1=100.0)
    # Over the budget of the trained measure, it is one of the competitors: no better by more than the gap.
    size = float(jnp.mean(jnp.linalg.norm(end.final["output"], axis=1)))
    over = wl.analysis.optimality_gap(problem, rho, budget=size)
    assert 0.0 < float(problem.risk(rho)) - end.risk[-1] <= over.gap


def test_unbounded_correlation_says_so():
    data = wl.data.Samples(np.linspace(0, 1, 10), np.ones(10))
    gap = wl.analysis.optimality_gap(wl.Problem(wl.units.FreeKnot(), data), some_particles())
    assert gap.gap == float("inf")
    assert not gap.certified
    assert "bounded domain" in gap.statement


class Wavelet(wl.units.AbstractUnit):
    """c cos(5 w x) exp(-(w x)^2/2), without a word on c: far out in (c, w) together it is zero."""

    def blocks(self, inputs, outputs):
        return wl.measure.Block("c", outputs), wl.measure.Block("w", (inputs,))

    def __call__(self, theta, x):
        z = jnp.dot(theta.w, x)
        return theta.c * jnp.cos(5.0 * z) * jnp.exp(-0.5 * z**2)


def test_a_unit_that_does_not_say_that_it_is_linear_gets_no_gap():
    x = np.linspace(-1.0, 1.0, 15)
    rho = wl.Particles(np.random.default_rng(0).normal(size=(64, 2)))
    gap = wl.analysis.optimality_gap(wl.Problem(Wavelet(), wl.data.Samples(x, np.sin(3.0 * x))), rho)
    assert gap.gap == float("inf")
    assert "no gap can be stated" in gap.statement
    assert gap.lower == 0.0
    assert not gap.informs


def test_more_evaluations_tighten_a_valid_bound():
    problem, rho = knot_problem(), some_particles()
    gaps = [wl.analysis.optimality_gap(problem, rho, most=most).gap for most in (10, 100, 100_000)]
    assert gaps[0] >= gaps[1] >= gaps[2] > 0


def bending():
    """A tanh neuron's psi bends everywhere, so that the search in its box takes many rounds."""
    x = np.linspace(-1.0, 1.0, 9)
    unit, box = wl.units.Neuron(wl.activations.tanh, output_weight=False), wl.domains.Box(-3.0, 3.0)
    return wl.Problem(unit, wl.data.Samples(x, np.sin(3.0 * x)), domain=box), wl.Particles(
        np.array([[1.0, 0.2], [-0.5, 0.1]])
    )


@pytest.mark.slow
def test_time_that_is_up_leaves_a_larger_gap_that_is_true():
    problem, rho = bending()
    whole, cut = (wl.analysis.optimality_gap(problem, rho, starts=4, max_seconds=s) for s in (None, 1e-9))
    assert whole.certified
    assert cut.certified
    assert cut.gap > 1.1 * whole.gap
    assert cut.lower <= whole.upper
    assert cut.competitor is None
    assert "max_seconds" in cut.statement
    assert "max_seconds" not in whole.statement
    with pytest.raises(ValueError, match="max_seconds"):
        wl.analysis.optimality_gap(problem, rho, max_seconds=0.0)


def test_a_long_search_shows_its_progress(monkeypatch, capsys):
    told = []
    monkeypatch.setattr(Progress, "tell", lambda self, words: told.append(f"{self.label}: {words}"))
    problem, rho = bending()
    wl.analysis.optimality_gap(problem, rho, starts=4)
    assert capsys.readouterr().err == ""
    said = "\n".join(told)
    for words in ("2 of 4 local searches", "4 of 4 local searches", " evaluations, the bound is ", "round 1: "):
        assert words in said
    assert said.startswith("optimality_gap: ")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"loss": lambda f, y: jnp.cos(f - y)}, "not declared convex"),
        ({"budget": -1.0}, "budget"),
        ({"starts": 1}, "starts"),
        ({"data": wl.data.FromLaw(wl.laws.Uniform(0.0, 1.0), lambda x: x[0])}, "freeze"),
    ],
)
def test_bad_input(change, words):
    problem = knot_problem(loss=change.pop("loss", None))
    if "data" in change:
        problem = wl.Problem(problem.unit, change.pop("data"))
    with pytest.raises(ValueError, match=words):
        wl.analysis.optimality_gap(problem, some_particles(), **change)


def test_a_budget_where_none_applies_is_refused():
    problem = wl.Problem(
        wl.units.FreeKnot(charge=False),
        wl.data.Samples(np.arange(3.0), np.arange(3.0)),
        domain=wl.domains.Box(0.0, 1.0),
    )
    with pytest.raises(ValueError, match="no budget applies"):
        wl.analysis.optimality_gap(problem, wl.Particles(np.full((2, 1), 0.5)), budget=1.0)


def test_key_changes_the_random_starts_only():
    problem, rho = knot_problem(), some_particles()
    a, b = (wl.analysis.optimality_gap(problem, rho, key=jax.random.key(k)).gap for k in (0, 1))
    assert a == pytest.approx(b, rel=1e-6)


@pytest.mark.slow
def test_a_competitor_changes_no_gap_and_tightens_the_bracket():
    problem = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(np.arange(5.0), np.sin(np.arange(5.0))))
    rho = wl.Particles([[1.0, 0.5, 0.0], [-1.0, 2.0, 1.0]], blocks=problem.blocks)
    found = [wl.analysis.optimality_gap(problem, rho, starts=8, most=1000, competitor=look) for look in (True, False)]
    assert found[0].gap == found[1].gap
    assert found[0].lower >= found[1].lower >= found[1].objective - found[1].gap
    assert found[1].competitor is None
    assert found[1].upper == found[1].objective
    assert found[0].upper < found[1].upper
