"""Many runs at once are the runs one by one."""

import logging
import pathlib
import statistics
import sys
from typing import Any

import jax
import numpy as np
import pytest

import widelimit as wl
from widelimit import integrators, observables

_RNG = np.random.default_rng(0)
_X = _RNG.normal(size=(8, 2))
PROBLEM = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(_X, np.sin(_X[:, 0])))
# The third has another number of particles.
STARTS = [wl.Particles(_RNG.normal(size=(n, 4))) for n in (5, 5, 7, 5)]
KEYS = jax.random.split(jax.random.key(5), 4)
RISK = (observables.Risk(),)


@pytest.mark.first(1)
@pytest.mark.parametrize(
    "dynamics",
    [wl.SGD(0.02, batch=2, temperature=0.01), wl.GradientFlow(integrators.Tsit5(1e-5, 1e-7))],
    ids=["sgd", "flow"],
)
def test_each_is_the_run_alone(dynamics: Any) -> None:
    asked: dict[str, Any] = {"t1": 1.0, "save_at": [0.25, 0.5], "observe": RISK}
    many = wl.evolve_many(PROBLEM, STARTS, dynamics, keys=KEYS, **asked)
    for run, start, key in zip(many, STARTS, KEYS, strict=True):
        alone = wl.evolve(PROBLEM, start, dynamics, key=key, **asked)
        assert (run.outcome, run.steps, run.message) == (alone.outcome, alone.steps, "")
        np.testing.assert_array_equal(run.times, alone.times)
        np.testing.assert_allclose(run.positions, alone.positions, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(run.risk, alone.risk, rtol=1e-10)
        assert run.provenance["key"] == alone.provenance["key"]
    assert not np.array_equal(many[0].risk, many[1].risk)


@pytest.mark.first(1)
@pytest.mark.parametrize(
    "dynamics", [wl.SGD(0.02), wl.GradientFlow(integrators.RungeKutta4(0.02))], ids=["sgd", "flow"]
)
def test_a_diverged_one_takes_no_other_with_it(dynamics: Any) -> None:
    problem = wl.Problem(wl.units.Neuron(wl.activations.quadratic), PROBLEM.data)
    wild = wl.Particles(40.0 * np.asarray(STARTS[1].positions))
    many = wl.evolve_many(problem, [STARTS[0], wild, STARTS[3]], dynamics, t1=0.5, keys=KEYS[:3])
    assert [run.outcome.name for run in many] == ["SUCCESS", "DIVERGED", "SUCCESS"]
    assert "try" in many[1].message
    assert len(many[1]) < len(many[0])
    assert np.all(np.isfinite(many[1].risk))
    for i, start in ((0, STARTS[0]), (2, STARTS[3])):
        alone = wl.evolve(problem, start, dynamics, t1=0.5, key=KEYS[i])
        np.testing.assert_allclose(many[i].positions, alone.positions, rtol=1e-10, atol=1e-12)


@pytest.mark.slow
def test_problems_and_dynamics_that_differ_in_numbers_are_one_program(caplog: pytest.LogCaptureFixture) -> None:
    """Penalties and temperatures: each run has its own; none is another program."""
    pairs = [(0.01, 0.02), (0.1, 0.01), (0.3, 0.02)]
    problems = [wl.Problem(PROBLEM.unit, PROBLEM.data, penalty=wl.penalties.l2(size)) for size, _ in pairs]
    moves = [wl.SGD(0.02, batch=2, temperature=heat) for _, heat in pairs]
    problems, moves = [*problems, PROBLEM], [*moves, moves[0]]
    asked: dict[str, Any] = {"t1": 1.0, "save_at": [0.5], "observe": (*RISK, observables.Penalty())}
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        many = wl.evolve_many(problems, [STARTS[0]] * 4, moves, keys=KEYS, **asked)
    told = [record.getMessage() for record in caplog.records]
    assert sum("Finished XLA compilation of jit(_advance)" in text for text in told) == 2
    for run, problem, dynamics, key in zip(many, problems, moves, KEYS, strict=True):
        alone = wl.evolve(problem, STARTS[0], dynamics, key=key, **asked)
        np.testing.assert_allclose(run.positions, alone.positions, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(run.observables["penalty"], alone.observables["penalty"], rtol=1e-10)
    assert len({float(run.observables["penalty"][0]) for run in many}) == 4


def test_steps_of_another_length_are_runs_of_their_own() -> None:
    moves = [wl.SGD(0.02), wl.SGD(0.04)]
    many = wl.evolve_many(PROBLEM, STARTS[:2], moves, keys=KEYS[:2], t1=1.0, observe=RISK)
    assert [run.steps for run in many] == [50, 25]


def test_a_problem_each_or_one() -> None:
    with pytest.raises(ValueError, match=r"evolve_many\(problem=...\): 2 for 3 starts; give one, or one each"):
        wl.evolve_many([PROBLEM] * 2, STARTS[:3], wl.SGD(0.1), t1=0.1, keys=KEYS[:3])


def test_a_finite_blow_up_of_one_is_seen() -> None:
    """f = a, y = 0: a step of 4 multiplies a by -3, the risk by 9; at rest the other one stays."""
    unit = wl.units.Function(lambda theta, x: theta.a * x[0], columns=["a"])
    problem = wl.Problem(unit, wl.data.Samples([[1.0]], [0.0]))
    starts = [wl.Particles([[1.0]]), wl.Particles([[0.0]])]
    dynamics = wl.SGD(4.0, sampling=wl.sampling.Full())
    many = wl.evolve_many(problem, starts, dynamics, t1=32.0, save_at=4.0 * np.arange(9), keys=KEYS[:2])
    assert [run.outcome.name for run in many] == ["DIVERGED", "SUCCESS"]
    # 9^6 / 2 is below 10^6 (1 + 1/2), 9^7 / 2 above.
    np.testing.assert_allclose(many[0].risk, 0.5 * 9.0 ** np.arange(7), rtol=1e-12)
    assert len(many[1]) == 9


def test_a_step_limit_holds_for_each() -> None:
    many = wl.evolve_many(PROBLEM, STARTS[:2], wl.SGD(0.02), t1=1.0, keys=KEYS[:2], max_steps=20, observe=RISK)
    assert [(run.outcome.name, run.steps) for run in many] == [("MAX_STEPS", 20)] * 2
    assert "now 20" in many[0].message


@pytest.mark.parametrize(
    "dynamics",
    [wl.SGD(0.02, batch=2, temperature=0.01), wl.GradientFlow(integrators.Tsit5(1e-5, 1e-7))],
    ids=["sgd", "flow"],
)
def test_a_killed_batch_goes_on_and_ends_at_the_same_bits(
    dynamics: Any, tmp_path: pathlib.Path, monkeypatch: Any
) -> None:
    asked: dict[str, Any] = {"t1": 1.0, "save_at": [0.25, 0.5], "observe": RISK, "keys": KEYS}
    whole = wl.evolve_many(PROBLEM, STARTS, dynamics, **asked)
    kept = wl.Checkpoint(tmp_path / "many", every=0.0)
    module = sys.modules["widelimit._evolve._host"]
    left = iter(range(3))

    def short(chunk: int, done: int, seconds: float) -> int:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return 7

    with monkeypatch.context() as patched:
        patched.setattr(module, "next_chunk", short)
        with pytest.raises(KeyboardInterrupt):
            wl.evolve_many(PROBLEM, STARTS, dynamics, checkpoint=kept, **asked)
    again = wl.evolve_many(PROBLEM, STARTS, dynamics, checkpoint=kept, **asked)
    for a, b in zip(whole, again, strict=True):
        assert (a.outcome, a.steps) == (b.outcome, b.steps)
        np.testing.assert_array_equal(a.positions, b.positions)
        np.testing.assert_array_equal(a.risk, b.risk)
    with pytest.raises(ValueError, match="belongs to another run"):
        wl.evolve_many(PROBLEM, STARTS, dynamics, checkpoint=kept, **asked | {"keys": KEYS[::-1]})


def test_more_steps_go_on_from_a_step_limit(tmp_path: pathlib.Path) -> None:
    asked: dict[str, Any] = {"t1": 1.0, "save_at": [0.5], "observe": RISK, "keys": KEYS[:2]}
    whole = wl.evolve_many(PROBLEM, STARTS[:2], wl.SGD(0.02), **asked)
    wl.evolve_many(PROBLEM, STARTS[:2], wl.SGD(0.02), max_steps=30, checkpoint=tmp_path / "many", **asked)
    again = wl.evolve_many(PROBLEM, STARTS[:2], wl.SGD(0.02), checkpoint=tmp_path / "many", **asked)
    for a, b in zip(whole, again, strict=True):
        assert (b.outcome.name, b.steps) == ("SUCCESS", 50)
        np.testing.assert_array_equal(a.positions, b.positions)


def test_one_that_grows_goes_alone() -> None:
    line = wl.Problem(
        wl.units.Neuron(wl.activations.tanh, bias=False, output_weight=False), wl.data.Samples([[1.0]], [1.0])
    )
    law = wl.laws.Normal(0.0, 1.0)
    (run,) = wl.evolve_many(line, [law], wl.Quantiles(1e-4, capacity=8), t1=0.5, save_at=[0.5])
    alone = wl.evolve(line, law, wl.Quantiles(1e-4, capacity=8), t1=0.5, save_at=[0.5])
    np.testing.assert_array_equal(run.risk, alone.risk)


def test_other_seeds_and_numbers_do_not_compile_again(caplog: Any) -> None:
    def runs(step: float, seed: int) -> None:
        keys = jax.random.split(jax.random.key(seed), 2)
        wl.evolve_many(PROBLEM, STARTS[:2], wl.SGD(step), t1=30 * step, keys=keys, observe=RISK, save_at=[10 * step])

    runs(0.02, 0)
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        runs(0.03, 1)
    assert [r for r in caplog.records if "Finished XLA compilation" in r.getMessage()] == []


def test_what_it_refuses() -> None:
    with pytest.raises(ValueError, match="3 keys for 2 starts"):
        wl.evolve_many(PROBLEM, STARTS[:2], wl.SGD(0.1), t1=1.0, keys=KEYS[:3])
    with pytest.raises(ValueError, match="key"):
        wl.evolve_many(PROBLEM, STARTS[:2], wl.SGD(0.1), t1=1.0)
    with pytest.raises(ValueError, match="sum to 1"):
        wl.evolve_many(PROBLEM, [wl.Particles(np.ones((2, 4)), [1.0, 1.0])], wl.GradientFlow(), t1=1.0)


def test_networks_of_one_width_are_drawn_from_a_law() -> None:
    law = wl.laws.product(
        output=wl.laws.Normal(0.0, 1.0), weight=wl.laws.Normal(0.0, 1.0, dim=2), bias=wl.laws.Atom(0.0)
    )
    moves, asked = wl.SGD(0.02, batch=2), {"t1": 0.2, "save_at": [0.1, 0.2], "observe": RISK}
    nets = wl.evolve_many(PROBLEM, law, moves, width=6, keys=KEYS[:3], **asked)
    drawing, running = jax.random.split(KEYS[1])
    alone = wl.evolve(PROBLEM, law.sample(6, key=drawing), moves, key=running, **asked)
    np.testing.assert_allclose(nets[1].risk, alone.risk, rtol=1e-10)
    assert nets.risk.shape == (3, 3)
    np.testing.assert_array_equal(nets.risk, [run.risk for run in nets])
    np.testing.assert_array_equal(nets.times, alone.times)
    np.testing.assert_allclose(nets.mean("risk"), sum(run.risk for run in nets) / 3, rtol=1e-14)
    spread = [statistics.stdev(column) / 3**0.5 for column in nets.risk.T.tolist()]
    np.testing.assert_allclose(nets.standard_error("risk"), spread, rtol=1e-12)
    assert [run.size for run in nets[1:]] == [6, 6]
    with pytest.raises(AttributeError, match="no 'norm'; its runs observed: risk"):
        _ = nets.norm
    with pytest.raises(ValueError, match="1 runs; at least 2"):
        nets[:1].standard_error("risk")
    page = wl.report.compare(limit=alone, nets=nets)
    assert "3 runs of nets" in page.html


@pytest.mark.parametrize(
    ("starts", "more", "words"),
    [
        (wl.laws.Normal(0.0, 1.0, dim=4), {"keys": KEYS}, r"width=.*a law was given"),
        (STARTS[:2], {"keys": KEYS[:2], "width": 5}, r"width=.*draw from a law; got list"),
        (wl.laws.Normal(0.0, 1.0, dim=4), {"width": 5}, r"keys=.*a key each"),
    ],
)
def test_a_law_needs_a_width_and_keys(starts: Any, more: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        wl.evolve_many(PROBLEM, starts, wl.SGD(0.1), t1=0.1, **more)


def test_runs_that_end_early_do_not_stand_beside_the_others() -> None:
    problem = wl.Problem(wl.units.Neuron(wl.activations.quadratic), PROBLEM.data)
    wild = wl.Particles(40.0 * np.asarray(STARTS[1].positions))
    many = wl.evolve_many(problem, [STARTS[0], wild, STARTS[3]], wl.SGD(0.02), t1=0.5, keys=KEYS[:3])
    with pytest.raises(ValueError, match=r"run 1 was saved .* take `ended`"):
        _ = many.risk
    assert len(many.ended) == 2
    assert many.ended.risk.shape == (2, len(many[0]))
    assert "1 of them ended early" in repr(many)
