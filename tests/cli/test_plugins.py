"""`--plugin FILE.py`: a unit of one's own through the command line."""

import json
import sys

import pytest

from .conftest import TOML, call, refused, write_tiny

WAVELET = """
import jax.numpy as jnp
import widelimit as wl
from widelimit.numerics.registry import positive

class Wavelet(wl.units.AbstractUnit):
    frequency: float
    def blocks(self, inputs, outputs):
        return (wl.measure.Block("c", outputs), wl.measure.Block("w", (inputs,)))
    def __call__(self, theta, x):
        z = jnp.dot(theta.w, x)
        return theta.c * jnp.cos(self.frequency * z) * jnp.exp(-0.5 * z**2)

wl.units.registry.add("{name}", Wavelet, frequency=positive)
"""


@pytest.fixture(autouse=True)
def unknown_again(monkeypatch):
    """What a plugin registers is forgotten when its test ends."""
    import widelimit as wl
    from widelimit.runs.parse._problem_file import forget

    monkeypatch.setattr(wl.units.registry, "_entries", dict(wl.units.registry._entries))
    yield
    forget()
    for name in [name for name in sys.modules if name.startswith("plugin_own_")]:
        del sys.modules[name]


def problem_with(tmp_path, kind):
    return write_tiny(
        tmp_path, TOML.replace('kind = "neuron"\nactivation = "tanh"', f'kind = "{kind}"\nfrequency = 5.0')
    )


def plugin(tmp_path, text, name="own.py"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_a_unit_of_ones_own(tmp_path):
    path, own = problem_with(tmp_path, "wavelet"), plugin(tmp_path, WAVELET.format(name="wavelet"))
    assert "[unit] kind: 'wavelet' is not known" in refused("run", path, "--out", tmp_path / "out")
    result = call("run", path, "--out", tmp_path / "out", "--plugin", own, "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["problem"]["unit"] == "wavelet, frequency 5"
    (kept,) = json.loads((tmp_path / "out" / "plugins.json").read_text())["plugins"]
    assert kept["path"] == str(own)
    status = json.loads((tmp_path / "out" / "status.json").read_text())
    for command, state in (("resume", "stopped"), ("report", "finished")):
        (tmp_path / "out" / "status.json").write_text(json.dumps(status | {"state": state}))
        said = refused(command, tmp_path / "out")
        assert f"--plugin {own} is needed again: the run began with it" in said
        changed = plugin(tmp_path, WAVELET.format(name=f"wavelet_of_{command}"))
        assert "has changed since the run began" in refused(command, tmp_path / "out", "--plugin", changed)
        plugin(tmp_path, WAVELET.format(name="wavelet"))
        result = call(command, tmp_path / "out", "--plugin", own)
        assert result.code == 0, result.err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import widelimit as wl\nx = (", "own.py, line 2: SyntaxError"),
        ("import nonsense_of_mine", "own.py, line 1: ModuleNotFoundError"),
        ("\nraise SystemExit(3)", "own.py: ends the program (SystemExit)"),
        (WAVELET.format(name="neuron"), "line 14: ValueError: registry of unit: 'neuron' is registered already"),
        (WAVELET.format(name="bad").replace("frequency=positive", "freq=positive"), "takes no 'freq'"),
        (WAVELET.format(name="bad").replace(", frequency=positive", ""), "needs 'frequency'; say what it may be"),
        (
            WAVELET.format(name="bad").replace("theta.c *", "theta.q *"),
            "[unit]: Problem(unit=...): the unit fails on blocks c, w[2]",
        ),
        (
            WAVELET.format(name="bad").replace("def blocks", "def block"),
            "own.py: what it registers does not do what it is asked (TypeError: Can't instantiate abstract class",
        ),
        (
            WAVELET.format(name="bad").replace("return (wl", "(wl"),
            # TypeError; under the tests' checks of types their own.
            "own.py: what it registers does not do what it is asked (Type",
        ),
    ],
)
def test_what_is_wrong_in_a_plugin_is_said(tmp_path, text, expected):
    path, own = problem_with(tmp_path, "bad"), plugin(tmp_path, text)
    assert expected in refused("run", path, "--out", tmp_path / "out", "--plugin", own)


def test_a_plugin_that_is_not_there(tmp_path):
    path = problem_with(tmp_path, "bad")
    assert "no.py: cannot be read" in refused("run", path, "--out", tmp_path / "out", "--plugin", tmp_path / "no.py")


SEVERAL = """
import jax
import jax.numpy as jnp
import widelimit as wl
from widelimit.numerics.registry import given, number, positive

def bump(steepness=1.0):
    \"\"\"A bump. Its sides are as steep as said.

    - `steepness`: of both sides.
    \"\"\"
    return wl.activations.Activation(lambda z: jnp.exp(-steepness * z**2), name="bump", bound=1.0)

class Coin(wl.laws.AbstractLaw):
    size: float
    shape: tuple[int, ...]
    def __init__(self, size=1.0, dim=1):
        self.size, self.shape = size, () if dim == 1 else dim
    def draw(self, n, key):
        return self.size * jax.random.rademacher(key, (n, self.dim), jnp.float64)
    def from_cube(self, u):
        return self.size * (2.0 * (u > 0.5) - 1.0)

wl.activations.registry.add("bump", bump, steepness=positive)
wl.laws.registry.add("coin", Coin, size=positive, dim=given("dim"))
"""
OWN = (
    TOML.replace('"tanh"', '{ kind = "bump", steepness = 0.5 }') + '\n[start]\nweight = { law = "coin", size = 0.3 }\n'
)


@pytest.fixture
def other_registries(monkeypatch):
    import widelimit as wl

    for registry in (wl.activations.registry, wl.laws.registry):
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))


def test_an_activation_and_a_law_of_ones_own(tmp_path, other_registries):
    """Known to every command that takes a plugin and computes nothing."""
    path, own = write_tiny(tmp_path, OWN), plugin(tmp_path, SEVERAL)
    more = ("--plugin", own)
    assert "nothing was run" in call("run", path, *more, "--dry-run", "--set", "unit.activation.steepness=2").out
    assert "must be greater than 0" in refused("run", path, *more, "--set", "unit.activation.steepness=0")
    path.write_text(OWN + "[sweep.grid]\nunit.activation.steepness = [0.5, 1.0]\n")
    assert "2 runs, 2 to make" in call("sweep", path, *more, "--dry-run", "--out", tmp_path / "swept").out
    definitions = json.loads(call("schema", *more).out)["$defs"]
    assert definitions["bump"]["description"] == "A bump"
    assert definitions["bump"]["properties"]["steepness"]["description"] == "of both sides."
    assert definitions["coin"]["properties"]["law"]["const"] == "coin"


@pytest.mark.slow
def test_a_run_with_an_activation_and_a_law_of_ones_own(tmp_path, other_registries):
    path, own = write_tiny(tmp_path, OWN), plugin(tmp_path, SEVERAL)
    more, out = ("--plugin", own), tmp_path / "out"
    result = call("run", path, "--out", out, *more, "--json")
    assert result.code == 0, result.err
    said = json.loads(result.out)["problem"]
    assert said["unit"] == "neuron, activation bump, steepness 0.5, bias, output weight"
    assert "weight: coin, size 0.3" in said["start"]
    (out / "network-4-1.zarr" / "zarr.json").unlink()
    assert call("resume", out, *more).code == 0
    assert call("report", out, *more).code == 0


@pytest.mark.slow
def test_a_sweep_over_a_plugin(tmp_path, other_registries):
    """The workers load it too."""
    path, own = write_tiny(tmp_path, OWN + "[sweep.grid]\nunit.activation.steepness = [0.5]\n"), tmp_path / "own.py"
    plugin(tmp_path, SEVERAL)
    result = call("sweep", path, "--plugin", own, "--workers", "1", "--out", tmp_path / "out")
    assert result.code == 0, result.err
    assert "is needed again" in refused("resume", tmp_path / "out")
