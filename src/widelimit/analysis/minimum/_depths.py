"""What is searched for its maximum: how far psi reaches down, as a function of the coordinates of a region."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.measure import join, split
from widelimit.numerics import compiled_quickly
from widelimit.problem import Potential, penalties
from widelimit.problem.units import feature

from ._regions import Region


class Settled(NamedTuple):
    """A penalty lambda_1 |c| + lambda_2 |c|^2 that settles the charge c of each particle; no best one is above `most`.

    Infinite where nothing is known.
    """

    size: Float[Array, ""]
    square: Float[Array, ""]
    most: Float[Array, ""]


class Depth(eqx.Module):
    """How far psi reaches down, as a function of u; `slope` bounds its derivative.

    `charges`: the least and the greatest value of a linear block that the region does not search. None: -psi itself.
    Both finite: -psi at the best charge between them. Of a free block, infinite on one side or on both: the
    correlation max -c . g(u) over the charges |c| <= 1 of a sign that is allowed, with g(u) = <R'(f), phi~(w, .)>:
    |g|, or |(-g)_+|, |(g)_+|; for a number of one sign -g or g itself, which is not flat where it is negative. What a
    charge costs is taken off its maximum. With `settled`: -psi itself at the best charge of a free block.
    """

    potential: Potential
    region: Region
    slope: Float[Array, ""] | None
    charges: tuple[float, float] | None = eqx.field(static=True)
    settled: Settled | None = None

    def __call__(self, u: Float[Array, " m"]) -> Float[Array, ""]:
        theta = self.region.theta(u)
        if self.charges is None:
            return -self.potential.at(theta)
        pull = _pull(self.potential, theta)
        if self.settled is not None:
            excess = jnp.maximum(_norm(self.pull(u)) - self.settled.size, 0.0)
            assert self.penalty is not None
            rest = self.penalty(_with_charge(self.potential, theta, jnp.zeros_like(pull)))
            return excess**2 / (4.0 * self.settled.square) - rest
        if not self.free:
            best = jnp.sum(jnp.maximum(self.charges[0] * pull, self.charges[1] * pull))
            # The penalty does not depend on the block that theta leaves one.
            return best if self.penalty is None else best - self.penalty(theta)
        if self.side != 0 and pull.ndim == 0:
            return self.side * pull
        return _norm(self.pull(u))

    def pull(self, u: Float[Array, " m"]) -> Float[Array, "..."]:
        """-g, or its part of the allowed sign: where the best charge points to."""
        pull = _pull(self.potential, self.region.theta(u))
        return pull if self.side == 0 else self.side * jnp.maximum(self.side * pull, 0.0)

    def row(self, u: Float[Array, " m"]) -> Float[Array, " D"]:
        """The particle there: with its best charge, where that is settled; else a linear block is one."""
        theta = self.region.theta(u)
        if self.settled is not None:
            pull = self.pull(u)
            size = _norm(pull)
            charge = jnp.maximum(size - self.settled.size, 0.0) / (2.0 * self.settled.square) * pull / size
            theta = _with_charge(self.potential, theta, charge)
        return join(self.potential.blocks, theta)

    @property
    def free(self) -> bool:
        """Whether it is a correlation."""
        return self.open and self.settled is None

    @property
    def open(self) -> bool:
        """Whether a charge that the region does not search is unbounded."""
        return self.charges is not None and not np.all(np.isfinite(self.charges))

    @property
    def side(self) -> int:
        """1 or -1 where a free charge has one sign, else 0."""
        lower, upper = self.charges if self.charges is not None and self.open else (-1.0, 1.0)
        return 1 if lower >= 0.0 else -1 if upper <= 0.0 else 0

    @property
    def penalty(self) -> penalties.AbstractPenalty | None:
        return None if self.free else self.potential.penalty

    @property
    def weight(self) -> float:
        """How many times the bounds on phi~ count: the largest |c|."""
        if self.settled is not None:
            return float(self.settled.most)
        if self.charges is None or self.free:
            return 1.0
        name = self.potential.unit.linear or ""
        return max(map(abs, self.charges)) * _size(self.potential, name) ** 0.5


def _pull(potential: Potential, theta: Any) -> Float[Array, "..."]:
    values = jax.vmap(lambda point: feature(potential.unit, theta, point))(potential.x)
    return -jnp.tensordot(values, potential.dual, axes=1)


def _size(potential: Potential, name: str) -> int:
    return next(block.size for block in potential.blocks if block.name == name)


def _norm(pull: Float[Array, "..."]) -> Float[Array, ""]:
    # The root's derivative is infinite at zero; searches never need it there.
    return jnp.sqrt(jnp.maximum(jnp.sum(pull**2), 1e-300))


def _with_charge(potential: Potential, theta: Any, charge: Float[Array, "..."]) -> Any:
    return theta._replace(**{potential.unit.linear or "": charge})


def depth(potential: Potential, region: Region, cost: penalties.Cost | None = None) -> Depth:
    """For any unit; `region` is that of its features where a linear block is free, `cost` what settles its charges."""
    name, charges = potential.unit.linear, None
    if name is not None and name not in region.names:
        lower, upper = region.domain.of(name).bounds(dict(potential.blocks)[name])
        charges = float(lower), float(upper)
    settled = None
    if cost is not None:
        excess = _tallest(potential, region) - cost.size
        # What is no number is not known; as the largest charge it would be 0, and certify anything.
        most = math.inf if math.isnan(excess) else max(0.0, excess) / (2.0 * cost.square)
        settled = Settled(jnp.asarray(cost.size), jnp.asarray(cost.square), jnp.asarray(most))
    plain = Depth(potential, region, None, charges, settled)
    slope = _correlation_slope(plain) if plain.free else _potential_slope(plain)
    return plain if slope is None else dataclasses.replace(plain, slope=jnp.asarray(slope))


def _tallest(potential: Potential, region: Region) -> float:
    """What |<R'(f), phi~(w, .)>| is nowhere above: by the unit's bound, or by its slope from the middle of a box."""
    unit, heights = potential.unit, sizes(potential.dual)
    if unit.bound is not None:
        return float(jnp.sum(heights) * unit.bound)
    per_point, box = facts(unit.lipschitz, potential), region.box
    if per_point is None or box is None:
        return math.inf
    middle, half = 0.5 * (box[0] + box[1]), 0.5 * float(np.linalg.norm(box[1] - box[0]))
    if region.directions:
        middle, half = np.zeros(region.size), region.radius
    theta = split(potential.blocks, jnp.ones(sum(block.size for block in potential.blocks)))
    theta = theta._replace(**split(region.searched, jnp.asarray(middle))._asdict())
    values = jnp.abs(jax.vmap(lambda x: feature(unit, theta, x))(potential.x))
    return float(jnp.sum(heights * (values + per_point * half)))


def facts(fact: Callable[[Any], Any], potential: Potential) -> Float[Array, "Q ..."] | None:
    """What the unit declares at each data point, or None."""
    if fact(potential.x[0]) is None:
        return None
    return jax.vmap(lambda x: jnp.asarray(fact(x)))(potential.x)


def sizes(dual: Float[Array, "Q ..."]) -> Float[Array, " Q"]:
    return jnp.sqrt(jnp.sum(dual.reshape(dual.shape[0], -1) ** 2, axis=1))


@compiled_quickly
def _correlation_slope(depth: Depth) -> Float[Array, ""] | None:
    per_point = facts(depth.potential.unit.lipschitz, depth.potential)
    return None if per_point is None else jnp.sum(sizes(depth.potential.dual) * per_point) * depth.region.radius


def _potential_slope(depth: Depth) -> float | None:
    """A Lipschitz constant of psi on a bounded region; None where the parts do not give one."""
    potential, region = depth.potential, depth.region
    per_point, box = facts(potential.unit.lipschitz, potential), region.box
    if per_point is None or box is None or not math.isfinite(depth.weight):
        return None
    heights = np.asarray(sizes(potential.dual))
    slope = float(np.sum(heights * np.asarray(per_point))) * region.radius * depth.weight
    reach = float(np.linalg.norm(np.maximum(np.abs(box[0]), np.abs(box[1])))) if not region.directions else 1.0
    linear = potential.unit.linear
    if linear is not None and linear in region.names:
        # psi = c . g(w): |d psi| <= |c| |dg| + |g| |dc|, and |g| <= |g(centre)| + its slope times the half-diagonal.
        low, high = region.domain.of(linear).bounds(dict(potential.blocks)[linear])
        charge = max(abs(low), abs(high)) * _size(potential, linear) ** 0.5
        centre = split(potential.blocks, jnp.asarray(0.5 * (box[0] + box[1])))
        values = jnp.abs(jax.vmap(lambda x: feature(potential.unit, centre, x))(potential.x))
        half = 0.5 * float(np.linalg.norm(box[1] - box[0]))
        height = float(jnp.sum(heights * (values + per_point * half)))
        slope = float(np.hypot(charge * slope, height))
    for term in penalties.parts(potential.penalty):
        # A direction u stands for radius u: it is as long, and moves as much faster.
        steepest = term.slope(region.names, reach * region.radius)
        if steepest is None:
            return None
        slope += steepest * region.radius
    return slope
