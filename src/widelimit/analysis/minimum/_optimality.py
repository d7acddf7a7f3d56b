r"""How far a measure is from a global optimum, for a loss that is convex in f.

R is convex in rho, so for every measure nu: R(rho) - R(nu) <= INT psi d rho - INT psi d nu, psi the first variation
at rho (penalties included: they are linear in rho). What is left is a lower bound on INT psi d nu over the measures
that compete:

- psi bounded below: INT psi d nu >= min psi.
- phi = c phi~(w, x) with c free: psi = c . g(w) + penalty with g(w) = <R'(f), phi~(w, .)>, not bounded below. Over
  INT |c| d nu <= C it is at least -C max |g| (penalties are not negative). Where phi~ has degree k in w and w is
  free as well, the norm is INT |c| |w|^k d nu and the maximum is over |w| = 1.
- with a penalty of at least lambda |c| (or, by the arithmetic-geometric mean, lambda (c^2 + |w|^2) >= 2 lambda
  |c||w| for k = 1) it is at least -C (max |g| - lambda)_+ , and every nu as good as rho has
  lambda INT |c| d nu <= objective(rho): the bound then holds against all measures.
- with lambda c^2: c . g + lambda c^2 >= -|g|^2 / (4 lambda); where the penalty prices w as well by q(w), and phi~ has
  no degree, INT psi d nu >= min over w of q(w) - |g(w)|^2 / (4 lambda).
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit._shown import Shown
from widelimit.measure import Measure, Particles
from widelimit.numerics import compiled_quickly, evaluate, real_number
from widelimit.problem import Potential, Problem, penalties
from widelimit.trajectory import Progress

from .._measures import check_convex, check_measure
from ._bracket import Comparison, DualBound, bracket
from ._charges import is_free, least_costs, pays_for_all, settled_cost, variation
from ._depths import Depth, depth
from ._extremum import Extremum, Search, climb_all, prove, scan
from ._regions import Region
from ._rounding import rounding, with_charges

# Local searches run together; after each of so many groups it is said how many are done.
_GROUPS = 8
# How many times farther out than the searches' points one looks for growth without bound.
_FAR = 1e4
_ALL = "all measures on the domain"
_LATE = " The time was up: raise max_seconds=... for a longer search."


@dataclasses.dataclass(frozen=True, repr=False)
class OptimalityGap(Shown):
    """objective(rho) - inf objective <= `gap`.

    - `gap`: the bound of the first variation, INT psi d rho - inf INT psi d nu; infinite where psi is not bounded below
      over the competitors. The bracket often says more: objective - `lower` is no larger.
    - `budget`: C, where the competitors are the measures with INT |c| d rho <= C; None where they are all measures.
    - `largest_correlation`: max |<R'(f), phi~(w, .)>|, from above where certified. Zero when the residual is orthogonal
      to every feature. None for a unit without a linear block, and where a penalty on all blocks bounds psi itself.
    - `maximiser`: where: a row in the columns of the measure (a linear block is left 1, unless the penalty says its
      best value), or None.
    - `certified`: True when the maximum was bounded by an exhaustive search with a Lipschitz constant or a bound on
      second derivatives: then the gap is a theorem up to rounding. False when it is the best of many local searches:
      then it is an estimate from below.
    - `statement`: all this in a sentence.
    - `lower` <= inf <= `upper`, over the same competitors; `objective`: of the measure itself. `lower` is the best of
      the dual bounds along the measure's residual, no less than objective - gap, and as certain as the gap; `upper` is
      the objective of `competitor`, a better measure that a short search found; None where it found none.
    - `bracket`: these in a sentence; `informs`: whether it says more than that nothing is known.
    """

    gap: float
    budget: float | None
    largest_correlation: float | None
    maximiser: np.ndarray | None = dataclasses.field(repr=False)
    certified: bool
    statement: str
    objective: float
    lower: float
    upper: float
    competitor: Particles | None = dataclasses.field(repr=False)
    informs: bool
    bracket: str

    def __repr__(self) -> str:
        return f"OptimalityGap(gap={self.gap:.4g}: {self.statement}{f' {self.bracket}' if self.informs else ''})"


def optimality_gap(
    problem: Problem,
    measure: Measure,
    *,
    budget: float | None = None,
    starts: int = 64,
    key: PRNGKeyArray | None = None,
    most: int = 400_000,
    max_seconds: float | None = None,
    competitor: bool = True,
) -> OptimalityGap:
    """A bound on objective(rho) - inf objective (mei2018; corrected constants in NOTATION).

    **Arguments**

    - `budget`: C, for a unit that is linear in a free block without a penalty on it; by default that of the measure
      itself.
    - `starts`: local searches for the extremum: half from the particles, half at random.
    - `key`: for the random starts; a fixed one by default.
    - `most`: evaluations that the exhaustive search may spend. It is tried for up to three searched parameters on a
      bounded domain (or, for a homogeneous unit, on the sphere), for units with a Lipschitz constant.
    - `max_seconds`: after which the exhaustive search ends with the bound that it has, and no better measure is looked
      for; the gap is true all the same, and larger.

    - `competitor`: whether to look for a better measure, the longest part where psi is searched locally; without,
      `upper` is the objective itself, and `lower` may be lower.

    Longer searches show their progress on a terminal or in a notebook.

    **Raises** `ValueError` for a loss that is not convex, data without nodes, and a budget that is not positive.
    """
    problem.two_layer("optimality_gap")
    check_convex(problem, "optimality_gap")
    if budget is not None:
        budget = real_number(budget, "optimality_gap(budget=...)", above=0.0)
    check_measure(problem, measure, "optimality_gap(measure=...)", probability=False)
    problem = problem.on_nodes()
    potential = problem.potential(measure)
    search = Search.of("optimality_gap", problem, potential, starts, key, most)
    search = dataclasses.replace(search, cuts=True)
    if max_seconds is not None:
        spent = real_number(max_seconds, "optimality_gap(max_seconds=...)", above=0.0)
        search = dataclasses.replace(search, deadline=search.began + spent)
    at_rho = float(np.sum(np.asarray(measure.weights) * np.asarray(potential(measure.positions))))
    if not math.isfinite(at_rho):
        raise ValueError("optimality_gap(measure=...): psi is not finite at one of its particles.")
    if budget is not None and not is_free(problem):
        raise ValueError("optimality_gap(budget=...): the unit has no free linear block, so no budget applies.")
    with Progress(None, None, "optimality_gap") as bar:
        search = dataclasses.replace(search, bar=bar)
        return _bounded(problem, measure, potential, at_rho, budget, search, look=competitor)


def _bounded(
    problem: Problem,
    measure: Measure,
    potential: Potential,
    at_rho: float,
    budget: float | None,
    search: Search,
    *,
    look: bool,
) -> OptimalityGap:
    """The gap of a measure with INT psi d rho = `at_rho`."""
    free = is_free(problem)
    settled = settled_cost(problem) if free and budget is None else None
    free = free and settled is None and not (budget is None and pays_for_all(problem))
    features = free or settled is not None
    function = depth(potential, Region.of_features(problem) if features else Region.of_extremes(problem), settled)
    found, far = _largest(function, measure, search)
    # Here, once: max(0.0, nan) below is 0, and "not finite" would be read as "not bounded".
    if math.isnan(found.upper):
        raise ValueError("optimality_gap: psi is not a number at a place that the search came to.")
    others = Comparison(None, math.inf, None, _ALL, settled=settled is not None)
    others = _others(problem, measure, function.region, budget) if free else others
    certified = found.certified and not far and (not free or _nonnegative(problem.penalty))
    bound = DualBound(problem, measure, potential, math.inf if far else found.upper, others)
    error = 0.0 if far else _error(problem, function, found, measure, others)
    gap = math.inf if far else at_rho - bound.floor(1.0) + error
    between = bracket(bound, gap, error, certified, search, look=look)
    correlation = None if not free else math.inf if far else max(0.0, found.upper)
    return OptimalityGap(
        gap=gap,
        budget=others.shown,
        largest_correlation=correlation,
        maximiser=None if far else np.asarray(with_charges(function, found.rows[:1]))[0],
        certified=certified,
        statement=say(gap, others.name, certified, far)
        + _comment(problem, between.objective, gap)
        + (_LATE if search.late else ""),
        **between._asdict(),
    )


def _others(problem: Problem, measure: Measure, region: Region, budget: float | None) -> Comparison:
    """Who competes where a linear block is free."""
    costs = least_costs(problem, region)
    if budget is None and costs.square > 0:
        return Comparison(costs, math.inf, None, "all measures")
    if budget is None and costs.size > 0 and problem.loss.nonnegative and _nonnegative(problem.penalty):
        # Every measure as good as this one obeys this budget, so the bound is against all of them.
        limit = float(problem.objective(measure)) / costs.size
        return Comparison(costs, limit, None, "all measures")
    limit = variation(problem, measure, region) if budget is None else budget
    whose = "that of the measure itself" if budget is None else "as given"
    return Comparison(costs, limit, limit, f"measures whose mean {region.norm} is at most {limit:.4g} ({whose})", limit)


def _error(problem: Problem, function: Depth, found: Extremum, measure: Measure, others: Comparison) -> float:
    """What rounding may hide; that of phi~ counts as often as there is charge."""
    region = function.region
    # A direction stands for all lengths.
    rows = [] if region.homogeneous else [np.asarray(measure.positions)]
    error = rounding(function, np.asarray(with_charges(function, found.rows)), *rows)
    if not function.free:
        return error
    charge = variation(problem, measure, region)
    return error * max(charge, others.limit if math.isfinite(others.limit) else charge)


def _nonnegative(penalty: penalties.AbstractPenalty | None) -> bool:
    """A penalty that does not say so is taken as not negative, which nobody has proved."""
    return penalty is None or penalty.nonnegative


def _comment(problem: Problem, objective: float, gap: float) -> str:
    """A bound above the objective itself is right and says nothing; a reader should not have to find out."""
    if not problem.loss.nonnegative or not objective <= gap < math.inf or objective == 0.0:
        return ""
    return f" The objective itself is {objective:.4g}, so this says no more than that it cannot fall below zero."


def _largest(function: Depth, measure: Measure, search: Search) -> tuple[Extremum, bool]:
    """The maximum, and whether the function grew without end on the way to infinity."""
    exhaustive = scan(function, search)
    if exhaustive is not None:
        return exhaustive, False
    region = function.region
    own = np.asarray(region.starts(measure.positions))
    half = search.starts // 2
    leading = own[np.argsort(-evaluate(function, own, search.batch))[:half]]
    random = np.array(_around(own, search.key, search.starts - half))
    if region.infinite:
        # No step from a finite place arrives there.
        random[0] = np.pi
    starts = np.concatenate([leading, random])
    found = climb_all(function, starts, search, groups=_GROUPS)
    far = not np.isfinite(found.upper)
    # A bounded unit bounds psi from below, unless a penalty falls without end.
    bounded = region.bounded_unit and _nonnegative(function.penalty)
    if not far and not region.compact and not bounded:
        # A value without bound grows on the way out, whatever the local searches did: of all blocks, or of one alone.
        top = np.asarray(region.starts(jnp.asarray(found.rows[:1])))
        of_block = np.repeat(np.eye(len(region.searched), dtype=bool), [b.size for b in region.searched], axis=1)
        alone = np.where(of_block, _FAR * top, top)
        out = evaluate(function, np.concatenate([_FAR * starts, _FAR * top, alone]), search.batch)
        far = bool(np.any(~(out <= 10.0 * abs(found.upper) + 1e-12)))
    return found if far else prove(function, found, search), far


@compiled_quickly
def _around(own: Float[Array | np.ndarray, "N m"], key: PRNGKeyArray, count: int) -> Float[Array, "count m"]:
    """Random places about the particles."""
    centre, spread = jnp.mean(own, axis=0), jnp.std(own, axis=0) + 1e-3
    # Twice the spread of the particles, and for every fourth ten times: features far from the cloud.
    wide = jnp.where(jnp.arange(count)[:, None] % 4 == 0, 10.0, 2.0)
    return centre + wide * spread * jax.random.normal(key, (count, own.shape[1]))


def say(gap: float, competitors: str, certified: bool, far: bool) -> str:
    if far:
        return (
            "The first variation is not bounded below over the search (it falls without end far from the particles): "
            "no gap can be stated without a bounded domain, a penalty or a bounded unit."
        )
    how = "certified by an exhaustive search" if certified else "an estimate: the best of many local searches"
    return f"Within {'' if certified else 'about '}{gap:.4g} of the infimum of the objective over {competitors}; {how}."
