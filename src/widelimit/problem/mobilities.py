"""Mobilities P(theta): the metric of the flow, d theta/dt = -P(theta) grad psi."""

import abc
from collections.abc import Callable
from typing import Any

from jaxtyping import Array, Float

from widelimit.measure import Blocks
from widelimit.numerics import Module, leaf
from widelimit.numerics.registry import Registry, by_name, number


class AbstractMobility(Module):
    """(theta, g) -> P(theta) g for one particle; theta and g have one field a block.

    A mobility of one's own writes `__call__`. Numbers are array leaves: another value compiles nothing.
    """

    @abc.abstractmethod
    def __call__(self, theta: Any, gradient: Any) -> Any: ...

    def scales(self, theta: Any) -> Any | None:
        """One constant number a block where P is such a diagonal (proximal maps and noise need it), else None."""
        return None

    def check(self, blocks: Blocks) -> None:
        """Raise `ValueError` when the mobility names a block that is not among `blocks`."""


class Identity(AbstractMobility):
    """P = 1."""

    def __call__(self, theta: Any, gradient: Any) -> Any:
        return gradient

    def scales(self, theta: Any) -> Any:
        return type(theta)(*(1.0 for _ in theta))


class Diagonal(AbstractMobility):
    """P = one number a block: `Diagonal(output=10.0, weight=1.0)`; 1 where not named, 0 freezes the block.

    Raises `ValueError` for a number that is negative or not finite.
    """

    numbers: dict[str, Float[Array, ""]]

    def __init__(self, **numbers: Any) -> None:
        self.numbers = {name: leaf(value, f"Diagonal({name}=...)", least=0.0) for name, value in numbers.items()}

    def __call__(self, theta: Any, gradient: Any) -> Any:
        return gradient._replace(**{name: value * getattr(gradient, name) for name, value in self.numbers.items()})

    def scales(self, theta: Any) -> Any:
        return type(theta)(*(self.numbers.get(name, 1.0) for name in theta._fields))

    def check(self, blocks: Blocks) -> None:
        allowed = [b.name for b in blocks]
        for name in self.numbers:
            if name not in allowed:
                raise ValueError(f"Diagonal({name}=...): the unit has no such block; it has {', '.join(allowed)}.")


class Function(AbstractMobility):
    """A mobility of your own: `function(theta, g)` gives P(theta) g with P symmetric, nonnegative."""

    function: Callable[[Any, Any], Any]

    def __call__(self, theta: Any, gradient: Any) -> Any:
        return self.function(theta, gradient)


registry = Registry("mobility", plain="diagonal")


def _diagonal(blocks: dict[str, float]) -> Diagonal:
    """One number a block, 1 where none is said; 0 freezes the block. `kind` and `blocks` may be left out."""
    return Diagonal(**blocks)


registry.add("diagonal", _diagonal, blocks=by_name(number(least=0.0)))
