"""Mass at walls: the equation on a grid against particles, where it gathers on a wall and where it is let go."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit import observables

# E |(mean of z, mean of z^2) - (0.8, 0.5)|^2 / 2 on [-1, 1]: first all moves up and gathers at 1, where its second
# moment is too large, so that it leaves again.
LINE = wl.Problem(
    wl.units.Function(lambda theta, x: jnp.stack([theta.z, theta.z**2]), columns=["z"]),
    wl.data.Samples(np.ones((1, 1)), np.array([[0.8, 0.5]])),
    domain=wl.domains.Box(-1.0, 1.0),
)


def _plane(theta, x):
    a, b = theta.z
    return jnp.stack([a, b, a**2, b**2, a * b])


PLANE = wl.Problem(
    wl.units.Function(_plane, columns={"z": (2,)}),
    wl.data.Samples(np.ones((1, 1)), np.array([[0.8, -0.6, 0.5, 0.3, -0.45]])),
    domain=wl.domains.Box(-1.0, 1.0),
)


def w1(one, other):
    """W1 on the line, by sorting: INT |F - G|."""
    z = np.concatenate([np.asarray(m.positions)[:, 0] for m in (one, other)])
    w = np.concatenate([np.asarray(one.weights), -np.asarray(other.weights)])
    order = np.argsort(z)
    return float(np.sum(np.abs(np.cumsum(w[order])[:-1]) * np.diff(z[order])))


@pytest.mark.slow
def test_a_wall_gathers_mass_and_lets_it_go():
    """In one parameter: W1, the risk and the mass on the wall agree to first order in the width of a cell."""
    law, save = wl.laws.Uniform(-1.0, 1.0), [0.5, 2.0, 4.0, 6.0]
    particles = wl.evolve(LINE, law.quantise(2000), wl.GradientFlow(), t1=10.0, save_at=save)
    np.testing.assert_allclose(particles.wall_mass[1:3], [0.2055, 0.4025], atol=1e-3)
    np.testing.assert_array_equal(particles.wall_mass[[0, -2, -1]], 0.0)
    errors = []
    for cells in (50, 100, 200):
        run = wl.evolve(LINE, law, wl.TransportPDE(cells=cells), t1=10.0, save_at=save)
        apart = [w1(run[i], particles[i]) for i in range(len(run))]
        # The last cell holds the wall's mass at its centre, half a cell off; what it lets go is smeared by some more.
        assert max(apart) < 1.5 * (2.0 / cells)
        errors.append([run.wall_mass[1] - particles.wall_mass[1], run.risk[1] - particles.risk[1], max(apart)])
        # Nothing stays for good.
        assert run.wall_mass[-1] < 1e-3
    rates = np.log2(np.asarray(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(rates[:, :2], 1.0, atol=0.15)
    assert np.all(rates[:, 2] > 0.65)


@pytest.mark.slow
def test_a_corner_gathers_mass_in_two_parameters():
    law, save = wl.laws.Uniform(-1.0, 1.0, dim=2), [0.5, 1.0]
    flow = wl.GradientFlow(wl.integrators.RungeKutta4(0.01))
    particles = wl.evolve(PLANE, law.quantise(4096), flow, t1=3.0, save_at=save)
    np.testing.assert_allclose(particles.wall_mass, [0.0, 0.284, 0.403, 0.0], atol=2e-3)
    errors = []
    for cells in (16, 32):
        run = wl.evolve(PLANE, law, wl.TransportPDE(cells=cells), t1=3.0, save_at=save)
        errors.append(np.abs([run.risk - particles.risk, run.wall_mass - particles.wall_mass])[:, 1:3])
    rates = np.log2(errors[0] / errors[1])
    np.testing.assert_allclose(rates, 1.0, atol=0.25)


def test_the_mass_of_the_cells_at_a_wall():
    """By hand: all sides of a square; one side, where the others are no wall; none, where the grid ends before."""
    masses = np.random.default_rng(0).uniform(size=(4, 5))
    masses /= masses.sum()
    density = wl.GridDensity(wl.Grid([np.linspace(-1.0, 1.0, 5), np.linspace(-1.0, 1.0, 6)]), masses)

    def wall_mass(domain: wl.domains.AbstractDomain, measure: Any = density) -> float:
        problem = wl.Problem(PLANE.unit, PLANE.data, domain=domain)
        return float(observables.WallMass()(problem, measure)["wall_mass"])

    assert wall_mass(wl.domains.Box(-1.0, 1.0)) == pytest.approx(1.0 - masses[1:-1, 1:-1].sum())
    assert wall_mass(wl.domains.Box(-np.inf, 1.0)) == pytest.approx(1.0 - masses[:-1, :-1].sum())
    assert wall_mass(wl.domains.Box(-1.5, 1.5)) == 0.0
    line = wl.GridDensity(wl.grids.half_line(8), np.full(8, 0.125))
    one = wl.Problem(LINE.unit, LINE.data, domain=wl.domains.HalfLine())
    # The infinite cell is at no wall.
    assert float(observables.WallMass()(one, line)["wall_mass"]) == 0.125
    assert wall_mass(wl.domains.Box(-1.0, 1.0), density.particles()) == 0.0
    with pytest.raises(ValueError, match="no walls"):
        observables.WallMass().check(wl.Problem(LINE.unit, LINE.data))


def test_a_ball_is_refused():
    problem = wl.Problem(PLANE.unit, PLANE.data, domain=wl.domains.Ball())
    with pytest.raises(ValueError, match=r"must be a line or an interval, got Ball.*stairs of a round wall.*Gradient"):
        wl.evolve(problem, wl.laws.Uniform(-0.5, 0.5, dim=2), wl.TransportPDE(cells=8), t1=1.0)
