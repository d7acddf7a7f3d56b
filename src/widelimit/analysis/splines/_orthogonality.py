"""The stationary laws of a free-knot spline, by the orthogonality of the error (yarotsky2018, A.5)."""

import dataclasses
from typing import Any

import numpy as np

from widelimit.numerics import real_number
from widelimit.problem import Problem

from ._law import POINTS, SplineError, grid_in, spline_error

_LEFT = 33


@dataclasses.dataclass(frozen=True)
class Orthogonality:
    """Whether a law of (c, h) is stationary.

    - `is_stationary`: whether `violation` is within the tolerance.
    - `violation`: the largest, over the support with h < B, of the norm of the error's projection onto what it has to
      be orthogonal to, relative to that of f and f_rho on the same interval; 0 where nothing has to hold.
    - `where`: the h of the largest violation; None where nothing has to hold.
    - `free`: mass at h >= B, on which nothing depends.
    - `zero_charge`: mass at c = 0, h < B, for which less has to hold.
    - `verdict`: in words.
    """

    is_stationary: bool
    violation: float
    where: float | None
    free: float
    zero_charge: float
    verdict: str


def orthogonality(problem: Problem, rho: Any, *, tolerance: float = 1e-6) -> Orthogonality:
    r"""A.5's criterion: a law is stationary if and only if, for the error r = f_rho - f and each (c, h) of its support,

    - c != 0 and h < B: r is orthogonal to 1 and x in L^2 on [max(h, A), B];
    - c = 0 and h < B: r is orthogonal to x - h there;
    - h >= B: nothing.

    **Arguments**

    - `rho`: a measure, or a law: c independent of h with h uniform, normal or of atoms; normal (c, h); mixtures.
      The support of a density is checked at 257 places of [A, B].
    - `tolerance`: of the relative violation.

    **Raises** `ValueError` for a problem that is not c (x - h)_+ on an interval with a squared loss, and other laws.
    """
    real_number(tolerance, "orthogonality(tolerance=...)", above=0.0, below=1.0)
    error = spline_error(problem, rho, "orthogonality", charges=True)
    law, upper = error.law, error.target.upper
    free = float(law.weights[law.h >= upper].sum())
    still = float(law.weights[(law.h < upper) & ~law.charged].sum())
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for charged in (True, False):
        h = law.h[(law.charged == charged) & (law.h < upper)]
        found.append((h, _violations(error, h, charged)))
    for part in law.parts:
        below = float(part.knots.below(np.array([upper]))[0])
        free, still = free + part.mass * (1.0 - below), still + part.mass * below * part.zero
        # Left of A the condition at c = 0 differs from place to place; a length of the interval shows it.
        lower = error.target.lower
        left = grid_in(part.knots.support, lower - error.target.length, lower, _LEFT)
        h = np.concatenate([left, grid_in(part.knots.support, lower, upper, POINTS)])
        for charged, mass in ((True, 1.0 - part.zero), (False, part.zero)):
            if mass > 0.0:
                found.append((h, _violations(error, h, charged)))
    places, sizes = (np.concatenate([row[i] for row in found]) for i in range(2))
    i = int(np.argmax(sizes)) if len(sizes) else -1
    worst, where = (float(sizes[i]), float(places[i])) if len(sizes) else (0.0, None)
    rests = worst <= tolerance
    return Orthogonality(rests, worst, where, free, still, _say(rests, worst, where, free, still, error))


def _violations(error: SplineError, h: np.ndarray, charged: bool) -> np.ndarray:
    """The norm of the projection of r onto span(1, x), or onto x - h, over that of max(|r|, |f|)."""
    first, second, size = error.at(h)
    a = np.maximum(h, error.target.lower)
    length = error.target.upper - a
    # Orthonormal on [a, B]: 1/sqrt L and sqrt(12/L^3) (x - a - L/2).
    tilted = second - 0.5 * length * first
    if charged:
        part = np.sqrt(first**2 / length + 12.0 * tilted**2 / length**3)
    else:
        ahead = a - h
        norm = np.sqrt(length * ((ahead + 0.5 * length) ** 2 + length**2 / 12.0))
        part = np.abs(second + ahead * first) / norm
    return np.where(size > 0.0, part / np.where(size > 0.0, size, 1.0), 0.0)


def _say(rests: bool, worst: float, where: float | None, free: float, still: float, error: SplineError) -> str:
    if where is None:
        return f"Stationary: all mass lies at h >= {error.target.upper:g}, where nothing acts on it."
    rest = f" Mass {free:.3g} at h >= {error.target.upper:g} is free." if free > 0.0 else ""
    rest += f" Mass {still:.3g} at c = 0 asks for orthogonality to x - h alone." if still > 0.0 else ""
    if rests:
        return f"Stationary: the error is orthogonal to within {worst:.2g} of its parts on the whole support.{rest}"
    return f"Not stationary: at h = {where:.6g} the error's linear part is {worst:.2g} of its parts.{rest}"
