"""GaussianClosure: (28) and (29) in closed form, against a cloud of particles, and what it takes and refuses."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import widelimit as wl
from widelimit import integrators, laws

ROOT = 6**0.5
# The stationary atom of x^2 inside the interval.
POINT = np.array([(4 + ROOT) / 5, (ROOT - 1) / 5])


def target(x):
    return x**2


def square(**more):
    # One target for all: with a new function everything would compile anew.
    return wl.problems.free_knot_spline(target, **more)


@functools.cache
def tanh():
    data = wl.data.gauss_legendre(24, lambda x: jnp.sin(3.0 * x[0]))
    return wl.Problem(wl.units.Neuron(wl.activations.tanh), data)


@pytest.mark.slow
def test_growth_at_the_stationary_atom():
    """A_hh grows as exp(2 H_hh t), H_hh = c f(h); A_cc stays: (30)."""
    run = wl.evolve(square(), laws.Gaussian(POINT, 1e-8 * np.eye(2)), wl.GaussianClosure(), t1=20.0, save_at=[10.0])
    rate = POINT[0] * POINT[1] ** 2
    np.testing.assert_allclose(run.mean, np.broadcast_to(POINT, (3, 2)), atol=1e-9)
    # Four orders of growth at a relative tolerance of 1e-8 a step.
    np.testing.assert_allclose(run.covariance[:, 1, 1], 1e-8 * np.exp(2 * rate * run.times), rtol=1e-6)
    np.testing.assert_allclose(run.covariance[:, 0, 0], 1e-8, rtol=1e-6)
    np.testing.assert_allclose(run.covariance[:, 0, 1], 0.0, atol=1e-14)


def closed_form(t1, start, cov, scale):
    """(28), (29) for x^2 and one knot in (0, 1), all integrals by hand; P = diag(scale)."""
    weight = np.diag(scale)

    def field(t, y):
        c, h = y[:2]
        s = 1.0 - h
        first = c * s**2 / 2 - (1 - h**3) / 3
        second = c * s**3 / 3 - ((1 - h**4) / 4 - h * (1 - h**3) / 3)
        gradient = np.array([second, -c * first])
        hessian = np.array([[0.0, -first], [-first, -c * h**2]])
        a = y[2:].reshape(2, 2)
        turn = -weight @ hessian
        return np.concatenate([-weight @ gradient, (turn @ a + a @ turn.T).ravel()])

    y = np.concatenate([start, np.ravel(cov)])
    last = solve_ivp(field, (0.0, t1), y, method="DOP853", rtol=1e-12, atol=1e-14).y[:, -1]
    return last[:2], last[2:].reshape(2, 2)


def test_against_the_equations_by_hand():
    """Away from stationary points, with a mobility; A need not be small for the equations themselves."""
    cov = np.array([[0.4, 0.1], [0.1, 0.3]])
    problem = square()
    problem = wl.Problem(problem.unit, problem.data, mobility=wl.mobilities.Diagonal(c=2.0, h=0.5))
    run = wl.evolve(problem, laws.Gaussian([0.6, 0.5], cov), wl.GaussianClosure(), t1=3.0, save_at=[3.0])
    mean, spread = closed_form(3.0, [0.6, 0.5], cov, [2.0, 0.5])
    np.testing.assert_allclose(run.mean[-1], mean, rtol=1e-7)
    np.testing.assert_allclose(run.covariance[-1], spread, rtol=1e-6)
    np.testing.assert_array_equal(run.positions[:, 0], run.mean)
    assert run.weights.shape == (2, 1)
    assert wl.analysis.dissipation(run).defect < 1e-6


def cloud_error(problem, mean, t1, sigma):
    """How far A is from the covariance of a cloud of 36 particles with the start's first eleven moments."""
    law = laws.Gaussian(mean, sigma**2 * np.eye(len(mean)))
    fine = integrators.Tsit5(1e-8, 1e-10)
    run = wl.evolve(problem, law, wl.GaussianClosure(), t1=t1, save_at=[t1])
    rho = law.quantise(law.gauss_size(6 if len(mean) == 2 else 4), laws.Gauss())
    cloud = wl.evolve(problem, rho, wl.GradientFlow(fine), t1=t1, save_at=[t1]).final
    found = np.asarray(wl.measure.covariance(cloud))
    return float(np.linalg.norm(found - run.covariance[-1]) / np.linalg.norm(found))


def order(errors, sigmas):
    return np.polyfit(np.log(sigmas), np.log(errors), 1)[0]


@pytest.mark.slow
def test_the_error_is_of_first_order_for_a_kinked_unit():
    """NOTATION: O(sigma), not O(sigma^2), because of the kink."""
    sigmas = np.array([1e-3, 3e-3, 1e-2])
    errors = [cloud_error(square(), [1.5, 0.35], 3.0, sigma) for sigma in sigmas]
    assert errors[-1] < 0.1
    assert order(errors, sigmas) == pytest.approx(1.0, abs=0.3)


@pytest.mark.slow
@pytest.mark.parametrize("turned", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_error_is_of_second_order_for_a_smooth_unit(turned):
    """Also where the mobility depends on the place, so that its derivative has to be in J."""
    problem = tanh()
    if turned:

        def mobility(theta, g):
            return g._replace(output=(1.0 + theta.bias**2) * g.output, bias=2.0 * g.bias)

        problem = wl.Problem(problem.unit, problem.data, mobility=wl.mobilities.Function(mobility))
    sigmas = np.array([3e-3, 1e-2, 3e-2])
    errors = [cloud_error(problem, [1.0, 0.8, 0.3], 1.0, sigma) for sigma in sigmas]
    assert errors[-1] < 0.01
    assert order(errors, sigmas) == pytest.approx(2.0, abs=0.3)


@pytest.mark.slow
def test_starts_agree():
    """Particles give their moments; normal laws in all forms give theirs."""
    cov = np.diag([0.04, 0.01])
    whole = laws.Gaussian([1.0, 0.4], cov)
    starts = [
        whole,
        whole.quantise(25, laws.Gauss()),
        laws.Normal([1.0, 0.4], [0.2, 0.1], dim=2),
        laws.product(c=laws.Normal(1.0, 0.2), h=laws.Gaussian(0.4, 0.01)),
    ]
    runs = [wl.evolve(square(), start, wl.GaussianClosure(), t1=1.0, save_at=[1.0]) for start in starts]
    for run in runs[1:]:
        np.testing.assert_allclose(run.covariance, runs[0].covariance, rtol=1e-12, atol=1e-17)
        np.testing.assert_allclose(run.mean, runs[0].mean, rtol=1e-12)
    point = wl.evolve(square(), laws.Atom([1.0, 0.4]), wl.GaussianClosure(), t1=1.0, save_at=[1.0])
    np.testing.assert_array_equal(point.covariance, 0.0)
    np.testing.assert_allclose(point.mean, runs[0].mean, rtol=1e-12)


def test_the_mean_is_a_network_of_one_neuron():
    run = wl.evolve(tanh(), laws.Gaussian([1.0, 0.8, 0.3], np.eye(3)), wl.GaussianClosure(), t1=2.0, save_at=[2.0])
    fine = wl.GradientFlow(integrators.Tsit5(1e-9, 1e-11))
    one = wl.evolve(tanh(), wl.Particles([[1.0, 0.8, 0.3]]), fine, t1=2.0, save_at=[2.0])
    np.testing.assert_allclose(run.mean[-1], one.positions[-1, 0], rtol=1e-7)
    np.testing.assert_allclose(run.risk, one.risk, rtol=1e-7)


@pytest.mark.parametrize(
    ("problem", "start", "message"),
    [
        (
            lambda: wl.Problem(wl.units.FreeKnot(), wl.data.Samples([0.5, 1.0], [0.0, 1.0])),
            laws.Atom([1.0, 0.2]),
            "kinks.*exact integrals",
        ),
        (lambda: square(penalty=wl.penalties.total_variation(0.1, "c")), laws.Atom([1.0, 0.2]), "not smooth"),
        (lambda: square(domain=wl.domains.product(h=wl.domains.Box(0, 1))), laws.Atom([1.0, 0.2]), "bounded domain"),
        (square, laws.Atom([1.0, 0.2, 0.3]), r"3 columns.*needs 2: c, h"),
        (square, laws.product(h=laws.Atom(1.0), c=laws.Atom(0.2)), r"blocks are h, c.*c, h"),
        (
            square,
            laws.product(c=laws.Atom(0.0), h=laws.Uniform(0.0, 1.0)),
            "starts from normal laws, this is Uniform; sample or quantise",
        ),
        (
            lambda: wl.Problem(square().unit, square().data, scale=wl.scales.Power(0.5)),
            laws.Atom([1.0, 0.2]),
            "no number of neurons",
        ),
    ],
)
def test_refusals(problem, start, message):
    with pytest.raises(ValueError, match=message):
        wl.evolve(problem(), start, wl.GaussianClosure(), t1=1.0)
