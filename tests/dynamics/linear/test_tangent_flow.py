"""The linear theory against closed forms, a dense solver of its equation, and the flow that it linearises."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
from kernel_problems import PROBLEMS

import widelimit as wl
from widelimit.kernels import tangent_kernel

LAWS = wl.laws
# No charge, knots uniform: the starts of yarotsky2018, 3.2 and 3.3.
CHARGELESS = LAWS.product(c=LAWS.Atom(0.0), h=LAWS.Uniform(0.0, 1.0))


def sine(amplitude: float = 1e-3, waves: int = 2) -> wl.Problem:
    return wl.problems.free_knot_spline(lambda x: amplitude * jnp.sin(waves * jnp.pi * x))


def roots(count: int) -> np.ndarray:
    """xi_k, cosh xi cos xi = -1: Newton on cos xi + 1/cosh xi, whose roots are pi/2 + pi k up to exp(-xi)."""
    xi = np.pi / 2 + np.pi * np.arange(count)
    for _ in range(6):
        far = np.minimum(xi, 600.0)
        slope = -np.sin(xi) - np.tanh(far) / np.cosh(far)
        xi = xi - (np.cos(xi) + 1.0 / np.cosh(far)) / slope
    return xi


def test_the_exact_example_a3() -> None:
    """phi = w at one data point: the linear theory is the flow, L = (y - y0)^2 e^(-2 t) / 2, all move by y - y0."""
    p = wl.Problem(wl.units.Function(lambda theta, x: theta.w, columns=["w"]), wl.data.Samples([[0.0]], [2.0]))
    start = wl.Particles([[0.5], [1.0], [-0.3]], [0.2, 0.3, 0.5])
    run = wl.evolve(p, start, wl.TangentFlow(), t1=3.0)
    y0 = 0.2 * 0.5 + 0.3 - 0.15
    np.testing.assert_allclose(run.risk, 0.5 * (2 - y0) ** 2 * np.exp(-2 * run.times), rtol=1e-14)
    gone = (2.0 - y0) * (1 - np.exp(-run.times))
    np.testing.assert_allclose(run.shift, np.broadcast_to(gone[:, None, None], (65, 3, 1)), rtol=1e-13)
    np.testing.assert_allclose(run.positions, np.asarray(start.positions) + run.shift, atol=1e-15)


@pytest.mark.parametrize("name", list(PROBLEMS))
def test_against_a_dense_solver(name: str) -> None:
    """d z/dt = -2 k M mu z, integrated by an ODE solver with the kernel from its definition."""
    rng = np.random.default_rng(8)
    problem, weights = PROBLEMS[name], rng.dirichlet(np.ones(5))
    start = wl.Particles(rng.normal(size=(5, problem.dim)), weights)
    schedule = wl.schedules.piecewise([1.0], [1.0, 0.25])
    run = wl.evolve(problem, start, wl.TangentFlow(schedule=schedule), t1=3.0, save_at=[1.0])
    nodes = problem.data.nodes
    y, outputs = np.asarray(nodes.y), int(np.prod(problem.data.outputs))
    mu = np.repeat(np.asarray(nodes.weights), outputs)
    kernel = np.asarray(tangent_kernel(problem, start, nodes.x)).reshape(len(mu), -1)
    z0 = np.ravel(np.asarray(problem.predict(start, nodes.x)) - y)
    options = {"rtol": 1e-11, "atol": 1e-12, "dense_output": True, "method": "DOP853"}
    solved = scipy.integrate.solve_ivp(lambda t, z: -kernel @ (mu * z), (0.0, 1.5), z0, **options)
    for t, f, risk in zip((0.0, 1.0, 1.5), run.prediction, run.risk, strict=True):
        z = solved.sol(t)
        np.testing.assert_allclose(np.ravel(f - y), z, atol=1e-9)
        assert risk == pytest.approx(0.5 * mu @ z**2, rel=1e-8)
    # The particles' displacement gives the prediction, to first order in a small one.
    small = wl.evolve(problem, start, wl.TangentFlow(), t1=1e-4)
    moved = np.asarray(problem.predict(small.final, nodes.x) - problem.predict(start, nodes.x))
    linear = small.prediction[-1] - small.prediction[0]
    assert np.max(np.abs(linear)) > 1e-5
    np.testing.assert_allclose(moved, linear, rtol=1e-2, atol=1e-8)


@pytest.mark.slow
def test_the_lazy_limit_of_the_flow() -> None:
    """At output scale alpha the particles move by 1/alpha, and the flow's distance to the theory falls as 1/alpha."""
    rng = np.random.default_rng(2)
    unit, start = wl.units.Neuron(wl.activations.tanh), wl.Particles(rng.normal(size=(6, 4)))
    x, gaps, factors = rng.normal(size=(7, 2)), [], (8.0, 32.0)
    f = np.asarray(wl.Problem(unit, wl.data.Samples(x, np.zeros(7))).predict(start, x))
    for alpha in factors:
        # The target starts at a distance of order one from the prediction at every scale.
        data = wl.data.Samples(x, alpha * f + np.cos(3.0 * x[:, 0]))
        problem = wl.Problem(unit, data, scale=wl.scales.Power(1.0, 1.0 / alpha))
        t1 = 4.0 / alpha**2
        flow = wl.evolve(problem, start, wl.GradientFlow(wl.integrators.Tsit5(1e-9, 1e-11)), t1=t1, save_at=[t1])
        lazy = wl.evolve(problem, start, wl.TangentFlow(), t1=t1, save_at=[t1])
        assert lazy.risk[-1] < 0.9 * lazy.risk[0]
        gaps.append(np.linalg.norm(problem.predict(flow.final, x) - lazy.prediction[-1]))
    assert np.log(gaps[0] / gaps[1]) / np.log(4.0) == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("waves", [2, *(pytest.param(j, marks=pytest.mark.slow) for j in (1, 3, 4, 5))])
def test_small_charges_against_26(waves: int) -> None:
    times = np.array([0.0, 1.0, 10.0, 1e3, 1e5])
    run = wl.evolve(sine(1e-3, waves), CHARGELESS, wl.TangentFlow(trainable=("c",)), t1=1e5, save_at=times)
    # <q_k, z> falls as 1/k^2: 40,000 terms leave 1e-14 of the loss.
    xi, w = roots(40_000), waves * np.pi
    sign = (-1.0) ** (waves + np.arange(len(xi)))
    b = 2e-3 * w / (xi**2 - sign * w**2)
    loss = 0.5 * np.exp(-2.0 * np.outer(times, xi**-4.0)) @ b**2
    # Modes beyond the 129 polynomials, which all decay later than this, are in the floor.
    np.testing.assert_allclose(run.risk, loss, rtol=1e-9)
    # The weight's shift is -s(h, t), (25), whose equation is d s/dt = u at t = 0.
    early = wl.evolve(sine(1e-3, waves), CHARGELESS, wl.TangentFlow(trainable=("c",)), t1=1e-6)
    h = early.positions[-1, :, 1]
    u0 = np.array([scipy.integrate.quad(lambda x, a=a: -1e-3 * np.sin(w * x) * (x - a), a, 1.0)[0] for a in h[::20]])
    np.testing.assert_allclose(early.shift[-1, ::20, 0], -1e-6 * u0, rtol=1e-5, atol=1e-16)


@pytest.mark.slow
def test_the_flow_of_a_small_target_and_the_law_quantised() -> None:
    start = CHARGELESS.quantise(100)
    options: dict[str, Any] = {"t1": 20.0, "save_at": [5.0]}
    flow = wl.evolve(sine(), start, wl.GradientFlow(trainable=("c",)), **options)
    lazy = wl.evolve(sine(), start, wl.TangentFlow(trainable=("c",)), **options)
    law = wl.evolve(sine(), CHARGELESS, wl.TangentFlow(trainable=("c",)), **options)
    # With the charges alone the flow is linear: the integrator's tolerance (1e-6), then that of 100 midpoints.
    np.testing.assert_allclose(lazy.risk, flow.risk, rtol=1e-6)
    np.testing.assert_allclose(lazy.positions, flow.positions, atol=1e-7)
    np.testing.assert_allclose(law.risk, lazy.risk, rtol=1e-4)
    # The law's Gauss nodes carry the shift that the midpoints have at the same knots.
    order = np.argsort(law.positions[-1, :, 1])
    at = np.interp(start.positions[:, 1], law.positions[-1, order, 1], law.shift[-1, order, 0])
    np.testing.assert_allclose(at, lazy.shift[-1, :, 0], atol=2e-3 * np.max(np.abs(at)))


def test_near_a_global_minimiser_against_37() -> None:
    """Kernel frozen at U(0, 1), the minimiser of f = x^2 / 2 without charges; start U(.3, .8)."""
    problem = wl.problems.free_knot_spline(lambda x: 0.5 * x**2, charge=False)
    run = wl.evolve(problem, LAWS.Uniform(0.3, 0.8), wl.TangentFlow(at=LAWS.Uniform(0.0, 1.0)), t1=100.0)
    mu = np.pi / 2 + np.pi * np.arange(20_000)
    weight = 2.0 * (np.cos(0.3 * mu) - np.cos(0.8 * mu)) / mu - 1.0 / mu
    loss = np.exp(-2.0 * np.outer(run.times, mu**-2.0)) @ (weight**2 / mu**4)
    np.testing.assert_allclose(run.risk, loss, rtol=1e-11)
    assert abs(float(problem.risk(LAWS.Uniform(0.3, 0.8).quantise(4000))) / loss[0] - 1.0) < 1e-5


def test_near_a_minimiser_on_samples_the_error_is_of_second_order() -> None:
    rng = np.random.default_rng(3)
    unit, x = wl.units.Neuron(wl.activations.tanh), rng.normal(size=(7, 2))
    teacher = wl.Particles(rng.normal(size=(5, 4)))
    blank = wl.Problem(unit, wl.data.Samples(x, np.zeros(7)))
    problem = wl.Problem(unit, wl.data.Samples(x, blank.predict(teacher, x)))
    away, gaps = rng.normal(size=(5, 4)), []
    flow = wl.GradientFlow(wl.integrators.Tsit5(1e-10, 1e-12))
    for size in (0.01, 0.0025):
        start = wl.Particles(teacher.positions + size * away)
        true = wl.evolve(problem, start, flow, t1=5.0, save_at=[5.0])
        linear = wl.evolve(problem, start, wl.TangentFlow(at=teacher), t1=5.0, save_at=[5.0])
        z = problem.predict(true.final, x) - problem.data.y
        gaps.append(np.linalg.norm(z - (linear.prediction[-1] - problem.data.y)))
        # Not small beside the residual by accident.
        assert gaps[-1] < 0.1 * np.linalg.norm(z)
    assert np.log(gaps[0] / gaps[1]) / np.log(4.0) == pytest.approx(2.0, abs=0.3)


def test_the_floor_is_what_the_kernel_does_not_see() -> None:
    """Knots right of 1/2 leave the target on [0, 1/2] and its constant and slope there: INT_0^(1/2) f^2 / 2."""
    law = LAWS.product(c=LAWS.Atom(0.0), h=LAWS.Uniform(0.5, 1.0))
    problem = wl.problems.free_knot_spline(lambda x: jnp.where(x < 0.5, x, 0.0), breaks=[0.5])
    run = wl.evolve(problem, law, wl.TangentFlow(trainable="c"), t1=10.0)
    np.testing.assert_allclose(run.risk, 1 / 48, rtol=1e-13)
    assert np.max(np.abs(run.shift)) < 1e-12
    # On samples: two inputs, one of which no neuron sees.
    relu = wl.units.Neuron(wl.activations.relu, bias=False)
    blind = wl.Problem(relu, wl.data.Samples([[1.0], [-1.0]], [1.0, 3.0]))
    last = wl.evolve(blind, wl.Particles([[0.5, 1.0]]), wl.TangentFlow(), t1=100.0)
    assert last.risk[-1] == pytest.approx(0.25 * 9.0, rel=1e-13, abs=0.0)
    assert last.risk[0] == pytest.approx(0.25 * (9.0 + 0.25), rel=1e-13, abs=0.0)


def test_any_clock_and_the_energy_balance() -> None:
    rng = np.random.default_rng(8)
    problem, start = PROBLEMS["number"], wl.Particles(rng.normal(size=(5, 4)))
    few = wl.evolve(problem, start, wl.TangentFlow(), t1=2.0, save_at=[0.7])
    many = wl.evolve(problem, start, wl.TangentFlow(), t1=2.0, save_at=np.linspace(0.0, 2.0, 21))
    assert few.steps == many.steps == 1
    for name in ("risk", "prediction", "shift"):
        np.testing.assert_allclose(getattr(few, name)[1], getattr(many, name)[7], rtol=1e-14)
    # INT P |grad psi|^2 at the start is the flow's own; the balance holds to rounding.
    flow = wl.evolve(problem, start, wl.GradientFlow(), t1=0.1)
    assert few.dissipation[0] == pytest.approx(flow.dissipation[0], rel=1e-12)
    assert wl.analysis.dissipation(many).defect < 1e-13


def test_bad_input() -> None:
    rng = np.random.default_rng(8)
    problem, start = PROBLEMS["number"], wl.Particles(rng.normal(size=(5, 4)))

    def refused(match: str, dynamics: wl.TangentFlow, measure: Any = start, p: Any = problem, **more: Any) -> None:
        with pytest.raises(ValueError, match=match):
            wl.evolve(p, measure, dynamics, t1=1.0, **more)

    refused(r"has no block 'c'; it has output, weight, bias", wl.TangentFlow(trainable=("c",)))
    refused(
        r"has risk 0\.\d+ \(the start: 0\.\d+\) and a gradient of norm",
        wl.TangentFlow(at=wl.Particles(np.ones((2, 4)))),
    )
    refused("law.quantise", wl.TangentFlow(), LAWS.Normal(0.0, 1.0, dim=4))
    refused("reports 'risk' itself; leave Risk out", wl.TangentFlow(), observe=[wl.observables.Risk()])
    refused("only a squared loss", wl.TangentFlow(), p=wl.Problem(problem.unit, problem.data, wl.losses.huber()))
    with pytest.raises(ValueError, match=r"TangentFlow\(at=...\): expected a measure or a law"):
        wl.TangentFlow(at="start")
    # A stationary point is no minimiser: a dead neuron.
    relu = wl.Problem(wl.units.Neuron(wl.activations.relu), wl.data.Samples([[1.0]], [1.0]))
    dead, alive = wl.Particles([[1.0, 0.0, -1.0]]), wl.Particles([[1.0, 1.0, 0.0]])
    refused("risk 0.5 .* gradient of norm 0", wl.TangentFlow(at=dead), alive, relu)
    # At the start itself the kernel may be frozen, minimiser or not.
    same = wl.evolve(problem, start, wl.TangentFlow(at=wl.Particles(start.positions)), t1=1.0, save_at=[1.0])
    lazy = wl.evolve(problem, start, wl.TangentFlow(), t1=1.0, save_at=[1.0])
    np.testing.assert_array_equal(same.risk, lazy.risk)
