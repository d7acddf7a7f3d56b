"""The fingerprint of a run: equal for the same run in another process, different for any other run."""

import functools
import pathlib
import subprocess
import sys
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit import sampling, schedules
from widelimit.trajectory import fingerprint, observables

X = np.arange(6.0).reshape(3, 2)
Y = np.array([1.0, -1.0, 1.0])


def _captured(number: Any) -> Any:
    return lambda t: number * t


def _nested(outer: Any) -> Any:
    return outer


class Scaled(eqx.Module):
    number: float
    fixed: float = eqx.field(static=True, default=1.0)

    def __call__(self, t: Any) -> Any:
        return self.number * t

    def method(self, t: Any) -> Any:
        return self.number * t


def _problem(x: Any = X, unit: Any = None, **options: Any) -> wl.Problem:
    return wl.Problem(wl.units.Neuron(wl.activations.tanh) if unit is None else unit, wl.data.Samples(x, Y), **options)


# Pairs of things that differ in one respect.
DIFFERENT: dict[str, tuple[Any, Any]] = {
    "array": (_problem(), _problem(X + 1e-15 + 1e-12)),
    "dtype": (np.zeros(2), np.zeros(2, np.float32)),
    "shape": (np.zeros((2, 1)), np.zeros((1, 2))),
    "penalty": (_problem(penalty=wl.penalties.l2(0.1)), _problem(penalty=wl.penalties.l2(0.2))),
    "penalty name": (
        _problem(penalty=wl.penalties.total_variation(0.1, "output")),
        _problem(penalty=wl.penalties.total_variation(0.1, "bias")),
    ),
    "loss": (_problem(loss=wl.losses.huber(1.0)), _problem(loss=wl.losses.huber(2.0))),
    "mobility": (
        _problem(mobility=wl.mobilities.Diagonal(output=1.0)),
        _problem(mobility=wl.mobilities.Diagonal(output=2.0)),
    ),
    "domain": (_problem(domain=wl.domains.Box(0, 1)), _problem(domain=wl.domains.Box(0, 2))),
    "scale": (_problem(scale=wl.scales.Power(0.5)), _problem(scale=wl.scales.Power(0.6))),
    "activation": (_problem(), _problem(unit=wl.units.Neuron(wl.activations.erf))),
    "leaky": (
        _problem(unit=wl.units.Neuron(wl.activations.leaky_relu(0.1))),
        _problem(unit=wl.units.Neuron(wl.activations.leaky_relu(0.2))),
    ),
    "width": (_problem(unit=wl.units.RadialBasis(1.0)), _problem(unit=wl.units.RadialBasis(2.0))),
    "tolerance": (wl.GradientFlow(wl.integrators.Tsit5(1e-6)), wl.GradientFlow(wl.integrators.Tsit5(1e-7))),
    "integrator": (wl.GradientFlow(), wl.GradientFlow(wl.integrators.Tsit5())),
    "step": (wl.SGD(0.1), wl.SGD(0.2)),
    "precision": (wl.SGD(0.1), wl.SGD(0.1, dtype=jnp.float32)),
    "sampling": (wl.SGD(0.1, sampling=sampling.Epochs()), wl.SGD(0.1, sampling=sampling.Full())),
    "trainable": (wl.SGD(0.1, trainable=["output"]), wl.SGD(0.1, trainable=["bias"])),
    "schedule": (wl.SGD(0.1, schedule=schedules.power(0.1)), wl.SGD(0.1, schedule=schedules.power(0.2))),
    "key": (jax.random.key(0), jax.random.key(1)),
    "observables": ((observables.Risk(100),), (observables.Risk(200),)),
    "constant": (schedules.function(lambda t: 2.0 * t), schedules.function(lambda t: 3.0 * t)),
    "operator": (schedules.function(lambda t: t + t), schedules.function(lambda t: t * t)),
    "called": (schedules.function(lambda t: jnp.sin(t)), schedules.function(lambda t: jnp.cos(t))),
    "default": (schedules.function(lambda t, a=1.0: a * t), schedules.function(lambda t, a=2.0: a * t)),
    "keyword": (schedules.function(lambda t, *, a=1.0: a * t), schedules.function(lambda t, *, a=2.0: a * t)),
    "captured": (schedules.function(_captured(1.0)), schedules.function(_captured(2.0))),
    "captured array": (schedules.function(_captured(np.ones(2))), schedules.function(_captured(np.zeros(2)))),
    "captured module": (
        schedules.function(_captured(Scaled(1.0))),
        schedules.function(_captured(Scaled(2.0))),
    ),
    "nested": (
        schedules.function(_nested(lambda t: (lambda s: 2.0 * s)(t))),
        schedules.function(_nested(lambda t: (lambda s: 3.0 * s)(t))),
    ),
    "partial": (
        schedules.function(functools.partial(jnp.power, 2.0)),
        schedules.function(functools.partial(jnp.power, 3.0)),
    ),
    "module": (schedules.function(Scaled(1.0)), schedules.function(Scaled(2.0))),
    "static field": (schedules.function(Scaled(1.0, 1.0)), schedules.function(Scaled(1.0, 2.0))),
    "method": (schedules.function(Scaled(1.0).method), schedules.function(Scaled(2.0).method)),
    "compiled": (
        schedules.function(jax.jit(lambda t: 2.0 * t)),
        schedules.function(jax.jit(lambda t: 3.0 * t)),
    ),
}


@pytest.mark.parametrize("name", list(DIFFERENT))
def test_changes_with(name: str) -> None:
    one, other = DIFFERENT[name]
    assert fingerprint(one) != fingerprint(other)


def test_does_not_depend_on_the_object() -> None:
    assert fingerprint(_problem(), wl.SGD(0.1), jax.random.key(0)) == fingerprint(
        _problem(X.copy()), wl.SGD(0.1), jax.random.key(0)
    )
    assert fingerprint(schedules.function(_captured(1.0))) == fingerprint(schedules.function(_captured(1.0)))


_SCRIPT = """
import jax, jax.numpy as jnp, numpy as np, widelimit as wl
from widelimit.trajectory import fingerprint, observables
problem = wl.Problem(
    wl.units.Function(lambda theta, x: (lambda s: theta.a * jnp.sin(s))(x[0]), columns=["a"]),
    wl.data.Samples(np.arange(6.0).reshape(3, 2), np.ones(3)),
    penalty=wl.penalties.l2(0.1) + wl.penalties.total_variation(0.1, "a"),
    domain=wl.domains.Box(0.0, 1.0),
)
dynamic = wl.SGD(0.1, schedule=lambda t: 1.0 + t, trainable=["a"], dtype=jnp.float32)
start = wl.Particles(np.ones((2, 1)))
mark = fingerprint(problem, dynamic, start, observables.default(problem), jax.random.key(3))
"""


def test_is_equal_across_processes(tmp_path: pathlib.Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(_SCRIPT + "print(mark)")
    outputs = {
        subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(outputs) == 1
    assert len(outputs.pop().strip()) == 32


@pytest.mark.parametrize("decorate", [jax.vmap, jax.grad, jax.checkpoint])
def test_of_a_decorated_function_the_one_inside_counts(decorate):
    def made(power, scale):
        return decorate(lambda x: scale * x**power)

    assert fingerprint(made(2, 1.0)) == fingerprint(made(2, 1.0))
    assert fingerprint(made(2, 1.0)) != fingerprint(made(3, 1.0))
    assert fingerprint(made(2, 1.0)) != fingerprint(made(2, 1.5))
