"""Pictures of networks of one input: what their captions say, the field against its formula, and what is refused."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit.report import _univariate, knots, neuron_paths, uv_plane, velocity_field

X, Y = np.linspace(-0.9, 0.9, 4), np.array([1.0, -1.0, 0.5, 0.2])
FULL = wl.problems.univariate_relu(X, Y)


@functools.cache
def run_of(delta):
    law = wl.laws.product(r=wl.laws.Normal(0.0, 1.0), angle=wl.laws.Uniform(0.0, 2.0 * math.pi))
    canon = wl.problems.canonical_relu(X, Y, delta=delta)
    flow = wl.GradientFlow(wl.integrators.Filippov(0.05))
    return canon, wl.evolve(canon, canon.start(law, 40, key=jax.random.key(1)), flow, t1=2.0, save_at=[1.0, 2.0])


@pytest.mark.slow
def test_captions_count_what_is_drawn(tmp_path):
    canon, run = run_of(0.5)
    picture = knots(canon, run)
    place = -np.tan(np.asarray(run.final["angle"]))
    inside = int(np.sum((place >= -1.17) & (place <= 1.17)))
    assert f"{inside} of 40 lie in the frame" in picture.caption
    miss = np.sqrt(np.mean((np.asarray(canon.predict(run.final, X)) - Y) ** 2))
    assert f"{miss:.3g}" in picture.caption
    assert picture.save(tmp_path / "deep" / "knots.png").read_bytes().startswith(b"\x89PNG")
    assert picture._repr_png_() == picture.png
    plane = uv_plane(canon, run.final)
    signs = np.sign(run.final["r"])
    assert f"{(signs > 0).sum()} dots and {(signs < 0).sum()} triangles" in plane.alt
    assert "100 neurons" not in neuron_paths(canon, run, count=7).caption
    assert neuron_paths(canon, run, count=7).caption.startswith("The ways of 7 neurons from t = 0 to 2")
    with pytest.raises(ValueError, match="cannot write"):
        picture.save("/proc/nowhere/knots.png")


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
    picture = velocity_field(canon, run)
    attracting = np.sum(wl.analysis.attractors(canon, run.final).kinds == "attractor")
    assert f"{attracting} of the half-lines" in picture.caption


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
