"""Penalties on the parameters of one particle; the objective adds INT penalty(theta) rho(dtheta) to the risk."""

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.measure import Blocks
from widelimit.numerics.registry import Registry, left_to, number, several, text


class AbstractPenalty(eqx.Module):
    """penalty(theta) for one particle. A non-smooth one also has its proximal map.

    Penalties add: `l2(1e-3) + total_variation(1e-2)`.
    """

    @property
    @abc.abstractmethod
    def smooth(self) -> bool:
        """Whether its gradient is used; else its proximal map is."""

    @abc.abstractmethod
    def __call__(self, theta: Any) -> Float[Array, ""]: ...

    @abc.abstractmethod
    def prox(self, theta: Any, step: Any) -> Any:
        r"""$\arg\min_u\; \mathrm{penalty}(u) + \sum_b |u_b - \theta_b|^2 / (2 s_b)$; `step` has one number s_b a block.

        With s_b = s p_b this is the proximal map of step s in the metric of a mobility diag(p_b).
        """

    @abc.abstractmethod
    def check(self, blocks: Blocks) -> None:
        """Raise `ValueError` when the penalty names a block that is not among `blocks`."""

    def __add__(self, other: "AbstractPenalty") -> "Sum":
        return Sum(parts(self) + parts(other))


def parts(penalty: AbstractPenalty | None) -> tuple[AbstractPenalty, ...]:
    """The summands of a penalty."""
    if penalty is None:
        return ()
    return penalty.terms if isinstance(penalty, Sum) else (penalty,)


def _check_names(who: str, names: tuple[str, ...], blocks: Blocks) -> None:
    for name in names:
        if name not in [b.name for b in blocks]:
            raise ValueError(f"{who}: the unit has no block {name!r}; it has {', '.join(b.name for b in blocks)}.")


class L2(AbstractPenalty):
    strength: float = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)

    @property
    def smooth(self) -> bool:
        return True

    def __call__(self, theta: Any) -> Float[Array, ""]:
        blocks = [getattr(theta, name) for name in self.names or theta._fields]
        return self.strength * sum((jnp.sum(b**2) for b in blocks), jnp.zeros(()).astype(blocks[0].dtype))

    def prox(self, theta: Any, step: Any) -> Any:
        scaled = {
            name: getattr(theta, name) / (1.0 + 2.0 * self.strength * getattr(step, name))
            for name in self.names or theta._fields
        }
        return theta._replace(**scaled)

    def check(self, blocks: Blocks) -> None:
        _check_names("l2(blocks=...)", self.names, blocks)


class TotalVariation(AbstractPenalty):
    strength: float = eqx.field(static=True)
    block: str = eqx.field(static=True)

    @property
    def smooth(self) -> bool:
        return False

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

    def check(self, blocks: Blocks) -> None:
        return None


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
        if sum(not term.smooth for term in self.terms) > 1:
            named = [t.block for t in self.terms if isinstance(t, TotalVariation)]
            rough = [t for t in self.terms if not t.smooth]
            if len(named) != len(rough) or len(set(named)) != len(named):
                raise ValueError(
                    "penalty: two non-smooth terms must act on different blocks (their proximal maps "
                    "would not compose); merge them into one."
                )


def l2(strength: float, blocks: str | tuple[str, ...] | list[str] = ()) -> L2:
    r"""$\lambda |\theta|^2$ over all blocks, or over the named one or ones; lambda = `strength` >= 0.

    Under SGD this is the decay $(1 - 2 \lambda s_k)\theta$ of mei2018 (11). Raises `ValueError` for lambda < 0.
    """
    _check_strength("l2", strength)
    return L2(float(strength), (blocks,) if isinstance(blocks, str) else tuple(blocks))


def total_variation(strength: float, block: str) -> TotalVariation:
    r"""$\lambda |c|$ for the block c named `block` (Euclidean norm for a vector): the total variation of c rho.

    Not smooth: it is stepped by its proximal map, which sets charges to exactly zero.
    Raises `ValueError` for lambda < 0.
    """
    _check_strength("total_variation", strength)
    return TotalVariation(float(strength), block)


def function(penalty: Callable[[Any], Any], prox: Callable[[Any, Any], Any] | None = None) -> Function:
    """A penalty of your own: `penalty(theta)` for one particle, theta with one field a block.

    Give `prox(theta, step)` for a non-smooth one (see `AbstractPenalty.prox`); then its gradient is not used.
    """
    return Function(penalty, prox)


def _check_strength(who: str, strength: float) -> None:
    if not 0.0 <= strength < float("inf"):
        raise ValueError(f"{who}(strength=...): must be finite and not negative, got {strength}.")


registry = Registry("penalty")
_strength = number(least=0.0)
registry.add("l2", l2, strength=_strength, blocks=several(text))
registry.add("total_variation", total_variation, strength=_strength, block=left_to("linear block", text))
