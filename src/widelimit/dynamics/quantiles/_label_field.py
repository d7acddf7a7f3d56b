r"""The velocity of a flow map X(label), with walls.

A particle that reaches a wall stays while the drift there points outward, so X gets a kink, which moves through the
labels as more particles arrive. The state is a smooth Y instead, and X is Y put back between the walls: behind a lower
wall at l, Y goes on with the drift mirrored at the point (l, v(l)),

$$v(l - s) = 2 v(l) - v(l + s e^{-(s/D)^2}),$$

twice differentiable at the wall and no faster than near it, while the particle's mass sits at l. When the drift at the
wall turns inward, Y is put back onto it (`release`).
"""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from widelimit.measure import join, split
from widelimit.problem import Problem
from widelimit.problem.data import require_nodes


class Wall(NamedTuple):
    """A finite end of the domain; `side` is 1 where the domain lies above it, -1 below."""

    place: Any
    side: float

    def depth(self, y: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """How far behind the wall; 0 in front of it."""
        return jnp.maximum(self.side * (self.place - y), 0.0)


def walls(problem: Problem) -> tuple[Wall, ...]:
    """The walls of a problem of one parameter. A circle has none: there X may go round, so that it stays smooth."""
    domain = problem.domain.of(problem.blocks[0].name)
    if domain.period is not None:
        return ()
    if not domain.box:
        raise ValueError(f"Quantiles: the domain must be a line, an interval or a circle, got {domain!r}.")
    lower, upper = domain.bounds(problem.blocks[0].shape)
    ends = Wall(lower, 1.0), Wall(upper, -1.0)
    # What is infinite is a number even where sides are traced.
    return tuple(wall for wall in ends if not (isinstance(wall.place, float) and math.isinf(wall.place)))


def behind(problem: Problem, y: Float[Array, "K n"]) -> Bool[Array, "K n"]:
    """Which nodes are behind a wall."""
    return sum((wall.depth(y) > 0 for wall in walls(problem)), jnp.zeros(y.shape, bool))


def between_walls(problem: Problem, y: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """X: what is behind a wall put onto it."""
    for wall in walls(problem):
        y = jnp.where(wall.depth(y) > 0, wall.place, y)
    return y


def theta_of(problem: Problem, y: Float[Array, "..."]) -> Any:
    """The nodes as the named blocks of particles, in the domain."""
    return problem.retract(split(problem.blocks, y.reshape(-1, 1)))


class Drift(NamedTuple):
    """Velocities of the nodes, drifts at the walls (inward positive), and the power -INT grad psi . v d rho."""

    nodes: Float[Array, "K n"]
    inward: Float[Array, " _"]
    power: Float[Array, ""]


class LabelField(eqx.Module):
    """The velocity of Y. `weights`: the nodes' masses; `size`: the length D above."""

    problem: Problem
    weights: Float[Array, "K n"]
    size: Float[Array, ""]

    def drift(self, y: Float[Array, "K n"]) -> Drift:
        ends = walls(self.problem)
        depths = [wall.depth(y) for wall in ends]
        seen, masses = y, self.weights
        for wall, depth in zip(ends, depths, strict=True):
            mirrored = wall.place + wall.side * depth * jnp.exp(-((depth / self.size) ** 2))
            seen, masses = jnp.where(depth > 0, mirrored, seen), jnp.where(depth > 0, 0.0, masses)
        # The walls are particles too, with the mass of all nodes behind them.
        held = [jnp.sum(jnp.where(depth > 0, self.weights, 0.0)) for depth in depths]
        places = jnp.append(seen, jnp.asarray([wall.place for wall in ends]))
        slope, free = self._free(places, jnp.append(masses, jnp.asarray(held)))
        nodes, at = free[: y.size].reshape(y.shape), free[y.size :]
        power = -jnp.sum(masses * slope[: y.size].reshape(y.shape) * nodes)
        inward = at * jnp.asarray([wall.side for wall in ends])
        if ends:
            power -= jnp.sum(jnp.where(inward > 0, jnp.asarray(held) * slope[y.size :] * at, 0.0))
        for depth, v in zip(depths, at, strict=True):
            nodes = jnp.where(depth > 0, 2.0 * v - nodes, nodes)
        return Drift(nodes, inward, power)

    def release(self, y: Float[Array, "K n"]) -> tuple[Float[Array, "K n"], Bool[Array, ""]]:
        """Y with the nodes behind a wall put onto it where the drift turned inward, and whether any were."""
        ends = walls(self.problem)
        if not ends:
            return y, jnp.asarray(False)
        inward = jax.lax.cond(
            jnp.any(behind(self.problem, y)), lambda: self.drift(y).inward, lambda: -jnp.ones(len(ends))
        )
        freed = y
        for wall, v in zip(ends, inward, strict=True):
            freed = jnp.where((wall.depth(y) > 0) & (v > 0), wall.place, freed)
        return freed, jnp.any(freed != y)

    def _free(self, places: Float[Array, " M"], masses: Float[Array, " M"]) -> tuple[Any, Any]:
        """grad psi and -P grad psi at each place, walls not felt."""
        problem, theta = self.problem, theta_of(self.problem, places)
        gradient = problem.variation(theta, masses, require_nodes(problem.data, "Quantiles")).gradient
        slope = join(problem.blocks, gradient)[:, 0]
        return slope, -join(problem.blocks, jax.vmap(problem.mobility)(theta, gradient))[:, 0]
