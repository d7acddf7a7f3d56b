r"""What the measures that compete may spend on a free linear block, and what it costs them.

For phi = c phi~(w, x) with c free only the vector measure nu = c rho counts, of size |nu| = INT |c| d rho; where phi~
has degree k in a free w, nu lives on the directions and |nu| = INT |c| |w|^k d rho. The least penalty of all rho with
the same nu is h(|nu|):

- lambda |c| costs lambda |nu|, for every rho;
- lambda c^2 costs lambda |nu|^2: INT c^2 d rho >= (INT |c| d rho)^2, equal where |c| is constant;
- lambda (c^2 + |w|^2) with k = 1 costs 2 lambda |nu|: the two squares are equal in the best of rho;
- of a penalty on c or w alone, where phi~ has a degree, and of one on w beside a free c, nothing is left: it is scaled
  away (c to infinity on a vanishing mass, say), so that the infimum is not attained and means nothing.

Where phi~ has no degree and lambda_2 c^2 comes with a price q(w) of the rest, mass is what q is paid by, so nothing is
scaled away and no function of |nu| says what is least. But each particle's best charge is known,

$$-\min_c \psi(c, w) = (|g(w)| - \lambda_1)_+^2 / (4 \lambda_2) - q(w),\qquad
|c| = (|g(w)| - \lambda_1)_+ / (2 \lambda_2),$$

so that psi is bounded below against all measures, with one number less to search.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.measure import Measure
from widelimit.numerics import compiled_quickly, known
from widelimit.problem import Problem, penalties

from ._regions import Region

# The domains of a charge of either sign, and of one sign.
LINES = ((-np.inf, np.inf), (0.0, np.inf), (-np.inf, 0.0))


class Costs(NamedTuple):
    """h(s) = `size` s + `square` s^2."""

    size: float
    square: float

    def cheapest(self, pull: float, budget: float) -> float:
        """min of h(s) - `pull` s over 0 <= s <= `budget`, which may be infinite."""
        excess = max(0.0, pull - self.size)
        if excess == 0.0:
            return 0.0
        s = min(budget, excess / (2.0 * self.square) if self.square > 0 else np.inf)
        return self.square * s**2 - excess * s


def is_free(problem: Problem) -> bool:
    """Whether the unit is linear in a block that no domain bounds. Raises `ValueError` where that is not known."""
    name = problem.unit.linear
    if name is None or problem.domain.of(name).compact:
        return False
    if not problem.domain.of(name).box:
        raise ValueError(
            f"problem: the unit is linear in {name!r}, whose domain {problem.domain.of(name)!r} is neither known to be "
            "bounded nor a line, a half-line or an interval."
        )
    return True


def settled_cost(problem: Problem) -> penalties.Cost | None:
    """lambda_1, lambda_2 where a penalty settles the best value of each particle's free charge; else None.

    It must be known in the charge, with lambda_2 > 0, and must price something else as well; the sign of the charge
    must be free or one.
    """
    name = problem.unit.linear or ""
    costs = known([term.cost(name) for term in penalties.parts(problem.penalty)])
    if costs is None or Region.of_features(problem).homogeneous:
        return None
    bounds = problem.domain.of(name).bounds(dict(problem.blocks)[name])
    total = penalties.Cost(sum(cost.size for cost in costs), sum(cost.square for cost in costs))
    return total if bounds in LINES and total.square > 0.0 and _prices_others(problem) else None


def pays_for_all(problem: Problem) -> bool:
    """Whether an l2 penalty on a free linear block is not its alone, with a bounded phi~: then psi is bounded below."""
    return _prices_others(problem) and grows(problem, problem.unit.linear or "") and bounded_features(problem)


def grows(problem: Problem, name: str) -> bool:
    """Whether a penalty grows like the square of a block."""
    costs = [term.cost(name) for term in penalties.parts(problem.penalty)]
    return any(cost.square > 0.0 for cost in costs if cost is not None)


def bounded_features(problem: Problem) -> bool:
    """Whether phi~ is bounded: everywhere, or on its bounded domain."""
    others = [block.name for block in problem.blocks if block.name != problem.unit.linear]
    return problem.unit.bound is not None or all(problem.domain.of(name).compact for name in others)


def _prices_others(problem: Problem) -> bool:
    others = [block.name for block in problem.blocks if block.name != problem.unit.linear]
    return problem.penalty is not None and any(map(problem.penalty.touches, others))


def _whole(term: penalties.AbstractPenalty, problem: Problem, region: Region) -> float | None:
    """The lambda of lambda |theta|^2 over all blocks; None for another penalty, or where phi~ has not the degree 1."""
    costs = {term.cost(block.name) for block in problem.blocks}
    cost = costs.pop()
    fits = region.homogeneous and region.degree == 1.0 and not costs and cost is not None and cost.size == 0.0
    return cost.square if fits and cost is not None else None


def least_costs(problem: Problem, region: Region) -> Costs:
    """A penalty that every particle pays: at least `size` |c| (|w|^k) + `square` |c|^2; zeros where there is none."""
    size = square = 0.0
    for term in penalties.parts(problem.penalty):
        cost = term.cost(problem.unit.linear or "")
        if region.homogeneous:
            size += 2.0 * (_whole(term, problem, region) or 0.0)
        elif cost is not None:
            size, square = size + cost.size, square + cost.square
    return Costs(size, square)


def exact_costs(who: str, problem: Problem, region: Region) -> Costs:
    """h. Raises `ValueError` for a penalty of another kind, and for one that can be scaled away."""
    name, every = problem.unit.linear or "", {block.name for block in problem.blocks}
    for term in penalties.parts(problem.penalty):
        touched = {block for block in every if term.touches(block)}
        alone = touched == {name} and not region.homogeneous and term.cost(name) is not None
        if not touched or alone or _whole(term, problem, region) is not None:
            continue
        whole = region.homogeneous and region.degree == 1.0
        allowed = (
            f"l2(strength) on all of {', '.join(sorted(every))}"
            if whole
            else f"none, as phi~ has degree {region.degree:g}"
            if region.homogeneous
            else f"total_variation(strength, {name!r}) and l2(strength, {name!r})"
        )
        raise ValueError(
            f"{who}(problem=...): the unit is linear in {name!r}, which nothing bounds, so this penalty can be scaled "
            f"away or is not known; allowed: {allowed}; or a bounded domain for {name!r}."
        )
    return least_costs(problem, region)


def variation(problem: Problem, measure: Measure, region: Region) -> float:
    """INT |c| |w|^k d rho; k = 0 unless the search is over directions."""
    return float(_variation(problem, measure, region))


@compiled_quickly
def _variation(problem: Problem, measure: Measure, region: Region) -> Float[Array, ""]:
    theta, w = problem.unpack(measure)
    assert problem.unit.linear is not None
    charge = getattr(theta, problem.unit.linear).reshape(w.shape[0], -1)
    rest = [getattr(theta, name).reshape(w.shape[0], -1) for name in region.names]
    size = jnp.linalg.norm(charge, axis=1)
    if region.homogeneous:
        size = size * jnp.linalg.norm(jnp.concatenate(rest, axis=1), axis=1) ** region.degree
    return jnp.sum(w * size)
