"""What panels do not resolve of a flow map, and the panels that resolve the start."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from widelimit.numerics import entries, map_rows
from widelimit.problem import Problem
from widelimit.problem.data import require_nodes

from ._inverse import Labelled
from ._label_field import LabelField, behind, theta_of
from ._panels import Panels, Rule, rule, tails

MOST_PANELS = 4096
# A panel is halved when what it does not resolve exceeds this part of the tolerance: the new nodes err by a few times
# that, and a panel is halved many times.
_SHARE = 0.1
# Times the range of labels may be halved: a panel's mass, 1e-12, is below any tolerance then.
_DEPTH = 40
# The same for a panel that a wall divides. Its integrals have a kink there, which moves through the labels: without a
# limit all labels that it passes would end in the smallest panels there are.
_DEPTH_AT_WALLS = 7


def unresolved(
    problem: Problem, rule: Rule, panels: Panels, y: Float[Array, "K n"], size: Float[Array, ""]
) -> Float[Array, " K"]:
    r"""What each panel misses, relative to `size`: of X in the root mean square over rho, and of its integrals.

    The last Legendre coefficients stand for those that are not there. n nodes integrate polynomials of degree 2n - 1,
    so that an integral of the unit misses the square of what interpolation misses.
    """
    weights = panels.weights(rule)
    theta = theta_of(problem, y)
    components = max(1, math.prod(problem.data.outputs))

    def one(point: Any) -> Any:
        values = jax.vmap(lambda th: jnp.ravel(problem.unit(th, point)))(theta).reshape(*y.shape, components)
        return jnp.max(tails(rule, values), axis=-1), jnp.max(jnp.sum(weights[..., None] * values**2, axis=(0, 1)))

    points = require_nodes(problem.data, "Quantiles").x
    tail, square = map_rows(one, points, max(1, entries(problem.budget) // (y.size * components)))
    scale = jnp.sqrt(jnp.max(square))
    missed = jnp.max(tail, axis=0) / jnp.where(scale > 0, scale, 1.0)
    hidden = behind(problem, y)
    # At a kink a rule of any order misses as much as interpolation does.
    of_unit = panels.mass * (jnp.where(jnp.any(hidden, axis=1), missed, missed**2) + panels.misplaced(rule))
    # Behind a wall X is constant, whatever Y does.
    of_x = jnp.where(jnp.all(hidden, axis=1), 0.0, jnp.sqrt(panels.mass) * tails(rule, y) / size)
    return jnp.maximum(of_x, of_unit)


def to_halve(
    problem: Problem, rule: Rule, panels: Panels, y: Float[Array, "K n"], size: Float[Array, ""], rtol: Float[Array, ""]
) -> Bool[Array, " K"]:
    """The panels that miss more than the tolerance and may be halved."""
    return (unresolved(problem, rule, panels, y, size) > _SHARE * rtol) & _divisible(problem, panels, y)


def _divisible(problem: Problem, panels: Panels, y: Float[Array, "K n"]) -> Bool[Array, " K"]:
    divided = jnp.any(behind(problem, y), axis=1)
    least = panels.reach * jnp.where(divided, 2.0**-_DEPTH_AT_WALLS, 2.0**-_DEPTH)
    # A hundredth more, because halving rounds the ends.
    return panels.used & (panels.half > 1.01 * least)


def scale_of(weights: Float[Array, "K n"], x: Float[Array, "K n"]) -> Float[Array, ""]:
    """The root mean square of X, or 1 where it is 0."""
    size = jnp.sqrt(jnp.sum(weights * x**2))
    return jnp.where(size > 0, size, 1.0)


def first_rough(
    field: LabelField, rule: Rule, panels: Panels, x: Float[Array, "K n"], rtol: Any, end: Any
) -> Bool[Array, " K"]:
    """The panels that do not resolve a start or what it becomes first: X_0 may be smoother than its velocity."""
    velocity = field.drift(x).nodes
    time = jnp.minimum(end, field.size / scale_of(field.weights, velocity))
    ahead = jnp.sqrt(panels.mass) * tails(rule, velocity) * time / field.size > _SHARE * rtol
    return to_halve(field.problem, rule, panels, x, field.size, rtol) | (ahead & _divisible(field.problem, panels, x))


def resolve(start: Labelled, order: int, capacity: int, begin: Callable[[Panels, Array], tuple[Any, Array]]) -> Any:
    """The first state on panels that resolve the start, in arrays of `capacity` places or more.

    `begin(panels, X at their nodes)` gives the state on given panels, and which of them to halve.
    Raises `ValueError` where it would take more than `MOST_PANELS`.
    """
    low, high = start.low, start.high
    x = _at_nodes(start, order, low, high)
    while len(low) <= MOST_PANELS:
        while capacity < min(len(low) + 2, MOST_PANELS):
            capacity = min(2 * capacity, MOST_PANELS)
        state, rough = begin(_arrays(start, low, high, capacity), _longer(x, capacity))
        cut = np.asarray(rough)[: len(low)]
        if not cut.any():
            return state
        middle = 0.5 * (low + high)[cut]
        fresh = np.concatenate([low[cut], middle]), np.concatenate([middle, high[cut]])
        x = np.concatenate([x[~cut], _at_nodes(start, order, *fresh)])
        low, high = np.concatenate([low[~cut], fresh[0]]), np.concatenate([high[~cut], fresh[1]])
    raise ValueError(
        f"Quantiles: the start does not resolve on {MOST_PANELS} panels of {order} nodes; raise rtol, or run "
        "GradientFlow() from law.quantise(n)."
    )


def _at_nodes(start: Labelled, order: int, low: np.ndarray, high: np.ndarray) -> Float[np.ndarray, "k n"]:
    labels = 0.5 * (low + high)[:, None] + 0.5 * (high - low)[:, None] * rule(order).nodes
    return start.position(labels.ravel()).reshape(labels.shape)


def _arrays(start: Labelled, low: np.ndarray, high: np.ndarray, capacity: int) -> Panels:
    # NumPy until the end: each JAX operation outside a compiled function would compile for itself.
    mass = np.pad(start.mass(low, high), (0, capacity - len(low)))
    reach = 0.5 * (high.max() - low.min())
    middle, half = _longer(0.5 * (low + high), capacity), _longer(0.5 * (high - low), capacity)
    return Panels(middle, half, jnp.asarray(mass), jnp.asarray(start.tilt), jnp.asarray(reach))


def _longer(values: np.ndarray, capacity: int) -> Float[Array, "K *n"]:
    fill = [(0, capacity - len(values))] + [(0, 0)] * (values.ndim - 1)
    return jnp.asarray(np.pad(values, fill, mode="edge"))
