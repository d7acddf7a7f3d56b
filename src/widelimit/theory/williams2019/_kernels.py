"""(23), (26), (27): random features and tangent kernels of [a x - b]_+ in closed form."""

import numpy as np
from jaxtyping import Float

Values = Float[np.ndarray, "..."] | float


def radial_kernel(x: Values, other: Values, c: float = 2.0) -> Float[np.ndarray, "..."]:
    r"""(26), (40) corrected, for every x, x': (a, b) radial with $C = E[a^2 + b^2]$,

    $$K = \frac{C}{4\pi}\{(\pi - |\arctan x - \arctan x'|)(1 + x x') + |x - x'|\}.$$

    The print has the other sign before its second and third terms, which vanish on the diagonal. C = 2 for standard
    normal a and b.
    """
    x, other = np.asarray(x), np.asarray(other)
    apart = np.abs(np.arctan(x) - np.arctan(other))
    return np.asarray(c / (4.0 * np.pi) * ((np.pi - apart) * (1.0 + x * other) + np.abs(x - other)))


def radial_steps(x: Values, other: Values) -> Float[np.ndarray, "..."]:
    """P(a x > b, a x' > b) for radial (a, b): 1/2 - |arctan x - arctan x'|/(2 pi)."""
    return np.asarray(0.5 - np.abs(np.arctan(x) - np.arctan(other)) / (2.0 * np.pi))


def uniform_bias_kernel(
    x: Values, other: Values, a: Float[np.ndarray, " A"], q: Float[np.ndarray, " A"], ends: tuple[float, float]
) -> Float[np.ndarray, "..."]:
    r"""b uniform on [s, S], a any of the atoms with probabilities q, 0 included: $K = \sum q_a K_a$,

    $$K_a = \frac{P((m - s)_+; D) - P((m - S)_+; D)}{S - s},\quad P(v; D) = \frac{v^2 (2v + 3D)}{6},$$

    with $m = \min(a x, a x')$ and $D = |a||x - x'|$.
    """
    s, top = ends
    least, apart = _least(x, other, a)
    return np.asarray((_p(np.maximum(least - s, 0.0), apart) - _p(np.maximum(least - top, 0.0), apart)) @ q / (top - s))


def uniform_bias_steps(
    x: Values, other: Values, a: Float[np.ndarray, " A"], q: Float[np.ndarray, " A"], ends: tuple[float, float]
) -> Float[np.ndarray, "..."]:
    """P(a x > b, a x' > b) for the same law."""
    s, top = ends
    return np.asarray(np.clip((_least(x, other, a)[0] - s) / (top - s), 0.0, 1.0) @ q)


def two_sign_kernel(x: Values, other: Values, width: float) -> Float[np.ndarray, "..."]:
    r"""a = +-1 with probability 1/2, b uniform on (-B, B), |x|, |x'| <= B: $B^2/6 + x x'/2 + |x - x'|^3/(24 B)$."""
    x, other = np.asarray(x), np.asarray(other)
    return np.asarray(width**2 / 6.0 + 0.5 * x * other + np.abs(x - other) ** 3 / (24.0 * width))


def box_kernel(x: Values, other: Values) -> Float[np.ndarray, "..."]:
    r"""a and b uniform on (-1, 1), |x|, |x'| <= 1: with p = min(x, x'), r = max(x, x'), D = r - p

    $$K = \frac14\int_0^1 [P(1 + a p; a D) + P(1 - a r; a D)]\,da.$$
    """
    low, high = np.minimum(x, other), np.maximum(x, other)
    return np.asarray(0.25 * (_mean_p(low, high - low) + _mean_p(-high, high - low)))


def tangent(kernel: Values, steps: Values, x: Values, other: Values, squares: float) -> Float[np.ndarray, "..."]:
    """(27): K_RF + (x x' + 1) E(c^2) P(a x > b, a x' > b)."""
    return np.asarray(kernel + (np.asarray(x) * other + 1.0) * squares * steps)


def _least(x: Values, other: Values, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    left, right = np.asarray(x)[..., None] * a, np.asarray(other)[..., None] * a
    return np.minimum(left, right), np.abs(left - right)


def _p(v: np.ndarray, d: np.ndarray) -> np.ndarray:
    return v**2 * (2.0 * v + 3.0 * d) / 6.0


def _mean_p(p: np.ndarray, d: np.ndarray) -> np.ndarray:
    """INT_0^1 P(1 + a p; a d) da."""
    cubes = 1.0 + 1.5 * p + p**2 + 0.25 * p**3
    return (2.0 * cubes + 3.0 * d * (0.5 + 2.0 * p / 3.0 + 0.25 * p**2)) / 6.0
