"""Mobilities P(theta): the metric of the flow, d theta/dt = -P(theta) grad psi."""

import abc
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.measure import Blocks
from widelimit.numerics import Module, leaf
from widelimit.numerics.registry import Registry, by_name, number

from .units import AbstractUnit, Plane
from .units._canonical import lifted, turned


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

    def check_start(self, theta: Any) -> None:
        """Raise `ValueError` for particles [N, *shape] that this mobility cannot move."""

    def plane(self, unit: AbstractUnit, theta: Any) -> Plane | None:
        """One particle in the plane of its weight and bias, for what follows neurons across their kinks."""
        scales = self.scales(theta)
        return None if scales is None else unit.plane(theta, scales)

    def from_plane(self, unit: AbstractUnit, theta: Any, charge: Float[Array, ""], w: Float[Array, "2"]) -> Any:
        """theta, moved to where `plane` would give this charge and w."""
        return unit.from_plane(theta, charge, w)


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


class Lifted(AbstractMobility):
    r"""The metric that (r, angle) of `units.CanonicalReLU` inherit from the full weights (williams2019, Proposition 4).

    $P_\delta(r) = \mathrm{diag}\big(S, \frac{2}{S - \delta}\big)$, $S = \sqrt{\delta^2 + 4 r^2} = a^2 + b^2 + c^2$; the
    second is $1/(a^2 + b^2)$ (NOTATION). delta is frozen. At r = 0 with delta >= 0 a neuron has a = b = 0: it rests.
    """

    def __call__(self, theta: Any, gradient: Any) -> Any:
        r, delta = theta.r, theta.delta
        size = jnp.hypot(delta, 2.0 * r)
        rest = (r == 0) & (delta >= 0)
        # 1/(a^2 + b^2), without the difference of two near numbers.
        more = delta > 0
        twice = jnp.where(more, 4.0 * r**2 / jnp.where(more, size + delta, 1.0), size - delta)
        turn = 2.0 / jnp.where(rest, 1.0, twice)
        still = jnp.zeros_like(r)
        return gradient._replace(
            r=jnp.where(rest, still, size * gradient.r),
            angle=jnp.where(rest, still, turn * gradient.angle),
            delta=jnp.zeros_like(delta),
        )

    def check(self, blocks: Blocks) -> None:
        _need(self, blocks, ("r", "angle", "delta"))

    def plane(self, unit: AbstractUnit, theta: Any) -> Plane:
        charge, length = lifted(theta.r, theta.delta)
        direction = jnp.stack([jnp.cos(theta.angle), jnp.sin(theta.angle)])
        return Plane(charge, length * direction, 1.0, jnp.eye(2))

    def from_plane(self, unit: AbstractUnit, theta: Any, charge: Float[Array, ""], w: Float[Array, "2"]) -> Any:
        return theta._replace(r=charge * jnp.hypot(w[0], w[1]), angle=turned(theta.angle, w))


class Polar(AbstractMobility):
    r"""diag(1, 1/r^2): the flat metric of the plane in which r and the angle are polar coordinates, the sign of r kept.

    The limit of `Lifted` for delta -> +infinity in the time delta t. A neuron at r = 0 never moves.
    """

    def __call__(self, theta: Any, gradient: Any) -> Any:
        rest = theta.r == 0
        turn = jnp.where(rest, 0.0, 1.0 / jnp.where(rest, 1.0, theta.r**2))
        return gradient._replace(r=jnp.where(rest, 0.0, gradient.r), angle=turn * gradient.angle)

    def check(self, blocks: Blocks) -> None:
        _need(self, blocks, ("r", "angle"))

    def check_start(self, theta: Any) -> None:
        if bool(jnp.any(theta.r == 0)):
            raise ValueError(
                f"delta = +infinity: {int(jnp.sum(theta.r == 0))} neurons start at r = 0, where they have no sign and "
                "never move; give each an r that is not 0."
            )

    def plane(self, unit: AbstractUnit, theta: Any) -> Plane:
        direction = jnp.stack([jnp.cos(theta.angle), jnp.sin(theta.angle)])
        return Plane(jnp.where(theta.r < 0, -1.0, 1.0), jnp.abs(theta.r) * direction, 0.0, jnp.eye(2))

    def from_plane(self, unit: AbstractUnit, theta: Any, charge: Float[Array, ""], w: Float[Array, "2"]) -> Any:
        return theta._replace(r=charge * jnp.hypot(w[0], w[1]), angle=turned(theta.angle, w))


def _need(mobility: AbstractMobility, blocks: Blocks, names: tuple[str, ...]) -> None:
    if tuple(block.name for block in blocks) != names:
        raise ValueError(
            f"mobilities.{type(mobility).__name__} is for units.CanonicalReLU with the blocks {', '.join(names)}; this "
            f"unit has {', '.join(block.name for block in blocks)}."
        )


registry = Registry("mobility", plain="diagonal")


def _diagonal(blocks: dict[str, float]) -> Diagonal:
    """One number a block, 1 where none is said; 0 freezes the block. `kind` and `blocks` may be left out."""
    return Diagonal(**blocks)


registry.add("lifted", Lifted)
registry.add("polar", Polar)
registry.add("diagonal", _diagonal, blocks=by_name(number(least=0.0)))
