"""Stationary points against those known by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl

acts, laws = wl.activations, wl.laws
KIND = wl.analysis.PointKind
L = 3
ONE = np.array([[1.0]])


def linear(depth=L):
    """E_2 of sigma(z) = z, d = 1, E x^2 = 1, y = x: E_2 = g^2/2 with g = m + SUM_(b>a) m_a m_b/L^2, m_a the means."""
    return wl.problems.wide_resnet(wl.data.Samples(ONE, ONE), depth=depth, activation=acts.identity).expansion(order=2)


@pytest.fixture(scope="module")
def found():
    problem = linear()
    starts = [
        problem.start(laws.Normal(mean, 1.0), width=2, key=jax.random.key(i))
        for i, mean in enumerate([-1.0, 0.5, -1.5])
    ]
    return wl.analysis.stationary_points(problem, starts)


@pytest.mark.slow
def test_the_linear_network_has_a_saddle(found):
    """Level means -L/(L-1), loss L^2/(8 (L-1)^2); one rate (L-1) g/L = -1/2, L - 1 of them -g/L = 1/(2 (L-1))."""
    points = found
    high = [p for p in points.points if p.kind is KIND.POSITIVE_LOSS]
    assert high
    assert {p.by for p in high} == {"dissipation"}
    assert len(points.groups) == 2
    for p in high:
        means = np.asarray(p.measure.positions)[:, 0].reshape(L, -1).mean(axis=1)
        np.testing.assert_allclose(means, -L / (L - 1.0), rtol=1e-8)
        assert p.loss == pytest.approx(L**2 / (8.0 * (L - 1) ** 2), rel=1e-12)
        assert (p.falling, p.flat) == (1, L)
        assert p.rates is not None
        np.testing.assert_allclose(p.rates[[0, -2, -1]], [-0.5, 0.25, 0.25], atol=1e-8)
        assert p.words == "saddle, 1 direction falls"
    # All particles of a level have one gradient: the flow leaves a saddle, and ends at zero loss.
    assert points.count(KIND.ZERO_LOSS, "flow") == points.count(KIND.ZERO_LOSS, "flow, dissipation") == 3
    low = points.groups[0]
    assert low.group == 0
    assert low.falling == 0
    assert low.loss < 1e-9


@pytest.mark.slow
def test_it_is_printed_as_a_table(found):
    lines = repr(found).splitlines()
    assert len(lines) == 10
    assert "2 functions" in lines[0]
    assert sum("saddle, 1 direction falls" in line for line in lines) == found.count(KIND.POSITIVE_LOSS)


@pytest.mark.slow
def test_stationarity_of_a_network_of_levels():
    """Any particles with the level means of the saddle rest; by how much others move is known by hand."""
    problem = linear()
    start = problem.start(laws.Normal(0.5, 1.0), width=2, key=jax.random.key(1))
    rows = np.column_stack([-1.5 + np.array([0.3, -0.3, 1.0, -1.0, 0.0, 0.0]), np.repeat(np.arange(3.0), 2)])
    rest = wl.analysis.stationarity(problem, wl.Particles(rows))
    assert rest.largest < 1e-15
    moving = wl.analysis.stationarity(problem, start)
    means = np.asarray(start.positions)[:, 0].reshape(L, -1).mean(axis=1)
    g = means.mean() + (means[0] * means[1] + means[0] * means[2] + means[1] * means[2]) / L**2
    by_hand = np.repeat(np.abs(g * (1.0 + (means.sum() - means) / L)), 2)
    np.testing.assert_allclose(moving.norms, by_hand, rtol=1e-12)
    assert moving.is_stationary is False
    assert moving.conditions[1] == pytest.approx(abs(g) / max(abs(g), 1.0), rel=1e-12)


@pytest.mark.slow
def test_tanh_two_layers_minimum_and_slow():
    """f = tanh(theta x) on x = 1, 2: rests where the label is met, and as far out as it gets where it cannot be."""
    x = np.array([[1.0], [2.0]])
    unit = wl.units.Neuron(acts.tanh, bias=False, output_weight=False)
    reached = wl.Problem(unit, wl.data.Samples(x, np.tanh(0.7 * x[:, 0])))
    start = wl.Particles(np.array([[0.2]]))
    points = wl.analysis.stationary_points(reached, [start], t1=200.0)
    assert [p.kind for p in points.points] == [KIND.ZERO_LOSS] * 3
    assert points.groups[0].words == "minimum"
    # With one particle the Hessian at zero loss is E (d f/d theta)^2.
    slope = np.mean((x[:, 0] / np.cosh(0.7 * x[:, 0]) ** 2) ** 2)
    assert points.points[1].rates == pytest.approx(slope, rel=1e-6)
    # tanh stays below the labels 2: the particle runs away, ever more slowly.
    beyond = wl.Problem(unit, wl.data.Samples(x, np.full(2, 2.0)))
    points = wl.analysis.stationary_points(beyond, [start])
    assert points.points[0].kind is KIND.SLOW
    assert points.points[0].gradient > 0.0
    assert points.points[0].words == "not at rest"


@pytest.mark.slow
def test_a_mobility_scales_the_rates_and_walls_have_none():
    x = np.random.default_rng(0).normal(size=(5, 1))
    unit = wl.units.Function(lambda theta, x: theta.a * x[0] + theta.b, columns={"a": (), "b": ()})
    data = wl.data.Samples(x, 0.5 * x[:, 0] + 0.25)
    moved = wl.mobilities.Diagonal(a=4.0, b=0.25)
    start = wl.Particles(np.array([[0.1, -0.3]]), blocks=wl.Problem(unit, data).blocks)
    points = wl.analysis.stationary_points(wl.Problem(unit, data, mobility=moved), [start])
    rows = np.column_stack([x[:, 0], np.ones(5)]) * [2.0, 0.5]
    assert points.points[1].rates == pytest.approx(np.linalg.eigvalsh(rows.T @ rows / 5.0), rel=1e-9)
    general = wl.mobilities.Function(lambda theta, g: g._replace(a=4.0 * g.a, b=0.25 * g.b))
    again = wl.analysis.stationary_points(wl.Problem(unit, data, mobility=general), [start])
    assert again.points[1].rates == pytest.approx(points.points[1].rates, rel=1e-9)
    boxed = wl.Problem(unit, data, domain=wl.domains.product(a=wl.domains.Box(-0.2, 0.2)))
    walled = wl.analysis.stationary_points(boxed, [start]).points[1]
    assert float(walled.measure.positions[0, 0]) == pytest.approx(0.2)
    assert walled.kind is KIND.POSITIVE_LOSS
    assert walled.words == "at rest"
    frozen = wl.Problem(unit, data, mobility=wl.mobilities.Diagonal(a=0.0))
    held = wl.analysis.stationary_points(frozen, [start]).points[1]
    assert float(held.measure.positions[0, 0]) == 0.1
    assert held.rates == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p, s: wl.analysis.stationary_points(p, []), "none was given"),
        (lambda p, s: wl.analysis.stationary_points(p, [s], t1=-1.0), r"t1=.*above"),
        (lambda p, s: wl.analysis.stationary_points(p, [s], steps=0), r"steps=.*at least 1"),
        (lambda p, s: wl.analysis.stationary_points(p, [s], tolerance=2.0), r"tolerance"),
        (lambda p, s: wl.analysis.stationary_points(p, [wl.Particles(np.ones((3, 2)))]), "levels"),
        (
            lambda p, s: wl.analysis.stationary_points(p, [p.start(laws.Atom(1.0), width=1000)]),
            "at most 2000 parameters",
        ),
        (
            lambda p, s: wl.analysis.stationary_points(
                wl.problems.wide_resnet(wl.data.Samples(ONE, ONE), depth=2, activation=acts.relu), [s]
            ),
            "kinks",
        ),
    ],
)
def test_bad_input(call, message):
    problem = linear()
    with pytest.raises(ValueError, match=message):
        call(problem, problem.start(laws.Atom(jnp.asarray(1.0)), width=1))


@pytest.mark.parametrize(
    ("loss", "gradient", "rates", "zero"),
    [
        (1e-13, 1e-17, [-1.0, 1.0], True),
        (1e-8, 1e-17, [-1.0, 1.0], False),
        (1e-8, 1e-17, [0.5, 1.0], False),
        # The parabola of the rate 1/2 falls by g^2: to zero, where g^2 is the loss.
        (1e-8, 1.01e-4, [0.0, 0.5, 1.0], True),
        (1e-8, 1e-6, [0.0, 0.5, 1.0], False),
        (1e-8, 1.01e-4, [0.0, 0.0], False),
        (1e-4, 1.0, [1.0], False),
        (1e-8, 1e-17, None, True),
    ],
)
def test_a_small_loss_is_zero_where_it_can_still_fall_to_it(loss, gradient, rates, zero):
    from widelimit.analysis.run._stationary_points import _Judge
    from widelimit.problem.data import require_nodes

    problem = linear()
    judge = _Judge(problem, 1e-6, 1e-4, 1.0, 1.0, require_nodes(problem.data, "the test"))
    assert judge._vanishes(loss, gradient, None if rates is None else np.array(rates)) is zero
