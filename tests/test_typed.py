"""The types that users see: a script of theirs is clean for a type checker, and a wrong one is not."""

import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
SCRIPT = """
"What a user writes after the README."

import jax
import jax.numpy as jnp
import numpy as np

import widelimit as wl

problem = wl.problems.isotropic_gaussians(delta=0.8, dim=40)
start = wl.laws.Normal(0.0, 0.8 / 40**0.5, dim=40)
small = problem.reduced()
first, second = jax.random.split(jax.random.key(0))
limit = wl.evolve(small, small.project(start), wl.TransportPDE(), t1=10.0)
net = wl.evolve(problem, start.sample(800, key=first), wl.SGD(step=1e-5), t1=10.0, key=second)
risks: np.ndarray = np.asarray(limit.risk) - np.interp(limit.times, net.times, net.risk)
page = wl.report.compare(limit=limit, network=net)
page.save("compare.html")

x, y = wl.data.load("sklearn:digits", classes=(3, 8))
digits = wl.Problem(
    wl.units.Neuron(wl.activations.tanh),
    wl.data.Samples(x, y),
    wl.losses.squared(0.5),
    penalty=wl.penalties.l2(1e-3),
)
law = wl.laws.product(
    output=wl.laws.Normal(0.0, 1.0), weight=wl.laws.Normal(0.0, 0.125, dim=64), bias=wl.laws.Atom(0.0)
)
run = wl.evolve(digits, law.quantise(256), wl.GradientFlow(), t1=1.0, observe=[wl.observables.Risk()])
last = run.final
predicted = digits.predict(last, x[:5])
best = wl.minimise(digits)
print(best.gap, float(jnp.max(predicted)), run.outcome.value)


class Wavelet(wl.units.AbstractUnit):
    frequency: float

    def blocks(self, inputs, outputs):
        return (wl.measure.Block("c", outputs), wl.measure.Block("w", (inputs,)))

    def __call__(self, theta, x):
        z = jnp.dot(theta.w, x)
        return theta.c * jnp.cos(self.frequency * z) * jnp.exp(-0.5 * z**2)


wavelets = wl.Problem(Wavelet(5.0), wl.data.Samples(x, y))
"""


def complaints(folder: pathlib.Path, script: str) -> list[str]:
    """What pyright says of a script that finds the package as an installed one."""
    (folder / "user.py").write_text(script)
    config = {"extraPaths": [str(ROOT / "src")], "typeCheckingMode": "standard", "pythonVersion": "3.11"}
    (folder / "pyrightconfig.json").write_text(json.dumps(config))
    command = ["-m", "pyright", "--threads", "1", "--outputjson", "--pythonpath", sys.executable, "user.py"]
    done = subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, text=True)
    return [said["message"] for said in json.loads(done.stdout)["generalDiagnostics"]]


def test_the_package_says_that_it_has_types():
    assert (ROOT / "src" / "widelimit" / "py.typed").exists()


@pytest.mark.slow
def test_a_users_script_is_clean(tmp_path):
    assert complaints(tmp_path, SCRIPT) == []


@pytest.mark.slow
def test_what_is_wrong_in_a_script_is_seen(tmp_path):
    wrong = SCRIPT + "\nwl.evolve(problem, start.sample(8, key=first), t1=1.0)\nlimit.risk.nothing\n"
    said = complaints(tmp_path, wrong)
    assert len(said) == 2
    assert 'Argument missing for parameter "dynamics"' in said[0]
