"""Grids, densities on them, and the masses that laws give their cells."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats

from widelimit.measure import Grid, GridDensity, Particles, grids, laws


def masses(law, grid):
    return law.box_probability(*grid.boxes()).reshape(grid.shape)


def test_centres_widths_and_volumes():
    grid = grids.product(grids.uniform(0.0, 1.0, 4), Grid(([0.0, 1.0, 3.0],)))
    assert grid.shape == (4, 2)
    np.testing.assert_allclose(grid.volumes, [[0.25, 0.5]] * 4)
    np.testing.assert_allclose(grid.points[:3], [[0.125, 0.5], [0.125, 2.0], [0.375, 0.5]])


def test_maps_of_the_half_line_and_the_line():
    half = grids.half_line(4, scale=3.0)
    np.testing.assert_allclose(half.edges[0], [0.0, 1.0, 3.0, 9.0, np.inf])
    t = np.array([1, 3, 5, 7]) / 8
    np.testing.assert_allclose(half.centres[0], 3 * t / (1 - t))
    # The infinite cell: twice from 9 to its centre 21.
    np.testing.assert_allclose(half.widths[0], [1.0, 2.0, 6.0, 24.0])
    whole = grids.line(4, scale=3.0, centre=1.0)
    np.testing.assert_allclose(whole.edges[0], [-np.inf, -1.0, 1.0, 3.0, np.inf])
    np.testing.assert_allclose(whole.centres[0] - 1.0, -(whole.centres[0] - 1.0)[::-1])
    # From -1 to the outermost centre, 1 - 3 (3/4) / (1 - 9/16), twice: on either side.
    outer = 2.0 * (3.0 * 0.75 / (1.0 - 0.75**2) - 2.0)
    np.testing.assert_allclose(whole.widths[0], [outer, 2.0, 2.0, outer])


def test_a_density_is_atoms_at_the_centres():
    grid = grids.product(grids.uniform(0.0, 1.0, 3), grids.uniform(-1.0, 1.0, 2))
    rho = GridDensity(grid, np.arange(6.0).reshape(3, 2) / 15)
    assert len(rho) == 6
    assert float(rho.mass) == pytest.approx(1.0, abs=1e-15)
    np.testing.assert_allclose(rho.particles().weights, np.arange(6) / 15)
    np.testing.assert_allclose(rho.density, np.arange(6).reshape(3, 2) / 15 * 3)


LAWS = {
    "normal": (laws.Normal(0.3, 0.7), scipy.stats.norm(0.3, 0.7)),
    "uniform": (laws.Uniform(-0.5, 1.5), scipy.stats.uniform(-0.5, 2.0)),
    "chi": (laws.Chi(40, 0.8 / 40**0.5), scipy.stats.chi(40, scale=0.8 / 40**0.5)),
    "chi of high dimension": (laws.Chi(1000, 0.03), scipy.stats.chi(1000, scale=0.03)),
}


@pytest.mark.parametrize("name", LAWS)
def test_cell_masses_and_densities_against_scipy(name):
    law, exact = LAWS[name]
    grid = Grid(([-np.inf, -1.0, -0.4, 0.2, 0.7, 0.95, 1.3, np.inf],), ([-2.0, -0.7, 0.0, 0.5, 0.8, 1.0, 2.0],))
    found = masses(law, grid)
    assert found.sum() == pytest.approx(1.0, abs=1e-14)
    np.testing.assert_allclose(found, np.diff(exact.cdf(np.asarray(grid.edges[0]))), atol=1e-14)
    x = np.linspace(0.25, 1.45, 9)
    # Logarithms of large Gamma functions lose three digits.
    np.testing.assert_allclose(law.log_density(jnp.asarray(x[:, None])), exact.logpdf(x), atol=1e-11)
    u = np.array([1e-9, 0.2, 0.5, 0.999])
    np.testing.assert_allclose(law.from_cube(u[:, None])[:, 0], exact.ppf(u), rtol=1e-10)


def test_far_cells_keep_their_digits():
    lower, upper = np.array([[8.0]]), np.array([[8.5]])
    exact = scipy.stats.norm.sf(8.0) - scipy.stats.norm.sf(8.5)
    assert laws.Normal(0.0, 1.0).box_probability(lower, upper)[0] == pytest.approx(exact, rel=1e-12)


def test_masses_of_products_mixtures_and_atoms():
    grid = grids.product(grids.uniform(0.0, 2.0, 4), grids.uniform(-1.0, 1.0, 2))
    law = laws.Mixture(
        [
            laws.product(radius=laws.Uniform(0.0, 1.0), bias=laws.Normal(0.0, 1e-3)),
            laws.product(radius=laws.Atom(2.0), bias=laws.Atom(0.0)),
        ],
        [0.75, 0.25],
    )
    # The atom on the last edge is in the last cell, the one on an inner edge in the cell above it.
    expected = np.zeros((4, 2))
    expected[:2] = 0.75 / 4
    expected[3, 1] = 0.25
    np.testing.assert_allclose(masses(law, grid), expected, atol=1e-15)
    cloud = np.random.default_rng(0).uniform(0, 1, (50, 2)) * [2, 2] - [0, 1]
    counted = np.histogram2d(cloud[:, 0], cloud[:, 1], bins=[np.asarray(e) for e in grid.edges])[0] / 50
    np.testing.assert_allclose(masses(laws.Empirical(cloud), grid), counted, atol=1e-15)


def test_densities_of_products_and_mixtures():
    x = jnp.array([[0.5, 0.2], [1.2, -0.3]])
    law = laws.product(a=laws.Uniform(0.0, 1.0), b=laws.Normal(0.0, 1.0))
    np.testing.assert_allclose(law.log_density(x), [scipy.stats.norm.logpdf(0.2), -np.inf])
    mixture = laws.Mixture([laws.Normal(-1.0, 0.5), laws.Normal(2.0, 1.0)], [0.3, 0.7])
    exact = 0.3 * scipy.stats.norm.pdf(0.4, -1.0, 0.5) + 0.7 * scipy.stats.norm.pdf(0.4, 2.0, 1.0)
    np.testing.assert_allclose(mixture.log_density(jnp.array([[0.4]])), np.log(exact))


def test_gauss_nodes_of_chi():
    nodes = laws.Chi(7, 2.0).quantise(5, laws.Gauss())
    for power in range(0, 10):
        exact = 8.0**power * scipy.special.poch(3.5, power)
        assert float(nodes.weights @ nodes.positions[:, 0] ** (2 * power)) == pytest.approx(exact, rel=1e-13, abs=0.0)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Grid(([0.0],)), "two or more edges"),
        (lambda: Grid(([0.0, 0.0, 1.0],)), "must increase"),
        (lambda: Grid(([0.0, np.inf],)), "no mid-point"),
        (lambda: Grid(([0.0, 1.0, np.inf],), ([0.5, 0.7],)), "inside each cell"),
        (lambda: grids.uniform(1.0, 0.0, 4), "lower < upper"),
        (lambda: grids.half_line(1), "at least 2"),
        (lambda: grids.line(4, scale=0.0), "above 0"),
        (lambda: GridDensity(grids.uniform(0.0, 1.0, 3), np.ones(4)), "shape"),
        (lambda: laws.Chi(0), "at least 1"),
        (lambda: laws.Chi(3, -1.0), "positive"),
        (lambda: laws.Sphere(3).box_probability(np.zeros((1, 3)), np.ones((1, 3))), "closed form"),
        (lambda: laws.Atom(1.0).log_density(jnp.ones((1, 1))), "no density"),
    ],
)
def test_bad_input(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_every_measure_becomes_masses_of_cells():
    grid = grids.product(grids.uniform(-2.0, 2.0, 8), grids.half_line(6))
    law = laws.product(a=laws.Uniform(-1.0, 1.0), b=laws.Chi(3, 0.5))
    np.testing.assert_array_equal(law.cell_masses(grid), law.box_probability(*grid.boxes()).reshape(8, 6))
    rho = GridDensity(grid, law.cell_masses(grid))
    np.testing.assert_array_equal(rho.cell_masses(grid), rho.masses)
    # On another grid its cells are atoms.
    coarse = grids.product(grids.uniform(-2.0, 2.0, 4), grids.half_line(3))
    np.testing.assert_array_equal(rho.cell_masses(coarse), rho.particles().cell_masses(coarse))
    assert law.grid is None
    assert rho.particles().grid is None
    assert rho.grid is grid
    np.testing.assert_array_equal(law.atoms(16).positions, law.quantise(16).positions)
    np.testing.assert_array_equal(rho.atoms(3).weights, rho.weights)
    assert rho.particles().atoms(3).positions.shape == (48, 2)


def test_particles_are_shared_between_the_nearest_centres():
    grid = Grid(([0.0, 1.0, 3.0, 4.0],))  # centres 0.5, 2, 3.5
    rho = Particles([[0.0], [0.5], [0.8], [3.0], [4.0], [4.5]], [0.1, 0.2, 0.3, 0.15, 0.05, 0.2])
    shared = rho.cell_masses(grid)
    # 0.8 lies a fifth of the way from 0.5 to 2, 3.0 two thirds of that from 2 to 3.5; 4.5 is outside.
    np.testing.assert_allclose(shared, [0.1 + 0.2 + 0.24, 0.06 + 0.05, 0.1 + 0.05], atol=1e-15)
    assert Particles([[0.2]]).cell_masses(Grid(([0.0, 1.0],))).tolist() == [1.0]
    # In two parameters by the product of the shares.
    plane = grids.product(grid, grids.uniform(0.0, 2.0, 2))
    found = Particles([[0.8, 0.75]]).cell_masses(plane)
    np.testing.assert_allclose(found, np.outer([0.8, 0.2, 0.0], [0.75, 0.25]), atol=1e-15)


def test_rows_are_the_points_on_the_host():
    grid = grids.product(grids.uniform(0.0, 1.0, 3), grids.line(4))
    assert isinstance(grid.rows(), np.ndarray)
    np.testing.assert_array_equal(grid.rows(), grid.points)
