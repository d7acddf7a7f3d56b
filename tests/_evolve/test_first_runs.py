"""What a first run waits for: how many programs are compiled, in a process that has compiled nothing."""

import subprocess
import sys

import pytest

_START = """
import collections, jax, numpy as np, widelimit as wl
counts = collections.Counter()
def count(event, seconds, **told):
    counts.update([event.rpartition("/")[2]])
jax.monitoring.register_event_duration_secs_listener(count)
x = np.linspace(-2.0, 2.0, 6)
problem = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(x, np.sin(x)))
normal = wl.laws.Normal(0.0, 1.0)
law = wl.laws.product(output=normal, weight=wl.laws.Normal(0.0, 1.0, dim=1), bias=normal)
line = wl.Problem(wl.units.Neuron(wl.activations.tanh, bias=False, output_weight=False), wl.data.Samples(x, np.sin(x)))
key = jax.random.key(0)

def told(name, run):
    counts.clear()
    run()
    first = counts["backend_compile_duration"]
    counts.clear()
    run()
    print(name, first, counts["backend_compile_duration"])
"""
_QUICK = """
told("sgd", lambda: wl.evolve(problem, law.sample(5, key=key), wl.SGD(0.1), t1=0.5, key=key))
"""
_ALL = """
told("flow", lambda: wl.evolve(problem, law.quantise(5), wl.GradientFlow(), t1=0.5))
told("tangent", lambda: wl.evolve(problem, law.quantise(5), wl.TangentFlow(), t1=0.5))
told("quantiles", lambda: wl.evolve(line, normal, wl.Quantiles(1e-6), t1=0.1))
told("pde", lambda: wl.evolve(line, normal, wl.TransportPDE(cells=20), t1=0.1))
told("jko", lambda: wl.evolve(line, normal, wl.JKO(0.1, particles=20), t1=0.1))
told("gap", lambda: wl.analysis.optimality_gap(problem, law.quantise(5)))
"""
# As many as there are, what is left over of the tiny ones that Python makes of single operations among them. A number
# that grows is a wait for everyone: look for an operation on arrays outside of compiled code.
_MOST = {"sgd": 11, "flow": 9, "tangent": 12, "quantiles": 6, "pde": 14, "jko": 11, "gap": 38}


@pytest.mark.parametrize("runs", [_QUICK, pytest.param(_ALL, marks=pytest.mark.slow)], ids=["sgd", "the others"])
def test_a_first_run_compiles_few_programs_and_a_second_none(runs: str) -> None:
    done = subprocess.run([sys.executable, "-c", _START + runs], capture_output=True, text=True, check=True)
    found = {name: (int(first), int(second)) for name, first, second in map(str.split, done.stdout.splitlines())}
    assert found
    assert {name: first for name, (first, _) in found.items() if first > _MOST[name]} == {}
    # Each compiles something, or nothing was counted.
    assert all(first > 2 for first, _ in found.values())
    assert {name: second for name, (_, second) in found.items() if second > 0} == {}
