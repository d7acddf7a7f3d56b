"""The fingerprint of a run: equal for the same run in another process, different for any other run."""

import copy
import functools
import os
import pathlib
import shutil
import subprocess
import sys
import threading
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.interpolate

import widelimit as wl
from widelimit import sampling, schedules
from widelimit.trajectory import fingerprint, observables

X = np.arange(6.0).reshape(3, 2)
Y = np.array([1.0, -1.0, 1.0])


def _captured(number: Any) -> Any:
    return lambda t: number * t


def _nested(outer: Any) -> Any:
    return outer


def _made(source: str, **space: Any) -> Any:
    """What `thing` is in a source text of its own, as in another session."""
    space |= {"jnp": jnp, "np": np, "eqx": eqx, "functools": functools, "__name__": "__main__"}
    exec(source, space)
    return space["thing"]


def _module(body: str, base: str = "") -> Any:
    """A unit whose function is a module without arrays."""
    bases = f"class Base(eqx.Module):\n    {base or 'pass'}\n"
    thing = _made(f"{bases}class Inner(Base):\n    {body}\n    def scale(self): return 2.0\nthing = Inner()\n")
    return wl.units.Function(thing, columns=["a"])


CALL = "def __call__(self, theta, x): return theta.a * jnp.{}(x[0])"


def _custom(factor: float) -> Any:
    @jax.custom_jvp
    def f(x: Any) -> Any:
        return x

    f.defjvps(lambda g, out, x: factor * g)
    return f


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
DIFFERENT: dict[str, tuple[Any, ...]] = {
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
    "call of a module": (_module(CALL.format("tanh")), _module(CALL.format("sin"))),
    "method of a base": (
        _module(CALL.format("tanh"), "def shift(self): return 1.0"),
        _module(CALL.format("tanh"), "def shift(self): return 2.0"),
    ),
    "class attribute": (
        _made("class thing: size = 1.0"),
        _made("class thing: size = 2.0"),
    ),
    "object": (
        _made("class A:\n    def __init__(self, n): self.n = n\nthing = A(1.0)"),
        _made("class A:\n    def __init__(self, n): self.n = n\nthing = A(2.0)"),
    ),
    "slots": tuple(
        _made(f"class A:\n    __slots__ = ('n',)\n    def __init__(self, n): self.n = n\nthing = A({n})")
        for n in (1, 2)
    ),
    "enum": tuple(_made(f"import enum\nclass A(enum.Enum):\n    X = {n}\nthing = A.X") for n in (1, 2)),
    "member": tuple(_made(f"import enum\nclass A(enum.Enum):\n    X, Y = 1, 2\nthing = A.{n}") for n in "XY"),
    "spline": tuple(scipy.interpolate.CubicSpline(np.arange(4.0), np.arange(4.0) ** k) for k in (2, 3)),
    "polynomial": (np.poly1d([1.0, 2.0]), np.poly1d([1.0, 3.0])),
    "set": ({1, 2}, {1, 3}),
    "range": (range(3), range(4)),
    "zero": (0.0, -0.0),
    "kind of number": (1, True),
    "nesting": (((1, 2), 3), (1, (2, 3))),
    "global": tuple(_made("def thing(t): return t * size", size=size) for size in (1.0, 2.0)),
    "global of a global": tuple(
        _made(f"def inner(t): return {size} * t\ndef thing(t): return inner(t)") for size in (1.0, 2.0)
    ),
    "attribute of a function": tuple(
        _made(f"def f(t): return f.size * t\nf.size = {size}\nthing = f") for size in (1.0, 2.0)
    ),
    "attribute": (_made("def thing(z): return z.real"), _made("def thing(z): return z.imag")),
    "argument": (_made("def thing(a, b): return a"), _made("def thing(b, a): return b")),
    "keyword only": (_made("def thing(a, b=1): return a"), _made("def thing(a, *, b=1): return a")),
    "cached": tuple(_made(f"@functools.cache\ndef thing(t): return {size} * t") for size in (1.0, 2.0)),
    "derivative rule": (_custom(1.0), _custom(2.0)),
    "rule of random numbers": (np.random.default_rng(0), np.random.default_rng(1)),
    "method of an object of a package": tuple(
        scipy.interpolate.CubicSpline(np.arange(4.0), np.arange(4.0) ** k).integrate for k in (2, 3)
    ),
    "method of an object of ours": tuple(_problem(unit=wl.units.RadialBasis(k)).potential for k in (1.0, 2.0)),
    "dressed in another's name": (jnp.sin, functools.wraps(jnp.sin)(lambda t: 2.0 * t)),
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


# Pairs of things that compute the same.
SAME: dict[str, tuple[Any, ...]] = {
    "order of a dictionary": ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    "names of locals, comments, lines": (
        _made("def thing(t):\n    a = 2.0 * t\n    return a"),
        _made("\n# Twice.\ndef thing(t):\n    b = 2.0 * t  # As above.\n\n    return b"),
    ),
    "an attribute that is also a global": tuple(_made("def thing(z): return z.size", size=size) for size in (1.0, 2.0)),
    "a global that is not used": tuple(_made("def thing(z): return z", size=size) for size in (1.0, 2.0)),
    "recursion": tuple(_made("def thing(n): return 1 if n == 0 else n * thing(n - 1)") for _ in range(2)),
    "each other": tuple(
        _made("def other(n): return thing(n - 1)\ndef thing(n): return n and other(n)") for _ in range(2)
    ),
    "another session": tuple(_module(CALL.format("tanh")) for _ in range(2)),
    "decorated": tuple(_made("import jax\nthing = jax.jit(jax.vmap(lambda t: t))") for _ in range(2)),
    "object": tuple(
        _made("class A:\n    def __init__(self): self.n, self.m = [1], 'x'\nthing = A()") for _ in range(2)
    ),
}


@pytest.mark.parametrize("name", list(SAME))
def test_does_not_change_with(name: str) -> None:
    one, other = SAME[name]
    assert one is not other
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize("name", ["relu", "tanh", "sigmoid", "softplus", "erf"])
def test_a_copy_is_the_same(name: str) -> None:
    problem = _problem(unit=wl.units.Neuron(getattr(wl.activations, name)))
    assert fingerprint(copy.deepcopy(problem)) == fingerprint(problem)


def test_what_a_property_keeps_does_not_count() -> None:
    thing = _made("class A:\n    @functools.cached_property\n    def slow(self): return 3\nthing = A()")
    before = fingerprint(thing)
    assert thing.slow == 3
    assert fingerprint(thing) == before


def test_what_cannot_be_seen_is_refused(tmp_path: pathlib.Path) -> None:
    with open(tmp_path / "file", "w") as file:
        for thing in (file, threading.Lock(), np.frompyfunc(lambda t: t, 1, 1), (n for n in range(3))):
            with pytest.raises(ValueError, match=r"fingerprint: problem\.part\[1\], its size is .* cannot be seen"):
                fingerprint({"problem": {"part": [1, _made("def thing(t): return t * size", size=thing)]}})


def test_a_module_of_ones_own_is_seen(tmp_path: pathlib.Path, monkeypatch: Any) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("used", "imported"):
        (tmp_path / f"own_{name}.py").write_text("size = 1.0\nother = 1.0\n")
    used, imported = (
        _made(text)
        for text in (
            "import own_used\ndef thing(t): return own_used.size * t",
            "def thing(t):\n    import own_imported\n    return own_imported.size * t",
        )
    )
    before = fingerprint(used), fingerprint(imported)
    assert before == (fingerprint(used), fingerprint(imported))
    import own_used  # pyright: ignore[reportMissingImports]

    own_used.other = 2.0
    assert fingerprint(used) == before[0]
    own_used.size = 2.0
    assert fingerprint(used) != before[0]
    (tmp_path / "own_imported.py").write_text("size = 2.0\n")
    assert fingerprint(imported) != before[1]


def test_the_library_counts(monkeypatch: Any, tmp_path: pathlib.Path) -> None:
    from widelimit.trajectory import _fingerprint

    before = fingerprint(_problem())
    found = _fingerprint.library()
    _fingerprint.library.cache_clear()
    package = tmp_path / "widelimit"
    shutil.copytree(pathlib.Path(wl.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(_fingerprint, "__file__", str(package / "trajectory" / "_fingerprint.py"))
    try:
        assert _fingerprint.library() == found
        _fingerprint.library.cache_clear()
        with open(package / "problem" / "losses.py", "a") as file:
            file.write("#")
        assert fingerprint(_problem()) != before
    finally:
        _fingerprint.library.cache_clear()


def test_pairs_of_functions_that_lead_to_one_another_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from widelimit.trajectory import _fingerprint

    # Each was looked at along every path to it once: 2^60 of them.
    source = "\n".join(f"def f{i}(t): return f{i + 1}(t) + f{i + 2}(t) if t else 0.0" for i in range(60))
    thing = _made(f"{source}\ndef f60(t): return t\ndef f61(t): return f0(t)\nthing = f0")
    looks = []
    look = _fingerprint._Walk._look
    monkeypatch.setattr(_fingerprint._Walk, "_look", lambda self, value: looks.append(0) or look(self, value))
    fingerprint(thing)
    assert 62 <= len(looks) < 62 * 62


_SCRIPT = """
import jax, jax.numpy as jnp, numpy as np, widelimit as wl
from widelimit.trajectory import fingerprint, observables
problem = wl.Problem(
    wl.units.Function(lambda theta, x: (lambda s: theta.a * jnp.sin(s))(x[0]), columns=["a"]),
    wl.data.Samples(np.arange(6.0).reshape(3, 2), np.ones(3)),
    penalty=wl.penalties.l2(0.1) + wl.penalties.total_variation(0.1, "a"),
    domain=wl.domains.Box(0.0, 1.0),
)
words = frozenset({"a", "bb", "ccc", "dd", (1, "e")})
dynamic = wl.SGD(0.1, schedule=lambda t: 1.0 + t + len(words), trainable=["a"], dtype=jnp.float32)
start = wl.Particles(np.ones((2, 1)))
mark = fingerprint(problem, dynamic, start, observables.default(problem), jax.random.key(3))
"""


def test_is_equal_across_processes(tmp_path: pathlib.Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(_SCRIPT + "print(mark)")
    outputs = {
        subprocess.run(
            [sys.executable, str(script)],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        ).stdout
        for seed in "123"
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
