r"""The diffusion equation, $\partial_t\rho = \mathrm{div}(\rho P\nabla\psi) + T\,\mathrm{div}(P\nabla\rho)$, on cell
masses.

With V the cells' volumes and $w = (\psi_{i+1} - \psi_i)/T - \log V_{i+1} + \log V_i$ the flux through a face is

$$J = \frac{T P}{(x_{i+1} - x_i)^2}\,\big[B(w)\,m_i - B(-w)\,m_{i+1}\big],\qquad B(w) = \frac{w}{e^w - 1}$$

(Scharfetter, Gummel 1969): zero exactly where $m_{i+1}/m_i = (V_{i+1}/V_i)\,e^{-(\psi_{i+1}-\psi_i)/T}$, so the
discrete Gibbs measure does not move, and always down the slope of $\psi + T\log(m/V)$, so the discrete free energy
falls. It is of second order where |w| < 2 and tends to first-order upwinding for large |w|.

In time it is implicit with psi frozen, axis by axis: M-matrices, which keep the mass and the sign and lower
the relative entropy to Gibbs[psi], for any step.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.numerics import solve_exchange

from ._cells import ROUNDINGS, Reading, log_density
from ._faces import Faces, gathered, leaving, sides
from ._scheme import Scheme, Tried

_TINY = float(jnp.finfo(jnp.float64).tiny)


def diffuse(scheme: Scheme, masses: Float[Array, "..."], start: Reading, dt: Any) -> Tried:
    """One step of second order: 2 B - A, with A one implicit step and B two halves, psi anew in the middle.

    B - A is a difference of fluxes, and those out of a cell are scaled down where they would take more than it has (the
    tails of A decay too slowly for 2 B - A). Where the end raises F or overshoots (F would fall on the way back), B
    is taken.
    """
    both = jax.vmap(lambda dt: _implicit(scheme, masses, start.psi, dt))(jnp.stack([dt, 0.5 * dt]))
    (whole, changes), (half, early) = (jax.tree.map(lambda leaf, k=k: leaf[k], both) for k in range(2))
    middle = scheme.read(half)
    halves, late = _implicit(scheme, half, middle.psi, 0.5 * dt)
    spent = _descent(scheme, start.psi, masses, half) + _descent(scheme, middle.psi, half, halves)
    spent_whole = _descent(scheme, start.psi, masses, whole)
    error = jnp.sum(jnp.abs(halves - whole))
    sharper = _corrected(halves, jax.tree.map(lambda a, b, c: a + b - c, early, late, changes))
    sharp = _judged(scheme, masses, start, sharper, 2.0 * spent - spent_whole, error)
    plain = _judged(scheme, masses, start, halves, spent, error)
    return jax.tree.map(lambda a, b: jnp.where(sharp.good, a, b), sharp, plain)


def first_step(scheme: Scheme, masses: Float[Array, "..."], psi: Float[Array, "..."], share: Any) -> Any:
    """The time in which about the given share of the mass moves to another cell on balance."""
    through = []
    for axis, (forth, back) in enumerate(_rates(scheme, psi)):
        below, above = sides(masses, axis)
        through.append(jnp.moveaxis(forth, 0, axis) * below - jnp.moveaxis(back, 0, axis) * above)
    return share / jnp.maximum(jnp.sum(jnp.abs(gathered(tuple(through)))), _TINY)


def _judged(scheme: Scheme, masses: Any, start: Reading, new: Any, spent: Any, error: Any) -> Tried:
    """A step's end with its verdict. For a convex loss a downhill end has the lower free energy."""
    reading = scheme.read(new)
    moved, heat = new - masses, scheme.warmth * log_density(new, scheme.cells.log_volumes)
    # From its mean, which mass that moves does not feel: at rest the sum is a rounding of the masses, no more.
    height = reading.psi + heat - jnp.sum(new * (reading.psi + heat))
    uphill = jnp.sum(moved * height)
    blur = jnp.sum(jnp.abs(moved) * (reading.blur + ROUNDINGS * jnp.abs(heat)) + ROUNDINGS * new * jnp.abs(height))
    good = (jnp.min(new) >= 0) & (uphill <= blur) & (reading.energy <= start.energy + start.slack)
    return Tried(new, spent, reading, good, error)


def _implicit(scheme: Scheme, masses: Any, psi: Any, dt: Any) -> tuple[Float[Array, "..."], Faces]:
    """Implicit steps along one axis after the other, and what each changed."""
    changes = []
    for axis, (forth, back) in enumerate(_rates(scheme, psi)):
        solved = solve_exchange(dt * forth, dt * back, jnp.moveaxis(masses, axis, 0))
        after = jnp.moveaxis(solved, 0, axis)
        changes.append(after - masses)
        masses = after
    return masses, tuple(changes)


def _corrected(masses: Float[Array, "..."], changes: Faces) -> Float[Array, "..."]:
    """Masses after more changes along each axis, as fluxes of which no cell gives more than it has."""
    through = tuple(-sides(jnp.cumsum(change, axis=axis), axis)[0] for axis, change in enumerate(changes))
    taken = leaving(through)
    # A hair less than all: the sum of several fluxes may round up.
    share = jnp.where(taken > 0.999 * masses, 0.999 * masses / jnp.where(taken > 0, taken, 1.0), 1.0)
    kept = []
    for axis, flux in enumerate(through):
        below, above = sides(share, axis)
        kept.append(flux * jnp.where(flux > 0, below, above))
    return masses + gathered(tuple(kept))


def _rates(scheme: Scheme, psi: Float[Array, "..."]) -> list[tuple[Array, Array]]:
    """T P / dx^2 (B(w), B(-w)) at the faces, for each axis, which comes first."""
    out = []
    for axis, rate in enumerate(scheme.rates):
        w = jnp.diff(jnp.moveaxis(psi / scheme.warmth - scheme.cells.log_volumes, axis, 0), axis=0)
        size = jnp.abs(w)
        # B(-|w|) = B(|w|) + |w|, without cancellation; the exponential may overflow to give B = 0.
        small = jnp.where(size > 0, size / jnp.expm1(jnp.where(size > 0, size, 1.0)), 1.0)
        large = small + size
        base = scheme.warmth * rate.reshape(-1, *(1,) * (w.ndim - 1))
        out.append((base * jnp.where(w > 0, small, large), base * jnp.where(w > 0, large, small)))
    return out


def _descent(scheme: Scheme, psi: Any, before: Any, after: Any) -> Float[Array, ""]:
    r"""$dt \sum J\,\Delta\mu$ at the step's end, by parts: $-\sum_i \mu_i\,(m^+_i - m_i)$, $\mu = \psi +
    T\log(m^+/V)$."""
    return -jnp.sum((after - before) * (psi + scheme.warmth * log_density(after, scheme.cells.log_volumes)))
