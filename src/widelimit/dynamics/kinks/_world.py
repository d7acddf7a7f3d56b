"""The samples during a step, and the forces on neurons in the cells between their lines."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from widelimit.problem.activations import Pieces
from widelimit.problem.integrals.bins import Line, Moments, moments, ridges, sums_over_samples
from widelimit.problem.units import Plane

from .._dynamics import Theta
from ._neurons import KinkedNeurons, Labels


class World(NamedTuple):
    """What does not change during a step.

    - `dual`: rho [s]; `together` [s]: that of all samples at one place.
    - `tiny` [2]: a force whose parts are no larger is rounding of 0.
    """

    on: Line
    pieces: Pieces
    dual: Float[Array, " s"]
    held: Moments
    together: Float[Array, " s"]
    tiny: Float[Array, "2"]
    plane: Plane


def world_of(neurons: KinkedNeurons, theta: Theta, plane: Plane | None = None) -> World:
    """The samples with the residuals of the particles, for neurons in `plane`: the particles, if left out."""
    on, at = neurons.on(), neurons.planes(theta)
    return frozen(on, neurons.pieces, neurons.dual(on, at), at if plane is None else plane)


def frozen(on: Line, pieces: Pieces, rho: Float[Array, " s"], plane: Plane) -> World:
    """The world of samples with the dual `rho`, from left to right."""
    together = jnp.zeros_like(rho).at[on.first].add(rho)[on.first]
    steep = jnp.max(jnp.abs(jnp.stack([jnp.asarray(slope, rho.dtype) for slope in pieces.slopes])))
    size = jnp.stack([jnp.sum(jnp.abs(rho * on.x)), jnp.sum(jnp.abs(rho))])
    return World(
        on, pieces, rho, moments(on, rho[:, None]), together, 64.0 * jnp.finfo(rho.dtype).eps * steep * size, plane
    )


class Side(NamedTuple):
    """SUM_j rho_j sigma(z_j) and the force SUM_j sigma'(z_j) rho_j X_j [N, 2], with the cell that they are of.

    - `right`: [N], whether neurons rise to the right there; `gaps`: [N, K], how many samples lie left of each knot.
    """

    value: Float[Array, " N"]
    force: Float[Array, "N 2"]
    right: Bool[Array, " N"]
    gaps: Int[Array, "N K"]


def below(world: World, w: Float[Array, "N 2"], label: Labels) -> Side:
    """The sums with each neuron below the lines it is on, whatever rounding says of the sign of z there."""
    right = w[:, 0] >= 0
    half = jnp.where(right, 0, world.on.x.shape[0] + 1)
    found = ridges(world.on, world.pieces, w[:, 0], w[:, 1])
    down = half[:, None] + place(world, w, label, jnp.zeros(label.shape, bool))
    rows = [jnp.where(label[:, k] >= 0, down[:, k], row) for k, row in enumerate(found.rows)]
    sums = sums_over_samples(found._replace(rows=tuple(rows)), world.held)
    force = jnp.concatenate([sums.tilted, sums.flat], axis=1)
    return Side(sums.whole[:, 0], force, right, jnp.stack(rows, axis=1) - half[:, None])


def place(world: World, w: Float[Array, "N 2"], sample: Labels, up: Bool[Array, "N K"]) -> Int[Array, "N K"]:
    """The gap of a knot that lies on a sample: above its line, a neuron that rises to the right has it left of that."""
    sample = jnp.maximum(sample, 0)
    return jnp.where(up == (w[:, :1] >= 0), world.on.first[sample], world.on.after[sample])


def turned(metric: Array, a: Any, b: Any) -> tuple[Array, Array]:
    """M (a, b) of each neuron, for numbers [N, ...]."""

    def entry(i: int, j: int) -> Array:
        return metric[:, i, j].reshape(-1, *(1,) * (jnp.ndim(a) - 1))

    return entry(0, 0) * a + entry(0, 1) * b, entry(1, 0) * a + entry(1, 1) * b


def velocity(world: World, a: Any, b: Any) -> tuple[Array, Array]:
    """-c M (a, b) under a force, for numbers [N, ...]."""
    c = -world.plane.charge.reshape(-1, *(1,) * (jnp.ndim(a) - 1))
    va, vb = turned(world.plane.metric, a, b)
    return c * va, c * vb


def pick(numbers: Array, kink: Int[Array, " N"]) -> Array:
    """Of numbers [N, K], each neuron's of its kink."""
    return numbers[:, 0] if numbers.shape[1] == 1 else jnp.take_along_axis(numbers, kink[:, None], axis=1)[:, 0]
