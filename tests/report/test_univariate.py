"""Pictures of networks of one input: what their captions say, the field against its formula, and what is refused."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib import pyplot

import widelimit as wl
from widelimit.report import knots, neuron_paths, uv_plane, velocity_field
from widelimit.report.shown import _univariate

X, Y = np.linspace(-0.9, 0.9, 4), np.array([1.0, -1.0, 0.5, 0.2])
FULL = wl.problems.univariate_relu(X, Y)


@functools.cache
def run_of(delta):
    law = wl.laws.product(r=wl.laws.Normal(0.0, 1.0), angle=wl.laws.Uniform(0.0, 2.0 * math.pi))
    canon = wl.problems.canonical_relu(X, Y, delta=delta)
    flow = wl.GradientFlow(wl.integrators.Filippov(0.05))
    return canon, wl.evolve(canon, canon.start(law, 40, key=jax.random.key(1)), flow, t1=2.0, save_at=[1.0, 2.0])


@pytest.mark.slow
def test_what_is_drawn_is_counted():
    canon, run = run_of(0.5)
    _, own = pyplot.subplots()
    axes = knots(canon, run, own)
    assert axes is own
    place = -np.tan(np.asarray(run.final["angle"]))
    inside = int(np.sum((place >= -1.17) & (place <= 1.17)))
    drawn = {line.get_label(): line for line in axes.lines}
    assert len(drawn[f"knots ({inside} of 40 in the frame)"].get_xdata()) == inside
    np.testing.assert_array_equal(drawn["samples"].get_xydata(), np.stack([X, Y], axis=1))
    miss = np.sqrt(np.mean((np.asarray(canon.predict(run.final, X)) - Y) ** 2))
    assert f"{miss:.3g}" in axes.get_title()
    signs = np.sign(run.final["r"])
    for draw, at in ((uv_plane, ""), (functools.partial(neuron_paths, count=40), ", at the end")):
        lines = {line.get_label(): line for line in draw(canon, run).lines}
        for sign, label in ((1, "output > 0"), (-1, "output < 0")):
            assert len(lines[label + at].get_xdata()) == (signs == sign).sum()
    assert neuron_paths(canon, run, count=7).get_title().startswith("7 neurons to t = 2")
    pyplot.close("all")


@pytest.mark.first(1)
@pytest.mark.parametrize("delta", [0.5, math.inf])
def test_the_field_is_that_of_the_formula(delta):
    """(21), corrected: (du/dt, dv/dt) of one particle from the sums over the samples that it sees."""
    canon, run = run_of(delta)
    place = np.random.default_rng(0).normal(size=(30, 2))
    rho = np.asarray(canon.predict(run.final, X)) - Y
    radius = np.linalg.norm(place, axis=1)
    d = place / radius[:, None]
    t = np.stack([-d[:, 1], d[:, 0]], axis=1)
    seen = (np.outer(place[:, 0], X) + place[:, 1:]) > 0
    g = (seen * rho) @ np.stack([X, np.ones(4)], axis=1)
    size = np.hypot(0.5, 2.0 * radius) if delta == 0.5 else np.ones(30)
    c2 = 0.5 * (size + 0.5) if delta == 0.5 else np.ones(30)
    for sign in (1.0, -1.0):
        radial, turn = -size * np.sum(g * d, axis=1), -sign * c2 / radius * np.sum(g * t, axis=1)
        true = sign * radial[:, None] * d + (radius * turn)[:, None] * t
        found = _univariate._velocities(canon, run.final, place, sign)
        np.testing.assert_allclose(found, true, rtol=1e-9, atol=1e-10)
        if delta == 0.5:
            full = _univariate._velocities(FULL, canon.lift(run.final), place, sign)
            np.testing.assert_allclose(full, true, rtol=1e-8, atol=1e-9)
    kinds = wl.analysis.attractors(canon, run.final).kinds
    for index, sign in enumerate((1, -1)):
        axes = velocity_field(canon, run, sign=sign)
        thick = [line for line in axes.lines if line.get_linewidth() == 3.0]
        assert len(thick) == np.sum(kinds[:, index] == "attractor")
        assert axes.get_title().startswith("output > 0" if sign == 1 else "output < 0")
    pyplot.close("all")


def test_what_is_refused():
    canon, run = run_of(0.5)
    smooth = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(X, Y))
    for draw in (knots, uv_plane, velocity_field):
        with pytest.raises(ValueError, match="draws piecewise-linear neurons"):
            draw(smooth, wl.Particles(jnp.ones((2, 3))))
        with pytest.raises(ValueError, match="particles or a trajectory of particles, got float"):
            draw(canon, 3.0)
    with pytest.raises(ValueError, match="expected a Trajectory"):
        neuron_paths(canon, run.final)
    with pytest.raises(ValueError, match="count"):
        neuron_paths(canon, run, count=0)
    with pytest.raises(ValueError, match="must be 1 or -1, got 0"):
        velocity_field(canon, run, sign=0)
