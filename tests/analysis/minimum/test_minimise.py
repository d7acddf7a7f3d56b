"""Minima over all measures against interior-point solvers on fine grids, closed forms and independent quadrature."""

import math

import cvxpy
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.optimize
import scipy.special
import scipy.stats

import widelimit as wl
from widelimit.analysis import minimise, optimality_gap
from widelimit.problem import problems

# mei2018's ramp: -2.5 up to 1/2, 7.5 from 3/2 on.
KNOTS, BENDS = (0.5, 1.5), (10.0, -10.0)


def solve(objective, constraints=(), tolerance=1e-11):
    """The optimum of a convex problem by an interior-point method."""
    problem = cvxpy.Problem(cvxpy.Minimize(objective), list(constraints))
    return problem.solve(
        solver=cvxpy.CLARABEL, tol_gap_abs=tolerance, tol_gap_rel=tolerance, tol_feas=min(1e-8, tolerance)
    )


# Two Gaussian classes, from a second computation of the reduced unit and of its data.


def sphere_mean(z, dim):
    """E sigma(z c') for the ramp, c' = sqrt(dim) times a coordinate on the sphere; z = infinity allowed (NOTATION)."""
    z = np.asarray(z, float)
    if math.isinf(dim):
        with np.errstate(divide="ignore", invalid="ignore"):
            k = [t / z for t in KNOTS]
            inside = sum(
                m * (z * scipy.stats.norm.pdf(q) - t * scipy.stats.norm.cdf(-q))
                for m, t, q in zip(BENDS, KNOTS, k, strict=True)
            )
    else:
        s = z * np.sqrt(dim)
        front = scipy.special.gamma(dim / 2) / (np.sqrt(np.pi) * scipy.special.gamma((dim - 1) / 2)) / (dim - 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside = np.zeros_like(s)
            for m, t in zip(BENDS, KNOTS, strict=True):
                square = np.maximum(1.0 - (t / s) ** 2, 0.0)
                tail = 0.5 * scipy.special.betainc((dim - 1) / 2, 0.5, square)
                inside = inside + m * (s * front * square ** ((dim - 1) / 2) - t * tail)
    return np.where(z == 0, -2.5, np.where(np.isinf(z), 2.5, -2.5 + np.where(np.isfinite(inside), inside, 0.0)))


def gaussian_nodes(delta, dim):
    """(s, y, weights) of |x| / sqrt(dim): Gauss-Laguerre in |x|^2 / 2."""
    if math.isinf(dim):
        return np.asarray([1 + delta, 1 - delta]), np.asarray([1.0, -1.0]), np.full(2, 0.5)
    half, w = scipy.special.roots_genlaguerre(48, dim / 2 - 1)
    s, w = np.sqrt(2 * half / dim), w / w.sum()
    return np.concatenate([(1 + delta) * s, (1 - delta) * s]), np.repeat([1.0, -1.0], 48), np.tile(w, 2) / 2


def radii(n):
    t = np.linspace(0.0, 1.0, n)
    return np.append(3 * t[:-1] / (1 - t[:-1]), np.inf)


def reduced(delta, dim, **more):
    return problems.isotropic_gaussians(delta=delta, dim=dim, **more).reduced()


@pytest.mark.first(1)
@pytest.mark.parametrize(("delta", "dim"), [(0.1, 40), (0.5, 40), (0.9, 40), (0.3, math.inf), (0.6, math.inf)])
def test_gaussian_classes_are_certified_and_agree_with_a_grid(delta, dim):
    best = minimise(reduced(delta, dim))
    assert best.certified
    assert best.converged
    assert 0.0 <= best.gap <= 1e-12
    s, y, mu = gaussian_nodes(delta, dim)
    # A second certificate: with its own features and quadrature, nothing on a fine grid lies below the atoms.
    r, p = np.asarray(best.measure.positions[:, 0]), np.asarray(best.measure.weights)
    f = p @ sphere_mean(r[:, None] * s, dim)
    dual = 2 * mu * (f - y)
    assert float(np.sum(mu * (f - y) ** 2)) == pytest.approx(best.risk, abs=1e-12)
    psi = sphere_mean(radii(4001)[:, None] * s, dim) @ dual
    assert float(p @ (sphere_mean(r[:, None] * s, dim) @ dual)) - psi.min() <= 1e-12
    # The optimum over a grid lies above, by O(spacing^2).
    features = sphere_mean(radii(401)[:, None] * s, dim)
    q = cvxpy.Variable(401, nonneg=True)
    on_grid = solve(cvxpy.sum_squares(cvxpy.multiply(np.sqrt(mu), features.T @ q - y)), [cvxpy.sum(q) == 1])
    assert -1e-9 <= on_grid - best.objective <= 1e-4


@pytest.mark.parametrize("delta", [0.1, 0.25, 0.4])
def test_inside_the_interval_it_is_the_best_single_atom(delta):
    """d = infinity: |q((1 + delta) r) - 1|^2 / 2 + |q((1 - delta) r) + 1|^2 / 2 over one r."""
    s, y, mu = gaussian_nodes(delta, math.inf)
    alone = scipy.optimize.minimize_scalar(
        lambda r: float(np.sum(mu * (sphere_mean(r * s, math.inf) - y) ** 2)), (1.0, 1.5, 2.0), tol=1e-14
    )
    best = minimise(reduced(delta, math.inf))
    assert len(best.measure) == 1
    # A minimum is flat: its place is known to the root of rounding only.
    assert float(best.measure.positions[0, 0]) == pytest.approx(alone.x, abs=1e-6)
    assert best.objective == pytest.approx(alone.fun, abs=1e-13)
    assert best.at_infinity == 0.0


def test_the_threshold_at_infinite_dimension_is_the_closed_form():
    """One radius fits both classes exactly at delta = (x1 - x2)/(x1 + x2), q(x1) = 1, q(x2) = -1."""
    x1, x2 = (
        scipy.optimize.brentq(lambda z, v=v: float(sphere_mean(z, math.inf)) - v, 0.5, 5.0, xtol=1e-14)
        for v in (1.0, -1.0)
    )
    threshold = (x1 - x2) / (x1 + x2)
    assert minimise(reduced(threshold - 1e-3, math.inf)).objective > 1e-6
    assert minimise(reduced(threshold + 1e-3, math.inf)).objective < 1e-13


def test_mass_at_infinity_is_said_and_cannot_be_had_by_finite_weights():
    problem = reduced(0.5, 40)
    best = minimise(problem)
    assert np.isinf(best.measure.positions[-1, 0])
    assert best.at_infinity == pytest.approx(float(best.measure.weights[-1]))
    assert 0.1 < best.at_infinity < 0.2
    assert "at infinity" in best.statement
    walls = wl.domains.product(radius=wl.domains.Box(0.0, 100.0))
    walled = minimise(wl.Problem(problem.unit, problem.data, problem.loss, domain=walls))
    assert walled.certified
    assert walled.gap <= 1e-12
    assert walled.at_infinity == 0.0
    # The mass gathers at the wall, and the objective stays above the infimum, by O(1/wall).
    assert float(walled.measure.positions[-1, 0]) == 100.0
    assert 1e-5 < walled.objective - best.objective < 1e-2


@pytest.mark.slow
@pytest.mark.parametrize("dim", [pytest.param(2, marks=pytest.mark.slow), 3, pytest.param(4, marks=pytest.mark.slow)])
def test_few_dimensions_have_mass_at_infinity_too(dim):
    """F'' jumps or is infinite there; against a grid of radii with the closed form of a second computation."""
    best = minimise(reduced(0.5, dim))
    assert best.certified
    assert best.converged
    assert best.gap <= 1e-12
    assert np.isinf(best.measure.positions[-1, 0])
    assert best.at_infinity == pytest.approx({2: 0.343431, 3: 0.301638, 4: 0.276286}[dim], abs=1e-6)
    assert "not attained" in best.statement
    # Nothing lies below the atoms on a fine grid, the data being those of the reduced problem.
    nodes = reduced(0.5, dim).data.nodes
    s, y, mu = np.asarray(nodes.x)[:, 0], np.asarray(nodes.y), np.asarray(nodes.weights)
    r, p = np.asarray(best.measure.positions[:, 0]), np.asarray(best.measure.weights)
    dual = 2 * mu * (p @ sphere_mean(r[:, None] * s, dim) - y)
    psi = sphere_mean(radii(4001)[:, None] * s, dim) @ dual
    assert float(p @ (sphere_mean(r[:, None] * s, dim) @ dual)) - psi.min() <= 1e-12


@pytest.mark.slow
def test_a_smooth_unit_may_have_its_minimum_at_infinity():
    """Where psi falls all the way out it is no large radius; by local searches, so it is an estimate."""
    problem = reduced(0.5, 10, activation=wl.activations.gaussian, output_weight=False)
    best = minimise(problem)
    assert best.at_infinity == pytest.approx(1.0)
    assert not best.certified


STEEP = wl.activations.piecewise_linear([0.5, 0.5001], [-2.5, 7.5])


@pytest.mark.slow
def test_a_certificate_contains_the_rounding_of_a_steep_unit():
    """Slopes of 1e5: against the objective and its minimum over one radius in 50 digits."""
    problem = reduced(0.1, math.inf, activation=STEEP)
    best = minimise(problem)
    assert best.certified
    assert len(best.measure) == 1
    x, y, mu = ([mpmath.mpf(float(v)) for v in np.ravel(a)] for a in problem.data.nodes)
    knots, bends = ([mpmath.mpf(float(v)) for v in row] for row in (STEEP.pieces.knots, STEEP.pieces.bends))

    def mean(z):
        parts = [m * (z * mpmath.npdf(t / z) - t * mpmath.ncdf(-t / z)) for m, t in zip(bends, knots, strict=True)]
        return mpmath.mpf(float(STEEP.pieces.value)) + sum(parts)

    def risk(r):
        return sum(m * (mean(r * s) - label) ** 2 for m, s, label in zip(mu, x, y, strict=True))

    with mpmath.workdps(50):
        r = mpmath.mpf(float(best.measure.positions[0, 0]))
        least = risk(mpmath.findroot(lambda u: mpmath.diff(risk, u), r))
        off = abs(float(risk(r) - mpmath.mpf(best.objective)))
        assert float(risk(r) - least) + off <= best.gap
    # Slopes of 1e5 take no part in the rounding.
    assert off < 1e-14
    assert best.gap < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("delta", [0.008, 0.01, 0.012])
def test_a_steep_ramp_beside_small_differences_of_the_classes_converges(delta):
    """Slopes of 1e5, and classes that differ by a few per cent: psi is known to rounding of the rise, not of slopes."""
    best = minimise(reduced(delta, 40, activation=STEEP))
    assert best.certified
    assert best.converged
    assert best.gap < 1e-12


@pytest.mark.slow
def test_where_rounding_stops_a_minimisation_no_idle_option_is_named():
    best = minimise(reduced(0.01, 40, activation=STEEP))
    assert best.objective == pytest.approx(0.992068872816, abs=1e-11)
    assert best.converged
    assert "most=" not in best.statement


def test_time_that_is_up_gives_what_there_is():
    problem, on_grid = far(2.0)
    best = minimise(problem, budget=2.0, tolerance=1e-14, max_seconds=1e-9)
    assert best.iterations <= 1
    assert best.certified
    assert best.objective - best.gap <= on_grid
    assert best.converged or "max_seconds" in best.statement
    with pytest.raises(ValueError, match="max_seconds"):
        minimise(problem, budget=2.0, max_seconds=0.0)


def test_the_gap_of_the_minimum_is_certified_by_the_other_way_round():
    problem = reduced(0.8, 40)
    gap = optimality_gap(problem, minimise(problem).measure)
    assert gap.certified
    assert -1e-13 <= gap.gap <= 1e-12


# Free linear blocks: the LASSO in its several forms.


def knots(penalty=None):
    data = wl.data.gauss_legendre(30, lambda x: jnp.sin(4.0 * x[0]))
    domain = wl.domains.product(h=wl.domains.Box(0.0, 1.0))
    return wl.Problem(wl.units.FreeKnot(), data, penalty=penalty, domain=domain)


@pytest.mark.first(1)
@pytest.mark.parametrize(("strength", "budget"), [(None, 3.0), (None, 6.0), (1e-2, None)])
def test_free_knots_are_the_lasso_over_the_data(strength, budget):
    """psi is linear between the data, so knots at the data (and the wall) are all that a minimum needs."""
    problem = knots(None if strength is None else wl.penalties.total_variation(strength, "c"))
    best = minimise(problem, budget=budget)
    assert best.certified
    assert best.gap <= 1e-12
    x, y, mu = (np.asarray(a) for a in problem.data.nodes)
    features = np.maximum(x - np.append(0.0, x[:, 0]), 0.0)
    c = cvxpy.Variable(features.shape[1])
    risk = 0.5 * cvxpy.sum_squares(cvxpy.multiply(np.sqrt(mu), features @ c - y))
    bound = [] if budget is None else [cvxpy.norm1(c) <= budget]
    assert best.objective == pytest.approx(solve(risk + (strength or 0.0) * cvxpy.norm1(c), bound), abs=1e-9)
    assert best.budget == budget
    size = float(jnp.sum(best.measure.weights * jnp.abs(best.measure["c"])))
    assert size <= (budget or np.inf) * (1 + 1e-12)


BUMP = 0.15
SPOTS = np.linspace(0.0, 1.0, 801)


def bumps(target, loss=None, penalty=None, charge=None):
    """Gaussian bumps of width 0.15 with centres in [0, 1], on 25 points."""
    x = np.linspace(-0.2, 1.2, 25)
    walls = {"center": wl.domains.Box(0.0, 1.0)} | ({} if charge is None else {"charge": charge})
    unit = wl.units.RadialBasis(BUMP)
    return wl.Problem(unit, wl.data.Samples(x, target(x)), loss, penalty=penalty, domain=wl.domains.product(**walls))


def bump_features(problem):
    return np.exp(-((np.asarray(problem.data.nodes.x) - SPOTS) ** 2) / (2 * BUMP**2))


def signal(x):
    return np.sin(7.0 * x) + 0.3 * np.cos(23.0 * x)


def bracketed(best, on_grid, spacing_error=1e-6):
    """The optimum over a grid of features lies above the infimum, by O(spacing^2)."""
    assert best.certified
    assert best.converged
    assert best.gap <= 1e-12 * max(1.0, best.objective)
    assert -1e-8 <= on_grid - best.objective <= spacing_error


def misfit(problem, f):
    """The squared loss of a cvxpy expression for the prediction."""
    y = np.asarray(problem.data.nodes.y)
    return 0.5 * cvxpy.sum_squares(f - y) / len(y)


def test_bumps_of_a_given_variation():
    problem, c = bumps(signal), cvxpy.Variable(len(SPOTS))
    risk = misfit(problem, bump_features(problem) @ c)
    bracketed(minimise(problem, budget=2.0), solve(risk, [cvxpy.norm1(c) <= 2.0]))


def test_bumps_with_charges_of_one_sign():
    problem, c = bumps(signal, charge=wl.domains.HalfLine()), cvxpy.Variable(len(SPOTS), nonneg=True)
    best = minimise(problem, budget=1.5)
    assert np.all(best.measure["charge"] >= 0)
    bracketed(best, solve(misfit(problem, bump_features(problem) @ c), [cvxpy.sum(c) <= 1.5]))


def test_bumps_with_charges_in_an_interval():
    """All measures on a box: psi is linear in the charge, so its ends are all that a minimum needs."""
    problem, q = bumps(signal, charge=wl.domains.Box(-2.0, 3.0)), cvxpy.Variable(2 * len(SPOTS), nonneg=True)
    best = minimise(problem)
    assert best.budget is None
    assert set(np.asarray(best.measure["charge"])) == {-2.0, 3.0}
    features = bump_features(problem)
    risk = misfit(problem, np.concatenate([-2.0 * features, 3.0 * features], axis=1) @ q)
    bracketed(best, solve(risk, [cvxpy.sum(q) == 1]))


@pytest.mark.slow
@pytest.mark.parametrize("strengths", [(3e-3, 0.0), (0.0, 3e-3), (2e-3, 1e-3)])
def test_bumps_with_a_penalty_on_the_charge(strengths):
    """lambda_1 |c| + lambda_2 c^2: the least over rho is lambda_1 |nu| + lambda_2 |nu|^2."""
    first, second = strengths
    penalty = wl.penalties.total_variation(first, "charge") + wl.penalties.l2(second, "charge")
    problem, c = bumps(signal, penalty=penalty), cvxpy.Variable(len(SPOTS))
    size = cvxpy.norm1(c)
    best = minimise(problem)
    bracketed(
        best, solve(misfit(problem, bump_features(problem) @ c) + first * size + second * cvxpy.square(size)), 1e-6
    )
    # The representative that the penalty asks for: the same |c| everywhere.
    assert np.ptp(np.abs(best.measure["charge"])) < 1e-12 * np.max(np.abs(best.measure["charge"]))


def test_bumps_with_two_outputs():
    """A group LASSO: the norm of a vector charge is Euclidean."""
    x = np.linspace(-0.2, 1.2, 25)
    problem = bumps(lambda x: np.stack([signal(x), np.cos(9.0 * x)], axis=1))
    c = cvxpy.Variable((201, 2))
    features = np.exp(-((x[:, None] - SPOTS[::4]) ** 2) / (2 * BUMP**2))
    risk = 0.5 * cvxpy.sum_squares(features @ c - np.asarray(problem.data.nodes.y)) / len(x)
    total = cvxpy.sum(cvxpy.norm(c, 2, axis=1))
    bracketed(minimise(problem, budget=2.0), solve(risk, [total <= 2.0], 1e-9), 1e-5)


def test_bumps_for_classification():
    problem, c = bumps(lambda x: np.sign(signal(x)), wl.losses.logistic()), cvxpy.Variable(201)
    features, y = bump_features(problem)[:, ::4], np.asarray(problem.data.nodes.y)
    risk = cvxpy.sum(cvxpy.logistic(-cvxpy.multiply(y, features @ c))) / len(y)
    bracketed(minimise(problem, budget=4.0), solve(risk, [cvxpy.norm1(c) <= 4.0]), 1e-5)


@pytest.mark.slow
def test_bumps_for_a_robust_loss():
    """Huber's loss is not strictly convex: where it is linear the weights are settled by the others."""

    def target(x):
        return signal(x) + 4.0 * (np.arange(len(x)) % 9 == 4)

    problem, c = bumps(target, wl.losses.huber(0.2)), cvxpy.Variable(201)
    features, y = bump_features(problem)[:, ::4], np.asarray(problem.data.nodes.y)
    risk = 0.5 * cvxpy.sum(cvxpy.huber(features @ c - y, 0.2)) / len(y)
    bracketed(minimise(problem, budget=1.5), solve(risk, [cvxpy.norm1(c) <= 1.5]), 1e-5)


def neurons(activation=wl.activations.relu, **more):
    x = np.linspace(-1.0, 1.0, 15)
    return wl.Problem(wl.units.Neuron(activation), wl.data.Samples(x, np.abs(x) - 0.3 + 0.2 * np.sin(5 * x)), **more)


@pytest.mark.parametrize("budget", [2.0, pytest.param(None, marks=pytest.mark.slow)])
def test_relu_neurons_are_a_lasso_over_directions(budget):
    """l (c^2 + |w|^2 + b^2) is least at 2 l |c| |(w, b)|; the angles are searched between their kinks."""
    problem = neurons(penalty=None if budget else wl.penalties.l2(2e-3))
    best = minimise(problem, budget=budget)
    angles = np.linspace(0.0, 2 * np.pi, 1441)[:-1]
    x, c = np.asarray(problem.data.nodes.x), cvxpy.Variable(len(angles))
    risk = misfit(problem, np.maximum(x * np.cos(angles) + np.sin(angles), 0.0) @ c)
    size = cvxpy.norm1(c)
    on_grid = solve(risk, [size <= budget]) if budget else solve(risk + 4e-3 * size)
    bracketed(best, on_grid, 1e-5)
    theta = best.measure
    inner = jnp.hypot(theta["weight"][:, 0], theta["bias"])
    if budget:
        np.testing.assert_allclose(inner, 1.0, rtol=1e-12)
    else:
        np.testing.assert_allclose(inner, jnp.abs(theta["output"]), rtol=1e-12)


# Two parameters: a certificate in a box, an estimate without one.


@pytest.mark.slow
def test_two_parameters_in_a_box_are_certified():
    problem = neurons(wl.activations.tanh, domain=wl.domains.Box(-2.0, 2.0))
    best = minimise(problem)
    axis = np.linspace(-2.0, 2.0, 41)
    w, b = (a.ravel() for a in np.meshgrid(axis, axis))
    features = np.tanh(np.asarray(problem.data.nodes.x) * w + b)
    q = cvxpy.Variable(2 * len(w), nonneg=True)
    on_grid = solve(misfit(problem, np.concatenate([-2 * features, 2 * features], axis=1) @ q), [cvxpy.sum(q) == 1])
    bracketed(best, on_grid, 1e-4)


@pytest.mark.slow
def test_without_a_box_it_is_an_estimate_and_no_training_finds_better():
    penalty = wl.penalties.l2(1e-2)
    problem = neurons(wl.activations.tanh, penalty=penalty)
    best = minimise(problem)
    assert not best.certified
    assert "estimate" in best.statement
    assert best.converged
    start = wl.Particles(np.random.default_rng(0).normal(size=(200, 3)))
    trained = wl.evolve(problem, start, wl.GradientFlow(), t1=200.0)
    assert best.objective <= trained.objective[-1] + 1e-12
    assert best.objective > 0.9 * trained.objective[-1]


# The result, and what is said.


def test_weights_sum_to_one_and_atoms_ascend():
    best = minimise(bumps(signal), budget=2.0)
    rows = np.asarray(best.measure.positions)
    assert float(jnp.sum(best.measure.weights)) == pytest.approx(1.0, abs=1e-14)
    assert [tuple(row) for row in rows] == sorted(tuple(row) for row in rows)
    assert best.measure.blocks == bumps(signal).blocks
    assert best.risk == best.objective
    assert "certified" in best.statement
    # No two atoms stand for one.
    same = rows[:, None, 0] * rows[:, 0] > 0
    apart = np.abs(rows[:, None, 1] - rows[:, 1]) + 10.0 * (~same + np.eye(len(rows)))
    assert np.min(apart) > 1e-2


def test_no_signal_needs_no_charge():
    best = minimise(bumps(lambda x: 0.0 * x), budget=1.0)
    assert best.objective == 0.0
    # Nothing below rounding is claimed.
    assert 0.0 < best.gap < 1e-15


def test_a_tolerance_below_rounding_is_not_reached_and_says_so():
    best = minimise(reduced(0.4, math.inf), tolerance=1e-30)
    assert not best.converged
    assert "Not converged" in best.statement
    assert "tolerance=" in best.statement
    assert best.gap < 1e-12


def test_few_evaluations_leave_a_coarse_certificate_which_holds():
    exact = minimise(bumps(signal), budget=2.0)
    coarse = minimise(bumps(signal), budget=2.0, most=60)
    assert coarse.certified
    assert coarse.gap > 1e-9
    assert coarse.objective - exact.objective <= coarse.gap
    assert "most=" in coarse.statement


def far(budget):
    """A target a hundred times beyond the reach of the competitors, and the grid's optimum among them."""
    problem = bumps(lambda x: 100.0 * signal(x), charge=None if budget else wl.domains.Box(-2.0, 3.0))
    features = bump_features(problem)[:, ::4]
    if budget:
        c = cvxpy.Variable(features.shape[1])
        return problem, solve(misfit(problem, features @ c), [cvxpy.norm1(c) <= budget], 1e-9)
    q = cvxpy.Variable(2 * features.shape[1], nonneg=True)
    risk = misfit(problem, np.concatenate([-2.0 * features, 3.0 * features], axis=1) @ q)
    return problem, solve(risk, [cvxpy.sum(q) == 1], 1e-9)


@pytest.mark.parametrize("budget", [None, 2.0])
def test_a_minimum_that_is_stopped_early_is_within_its_gap(budget):
    """objective - gap <= inf <= objective; far from the target psi hardly bends, and the first gap is nearly tight."""
    problem, on_grid = far(budget)
    slack = 1e-5 * on_grid  # The grid's spacing, squared.
    for tolerance in (1.0, 1e-2, 1e-4):
        early = minimise(problem, budget=budget, tolerance=tolerance)
        assert early.certified
        assert early.objective - early.gap <= on_grid
        assert on_grid <= early.objective + slack
    first = minimise(problem, budget=budget, tolerance=1.0)
    assert first.iterations == 0
    # More than 0.8 of the gap is there to be gained: a smaller gap would be wrong.
    assert 0.8 * first.gap < first.objective - on_grid + slack
    assert first.gap > 100.0 * slack


@pytest.mark.slow
def test_key_changes_nothing_but_the_way():
    problem = neurons(wl.activations.tanh, domain=wl.domains.Box(-2.0, 2.0))
    a, b = (minimise(problem, key=jax.random.key(k), starts=32) for k in (0, 1))
    assert a.objective == pytest.approx(b.objective, abs=1e-12)


# What is refused.


@pytest.mark.parametrize(
    ("problem", "options", "words"),
    [
        (lambda: bumps(signal, loss=lambda f, y: jnp.cos(f - y)), {"budget": 1.0}, "not declared convex"),
        (
            lambda: wl.Problem(
                wl.units.RadialBasis(0.1), wl.data.FromLaw(wl.laws.Uniform(0.0, 1.0), lambda x: x[0]), None
            ),
            {"budget": 1.0},
            "freeze",
        ),
        (lambda: bumps(signal), {}, "give a budget"),
        (lambda: bumps(signal), {"budget": -1.0}, "budget"),
        (lambda: bumps(signal), {"budget": 1.0, "tolerance": 0.0}, "tolerance"),
        (lambda: bumps(signal), {"budget": 1.0, "starts": 1}, "starts"),
        (lambda: reduced(0.5, 40), {"budget": 1.0}, "no budget applies"),
        (lambda: bumps(signal, charge=wl.domains.HalfLine(1.0)), {"budget": 2.0}, "half-line from zero"),
        (lambda: bumps(signal, penalty=wl.penalties.l2(0.1, "center")), {"budget": 1.0}, "scaled away"),
        (lambda: neurons(penalty=wl.penalties.total_variation(0.1, "output")), {}, "scaled away"),
        (
            lambda: wl.Problem(wl.units.FreeKnot(), wl.data.Samples(np.arange(3.0), np.arange(3.0))),
            {"budget": 1.0},
            "not bounded",
        ),
        (
            lambda: wl.Problem(wl.units.FreeKnot(charge=False), wl.data.Samples(np.arange(3.0), np.arange(3.0))),
            {},
            "bounded domain",
        ),
        (lambda: neurons(wl.activations.tanh, scale=wl.scales.Power(0.5)), {"budget": 1.0}, "MeanField"),
    ],
)
def test_bad_input(problem, options, words):
    with pytest.raises(ValueError, match=words):
        minimise(problem(), **options)
