"""The data's part of grad psi and f by automatic differentiation, for units of many parameters.

It needs no table of second derivatives: K directions of N particles on Q nodes take as long as K networks.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.measure import join, split
from widelimit.numerics import entries, sum_chunks

from ._jets import Directions, Jet, Setting, pushed


def gradient(setting: Setting, directions: Directions, rows: Jet, relative: Float[Array, "Q M K"]) -> Jet:
    """The data's part of grad psi [N, D]; `relative`: the perturbations of the data's weights, or none at all."""
    task, blocks = setting.problem.task("the expansion"), setting.problem.blocks
    mass, share = directions
    x, y, mu = setting.nodes

    def piece(x: Any, y: Any, r: Any, mu: Any) -> Jet:
        def force(at: tuple[Any, Any, Any]) -> Any:
            z, w, weights = at
            return join(blocks, jax.grad(task.batch_risk)(split(blocks, z), w, x, y, weights))

        noise = jnp.moveaxis(mu[:, None, None] * r, 0, 2) if r.size else jnp.zeros((*share.shape, len(mu)))
        second = (rows.second, jnp.zeros((len(share), len(setting.p))), jnp.zeros((len(share), len(mu))))
        return pushed(force, Jet((rows.value, setting.p, mu), (rows.first, mass, noise), second), share)

    return sum_chunks(piece, (x, y, relative), mu, piece_of(setting, directions))


def outputs(setting: Setting, directions: Directions, rows: Jet, x: Float[Array, "q d"]) -> Jet:
    """f at inputs, every output on its own: [q, C]."""
    task, blocks = setting.problem.task("the expansion"), setting.problem.blocks
    mass, share = directions

    def f(at: tuple[Any, Any]) -> Any:
        return task.outputs(split(blocks, at[0]), at[1], x).reshape(len(x), -1)

    second = (rows.second, jnp.zeros((len(share), len(setting.p))))
    return pushed(f, Jet((rows.value, setting.p), (rows.first, mass), second), share)


def piece_of(setting: Setting, directions: Directions) -> int:
    """How many nodes fit into the tables of all directions."""
    problem = setting.problem
    each = len(setting.p) * directions.share.size * problem.network.components(problem.data.outputs)
    return max(1, int(entries(problem.budget) // each))
