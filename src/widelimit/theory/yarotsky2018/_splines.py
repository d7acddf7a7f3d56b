r"""A.5 and 3.1: the stationary distributions of atoms for f(x) = x^2 on [0, 1], and the motion of one atom."""

import dataclasses
import math

import numpy as np
from jaxtyping import Float

Values = Float[np.ndarray, "..."] | float

_ROOT6 = math.sqrt(6.0)


@dataclasses.dataclass(frozen=True)
class Family:
    """Knots h_i [M] ascending, masses INT c p at each [M], the loss, and INT c p, INT c h p of the part at h < 0."""

    knots: Float[np.ndarray, " M"]
    masses: Float[np.ndarray, " M"]
    loss: float
    left_mass: float
    left_moment: float


def without_left_mass(count: int) -> Family:
    r"""Case 1 of A.5, M atoms: spacing $\Delta = 1/(M + 1/\sqrt6)$, the leftmost knot at $\Delta/\sqrt6$.

    Masses 2 Delta, the leftmost $\Delta(1 + \sqrt6/3)$; $L = M\Delta^5/360 + h_M^5/10$ (NOTATION).
    """
    _check(count)
    step = 1.0 / (count + 1.0 / _ROOT6)
    first = step / _ROOT6
    masses = np.full(count, 2.0 * step)
    masses[0] = step * (1.0 + _ROOT6 / 3.0)
    return Family(first + step * np.arange(count), masses, count * step**5 / 360.0 + first**5 / 10.0, 0.0, 0.0)


def with_left_mass(count: int) -> Family:
    r"""Case 2 of A.5, M atoms (no formula printed): spacing $\Delta = 1/(M + 1)$, masses 2 Delta, $L = \Delta^4/360$.

    The part at h < 0 carries INT c p = Delta and INT c h p = Delta^2/6 > 0, hence both signs of c (NOTATION).
    """
    _check(count)
    step = 1.0 / (count + 1)
    return Family(step * np.arange(1, count + 1), np.full(count, 2.0 * step), step**4 / 360.0, step, step**2 / 6.0)


def single_atom() -> tuple[float, float]:
    r"""(c, h) = ((4 + sqrt6)/5, (sqrt6 - 1)/5): the stationary atom with h < 1 (3.1)."""
    return (4.0 + _ROOT6) / 5.0, (_ROOT6 - 1.0) / 5.0


def atom_velocity(c: Values, h: Values) -> Float[np.ndarray, "... 2"]:
    r"""(dc/dt, dh/dt) of p = delta at (c, h), f = x^2 (Fig. 1), any h:

    $$\dot c = -\int_{h_+}^1 (c(x - h) - x^2)(x - h)\,dx,\qquad \dot h = c\int_{h_+}^1 (c(x - h) - x^2)\,dx.$$
    """
    ramp, square, _, target, moment = _integrals(h)
    return np.stack([moment - c * square, c * (c * ramp - target)], axis=-1)


def atom_jacobian(c: Values, h: Values) -> Float[np.ndarray, "... 2 2"]:
    """The derivative of `atom_velocity` in (c, h), symmetric."""
    c, h = np.asarray(c, float), np.asarray(h, float)
    ramp, square, plain, target, _ = _integrals(h)
    mixed = 2.0 * c * ramp - target
    # At h in (0, 1) the lower limit moves as well: c(x - h) - x^2 is -h^2 there.
    edge = np.where((h > 0.0) & (h < 1.0), h * h, 0.0)
    rows = [np.stack([-square, mixed], axis=-1), np.stack([mixed, c * (edge - c * plain)], axis=-1)]
    return np.stack(rows, axis=-2)


def growth_rate(c: Values, h: Values) -> Float[np.ndarray, "..."]:
    """H_hh = c f(h) = c h^2 of a single atom at h in (0, 1) (3.1): positive where a small cloud spreads in h."""
    c, h = np.asarray(c, float), np.asarray(h, float)
    return np.asarray(c * np.where((h > 0.0) & (h < 1.0), h * h, 0.0))


def _integrals(h: Values) -> tuple[Values, ...]:
    """INT over [h_+, 1] of x - h, (x - h)^2, 1, x^2, x^2 (x - h)."""
    a = np.clip(h, 0.0, 1.0)
    length, low = np.where(h < 1.0, 1.0 - h, 0.0), np.where(h < 1.0, a - h, 0.0)
    ramp, square = (length**2 - low**2) / 2.0, (length**3 - low**3) / 3.0
    target = (1.0 - a**3) / 3.0
    return ramp, square, 1.0 - a, target, (1.0 - a**4) / 4.0 - h * target


def _check(count: int) -> None:
    if count < 1:
        raise ValueError(f"count: at least 1, got {count}.")
