"""The one verb: what it saves, what does not change its result, and what it refuses."""

import logging
import pathlib
import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import widelimit as wl
from widelimit import integrators, observables, sampling
from widelimit._evolve import default_times

evolve = wl.evolve
HOST = sys.modules["widelimit._evolve._host"]
KEY = jax.random.key(1)
_RNG = np.random.default_rng(0)
_X = _RNG.normal(size=(8, 2))
PROBLEM = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(_X, np.sin(_X[:, 0])))
ROUGH = wl.Problem(PROBLEM.unit, PROBLEM.data, penalty=wl.penalties.total_variation(0.05, "output"))
START = wl.Particles(_RNG.normal(size=(5, 4)))
RISK = (observables.Risk(),)

DYNAMICS: dict[str, tuple[wl.Problem, Any]] = {
    "tsit5": (PROBLEM, wl.GradientFlow()),
    "rk4": (PROBLEM, wl.GradientFlow(integrators.RungeKutta4(0.03))),
    "heun": (ROUGH, wl.GradientFlow()),
    "fresh": (PROBLEM, wl.SGD(0.01, batch=2, temperature=0.01)),
    "epochs": (PROBLEM, wl.SGD(0.01, batch=3, sampling=sampling.Epochs(), dtype=jnp.float32)),
    "full": (PROBLEM, wl.SGD(0.01, sampling=sampling.Full())),
}


def _run(name: str, **options: Any) -> wl.Trajectory:
    problem, dynamic = DYNAMICS[name]
    return evolve(problem, START, dynamic, **({"t1": 3.0, "key": KEY, "observe": RISK} | options))


@pytest.mark.first(1)
@pytest.mark.parametrize("name", list(DYNAMICS))
def test_the_end_depends_on_no_save_time_chunk_or_checkpoint(
    name: str, tmp_path: pathlib.Path, monkeypatch: Any
) -> None:
    plain = _run(name)
    few = _run(name, save_at=[3.0])
    many = _run(name, save_at=np.linspace(0.0, 3.0, 41))
    kept = _run(name, checkpoint=wl.Checkpoint(tmp_path / "run", every=0.0))
    sizes = iter([1, 2, 3, 5, 7, 11, 13, 1] * 100)
    monkeypatch.setattr(HOST, "next_chunk", lambda *_: next(sizes))
    cut = _run(name)
    for other in (few, many, kept, cut):
        np.testing.assert_array_equal(other.final.positions, plain.final.positions)
        assert other.risk[-1] == plain.risk[-1]
        assert other.steps == plain.steps
    np.testing.assert_array_equal(cut.positions, plain.positions)
    np.testing.assert_array_equal(kept.positions, plain.positions)


@settings(max_examples=6)
@given(st.lists(st.floats(0.0, 3.0, allow_subnormal=False), max_size=6))
def test_any_save_times(times: list[float]) -> None:
    run = _run("tsit5", save_at=np.sort(times or [0.0]))
    np.testing.assert_array_equal(run.times, np.unique([0.0, *times, 3.0]))
    assert run.positions.shape == (len(run.times), 5, 4)
    np.testing.assert_array_equal(run.positions[0], START.positions)


def test_a_save_time_below_the_normal_numbers_is_the_start() -> None:
    np.testing.assert_array_equal(_run("tsit5", save_at=[5e-324, 1.0, 3.0]).times, [0.0, 1.0, 3.0])


@pytest.mark.parametrize(("name", "tolerance"), [("tsit5", 1e-5), ("rk4", 1e-7), ("heun", 1e-3)])
def test_between_steps_it_interpolates(name: str, tolerance: float) -> None:
    times = np.linspace(0.0, 3.0, 17)[1:-1]
    run = _run(name, save_at=times)
    for t, rows in zip(run.times[1:-1:5], run.positions[1:-1:5], strict=True):
        np.testing.assert_allclose(rows, _run(name, t1=float(t), save_at=[t]).final.positions, atol=tolerance)


def test_what_comes_back() -> None:
    run = _run("fresh")
    assert run.outcome is wl.Outcome.SUCCESS
    assert run.message == ""
    assert run.steps == 300
    assert run.wall > 0
    # Of 65 times the nearest steps', each under its own time: 0 and 0.0007 are one of a hundredth.
    steps = np.unique(np.round(300.0 * np.linspace(0, 1, 65) ** 2))
    np.testing.assert_allclose(run.times, 0.01 * steps, rtol=1e-12)
    assert run.blocks == PROBLEM.blocks
    assert run.positions.dtype == np.float64
    provenance = run.provenance
    assert provenance["versions"]["widelimit"] == wl.__version__
    assert {"python", "jax", "equinox", "diffrax", "numpy"} <= set(provenance["versions"])
    assert provenance["key"] == [0, 1]
    assert "Neuron" in provenance["problem"]
    assert "SGD" in provenance["dynamics"]
    assert "0.01" in provenance["dynamics"]
    for a, b in zip(provenance.values(), _run("fresh").provenance.values(), strict=True):
        assert a == b


@pytest.mark.parametrize("t1", [1.0, 1.2])
def test_what_is_saved_of_steps_has_the_time_of_its_step(t1: float) -> None:
    """f = a, y = 0, full batches: a is multiplied by 1 - step; a run to 1 in steps of 0.3 ends at 1.2, after four."""
    unit = wl.units.Function(lambda theta, x: theta.a * x[0], columns=["a"])
    problem = wl.Problem(unit, wl.data.Samples([[1.0]], [0.0]))
    descent = wl.SGD(0.3, sampling=wl.sampling.Full())
    run = wl.evolve(problem, wl.Particles([[1.0]]), descent, t1=t1, save_at=[0.0, 0.1, 0.4, 0.5, 0.9])
    np.testing.assert_allclose(run.times, [0.0, 0.3, 0.6, 0.9, 1.2], rtol=1e-14)
    np.testing.assert_allclose(run.positions[:, 0, 0], 0.7 ** np.arange(5), rtol=1e-14)
    # A time that was asked stays what it is where it is that of a step.
    assert 0.9 in run.times


def test_times_that_differ_by_rounding_and_times_that_go_back() -> None:
    np.testing.assert_array_equal(_run("tsit5", t1=0.3, save_at=[0, 0.1, 0.1 + 0.2]).times, [0.0, 0.1, 0.3])
    with pytest.raises(ValueError, match=r"save_at=\.\.\.\): expected increasing times"):
        _run("tsit5", save_at=[0.2, 0.1])


@pytest.mark.parametrize(
    ("dynamics", "t1", "words"),
    [
        (wl.SGD(1e-12), 1e308, r"to 1e\+308 SGD takes inf steps, which no run can"),
        (wl.SGD(1e-12), 1e5, r"to 100000 SGD takes 1e\+17 steps"),
        (wl.GradientFlow(), 1e-320, r"t1=\.\.\.\): must be a finite number at least 2\.22507e-308"),
    ],
)
def test_a_run_that_cannot_end_is_refused(dynamics: Any, t1: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        wl.evolve(PROBLEM, START, dynamics, t1=t1, key=KEY)


def test_default_times_fit_into_memory() -> None:
    for size, count in ((10, 65), (2**20, 32), (2**30, 3)):
        times = default_times(2.0, size)
        assert len(times) == count
        assert (times[0], times[-1]) == (0.0, 2.0)


def test_it_saves_and_loads(tmp_path: pathlib.Path) -> None:
    run = _run("epochs")
    again = wl.load(run.save(tmp_path / "net.zarr"))
    np.testing.assert_array_equal(again.positions, run.positions)
    assert again.provenance == run.provenance
    assert float(PROBLEM.risk(again.final)) == pytest.approx(run.risk[-1], rel=1e-14, abs=0.0)


@pytest.mark.parametrize("name", ["tsit5", "fresh"])
def test_a_step_limit(name: str) -> None:
    steps = _run(name).steps
    assert _run(name, max_steps=steps).outcome is wl.Outcome.SUCCESS
    short = _run(name, max_steps=steps - 1, throw=False)
    assert short.outcome is wl.Outcome.MAX_STEPS
    assert short.steps == steps - 1
    assert 1 <= len(short) < 65
    assert short.times[-1] < 3.0
    assert "max_steps" in short.message
    np.testing.assert_array_equal(short.positions, _run(name).positions[: len(short)])
    with pytest.raises(wl.EvolutionError, match=f"now {steps - 1}") as raised:
        _run(name, max_steps=steps - 1)
    np.testing.assert_array_equal(raised.value.trajectory.positions, short.positions)  # pyright: ignore


def test_a_divergence_keeps_what_was_saved() -> None:
    problem = wl.Problem(wl.units.Neuron(wl.activations.quadratic), wl.data.Samples(_X, np.sin(_X[:, 0])))
    run = evolve(problem, START, wl.SGD(2.0), t1=400.0, key=KEY, throw=False)
    assert run.outcome is wl.Outcome.DIVERGED
    assert len(run) >= 1
    assert np.all(np.isfinite(run.positions))
    assert np.all(np.isfinite(run.risk))
    assert "SGD(step=" in run.message


@pytest.mark.parametrize(("steps", "outcome"), [(5, wl.Outcome.SUCCESS), (12, wl.Outcome.DIVERGED)])
def test_a_risk_a_million_times_the_start_has_diverged_though_it_is_finite(steps: int, outcome: wl.Outcome) -> None:
    """f = a, y = 0, (f - y)^2 / 2: a step of 4 multiplies a by -3, the risk by 9; 9^12 > 10^6 (1 + 1/2) > 9^5 / 2."""
    unit = wl.units.Function(lambda theta, x: theta.a * x[0], columns=["a"])
    problem = wl.Problem(unit, wl.data.Samples([[1.0]], [0.0]))
    dynamic = wl.SGD(4.0, sampling=sampling.Full())
    run = evolve(
        problem, wl.Particles([[1.0]]), dynamic, t1=4.0 * steps, key=KEY, save_at=4.0 * np.arange(steps), throw=False
    )
    assert run.outcome is outcome
    np.testing.assert_allclose(run.risk, 0.5 * 9.0 ** np.arange(len(run)), rtol=1e-12)
    # What was saved lies below: 9^6 is 5.3e5.
    assert len(run) == (6 if outcome is wl.Outcome.SUCCESS else 7)


def test_a_start_that_overflows_is_a_bad_measure() -> None:
    with pytest.raises(ValueError, match="start"):
        evolve(PROBLEM, wl.Particles(np.full((2, 4), 1e200)), wl.GradientFlow(), t1=1.0)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"t1": 0.0}, "t1"),
        ({"t1": -1.0}, "t1"),
        ({"t1": float("nan")}, "t1"),
        ({"t1": float("inf")}, "t1"),
        ({"save_at": [4.0]}, "save_at"),
        ({"save_at": [-1.0]}, "save_at"),
        ({"save_at": [float("nan")]}, "save_at"),
        ({"save_at": np.zeros((2, 2))}, "save_at"),
        ({"save_at": np.array(["a"])}, "save_at"),
        ({"max_steps": 0}, "max_steps"),
        ({"key": None}, "key"),
    ],
)
def test_bad_options(options: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=rf"evolve\({name}=\.\.\.\)"):
        _run("fresh", **options)


@pytest.mark.parametrize(
    ("measure", "words"),
    [
        (wl.Particles(np.ones((2, 3))), "3 columns"),
        (wl.Particles(np.ones((2, 4)), [1.0, 1.0]), "sum to 1"),
        (wl.Particles(np.ones((2, 4)), [1.5, -0.5]), "negative"),
        (wl.Particles(np.full((2, 4), np.nan)), "finite"),
        (wl.Particles(np.ones((2, 4)), [np.nan, 1.0]), "finite"),
        (wl.Particles(np.ones((2, 4)), blocks=wl.units.RadialBasis(1.0).blocks(3, ())), "blocks"),
    ],
)
def test_bad_measures(measure: wl.Particles, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        evolve(PROBLEM, measure, wl.GradientFlow(), t1=1.0)


def test_a_start_outside_the_domain() -> None:
    problem = wl.Problem(PROBLEM.unit, PROBLEM.data, domain=wl.domains.product(bias=wl.domains.Box(-1.0, 1.0)))
    with pytest.raises(ValueError, match=r"measure.*domain"):
        evolve(problem, wl.Particles(np.full((2, 4), 2.0)), wl.GradientFlow(), t1=1.0)


# In a process of its own: with the run-time checks of annotations these never reach the function.
_WRONG_TYPES = """
import jax, numpy as np, widelimit as wl
x = np.ones((4, 2))
problem = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(x, x[:, 0]))
start, key, sgd = wl.Particles(np.ones((2, 4))), jax.random.key(0), wl.SGD(0.1)
cases = {
    "problem": lambda: wl.evolve("problem", start, sgd, t1=1.0, key=key),
    "measure": lambda: wl.evolve(problem, wl.laws.Normal(0.0, 1.0, dim=4), sgd, t1=1.0, key=key),
    "measure ": lambda: wl.evolve(problem, np.ones((2, 4)), sgd, t1=1.0, key=key),
    "dynamics": lambda: wl.evolve(problem, start, "sgd", t1=1.0, key=key),
    "dynamics ": lambda: wl.evolve(problem, start, wl.SGD, t1=1.0, key=key),
    "t1": lambda: wl.evolve(problem, start, sgd, t1="1", key=key),
    "save_at": lambda: wl.evolve(problem, start, sgd, t1=1.0, save_at="all", key=key),
    "save_at ": lambda: wl.evolve(problem, start, sgd, t1=1.0, save_at=[[0.0], [0.1, 0.2]], key=key),
    "observe": lambda: wl.evolve(problem, start, sgd, t1=1.0, observe=["risk"], key=key),
    "observe ": lambda: wl.evolve(problem, start, sgd, t1=1.0, observe=wl.observables.Risk(), key=key),
    "observe  ": lambda: wl.evolve(problem, start, sgd, t1=1.0, observe=[wl.observables.Risk], key=key),
    "key": lambda: wl.evolve(problem, start, sgd, t1=1.0, key=0),
    "key ": lambda: wl.evolve(problem, start, sgd, t1=1.0, key=jax.random.split(key, 3)),
    "max_steps": lambda: wl.evolve(problem, start, sgd, t1=1.0, key=key, max_steps=1.5),
    "max_steps ": lambda: wl.evolve(problem, start, sgd, t1=1.0, key=key, max_steps="many"),
    "checkpoint": lambda: wl.evolve(problem, start, sgd, t1=1.0, key=key, checkpoint=3),
    "step": lambda: wl.SGD("fast"),
    "step ": lambda: wl.integrators.RungeKutta4("fast"),
    "trainable": lambda: wl.evolve(problem, start, wl.SGD(0.1, trainable="outptu"), t1=1.0, key=key),
    "trainable ": lambda: wl.evolve(problem, start, wl.SGD(0.1, trainable=3), t1=1.0, key=key),
    "rtol": lambda: wl.integrators.Tsit5(rtol="fine"),
    "every": lambda: wl.Checkpoint("run", every="often"),
}
wrong = []
for name, case in cases.items():
    try:
        case()
        wrong.append(f"{name}: accepted")
    except ValueError as error:
        if name.strip() not in str(error) or len(str(error)) > 400:
            wrong.append(f"{name}: ValueError without its name: {str(error)[:80]}")
    except Exception as error:
        wrong.append(f"{name}: {type(error).__name__}: {str(error)[:80]}")
print("\\n".join(wrong))
"""


def test_wrong_types_are_named(tmp_path: pathlib.Path) -> None:
    script = tmp_path / "wrong.py"
    script.write_text(_WRONG_TYPES)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def _compiled(caplog: Any, *runs: Any) -> list[str]:
    """The programs compiled during the runs."""
    caplog.clear()
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        for run in runs:
            run()
    return [r.getMessage() for r in caplog.records if "Finished XLA compilation" in r.getMessage()]


@pytest.mark.parametrize("name", ["fresh", "epochs", "rk4", "tsit5"])
def test_seeds_and_numbers_do_not_compile_anew(name: str, caplog: Any) -> None:
    _, dynamic = DYNAMICS[name]

    def variant(seed: int, step: float) -> Any:
        start = wl.Particles(np.random.default_rng(seed).normal(size=(5, 4)))
        chosen = dynamic
        if name == "fresh":
            chosen = wl.SGD(step, batch=2, temperature=step)
        elif name == "epochs":
            chosen = wl.SGD(step, batch=3, sampling=sampling.Epochs(), dtype=jnp.float32)
        elif name == "rk4":
            chosen = wl.GradientFlow(integrators.RungeKutta4(step), schedule=step)
        data = wl.data.Samples(_X + step, np.sin(_X[:, 0]))
        problem = wl.Problem(wl.units.Neuron(wl.activations.tanh), data)
        return lambda: evolve(problem, start, chosen, t1=1.0 + step, key=jax.random.key(seed), observe=RISK)

    variant(0, 0.01)()
    # The log does show what is compiled.
    assert len(_compiled(caplog, lambda: jax.jit(lambda x: 2.0 * x)(1.0))) == 1
    assert _compiled(caplog, variant(1, 0.02), variant(2, 0.03)) == []


def test_the_verb_is_not_hidden_by_its_module() -> None:
    code = "from widelimit._evolve import evolve; import widelimit as wl; assert wl.evolve is evolve, wl.evolve"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-200:]
