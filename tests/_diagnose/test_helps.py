"""What would help, from trainings that are made up: references, intervals and verdicts by hand."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats

import widelimit as wl
from widelimit._diagnose import _helps
from widelimit._diagnose._training import Training, Trials, affordable, constant_risk, interval
from widelimit._diagnose.page import _sentences

RNG = np.random.default_rng(4)


def trials(*objectives: float) -> Trials:
    networks: Any = tuple(SimpleNamespace(objective=value) for value in objectives)
    return Trials(8, networks)


def made_up(objective: float, longer: float, again: Trials, large: Trials, agitated: float | None = None) -> Any:
    parts: Any = {
        "onward": SimpleNamespace(objective=longer),
        "spectrum": None if agitated is None else SimpleNamespace(agitated=agitated),
        "stationarity": None,
    }
    return Training(objective=objective, constant=1.0, again=again, large=large, **parts)


def by_way(helps: tuple[_helps.Help, ...]) -> dict[str, _helps.Help]:
    return {help.way: help for help in helps}


def test_an_interval_is_students():
    values = RNG.normal(size=3)
    low, high = stats.t.interval(0.95, 2, loc=values.mean(), scale=stats.sem(values))
    np.testing.assert_allclose(interval(values), 0.5 * (high - low), rtol=1e-12)
    np.testing.assert_allclose(trials(*values).error, interval(values), rtol=1e-12)


def test_each_way_is_judged_against_the_best_without_it():
    # Longer training is best at this width: wider networks are held against it.
    how = made_up(1.0, 0.2, trials(0.3, 0.31, 0.32), trials(0.1, 0.11, 0.12), agitated=0.25)
    found = by_way(_helps.on_rows(how, 0.8))
    assert [help.way for help in _helps.on_rows(how, 0.8)] == ["longer", "smaller steps", "wider", "another start"]
    np.testing.assert_allclose([found["longer"].gain, found["longer"].error], [0.8, 0.0])
    np.testing.assert_allclose(found["another start"].gain, 0.2 - 0.31)
    np.testing.assert_allclose(found["wider"].gain, 0.2 - 0.11)
    np.testing.assert_allclose(found["wider"].error, interval(np.array([0.1, 0.11, 0.12])))
    np.testing.assert_allclose([found["smaller steps"].gain, found["smaller steps"].reached], [0.2, 0.8])
    assert {way: help.verdict for way, help in found.items()} == {
        "longer": "helps",
        "another start": "no",
        "wider": "helps",
        "smaller steps": "helps",
    }
    # Other starts are best: then it is held against these, whose scatter counts as well.
    how = made_up(1.0, 0.9, trials(0.3, 0.31, 0.32), trials(0.1, 0.11, 0.12))
    found = by_way(_helps.on_rows(how, 0.8))
    np.testing.assert_allclose(found["another start"].gain, 0.9 - 0.31)
    np.testing.assert_allclose(found["wider"].gain, 0.31 - 0.11)
    np.testing.assert_allclose(found["wider"].error, np.sqrt(2.0) * interval(np.array([0.1, 0.11, 0.12])))


@pytest.mark.parametrize(
    ("gain", "spread", "verdict"),
    [(0.06, 0.0, "helps"), (0.04, 0.0, "no"), (0.06, 0.02, "undecided"), (0.04, 0.02, "undecided"), (-1.0, 0.1, "no")],
)
def test_a_verdict_needs_all_of_its_interval_on_one_side_of_a_twentieth(gain, spread, verdict):
    ends = np.array([-1.0, 0.0, 1.0]) * spread + 1.0 - gain
    how = made_up(1.0, 1.0, trials(*ends), trials(2.0, 2.0, 2.0))
    assert by_way(_helps.on_rows(how, 1.0))["another start"].verdict == verdict


def test_what_is_small_beside_a_constant_is_no_help():
    how = made_up(1e-4, 1e-9, trials(1.0, 1.0, 1.0), trials(1.0, 1.0, 1.0))
    assert by_way(_helps.on_rows(how, 1.0))["longer"].verdict == "no"
    how = made_up(1.1e-4, 1e-9, trials(1.0, 1.0, 1.0), trials(1.0, 1.0, 1.0))
    assert by_way(_helps.on_rows(how, 1.0))["longer"].verdict == "helps"


def test_falls_are_of_pairs_of_rows_and_of_starts():
    old, new = RNG.uniform(size=(1, 50)), RNG.uniform(size=(3, 50))
    gain, error, reached = _helps._fall(old, new)
    pairs = old[0] - new.mean(axis=0)
    np.testing.assert_allclose([gain, reached], [pairs.mean(), new.mean()])
    known = np.hypot(1.96 * pairs.std(ddof=1) / np.sqrt(50), interval(new.mean(axis=1)))
    np.testing.assert_allclose(error, known, rtol=1e-12)


def told(helps: tuple[_helps.Help, ...], **others: Any) -> Any:
    training = made_up(1.0, 0.2, trials(1.0, 1.0, 1.0), trials(1.0, 1.0, 1.0))
    return SimpleNamespace(helps=helps, training=training, held_out=None, helps_held_out=(), **others)


def test_advice_tells_apart_what_is_decided():
    help = _helps.Help("longer", 0.8, 0.0, 0.2, 1.0, "helps")
    wide = _helps.Help("wider", 0.3, 0.01, 0.1, 1.0, "helps")
    start = _helps.Help("another start", 0.02, 0.1, 0.9, 1.0, "undecided")
    (said,) = _sentences.advice(told((help, wide, start)))
    assert said == (
        "On its own rows, what would help most is to train longer: the objective falls by 0.8, of 1; then to take "
        "more neurons (the objective falls by 0.3 \N{PLUS-MINUS SIGN} 0.01 beyond what longer training or other starts "
        "gain). "
        "Not decided is whether it helps on its own rows to train from another start (0.02 \N{PLUS-MINUS SIGN} 0.1). "
        "Whether it helps on other rows is not known; held_out= tells."
    )
    (said,) = _sentences.advice(told((wide._replace(verdict="no"), start)))
    assert said == (
        "On its own rows, nothing that was tried is seen to help much: to take more neurons gains less than 5% of its "
        "objective of 1 (or than a 10,000th of that of a constant). Not decided is whether it helps on its own rows to "
        "train from another start (0.02 \N{PLUS-MINUS SIGN} 0.1)."
    )
    (said,) = _sentences.advice(told((_helps.Help("smaller steps", 0.3, 0.0, 0.7, 1.0, "helps"),)))
    assert (
        "to take smaller steps, or larger batches: by the linear theory 0.3 of it is noise of the steps, of 1" in said
    )


def test_harm_is_told_where_its_interval_says_so():
    harm = _helps.Help("longer", -0.3, 0.1, 0.8, 0.5, "no")
    d = told((harm._replace(gain=0.8, error=0.0),))
    d.held_out, d.helps_held_out = 0.5, (harm,)
    said = _sentences.advice(d)[1]
    assert said.startswith("To train longer harms there: the risk on rows that were held out rises by 0.3 ")
    assert said.endswith("to 0.8, the objective on its own rows falls by 0.8.")
    d.helps_held_out = (harm._replace(error=0.28),)
    assert len(_sentences.advice(d)) == 2


@pytest.mark.parametrize("loss", ["squared", "logistic", "softmax"])
def test_the_best_constant(loss):
    labels = np.arange(20) % 4
    y = {"squared": RNG.normal(size=20), "logistic": np.where(labels > 0, 1.0, -1.0), "softmax": np.eye(4)[labels]}[
        loss
    ]
    unit = wl.units.Neuron(wl.activations.tanh)
    problem = wl.Problem(unit, wl.data.Samples(np.zeros((20, 1)), y), wl.losses.registry.make(loss))
    known = {"squared": 0.5 * np.var(y), "logistic": -0.25 * np.log(0.25) - 0.75 * np.log(0.75), "softmax": np.log(4.0)}
    np.testing.assert_allclose(constant_risk(problem), known[loss], rtol=1e-8)


def test_large_tables_take_fewer_steps():
    assert [affordable(size) for size in (60 * 8 * 4, 13_000_000, 26_000_000, 10**12)] == [200, 200, 100, 40]
