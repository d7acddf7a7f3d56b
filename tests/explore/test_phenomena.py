"""What the pages compute against the library's own runs of the same problems."""

import jax
import numpy as np
import pytest

from widelimit import SGD, GradientFlow, Particles, data, evolve, integrators, observables, problems
from widelimit.explore import page_named
from widelimit.explore.systems import (
    _band as band,
    _bumps as bumps,
    _clouds as clouds,
    _levels as levels,
    _univariate as univariate,
)
from widelimit.problem import activations

pytestmark = pytest.mark.slow
_RISK = {"observe": (observables.Risk(),), "progress": False}


def test_fewer_levels_are_the_smaller_network():
    page = page_named("teacherstudent2020/levels")
    found = page.compute({**page.start, "depth": 3.0, "width": 2.0}, 0)
    rows = levels._start(levels.WIDTH, page.start["spread"], 0)
    kept = levels.masses(3, 2, levels.WIDTH) > 0.0
    problem = problems.wide_resnet(data.Samples(levels.X, levels.Y), depth=3, activation=activations.tanh)
    start = Particles(rows[kept], blocks=problem.blocks)
    times = found["t"][[8, 16, 32]]
    run = evolve(problem, start, GradientFlow(integrators.Tsit5(1e-9, 1e-11)), t1=10.0, save_at=times, **_RISK)
    np.testing.assert_allclose(found["risk"][[8, 16, 32]], run.risk[-3:], rtol=1e-4)
    # The last states of the lines that are drawn are the prediction.
    np.testing.assert_allclose(found["network"][-1, -1], problem.predict(run.final, levels.X), atol=1e-3)
    np.testing.assert_array_equal(found["network"][0, 0], levels.X)


def test_neurons_on_samples_are_those_of_the_fixed_steps():
    page = page_named("williams2019/fig5")
    values = {**page.start, "delta": 5.0, "width": 10.0}
    found = page.compute(values, 0)
    r, angle = (part[:10] for part in univariate.drawn(0))
    problem = problems.canonical_relu(univariate.X, univariate.sine(1.5), delta=5.0)
    rows = np.column_stack([values["size"] * r, angle, np.full(10, 5.0)])
    step = 0.1 / np.hypot(5.0, 2.0 * values["size"])
    end = found["t"][16]
    run = evolve(
        problem, Particles(rows, blocks=problem.blocks), GradientFlow(integrators.Filippov(step)), t1=end, **_RISK
    )
    assert found["risk"][16] == pytest.approx(run.risk[-1], rel=1e-6)
    np.testing.assert_allclose(np.hypot(found["u"][16], found["v"][16]), np.abs(run.positions[-1][:, 0]), rtol=1e-5)


def test_adaptive_neurons_turn_and_kernel_ones_rest():
    page = page_named("williams2019/fig5")
    kernel, adaptive = (page.compute({**page.start, "delta": delta}, 0)["turned"] for delta in (-100.0, 100.0))
    assert kernel < 0.2 * adaptive


def test_attractors_are_where_the_drawn_velocities_lead():
    """Beside an attracting ray the arrows on both sides have a part towards it."""
    page = page_named("williams2019/fig9")
    found = page.compute(page.start, 0)
    assert found["rays"].shape == (np.sum(found["rays"][:, 0] ** 2 > 0), 2)
    assert 0 < len(found["rays"]) <= found["attractors"] <= 4 * univariate.SAMPLES
    np.testing.assert_allclose(np.linalg.norm(found["rays"], axis=1), 1.0)
    lines = -found["rays"][:, 1] / found["rays"][:, 0]
    assert np.all(np.min(np.abs(lines[:, None] - univariate.X), axis=1) < 1e-12)


def test_a_cloud_is_the_flow_of_its_neurons():
    page = page_named("yarotsky2018/fig2")
    found = page.compute({**page.start, "width": 5.0}, 0)
    rows = np.array([1.0, 0.0]) + page.start["sigma"] * clouds.drawn(clouds.WIDTH)[:5]
    problem = problems.free_knot_spline(lambda x: x * x)
    k = 20
    flow = GradientFlow(integrators.Tsit5(1e-9, 1e-12))
    run = evolve(problem, Particles(rows, blocks=problem.blocks), flow, t1=found["t"][k], **_RISK)
    np.testing.assert_allclose(found["network"][k], run.final.positions, atol=2e-3)
    assert found["network risk"][k] == pytest.approx(run.risk[-1], rel=1e-2)
    # The atom comes to its resting point, where the cloud does not stay.
    assert found["atom risk"][-1] > 10.0 * page.compute(page.start, 1)["network risk"][-1]


def test_networks_scatter_as_the_central_limit_theorem_foresees():
    page = page_named("rotskoff2018/band")
    found = page.compute({**page.start, "width": 64.0}, 1)
    foreseen = found["variance"][-1] / found["sizes"]
    wide = found["sizes"] >= 16.0
    away = np.abs(found["scatter"] - foreseen)[wide] / found["scatter error"][wide]
    assert np.all(away < 4.0)
    np.testing.assert_array_equal(found["sizes"], band.WIDTHS)
    # The mean over the inputs of the band's variance is the prediction's.
    np.testing.assert_allclose(np.mean((0.5 * found["half"]) ** 2, axis=1), found["variance"] / 64.0, rtol=1e-6)
    bars = 4.0 * found["error"] + found["limit error"]
    assert np.all(np.abs(found["risk"] - found["expected"]) < bars)


def test_noisy_networks_are_those_of_sgd_and_follow_the_diffusion():
    page = page_named("mei2018/noise")
    values = {**page.start, "temperature": 0.05, "width": 200.0}
    found = page.compute(values, 1)
    # The first network again, by the library's own loop.
    first, second = jax.random.split(jax.random.split(jax.random.key(0), bumps.DRAWS)[0])
    rows = values["center"] + bumps.SPREAD * jax.random.normal(first, (bumps.WIDTH, 1))
    problem = bumps.problem_of(values["ridge"])
    moves = SGD(values["step"], batch=8, temperature=values["temperature"], dtype="float32")
    k = 16
    start = Particles(rows, blocks=problem.blocks)
    run = evolve(problem, start, moves, t1=found["t"][k], key=second, **_RISK)
    assert found["risk"][k] == pytest.approx(run.risk[-1], rel=1e-3)
    # Of 8 networks the mean; what 1/N and the step add is below their scatter.
    bar = np.std(found["ends"], ddof=1) / bumps.DRAWS**0.5
    assert abs(np.mean(found["ends"]) - found["limit risk"][-1]) < 4.0 * bar + 1e-3
    mass = np.sum(found["density"], axis=1) * (found["places"][1] - found["places"][0])
    np.testing.assert_allclose(mass, 1.0, rtol=1e-12)


def test_between_cold_and_hot_lies_the_best_temperature():
    page = page_named("mei2018/noise")
    heats = page.sliders[0].values
    ends = [page.compute({**page.start, "temperature": heat}, 0)["limit risk"][-1] for heat in heats]
    best = int(np.argmin(ends))
    assert ends[0] > 2.0 * ends[best]
    assert ends[-1] > 2.0 * ends[best]
    assert 0.001 < heats[best] < 0.2
