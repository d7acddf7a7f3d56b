"""One run on several devices and in several processes: the numbers of one device, one exchange a step."""

import os
import pathlib
import socket
import subprocess
import sys
from typing import Any

import jax
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh

import widelimit as wl

# The key of data's size is not the particles' number: 50 nodes, 64 particles of 5 numbers.
_SETUP = """
import re, sys, jax, numpy as np, widelimit as wl
from widelimit import integrators, sampling

rng = np.random.default_rng(0)
x = rng.normal(size=(50, 3))
problem = wl.Problem(
    wl.units.Neuron(wl.activations.tanh), wl.data.Samples(x, np.sin(x[:, 0])), penalty=wl.penalties.l2(0.01)
)
start = wl.Particles(rng.normal(size=(64, 5)))
dynamics = {
    "flow": wl.GradientFlow(integrators.Tsit5(1e-9, 1e-11)),
    "sgd": wl.SGD(0.01, batch=4, temperature=0.01),
    "epochs": wl.SGD(0.01, batch=4, sampling=sampling.Epochs(), dtype=jax.numpy.float32),
}

def go(name, **options):
    return wl.evolve(problem, start, dynamics[name], t1=1.0, save_at=[0.5], key=jax.random.key(4), **options)
"""

_SEVERAL = """
for name in sys.argv[2].split(","):
    for count in map(int, sys.argv[3].split(",")):
        end = go(name, devices=count)
        np.savez(f"{sys.argv[1]}/{name}-{count}.npz", positions=end.positions, risk=end.risk)
"""

_EXCHANGES = """
import equinox as eqx
from widelimit._evolve import _devices, _host, _verb
for kind, name, budget in [("flow", "flow", None), ("sgd", "sgd", None), ("tight", "flow", 5 * 50 * 64 // 4)]:
    cut = problem if budget is None else problem.with_budget(budget)
    runs = _verb.set_up(cut, [start], dynamics[name], 1.0, [jax.random.key(4)], None, None, None)
    shares = _devices.Shares.of(4, cut, dynamics[name], runs.weights[0])
    state, prepared = shares.placed(runs.states[0]), shares.widened(runs.watch.prepared)
    stop, most = jax.numpy.asarray(9), jax.numpy.asarray(8)
    text = _host._chunk.lower(runs.watch.dynamics, prepared, state, stop, most).compile().compiled.as_text()
    print(kind, re.findall(r"= (\\S+) (?:all-reduce|all-gather|all-to-all|collective-permute|reduce-scatter)\\(", text))
"""

_KILLED = """
import os, signal
from widelimit.trajectory import Folder
write = Folder.write

def once(self, *args):
    write(self, *args)
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[2] == "kill":
    Folder.write = once
end = go("sgd", checkpoint=wl.Checkpoint(sys.argv[1], every=0.0), devices=int(sys.argv[3]))
np.savez(sys.argv[1] + ".npz", positions=end.positions, risk=end.risk)
"""

_CONNECTED = """
import sys, widelimit as wl
wl.connect(sys.argv[2], processes=2, process=int(sys.argv[3]), timeout=60)
"""

_PROCESS = """
for name in ("flow", "sgd"):
    end = go(name, devices=4, checkpoint=sys.argv[1] + f"/{name}")
    np.savez(f"{sys.argv[1]}/{name}-{sys.argv[3]}.npz", positions=end.positions, risk=end.risk)
"""

_WAITS = """
import sys, widelimit as wl
try:
    wl.connect(sys.argv[1], processes=2, process=int(sys.argv[2]), timeout=0.5)
except TimeoutError as error:
    print(error)
"""


def start(code: str, *arguments: Any, devices: int = 1) -> "subprocess.Popen[str]":
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=os.environ | {"XLA_FLAGS": flags.strip()})


def ended(child: "subprocess.Popen[str]") -> str:
    out, err = child.communicate(timeout=300)
    assert child.returncode == 0, err
    return out


def address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture(scope="module")
def alone() -> dict[str, wl.Trajectory]:
    space: dict[str, Any] = {}
    exec(_SETUP, space)
    return {name: space["go"](name) for name in space["dynamics"]}


def same(path: pathlib.Path, name: str, alone: dict[str, wl.Trajectory]) -> None:
    found, digits = np.load(path), 1e-4 if name == "epochs" else 1e-12
    np.testing.assert_allclose(found["positions"], alone[name].positions, rtol=0, atol=digits)
    np.testing.assert_allclose(found["risk"], alone[name].risk, rtol=0, atol=digits)


def test_two_devices_give_the_numbers_of_one(alone: Any, tmp_path: pathlib.Path) -> None:
    ended(start(_SETUP + _SEVERAL, tmp_path, "sgd", "2", devices=2))
    same(tmp_path / "sgd-2.npz", "sgd", alone)


@pytest.mark.slow
def test_any_number_of_devices_gives_the_numbers_of_one(alone: Any, tmp_path: pathlib.Path) -> None:
    ended(start(_SETUP + _SEVERAL, tmp_path, "flow,sgd,epochs", "1,2,4,8", devices=8))
    for name in alone:
        for count in (1, 2, 4, 8):
            same(tmp_path / f"{name}-{count}.npz", name, alone)


@pytest.mark.slow
def test_a_step_exchanges_the_output_on_the_nodes_once() -> None:
    said = dict(line.split(" ", 1) for line in ended(start(_SETUP + _EXCHANGES, devices=4)).splitlines())
    # The flow's error estimate is one number more. Where the tables of one device's particles are all that fits, the
    # data are not cut either.
    once = "['f64[50]{0}', 'f64[]']"
    assert said == {"flow": once, "sgd": "['f64[4]{0}']", "tight": once}


@pytest.mark.slow
def test_a_run_killed_on_four_devices_goes_on_on_two(alone: Any, tmp_path: pathlib.Path) -> None:
    killed = start(_SETUP + _KILLED, tmp_path / "run", "kill", 4, devices=4)
    killed.communicate(timeout=300)
    assert killed.returncode == -9
    assert (tmp_path / "run" / "manifest.json").exists()
    ended(start(_SETUP + _KILLED, tmp_path / "run", "go on", 2, devices=2))
    same(tmp_path / "run.npz", "sgd", alone)


@pytest.mark.slow
def test_two_processes_share_a_run(alone: Any, tmp_path: pathlib.Path) -> None:
    place = address()
    both = [start(_CONNECTED + _SETUP + _PROCESS, tmp_path, place, i, devices=2) for i in range(2)]
    for child in both:
        ended(child)
    for name in ("flow", "sgd"):
        for i in range(2):
            same(tmp_path / f"{name}-{i}.npz", name, alone)
        assert (tmp_path / name / "manifest.json").exists()


@pytest.mark.first(1)
@pytest.mark.parametrize("process", [0, 1])
def test_who_waits_in_vain_says_where(process: int) -> None:
    place = address()
    said = ended(start(_WAITS, place, process))
    assert f"in vain for the {'process(es) 1' if process == 0 else 'first process'}" in said
    assert place in said


def _mesh(axis: str, kind: AxisType = AxisType.Auto) -> Mesh:
    return Mesh(np.array(jax.devices()[:1]), (axis,), axis_types=(kind,))


@pytest.mark.parametrize(
    ("devices", "words"),
    [
        (0, "expected 1 to"),
        (10**6, "the devices there are, got 1000000"),
        ([], "expected a number of devices"),
        (True, "expected a number of devices"),
        (_mesh("batch"), "the mesh has the axes batch; it needs one called 'particles'"),
        (_mesh("particles", AxisType.Explicit), "AxisType.Auto"),
    ],
)
def test_what_are_no_devices(devices: Any, words: str) -> None:
    problem = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(np.eye(2), np.ones(2)))
    with pytest.raises(ValueError, match=words) as caught:
        wl.evolve(problem, wl.Particles(np.ones((3, 4))), wl.SGD(0.1), t1=0.1, key=jax.random.key(0), devices=devices)
    assert str(caught.value).startswith("evolve(devices=...)")


def test_particles_that_do_not_divide(monkeypatch: pytest.MonkeyPatch) -> None:
    from widelimit._evolve import _devices

    problem = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(np.eye(2), np.ones(2)))
    four = Mesh(np.array(jax.devices() * 4), ("particles",), axis_types=(AxisType.Auto,))
    monkeypatch.setattr(_devices, "_mesh", lambda _: four)
    with pytest.raises(ValueError, match="6 particles cannot be shared out equally among 4 devices; take 4 or 8"):
        _devices.Shares.of(4, problem, wl.SGD(0.1), jax.numpy.ones(6))


def test_what_has_no_particles_to_share() -> None:
    line = wl.problems.isotropic_gaussians(delta=0.8, dim=40).reduced()
    with pytest.raises(ValueError, match="TransportPDE has no fixed particles"):
        wl.evolve(line, wl.laws.Uniform(0.1, 0.5, dim=1), wl.TransportPDE(cells=8), t1=0.1, devices=1)
    deep = wl.problems.wide_resnet(wl.data.Samples(np.eye(2), np.eye(2)), depth=2, activation=wl.activations.tanh)
    with pytest.raises(ValueError, match="come one after another"):
        wl.evolve(deep, deep.start(wl.laws.Atom(np.zeros(4)), width=2), wl.GradientFlow(), t1=0.1, devices=1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"address": "here"}, r'expected "host:port"'),
        ({"address": "here:70000"}, r'expected "host:port"'),
        ({"process": 2}, "expected 0 to 1, got 2"),
        ({"processes": 0}, "processes"),
        ({"timeout": 0.0}, "timeout"),
    ],
)
def test_what_cannot_connect(options: dict[str, Any], words: str) -> None:
    given = {"address": "localhost:8080", "processes": 2, "process": 1} | options
    with pytest.raises(ValueError, match=words):
        wl.connect(given.pop("address"), **given)
