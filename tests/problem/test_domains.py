"""Domains: the tangent cone, the way back, the wrap of the circle, charts, what they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from registered import missing

import widelimit as wl
from widelimit import domains
from widelimit.measure import Block, split

INF = float("inf")
CASES = {
    "euclidean": domains.Euclidean(),
    "box": domains.Box(-0.5, 1.0),
    "half-line": domains.HalfLine(0.25),
    "below": domains.Box(-INF, 0.5),
    "box-of-all": domains.Box(-INF, INF),
    "ball": domains.Ball(1.5),
    "ball-aside": domains.Ball(1.5, [0.25, -1.0, 0.5]),
    "sphere": domains.Sphere(2.0),
    "circle": domains.Circle(1.5),
}
CASES |= missing(domains.registry, CASES.values())
every = pytest.mark.parametrize("domain", CASES.values(), ids=CASES.keys())
vectors = st.lists(st.floats(-3, 3).filter(lambda v: v == 0 or abs(v) > 1e-3), min_size=3, max_size=3)
some = vectors.filter(lambda v: np.linalg.norm(v) > 0.1).map(np.array)


@every
@given(z=some)
def test_retract_lands_inside_and_then_rests(domain, z):
    inside = domain.retract(jnp.asarray(z))
    assert bool(domain.contains(inside))
    np.testing.assert_allclose(domain.retract(inside), inside, rtol=1e-15)
    low, high = domain.bounds((3,))
    # The length of a vector on the sphere is its radius to rounding only.
    assert np.all((inside >= low - 1e-14 * abs(low)) & (inside <= high + 1e-14 * abs(high)))


@every
@given(z=some, v=vectors.map(np.array))
def test_tangent_is_the_direction_in_which_the_retraction_moves(domain, z, v):
    """The projection onto the tangent cone is the derivative of s -> nearest point to z + s v, at s = 0+."""
    inside = domain.retract(jnp.asarray(z))
    s = 1e-7
    moved = (domain.retract(inside + s * v) - inside) / s
    if isinstance(domain, domains.Circle):
        moved = (moved + 0.75e7) % 1.5e7 - 0.75e7
    # A step of 1e-7 shows walls nearer than 3e-7; the draws are not that near to one.
    np.testing.assert_allclose(domain.tangent(inside, jnp.asarray(v)), moved, atol=1e-5)


@every
@given(z=some, v=vectors.map(np.array))
def test_tangent_is_a_projection(domain, z, v):
    inside, v = domain.retract(jnp.asarray(z)), jnp.asarray(v)
    once = domain.tangent(inside, v)
    np.testing.assert_allclose(domain.tangent(inside, once), once, atol=1e-14)
    # What is taken away is orthogonal to what stays: with v = -grad psi the flow dissipates |once|^2.
    assert abs(float(jnp.dot(v - once, once))) < 1e-13


@every
@given(z=some, other=some)
def test_retract_is_the_nearest_point(domain, z, other):
    if isinstance(domain, domains.Circle):
        return
    z, other = jnp.asarray(z), domain.retract(jnp.asarray(other))
    assert jnp.linalg.norm(domain.retract(z) - z) <= jnp.linalg.norm(other - z) + 1e-14


def test_box_at_its_walls():
    box, z = domains.Box(0.0, 1.0), jnp.asarray([0.0, 0.0, 1.0, 1.0, 0.5, -0.1, 1.1])
    v = jnp.asarray([-1.0, 1.0, 1.0, -1.0, 3.0, -1.0, 1.0])
    np.testing.assert_array_equal(box.tangent(z, v), [0.0, 1.0, 0.0, -1.0, 3.0, 0.0, 0.0])
    np.testing.assert_array_equal(box.retract(z), [0.0, 0.0, 1.0, 1.0, 0.5, 0.0, 1.0])
    assert not bool(box.contains(z))
    assert bool(box.contains(jnp.asarray([0.0, 1.0])))


def test_half_line():
    half = domains.HalfLine(2.0)
    assert half.bounds(()) == (2.0, INF)
    assert float(half.retract(jnp.asarray(1.0))) == 2.0
    assert float(half.retract(jnp.asarray(1e9))) == 1e9


def test_sphere():
    sphere = domains.Sphere(2.0)
    z, v = jnp.asarray([2.0, 0.0, 0.0]), jnp.asarray([3.0, 4.0, 5.0])
    np.testing.assert_array_equal(sphere.tangent(z, v), [0.0, 4.0, 5.0])
    np.testing.assert_array_equal(sphere.retract(jnp.asarray([0.0, 0.0, -7.0])), [0.0, 0.0, -2.0])
    assert bool(sphere.contains(z))
    assert not bool(sphere.contains(1.001 * z))


def test_sphere_has_an_answer_at_its_centre():
    """No point is nearest there, but one must be chosen: a NaN would spread to every particle through f."""
    assert bool(domains.Sphere(2.0).contains(domains.Sphere(2.0).retract(jnp.zeros(3))))


@pytest.mark.parametrize(
    ("z", "expected"),
    [
        (0.0, 0.0),
        (1.5, 0.0),
        (-1.5, 0.0),
        (3.0, 0.0),
        (1.75, 0.25),
        (-0.25, 1.25),
        (-1e-20, 0.0),
        (-1e-300, 0.0),
    ],
)
def test_circle_wraps_into_the_half_open_interval(z, expected):
    circle = domains.Circle(1.5)
    wrapped = circle.retract(jnp.asarray(z))
    assert float(wrapped) == expected
    assert bool(circle.contains(wrapped))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@given(z=st.floats(-1e6, 1e6, width=32))
def test_circle_wraps_in_any_precision(dtype, z):
    circle = domains.Circle()
    wrapped = circle.retract(jnp.asarray(z, dtype))
    assert wrapped.dtype == dtype
    assert bool(circle.contains(wrapped))
    assert abs(np.exp(1j * float(wrapped)) - np.exp(1j * z)) < (1e-9 if dtype == jnp.float64 else 0.1)


@every
@pytest.mark.parametrize("bad", [np.nan, INF])
def test_what_is_not_finite_lies_in_no_domain(domain, bad):
    inside = np.array(domain.retract(jnp.asarray([0.3, 0.4, 0.5])))
    inside[1] = bad
    assert not bool(domain.contains(jnp.asarray(inside)))


@every
@given(u=some)
def test_chart_covers_the_domain(domain, u):
    z = domain.retract(jnp.asarray(u))
    if isinstance(domain, domains.Circle):
        assert bool(domain.contains(domain.retract(domain.chart(jnp.asarray(u)))))
    else:
        low, high = domain.bounds((3,))
        mapped = domain.chart(jnp.asarray(u))
        assert np.all((mapped >= low - 1e-14) & (mapped <= high + 1e-14))
    # arcsin near its end loses half of the digits, sin gives them back.
    np.testing.assert_allclose(domain.chart(domain.unchart(z)), z, atol=1e-13)


@every
def test_precision_is_kept(domain):
    z = jnp.asarray([0.3, 0.4, 0.5], jnp.float32)
    assert {f.dtype for f in (domain.retract(z), domain.tangent(z, z), domain.chart(z))} == {z.dtype}


# Products

BLOCKS = (Block("charge", ()), Block("center", (2,)), Block("angle", ()))


def test_product_acts_block_by_block():
    product = domains.resolve(
        domains.product(center=domains.Sphere(), angle=domains.Circle(1.0), charge=domains.HalfLine()), BLOCKS
    )
    theta = split(BLOCKS, jnp.asarray([-1.0, 3.0, 4.0, 2.25]))
    inside = product.retract(theta)
    assert (float(inside.charge), float(inside.angle)) == (0.0, 0.25)
    np.testing.assert_allclose(inside.center, [0.6, 0.8])
    velocity = product.tangent(inside, split(BLOCKS, jnp.asarray([-1.0, 0.6, 0.8, 5.0])))
    assert (float(velocity.charge), float(velocity.angle)) == (0.0, 5.0)
    np.testing.assert_allclose(velocity.center, [0.0, 0.0], atol=1e-15)
    assert bool(product.contains(inside))
    assert not bool(product.contains(theta))
    assert not product.unconstrained


def test_blocks_that_are_not_named_are_free():
    product = domains.resolve(domains.product(charge=domains.Box(0.0, 1.0)), BLOCKS)
    theta = split(BLOCKS, jnp.asarray([7.0, 3.0, 4.0, 2.25]))
    np.testing.assert_array_equal(product.retract(theta).center, [3.0, 4.0])
    assert isinstance(product.of("center"), domains.Euclidean)
    assert float(product.retract(theta).charge) == 1.0


def test_one_domain_stands_for_every_block():
    product = domains.resolve(domains.Box(-1.0, 1.0), BLOCKS)
    rows = jax.vmap(product.retract)(split(BLOCKS, jnp.asarray([[-9.0, 9.0, 0.5, 2.0]])))
    np.testing.assert_array_equal(rows.center, [[1.0, 0.5]])
    assert (float(rows.charge[0]), float(rows.angle[0])) == (-1.0, 1.0)


def test_no_domain_is_all_of_space():
    assert domains.resolve(None, BLOCKS).unconstrained
    assert domains.resolve(domains.Euclidean(), BLOCKS).unconstrained


# What is refused


@pytest.mark.parametrize(("lower", "upper"), [(1.0, 1.0), (2.0, 1.0), (np.nan, 1.0), (0.0, np.nan), (INF, INF)])
def test_box_refuses(lower, upper):
    with pytest.raises(ValueError, match=r"Box.*lower"):
        domains.Box(lower, upper)


def test_ball():
    ball, v = domains.Ball(2.0, [1.0, 0.0]), jnp.asarray([1.0, 2.0])
    wall, inside = jnp.asarray([1.0, 2.0]), jnp.asarray([1.0, 1.5])
    np.testing.assert_array_equal(ball.tangent(wall, v), [1.0, 0.0])
    np.testing.assert_array_equal(ball.tangent(wall, -v), -v)
    np.testing.assert_array_equal(ball.tangent(inside, v), v)
    np.testing.assert_array_equal(ball.retract(jnp.asarray([4.0, 4.0])), [1.0 + 1.2, 1.6])
    assert bool(ball.on_wall(wall))
    assert not bool(ball.on_wall(inside))
    assert bool(ball.contains(wall))
    assert not bool(ball.contains(jnp.asarray([1.0, 2.0 + 1e-12])))
    assert ball.bounds((2,)) == (-2.0, 3.0)
    # The root of a sum of squares has no derivative at the centre, which would spread as NaN.
    assert bool(jnp.all(jnp.isfinite(jax.jacfwd(ball.retract)(jnp.asarray([1.0, 0.0])))))


def test_a_ball_of_one_number_is_an_interval():
    blocks = (Block("charge", ()), Block("center", (2,)))
    product = domains.resolve(domains.product(charge=domains.Ball(2.0, 0.5), center=domains.Ball(2.0, 0.5)), blocks)
    assert product.of("charge").box
    assert product.of("charge").bounds(()) == (-1.5, 2.5)
    assert not product.of("center").box
    made = domains.registry.make({"kind": "ball", "radius": 2.0, "center": [0.0, 1.0]})
    np.testing.assert_array_equal(made.center, [0.0, 1.0])


def test_a_step_along_a_ball_ends_on_it():
    """Within s^3 of the wall after a way of s; what is deeper has left it."""
    ball, start = domains.Ball(1.0), jnp.asarray([1.0, 0.0])
    near = jnp.asarray([np.cos(0.1), np.sin(0.1)])
    assert bool(ball.on_wall(ball.settled(start, near * (1.0 - 0.9e-3))))
    np.testing.assert_array_equal(ball.settled(start, near * (1.0 - 1.1e-3)), near * (1.0 - 1.1e-3))
    np.testing.assert_array_equal(ball.settled(0.9 * start, 0.99 * near), 0.99 * near)
    # A stage is projected wherever it is, if the step began on the wall.
    np.testing.assert_allclose(ball.coned(start, 0.7 * near), near)
    np.testing.assert_array_equal(ball.coned(0.9 * start, 0.7 * near), 0.7 * near)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, INF])
def test_sphere_and_circle_refuse(bad):
    with pytest.raises(ValueError, match="radius"):
        domains.Ball(bad)
    with pytest.raises(ValueError, match="radius"):
        domains.Sphere(bad)
    with pytest.raises(ValueError, match="period"):
        domains.Circle(bad)


def test_half_line_refuses():
    with pytest.raises(ValueError, match="lower"):
        domains.HalfLine(np.nan)


def test_misfits():
    with pytest.raises(ValueError, match=r"'center'|'charge'.*sphere needs a vector"):
        domains.resolve(domains.Sphere(), BLOCKS)
    with pytest.raises(ValueError, match=r"'center'.*shape \(3,\), the block has shape \(2,\)"):
        domains.resolve(domains.product(center=domains.Ball(1.0, np.zeros(3))), BLOCKS)
    with pytest.raises(ValueError, match=r"Ball\(center=...\).*finite"):
        domains.Ball(1.0, [0.0, np.nan])
    with pytest.raises(ValueError, match=r"'angle'.*vector"):
        domains.resolve(domains.product(angle=domains.Sphere()), BLOCKS)
    with pytest.raises(ValueError, match=r"no block 'centre'.*charge, center, angle"):
        domains.resolve(domains.product(centre=domains.Sphere()), BLOCKS)
    with pytest.raises(ValueError, match="no block 'knot'"):
        wl.Problem(
            wl.units.Neuron(wl.activations.tanh),
            wl.data.Samples(np.eye(2), np.ones(2)),
            domain=domains.product(knot=domains.Box(0.0, 1.0)),
        )


@every
def test_facts_are_what_the_maps_do(domain):
    z = jnp.asarray(np.random.default_rng(5).normal(size=(200, 3))) * 3.0
    put, (low, high) = jax.vmap(domain.retract)(z), domain.bounds((3,))
    if domain.free:
        np.testing.assert_array_equal(put, z)
    if domain.box:
        np.testing.assert_array_equal(put, np.clip(z, low, high))
        assert domain.walls == (np.isfinite(low) or np.isfinite(high))
    if domain.sphere is not None:
        np.testing.assert_allclose(jnp.sqrt(jnp.sum(put**2, axis=1)), domain.sphere, rtol=1e-12)
    if domain.period is not None:
        np.testing.assert_allclose(jax.vmap(domain.retract)(z + domain.period), put, atol=1e-12)
    assert domain.compact == (np.isfinite(low) and np.isfinite(high))
    assert domain.flat == (domain.sphere is None)
    # The cone tells: a direction that leads out is cut. All walls are met by points that were put back onto them.
    on_wall = jax.vmap(domain.on_wall)(put)
    np.testing.assert_array_equal(on_wall, jax.vmap(lambda z: domains.AbstractDomain.on_wall(domain, z))(put))
    moved = jnp.any(put != z, axis=1)
    assert bool(jnp.any(on_wall)) == domain.walls
    if domain.walls:
        np.testing.assert_array_equal(on_wall, moved)


def test_searches_on_a_circle_end_on_it():
    circle = domains.Circle(2.0)
    u = jnp.array([-0.5, 2.5, 7.25, 1.0])
    np.testing.assert_allclose(circle.chart(u), [1.5, 0.5, 1.25, 1.0], rtol=1e-15)
    assert bool(jnp.all(jax.vmap(circle.contains)(circle.chart(u))))
    np.testing.assert_array_equal(jax.vmap(jax.grad(circle.chart))(u), np.ones(4))


class Anything(domains.AbstractDomain):
    """Facts left out: not known."""

    def tangent(self, z, v):
        return v

    def retract(self, z):
        return z


def test_pieces_of_a_product():
    class TwoPoints(Anything):
        connected = False

    assert domains.product(a=domains.Box(0.0, 1.0), b=domains.Sphere(), c=domains.Circle()).connected is True
    assert domains.product(a=TwoPoints(), b=Anything()).connected is False
    assert domains.product(a=domains.Euclidean(), b=Anything()).connected is None
