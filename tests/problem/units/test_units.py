"""Units: the facts they declare, over a registry; closed forms; what they refuse."""

import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from registered import missing

import widelimit as wl
from widelimit.measure import join, row_size, split
from widelimit.problem.units import feature

acts, units = wl.activations, wl.units


class Case(NamedTuple):
    unit: units.AbstractUnit
    inputs: int
    outputs: tuple


def wave(theta, x):
    return theta.charge * jnp.sin(theta.phase + jnp.dot(theta.w, x))


WAVE = units.Function(
    wave,
    columns={"phase": (), "charge": (), "w": (2,)},
    linear="charge",
    bound=1.0,
    slope=lambda x: jnp.sqrt(1 + x @ x),
)
RAMP = acts.piecewise_linear([0.5, 1.5], [-2.5, 7.5])
CASES = {
    "tanh": Case(units.Neuron(acts.tanh), 3, ()),
    "tanh-vector": Case(units.Neuron(acts.tanh), 3, (2,)),
    "tanh-bare": Case(units.Neuron(acts.tanh, bias=False, output_weight=False), 2, ()),
    "relu": Case(units.Neuron(acts.relu), 3, ()),
    "relu-no-bias-vector": Case(units.Neuron(acts.relu, bias=False), 2, (3,)),
    "leaky-bare": Case(units.Neuron(acts.leaky_relu(0.1), output_weight=False), 2, ()),
    "quadratic": Case(units.Neuron(acts.quadratic), 2, ()),
    "gaussian": Case(units.Neuron(acts.gaussian), 2, ()),
    "ramp": Case(units.Neuron(RAMP, bias=False, output_weight=False), 2, ()),
    "own-activation": Case(units.Neuron(jnp.sin), 2, ()),
    "radial": Case(units.RadialBasis(0.7), 2, ()),
    "radial-vector": Case(units.RadialBasis(0.7), 3, (2,)),
    # Its derivatives grow without bound; at this rate they are of the size of the others'.
    "exponential": Case(units.Exponential(0.1), 2, ()),
    "free-knot": Case(units.FreeKnot(), 1, ()),
    "free-knot-vector": Case(units.FreeKnot(), 1, (2,)),
    "free-knot-bare": Case(units.FreeKnot(charge=False), 1, ()),
    "canonical": Case(units.CanonicalReLU(), 1, ()),
    "canonical-flat": Case(units.CanonicalReLU(delta=False), 1, ()),
    "function": Case(WAVE, 2, ()),
    "branch": Case(units.ResNetBranch(2, acts.softplus), 2, (2,)),
    "spherical": Case(units.SphericalNeuron(RAMP, (40.0,)), 1, ()),
    "spherical-charged": Case(units.SphericalNeuron(RAMP, (float("inf"),), output_weight=True), 1, ()),
}
# A unit that is new is in by being registered.
for _name, _unit in missing(units.registry, [case.unit for case in CASES.values()]).items():
    CASES[_name] = Case(_unit, 2, ())
every = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def draw(case, n, seed=0, scale=1.0):
    """n random rows theta [n, D] and inputs [n, d]."""
    rng = np.random.default_rng(seed)
    dim = row_size(case.unit.blocks(case.inputs, case.outputs))
    return jnp.asarray(scale * rng.normal(size=(n, dim))), jnp.asarray(rng.normal(size=(n, case.inputs)))


def on_rows(case, function):
    """function(theta, x) vmapped over rows."""
    blocks = case.unit.blocks(case.inputs, case.outputs)
    return jax.jit(jax.vmap(lambda row, x: function(split(blocks, row), x)))


def bare(case, theta, x):
    """phi~ where the unit is linear in a block, phi else."""
    return case.unit(theta, x) if case.unit.linear is None else feature(case.unit, theta, x)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.unit.pieces is not None])
def test_what_has_pieces_is_a_ridge_of_one_input(name):
    """phi = c sigma(a x + b), by which knots are binned; an average of such neurons, say, has no pieces of its own."""
    unit, outputs = CASES[name].unit, CASES[name].outputs
    blocks, rng = unit.blocks(1, outputs), np.random.default_rng(5)
    pieces, x = unit.pieces, rng.normal(size=7)
    for row in jnp.asarray(rng.normal(size=(5, row_size(blocks)))):
        theta = split(blocks, row)
        c, a, b = (np.asarray(part) for part in unit.ridge(theta))
        t = a * x + b
        ramps = [m * np.maximum(t - knot, 0.0) for m, knot in zip(pieces.bends, pieces.knots, strict=True)]
        sigma = pieces.value + pieces.slopes[0] * (t - pieces.knots[0]) + sum(ramps)
        found = jax.vmap(lambda point, at=theta: unit(at, point))(jnp.asarray(x[:, None]))
        np.testing.assert_allclose(found, np.multiply.outer(sigma, c), rtol=1e-12, atol=1e-12)


def others(case):
    """The columns outside the linear block, as a mask [D]."""
    blocks = case.unit.blocks(case.inputs, case.outputs)
    rows = split(blocks, jnp.ones(row_size(blocks)))
    if case.unit.linear is not None:
        rows = rows._replace(**{case.unit.linear: 0.0 * getattr(rows, case.unit.linear)})
    return np.asarray(join(blocks, rows))


@every
def test_output_has_the_shape_of_the_targets(case):
    theta, x = draw(case, 4)
    assert jax.eval_shape(on_rows(case, case.unit), theta, x).shape == (4, *case.outputs)


@every
def test_linear_block(case):
    if case.unit.linear is None:
        return
    theta, x = draw(case, 20)
    c = jnp.asarray(np.random.default_rng(5).normal(size=(20, *case.outputs)))

    def with_charge(charge):
        def phi(pair, point):
            th, value = pair
            return case.unit(th._replace(**{case.unit.linear: value}), point)

        rows = split(case.unit.blocks(case.inputs, case.outputs), theta)
        return jax.jit(jax.vmap(phi))((rows, charge), x)

    phi_tilde = on_rows(case, lambda th, p: feature(case.unit, th, p))(theta, x)
    assert phi_tilde.shape == (20,)
    expected = c * phi_tilde.reshape((-1, *(1,) * len(case.outputs)))
    np.testing.assert_allclose(with_charge(c), expected, rtol=1e-13)
    np.testing.assert_allclose(with_charge(-3.0 * c), -3.0 * expected, rtol=1e-13)
    np.testing.assert_array_equal(with_charge(0.0 * c), 0.0 * expected)


@every
def test_homogeneity_in_the_other_blocks_together(case):
    theta, x = draw(case, 50)
    phi = on_rows(case, lambda th, p: bare(case, th, p))
    for s in (0.2, 3.0):
        scaled = phi(theta * (1 + (s - 1) * others(case)), x)
        if case.unit.homogeneity is not None:
            np.testing.assert_allclose(scaled, s**case.unit.homogeneity * phi(theta, x), rtol=1e-11, atol=1e-13)
        else:
            assert not any(np.allclose(scaled, s**k * phi(theta, x), rtol=1e-3) for k in (0, 1, 2))


@every
def test_bound(case):
    phi = on_rows(case, lambda th, p: bare(case, th, p))
    size = max(float(jnp.max(jnp.abs(phi(*draw(case, 2000, seed=1, scale=s))))) for s in (0.05, 1.0, 100.0))
    if case.unit.bound is not None:
        assert 0.9 * case.unit.bound < size <= case.unit.bound * (1 + 1e-12)
    elif case.unit.linear == "r":
        # Of an angle it is bounded for each x; over x it is not.
        assert size > 2.0
    elif case is not CASES["own-activation"]:
        assert size > 50.0


@every
def test_lipschitz_bound_against_random_pairs(case):
    theta, x = draw(case, 3000, seed=2)
    bound = case.unit.lipschitz(x[0])
    if bound is None:
        assert case.unit.homogeneity == 2.0 or case in (CASES["own-activation"], CASES["exponential"], CASES["branch"])
        return
    phi = on_rows(case, lambda th, p: bare(case, th, p))
    bounds = np.asarray(jax.vmap(case.unit.lipschitz)(x))
    best = 0.0
    for step in (1e-3, 1.0):
        move = step * draw(case, 3000, seed=3)[0] * others(case)
        change = np.abs(phi(theta + move, x) - phi(theta, x))
        limit = bounds * np.linalg.norm(move, axis=1)
        assert np.all(change <= limit * (1 + 1e-9))
        best = max(best, np.max(change / limit))
    # Nearly reached by some pair: a bound that is far too large would spoil a certificate.
    assert best > 0.8


@every
def test_curvature_bound_against_hessians(case):
    theta, x = draw(case, 2000, seed=6)
    bound = case.unit.curvature(x[0])
    if bound is None:
        # Unknown for functions of the user's own, and there is none at a kink.
        unknown = [CASES[name] for name in ("own-activation", "function", "exponential", "branch")]
        assert case.unit.kinked or case in unknown
        return
    blocks, mask = case.unit.blocks(case.inputs, case.outputs), jnp.asarray(others(case))
    hessian = jax.hessian(lambda row, point: bare(case, split(blocks, row), point))
    # Small parameters too: there Gaussians and bumps bend the most.
    rows = theta * jnp.geomspace(1e-2, 1.0, 2000)[:, None]
    found = np.asarray(jax.jit(jax.vmap(hessian))(rows, x)) * np.asarray(mask[:, None] * mask)
    norms = np.max(np.abs(np.linalg.eigvalsh(found)), axis=1)
    bounds = np.asarray(jax.vmap(case.unit.curvature)(x))
    assert np.all(norms <= bounds * (1 + 1e-9))
    assert np.max(norms / bounds) > 0.8


@every
def test_outer_curvature_is_for_one_parameter(case):
    x = draw(case, 1)[1][0]
    assert case.unit.outer_curvature(x) is None or np.sum(others(case)) == 1


@pytest.mark.parametrize("x", [0.7, 1.6])
def test_in_two_dimensions_the_slope_is_that_of_a_root(x):
    """|phi'(a) - phi'(b)| <= H |a - b|^(1/2) in r and in 1/r, and straight up to the first knot."""
    unit, point = units.SphericalNeuron(RAMP, (2.0,)), jnp.asarray([x])
    assert unit.curvature(point) is None
    slope = jax.jit(jax.vmap(jax.grad(lambda r: unit(split(unit.blocks(1, ()), r[None]), point))))
    grid = np.linspace(0.02, 4.0, 1500)
    for found, bound in zip(
        (np.asarray(slope(grid)), -np.asarray(slope(1.0 / grid)) / grid**2), unit.rough_curvature(point), strict=True
    ):
        apart = np.abs(grid[:, None] - grid) + np.eye(len(grid))
        ratio = np.max(np.abs(found[:, None] - found) / apart**0.5)
        assert 0.2 * bound < ratio <= bound
    first = float(unit.straight_below(point))
    assert first == pytest.approx(0.5 / 2**0.5 / x)
    assert np.ptp(slope(np.linspace(0.0, 0.999 * first, 20))) < 1e-15


def test_rounding_is_bounded_where_a_formula_cancels():
    """Against 50 digits; the terms of the closed form, slope times knot, are up to 40 times the value."""
    worst = roundings([1000.0, 1101.0], (300.0, 700.0, 1300.0, 9e3, 8e4), 1e-12)
    # What a relative error of eps in the value alone would be is less.
    assert worst > 3e-15


def test_a_steep_ramp_cancels_nothing():
    """The terms of its closed form are 1e5 times the value, and are not used."""
    assert roundings([0.5, 0.5001], (0.3, 0.7, 1.3, 9.0, 80.0), 5e-14) < 3e-15


def roundings(knots, radii, most):
    """The largest error of a ramp averaged over directions; each is within its bound, below `most`."""
    unit = units.SphericalNeuron(wl.activations.piecewise_linear(knots, [-2.5, 7.5]), (math.inf,))
    blocks, x = unit.blocks(1, ()), jnp.asarray([1.1])
    worst, phi, bound = 0.0, eqx.filter_jit(unit), eqx.filter_jit(unit.rounding)
    for r in radii:
        theta = split(blocks, jnp.asarray([r]))
        with mpmath.workdps(50):
            z = mpmath.mpf(r) * mpmath.mpf(float(x[0]))
            value = mpmath.mpf(unit.of_activation.value)
            for m, t in zip(
                map(mpmath.mpf, unit.of_activation.bends), map(mpmath.mpf, unit.of_activation.knots), strict=True
            ):
                value += m * (z * mpmath.npdf(t / z) - t * mpmath.ncdf(-t / z))
            off = abs(float(value - mpmath.mpf(float(phi(theta, x)))))
        assert off <= float(bound(theta, x)) < most
        worst = max(worst, off)
    return worst


# sqrt(u^2 / (1 + u^2)) at u = r x has the limit 1; as a function of y = 1/r it is x / sqrt(x^2 + y^2), whose second
# derivative is largest at y = 0: 1/x^2.
SATURATING = units.Function(
    lambda theta, x: jnp.where(
        jnp.isinf(theta.r), 1.0, x[0] / jnp.hypot(x[0], 1 / jnp.where(theta.r > 0, theta.r, 1e-300))
    ),
    columns=["r"],
    bound=1.0,
    outer_bend=lambda x: 1 / x[0] ** 2,
)


@pytest.mark.parametrize(
    "unit", [SATURATING, *(units.SphericalNeuron(RAMP, (dim,)) for dim in (3.0, 4.0, 40.0, float("inf")))]
)
@pytest.mark.parametrize("x", [0.7, 1.6])
def test_outer_curvature_bound_on_the_way_to_infinity(unit, x):
    """Second differences in y = 1/r; at y = 0 the value is that at infinity."""
    step = 2e-3
    y = jnp.arange(0, 4001) * step
    blocks, point = unit.blocks(1, ()), jnp.asarray([x])
    phi = np.asarray(jax.jit(jax.vmap(lambda r: unit(split(blocks, r[None]), point)))(1 / y))
    assert np.isfinite(phi[0])
    # Continuous there: the last step is no larger than the next by more than a curvature allows.
    bends = np.abs(np.diff(phi, 2)) / step**2
    bound = float(unit.outer_curvature(point))
    assert np.max(bends) <= bound * (1 + 1e-6)
    assert np.max(bends) > 0.2 * bound


@every
def test_kinked_means_that_the_gradient_jumps(case):
    theta, x = draw(case, 200, seed=4)
    way = draw(case, 200, seed=5)[0]
    t = np.linspace(-2.0, 2.0, 4001)
    blocks = case.unit.blocks(case.inputs, case.outputs)

    def along(row, move, point):
        slope = jax.grad(lambda s: jnp.sum(case.unit(split(blocks, row + s * move), point)))
        return jnp.max(jnp.abs(jnp.diff(jax.vmap(slope)(jnp.asarray(t)))))

    jumps = np.asarray(jax.jit(jax.vmap(along))(theta[:40], way[:40], x[:40]))
    if case.unit.kinked:
        assert np.mean(jumps > 0.2) > 0.3
    else:
        # |d^2 phi| along a line of length 4 stays below 300 for these draws.
        assert np.max(jumps) < 0.3


@every
def test_gradient_is_finite_at_zero(case):
    theta, x = draw(case, 1)
    blocks = case.unit.blocks(case.inputs, case.outputs)
    slope = jax.jit(jax.jacrev(lambda row: case.unit(split(blocks, row), x[0])))(0.0 * theta[0])
    assert np.all(np.isfinite(slope))


# Closed forms and names


def test_blocks_and_their_order():
    assert [b.name for b in units.Neuron(acts.tanh).blocks(3, (2,))] == ["output", "weight", "bias"]
    assert [b.shape for b in units.Neuron(acts.tanh).blocks(3, (2,))] == [(2,), (3,), ()]
    assert [b.name for b in units.Neuron(acts.tanh, bias=False, output_weight=False).blocks(3, ())] == ["weight"]
    assert [b.name for b in units.RadialBasis(1.0).blocks(3, ())] == ["charge", "center"]
    assert [b.name for b in units.FreeKnot().blocks(1, ())] == ["c", "h"]
    assert [b.name for b in units.FreeKnot(charge=False).blocks(1, ())] == ["h"]
    assert [b.name for b in WAVE.blocks(2, ())] == ["phase", "charge", "w"]


def test_neuron_closed_form():
    case = CASES["tanh-vector"]
    theta, x = (np.asarray(a) for a in draw(case, 10))
    expected = theta[:, :2] * np.tanh(np.sum(theta[:, 2:5] * x, axis=1) + theta[:, 5])[:, None]
    np.testing.assert_allclose(on_rows(case, case.unit)(theta, x), expected, rtol=1e-13)


def test_radial_closed_form():
    case = CASES["radial"]
    theta, x = (np.asarray(a) for a in draw(case, 10))
    expected = theta[:, 0] * np.exp(-np.sum((x - theta[:, 1:]) ** 2, axis=1) / (2 * 0.7**2))
    np.testing.assert_allclose(on_rows(case, case.unit)(theta, x), expected, rtol=1e-13)


def test_free_knot_closed_form():
    case = CASES["free-knot"]
    theta, x = (np.asarray(a) for a in draw(case, 10))
    expected = theta[:, 0] * np.maximum(x[:, 0] - theta[:, 1], 0)
    np.testing.assert_allclose(on_rows(case, case.unit)(theta, x), expected, rtol=1e-14)


def test_radial_keeps_its_bound_where_the_square_cancels():
    """|x|^2 - 2 x.z + |z|^2 loses digits far from the origin: rounding must not lift phi~ above 1."""
    unit, rng = units.RadialBasis(0.05), np.random.default_rng(0)
    x = jnp.asarray(20.0 + rng.normal(size=(500, 3)), jnp.float32)
    center = jnp.asarray(x + 1e-3 * rng.normal(size=(500, 3)), jnp.float32)
    theta = split(unit.blocks(3, ()), jnp.concatenate([jnp.ones((500, 1), jnp.float32), center], axis=1))
    assert float(jnp.max(jax.jit(jax.vmap(unit))(theta, x))) <= 1.0


def test_two_equal_units_share_one_compilation():
    count = []

    @eqx.filter_jit
    def value(unit, row, x):
        count.append(1)
        return unit(split(unit.blocks(2, ()), row), x)

    for _ in range(2):
        value(units.Neuron(acts.leaky_relu(0.2)), jnp.ones(4), jnp.ones(2))
    assert len(count) == 1


# What is refused


@pytest.mark.parametrize("width", [0.0, -1.0, np.nan, np.inf])
def test_radial_refuses_the_width(width):
    with pytest.raises(ValueError, match="width"):
        units.RadialBasis(width)


@pytest.mark.parametrize("activation", ["relu", None, 3])
def test_neuron_refuses_what_is_no_activation(activation):
    with pytest.raises(ValueError, match="activation"):
        units.Neuron(activation)


def test_units_refuse_data_they_cannot_have():
    with pytest.raises(ValueError, match="FreeKnot takes one input"):
        units.FreeKnot().blocks(2, ())
    with pytest.raises(ValueError, match="charge=False"):
        units.FreeKnot(charge=False).blocks(1, (2,))
    with pytest.raises(ValueError, match="output_weight"):
        units.Neuron(acts.tanh, output_weight=False).blocks(1, (2,))


@pytest.mark.parametrize(
    "columns", [[], "charge", ["a", "a"], ["a b"], ["_a"], ["1a"], ["class"], {"a": (0,)}, {"a": (-1,)}]
)
def test_function_refuses_columns(columns):
    with pytest.raises(ValueError, match="columns"):
        units.Function(wave, columns=columns)


def test_function_has_an_outer_bend_for_one_parameter_only():
    with pytest.raises(ValueError, match="one parameter"):
        units.Function(wave, columns=["a", "b"], outer_bend=lambda x: 1.0)
    unit = units.Function(wave, columns=["a", "b"], linear="a", outer_bend=lambda x: 2.0 * x[0])
    assert unit.outer_curvature(jnp.ones(1)) == 2.0


def test_function_refuses_a_linear_block_that_is_not_there():
    with pytest.raises(ValueError, match="linear"):
        units.Function(wave, columns=["a"], linear="b")


def test_a_linear_block_must_have_the_shape_of_the_targets():
    """phi = c . g(w, x) with a vector c and a number as output is not of the form c phi~."""

    def inner(theta, x):
        return jnp.dot(theta.c, x) * jnp.tanh(theta.w)

    unit = units.Function(inner, columns={"c": (2,), "w": ()}, linear="c")
    data = wl.data.Samples(np.ones((4, 2)), np.ones(4))
    with pytest.raises(ValueError, match="linear"):
        wl.Problem(unit, data)


@every
def test_a_profile_is_what_it_says(case):
    """phi~ = sigma(w . x + b), and the unit has no blocks beside these and its linear one."""
    profile, unit = case.unit.profile, case.unit
    if profile is None:
        return
    rows, x = draw(case, 10)

    def shown(theta, x):
        return unit(theta, x) if unit.linear is None else feature(unit, theta, x)

    def told(theta, x):
        bias = 0.0 if profile.bias is None else getattr(theta, profile.bias)
        return profile.activation(jnp.dot(getattr(theta, profile.weight), x) + bias)

    np.testing.assert_allclose(on_rows(case, shown)(rows, x), on_rows(case, told)(rows, x), rtol=1e-13, atol=1e-14)
    names = {block.name for block in unit.blocks(case.inputs, case.outputs)}
    assert names == {profile.weight, profile.bias, unit.linear} - {None}


@every
def test_a_ramp_is_what_it_says(case):
    """phi~ is a line with one kink at 0 in w . x + s b, and the unit has no blocks beside these."""
    ramp, unit = case.unit.ramp, case.unit
    if ramp is None:
        return
    rows, x = draw(case, 40)
    left, right = ramp.slopes

    def bent(theta, x):
        z = x[0] if ramp.weight is None else jnp.dot(getattr(theta, ramp.weight), x)
        z = z if ramp.bias is None else z + ramp.sign * getattr(theta, ramp.bias)
        return jnp.where(z > 0.0, right, left) * z

    def shown(theta, x):
        return unit(theta, x) if unit.linear is None else feature(unit, theta, x)

    np.testing.assert_allclose(on_rows(case, shown)(rows, x), on_rows(case, bent)(rows, x), rtol=1e-13, atol=1e-14)
    names = {block.name for block in unit.blocks(case.inputs, case.outputs)}
    assert names == {name for name in (unit.linear, ramp.weight, ramp.bias) if name is not None}


def test_which_units_are_ramps():
    found = {name for name, case in CASES.items() if case.unit.ramp is not None}
    assert {"relu", "leaky-bare", "free-knot"} <= found
    assert not {"tanh", "ramp", "radial", "function", "spherical"} & found


@every
def test_kinks_in_one_parameter_and_the_curvature_between_them(case):
    """Where a unit says that it is smooth between kinks: values on a fine grid, against second differences."""
    every = case.unit.blocks(case.inputs, case.outputs)
    blocks = [b for b in every if b.name != case.unit.linear]
    if len(blocks) != 1 or blocks[0].size != 1:
        return
    for x in (0.7, 0.3):
        known = case.unit.smooth_between(jnp.full(case.inputs, x))
        if known is None:
            assert case is not CASES["free-knot"]
            continue
        kinks, bend = np.asarray(known[0]), float(known[1])
        step = 1e-3
        grid = np.arange(0.0, 2.0 * np.pi, step) + 0.1 * step
        moving = [jnp.asarray(grid)[:, None] if b in blocks else jnp.ones((len(grid), b.size)) for b in every]
        theta = split(every, jnp.concatenate(moving, axis=1))
        values = jax.vmap(lambda th, x=x: jnp.ravel(case.unit(th, jnp.full(case.inputs, x)))[0])(theta)
        second = np.abs(np.diff(np.asarray(values), 2)) / step**2
        near = np.min(np.abs(grid[1:-1, None] - kinks), axis=1) <= 1.1 * step
        assert second[~near].max() <= bend + 1e-6
        assert second[near].max() > 10.0 * (bend + 1.0)
