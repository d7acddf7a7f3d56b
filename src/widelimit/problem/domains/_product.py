"""The domain of a whole particle: one for each named block."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from widelimit.measure import Blocks
from widelimit.numerics import Module

from ._abstract import AbstractDomain
from ._box import Euclidean


class Product(Module):
    """A domain for each named block; R^D for the others. `product(knot=Box(0, 1), weight=Sphere())`.

    `near`: within a step, its particles where the step began, fields [N, *shape], and where it ended, once it has.
    """

    factors: tuple[tuple[str, AbstractDomain], ...]
    near: tuple[Any, ...] = ()

    def of(self, name: str) -> AbstractDomain:
        return dict(self.factors).get(name, Euclidean())

    @property
    def unconstrained(self) -> bool:
        return all(domain.free for _, domain in self.factors)

    @property
    def flat(self) -> bool:
        """Whether it is a piece of R^D without walls, a circle say: no velocity is projected there."""
        return not any(domain.walls or not domain.flat for _, domain in self.factors)

    @property
    def walls(self) -> bool:
        """Whether particles can sit on a wall."""
        return any(domain.walls for _, domain in self.factors)

    @property
    def bent(self) -> bool:
        """Whether a wall is not flat, so that a step along it leaves it: `near` counts there alone."""
        return any(domain.walls and not domain.box for _, domain in self.factors)

    @property
    def connected(self) -> bool | None:
        """Whether it has one piece, as a product of such has; None where it is not known."""
        known = [domain.connected for _, domain in self.factors]
        return False if False in known else None if None in known else True

    def tangent(self, theta: Any, velocity: Any) -> Any:
        fields = theta._asdict().items()
        return type(theta)(*(self.of(name).tangent(z, v) for (name, z), v in zip(fields, velocity, strict=True)))

    def projected(self, theta: Any, velocity: Any) -> Any:
        """The velocities of all particles, projected onto their tangent cones; fields [N, *shape]."""
        return jax.vmap(self.tangent)(self._each(_coned, theta, *self.near[:1]), velocity)

    def put_back(self, theta: Any) -> Any:
        """All particles put back into the domain; fields [N, *shape]."""
        return jax.vmap(self.retract)(self._each(_settled, theta, *self.near))

    def _each(self, move: Callable[..., Any], theta: Any, *near: Any) -> Any:
        if not near:
            return theta
        parts = zip(theta._fields, theta, *near, strict=True)
        return type(theta)(*(jax.vmap(partial(move, self.of(name)))(*others, z) for name, z, *others in parts))

    def retract(self, theta: Any) -> Any:
        return type(theta)(*(self.of(name).retract(z) for name, z in theta._asdict().items()))

    def on_wall(self, theta: Any) -> Bool[Array, ""]:
        """Whether one particle sits on a wall of one of its blocks."""
        return jnp.any(jnp.stack([self.of(name).on_wall(z) for name, z in theta._asdict().items()]))

    def contains(self, theta: Any) -> Bool[Array, ""]:
        return jnp.all(jnp.stack([self.of(name).contains(z) for name, z in theta._asdict().items()]))


def _coned(domain: AbstractDomain, start: Any, z: Any) -> Any:
    return domain.coned(start, z)


def _settled(domain: AbstractDomain, start: Any, *others: Any) -> Any:
    """The end of a step; or a point of one whose end is known: what sits on a wall at both ends slides along it."""
    *end, z = others
    return jnp.where(domain.on_wall(end[0]), domain.coned(start, z), z) if end else domain.settled(start, z)


def product(**factors: AbstractDomain) -> Product:
    """The product of domains by the name of the block; blocks that are not named are unbounded."""
    return Product(tuple(factors.items()))


def resolve(domain: "AbstractDomain | Product | None", blocks: Blocks) -> Product:
    """The domain of each of `blocks`: one domain stands for every block. Raises `ValueError` on a misfit."""
    names = [block.name for block in blocks]
    whole = () if domain is None else tuple((name, domain) for name in names)
    factors: dict[str, Any] = dict(domain.factors if isinstance(domain, Product) else whole)
    for name, factor in factors.items():
        if not isinstance(factor, AbstractDomain):
            raise ValueError(f"domain of {name!r}: expected one of widelimit.domains, got {factor!r}.")
        if name not in names:
            raise ValueError(f"domain: the unit has no block {name!r}; it has {', '.join(names)}.")
    for block in blocks:
        if block.name in factors:
            factors[block.name].check(block.name, block.shape)
            factors[block.name] = factors[block.name].fitted(block.shape)
    return Product(tuple(factors.items()))
