"""What penalties, mobility and domain make of grad psi: velocities, and the proximal map of what is not smooth."""

from typing import Any

import jax
import jax.numpy as jnp

from . import penalties
from .domains import Product
from .mobilities import AbstractMobility


def with_smooth(penalty: penalties.AbstractPenalty | None, theta: Any, psi: Any, gradient: Any) -> tuple[Any, Any]:
    """psi and grad psi with the smooth penalties added."""
    for term in penalties.parts(penalty):
        if term.smooth:
            value, slope = jax.vmap(jax.value_and_grad(term))(theta)
            psi, gradient = psi + value, jax.tree.map(jnp.add, gradient, slope)
    return psi, gradient


def velocity(mobility: AbstractMobility, domain: Product, smooth: bool, theta: Any, gradient: Any) -> Any:
    """-P grad psi on the tangent cone of the domain; `smooth`: whether no proximal map follows."""
    drift = jax.tree.map(jnp.negative, jax.vmap(mobility)(theta, gradient))
    if domain.unconstrained:
        return drift
    inside = jax.vmap(domain.tangent)(theta, drift)
    if smooth:
        return inside
    # Before a proximal map a wall must not be felt: the penalty may pull a particle off it. `prox` clips after.
    return inside._replace(**{name: getattr(drift, name) for name in theta._fields if domain.of(name).walls})


def prox(
    penalty: penalties.AbstractPenalty | None, mobility: AbstractMobility, domain: Product, theta: Any, step: Any
) -> Any:
    """The proximal maps of the non-smooth penalties for time `step` in the metric of the mobility, then the walls."""
    for term in penalties.parts(penalty):
        if not term.smooth:
            scaled = type(theta)(*(step * scale for scale in mobility.scales(theta) or ()))
            theta = jax.vmap(term.prox, in_axes=(0, None))(theta, scaled)
    walls = {name: domain.of(name) for name in theta._fields if domain.of(name).walls}
    return theta._replace(**{name: wall.retract(getattr(theta, name)) for name, wall in walls.items()})
