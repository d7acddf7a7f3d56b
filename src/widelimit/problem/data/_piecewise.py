r"""A function on an interval as polynomials on panels, right to rounding; made on the host.

On each panel the function is interpolated at the Chebyshev points of degree p and compared with itself between them;
a panel that misses by more than rounding is halved. Degree 7 needs 46 panels for sin(2 pi x), which is less than the
knots of any network worth sorting, and keeps the work in a cell between two knots small.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from widelimit.numerics import chebyshev_fit, chebyshev_points

DEGREE = 7
# Halvings of the interval, and panels, after which a function counts as not resolved.
_DEPTH, _PANELS = 32, 2**15
_EPS = float(np.finfo(float).eps)


class Piecewise(NamedTuple):
    r"""$y(x) = \sum_j c_{jk} u^j$ on panel k, u = (x - centre)/half in [-1, 1].

    - `ends`: [P + 1], ascending; `coefficients`: [p + 1, P].
    """

    ends: Float[np.ndarray, " E"]
    coefficients: Float[np.ndarray, "J P"]


Sample = Callable[[Float[np.ndarray, " n"]], Float[np.ndarray, " n"]]


def piecewise(sample: Sample, ends: Float[np.ndarray, " E"]) -> Piecewise:
    """`sample` between `ends` (the interval's and the breaks), with as many panels as it takes.

    Raises `ValueError`, which says where, for a function that is not finite or not resolved.
    """
    total, scale = ends[-1] - ends[0], 0.0
    todo = np.stack([ends[:-1], ends[1:]])
    done: list[tuple[np.ndarray, np.ndarray]] = []
    count = 0
    while todo.size:
        coefficients, error, size, slope = _fit(sample, todo)
        scale = max(scale, float(np.max(size)))
        # A function cannot be known better than its argument: rounding x moves y by |x y'| eps.
        reach = np.max(np.abs(todo), axis=0) * slope
        good = error <= 16.0 * _EPS * (scale + reach)
        done.append((todo[:, good], coefficients[:, good]))
        count += int(good.sum())
        left, right = todo[:, ~good]
        narrow = right - left < total * 0.5**_DEPTH
        if np.any(narrow) or count + left.size > _PANELS:
            where = left[narrow][0] if np.any(narrow) else left[0]
            raise ValueError(f"it is not smooth near x = {where:.6g}")
        middle = 0.5 * (left + right)
        todo = np.stack([np.concatenate([left, middle]), np.concatenate([middle, right])])
    panels = np.concatenate([panel for panel, _ in done], axis=1)
    order = np.argsort(panels[0])
    coefficients = np.concatenate([c for _, c in done], axis=1)[:, order]
    return Piecewise(np.append(panels[0, order], ends[-1]), coefficients)


def _fit(sample: Sample, panels: Float[np.ndarray, "2 P"]) -> tuple[np.ndarray, ...]:
    """Monomial coefficients [p + 1, P]; the largest error, value and slope [P]."""
    centre, half = 0.5 * (panels[0] + panels[1]), 0.5 * (panels[1] - panels[0])
    # Points of both grids in one call: fitted at the first, tested at the second, which reaches the ends.
    fitted = chebyshev_points(DEGREE + 1)
    tested = np.cos(np.pi * np.arange(2 * DEGREE + 2) / (2 * DEGREE + 1))
    u = np.concatenate([fitted, tested])
    x = centre + half * u[:, None]
    # The ends of neighbours are approached from inside: at a break the function may jump.
    inside = 4.0 * _EPS * np.maximum(np.abs(panels[0]), np.abs(panels[1]))
    x = np.clip(x, panels[0] + inside, panels[1] - inside)
    values = sample(x.ravel()).reshape(x.shape)
    if not np.all(np.isfinite(values)):
        raise ValueError(f"it is not finite at x = {x[~np.isfinite(values)][0]:.6g}")
    series = chebyshev_fit(values[: DEGREE + 1])
    to_monomials = np.stack([_padded(np.polynomial.chebyshev.cheb2poly(row)) for row in np.eye(DEGREE + 1)])
    coefficients = to_monomials.T @ series
    # By Horner's rule from the monomials, as it will be used: their rounding counts too.
    found = np.zeros_like(values[DEGREE + 1 :])
    for row in coefficients[::-1]:
        found = found * u[DEGREE + 1 :, None] + row
    error = np.max(np.abs(found - values[DEGREE + 1 :]), axis=0)
    slope = np.sum(np.arange(DEGREE + 1)[:, None] * np.abs(coefficients), axis=0) / half
    return coefficients, error, np.max(np.abs(values), axis=0), slope


def _padded(row: np.ndarray) -> np.ndarray:
    return np.pad(row, (0, DEGREE + 1 - len(row)))
