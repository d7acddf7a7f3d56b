"""Every function of `analysis`, and what else reads a network, on a wide ResNet: it works, or says why it cannot."""

import inspect

import jax
import numpy as np
import pytest

import widelimit as wl

A, laws = wl.analysis, wl.laws
X = np.random.default_rng(0).normal(size=(6, 2))
Y = np.tanh(X[:, ::-1])
DEEP = wl.problems.wide_resnet(wl.data.Samples(X, Y), depth=2, activation=wl.activations.tanh)
LAW, KEY = laws.Normal(0.0, 0.5, dim=4), jax.random.key(0)
START = DEEP.start(LAW, width=2, key=KEY)
GRID = wl.grids.uniform(-1.0, 1.0, 4)


@pytest.fixture(scope="module")
def run():
    return wl.evolve(DEEP, START, wl.GradientFlow(), t1=0.5, save_at=[0.0, 0.25, 0.5], progress=False)


# Those that ask a two-layer mean: called with a run.
REFUSED = {
    "attractors": lambda run: A.attractors(DEEP, START),
    "expected_risk": lambda run: A.expected_risk(DEEP, START, key=KEY),
    "fixed_point": lambda run: A.fixed_point(DEEP, START),
    "fluctuations": lambda run: A.fluctuations(DEEP, START, t1=1.0),
    "free_energy": lambda run: A.free_energy(DEEP, START, 0.1),
    "free_energy_gap": lambda run: A.free_energy_gap(DEEP, START, 0.1),
    "function_space": lambda run: A.function_space(DEEP, run),
    "gibbs": lambda run: A.gibbs(DEEP, temperature=0.1, grid=GRID),
    "global_minimum": lambda run: A.global_minimum(DEEP, START),
    "identifiable": lambda run: A.identifiable(DEEP),
    "linearity": lambda run: A.linearity(DEEP, run),
    "minimise": lambda run: A.minimise(DEEP),
    "optimality_gap": lambda run: A.optimality_gap(DEEP, START),
    "orthogonality": lambda run: A.orthogonality(DEEP, START),
    "predict": lambda run: A.predict(DEEP, LAW, width=4, t1=1.0, key=KEY),
    "predict_widths": lambda run: A.predict_widths(
        DEEP, LAW, wl.GradientFlow(), widths=[2], t1=1.0, save_at=[1.0], limit=lambda t: t, key=KEY
    ),
    "regime": lambda run: A.regime(DEEP, run),
    "representation": lambda run: A.representation(DEEP, START),
    "residual_dynamics": lambda run: A.residual_dynamics(DEEP, START),
    "sgd_noise": lambda run: A.sgd_noise(DEEP, START, wl.SGD(0.1), t1=1.0, key=KEY),
    "spectrum": lambda run: A.spectrum(DEEP, START),
    "spreading": lambda run: A.spreading(DEEP, np.zeros(5)),
    "stability": lambda run: A.stability(DEEP, START),
    "stationary_atoms": lambda run: A.stationary_atoms(DEEP, 1),
    "teacher_rates": lambda run: A.teacher_rates(DEEP),
    "totality": lambda run: A.totality(DEEP, START),
    "width_for": lambda run: A.width_for(DEEP, LAW, excess=0.1, t1=1.0, key=KEY),
}
# Those that work; the first three of them with the tests below, stationary_points with its own.
WORK = (
    *("dissipation", "gradient_noise", "stationarity", "stationary_points"),
    *("classification", "is_classification"),
)
# Numbers alone: no problem is asked.
NUMBERS = ("halving", "scaling", "theorem3_error")


def test_the_list_is_whole():
    functions = {name for name in dir(A) if inspect.isfunction(getattr(A, name))}
    assert functions == {*REFUSED, *WORK, *NUMBERS}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_reason(name, run):
    with pytest.raises(ValueError, match=rf"^{name}.* needs a two-layer mean, .*this problem is WideResNet"):
        REFUSED[name](run)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("tangent_kernel", lambda run: wl.kernels.tangent_kernel(DEEP, START, X)),
        ("TangentFlow", lambda run: wl.evolve(DEEP, START, wl.TangentFlow(), t1=1.0)),
        ("reduced", lambda run: DEEP.reduced()),
        ("problem.unit", lambda run: DEEP.unit),
        ("knots", lambda run: wl.report.knots(DEEP, run)),
        ("uv_plane", lambda run: wl.report.uv_plane(DEEP, run)),
        ("neuron_paths", lambda run: wl.report.neuron_paths(DEEP, run)),
    ],
)
def test_other_rooms_refuse(name, call, run):
    with pytest.raises(ValueError, match=rf"{name}.* needs a two-layer mean"):
        call(run)


def test_what_works(run):
    """The energy balance, the force on the particles and the covariance of a sample's gradient, by loops."""
    from widelimit.theory import teacherstudent2020 as theory

    assert A.dissipation(run).defect < 1e-5
    theta = np.asarray(START.positions)[:, :-1].reshape(2, 2, 2, 2)
    gradient = 4.0 * theory.wide_gradient(theta, X, Y).reshape(4, 4)
    np.testing.assert_allclose(A.stationarity(DEEP, START).norms, np.linalg.norm(gradient, axis=1), rtol=1e-12)
    each = [4.0 * theory.wide_gradient(theta, x[None], y[None]).reshape(4, 4) for x, y in zip(X, Y, strict=True)]
    trace = np.mean(np.sum((np.stack(each) - gradient) ** 2, axis=(1, 2)))
    noise = A.gradient_noise(DEEP, START)
    assert float(noise.trace) == pytest.approx(trace, rel=1e-10)
    classes = np.array([0, 1, 1, 0, 1, 0])
    found = A.classification(DEEP, START, wl.data.Samples(X, np.eye(2)[classes]))
    assert found.accuracy == pytest.approx(np.mean(np.argmax(DEEP.predict(START, X), axis=1) == classes))
    assert not A.is_classification(DEEP)


@pytest.mark.slow
def test_a_report_of_a_run(run, tmp_path):
    """The page of a run: it says of the levels that they do not change."""
    checks = wl.report.Checks(
        gap=None,
        gap_budget=None,
        largest_correlation=None,
        gap_certified=False,
        gap_statement="No certificate.",
        stationarity_rms=A.stationarity(DEEP, run.final).rms,
        stationarity_largest=A.stationarity(DEEP, run.final).largest,
        dissipation_defect=A.dissipation(run).defect,
        dissipation_method=A.dissipation(run).method,
    )
    summary = wl.report.RunSummary(
        title="A wide ResNet",
        problem={"levels": "2"},
        limit=(run,),
        limit_error=np.full(3, 1e-3),
        limit_converged=None,
        limit_note="One number of particles.",
        networks=(wl.report.NetworkRun(2, 0, "the flow", run),),
        checks=checks,
        held_out=False,
        columns=(),
        notes=(),
        provenance=run.provenance,
    )
    page = tmp_path / "run.html"
    wl.report.run_report(summary).save(page)
    assert "depth does not change: its mean over the neurons is 0.500" in page.read_text()
