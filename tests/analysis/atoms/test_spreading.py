"""Spreading of a narrow cloud: the block form (30), H against finite differences, and the linear motion of splines."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit.analysis import spreading, stability
from widelimit.analysis.atoms._linearisation import linearise
from widelimit.measure import split

ROOT = 6**0.5
POINT = np.array([(4 + ROOT) / 5, (ROOT - 1) / 5])


def target(x):
    return x**2


SQUARE = wl.problems.free_knot_spline(target)
SMOOTH = wl.Problem(
    wl.units.Neuron(wl.activations.tanh),
    wl.data.gauss_legendre(24, lambda x: jnp.sin(3.0 * x[0])),
    penalty=wl.penalties.l2(0.03),
    mobility=wl.mobilities.Diagonal(output=2.0, bias=0.5),
)


def test_the_stationary_atom_of_the_paper():
    """H_hh = c f(h), all else zero: expansive along h, and `stability` says the same in rates of decay."""
    found = spreading(SQUARE, POINT)
    rate = POINT[0] * POINT[1] ** 2
    assert found.is_stationary
    assert found.expansive == 1
    assert found.coupling is not None
    assert found.coupling < 1e-14
    np.testing.assert_allclose(found.block("h", "h"), [[rate]], rtol=1e-13)
    np.testing.assert_allclose(found.block("c", "h"), 0.0, atol=1e-14)
    np.testing.assert_allclose(np.abs(found.directions[0]), [0.0, 1.0], atol=1e-12)
    assert "Expansive in 1 of 2 directions: a narrow cloud around this stationary point" in found.verdict
    assert f"exp({2 * rate:.4g} tau)" in found.verdict
    other = stability(SQUARE, wl.Particles(POINT[None]))
    assert other.stable is False
    assert float(other.spread_rates[0, 0]) == pytest.approx(-rate, rel=1e-13, abs=0.0)
    # As a network of one neuron it is stable: the paper's Fig. 1.
    assert np.all(other.rates > 0)


def test_atoms_right_of_the_interval_are_neutral():
    found = spreading(SQUARE, [3.0, 1.5])
    assert found.verdict.startswith("Neutral: a narrow cloud around this stationary point")
    assert found.expansive == 0


@pytest.mark.first(2)
@pytest.mark.parametrize(
    ("problem", "point"),
    [
        (SQUARE, [0.7, 0.4]),
        (SQUARE, [-0.7, -0.3]),
        (wl.problems.free_knot_spline(target, charge=False, lower=-1.0, upper=2.0), [0.2]),
        (SMOOTH, [1.0, 0.7, -0.2]),
    ],
    ids=["inside", "left", "bare", "smooth"],
)
def test_the_hessian_against_differences(problem, point):
    """Central differences of grad psi, psi held there: r has a kink, so they err by a tenth of the step."""
    point = np.asarray(point)
    psi = problem.potential(wl.Particles(point[None]))
    steps = 1e-5 * np.eye(len(point))
    expected = -(psi.gradient(point + steps) - psi.gradient(point - steps)) / 2e-5
    found = spreading(problem, point)
    np.testing.assert_allclose(found.hessian, expected, atol=2e-6)
    assert not found.is_stationary
    assert "not stationary" in found.verdict
    here, ones = (split(problem.blocks, jnp.asarray(row)) for row in (point, np.ones(len(point))))
    p = np.concatenate([np.ravel(part) for part in problem.mobility(here, ones)])
    values = np.linalg.eigvals(np.diag(p) @ expected)
    np.testing.assert_allclose(found.rates, np.sort(values.real)[::-1], atol=5e-6)
    for rate, direction in zip(found.rates, found.directions, strict=True):
        np.testing.assert_allclose(np.diag(p) @ found.hessian @ direction, rate * direction, atol=1e-12)


def test_what_is_frozen_does_not_spread():
    held = wl.Problem(SQUARE.unit, SQUARE.data, mobility=wl.mobilities.Diagonal(h=0.0))
    found = spreading(held, POINT)
    assert found.rates.shape == (1,)
    assert found.verdict.startswith("Neutral")


@pytest.mark.parametrize("charge", [True, False])
def test_the_linear_motion_of_splines_against_differences(charge):
    """S against the Jacobian of all grad psi, with equal knots and one left of the interval."""
    problem = wl.problems.free_knot_spline(target, charge=charge, loss=wl.losses.squared(0.8))
    rows = np.array([[1.0, -0.3], [2.0, 0.25], [-1.0, 0.25], [0.5, 0.8]])[:, 0 if charge else 1 :]
    rho = wl.Particles(rows, [0.1, 0.4, 0.3, 0.2])

    @jax.jit
    def forces(flat):
        theta, w = problem.unpack(wl.Particles(flat.reshape(rows.shape), rho.weights))
        return jnp.stack(problem.variation(theta, w).gradient, axis=1).ravel()

    flat, step = jnp.asarray(rows.ravel()), 1e-5
    moves = jnp.eye(flat.size) * step
    jacobian = np.stack([(forces(flat + dz) - forces(flat - dz)) / (2 * step) for dz in moves], axis=1)
    root = np.sqrt(np.repeat(np.asarray(rho.weights), rows.shape[1]))
    found = linearise(problem, rho, 1e-6)
    frames = np.zeros((flat.size, flat.size))
    for i, frame in enumerate(found.frames):
        at = slice(i * rows.shape[1], (i + 1) * rows.shape[1])
        frames[at, at] = frame
    expected = frames.T @ (root[:, None] * jacobian / root) @ frames
    # Equal knots: the force of one on the other has a kink in the second derivative, O(step) in the difference.
    np.testing.assert_allclose(found.matrix, expected, atol=5e-5)
    np.testing.assert_allclose(found.matrix, found.matrix.T, atol=1e-14)


def test_refusals():
    kinked = wl.Problem(wl.units.FreeKnot(), wl.data.Samples([0.5, 1.0], [0.0, 1.0]))
    with pytest.raises(ValueError, match=r"spreading.*kinks"):
        spreading(kinked, POINT)
    with pytest.raises(ValueError, match="expected 2 finite numbers"):
        spreading(SQUARE, [1.0])
    with pytest.raises(ValueError, match="expected 2 finite numbers"):
        spreading(SQUARE, [1.0, np.inf])
    with pytest.raises(ValueError, match="no block 'w'; it has c, h"):
        spreading(SQUARE, POINT).block("h", "w")
