r"""The transport equation without noise, $\partial_t\rho = \mathrm{div}(\rho P \nabla\psi)$: upwind fluxes of masses.

In the index variable all cells are equal, and through the face between cells i and i + 1 the mass moves with
$s = -P\,(\psi_{i+1} - \psi_i)/(x_{i+1} - x_i)^2$ cells a time. The flux F is s times the mass at the face,
reconstructed from the cell that it leaves:

- what leaves one cell enters the other, so the mass is kept to rounding;
- the two face masses of a cell are not negative and sum to twice its mass, so with CFL <= 1/2 none turns negative;
- $dE/dt = \sum F\,(\psi_{i+1} - \psi_i) = -\sum s^2 m_\mathrm{face} (x_{i+1} - x_i)^2 / P \le 0$ over the faces.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ._cells import Reading
from ._faces import Faces, along, at, blurred, fall, gathered, pad, sides
from ._scheme import Scheme, Tried


def transport(scheme: Scheme, masses: Float[Array, "..."], start: Reading, dt: Any) -> Tried:
    r"""One step of the third-order strong-stability-preserving Runge-Kutta method (Shu, Osher 1988).

    Every stage is a mean of explicit Euler steps, so it keeps masses nonnegative where those do. The step is good
    where no mass is negative, E did not rise, and $\frac{d}{ds}E(m + s(m^+ - m)) \le 0$ at s = 1. For a convex loss the
    last implies the one before, and it needs no difference of two nearly equal energies.
    """
    first = fluxes(scheme, masses, start.psi)
    one = masses + dt * gathered(first)
    middle = scheme.read(one)
    second = fluxes(scheme, one, middle.psi)
    two = 0.75 * masses + 0.25 * (one + dt * gathered(second))
    late = scheme.read(two)
    third = fluxes(scheme, two, late.psi)
    mean = jax.tree.map(lambda a, b, c: (a + b + 4.0 * c) / 6.0, first, second, third)
    last = masses + dt * gathered(mean)
    power = (fall(first, start.psi) + fall(second, middle.psi) + 4.0 * fall(third, late.psi)) / 6.0
    end = scheme.read(last)
    positive = jnp.minimum(jnp.minimum(jnp.min(one), jnp.min(two)), jnp.min(last)) >= 0
    downhill = fall(mean, end.psi) >= -blurred(mean, end.blur)
    lower = end.energy <= start.energy + start.slack
    return Tried(last, dt * power, end, positive & downhill & lower, jnp.zeros(()))


def fluxes(scheme: Scheme, masses: Float[Array, "..."], psi: Float[Array, "..."]) -> Faces:
    """Mass a time through the faces of each axis, upwards."""
    return tuple(_flux(masses, speed, axis) for axis, speed in enumerate(_speeds(scheme, psi)))


def outflow(scheme: Scheme, psi: Float[Array, "..."]) -> Float[Array, ""]:
    """The largest rate at which a cell empties: steps up to 1 / (2 outflow) keep every mass nonnegative."""
    rates = []
    for axis, speed in enumerate(_speeds(scheme, psi)):
        up, down = pad(jnp.maximum(speed, 0.0), axis, 0, 1), pad(jnp.maximum(-speed, 0.0), axis, 1, 0)
        rates.append(jnp.maximum(up, down))
    return jnp.max(sum(rates[1:], rates[0]))


def _speeds(scheme: Scheme, psi: Float[Array, "..."]) -> Faces:
    """Cells a time, at the faces."""
    return tuple(-along(rate, axis, psi.ndim) * jnp.diff(psi, axis=axis) for axis, rate in enumerate(scheme.rates))


def _flux(masses: Float[Array, "..."], speed: Float[Array, "..."], axis: int) -> Float[Array, "..."]:
    half = 0.5 * _slopes(masses, axis)
    below, _ = sides(masses + half, axis)
    _, above = sides(masses - half, axis)
    # Where a neighbour is far heavier the slope is twice the mass, and rounding may leave less than nothing.
    return speed * jnp.maximum(jnp.where(speed > 0, below, above), 0.0)


def _slopes(masses: Float[Array, "..."], axis: int) -> Float[Array, "..."]:
    """van Leer's limited slopes, |slope| <= 2 m; at the ends the mass is continued linearly, but not below zero."""
    below = jnp.maximum(2.0 * at(masses, axis, 0) - at(masses, axis, 1), 0.0)
    above = jnp.maximum(2.0 * at(masses, axis, -1) - at(masses, axis, -2), 0.0)
    left, right = sides(jnp.diff(jnp.concatenate([below, masses, above], axis=axis), axis=axis), axis)
    product = left * right
    rising = product > 0
    return jnp.where(rising, 2.0 * product / jnp.where(rising, left + right, 1.0), 0.0)
