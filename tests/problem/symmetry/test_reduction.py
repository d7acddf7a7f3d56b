"""Symmetric reductions: spherical means and quadratures against independent ones, and against the full problem."""

import itertools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate

import widelimit as wl
from widelimit.problem.units import SphericalNeuron
from widelimit.theory import mei2018 as theory

RAMP = wl.problems.ramp
RELU = wl.activations.relu
SLOW = pytest.mark.slow
DENTED = wl.activations.piecewise_linear([0.0, 0.5, 1.5], [-2.5, -4.0, 7.5])


def nodes_of(dim, low=-1.0, high=1.0, n=80):
    """Nodes c' and weights of the coordinate with c'/sqrt(dim) in [low, high], by the angle."""
    x, w = np.polynomial.legendre.leggauss(n)
    most = min(0.5 * math.pi, 9.5 / math.sqrt(dim))
    a, b = (float(np.clip(math.asin(e), -most, most)) for e in (low, high))
    angle = 0.5 * (a + b) + 0.5 * (b - a) * x
    total = integrate.quad(lambda t: math.cos(t) ** (dim - 2), -0.5 * math.pi, 0.5 * math.pi, points=[0.0])[0]
    return math.sqrt(dim) * np.sin(angle), 0.5 * (b - a) * w * np.cos(angle) ** (dim - 2) / total


@eqx.filter_jit
def values(activation, z):
    return jax.vmap(activation)(z)


def one_mean(activation, dim, z, b):
    """E sigma(z c' + b) with the integral cut at the kinks."""
    cuts = [(t - b) / (z * math.sqrt(dim)) for t in activation.kinks]
    ends = [-1.0, *sorted(c for c in cuts if abs(c) < 1), 1.0]
    total = 0.0
    for low, high in itertools.pairwise(ends):
        c, w = nodes_of(dim, low, high)
        total += float(w @ np.asarray(values(activation, jnp.asarray(z * c + b))))
    return total


def two_means(activation, dims, u, v, b):
    """E sigma(u c'_1 + v c'_2 + b): the thicker coordinate inside, cut at the kinks, the thinner one outside."""
    (d1, z1), (d2, z2) = sorted(zip(dims, (u, v), strict=True), key=lambda pair: pair[1])
    c, w = nodes_of(d1, n=60)
    return float(w @ [one_mean(activation, d2, z2, b + z1 * x) for x in c])


def unit(activation, dims, theta, s, **blocks):
    return _unit(SphericalNeuron(activation, dims, **blocks), jnp.asarray(theta), jnp.asarray(s))


@eqx.filter_jit
def _unit(neuron, theta, s):
    named = neuron.blocks(len(neuron.dims), ())
    return neuron(wl.measure.split(named, theta), s)


@pytest.mark.parametrize("dim", [2, 5, 320, *(pytest.param(dim, marks=SLOW) for dim in (3, 13, 40))])
def test_the_mean_over_one_sphere(dim):
    for activation, b in ((RAMP, 0.0), (RELU, 0.3), (RELU, -0.7), (DENTED, 0.0), (wl.activations.leaky_relu(0.1), 0.4)):
        for z in (0.3, 1.0, 4.0):
            found = unit(activation, (dim,), [z, b], [1.0], bias=True)
            # Rounding of values of the size of the activation, 7.5.
            assert float(found) == pytest.approx(one_mean(activation, dim, z, b), abs=3e-13)


def test_the_mean_in_infinite_dimension_and_of_smooth_activations():
    x, w = np.polynomial.hermite_e.hermegauss(80)
    w = w / w.sum()
    assert float(unit(wl.activations.tanh, (math.inf,), [0.5, 0.2], [1.4], bias=True)) == pytest.approx(
        w @ np.tanh(0.7 * x + 0.2), abs=1e-12
    )
    sigma = theory.PiecewiseLinear((0.5, 1.5), (-2.5, 7.5))
    assert float(unit(RAMP, (math.inf,), [0.9], [1.3])) == pytest.approx(sigma.q(0.9 * 1.3), abs=1e-13)
    assert float(unit(wl.activations.tanh, (40,), [0.5, 0.2], [1.4], bias=True)) == pytest.approx(
        one_mean(wl.activations.tanh, 40, 0.7, 0.2), abs=1e-12
    )


@pytest.mark.parametrize("dims", [(3, 8), *(pytest.param(dims, marks=SLOW) for dims in ((60, 260), (5, 300)))])
def test_the_mean_over_two_spheres(dims):
    for activation, b, u, v in ((RAMP, 0.0, 0.5, 1.2), (RELU, 0.3, 2.0, 0.1), (RELU, -0.5, 1.0, 1.0)):
        found = unit(activation, dims, [u, v, b], [1.0, 1.0], bias=True)
        assert float(found) == pytest.approx(two_means(activation, dims, u, v, b), abs=1e-11)


@pytest.mark.parametrize(
    ("dims", "theta"),
    [((40,), [0.7, 0.2]), ((3, 8), [0.7, 1.1, 0.2]), pytest.param((60, 260), [0.7, 1.1, 0.2], marks=SLOW)],
)
def test_derivatives_are_those_of_the_mean(dims, theta):
    def value(t):
        return unit(RAMP, dims, t, [1.1] * len(dims), bias=True)

    at, h = jnp.asarray(theta), 1e-5
    steps = h * jnp.eye(len(theta))
    slope, bend = jax.jit(jax.grad(value)), jax.jit(jax.hessian(value))(at)
    np.testing.assert_allclose(slope(at), [(value(at + e) - value(at - e)) / (2 * h) for e in steps], atol=1e-8)
    np.testing.assert_allclose(bend, [(slope(at + e) - slope(at - e)) / (2 * h) for e in steps], atol=1e-7)
    np.testing.assert_allclose(bend, bend.T, atol=1e-11)


def test_the_ends_of_the_radius():
    # At r = 0 the value is sigma(0), at infinity the mean of both ends; the dented activation has a cone at 0.
    assert float(unit(RAMP, (40,), [0.0], [1.5])) == -2.5
    assert float(unit(RAMP, (40,), [math.inf], [1.5])) == pytest.approx(2.5, abs=1e-12)
    assert float(unit(RAMP, (40,), [1e9], [1.5])) == pytest.approx(2.5, abs=1e-7)

    def value(r):
        return unit(DENTED, (40,), jnp.reshape(r, 1), [1.0])

    assert float(jax.grad(value)(0.0)) == pytest.approx(float(value(1e-3) - value(0.0)) / 1e-3, rel=1e-10)
    assert float(jax.grad(value)(0.0)) < -1.0
    assert float(jax.grad(value)(math.inf)) == 0.0


def test_smooth_activations_far_out():
    # By adaptive quadrature of the two integrals; few dimensions and long weights need points near the transition.
    problem = wl.problems.isotropic_gaussians(0.6, 10, wl.activations.gaussian).reduced()
    for r, risk in ((10.0, 1.2132487), (40.0, 1.0489544)):
        assert float(problem.risk(wl.Particles([[r]]))) == pytest.approx(risk, abs=5e-8)
    assert float(problem.symmetry.quadrature_error) < 1e-11
    # Two groups: the midpoint rule in both angles, c' = sqrt(d) sin(angle).
    angle = math.pi * ((np.arange(2000) + 0.5) / 2000 - 0.5)
    one, two = (np.cos(angle) ** (d - 2) / np.sum(np.cos(angle) ** (d - 2)) for d in (60, 260))
    z = 8.0 * math.sqrt(60) * np.sin(angle)[:, None] + 8.0 * math.sqrt(260) * np.sin(angle)
    found = unit(wl.activations.gaussian, (60, 260), [8.0, 8.0], [1.0, 1.0])
    assert float(found) == pytest.approx(one @ np.exp(-0.5 * z**2) @ two, abs=1e-9)


@pytest.mark.first(1)
@pytest.mark.parametrize("dim", [5, 12, 40, math.inf, *(pytest.param(dim, marks=SLOW) for dim in (13, 20, 80, 160))])
def test_the_quadrature_is_as_good_as_it_says(dim):
    small = wl.problems.isotropic_gaussians(0.4, dim).reduced()
    model = theory.Isotropic(0.4, dim)
    error = max(
        abs(float(small.risk(wl.Particles([[r]]))) - model.single(r)) for r in (0.0, 0.4, 1.1, 1.6, 5.0, math.inf)
    )
    # U is at most 56; at least rounding.
    assert error < 60 * max(small.symmetry.quadrature_error, 1e-14)
    assert error < (1e-12 if dim >= 20 else 1e-9)


@pytest.mark.slow
def test_the_reduced_risk_and_potential_are_those_of_the_network():
    full = wl.problems.isotropic_gaussians(0.5, 12, wl.activations.relu, bias=True, output_weight=True)
    small = full.reduced()
    rho = wl.Particles([[0.5, 0.8, 0.3], [-0.4, 1.5, -0.2]], [0.4, 0.6])
    # 20,000 neurons: R is quadratic, so the mean risk is above the limit's by the variance over N, below 1e-3.
    many = wl.Particles(jnp.repeat(rho.positions, 10_000, axis=0), jnp.repeat(rho.weights / 10_000, 10_000))
    lifted = small.lift(many, key=jax.random.key(0))
    np.testing.assert_allclose(small.project(lifted).positions, many.positions, rtol=1e-12)
    found = full.estimate_risk(lifted, samples=4000, key=jax.random.key(1))
    assert abs(float(found.value - small.risk(rho))) < 4 * float(found.error) + 1e-3


@pytest.mark.slow
def test_two_groups_reduce_like_the_network():
    full = wl.problems.anisotropic_gaussians(0.5, 100, 45, wl.activations.relu, bias=True, output_weight=True)
    small = full.reduced()
    assert small.symmetry.dims == (45.0, 55.0)
    assert small.symmetry.quadrature_error < 1e-9
    rho = wl.Particles([[0.5, 0.8, 0.4, 0.3]])
    lifted = small.lift(wl.Particles(jnp.repeat(rho.positions, 20_000, axis=0)), key=jax.random.key(0))
    found = full.estimate_risk(lifted, samples=4000, key=jax.random.key(1))
    assert abs(float(found.value - small.risk(rho))) < 4 * float(found.error) + 1e-3


@pytest.mark.slow
def test_infinite_dimension_is_the_limit_at_rate_one_over_d():
    rho = wl.Particles([[0.8], [1.9]])
    exact = float(wl.problems.isotropic_gaussians(0.3, math.inf).risk(rho))
    dims = np.array([40, 80, 160, 320])
    off = [abs(float(wl.problems.isotropic_gaussians(0.3, int(d)).reduced().risk(rho)) - exact) for d in dims]
    assert np.polyfit(np.log(dims), np.log(off), 1)[0] == pytest.approx(-1.0, abs=0.1)


def test_projecting_laws():
    small = wl.problems.isotropic_gaussians(0.5, 40).reduced()
    law = small.project(wl.laws.Normal(0.0, 0.1, dim=40))
    sample = np.linalg.norm(
        np.asarray(wl.laws.Normal(0.0, 0.1, dim=40).sample(4000, key=jax.random.key(0)).positions), axis=1
    )
    u = np.asarray([[0.25], [0.5], [0.75]])
    np.testing.assert_allclose(np.quantile(sample, u[:, 0]), law.from_cube(u)[:, 0], atol=0.01)
    assert float(small.project(wl.laws.Sphere(40, 2.0)).point) == 2.0
    mixed = small.project(wl.laws.Mixture([wl.laws.Sphere(40, 2.0), wl.laws.Normal(0.0, 0.1, dim=40)], [0.5, 0.5]))
    assert isinstance(mixed, wl.laws.Mixture)
    pair = wl.problems.anisotropic_gaussians(0.5, 12, 5, bias=True).reduced()
    start = wl.laws.product(weight=wl.laws.Normal(0.0, 0.3, dim=12), bias=wl.laws.Atom(1.0))
    assert [block.name for block in pair.project(start).blocks] == ["radius", "bias"]


def test_the_groups_need_not_be_in_order():
    std = np.array([1.0, 1.5, 1.0, 1.5, 1.0])
    data = wl.data.GaussianClasses(std**2, np.where(std > 1, 0.25, 1.0))
    small = wl.Problem(wl.units.Neuron(RAMP, bias=False, output_weight=False), data).reduced()
    assert small.symmetry.groups == ((1, 3), (0, 2, 4))
    found = small.project(wl.Particles([[1.0, 3.0, 2.0, 4.0, 2.0]]))
    np.testing.assert_allclose(found.positions, [[5.0, 3.0]])


def test_penalties_and_the_volume_of_a_reduced_particle():
    full = wl.problems.isotropic_gaussians(0.5, 40, penalty=wl.penalties.l2(0.3))
    small = full.reduced()
    rows = wl.laws.Normal(0.0, 0.2, dim=40).sample(5, key=jax.random.key(0))
    assert float(small.penalty_of(small.project(rows))) == pytest.approx(float(full.penalty_of(rows)), rel=1e-12)
    theta, _ = small.unpack(wl.Particles([[2.0]]))
    one = jax.tree.map(lambda leaf: leaf[0], theta)
    assert float(small.log_volume(one)) == pytest.approx(39 * math.log(2.0))
    assert float(full.log_volume(None)) == 0.0


def test_a_reduced_problem_reduces_to_itself_and_a_sweep_keeps_its_shape():
    first, second = (wl.problems.isotropic_gaussians(delta, 40).reduced() for delta in (0.3, 0.7))
    assert first.reduced() is first
    assert jax.tree.structure(first.data) == jax.tree.structure(second.data)
    assert first.data.x.shape == second.data.x.shape


@pytest.mark.first(1)
@pytest.mark.parametrize("dim", [7, 40, math.inf])
def test_bounds_on_the_curvature_hold(dim):
    neuron = SphericalNeuron(DENTED, (dim,))
    s = jnp.array([1.3])

    def value(r):
        return unit(DENTED, (dim,), jnp.reshape(r, 1), s)

    r = jnp.geomspace(1e-3, 1e3, 4001)
    inner = jnp.abs(jax.vmap(jax.grad(jax.grad(value)))(r))
    outer = jnp.abs(jax.vmap(jax.grad(jax.grad(lambda y: value(1.0 / y))))(r))
    for found, bound in ((inner, neuron.curvature(s)), (outer, neuron.outer_curvature(s))):
        assert bound is not None
        # A bound, and not a useless one.
        assert 0.02 * float(bound) < float(jnp.max(found)) <= float(bound) * (1 + 1e-9)


def _reduce(unit=None, **data):
    given = {"plus": 2.0, "minus": 0.5, "dim": 4} | data
    kind = wl.data.GaussianClasses(**given)
    return wl.Problem(wl.units.Neuron(RAMP, bias=False, output_weight=False) if unit is None else unit, kind).reduced()


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: _reduce(mean_plus=1.0), r"mean of class y = \+1"),
        (lambda: _reduce(plus=np.array([1.0, 2.0, 3.0, 3.0])), "3 different pairs"),
        (lambda: _reduce(plus=np.array([1.0, 2.0, 2.0, 2.0])), "alone"),
        (lambda: _reduce(plus=np.eye(4) + 0.1), "not diagonal"),
        (lambda: _reduce(unit=wl.units.RadialBasis(1.0)), "RadialBasis has no direction"),
        (lambda: _reduce(unit=wl.units.Neuron(wl.activations.Activation(jnp.abs, kinks=(0.0,)))), "piecewise linear"),
        (
            lambda: wl.Problem(wl.units.Neuron(RAMP, output_weight=False), wl.data.Samples([[1.0]], [1.0])).reduced(),
            "Samples",
        ),
        (lambda: wl.problems.isotropic_gaussians(1.0, 40), r"delta=.*above 0 and below 1"),
        (lambda: wl.problems.isotropic_gaussians(0.5, 1), "dim="),
        (lambda: wl.problems.isotropic_gaussians(0.5, 40.5), "dim="),
        (lambda: wl.problems.anisotropic_gaussians(0.5, 40, 40), "relevant="),
        (lambda: wl.problems.anisotropic_gaussians(0.5, math.inf, 3), "leave it out"),
        (lambda: wl.problems.isotropic_gaussians(0.5, 40).project(wl.laws.Normal(0, 1, dim=40)), "not reduced"),
        (lambda: wl.problems.isotropic_gaussians(0.5, 40).reduced().project(wl.laws.Normal(1.0, 1, dim=40)), "mean 0"),
        (lambda: wl.problems.isotropic_gaussians(0.5, 40).reduced().project(wl.laws.Normal(0.0, 1, dim=39)), "39"),
        (
            lambda: wl.problems.isotropic_gaussians(0.5, 40).reduced().project(wl.laws.Uniform(0, 1, dim=40)),
            "invariant",
        ),
        (lambda: wl.problems.isotropic_gaussians(0.5, math.inf).project(wl.laws.Atom(1.0)), "no full problem"),
        (lambda: wl.problems.isotropic_gaussians(0.5, math.inf).log_volume(None), "d = infinity"),
        (lambda: wl.problems.isotropic_gaussians(0.5, 40).reduced(nodes=1), "nodes="),
    ],
)
def test_what_breaks_the_symmetry_is_said(make, match):
    with pytest.raises(ValueError, match=match):
        make()
