"""How far a run leaves its linear theory: by the paper's scale, the amplitude of the target."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl


class Wave(eqx.Module):
    """A sin(2 pi x), one compilation for every A."""

    amplitude: jax.Array

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.amplitude * jnp.sin(2 * jnp.pi * x)


@pytest.mark.slow
def test_a_small_target_stays_and_a_large_one_leaves() -> None:
    start = wl.laws.product(c=wl.laws.Atom(0.0), h=wl.laws.Uniform(0.0, 1.0)).quantise(40)
    gaps = []
    for amplitude in (1e-3, 10.0):
        problem = wl.problems.free_knot_spline(Wave(jnp.asarray(amplitude)))
        run = wl.evolve(problem, start, wl.GradientFlow(), t1=20.0, save_at=[1.0, 5.0])
        found = wl.analysis.linearity(problem, run, tolerance=0.05)
        # At the start nothing has moved; the gap is the distance to the linear flow's own prediction.
        assert (found.kernel_change[0], found.gap[0]) == (0.0, 0.0)
        lazy = wl.evolve(problem, start, wl.TangentFlow(), t1=20.0, save_at=[1.0, 5.0])
        nodes = problem.data.nodes
        f = np.asarray(problem.predict(run.final, nodes.x))
        off, rest = (np.sqrt(np.asarray(nodes.weights) @ z**2) for z in (f - lazy.prediction[-1], f - nodes.y))
        # The difference of two predictions that agree to 1e-6 keeps its last digits to their rounding.
        assert found.gap[-1] == pytest.approx(off / rest, rel=1e-6)
        gaps.append(found)
    small, large = gaps
    assert small.left_at == np.inf
    assert "holds to t = 20" in small.verdict
    assert np.max(small.gap) < 1e-4
    assert np.max(small.kernel_change) < 1e-3
    assert 0.0 < large.left_at <= 20.0
    assert "is left at t =" in large.verdict
    assert large.kernel_change[-1] > 1.0


@pytest.mark.slow
def test_the_kernel_of_a_linear_model_never_changes_and_sgd_brings_its_clock() -> None:
    unit = wl.units.Function(lambda theta, x: theta.w * x[0] + theta.b, columns=["w", "b"])
    problem = wl.Problem(unit, wl.data.Samples([0.1, 0.7, 0.9], [1.0, -1.0, 0.5]))
    start = wl.Particles([[0.0, 1.0], [2.0, -1.0]])
    schedule = wl.schedules.power(0.25)
    flow = wl.evolve(problem, start, wl.GradientFlow(schedule=schedule), t1=2.0, save_at=[1.0])
    found = wl.analysis.linearity(problem, flow, schedule=schedule)
    np.testing.assert_allclose(found.kernel_change, 0.0, atol=1e-15)
    # The integrator's tolerance; with the wrong clock it is far off.
    assert np.max(found.gap) < 1e-5
    wrong = wl.analysis.linearity(problem, flow, tolerance=1e-2)
    assert np.max(wrong.gap) > 1e-2
    assert wrong.left_at == flow.times[np.argmax(wrong.gap > 1e-2)]
    assert f"is left at t = {wrong.left_at:.4g}" in wrong.verdict
    assert "holds to t = 2" in found.verdict
    assert found.left_at == np.inf
    sgd = wl.evolve(problem, start, wl.SGD(0.01, sampling=wl.sampling.Full(), schedule=schedule), t1=2.0)
    # Euler steps: first order in the step.
    assert np.max(wl.analysis.linearity(problem, sgd).gap) < 0.05


def test_a_theory_frozen_at_a_minimiser() -> None:
    unit = wl.units.Neuron(wl.activations.tanh, bias=False)
    rng = np.random.default_rng(0)
    x, teacher = rng.normal(size=(5, 2)), wl.Particles(rng.normal(size=(4, 3)))
    blank = wl.Problem(unit, wl.data.Samples(x, np.zeros(5)))
    problem = wl.Problem(unit, wl.data.Samples(x, blank.predict(teacher, x)))
    start = wl.Particles(teacher.positions + 0.02 * rng.normal(size=(4, 3)))
    run = wl.evolve(problem, start, wl.GradientFlow(), t1=1.0, save_at=[0.5])
    found = wl.analysis.linearity(problem, run, at=teacher)
    # The prediction starts right; the kernel is the teacher's, which the start's is near.
    assert found.gap[0] == 0.0
    assert 0.0 < found.kernel_change[0] < 0.1
    assert 0.0 < found.gap[-1] < 0.1
    with pytest.raises(ValueError, match="global minimiser"):
        wl.analysis.linearity(problem, run, at=wl.Particles(np.ones((2, 3))))


def test_bad_input() -> None:
    unit = wl.units.Function(lambda theta, x: theta.w, columns=["w"])
    problem = wl.Problem(unit, wl.data.Samples([0.0], [1.0]))
    run = wl.evolve(problem, wl.Particles([[0.0]]), wl.TangentFlow(), t1=1.0, save_at=[1.0])
    with pytest.raises(ValueError, match=r"linearity\(tolerance"):
        wl.analysis.linearity(problem, run, tolerance=0.0)
