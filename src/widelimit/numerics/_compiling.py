"""Programs that run a few times: what they cost is their compilation."""

import functools
import os
from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
from jax.core import Tracer
from jaxtyping import PRNGKeyArray

F = TypeVar("F", bound=Callable[..., Any])

# Of XLA on a CPU. The fusion emitters lower every fusion through many stages of MLIR, and the last levels of LLVM's
# optimisation take half of what is left: together half of the compilation, for loops that are as fast within a quarter.
# From JAX 0.12 on there is nothing but the emitters, and no option for them.
_QUICK: dict[str, Any] = {"xla_cpu_use_fusion_emitters": False, "xla_backend_optimization_level": 1}


def compiled_quickly(function: F) -> F:
    """`equinox.filter_jit` for a program that runs a few times: half of its compilation is left out.

    Not for the body of a time loop. What `XLA_FLAGS` says stays; within another compiled function, and on other
    devices, it is plain `filter_jit`.
    """
    plain = eqx.filter_jit(function)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        # JAX takes options for a whole program only: inside of another one everything is traced, this number as well.
        if jax.default_backend() != "cpu" or isinstance(jax.device_put(0.0), Tracer):
            return plain(*args, **kwargs)
        if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves((args, kwargs))):
            return plain(*args, **kwargs)
        return _quick(function)(*args, **kwargs)

    return call  # type: ignore[return-value]


@compiled_quickly
def split_key(key: PRNGKeyArray, count: int) -> tuple[PRNGKeyArray, ...]:
    """`jax.random.split` as a tuple: outside of compiled code each of its parts would be a program of its own."""
    return tuple(jax.random.split(key, count))


@functools.cache
def _allowed(name: str, value: Any) -> bool:
    """Whether this XLA has the option: they come and go with its releases, and one that it has not is an error."""
    try:
        jax.jit(lambda: 0, compiler_options={name: value}).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True


@functools.cache
def _quick(function: Callable[..., Any]) -> Callable[..., Any]:
    given = os.environ.get("XLA_FLAGS", "")
    options = {name: value for name, value in _QUICK.items() if name not in given and _allowed(name, value)}
    # What equinox hands on to `jax.jit` is not in its overloads.
    told: Any = {"compiler_options": options} if options else {}
    return eqx.filter_jit(function, **told)
