"""Schedules: positive functions of time for steps, temperatures and batch sizes."""

import abc
import itertools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from widelimit.numerics import Module, real_number
from widelimit.numerics.registry import Registry, number, several


class AbstractSchedule(Module):
    """xi(t) for t >= 0."""

    jumps: ClassVar[bool] = False
    """Whether it takes a few values, one after the other."""

    @abc.abstractmethod
    def __call__(self, t: Any) -> Float[Array, ""]:
        """xi(t); JAX operations."""

    @abc.abstractmethod
    def integral(self, t: float) -> float:
        """tau = INT_0^t xi; on the host."""

    @property
    def singular(self) -> bool:
        """Whether xi(0) is infinite (then steps take xi at their right end)."""
        return False

    def values(self) -> list[float] | None:
        """All the values it takes, where they are few."""
        return None

    def largest(self) -> float | None:
        """sup xi, where it is known."""
        known = self.values()
        return None if known is None else max(known)


class Constant(AbstractSchedule):
    value: Float[Array, ""]

    def __call__(self, t: Any) -> Float[Array, ""]:
        return self.value

    def integral(self, t: float) -> float:
        return float(self.value) * t

    def values(self) -> list[float] | None:
        return None if isinstance(self.value, Tracer) else [float(self.value)]


class Power(AbstractSchedule):
    scale: Float[Array, ""]
    exponent: Float[Array, ""]
    falls: bool = eqx.field(static=True)

    def __call__(self, t: Any) -> Float[Array, ""]:
        return self.scale * jnp.asarray(t, self.scale.dtype) ** (-self.exponent)

    def integral(self, t: float) -> float:
        rest = 1.0 - float(self.exponent)
        return float(self.scale) * t**rest / rest

    @property
    def singular(self) -> bool:
        return self.falls


class Piecewise(AbstractSchedule):
    jumps = True
    times: Float[Array, " n"]
    levels: Float[Array, " m"]

    def __call__(self, t: Any) -> Float[Array, ""]:
        return self.levels[jnp.searchsorted(self.times, jnp.asarray(t, self.times.dtype), side="right")]

    def integral(self, t: float) -> float:
        edges = np.concatenate([[0.0], np.minimum(np.asarray(self.times), t), [t]])
        return float(np.sum(np.diff(edges) * np.asarray(self.levels)))

    def values(self) -> list[float]:
        return [float(level) for level in self.levels]


class Function(AbstractSchedule):
    function: Callable[[Any], Any]

    def __call__(self, t: Any) -> Float[Array, ""]:
        return jnp.asarray(self.function(t))

    def integral(self, t: float) -> float:
        import scipy.integrate

        value, error = scipy.integrate.quad(lambda s: float(self.function(s)), 0.0, t, limit=200)
        if not (error <= 1e-6 * abs(value) and 0 <= value < float("inf")):
            raise ValueError(
                f"schedules.function: its integral up to t = {t} must be finite, accurate and not negative, "
                f"got {value} +- {error}."
            )
        return float(value)


def constant(value: float) -> Constant:
    """xi = value >= 0."""
    return Constant(_leaf(value, "schedules.constant(value=...)"))


def power(exponent: float, scale: float = 1.0) -> Power:
    """xi(t) = scale t^(-exponent), 0 <= exponent < 1; mei2018 uses 1/4.

    xi(0) is infinite for a positive exponent: flows integrate in tau, and SGD takes s_k = eps xi((k + 1) eps).
    """
    if not 0.0 <= exponent < 1.0:
        raise ValueError(f"schedules.power(exponent=...): must lie in [0, 1), got {exponent}.")
    return Power(
        _leaf(scale, "schedules.power(scale=...)"), _leaf(exponent, "schedules.power(exponent=...)"), exponent > 0
    )


def piecewise(times: Sequence[float], values: Sequence[float]) -> Piecewise:
    """values[i] on [times[i-1], times[i]): one value more than times. A quench is `piecewise([5.0], [0.1, 0.0])`."""
    t = [float(value) for value in times]
    if (
        len(values) != len(t) + 1
        or any(a >= b for a, b in itertools.pairwise(t))
        or not all(0 < a < float("inf") for a in t)
    ):
        raise ValueError(
            "schedules.piecewise(times, values): needs increasing positive times and one value more than times; "
            f"got times {t} and {len(values)} values."
        )
    checked = [real_number(value, "schedules.piecewise(values=...)", least=0.0) for value in values]
    return Piecewise(jnp.asarray(t, float), jnp.asarray(checked, float))


def function(xi: Callable[[Any], Any]) -> Function:
    """A schedule of your own: xi(t) >= 0, JAX operations; its integral is computed by adaptive quadrature."""
    return Function(xi)


def as_schedule(value: Any, what: str) -> AbstractSchedule:
    """A number as a constant schedule, a function as a schedule of one's own."""
    if isinstance(value, AbstractSchedule):
        return value
    if callable(value):
        return function(value)
    return Constant(_leaf(value, what))


def _leaf(value: Any, what: str) -> Float[Array, ""]:
    """A checked number as an array; what is traced is not checked, and what is known stays known in traced code."""
    if isinstance(value, Tracer):
        return jnp.asarray(value, float)
    with jax.ensure_compile_time_eval():
        return jnp.asarray(real_number(value, what, least=0.0), float)


registry = Registry("schedule", plain="constant")
_level = number(least=0.0)
registry.add("constant", constant, value=_level)
registry.add("power", power, exponent=number(least=0.0, below=1.0), scale=_level)
registry.add("piecewise", piecewise, times=several(number(above=0.0)), values=several(_level))
