"""Penalties on the parameters of one particle; the objective adds INT penalty(theta) rho(dtheta) to the risk."""

import abc
import math
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float

from widelimit.measure import Blocks
from widelimit.numerics import Module, Number, known, leaf
from widelimit.numerics.registry import Registry, left_to, number, several, text


class Cost(NamedTuple):
    """`size` |z| + `square` |z|^2 of one block z (Euclidean norms)."""

    size: float
    square: float


class Bend(NamedTuple):
    """Second derivatives along any line are at most `most` in size, but where a number is one of `kinks`.

    With `kinks` nothing is said of a block of several numbers, whose norm bends without bound near zero.
    """

    most: float
    kinks: tuple[float, ...]


class AbstractPenalty(Module):
    """penalty(theta) for one particle. A non-smooth one also has its proximal map.

    Penalties add: `l2(1e-3) + total_variation(1e-2)`. A penalty of one's own writes `__call__`, and where its gradient
    must not be used `smooth` (False) and `prox`. The rest are facts: left out they mean "not known", and certificates
    are not given that need them.

    - `nonnegative`: whether it is never below zero.
    - `touches`, `cost`, `slope`, `bend`: how it depends on its blocks. These run on the host.

    Strengths are array leaves: another value compiles nothing, and they have derivatives.
    """

    smooth: ClassVar[bool] = True
    """Whether its gradient is used; else its proximal map is."""
    nonnegative: ClassVar[bool] = False

    @abc.abstractmethod
    def __call__(self, theta: Any) -> Float[Array, ""]: ...

    def prox(self, theta: Any, step: Any) -> Any:
        r"""$\arg\min_u\; \mathrm{penalty}(u) + \sum_b |u_b - \theta_b|^2 / (2 s_b)$; `step` has one number s_b a block.

        With s_b = s p_b this is the proximal map of step s in the metric of a mobility diag(p_b).
        """
        raise ValueError(f"{type(self).__name__} has no proximal map; a penalty that is not smooth needs `prox`.")

    def check(self, blocks: Blocks) -> None:
        """Raise `ValueError` when the penalty names a block that is not among `blocks`."""

    def touches(self, name: str) -> bool:
        """Whether the penalty may depend on the block `name`."""
        return True

    def cost(self, name: str) -> Cost | None:
        """What it costs of the block `name`, where all else that it costs is free of this block and not negative."""
        return None if self.touches(name) else Cost(0.0, 0.0)

    def slope(self, names: tuple[str, ...], reach: float) -> float | None:
        """A Lipschitz constant in the blocks `names` together, where they are at most `reach` long."""
        costs = known([self.cost(name) for name in names])
        if costs is None:
            return None
        square = max((cost.square for cost in costs), default=0.0)
        return math.hypot(*(cost.size for cost in costs)) + 2.0 * reach * square

    def bend(self, names: tuple[str, ...]) -> Bend | None:
        """The second derivatives in the blocks `names`."""
        costs = known([self.cost(name) for name in names])
        if costs is None:
            return None
        kinks = (0.0,) if any(cost.size > 0 for cost in costs) else ()
        return Bend(2.0 * max((cost.square for cost in costs), default=0.0), kinks)

    def of_lengths(self, block: str, lengths: str) -> "AbstractPenalty | None":
        """The same penalty with the block replaced by the lengths of its groups of coordinates; None where it is not
        known to depend on the block by |z| alone."""
        return None if self.touches(block) else self

    def __add__(self, other: "AbstractPenalty") -> "Sum":
        return Sum(parts(self) + parts(other))


def parts(penalty: AbstractPenalty | None) -> tuple[AbstractPenalty, ...]:
    """The summands of a penalty."""
    if penalty is None:
        return ()
    return penalty.terms if isinstance(penalty, Sum) else (penalty,)


def _positive(strength: Any) -> bool:
    """Whether a strength counts; a traced one may."""
    return isinstance(strength, Tracer) or float(strength) > 0.0


def _check_names(who: str, names: tuple[str, ...], blocks: Blocks) -> None:
    for name in names:
        if name not in [b.name for b in blocks]:
            raise ValueError(f"{who}: the unit has no block {name!r}; it has {', '.join(b.name for b in blocks)}.")


class L2(AbstractPenalty):
    r"""$\lambda |\theta|^2$ over all blocks, or over the named one or ones; lambda = `strength` >= 0.

    Under SGD this is the decay $(1 - 2 \lambda s_k)\theta$ of mei2018 (11). Raises `ValueError` for lambda < 0.
    """

    strength: Number = eqx.field(converter=lambda strength: leaf(strength, "l2(strength=...)", least=0.0))
    blocks: tuple[str, ...] = eqx.field(
        static=True, converter=lambda blocks: (blocks,) if isinstance(blocks, str) else tuple(blocks), default=()
    )
    nonnegative = True

    def __call__(self, theta: Any) -> Float[Array, ""]:
        blocks = [getattr(theta, name) for name in self.blocks or theta._fields]
        return self.strength * sum((jnp.sum(b**2) for b in blocks), jnp.zeros(()).astype(blocks[0].dtype))

    def prox(self, theta: Any, step: Any) -> Any:
        names = self.blocks or theta._fields
        shrunk = {n: getattr(theta, n) / (1.0 + 2.0 * self.strength * getattr(step, n)) for n in names}
        return theta._replace(**shrunk)

    def check(self, blocks: Blocks) -> None:
        _check_names("l2(blocks=...)", self.blocks, blocks)

    def touches(self, name: str) -> bool:
        return (not self.blocks or name in self.blocks) and _positive(self.strength)

    def cost(self, name: str) -> Cost:
        return Cost(0.0, float(self.strength) if self.touches(name) else 0.0)

    def of_lengths(self, block: str, lengths: str) -> "L2":
        return L2(self.strength, tuple(lengths if name == block else name for name in self.blocks))


class TotalVariation(AbstractPenalty):
    r"""$\lambda |c|$ for the block c named `block` (Euclidean norm for a vector): the total variation of c rho.

    Not smooth: it is stepped by its proximal map, which sets charges to exactly zero.
    Raises `ValueError` for lambda < 0.
    """

    strength: Number = eqx.field(converter=lambda s: leaf(s, "total_variation(strength=...)", least=0.0))
    block: str = eqx.field(static=True)
    smooth = False
    nonnegative = True

    def __call__(self, theta: Any) -> Float[Array, ""]:
        charge = getattr(theta, self.block)
        if charge.ndim == 0:
            return self.strength * jnp.abs(charge)
        square = jnp.sum(charge**2)
        # The derivative of the norm at zero is taken as zero, not as NaN.
        return self.strength * jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1.0)), 0.0)

    def prox(self, theta: Any, step: Any) -> Any:
        charge = getattr(theta, self.block)
        size = jnp.sqrt(jnp.sum(charge**2))
        shrink = self.strength * getattr(step, self.block)
        # Exactly zero inside the threshold: neurons that are switched off stay off.
        kept = jnp.where(size > shrink, 1.0 - shrink / jnp.where(size > 0, size, 1.0), 0.0)
        return theta._replace(**{self.block: charge * kept})

    def check(self, blocks: Blocks) -> None:
        _check_names("total_variation(block=...)", (self.block,), blocks)

    def touches(self, name: str) -> bool:
        return name == self.block and _positive(self.strength)

    def cost(self, name: str) -> Cost:
        return Cost(float(self.strength) if self.touches(name) else 0.0, 0.0)

    def of_lengths(self, block: str, lengths: str) -> "TotalVariation":
        return TotalVariation(self.strength, lengths if self.block == block else self.block)


class Function(AbstractPenalty):
    function: Callable[[Any], Float[Array, ""]]
    proximal: Callable[[Any, Any], Any] | None

    @property
    def smooth(self) -> bool:
        return self.proximal is None

    def __call__(self, theta: Any) -> Float[Array, ""]:
        return self.function(theta)

    def prox(self, theta: Any, step: Any) -> Any:
        if self.proximal is None:
            raise ValueError("function(prox=...): a smooth penalty has no proximal map.")
        return self.proximal(theta, step)


class Sum(AbstractPenalty):
    """A sum of penalties: `l2(...) + total_variation(...)`."""

    terms: tuple[AbstractPenalty, ...]

    @property
    def smooth(self) -> bool:
        return all(term.smooth for term in self.terms)

    def __call__(self, theta: Any) -> Float[Array, ""]:
        values = [term(theta) for term in self.terms]
        return sum(values[1:], values[0])

    def prox(self, theta: Any, step: Any) -> Any:
        """The maps of the non-smooth terms, one after the other: right because they act on different blocks."""
        for term in self.terms:
            if not term.smooth:
                theta = term.prox(theta, step)
        return theta

    def check(self, blocks: Blocks) -> None:
        for term in self.terms:
            term.check(blocks)
        rough = [term for term in self.terms if not term.smooth]
        if any(sum(term.touches(block.name) for term in rough) > 1 for block in blocks):
            raise ValueError(
                "penalty: two non-smooth terms must act on different blocks (their proximal maps "
                "would not compose); merge them into one."
            )

    @property
    def nonnegative(self) -> bool:
        return all(term.nonnegative for term in self.terms)

    def touches(self, name: str) -> bool:
        return any(term.touches(name) for term in self.terms)

    def cost(self, name: str) -> Cost | None:
        costs = known([term.cost(name) for term in self.terms])
        return None if costs is None else Cost(*map(sum, zip(*costs, strict=True)))


def function(penalty: Callable[[Any], Any], prox: Callable[[Any, Any], Any] | None = None) -> Function:
    """A penalty of your own: `penalty(theta)` for one particle, theta with one field a block.

    Give `prox(theta, step)` for a non-smooth one (see `AbstractPenalty.prox`); then its gradient is not used.
    """
    return Function(penalty, prox)


l2 = L2
total_variation = TotalVariation

registry = Registry("penalty")
_strength = number(least=0.0)
registry.add("l2", l2, strength=_strength, blocks=several(text))
registry.add("total_variation", total_variation, strength=_strength, block=left_to("linear block", text))
