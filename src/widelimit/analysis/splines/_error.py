"""The error f_rho - f of a law on the host, cell by cell, with its integrals from the right."""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float

from widelimit.problem import Problem

from ._law import SplineLaw, grid_in, spline_law
from ._target import Target, target_of

# Places in the support of a density of h at which a criterion is checked.
POINTS = 257


@dataclasses.dataclass(frozen=True)
class SplineError:
    """r = f_rho - f between `edges` [E], which hold every atom, every kink of a density, and the panels' ends.

    - `first`, `second`: [E], INT_e^B r dx and INT_e^B r (x - e) dx.
    - `size`: [E], (INT_e^B max(r^2, f^2) dx)^(1/2).
    - `square`: INT r^2 dx.
    """

    law: SplineLaw
    target: Target
    slope: float
    edges: Float[np.ndarray, " E"]
    first: Float[np.ndarray, " E"]
    second: Float[np.ndarray, " E"]
    size: Float[np.ndarray, " E"]
    square: float

    @property
    def risk(self) -> float:
        return 0.5 * self.slope * self.square / self.target.length

    def at(self, h: Float[np.ndarray, " n"]) -> Any:
        """(INT r, INT r (x - a), size) over [a, B], a = max(h, A), for h among the edges or left of A."""
        i = np.searchsorted(self.edges, np.maximum(h, self.target.lower))
        return self.first[i], self.second[i], self.size[i]


def spline_error(problem: Problem, rho: Any, who: str, *, charges: bool) -> SplineError:
    """Raises `ValueError` for a problem that is no free-knot spline, and for a law whose integrals are not known."""
    target = target_of(problem, who, charges=charges)
    law = spline_law(problem, rho, who)
    lower, upper = target.lower, target.upper
    places = [law.breaks(), *(grid_in(p.knots.support, lower, upper, POINTS) for p in law.parts), target.ends]
    edges = np.unique(np.clip(np.concatenate(places), lower, upper))
    x, w = target.rule(edges)
    f = target(x)
    r = law.predict(x) - f
    flat, tilted = np.sum(w * r, axis=1), np.sum(w * r * (x - edges[:-1, None]), axis=1)
    first = np.append(_from_the_right(flat), 0.0)
    second = np.append(_from_the_right(tilted + np.diff(edges) * first[1:]), 0.0)
    size = np.sqrt(np.append(_from_the_right(np.sum(w * np.maximum(r * r, f * f), axis=1)), 0.0))
    slope = float(problem.integrals.spline(who).slope)
    return SplineError(law, target, slope, edges, first, second, size, float(np.sum(w * r * r)))


def _from_the_right(row: Float[np.ndarray, " C"]) -> Float[np.ndarray, " C"]:
    return np.cumsum(row[::-1])[::-1]
