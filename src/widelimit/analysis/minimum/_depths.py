"""What is searched for its maximum: how far psi reaches down, as a function of the coordinates of a region."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.measure import split
from widelimit.problem import Potential, penalties
from widelimit.problem.units import feature

from ._regions import Region


class Correlation(eqx.Module):
    """max -c . g(u) over the charges |c| <= 1, with g(u) = <R'(f), phi~(w, .)>: the Euclidean norm |g|.

    `side` +1 or -1 leaves the charges c >= 0 or c <= 0 only: then it is |(-g)_+| or |(g)_+|; for a number -g or g
    itself, which is not flat where it is negative. `slope` bounds the derivative in u.
    """

    potential: Potential
    region: Region
    slope: Float[Array, ""] | None
    side: int = eqx.field(static=True)

    def __call__(self, u: Float[Array, " m"]) -> Float[Array, ""]:
        if self.side != 0 and self.potential.dual.ndim == 1:
            return self.side * _pull(self.potential, self.region.theta(u))
        square = jnp.sum(self.pull(u) ** 2)
        # The root's derivative is infinite at zero; searches never need it there.
        return jnp.sqrt(jnp.maximum(square, 1e-300))

    def pull(self, u: Float[Array, " m"]) -> Float[Array, "..."]:
        """-g, or its part of the allowed sign: the best charge has this direction."""
        pull = _pull(self.potential, self.region.theta(u))
        return pull if self.side == 0 else self.side * jnp.maximum(self.side * pull, 0.0)

    @property
    def weight(self) -> float:
        """How many times the bounds on phi~ count."""
        return 1.0

    @property
    def penalty(self) -> None:
        """What it holds of a penalty: the cost of a charge is taken off the maximum."""
        return None


class Depth(eqx.Module):
    """-psi as a function of u; `slope` bounds its derivative.

    `charges`: the least and the greatest value of a linear block that is not searched: psi is the least over it.
    """

    potential: Potential
    region: Region
    slope: Float[Array, ""] | None
    charges: tuple[float, float] | None = eqx.field(static=True)

    def __call__(self, u: Float[Array, " m"]) -> Float[Array, ""]:
        theta = self.region.theta(u)
        if self.charges is None:
            return -self.potential.at(theta)
        pull = _pull(self.potential, theta)
        best = jnp.sum(jnp.maximum(self.charges[0] * pull, self.charges[1] * pull))
        # The penalty does not depend on the block that theta leaves one.
        return best if self.penalty is None else best - self.penalty(theta)

    @property
    def penalty(self) -> penalties.AbstractPenalty | None:
        return self.potential.penalty

    def pull(self, u: Float[Array, " m"]) -> Float[Array, "..."]:
        """-g: the best charge is the greatest where this is positive, the least where it is negative."""
        return _pull(self.potential, self.region.theta(u))

    @property
    def weight(self) -> float:
        """How many times the bounds on phi~ count: the largest |c|."""
        if self.charges is None:
            return 1.0
        name = self.potential.unit.linear or ""
        return max(map(abs, self.charges)) * _size(self.potential, name) ** 0.5


def _pull(potential: Potential, theta: Any) -> Float[Array, "..."]:
    values = jax.vmap(lambda point: feature(potential.unit, theta, point))(potential.x)
    return -jnp.tensordot(values, potential.dual, axes=1)


def _size(potential: Potential, name: str) -> int:
    return next(block.size for block in potential.blocks if block.name == name)


def correlation(potential: Potential, region: Region) -> Correlation:
    """For a unit with a free linear block; `region` is that of its features."""
    per_point = slopes(potential)
    slope = None if per_point is None else jnp.sum(sizes(potential.dual) * per_point) * region.radius
    name = potential.unit.linear
    assert name is not None
    lower, upper = region.domain.of(name).bounds(dict(potential.blocks)[name])
    return Correlation(potential, region, slope, 1 if lower >= 0.0 else -1 if upper <= 0.0 else 0)


def potential_depth(potential: Potential, region: Region) -> Depth:
    """For all other units; a linear block that `region` does not search is bounded."""
    name, charges = potential.unit.linear, None
    if name is not None and name not in region.names:
        charges = region.domain.of(name).bounds(dict(potential.blocks)[name])
    plain = Depth(potential, region, None, charges)
    slope = _potential_slope(plain)
    return Depth(potential, region, None if slope is None else jnp.asarray(slope), charges)


def slopes(potential: Potential) -> Float[Array, " Q"] | None:
    """The unit's Lipschitz constant at each data point, or None."""
    return facts(potential.unit.lipschitz, potential)


def facts(fact: Callable[[Any], Any], potential: Potential) -> Float[Array, " Q"] | None:
    """What the unit declares at each data point, or None."""
    if fact(potential.x[0]) is None:
        return None
    return jax.vmap(lambda x: jnp.asarray(fact(x)))(potential.x)


def sizes(dual: Float[Array, "Q ..."]) -> Float[Array, " Q"]:
    return jnp.sqrt(jnp.sum(dual.reshape(dual.shape[0], -1) ** 2, axis=1))


def _potential_slope(depth: Depth) -> float | None:
    """A Lipschitz constant of psi on a bounded region; None where the parts do not give one."""
    potential, region = depth.potential, depth.region
    per_point, box = slopes(potential), region.box
    if per_point is None or box is None:
        return None
    heights = sizes(potential.dual)
    slope = float(jnp.sum(heights * per_point)) * region.radius * depth.weight
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
