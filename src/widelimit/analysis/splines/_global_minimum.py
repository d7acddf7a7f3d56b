"""Is a law of (c, h) a global minimiser of a free-knot spline's risk: yarotsky2018 (32)-(35)."""

import dataclasses
from typing import Any

import numpy as np

from widelimit.numerics import real_number
from widelimit.problem import Problem

from ._law import SplineError, spline_error


@dataclasses.dataclass(frozen=True)
class GlobalMinimum:
    """How far f_rho = f is from holding, and in what.

    - `holds`: whether all three do, relative to f and f', within the tolerance.
    - `intercept`: f_rho(A) - f(A), from mass at h < A: -INT_{h<A} c (h - A) (34).
    - `slope`: f_rho'(A) - f'(A): INT_{h<=A} c (35).
    - `curvature`: max over x of |INT_{A<h<=x} c - (f'(x) - f'(A))|, the distance of INT c p(c, .) dc from f'' (33) by
      their integrals, so that atoms can be compared with a density; infinite where f jumps.
    - `risk`: exact.
    - `verdict`: in words.
    """

    holds: bool
    intercept: float
    slope: float
    curvature: float
    risk: float
    verdict: str


def global_minimum(problem: Problem, rho: Any, *, tolerance: float = 1e-6) -> GlobalMinimum:
    r"""The criterion for zero risk, $\int c\,p(c, x)\,dc = f''(x)$ on [A, B] and f_rho, f_rho' right at A.

    (33) as printed lacks the factor c (NOTATION). For atoms it can hold only where f is itself a spline.

    **Arguments**

    - `rho`: a measure, or a law: c independent of h with h uniform, normal or of atoms; normal (c, h); mixtures.
    - `tolerance`: relative to max |f| for the intercept, to max |f'| for the other two.

    **Raises** `ValueError` for a problem that is not (x - h)_+, with or without c, on an interval with a squared
    loss, and for other laws.
    """
    real_number(tolerance, "global_minimum(tolerance=...)", above=0.0, below=1.0)
    error = spline_error(problem, rho, "global_minimum", charges=False)
    target, law = error.target, error.law
    start = error.edges[:1]
    intercept = float((law.predict(start) - target(start))[0])
    bends, steep = _slopes(error)
    curvature = float("inf") if _jumps(error) else float(np.max(np.abs(bends - bends[0])))
    holds = abs(intercept) <= tolerance * max(target.size, np.finfo(float).tiny)
    flat = tolerance * max(steep, target.size / target.length, np.finfo(float).tiny)
    holds = holds and abs(float(bends[0])) <= flat and curvature <= flat
    return GlobalMinimum(
        bool(holds),
        intercept,
        float(bends[0]),
        curvature,
        error.risk,
        _say(holds, intercept, bends[0], curvature, error),
    )


def _slopes(error: SplineError) -> tuple[np.ndarray, float]:
    """f_rho' - f' from A on, at the edges from both sides and between, the first from the right of A; max |f'|."""
    target, law = error.target, error.law
    inner, _ = target.rule(error.edges)
    inner = inner.ravel()
    right, left = error.edges[:-1], error.edges[1:]
    slopes = [
        target(right, derivative=1),
        target(left, derivative=1, left=True),
        target(inner, derivative=1),
    ]
    own = [law.slope(right), law.slope(left, left=True), law.slope(inner)]
    return np.concatenate(own) - np.concatenate(slopes), float(np.max(np.abs(np.concatenate(slopes))))


def _jumps(error: SplineError) -> bool:
    inner = error.target.ends[1:-1]
    jump = np.abs(error.target(inner) - error.target(inner, left=True))
    return bool(np.any(jump > 1e-10 * error.target.size))


def _say(holds: bool, intercept: float, slope: float, curvature: float, error: SplineError) -> str:
    if holds:
        return f"A global minimum: (33)-(35) hold, the risk is {error.risk:.2g}."
    a = error.target.lower
    return (
        f"Not a global minimum, whose risk is 0: the risk is {error.risk:.4g}. f_rho is off by {intercept:.2g} at "
        f"{a:g}, its slope there by {slope:.2g}, and the charges between {a:g} and x by up to {curvature:.2g} from "
        f"f'(x) - f'({a:g})."
    )
