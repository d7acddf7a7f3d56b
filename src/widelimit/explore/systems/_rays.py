"""Where neurons at delta = infinity are driven, and the rays on which they stay (williams2019)."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from widelimit import analysis
from widelimit.measure import Particles
from widelimit.problem import Problem

from .._page import Arrays, Values
from . import _univariate as univariate

_FIELD = 13


@eqx.filter_jit
def _velocities(problem: Problem, y: Array, positions: Array, weights: Any, points: Array) -> Array:
    r"""What a neuron with r > 0 feels at `points` (u, v) [n, 2]: -grad psi in the plane, [T, n, 2]."""
    own = eqx.tree_at(lambda p: p.data.y, problem, y)
    r, angle = jnp.hypot(*points.T), jnp.mod(jnp.arctan2(points[:, 1], points[:, 0]), 2.0 * jnp.pi)

    def one(rows: Array) -> Array:
        slope = own.potential(Particles(rows, weights, blocks=own.blocks)).gradient(jnp.stack([r, angle], axis=1))
        radial, turn = slope[:, 0], slope[:, 1] / r
        return -jnp.stack(
            [radial * jnp.cos(angle) - turn * jnp.sin(angle), radial * jnp.sin(angle) + turn * jnp.cos(angle)], axis=1
        )

    return jax.lax.map(one, positions)


def compute(values: Values, level: int) -> Arrays:
    """A run at delta = infinity with the velocities along it and the rays at its end."""
    arrays = univariate.compute("infinite", values, level)
    width = int(values["width"])
    problem, y = univariate.problem_of("infinite"), jnp.asarray(arrays["y"])
    weights = np.asarray(univariate.equal_weights(width, univariate.WIDTH))
    every = arrays.pop("all rows")
    side = np.linspace(-0.92, 0.92, _FIELD) * arrays["reach"]
    points = np.stack([part.ravel() for part in np.meshgrid(side, side)], axis=1) + 1e-3 * arrays["reach"]
    felt = np.asarray(_velocities(problem, y, every, weights, points))
    length = np.maximum(np.linalg.norm(felt, axis=-1, keepdims=True), 1e-300)
    own = eqx.tree_at(lambda p: p.data.y, problem, y)
    found = analysis.attractors(own, Particles(every[-1], weights, blocks=own.blocks), tol=univariate.NEAR)
    right = (np.cos(-np.arctan(univariate.X)), np.sin(-np.arctan(univariate.X)))
    rays = [
        (sign * right[0][j], sign * right[1][j])
        for k, sign in enumerate((1.0, -1.0))
        for j in np.flatnonzero(found.kinds[:, 0, k] == "attractor")
    ]
    return {
        **arrays,
        "points": points,
        # All of one length: the direction is what counts.
        "field": felt / length * (0.6 * (side[1] - side[0])),
        "rays": np.array(rays).reshape(-1, 2),
        "attractors": float(np.sum(found.kinds == "attractor")),
        "every": float(found.kinds.size),
    }
