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
- with lambda c^2: c . g + lambda c^2 >= -|g|^2 / (4 lambda).
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import Particles
from widelimit.numerics import branch_and_bound, entries, evaluate, maximise
from widelimit.problem import Potential, Problem, penalties

from ._regions import Region, correlation, potential_depth

# How many times farther out than the searches' points one looks for growth without bound.
_FAR = 1e4


@dataclasses.dataclass(frozen=True)
class OptimalityGap:
    """objective(rho) - inf objective <= `gap`.

    - `gap`: the bound; infinite where psi is not bounded below over the competitors.
    - `budget`: C, where the competitors are the measures with INT |c| d rho <= C; None where they are all measures.
    - `largest_correlation`: max |<R'(f), phi~(w, .)>|, from above where certified; None for a unit without a linear
      block. Zero when the residual is orthogonal to every feature.
    - `maximiser`: where: a row in the columns of the measure (a linear block is left 1), or None.
    - `certified`: True when the maximum was bounded by an exhaustive search with a Lipschitz constant: then the gap is
      a theorem up to rounding. False when it is the best of many local searches: then it is an estimate from below.
    - `statement`: all this in a sentence.
    """

    gap: float
    budget: float | None
    largest_correlation: float | None
    maximiser: np.ndarray | None
    certified: bool
    statement: str


def optimality_gap(
    problem: Problem,
    measure: Particles,
    *,
    budget: float | None = None,
    starts: int = 64,
    key: PRNGKeyArray | None = None,
    most: int = 400_000,
) -> OptimalityGap:
    """A bound on objective(rho) - inf objective (mei2018; corrected constants in NOTATION).

    **Arguments**

    - `budget`: C, for a unit that is linear in a free block without a penalty on it; by default that of the measure
      itself.
    - `starts`: local searches for the extremum: half from the particles, half at random.
    - `key`: for the random starts; a fixed one by default.
    - `most`: evaluations that the exhaustive search may spend. It is tried for up to three searched parameters on a
      bounded domain (or, for a homogeneous unit, on the sphere), for units with a Lipschitz constant.

    **Raises** `ValueError` for a loss that is not convex, data without nodes, and a budget that is not positive.
    """
    if not problem.loss.convex:
        raise ValueError(
            f"optimality_gap(problem=...): the loss {problem.loss.name!r} is not declared convex "
            "(losses.Loss(function, convex=True) declares it)."
        )
    if budget is not None and not 0 < budget < float("inf"):
        raise ValueError(f"optimality_gap(budget=...): must be positive and finite, got {budget}.")
    if starts < 2:
        raise ValueError(f"optimality_gap(starts=...): must be at least 2, got {starts}.")
    potential = problem.potential(measure)
    rows = potential.x.shape[0]
    batch = max(1, min(2048, entries(problem.budget) // rows))
    search = _Search(starts, jax.random.key(0) if key is None else key, most, batch)
    at_rho = float(jnp.sum(measure.weights * potential(measure.positions)))
    if _is_free(problem):
        return _by_correlation(problem, measure, potential, at_rho, budget, search)
    if budget is not None:
        raise ValueError("optimality_gap(budget=...): the unit has no free linear block, so no budget applies.")
    return _by_minimum(problem, measure, potential, at_rho, search)


@dataclasses.dataclass(frozen=True)
class _Search:
    starts: int
    key: PRNGKeyArray
    most: int
    batch: int


def _is_free(problem: Problem) -> bool:
    """Whether the unit is linear in a block that no domain bounds."""
    name = problem.unit.linear
    if name is None:
        return False
    shape = next(block.shape for block in problem.blocks if block.name == name)
    lower, upper = problem.domain.of(name).bounds(shape)
    return not (np.isfinite(lower) and np.isfinite(upper))


def _by_minimum(
    problem: Problem, measure: Particles, potential: Potential, at_rho: float, search: _Search
) -> OptimalityGap:
    region = Region.of_rows(problem)
    depth = potential_depth(potential, region)
    point, best, far = _local(depth, region, measure, search)
    upper, certified, point = _exhaust(depth, region, point, best, search)
    gap = float("inf") if far else at_rho + upper
    return OptimalityGap(
        gap=gap,
        budget=None,
        largest_correlation=None,
        maximiser=None if far else point,
        certified=certified and not far,
        statement=_say(gap, "all measures on the domain", certified, far),
    )


def _by_correlation(
    problem: Problem,
    measure: Particles,
    potential: Potential,
    at_rho: float,
    budget: float | None,
    search: _Search,
) -> OptimalityGap:
    region = Region.of_features(problem)
    size = correlation(potential, region)
    point, best, far = _local(size, region, measure, search)
    upper, certified, point = _exhaust(size, region, point, best, search)
    # A penalty of the user's own is taken as not negative, which nobody has proved.
    known = all(isinstance(term, penalties.L2 | penalties.TotalVariation) for term in penalties.parts(problem.penalty))
    certified = certified and not far and known
    size_cost, square_cost = _charge_costs(problem, region)
    excess = max(0.0, upper - size_cost)
    competitors = "all measures"
    shown: float | None = None
    if far:
        gap = float("inf")
    elif square_cost > 0 and budget is None:
        gap = at_rho + excess**2 / (4.0 * square_cost)
    elif size_cost > 0 and budget is None and problem.loss.nonnegative and known:
        # Every measure as good as this one obeys this budget, so the bound is against all of them.
        shown = float(problem.objective(measure)) / size_cost
        gap = at_rho + shown * excess
    else:
        shown = _variation(problem, measure, region) if budget is None else budget
        whose = "that of the measure itself" if budget is None else "as given"
        competitors = f"measures whose mean {region.norm} is at most {shown:.4g} ({whose})"
        gap = at_rho + shown * excess
    return OptimalityGap(
        gap=gap,
        budget=shown,
        largest_correlation=float("inf") if far else upper,
        maximiser=None if far else point,
        certified=certified,
        statement=_say(gap, competitors, certified, far) + _comment(problem, measure, gap),
    )


def _comment(problem: Problem, measure: Particles, gap: float) -> str:
    """A bound above the objective itself is right and says nothing; a reader should not have to find out."""
    objective = float(problem.objective(measure))
    if not problem.loss.nonnegative or not objective < gap < float("inf"):
        return ""
    return f" The objective itself is {objective:.4g}, so this says no more than that it cannot fall below zero."


def _charge_costs(problem: Problem, region: Region) -> tuple[float, float]:
    """(l1, l2): the penalty on a particle is at least l1 |c| (|w|^k) + l2 |c|^2; zeros where it is not."""
    name, every = problem.unit.linear, {block.name for block in problem.blocks}
    size_cost = square_cost = 0.0
    for term in penalties.parts(problem.penalty):
        if isinstance(term, penalties.TotalVariation) and term.block == name and not region.homogeneous:
            size_cost += term.strength
        elif isinstance(term, penalties.L2):
            if region.homogeneous and region.degree == 1.0 and set(term.names or every) == every:
                size_cost += 2.0 * term.strength
            elif not region.homogeneous and name in (term.names or every):
                square_cost += term.strength
    return size_cost, square_cost


def _variation(problem: Problem, measure: Particles, region: Region) -> float:
    """INT |c| |w|^k d rho; k = 0 unless the search is over directions."""
    theta, w = problem.unpack(measure)
    assert problem.unit.linear is not None
    charge = getattr(theta, problem.unit.linear).reshape(w.shape[0], -1)
    rest = [getattr(theta, name).reshape(w.shape[0], -1) for name in region.names]
    size = jnp.linalg.norm(charge, axis=1)
    if region.homogeneous:
        size = size * jnp.linalg.norm(jnp.concatenate(rest, axis=1), axis=1) ** region.degree
    return float(jnp.sum(w * size))


def _local(
    function: Any, region: Region, measure: Particles, search: _Search
) -> tuple[Float[Array, " m"], float, bool]:
    """The best point of many local searches, its value, and whether the search ran away to infinity."""
    if region.all_points is not None:
        values = evaluate(function, region.all_points, search.batch)
        return jnp.asarray(region.all_points[int(np.argmax(values))]), float(np.max(values)), False
    own = region.starts(measure.positions)
    half = search.starts // 2
    leading = own[np.argsort(-evaluate(function, np.asarray(own), search.batch))[:half]]
    centre, spread = jnp.mean(own, axis=0), jnp.std(own, axis=0) + 1e-3
    # Twice the spread of the particles, and for every fourth ten times: features far from the cloud.
    wide = jnp.where(jnp.arange(search.starts - half)[:, None] % 4 == 0, 10.0, 2.0)
    random = centre + wide * spread * jax.random.normal(search.key, (search.starts - half, own.shape[1]))
    starts = jnp.concatenate([leading, random])
    found = maximise(function, starts, batch=search.batch)
    far = not np.isfinite(found.value)
    if not far and not region.compact and not region.bounded_unit:
        # A value without bound grows on the way out, whatever the local searches did.
        out = evaluate(function, _FAR * np.concatenate([np.asarray(starts), found.point[None]]), search.batch)
        far = bool(np.any(~(out <= 10.0 * abs(found.value) + 1e-12)))
    return jnp.asarray(found.point), found.value, far


def _exhaust(
    function: Any, region: Region, point: Float[Array, " m"], best: float, search: _Search
) -> tuple[float, bool, np.ndarray]:
    """(a bound on the maximum or the best value, whether it is a bound, the best point as a row)."""
    if region.all_points is not None:
        return best, True, np.asarray(region.row(point))
    box = region.box
    if box is None or function.slope is None:
        return best, False, np.asarray(region.row(point))
    lower, upper = box
    on_box = dataclasses.replace(function, region=region.on_box())
    proved = branch_and_bound(
        on_box, float(function.slope), lower, upper, known=best, most=search.most, batch=search.batch
    )
    better = proved.best > best
    row = on_box.region.row(jnp.asarray(proved.point)) if better else region.row(point)
    return proved.upper, True, np.asarray(row)


def _say(gap: float, competitors: str, certified: bool, far: bool) -> str:
    if far:
        return (
            "The first variation is not bounded below over the search (it falls without end far from the particles): "
            "no gap can be stated without a bounded domain, a penalty or a bounded unit."
        )
    how = "certified by an exhaustive search" if certified else "an estimate: the best of many local searches"
    return f"Within {gap:.4g} of the infimum of the objective over {competitors}; {how}."
