"""The neuron averaged over directions: closed forms, ends of the radius, bounds; what it refuses."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import widelimit as wl
from widelimit.measure import split
from widelimit.problem.units import SphericalNeuron
from widelimit.problem.units.spherical._rule import spherical_error

acts = wl.activations
RAMP, RELU = wl.problems.ramp, acts.relu
DENTED = acts.piecewise_linear([0.0, 0.5, 1.5], [-2.5, -4.0, 7.5])
# As steep at both ends, but not flat: bounded only when the mean over +-c' is taken.
SLANTED = acts.Activation(
    lambda z: z + jnp.clip(z, 0.0, 1.0),
    slope=2.0,
    kinks=(0.0, 1.0),
    pieces=acts.Pieces(0.0, (0.0, 1.0), (1.0, 2.0, 1.0)),
)
# Two groups of directions; a large group costs a long compilation.
TWO = [pytest.param((60, 260), marks=pytest.mark.slow), (3, 8)]


def pairs(activations, dims, quick):
    """All of them, each a program of its own: the ramp in every dimension, the others in some of the `quick` ones."""
    out = []
    for k, activation in enumerate(activations):
        for i, d in enumerate(dims):
            kept = d in quick and (activation is RAMP or (i + k) % 3 == 0)
            marks = () if kept else pytest.mark.slow
            out.append(pytest.param(activation, d, marks=marks, id=f"{activation.name} {k}-{d}"))
    return out


@eqx.filter_jit
def values(neuron, rows, s):
    """phi at rows [n, D] and one input s [G]."""
    blocks = neuron.blocks(len(neuron.dims), ())
    return jax.vmap(lambda row: neuron(split(blocks, row), s))(rows)


@eqx.filter_jit
def slopes(neuron, rows, s):
    blocks = neuron.blocks(len(neuron.dims), ())
    return jax.vmap(jax.grad(lambda row: neuron(split(blocks, row), s)))(rows)


@eqx.filter_jit
def jets(neuron, rows, s):
    """Values, slopes and second derivatives in one program."""
    blocks = neuron.blocks(len(neuron.dims), ())

    def graded(row):
        value, slope = jax.value_and_grad(lambda row: neuron(split(blocks, row), s))(row)
        return slope, (value, slope)

    def jet(row):
        bend, (value, slope) = jax.jacfwd(graded, has_aux=True)(row)
        return value, slope, bend

    return jax.vmap(jet)(rows)


def ramp_integral(pieces, t):
    """INT_0^t sigma, sigma piecewise linear."""
    total = pieces.value * t + pieces.slopes[0] * (0.5 * t * t - pieces.knots[0] * t)
    for m, knot in zip(pieces.bends, pieces.knots, strict=True):
        total += 0.5 * m * (np.maximum(t - knot, 0.0) ** 2 - max(-knot, 0.0) ** 2)
    return total


@pytest.mark.parametrize("activation", [RAMP, RELU, DENTED, SLANTED, acts.leaky_relu(0.2)], ids=lambda a: a.name)
def test_three_dimensions_in_closed_form(activation):
    """c' is uniform on [-sqrt 3, sqrt 3], so the mean is a difference of integrals of sigma."""
    neuron = SphericalNeuron(activation, (3,), bias=True)
    z, b = np.random.default_rng(0).uniform(0.05, 3.0, 30), np.random.default_rng(1).normal(size=30)
    end = math.sqrt(3.0) * z
    exact = (ramp_integral(activation.pieces, b + end) - ramp_integral(activation.pieces, b - end)) / (2 * end)
    found = values(neuron, jnp.asarray(np.stack([z, b], axis=1)), jnp.ones(1))
    np.testing.assert_allclose(found, exact, rtol=1e-12, atol=1e-12)


@mpmath.workdps(50)
def exactly(pieces, dim, z, b):
    """Value, slopes in z and b and second derivatives zz, zb, bb by the sums over bends, in 50 digits."""
    z, b = mpmath.mpf(float(z)), mpmath.mpf(float(b))
    found = [mpmath.mpf(pieces.value), *[mpmath.mpf(0)] * 5]
    for m, knot in zip(np.diff([mpmath.mpf(slope) for slope in pieces.slopes]), pieces.knots, strict=True):
        t = knot - b
        k = t / z
        if dim == math.inf:
            bell, tail = mpmath.npdf(k), mpmath.ncdf(-k)
            density = bell
        else:
            power, room = mpmath.mpf(dim - 1) / 2, max(1 - k * k / dim, mpmath.mpf(0))
            peak = mpmath.gamma(mpmath.mpf(dim) / 2) / (mpmath.sqrt(mpmath.pi * dim) * mpmath.gamma(power))
            bell = peak * dim / (dim - 1) * room**power
            density = peak * room ** (power - 1) if room else mpmath.mpf(0)
            tail = mpmath.betainc(power, mpmath.mpf(0.5), 0, room, regularized=True) / 2
            tail = 1 - tail if k < 0 else tail
        parts = (z * bell - t * tail, bell, tail, density * k * k / z, density * k / z, density / z)
        found = [old + m * part for old, part in zip(found, parts, strict=True)]
    return [float(part) for part in found]


@pytest.mark.first(1)
@pytest.mark.parametrize(
    ("length", "dim"),
    [
        (1e-7, 3),
        (0.05, 40),
        *(pytest.param(1e-7, d, marks=pytest.mark.slow) for d in (2, 7, 40, math.inf)),
        *(pytest.param(0.05, d, marks=pytest.mark.slow) for d in (2, 3, 7, math.inf)),
    ],
)
def test_short_ramps_lose_no_digits(length, dim):
    """A rise of 10 between near knots, on either side of 0: what is lost is in proportion to the rise, not the slope.

    Near the edge of a small sphere, where p' is infinite, the closed form is left, which loses two digits.
    """
    activation = acts.piecewise_linear([0.5, 0.5 + length], [-2.5, 7.5])
    neuron, rng = SphericalNeuron(activation, (dim,), bias=True), np.random.default_rng(0)
    z, b = np.exp(rng.uniform(-2.0, 6.0, 40)), np.where(np.arange(40) % 3, rng.normal(size=40), 0.0)
    # Some with a spread like the ramp's own length.
    z[:8], b[:8] = length * np.array([0.01, 0.3, 1, 3, 9, 11, 40, 300]), 0.5 + length * rng.uniform(-1.0, 1.0, 8)
    rows, one = jnp.asarray(np.stack([z, b], axis=1)), jnp.ones(1)
    exact = np.array([exactly(activation.pieces.plain(), dim, *row) for row in rows])
    limits = np.asarray(jax.jit(jax.vmap(lambda row: neuron.rounding(split(neuron.blocks(1, ()), row), one)))(rows))
    value, slope, bend = map(np.asarray, jets(neuron, rows, one))
    off = np.abs(value - exact[:, 0])
    assert np.all(off <= limits)
    assert np.max(limits[8:]) < (2e-13 if dim > 7 else 1e-12)
    lost = 1e-13 if dim > 7 else 1e-11
    np.testing.assert_allclose(slope[8:] * z[8:, None], exact[8:, 1:3] * z[8:, None], rtol=1e-11, atol=10 * lost)
    found = np.stack([bend[:, 0, 0], bend[:, 0, 1], bend[:, 1, 1]], axis=1)
    square = z[8:, None] ** 2
    np.testing.assert_allclose(found[8:] * square, exact[8:, 3:] * square, rtol=1e-10, atol=100 * lost)


@pytest.mark.parametrize("dim", [3, 40])
def test_a_short_ramp_at_the_ends_of_the_radius(dim):
    """All mass at b at r = 0; half of the rise at r = infinity."""
    activation = acts.piecewise_linear([0.5, 0.5 + 2.0**-20], [-2.5, 7.5])
    neuron = SphericalNeuron(activation, (dim,), bias=True)
    middle = 0.5 + 2.0**-21
    rows = jnp.array([[0.0, 0.0], [0.0, 0.5], [0.0, middle], [0.0, 0.6], [math.inf, 0.3]])
    value, slope, bend = jets(neuron, rows, jnp.ones(1))
    np.testing.assert_allclose(value, [-2.5, -2.5, 2.5, 7.5, 2.5], atol=1e-12)
    assert np.all(np.isfinite(slope))
    np.testing.assert_array_equal(bend, 0.0)


def test_two_dimensions_in_closed_form():
    """E (z cos - t)_+ over the circle = (sqrt(z^2 - t^2) - t arccos(t/z))/pi, with c' = sqrt 2 cos."""
    neuron = SphericalNeuron(RELU, (2,), bias=True)
    r, b = np.array([0.5, 1.0, 2.0, 0.8]), np.array([0.3, -1.0, 2.0, 0.0])
    z = math.sqrt(2.0) * r
    exact = (np.sqrt(z**2 - b**2) + b * np.arccos(-b / z)) / math.pi
    np.testing.assert_allclose(values(neuron, jnp.asarray(np.stack([r, b], 1)), jnp.ones(1)), exact, rtol=1e-13)


@pytest.mark.parametrize("dim", [2, 5, 40, math.inf])
def test_relu_without_bias_is_a_cone(dim):
    neuron = SphericalNeuron(RELU, (dim,))
    rows, s = jnp.array([[0.0], [1e-9], [0.4], [7.0]]), jnp.array([1.3])
    half_mean = (
        0.5 * math.sqrt(dim / math.pi) * math.exp(math.lgamma(dim / 2) - math.lgamma((dim + 1) / 2))
        if dim < 99
        else 1 / math.sqrt(2 * math.pi)
    )
    np.testing.assert_allclose(values(neuron, rows, s), 1.3 * half_mean * rows[:, 0], rtol=1e-13)
    # The derivative at r = 0 is the one from the right.
    np.testing.assert_allclose(slopes(neuron, rows, s)[:, 0], 1.3 * half_mean, rtol=1e-13)


@pytest.mark.first(3)
@pytest.mark.parametrize(
    ("activation", "dims"),
    pairs(
        [RAMP, DENTED, acts.tanh],
        [(2,), (40,), (math.inf,), (60, 260), (3, 8), (math.inf, math.inf)],
        quick=[(2,), (40,), (math.inf,), (3, 8), (math.inf, math.inf)],
    ),
)
def test_infinity_is_a_position(activation, dims):
    neuron, s = SphericalNeuron(activation, dims, bias=True), jnp.full(len(dims), 1.2)
    far = [1e8, 1e100, math.inf]
    rows = jnp.array([[*[r] * len(dims), 0.3] for r in far] + [[far[i], *[0.5] * (len(dims) - 1), 0.3] for i in (1, 2)])
    ends = [float(activation(jnp.asarray(side * 1e300))) for side in (-1, 1)]
    found, *derivatives = map(np.asarray, jets(neuron, rows, s))
    if activation is acts.tanh:
        # A Gauss rule cannot see a step; infinity itself is exact.
        found = found[[2, 4]]
    np.testing.assert_allclose(found, 0.5 * sum(ends), atol=1e-5)
    np.testing.assert_allclose(found[-1], 0.5 * sum(ends), atol=1e-14)
    for derivative in derivatives:
        # Slopes of 10 that cancel to rounding.
        np.testing.assert_allclose(derivative[[2, 4]], 0.0, atol=1e-14)


@pytest.mark.first(2)
@pytest.mark.parametrize(
    ("activation", "dims"),
    pairs(
        [RAMP, RELU, DENTED, acts.tanh],
        [(40,), (3, 8), (math.inf, math.inf), (60, 260)],
        quick=[(40,), (3, 8), (math.inf, math.inf)],
    ),
)
def test_no_length_no_spread(activation, dims):
    """At r = 0 the value is sigma(b), the derivative in b sigma'(b), all of it finite."""
    neuron, s = SphericalNeuron(activation, dims, bias=True), jnp.ones(len(dims))
    # As many as in the test of infinity: one program serves both.
    biases = jnp.array([-0.7, -0.1, 0.2, 0.9, 1.2])
    rows = jnp.concatenate([jnp.zeros((5, len(dims))), biases[:, None]], axis=1)
    value, slope, bend = map(np.asarray, jets(neuron, rows, s))
    np.testing.assert_allclose(value, jax.vmap(activation)(biases), atol=1e-12)
    np.testing.assert_allclose(slope[:, -1], jax.vmap(jax.grad(activation.function))(biases), atol=1e-12)
    np.testing.assert_allclose(slope[:, :-1], 0.0, atol=1e-12)
    assert np.all(np.isfinite(bend))


def test_the_corner_of_two_lengths_has_one_sided_derivatives():
    """With a knot at 0 there is a cone at r_1 = r_2 = 0: the slope along the diagonal."""
    for dims in ((60, 260), (3, 8), (math.inf, math.inf)):
        neuron, s = SphericalNeuron(DENTED, dims), jnp.array([1.0, 1.0])
        corner = np.asarray(slopes(neuron, jnp.zeros((1, 2)), s)[0])
        step = 1e-4
        rise = np.diff(np.asarray(values(neuron, jnp.array([[0.0, 0.0], [step, step]]), s)))[0]
        assert corner.sum() == pytest.approx(rise / step, rel=1e-9)
        assert corner.sum() < -1.0


@pytest.mark.parametrize("dims", [(40,), *TWO], ids=str)
def test_even_in_the_length(dims):
    """A step of an integrator may look beyond r = 0."""
    neuron, s = SphericalNeuron(RAMP, dims, bias=True), jnp.full(len(dims), 0.9)
    rows = jnp.asarray(np.random.default_rng(0).uniform(0.2, 2.0, (5, len(dims) + 1)))
    mirrored = rows.at[:, : len(dims)].multiply(-1.0)
    np.testing.assert_array_equal(values(neuron, mirrored, s), values(neuron, rows, s))
    flipped = slopes(neuron, mirrored, s).at[:, : len(dims)].multiply(-1.0)
    np.testing.assert_array_equal(flipped, slopes(neuron, rows, s))


def test_nothing_cancels_far_out():
    """phi(r) - phi(inf) = c/r + O(1/r^3) in infinite dimension, so r^2 phi' is constant to r^-2."""
    neuron, s = SphericalNeuron(RAMP, (math.inf,)), jnp.ones(1)
    r = np.array([1e3, 1e6, 1e9])
    scaled = r**2 * np.asarray(slopes(neuron, jnp.asarray(r[:, None]), s))[:, 0]
    # 10 (B(.5/r) - B(1.5/r)) = 10 n(0) (2.25 - .25)/(2 r^2).
    np.testing.assert_allclose(scaled, 10 / math.sqrt(2 * math.pi), rtol=3e-6)
    np.testing.assert_allclose(scaled[1:], 10 / math.sqrt(2 * math.pi), rtol=1e-11)


@pytest.mark.parametrize("dims", [(40,), *TWO], ids=str)
def test_second_derivatives_are_exact(dims):
    """Central differences of the slopes, extrapolated: errors of order h^4."""
    neuron, s = SphericalNeuron(RAMP, dims, bias=True), jnp.full(len(dims), 1.1)
    rows = jnp.asarray(np.random.default_rng(3).uniform(0.3, 1.5, (5, len(dims) + 1)))

    def differences(h):
        steps = h * jnp.eye(rows.shape[1])
        return jnp.stack([slopes(neuron, rows + e, s) - slopes(neuron, rows - e, s) for e in steps], axis=1) / (2 * h)

    numeric = (4 * differences(1e-3) - differences(2e-3)) / 3
    found = jets(neuron, rows, s)[2]
    # Two groups: the derivative of a table that is good to 1e-13 itself.
    np.testing.assert_allclose(found, numeric, atol=2e-8)
    np.testing.assert_allclose(found, jnp.swapaxes(found, 1, 2), atol=1e-9 if len(dims) > 1 else 1e-13)


@pytest.mark.slow
def test_two_groups_seen_by_one_input_are_one_group():
    """E over the input, with one variance in both groups: w . x is normal with variance |w|^2 tau^2 (any lengths)."""
    small = wl.problems.anisotropic_gaussians(0.4, 40, 16, RELU, bias=True).reduced()
    nodes = small.data.nodes
    pair = SphericalNeuron(RELU, (16, 24), bias=True)
    single = SphericalNeuron(RELU, (math.inf,), bias=True)
    keep = nodes.y > 0
    # Undo the classes' standard deviations: (1.4, 1) for y = +1.
    s, weights = nodes.x[keep] / jnp.array([1.4, 1.0]), nodes.weights[keep] * 2.0
    for r1, r2, b in ((0.7, 1.1, -0.4), (1.5, 0.2, 0.3)):
        row = jnp.array([[r1, r2, b]])
        found = jnp.dot(weights, eqx.filter_jit(jax.vmap(lambda point, at=row: values(pair, at, point)[0]))(s))
        exact = values(single, jnp.array([[math.hypot(r1, r2), b]]), jnp.ones(1))[0]
        assert float(found) == pytest.approx(float(exact), rel=1e-10)


@pytest.mark.first(1)
@pytest.mark.parametrize(
    ("activation", "dim"), pairs([RAMP, DENTED, SLANTED, RELU], [3, 4, 7, 40, math.inf], quick=[3, 4, 7, 40, math.inf])
)
def test_bounds_hold_and_are_tight(activation, dim):
    neuron, s = SphericalNeuron(activation, (dim,)), jnp.array([1.3])
    r = jnp.geomspace(1e-3, 1e3, 4001)[:, None]
    value, slope, bend = (np.abs(np.ravel(found)).max() for found in jets(neuron, r, s))
    assert 0.97 * float(neuron.lipschitz(s)) < slope <= float(neuron.lipschitz(s))
    curvature = float(neuron.curvature(s))
    # Below five dimensions the knots are bounded one by one.
    assert (0.97 if dim > 4 else 0.7) * curvature <= bend <= curvature
    if activation is RELU:
        assert neuron.bound is None
        assert curvature == 0.0
    else:
        assert 0.8 * neuron.bound < value <= neuron.bound
    outer = neuron.outer_curvature(s)
    if activation is RELU:
        assert outer is None
        return
    at = eqx.filter_jit(jax.vmap(jax.grad(jax.grad(lambda y: values(neuron, 1 / y[None, None], s)[0]))))
    found = np.abs(np.asarray(at(jnp.linspace(1e-3, 20.0, 2001)))).max()
    # Below five dimensions it is largest just beyond the edge of one knot, where the others have other signs.
    assert (0.5 if dim > 4 else 0.3) * float(outer) < found <= float(outer)


@pytest.mark.parametrize("dim", [7, *(pytest.param(d, marks=pytest.mark.slow) for d in (40, math.inf))])
def test_near_knots_make_no_wide_bound_far_out(dim):
    """A rise of 10 at 1/2: bounded knot by knot, F(1/r) would seem to bend 3000 times as much."""
    neuron, s = SphericalNeuron(acts.piecewise_linear([0.5, 0.5001], [-2.5, 7.5]), (dim,)), jnp.array([1.3])
    at = eqx.filter_jit(jax.vmap(jax.grad(jax.grad(lambda y: values(neuron, 1 / y[None, None], s)[0]))))
    found = np.abs(np.asarray(at(jnp.linspace(1e-3, 20.0, 2001)))).max()
    assert 0.9 < found / float(neuron.outer_curvature(s)) <= 1.0


def test_facts_that_are_not_known_are_none():
    # The average of a piecewise-linear function is smooth.
    assert SphericalNeuron(RAMP, (40,)).pieces is None
    assert SphericalNeuron(RAMP, (40,), bias=True).curvature(jnp.ones(1)) is None
    assert SphericalNeuron(RAMP, (40,), bias=True).outer_curvature(jnp.ones(1)) is None
    assert SphericalNeuron(RAMP, (60, 260)).curvature(jnp.ones(2)) is None
    assert SphericalNeuron(RAMP, (2,)).curvature(jnp.ones(1)) is None
    # In two dimensions the plain bound on the slope is left.
    assert float(SphericalNeuron(RAMP, (2,)).lipschitz(jnp.ones(1))) == 10.0
    assert SphericalNeuron(acts.quadratic, (40,)).lipschitz(jnp.ones(1)) is None


@pytest.mark.first(2)
@pytest.mark.parametrize(
    ("dim", "reach", "error"), [(math.inf, 100.0, 1e-9), (40, 100.0, 1e-10), (13, 10.0, 1e-11), (5, 4.0, 1e-13)]
)
def test_smooth_activations_are_as_exact_as_said(dim, reach, error):
    """A plain midpoint rule in the angle with 10^5 points, or in c' at infinity."""
    n = 100_000
    share = (np.arange(n) + 0.5) / n
    if dim == math.inf:
        c = 18.0 * share - 9.0
        weights = np.exp(-0.5 * c * c)
    else:
        angle = math.pi * (share - 0.5)
        c, weights = math.sqrt(dim) * np.sin(angle), np.cos(angle) ** (dim - 2)
    weights = weights / weights.sum()
    neuron = SphericalNeuron(acts.tanh, (dim,), bias=True)
    rows = jnp.array([[z, b] for z in (0.3, 2.0, reach) for b in (0.0, 0.8, -2.0)])
    exact = [weights @ np.tanh(float(z) * c + float(b)) for z, b in rows]
    np.testing.assert_allclose(values(neuron, rows, jnp.ones(1)), exact, atol=error)
    in_z = [weights @ (c / np.cosh(np.clip(float(z) * c + float(b), -300, 300)) ** 2) for z, b in rows]
    np.testing.assert_allclose(slopes(neuron, rows, jnp.ones(1))[:, 0], in_z, atol=10 * error)


def test_the_error_of_the_mean_over_directions():
    assert spherical_error(SphericalNeuron(RAMP, (40,))) == 0.0
    assert spherical_error(SphericalNeuron(acts.tanh, (40,), bias=True)) < 1e-11
    # Two finite groups and a smooth activation: a rule inside a rule, which says how coarse it is at spreads of 100.
    assert 1e-12 < spherical_error(SphericalNeuron(acts.tanh, (10, 30), bias=True)) < 1e-5


def test_a_linear_activation():
    neuron = SphericalNeuron(acts.leaky_relu(1.0), (40,), bias=True)
    np.testing.assert_allclose(
        values(neuron, jnp.array([[0.7, 0.2], [3.0, -1.0]]), jnp.ones(1)), [0.2, -1.0], atol=1e-15
    )


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: SphericalNeuron(acts.Activation(jnp.abs, kinks=(0.0,)), (3,)), "piecewise_linear"),
        (lambda: SphericalNeuron(RAMP, (3, 4, 5)), "one or two groups"),
        (lambda: SphericalNeuron(RAMP, (1,)), "dim="),
        (lambda: SphericalNeuron(RAMP, (2.5,)), "dim="),
        (lambda: SphericalNeuron(RAMP, (3,)).blocks(2, ()), "2 inputs"),
        (lambda: SphericalNeuron(RAMP, (3,)).blocks(1, (2,)), "targets of shape"),
    ],
)
def test_what_is_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()
