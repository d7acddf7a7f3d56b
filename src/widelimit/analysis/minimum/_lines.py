r"""Searches along one coordinate, with a bound on the second derivative of what is searched.

For psi(w) = SUM_q dual_q phi~(w, x_q) + penalty(w) the bound is K = SUM_q |dual_q| K(x_q) + 2 lambda, from the unit's
`curvature` and an l2 penalty lambda |w|^2. The same K serves |<R'(f), phi~(w, .)>|: a norm of something whose
second derivative is at most K bends down by no more than K.

- up to infinity: r = R s and 1/r = (2 - s)/R, with the bounds K R^2 and K_out / R^2; R makes the two equal.
- a direction on a circle of radius R, w = R (cos s, sin s): K R^2 + L R, with L the Lipschitz constant.
- piecewise: a unit whose kinks have known places is smooth between them. (x - h)_+ is linear in h between the data, a
  ReLU neuron is a sine of the angle of (w, b) with a curvature of at most |(x, 1)|.
- without walls, but with an l2 penalty: where |w| > L / lambda, L the data term's Lipschitz constant, psi(w) > psi(0).
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from widelimit.problem import Potential, penalties

from ._depths import Depth, facts, sizes
from ._regions import Region


class Line(NamedTuple):
    """What `numerics.search_line` needs: `region` in the coordinate, breaks [k + 1], curvatures [k]."""

    region: Region
    breaks: np.ndarray
    curvature: np.ndarray


class _Totals(NamedTuple):
    """SUM_q |dual_q| times what the unit declares at x_q, and the largest charge; None where it declares nothing."""

    curvature: float | None
    outer_curvature: float | None
    lipschitz: float | None


def line_of(function: Depth) -> Line | None:
    """The one coordinate in which the region is searched with second-order bounds; None where there is none."""
    potential, region = function.potential, function.region
    on_circle = region.size == 2 and region.directions
    if not on_circle and (region.size != 1 or region.directions):
        return None
    cost = _penalty(function)
    if cost is None:
        return None
    bent, corners = cost
    totals = _totals_of(function)
    if on_circle:
        return _circle(potential, region, totals)
    return _half_line(region, totals) if region.infinite else _interval(potential, region, totals, bent, corners)


def bend_on_box(function: Depth) -> float | None:
    """A K for which the function + K |u|^2 / 2 is convex on the region's box; None where there is none."""
    potential, region = function.potential, function.region
    cost = _penalty(function)
    # A sphere's angles bend by themselves; a linear block that is searched multiplies what the facts are about.
    if region.directions or cost is None or len(cost[1]) or potential.unit.linear in region.names:
        return None
    total = _totals_of(function).curvature
    return None if total is None else total + cost[0]


def _penalty(function: Depth) -> tuple[float, np.ndarray] | None:
    """The second derivative of the penalty and where it has a kink; None where they are not known."""
    bent, corners = 0.0, np.zeros(0)
    for term in penalties.parts(function.penalty):
        bend = term.bend(function.region.names)
        if bend is None:
            return None
        bent, corners = bent + bend.most, np.concatenate([corners, bend.kinks])
    return bent, corners


def _half_line(region: Region, totals: _Totals) -> Line | None:
    inner, outer = totals.curvature, totals.outer_curvature
    if inner is None or outer is None:
        return None
    floor = region.domain.of(region.names[0]).bounds(())[0]
    reach = max((outer / inner) ** 0.25 if inner > 0 and outer > 0 else 1.0, 2.0 * floor)
    breaks, curvature = [floor / reach, 1.0, 2.0], [inner * reach**2, outer / reach**2]
    return Line(region.on_box(reach), np.asarray(breaks), np.asarray(curvature))


def _interval(potential: Potential, region: Region, totals: _Totals, bent: float, corners: np.ndarray) -> Line | None:
    curvature = totals.curvature
    if potential.unit.free_knot:
        curvature, corners = 0.0, np.concatenate([corners, np.asarray(potential.x[:, 0])])
    lower, upper = region.domain.of(region.names[0]).bounds(())
    if not (np.isfinite(lower) and np.isfinite(upper)):
        costs = [term.cost(region.names[0]) for term in penalties.parts(potential.penalty)]
        growth = sum(cost.square for cost in costs if cost is not None)
        if totals.lipschitz is None or growth == 0.0 or None in costs:
            return None
        # lambda (w^2 - w0^2) >= L |w - w0| where |w| + |w0| >= L / lambda; w0 is the point nearest to zero.
        far = totals.lipschitz / growth + max(lower, 0.0, -upper) + 1.0
        lower, upper = max(lower, -far), min(upper, far)
    if curvature is None:
        return None
    breaks = _breaks(lower, upper, corners)
    return Line(region.on_box(), breaks, np.full(len(breaks) - 1, curvature + bent))


def _circle(potential: Potential, region: Region, totals: _Totals) -> Line | None:
    curvature, corners = totals.curvature, np.zeros(0)
    if potential.unit.fold(potential.x[0]) is not None:
        # Between the folds phi~ is a sine of the angle; its slope on the unit circle bounds its height too.
        normal = np.asarray(jax.vmap(potential.unit.fold)(potential.x))
        angles = np.arctan2(normal[:, 1], normal[:, 0])
        corners, curvature = np.mod(np.concatenate([angles + np.pi / 2, angles - np.pi / 2]), 2 * np.pi), 0.0
    if curvature is None or totals.lipschitz is None:
        return None
    breaks = _breaks(0.0, 2 * np.pi, corners)
    total = curvature * region.radius**2 + totals.lipschitz * region.radius
    return Line(region.on_box(), breaks, np.full(len(breaks) - 1, total))


def _breaks(lower: float, upper: float, corners: np.ndarray) -> np.ndarray:
    inside = corners[(corners > lower) & (corners < upper)]
    return np.unique(np.concatenate([[lower, upper], inside]))


def _totals_of(function: Depth) -> _Totals:
    found = _totals(function.potential)
    return _Totals(*(None if total is None else float(total) * function.weight for total in found))


@eqx.filter_jit
def _totals(potential: Potential) -> Any:
    unit, heights = potential.unit, sizes(potential.dual)
    declared = [facts(fact, potential) for fact in (unit.curvature, unit.outer_curvature, unit.lipschitz)]
    return [None if values is None else jnp.sum(heights * values) for values in declared]
