"""Errors and registered things survive copies: pickle, cloudpickle (joblib's), deepcopy."""

import copy
import gc
import importlib
import pickle
import pkgutil
from typing import Any

import cloudpickle
import numpy as np
import pytest
from registered import example

import widelimit as wl
from widelimit.numerics.registry import Registry
from widelimit.runs.errors import ProblemFileError
from widelimit.trajectory import fingerprint

for _module in pkgutil.walk_packages(wl.__path__, "widelimit."):
    importlib.import_module(_module.name)

COPIES: dict[str, Any] = {
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "cloudpickle": lambda value: pickle.loads(cloudpickle.dumps(value)),
    "deepcopy": copy.deepcopy,
}
REGISTRIES = sorted((o for o in gc.get_objects() if isinstance(o, Registry)), key=lambda registry: registry.concept)
PLACE: dict[str, Any] = {
    "shape": (2,),
    "dim": 2,
    "inputs": 2,
    "linear block": "output",
    "unit": wl.units.Neuron(wl.activations.tanh),
}
# Of these two lists one is longer than the other.
OTHERS = {("schedule", "piecewise"): wl.schedules.piecewise([1.0], [1.0, 0.0])}


def _errors() -> list[type]:
    """All classes of errors of the library."""
    found: list[type] = []
    left: list[type] = [Exception]
    while left:
        new = [kind for parent in (left.pop(),) for kind in parent.__subclasses__()]
        left += new
        found += [kind for kind in new if kind.__module__.startswith("widelimit")]
    return found


@pytest.mark.parametrize("way", COPIES)
def test_a_diverged_run_comes_out_of_another_process(way: str) -> None:
    unit = wl.units.Function(lambda theta, x: theta.a * x[0], columns=["a"])
    problem = wl.Problem(unit, wl.data.Samples([[1.0]], [0.0]))
    with pytest.raises(wl.EvolutionError) as caught:
        wl.evolve(problem, wl.Particles([[1.0]]), wl.SGD(4.0, sampling=wl.sampling.Full()), t1=4000.0)
    error: Any = caught.value
    again = COPIES[way](error)
    assert str(again) == str(error)
    np.testing.assert_array_equal(again.trajectory.risk, error.trajectory.risk)
    assert again.trajectory.outcome is wl.Outcome.DIVERGED


@pytest.mark.parametrize("way", COPIES)
def test_every_error_is_copied_whole(way: str) -> None:
    told = {wl.EvolutionError: ("words", [1.0]), ProblemFileError: ("run.toml", "[unit]", "words")}
    for kind in _errors():
        error = kind(*told.get(kind, ("words",)))
        again = COPIES[way](error)
        assert (type(again), str(again), vars(again)) == (kind, str(error), vars(error))


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.concept)
def test_every_registered_thing_is_copied_whole(registry: Registry, way: str) -> None:
    for entry in registry:
        own = OTHERS.get((registry.concept, entry.name))
        made = example(registry, entry, **PLACE) if own is None else own
        assert fingerprint(COPIES[way](made)) == fingerprint(made), entry.name
