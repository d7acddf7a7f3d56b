r"""Searches along one coordinate, with a bound on the second derivative of what is searched.

For psi(w) = SUM_q dual_q phi~(w, x_q) + penalty(w) the bound is K = SUM_q |dual_q| K(x_q) + 2 lambda, from the unit's
`curvature` and an l2 penalty lambda |w|^2. The same K serves |<R'(f), phi~(w, .)>|: a norm of something whose
second derivative is at most K bends down by no more than K. Where a penalty settles the charge, -psi is the largest of
c . g(w) - penalty over the charges |c| <= C that can be best, each with the bound C K.

- up to infinity: r = R s and 1/r = (2 - s)/R, with the bounds K R^2 and K_out / R^2; R makes the two equal. Likewise
  with the `rough_curvature` H: H R^(3/2) and H_out / R^(3/2).
- a direction on a circle of radius R, w = R (cos s, sin s): K R^2 + L R, with L the Lipschitz constant.
- piecewise: a unit whose kinks have known places is smooth between them (`smooth_between`). (x - h)_+ is linear in h
  between the data, a ReLU neuron is a sine of the angle of (w, b) with a curvature of at most |(x, 1)|.
- without walls, but with an l2 penalty: where |w| > L / lambda, L the data term's Lipschitz constant, psi(w) > psi(0).
"""

import math
from typing import Any, NamedTuple

import jax
import numpy as np

from widelimit.numerics import compiled_quickly
from widelimit.problem import Potential, penalties

from ._depths import Depth, facts, sizes
from ._regions import Region

# So many of the places from which on a point's feature bends are told apart.
_MOST_STARTS = 16


class Line(NamedTuple):
    """What `numerics.search_line` needs: `region` in the coordinate, breaks [k + 1], curvatures and H's [k]."""

    region: Region
    breaks: np.ndarray
    curvature: np.ndarray
    rough: np.ndarray


class _Declared(NamedTuple):
    """|dual_q| times what the unit declares at x_q, and the largest charge [Q]; None where it declares nothing.

    `straight`: [Q], the r below which phi~ does not bend.
    """

    curvature: np.ndarray | None
    outer_curvature: np.ndarray | None
    lipschitz: np.ndarray | None
    rough: np.ndarray | None
    straight: np.ndarray | None

    def on(self, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """K and H between the edges in the parameter: of the points at which phi~ bends there."""
        none, straight = np.zeros(len(edges) - 1), 0.0 if self.straight is None else self.straight
        if self.curvature is not None:
            return np.sum(np.where(edges[1:, None] > straight, self.curvature, 0.0), axis=1), none
        if self.rough is not None:
            return none, np.sum(np.where(edges[1:, None] > straight, self.rough[:, 0], 0.0), axis=1)
        return None

    def edges(self, lower: float, upper: float, corners: np.ndarray) -> np.ndarray:
        """The ends, the corners between them and some of the places from which on phi~ bends."""
        starts = np.unique(np.zeros(0) if self.straight is None else self.straight)
        starts = starts[(starts > lower) & (starts < upper)]
        return _breaks(lower, upper, np.concatenate([corners, starts[:: -(-len(starts) // _MOST_STARTS) or 1]]))


def line_of(function: Depth) -> Line | None:
    """The one coordinate in which the region is searched with second-order bounds; None where there is none."""
    potential, region = function.potential, function.region
    on_circle = region.size == 2 and region.directions
    if not on_circle and (region.size != 1 or region.directions):
        return None
    cost = _penalty(function)
    if cost is None or not math.isfinite(function.weight):
        return None
    bent, corners = cost
    declared = _declared(function)
    if on_circle:
        return _circle(potential, region, declared)
    if region.infinite:
        return _half_line(region, declared)
    return _interval(potential, region, declared, bent, corners, function.weight)


def bend_on_box(function: Depth) -> float | None:
    """A K for which the function + K |u|^2 / 2 is convex on the region's box; None where there is none."""
    potential, region = function.potential, function.region
    cost = _penalty(function)
    # A sphere's angles bend by themselves; a linear block that is searched multiplies what the facts are about.
    if region.directions or cost is None or len(cost[1]) or potential.unit.linear in region.names:
        return None
    curvature = _declared(function).curvature
    return None if curvature is None else float(curvature.sum()) + cost[0]


def _penalty(function: Depth) -> tuple[float, np.ndarray] | None:
    """The second derivative of the penalty and where it has a kink; None where they are not known."""
    bent, corners = 0.0, np.zeros(0)
    for term in penalties.parts(function.penalty):
        bend = term.bend(function.region.names)
        if bend is None:
            return None
        bent, corners = bent + bend.most, np.concatenate([corners, bend.kinks])
    return bent, corners


def _half_line(region: Region, declared: _Declared) -> Line | None:
    """In r up to `reach` and from there in 1/r: the two bounds are equal there."""
    if declared.curvature is not None and declared.outer_curvature is not None:
        inner, outer, power = declared.curvature.sum(), declared.outer_curvature.sum(), 2.0
    elif declared.rough is not None and np.all(np.isfinite(declared.rough)):
        (inner, outer), power = declared.rough.sum(axis=0), 1.5
    else:
        return None
    floor = region.domain.of(region.names[0]).bounds(())[0]
    reach = max((outer / inner) ** (0.5 / power) if inner > 0 and outer > 0 else 1.0, 2.0 * floor)
    edges = declared.edges(floor, reach, np.zeros(0))
    found = declared.on(edges)
    assert found is not None
    last = (outer, 0.0) if power == 2.0 else (0.0, outer)
    scaled = [np.append(k * reach**n, far * reach**-n) for k, far, n in zip(found, last, (2.0, 1.5), strict=True)]
    return Line(region.on_box(reach), np.append(edges / reach, 2.0), *scaled)


def _interval(
    potential: Potential, region: Region, found: _Declared, bent: float, corners: np.ndarray, weight: float
) -> Line | None:
    if potential.unit.smooth_between(potential.x[0]) is not None:
        kinks, between = _kinks_of(potential)
        corners = np.concatenate([corners, np.ravel(kinks)])
        found = found._replace(curvature=weight * np.asarray(between))
    lower, upper = region.domain.of(region.names[0]).bounds(())
    if not (np.isfinite(lower) and np.isfinite(upper)):
        costs = [term.cost(region.names[0]) for term in penalties.parts(potential.penalty)]
        growth = sum(cost.square for cost in costs if cost is not None)
        if found.lipschitz is None or growth == 0.0 or None in costs:
            return None
        # lambda (w^2 - w0^2) >= L |w - w0| where |w| + |w0| >= L / lambda; w0 is the point nearest to zero.
        far = found.lipschitz.sum() / growth + max(lower, 0.0, -upper) + 1.0
        lower, upper = max(lower, -far), min(upper, far)
    edges = found.edges(float(lower), float(upper), corners)
    bounds = found.on(edges)
    return None if bounds is None else Line(region.on_box(), edges, bounds[0] + bent, bounds[1])


def _circle(potential: Potential, region: Region, found: _Declared) -> Line | None:
    curvature, corners = None if found.curvature is None else found.curvature.sum(), np.zeros(0)
    if potential.unit.fold(potential.x[0]) is not None:
        # Between the folds phi~ is a sine of the angle; its slope on the unit circle bounds its height too.
        normal = np.asarray(jax.vmap(potential.unit.fold)(potential.x))
        angles = np.arctan2(normal[:, 1], normal[:, 0])
        corners, curvature = np.mod(np.concatenate([angles + np.pi / 2, angles - np.pi / 2]), 2 * np.pi), 0.0
    if curvature is None or found.lipschitz is None:
        return None
    breaks = _breaks(0.0, 2 * np.pi, corners)
    total = curvature * region.radius**2 + found.lipschitz.sum() * region.radius
    return Line(region.on_box(), breaks, np.full(len(breaks) - 1, total), np.zeros(len(breaks) - 1))


def _breaks(lower: float, upper: float, corners: np.ndarray) -> np.ndarray:
    inside = corners[(corners > lower) & (corners < upper)]
    return np.unique(np.concatenate([[lower, upper], inside]))


def _declared(function: Depth) -> _Declared:
    *bounds, straight = _facts_of(function.potential)
    found = [None if part is None else np.asarray(part) * function.weight for part in bounds]
    return _Declared._make([*found, None if straight is None else np.asarray(straight)])


@compiled_quickly
def _facts_of(potential: Potential) -> Any:
    unit, heights = potential.unit, sizes(potential.dual)
    single = [facts(fact, potential) for fact in (unit.curvature, unit.outer_curvature, unit.lipschitz)]
    rough = facts(unit.rough_curvature, potential)
    bounds = [None if part is None else heights * part for part in single]
    return [*bounds, None if rough is None else heights[:, None] * rough, facts(unit.straight_below, potential)]


@compiled_quickly
def _kinks_of(potential: Potential) -> Any:
    """All places of kinks, and |dual_q| times the curvature between them."""
    between: Any = jax.vmap(potential.unit.smooth_between)
    kinks, bend = between(potential.x)
    return kinks, sizes(potential.dual) * bend
