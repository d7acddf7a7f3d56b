"""One and two coordinates of uniform points on spheres: against mpmath and against plain integrals."""

import itertools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy import integrate, special

from widelimit.numerics import coordinate, gauss_coordinate, pair_moments
from widelimit.numerics._pair_table import SMOOTH_FROM, _tables

DIMS = [2, 3, 4, 5, 8, 13, 40, 81, 82, 1000, 10**6, math.inf]


def exact_tail(dim, k):
    """P(c' > k) to 30 digits."""
    with mpmath.workdps(30):
        k = mpmath.mpf(k)
        if dim == math.inf:
            return mpmath.erfc(k / mpmath.sqrt(2)) / 2
        if abs(k) >= mpmath.sqrt(dim):
            return mpmath.mpf(k < 0)
        half = mpmath.betainc(mpmath.mpf(dim - 1) / 2, mpmath.mpf(1) / 2, 0, 1 - k**2 / dim, regularized=True) / 2
        return half if k >= 0 else 1 - half


@eqx.filter_jit
def functions(law, k):
    """The bell, the tail and the density."""
    bell = jnp.exp(law.log_bell(k))
    return bell, law.tail(k, bell), law.density(k)


@pytest.mark.parametrize("dim", DIMS)
def test_tails_to_rounding(dim):
    law = coordinate(dim)
    end = min(law.edge, 9.0)
    k = np.concatenate(
        [np.random.default_rng(0).uniform(-end, end, 25), [0.0, 1e-9, 0.9999 * end, 30.0, math.inf, -math.inf]]
    )
    bell, tail, density = (np.asarray(part) for part in functions(law, k))
    assert np.all(np.isfinite(bell))
    assert np.all(np.isfinite(density))
    exact = np.array([float(exact_tail(dim, at)) if math.isfinite(at) else float(at < 0) for at in k])
    # At d = 2 the density is infinite at the edge: a rounding of k near it moves P by 1e-14.
    np.testing.assert_allclose(tail, exact, rtol=0, atol=1e-14 if dim == 2 else 2e-15)


@pytest.mark.parametrize("dim", DIMS)
def test_bell_density_and_tail_are_derivatives_of_one_another(dim):
    law = coordinate(dim)
    k = np.linspace(-0.9, 0.9, 13) * min(law.edge, 5.0)
    h = 1e-4
    (high, tail_high, _), (low, tail_low, _) = functions(law, k + h), functions(law, k - h)
    density = np.asarray(functions(law, k)[2])
    # Fourth order is h^4 p'''' / 30 of p, h^2 p'' / 6 the error here.
    np.testing.assert_allclose((tail_low - tail_high) / (2 * h), density, atol=3e-6)
    np.testing.assert_allclose(law.half_mean * (low - high) / (2 * h), k * density, atol=1e-5)


@pytest.mark.parametrize("dim", [2, 3, 4, 7, 40, 300])
def test_constants(dim):
    law = coordinate(dim)

    def moment(power):
        # By the angle, c' = sqrt(d) sin t.
        return integrate.quad(
            lambda t: (math.sqrt(dim) * math.sin(t)) ** power * math.cos(t) ** (dim - 2), 0, math.pi / 2
        )

    mass = 2 * moment(0)[0]
    assert law.half_mean == pytest.approx(moment(1)[0] / mass, rel=1e-12)
    assert law.peak == pytest.approx(1 / (mass * math.sqrt(dim)), rel=1e-12)
    # Variance one.
    assert 2 * moment(2)[0] / mass == pytest.approx(1.0, rel=1e-12)


def test_the_constants_do_not_lose_digits_in_high_dimension():
    with mpmath.workdps(40):
        for dim in (100, 161, 162, 10**4, 10**6, 10**9):
            exact = (
                mpmath.gamma(mpmath.mpf(dim) / 2) / mpmath.sqrt(mpmath.pi * dim) / mpmath.gamma(mpmath.mpf(dim - 1) / 2)
            )
            assert coordinate(dim).peak == pytest.approx(float(exact), rel=2e-15, abs=0.0)


@pytest.mark.parametrize("dim", [2, 3, 40, 10**6, math.inf])
def test_the_gauss_rule_has_its_degree(dim):
    nodes, weights = gauss_coordinate(dim, 5)
    assert float(np.sum(weights)) == pytest.approx(1.0, rel=1e-15, abs=0.0)
    exact = 1.0
    for power in range(2, 11, 2):
        # E c'^(m+2) = E c'^m (m + 1) d / (d + m).
        exact *= (power - 1) * (1.0 if dim == math.inf else dim / (dim + power - 2))
        found = float(weights @ nodes**power)
        assert (found == pytest.approx(exact, rel=1e-12)) == (power < 10)


@pytest.mark.parametrize("dim", [1, 0, -3, 2.5, math.nan])
def test_dimensions_that_are_none(dim):
    with pytest.raises(ValueError, match="dim="):
        coordinate(dim)


# Two coordinates


def bell_and_tail(dim, k):
    if dim == math.inf:
        return math.exp(-k * k / 2), special.ndtr(-k)
    share = min(k * k / dim, 1.0)
    half = 0.5 * special.betaincc(0.5, 0.5 * (dim - 1), share)
    return (1 - share) ** (0.5 * (dim - 1)), half if k >= 0 else 1 - half


def exact_moments(dims, cos, sin, k):
    """E(c'_1; xi > k), E(c'_2; xi > k), P(xi > k) by an adaptive integral over the coordinate of the first group."""
    first, second = dims
    edge = math.sqrt(first) if first != math.inf else 10.0
    wide = min(math.sqrt(second), 9.0) * sin

    def at(angle):
        # By the angle of a finite group, where the density has no singular end.
        if first == math.inf:
            c, mass = angle, coordinate(first).peak * math.exp(-angle * angle / 2)
        else:
            c, mass = edge * math.sin(angle), coordinate(first).peak * edge * math.cos(angle) ** (first - 2)
        bell, tail = bell_and_tail(second, (k - cos * c) / sin)
        return mass * np.array([c * tail, coordinate(second).half_mean * bell, tail])

    ends = [-edge, *(np.clip((k + side) / cos, -edge, edge) for side in (-wide, 0.0, wide)), edge]
    places = ends if first == math.inf else [math.asin(e / edge) * (1 - 1e-15) for e in ends]
    parts = [
        integrate.quad_vec(at, a, b, epsabs=1e-14, epsrel=1e-13, limit=400)[0]
        for a, b in itertools.pairwise(places)
        if b > a
    ]
    return np.sum(parts, axis=0)


PAIRS = [
    (2, 2),
    (2, 4),
    (3, 3),
    (6, 6),
    (5, 300),
    (20, 100),
    (2, math.inf),
    (31, math.inf),
    (60, 260),
    (32, 32),
    (math.inf, 45),
]
POINTS = [
    (0.6, 0.8, 0.7),
    (0.6, 0.8, -1.6),
    (0.999, 0.0447, 1.2),
    (0.05, 0.9987, 0.3),
    (0.7071, 0.7071, 2.5),
    (0.9, 0.4359, 0.0),
]


@pytest.mark.first(6)
@pytest.mark.parametrize("dims", PAIRS, ids=str)
def test_moments_of_two_coordinates(dims):
    cos, sin, k = (jnp.asarray(part) for part in zip(*POINTS, strict=True))
    scale = jnp.hypot(cos, sin)
    cos, sin = cos / scale, sin / scale
    found = jax.jit(lambda *at: jnp.stack(pair_moments(dims, *at, centred=False)))(cos, sin, k)
    exact = np.stack([exact_moments(dims, *map(float, at)) for at in zip(cos, sin, k, strict=True)], axis=1)
    # What the docstring says; the adaptive integral is good to 1e-13.
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dims", [(60, 260), (5, 9)])
def test_moments_at_the_ends(dims):
    """A coordinate that is not there, and knots far out."""
    cos, sin = jnp.array([1.0, 1.0, 0.0, 0.6, 0.6]), jnp.array([0.0, 0.0, 1.0, 0.8, 0.8])
    k = jnp.array([0.7, 0.0, 0.7, 40.0, -40.0])
    first, second, tail = jax.jit(lambda *at: pair_moments(dims, *at, centred=False))(cos, sin, k)
    alone = [bell_and_tail(dim, 0.7) for dim in dims]
    np.testing.assert_allclose(tail, [alone[0][1], 0.5, alone[1][1], 0.0, 1.0], atol=1e-12)
    means = [coordinate(dim).half_mean for dim in dims]
    np.testing.assert_allclose(first, [means[0] * alone[0][0], means[0], 0.0, 0.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(second, [0.0, 0.0, means[1] * alone[1][0], 0.0, 0.0], atol=1e-12)


def test_centred_moments_keep_their_digits():
    """B_1(k) - B_1(0) = -INT_0^k E(c'_1; xi = a) da is of order k^2."""
    k = jnp.array([1e-2, 1e-4, 1e-6])
    first, _, _ = jax.jit(lambda at: pair_moments((60, 260), jnp.full(3, 0.6), jnp.full(3, 0.8), at, centred=True))(k)
    ratio = np.asarray(first / k**2)
    np.testing.assert_allclose(ratio[1:], ratio[-1], rtol=1e-8)
    np.testing.assert_allclose(ratio, ratio[-1], rtol=1e-4)


def test_tables_are_small_and_made_once():
    tables = _tables(60.0, 260.0)
    assert tables is _tables(60.0, 260.0)
    assert tables.slopes.size < 4000
    assert SMOOTH_FROM <= 60
