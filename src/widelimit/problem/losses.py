"""Losses: what a prediction f costs when the target is y, for one data point."""

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.numerics import leaf
from widelimit.numerics.registry import Registry, positive


class AbstractLoss(eqx.Module):
    """loss(f, y) for one data point; f and y have shape () or (C,), the value is a number, differentiable in f.

    A new loss needs `__call__`. The other members are facts; one that is left out is not known.
    """

    @abc.abstractmethod
    def __call__(self, f: Any, y: Any) -> Float[Array, ""]: ...

    @property
    def name(self) -> str:
        """For printing and provenance; no fact is read from it."""
        return type(self).__name__.lower()

    @property
    def convex(self) -> bool:
        """Whether it is convex in f for every y. The optimality gap needs it."""
        return False

    @property
    def nonnegative(self) -> bool:
        """Whether it never falls below zero; some optimality gaps rest on it."""
        return False

    @property
    def square_factor(self) -> Float[Array, ""] | None:
        """k, where the loss is k |f - y|^2; None for every other loss. Exact integrals and linear theories need it."""
        return None

    def check(self, y: Float[Array, "n ..."]) -> None:
        """Raise `ValueError` for targets that the loss is not made for."""
        return None


class Loss(AbstractLoss):
    """A loss of your own.

    **Arguments**

    - `function`: loss(f, y), JAX operations, differentiable in f.
    - `name`: for printing.
    - `convex`, `nonnegative`: facts, see `AbstractLoss`; taken as not so unless you say so.
    """

    function: Callable[[Any, Any], Float[Array, ""]]
    name: str = eqx.field(static=True, default="function")
    convex: bool = eqx.field(static=True, default=False)
    nonnegative: bool = eqx.field(static=True, default=False)

    def __call__(self, f: Any, y: Any) -> Float[Array, ""]:
        return self.function(f, y)


class Squared(AbstractLoss):
    """`factor` |f - y|^2; see `squared`."""

    factor: Float[Array, ""]

    def __call__(self, f: Any, y: Any) -> Float[Array, ""]:
        return self.factor * jnp.sum((f - y) ** 2)

    @property
    def convex(self) -> bool:
        return True

    @property
    def nonnegative(self) -> bool:
        return True

    @property
    def square_factor(self) -> Float[Array, ""]:
        return self.factor


class Logistic(AbstractLoss):
    """log(1 + exp(-y f)); see `logistic`."""

    def __call__(self, f: Any, y: Any) -> Float[Array, ""]:
        return jnp.sum(jnp.logaddexp(0.0, -y * f))

    @property
    def convex(self) -> bool:
        return True

    @property
    def nonnegative(self) -> bool:
        return True

    def check(self, y: Float[Array, "n ..."]) -> None:
        labels = np.unique(np.asarray(y))
        if not np.all(np.abs(labels) == 1.0):
            other = labels[np.abs(labels) != 1.0]
            raise ValueError(
                f"losses.logistic: the targets must be labels -1 or +1, {len(other)} other values came, {other[0]:g} "
                "among them; map two classes to -1 and +1 (2 y - 1 for 0 and 1)."
            )


class Huber(AbstractLoss):
    """|f - y|^2 / 2 up to `threshold`, linear beyond; see `huber`."""

    threshold: Float[Array, ""]

    def __call__(self, f: Any, y: Any) -> Float[Array, ""]:
        size = jnp.abs(f - y)
        inside = jnp.minimum(size, self.threshold)
        return jnp.sum(0.5 * inside**2 + self.threshold * (size - inside))

    @property
    def convex(self) -> bool:
        return True

    @property
    def nonnegative(self) -> bool:
        return True


def squared(factor: Any = 0.5) -> Squared:
    """`factor` |f - y|^2. 1/2 is the convention of yarotsky2018, rotskoff2018 and teacherstudent2020; mei2018 has 1.

    **Raises** `ValueError` unless factor > 0.
    """
    return Squared(leaf(factor, "squared(factor=...)", above=0.0))


def logistic() -> Logistic:
    """log(1 + exp(-y f)), y = +-1; summed over the components of a vector output.

    A `Problem` raises `ValueError` for stored targets that are other numbers.
    """
    return Logistic()


def huber(threshold: Any = 1.0) -> Huber:
    """(f - y)^2 / 2 up to |f - y| = `threshold`, linear beyond; summed over components.

    **Raises** `ValueError` unless threshold > 0.
    """
    return Huber(leaf(threshold, "huber(threshold=...)", above=0.0))


registry = Registry("loss")
registry.add("squared", squared, factor=positive)
registry.add("logistic", logistic)
registry.add("huber", huber, threshold=positive)
