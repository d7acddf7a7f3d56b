"""Programs that run a few times are compiled quickly."""

import jax
import jax.numpy as jnp
import pytest

from widelimit.numerics import compiled_quickly


@compiled_quickly
def _square(x):
    return jnp.sin(x) ** 2 + jnp.cos(x) ** 2 - 1.0 + x**2


def test_the_same_values_and_derivatives() -> None:
    x = jnp.linspace(-2.0, 2.0, 7)
    assert jnp.allclose(_square(x), x**2, rtol=0.0, atol=1e-15)
    assert jnp.allclose(jax.vmap(jax.grad(_square))(x), 2.0 * x, rtol=0.0, atol=1e-14)


def test_within_another_program_it_is_a_part_of_that(monkeypatch: pytest.MonkeyPatch) -> None:
    # The tests' own flags would leave no option to give.
    monkeypatch.delenv("XLA_FLAGS", raising=False)

    @compiled_quickly
    def cube(x):
        return x**3

    assert float(cube(2.0)) == 8.0
    # JAX refuses options there, also where no argument is traced.
    assert float(jax.jit(lambda x: cube(3.0) + cube(x))(2.0)) == 35.0


def test_the_options_are_those_that_nobody_gave(monkeypatch: pytest.MonkeyPatch) -> None:
    from widelimit.numerics import _compiling

    seen: list[dict] = []
    monkeypatch.setattr(_compiling.eqx, "filter_jit", lambda function, **given: seen.append(given) or function)
    monkeypatch.setattr(_compiling, "_allowed", lambda name, value: True)
    for flags in ("", "--xla_backend_optimization_level=3", " ".join(f"--{name}=1" for name in _compiling._QUICK)):
        monkeypatch.setenv("XLA_FLAGS", flags)
        _compiling._quick.__wrapped__(_square)
    assert seen == [
        {"compiler_options": _compiling._QUICK},
        {"compiler_options": {"xla_cpu_use_fusion_emitters": False}},
        {},
    ]


def test_an_option_that_this_xla_does_not_have_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from widelimit.numerics import _compiling

    monkeypatch.delenv("XLA_FLAGS", raising=False)
    monkeypatch.setattr(_compiling, "_QUICK", {"xla_of_another_time": True, "xla_backend_optimization_level": 1})
    assert not _compiling._allowed("xla_of_another_time", True)
    assert _compiling._allowed("xla_backend_optimization_level", 1)

    @compiled_quickly
    def cube(x):
        return x**3

    assert float(cube(2.0)) == 8.0
