"""Losses: what a prediction f costs when the target is y, for one data point."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.numerics.registry import Registry, positive


class Loss(eqx.Module):
    """loss(f, y) >= 0 for one data point; f and y have shape () or (C,), the value is a number.

    **Arguments**

    - `function`: JAX operations, differentiable in f.
    - `convex`: whether the loss is convex in f for every y. The optimality gap needs it; a loss of your own is
      taken as not convex unless you say so.
    - `nonnegative`: whether it never falls below zero; some optimality gaps rest on it.
    """

    function: Callable[[Any, Any], Float[Array, ""]]
    name: str = eqx.field(static=True, default="function")
    convex: bool = eqx.field(static=True, default=False)
    nonnegative: bool = eqx.field(static=True, default=False)

    def __call__(self, f: Any, y: Any) -> Float[Array, ""]:
        return self.function(f, y)


class _Squared(eqx.Module):
    factor: float = eqx.field(static=True)

    def __call__(self, f: Any, y: Any) -> Float[Array, ""]:
        return self.factor * jnp.sum((f - y) ** 2)


class _Huber(eqx.Module):
    threshold: float = eqx.field(static=True)

    def __call__(self, f: Any, y: Any) -> Float[Array, ""]:
        size = jnp.abs(f - y)
        inside = jnp.minimum(size, self.threshold)
        return jnp.sum(0.5 * inside**2 + self.threshold * (size - inside))


def _logistic(f: Any, y: Any) -> Float[Array, ""]:
    return jnp.sum(jnp.logaddexp(0.0, -y * f))


def squared(factor: float = 0.5) -> Loss:
    """`factor` |f - y|^2. 1/2 is the convention of yarotsky2018, rotskoff2018 and teacherstudent2020; mei2018 has 1.

    **Raises** `ValueError` unless factor > 0.
    """
    if not 0 < factor < float("inf"):
        raise ValueError(f"squared(factor=...): must be positive and finite, got {factor}.")
    return Loss(_Squared(float(factor)), "squared", convex=True, nonnegative=True)


def logistic() -> Loss:
    """log(1 + exp(-y f)), y = +-1; summed over the components of a vector output."""
    return Loss(_logistic, "logistic", convex=True, nonnegative=True)


def huber(threshold: float = 1.0) -> Loss:
    """(f - y)^2 / 2 up to |f - y| = `threshold`, linear beyond; summed over components.

    **Raises** `ValueError` unless threshold > 0.
    """
    if not 0 < threshold < float("inf"):
        raise ValueError(f"huber(threshold=...): must be positive and finite, got {threshold}.")
    return Loss(_Huber(float(threshold)), "huber", convex=True, nonnegative=True)


def square_factor(loss: Loss) -> float | None:
    """k of `squared(k)`; None for every other loss."""
    return loss.function.factor if isinstance(loss.function, _Squared) else None


registry = Registry("loss")
registry.add("squared", squared, factor=positive)
registry.add("logistic", logistic)
registry.add("huber", huber, threshold=positive)
