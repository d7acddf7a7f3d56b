"""The Gibbs fixed point against closed forms and SciPy on the same equation; the certificate against the truth."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.stats

import widelimit as wl
from widelimit.measure import GridDensity, grids
from widelimit.problem.data import require_nodes

LINEAR = wl.units.Function(lambda theta, x: theta.a * x[0], columns=["a"])
STRENGTH, HEAT, TARGET = 0.3, 0.2, 2.0


def quadratic(**more):
    """f = mean of a, risk (f - y)^2, penalty lambda a^2: everything is Gaussian."""
    data = wl.data.Samples([1.0], [TARGET])
    return wl.Problem(LINEAR, data, wl.losses.squared(1.0), penalty=wl.penalties.l2(STRENGTH), **more)


def moments(state):
    a, m = np.asarray(state.density.positions)[:, 0], np.asarray(state.density.weights)
    return m @ a, m @ (a - m @ a) ** 2


def test_a_quadratic_problem_is_gaussian():
    """psi = 2 (f - y) a + lambda a^2: mean f = y / (1 + lambda), variance T / (2 lambda). The trapezoidal rule is
    spectrally accurate on a Gaussian, so the grid does not show."""
    state = wl.analysis.gibbs(quadratic(), temperature=HEAT, grid=grids.uniform(-12.0, 15.0, 3000))
    mean, variance = TARGET / (1 + STRENGTH), HEAT / (2 * STRENGTH)
    np.testing.assert_allclose(moments(state), (mean, variance), rtol=1e-13)
    objective = (mean - TARGET) ** 2 + STRENGTH * (mean**2 + variance)
    assert state.objective == pytest.approx(objective, rel=1e-13, abs=0.0)
    entropy = 0.5 * np.log(2 * np.pi * np.e * variance)
    assert state.free_energy == pytest.approx(objective - HEAT * entropy, rel=1e-13, abs=0.0)
    assert state.residual < 1e-13
    assert 0.0 <= state.gap < 1e-15
    assert "too small" not in state.statement


@pytest.mark.parametrize("temperature", [1.0, 0.1, 0.01])
def test_the_objective_approaches_its_infimum_linearly(temperature):
    """mei2018 (22), corrected: R_lambda(rho_T) - inf R_lambda = D T / 2 here, with R_lambda on both sides."""
    state = wl.analysis.gibbs(quadratic(), temperature=temperature, grid=grids.uniform(-12.0, 15.0, 3000))
    infimum = STRENGTH * TARGET**2 / (1 + STRENGTH)
    assert state.objective - infimum == pytest.approx(temperature / 2, rel=1e-11)


X = np.linspace(-1.5, 1.5, 7)
Y = np.sin(2 * X)
BUMP = wl.units.Function(lambda theta, x: 2.0 * jnp.exp(-0.5 * (x[0] - theta.a) ** 2) - 1.0, columns=["a"])


def bumps(**more):
    given = {"loss": wl.losses.squared(1.0), "penalty": wl.penalties.l2(0.2)} | more
    return wl.Problem(BUMP, wl.data.Samples(X, Y), **given)


def scipy_gibbs(temperature, a):
    """The masses on points a by SciPy's root finder, in plain NumPy: the unknown is f on the data."""
    phi = 2.0 * np.exp(-0.5 * (X - a[:, None]) ** 2) - 1.0

    def masses(f):
        psi = phi @ (2.0 * (f - Y) / len(X)) + 0.2 * a**2
        m = np.exp(-(psi - psi.min()) / temperature)
        return m / m.sum()

    found = scipy.optimize.root(lambda f: f - masses(f) @ phi, np.zeros(len(X)), tol=1e-14)
    return masses(found.x)


@pytest.mark.parametrize("temperature", [1.0, 0.05])
def test_against_a_root_finder(temperature):
    grid = grids.uniform(-8.0, 8.0, 400)
    state = wl.analysis.gibbs(bumps(), temperature=temperature, grid=grid)
    a = np.asarray(grid.points)[:, 0]
    np.testing.assert_allclose(state.density.masses, scipy_gibbs(temperature, a), atol=1e-11)


def test_against_the_relaxed_diffusion_equation():
    """d rho/dt = (rho psi')' + T rho'' on the same cells, with exponential fluxes, run by SciPy until it rests."""
    temperature, cells = 0.3, 60
    grid = grids.uniform(-4.0, 4.0, cells)
    state = wl.analysis.gibbs(bumps(), temperature=temperature, grid=grid)
    a, h = np.asarray(grid.points)[:, 0], 8.0 / cells
    phi = 2.0 * np.exp(-0.5 * (X - a[:, None]) ** 2) - 1.0

    def rate(t, m):
        psi = phi @ (2.0 * (m @ phi - Y) / len(X)) + 0.2 * a**2
        step = np.diff(psi) / (2 * temperature)
        flux = temperature / h**2 * (m[:-1] * np.exp(-step) - m[1:] * np.exp(step))
        return -np.diff(np.concatenate([[0.0], flux, [0.0]]))

    rest = scipy.integrate.solve_ivp(rate, (0.0, 60.0), np.full(cells, 1.0 / cells), "LSODA", rtol=1e-8, atol=1e-11)
    # The slowest mode (rate about 0.4) is down by 1e-10; the integrator's tolerance is what is left.
    np.testing.assert_allclose(state.density.masses, rest.y[:, -1], atol=1e-8)


@pytest.mark.parametrize("temperature", [1.0, 0.03])
def test_the_certificate_is_above_the_true_gap(temperature):
    """For random densities, near the minimum and far from it."""
    problem, grid = bumps(), grids.uniform(-5.0, 5.0, 60)
    state = wl.analysis.gibbs(problem, temperature=temperature, grid=grid)
    rng = np.random.default_rng(0)
    best = np.asarray(state.density.masses)
    for mixed in (1.0, 0.1, 1e-3):
        masses = (1 - mixed) * best + mixed * rng.dirichlet(np.full(60, 0.2))
        rho = GridDensity(grid, masses)
        true = float(wl.analysis.free_energy(problem, rho, temperature)) - state.free_energy
        bound = float(wl.analysis.free_energy_gap(problem, rho, temperature))
        assert 0.0 < true <= bound
    # At the minimum neither has anything left but rounding.
    assert state.gap < 1e-14


def test_the_free_energy_by_hand():
    """Two cells of width 2 and 1 with masses 1/4 and 3/4; f = 1/4 * 1 + 3/4 * 2.5."""
    grid = wl.measure.Grid(([0.0, 2.0, 3.0],))
    rho = GridDensity(grid, [0.25, 0.75])
    by_hand = (2.125 - 2.0) ** 2 + 0.3 * (0.25 + 0.75 * 6.25) + 0.5 * (0.25 * np.log(0.125) + 0.75 * np.log(0.75))
    assert float(wl.analysis.free_energy(quadratic(), rho, 0.5)) == pytest.approx(by_hand, rel=1e-14, abs=0.0)
    # An empty cell has no entropy.
    empty = float(wl.analysis.free_energy(quadratic(), GridDensity(grid, [0.0, 1.0]), 0.5))
    assert empty == pytest.approx(0.25 + 0.3 * 6.25, rel=1e-14, abs=0.0)


@pytest.mark.first(1)
@pytest.mark.parametrize(
    ("loss", "penalty"),
    [
        (wl.losses.logistic(), wl.penalties.l2(0.05)),
        (wl.losses.huber(0.3), wl.penalties.total_variation(0.2, "output")),
    ],
    ids=["logistic-l2", "huber-variation"],
)
def test_losses_and_penalties_in_two_parameters(loss, penalty):
    """Gibbs[rho] = rho whatever the convex loss, and for penalties and units with kinks: only values count."""
    unit = wl.units.Neuron(wl.activations.relu, bias=False)
    problem = wl.Problem(unit, wl.data.Samples(X, np.where(Y < 0, -1.0, 1.0)), loss, penalty=penalty)
    grid = grids.product(grids.uniform(-4.0, 4.0, 30), grids.uniform(-3.0, 3.0, 20))
    state = wl.analysis.gibbs(problem, temperature=0.1, grid=grid)
    assert state.residual < 1e-12
    assert state.gap < 1e-14
    assert state.density.masses.shape == (30, 20)


def test_the_axes_of_a_density_are_found_by_their_names():
    unit = wl.units.Function(lambda theta, x: theta.a * jnp.tanh(theta.b * x[0]), columns=["a", "b"])
    problem = wl.Problem(unit, wl.data.Samples(X, Y), penalty=wl.penalties.l2(0.1))
    sides, masses = (grids.uniform(-1.0, 2.0, 4), grids.uniform(0.0, 1.0, 3)), np.arange(12.0).reshape(4, 3) / 66.0
    rho = GridDensity(grids.product(*sides), masses, blocks=problem.blocks)
    turned = GridDensity(grids.product(*sides[::-1]), masses.T, blocks=problem.blocks[::-1])
    for function in (wl.analysis.free_energy, wl.analysis.free_energy_gap):
        assert float(function(problem, turned, 0.3)) == pytest.approx(
            float(function(problem, rho, 0.3)), rel=1e-13, abs=0.0
        )


def test_vector_outputs():
    unit = wl.units.Function(lambda theta, x: jnp.stack([jnp.sin(theta.a * x[0]), theta.a * x[0]]), columns=["a"])
    problem = wl.Problem(unit, wl.data.Samples(X, np.stack([Y, X], 1)), penalty=wl.penalties.l2(0.1))
    state = wl.analysis.gibbs(problem, temperature=0.05, grid=grids.uniform(-6.0, 6.0, 100))
    assert state.residual < 1e-12


@pytest.mark.parametrize("temperature", [1e-3, 1e-5])
def test_low_temperatures(temperature):
    """Rounding is worth 1e-16 (psi/T)^2 in the masses, and nothing in the free energy."""
    state = wl.analysis.gibbs(bumps(), temperature=temperature, grid=grids.uniform(-4.0, 4.0, 400))
    assert state.residual < 1e-15 / temperature**2
    assert state.gap < 1e-14
    assert "Not converged" not in state.statement


def test_the_volume_of_a_radius_makes_a_chi_law():
    """With phi = 0 the weight is N(0, T/(2 lambda)) in each of d = 5 coordinates, so its length has the chi law."""
    flat = wl.activations.piecewise_linear([0.0, 1.0], [0.0, 0.0])
    small = wl.problems.isotropic_gaussians(0.5, 5, flat, penalty=wl.penalties.l2(STRENGTH)).reduced()
    state = wl.analysis.gibbs(small, temperature=HEAT, grid=grids.uniform(0.0, 7.0, 200))
    r, width = np.asarray(state.density.positions)[:, 0], 7.0 / 200
    scale = np.sqrt(HEAT / (2 * STRENGTH))
    # The chi density of odd d is even in r, so the mid-point rule normalises it to rounding.
    np.testing.assert_allclose(state.density.masses, width * scipy.stats.chi.pdf(r / scale, 5) / scale, rtol=1e-10)
    # Up to the area of the unit sphere, the free energy is that of the normal law in R^5.
    sphere = np.log(8 * np.pi**2 / 3)
    normal = -2.5 * HEAT * np.log(2 * np.pi * scale**2)
    # The targets +-1 add the risk 1.
    assert state.free_energy - HEAT * sphere == pytest.approx(1.0 + normal, rel=1e-10)


@pytest.mark.slow
def test_the_reduced_fixed_point_is_that_of_the_plane():
    """d = 2: weights on a grid of the plane, and inputs turned by 16 angles, against the radius."""
    sigmoid = wl.activations.sigmoid
    small = wl.problems.isotropic_gaussians(0.5, 2, sigmoid, penalty=wl.penalties.l2(0.05)).reduced(nodes=16)
    s, y, mu = (np.asarray(part) for part in require_nodes(small.data, "test"))
    angles = 2 * np.pi * np.arange(16) / 16
    x = np.sqrt(2.0) * np.multiply.outer(s[:, 0], np.stack([np.cos(angles), np.sin(angles)], 1)).reshape(-1, 2)
    data = wl.data.Samples(x, np.repeat(y, 16), np.repeat(mu, 16))
    unit = wl.units.Neuron(sigmoid, bias=False, output_weight=False)
    plane = wl.Problem(unit, data, small.loss, penalty=small.penalty)
    side = grids.uniform(-6.0, 6.0, 40)
    whole = wl.analysis.gibbs(plane, temperature=0.1, grid=grids.product(side, side))
    radial = wl.analysis.gibbs(small, temperature=0.1, grid=grids.uniform(0.0, 8.0, 2000))
    squares = [float(np.sum(np.asarray(st.density.positions) ** 2, 1) @ st.density.weights) for st in (whole, radial)]
    # The mid-point rule is good to h^2 / 24 for a density that starts like r; the plane's is spectral.
    assert squares[0] == pytest.approx(squares[1], rel=1e-6)
    assert whole.objective == pytest.approx(radial.objective, rel=1e-6)
    assert whole.free_energy == pytest.approx(radial.free_energy - 0.1 * np.log(2 * np.pi), rel=1e-6)


def test_there_is_no_temperature_in_infinite_dimensions():
    small = wl.problems.isotropic_gaussians(0.5, float("inf"))
    with pytest.raises(ValueError, match="infinity"):
        wl.analysis.gibbs(small, temperature=0.1, grid=grids.uniform(0.0, 4.0, 10))


def test_a_grid_that_is_too_small_says_so():
    state = wl.analysis.gibbs(quadratic(), temperature=HEAT, grid=grids.uniform(-6.0, 2.0, 100))
    assert "too small" in state.statement
    assert "a = 2" in state.statement
    # At a wall of the domain mass is where it should be.
    walled = quadratic(domain=wl.domains.Box(-6.0, 2.0))
    assert "too small" not in wl.analysis.gibbs(walled, temperature=HEAT, grid=grids.uniform(-6.0, 2.0, 100)).statement


def test_a_table_that_does_not_fit_is_refused(monkeypatch):
    """A smooth unit is compressed; one of full rank needs every pair of cells and data."""
    monkeypatch.setattr("widelimit.analysis.density._gibbs._MOST_ENTRIES", 2000)
    grid = grids.uniform(-2.0, 2.0, 60)
    data = wl.data.Samples(np.linspace(-2.0, 2.0, 50), np.ones(50))
    assert wl.analysis.gibbs(wl.Problem(LINEAR, data), temperature=1.0, grid=grid).gap < 1e-14
    kinked = wl.units.Function(lambda theta, x: jnp.abs(theta.a - x[0]), columns=["a"])
    with pytest.raises(ValueError, match="60 cells times 50 data values are more than 2000"):
        wl.analysis.gibbs(wl.Problem(kinked, data), temperature=1.0, grid=grid)


@pytest.mark.parametrize(
    ("problem", "more", "match"),
    [
        (quadratic(), {"temperature": 0.0}, "temperature"),
        (quadratic(), {"temperature": -1.0}, "temperature"),
        (quadratic(), {"tolerance": 0.0}, "tolerance"),
        (
            quadratic(),
            {"grid": grids.product(grids.uniform(0, 1, 4), grids.uniform(0, 1, 4))},
            "2 axes, the problem has 1",
        ),
        (quadratic(scale=wl.scales.Power()), {}, "scale"),
        (quadratic(domain=wl.domains.Box(-1.0, 1.0)), {}, "outside"),
        (bumps(loss=lambda f, y: (f - y) ** 2), {}, "convex"),
        (
            wl.Problem(LINEAR, wl.data.FromLaw(wl.laws.Normal(0.0, 1.0), lambda x: x[0])),
            {},
            "nodes",
        ),
    ],
)
def test_refusals(problem, more, match):
    given = {"temperature": 1.0, "grid": grids.uniform(-6.0, 6.0, 10)} | more
    with pytest.raises(ValueError, match=match):
        wl.analysis.gibbs(problem, **given)


@pytest.mark.parametrize(
    ("rho", "match"),
    [
        (wl.Particles([[1.0]]), "GridDensity"),
        (GridDensity(grids.uniform(0.0, 1.0, 2), [0.5, 0.6]), "sum to 1"),
        (GridDensity(grids.uniform(0.0, 1.0, 2), [1.5, -0.5]), "negative"),
        (GridDensity(grids.product(grids.uniform(0, 1, 2), grids.uniform(0, 1, 2)), np.full((2, 2), 0.25)), "columns"),
    ],
)
@pytest.mark.parametrize("function", [wl.analysis.free_energy, wl.analysis.free_energy_gap])
def test_densities_that_are_none(function, rho, match):
    with pytest.raises(ValueError, match=match):
        function(quadratic(), rho, 1.0)
