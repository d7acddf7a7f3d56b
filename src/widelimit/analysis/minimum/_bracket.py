r"""Between what the infimum lies: a bound from below by duality, another measure from above.

With lambda = loss'(f, y) at the measure, Fenchel's inequality for t lambda gives for all predictions g and t >= 0

$$R(g) \ge t \langle\lambda, g\rangle - \int \mathrm{loss}^*(t \lambda)\,d\mu,\qquad
\inf \ge \mathrm{floor}(t) - \int \mathrm{loss}^*(t\lambda)\,d\mu,$$

floor(t) the least of $t\langle\lambda, g\rangle$ + penalty over the measures that compete. t = 1 is the first-order
gap. The residual of a measure far from the optimum is far too long, and the best t says much more: for the loss
k |f - y|^2 the conjugate is $t \langle\lambda, y\rangle + t^2 \int |\lambda|^2 / (4k)$, a parabola. From above: the
rounds of `minimise`, few of them, among the same competitors; what they find has a residual and a gap of its own.
"""

import contextlib
import dataclasses
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from widelimit.measure import Measure, Particles
from widelimit.numerics import compiled_quickly
from widelimit.problem import Potential, Problem
from widelimit.problem.data import require_nodes

from ._charges import Costs
from ._competitors import competitors
from ._exchange import exchange
from ._extremum import Search
from ._family import filled
from ._rounding import rounding

# Rounds of the search for a better measure, and what is spent in each of them.
_ROUNDS = 3
_MOST = 20_000
_ATOMS = 16
_CLIMBS = 50
_MOST_PRODUCTS = 1e9
# To this part of the objective.
_TOLERANCE = 1e-3
# A bracket informs where it excludes this part of [0, objective] or shows a measure that is better by as much.
_WORTH = 0.1
# The part of the objective below which a risk is rounding.
_ROUNDED = 1e-15


class Comparison(NamedTuple):
    """Who competes: `costs` of a free linear block (None: there is none, or its charges are `settled`), the `limit` of
    its variation, the budget that is `shown`, a `name` in words, and the `budget` for a search."""

    costs: Costs | None
    limit: float
    shown: float | None
    name: str
    budget: float | None = None
    settled: bool = False


class DualBound(NamedTuple):
    """What bounds the objective from below: `upper`, the maximum of the searched function at the measure."""

    problem: Problem
    measure: Measure
    potential: Potential
    upper: float
    others: Comparison

    def floor(self, t: float) -> float:
        """The least of t <lambda, g> + penalty."""
        costs = self.others.costs
        if costs is not None:
            return costs.cheapest(t * self.upper, self.others.limit)
        # (t |g| - lambda_1)_+^2 <= t^2 (|g| - lambda_1)_+^2 for t <= 1, and the rest of the penalty is not negative.
        return -(t**2 if self.others.settled else t) * self.upper

    @property
    def longest(self) -> float:
        """The largest t for which `floor` holds: psi has the penalty in it, unless a free block pays it apart."""
        return 1.0 if self.others.costs is None and self.problem.penalty is not None else math.inf


class Bracket(NamedTuple):
    """`lower` <= inf <= `upper`; the measure that attains `upper`, where it is another one; and in words."""

    objective: float
    lower: float
    upper: float
    competitor: Particles | None
    informs: bool
    bracket: str


def bracket(
    bound: DualBound, gap: float, error: float, certified: bool, search: Search, *, look: bool = True
) -> Bracket:
    """The infimum between two numbers; `error` is what rounding may hide; `look`: for a better measure."""
    problem = bound.problem
    objective = float(problem.objective(bound.measure))
    positive = problem.loss.nonnegative and (problem.penalty is None or problem.penalty.nonnegative)
    lower = max(objective - gap, 0.0 if positive else -math.inf, _scaled(bound) - error if positive else -math.inf)
    # What is left of rounding may not cross.
    lower = min(lower, objective)
    look = look and math.isfinite(bound.upper) and lower < objective and not search.late
    better = _better(bound, search) if look else None
    other, upper = None, objective
    if better is not None:
        if better.certified or not certified:
            lower = max(lower, better.least)
        if better.objective < objective:
            other, upper = better.measure, better.objective
    lower = min(lower, upper)
    informs = max(lower, objective - upper) > _WORTH * abs(objective) or objective - lower <= _WORTH * abs(objective)
    return Bracket(objective, lower, upper, other, informs, _words(bound, objective, lower, upper, other, certified))


def _scaled(bound: DualBound) -> float:
    """max over t of floor(t) - INT loss*(t lambda) d mu."""
    if bound.problem.loss.square_factor is None or not math.isfinite(bound.upper):
        return -math.inf
    import scipy.optimize

    tilt, bend = (float(part) for part in _conjugate(bound.problem, bound.measure))

    def below(t: float) -> float:
        return bound.floor(t) - t * tilt - t * t * bend

    # Beyond, the parabola alone is negative.
    last = min(bound.longest, 2.0 * max(1.0, -(tilt + min(bound.upper, 0.0)) / bend) if bend > 0.0 else 1.0)
    found: Any = scipy.optimize.minimize_scalar(
        lambda t: -below(t), bounds=(0.0, last), method="bounded", options={"xatol": 1e-10}
    )
    return max(below(float(found.x)), below(min(1.0, last)))


@compiled_quickly
def _conjugate(problem: Problem, measure: Measure) -> tuple[jax.Array, jax.Array]:
    """<lambda, y> and INT |lambda|^2 / (4k) of the loss k |f - y|^2."""
    nodes = require_nodes(problem.data, "optimality_gap")
    f = problem.predict(measure, nodes.x)
    slope = jax.vmap(jax.grad(problem.loss))(f, nodes.y).reshape(f.shape[0], -1)
    tilt = nodes.weights @ jnp.sum(slope * nodes.y.reshape(f.shape[0], -1), axis=1)
    factor = problem.loss.square_factor
    assert factor is not None
    return tilt, nodes.weights @ jnp.sum(slope**2, axis=1) / (4.0 * factor)


class _Better(NamedTuple):
    """A measure, its objective, and the `least` that its own gap allows."""

    measure: Particles
    objective: float
    least: float
    certified: bool


def _better(bound: DualBound, search: Search) -> _Better | None:
    """What a short search finds among the same competitors; None where none may be searched."""
    problem = bound.problem
    with contextlib.suppress(ValueError):
        rivals = competitors("optimality_gap", problem, bound.others.budget)
        short = dataclasses.replace(search, most=min(_MOST, search.most))
        # Of many parameters the second derivatives would take longer than all the rest: only weights move there.
        small = rivals.family.cost_of(_ATOMS) <= _MOST_PRODUCTS
        if not small:
            short = dataclasses.replace(short, starts=min(_ATOMS, search.starts), climbs=_CLIMBS, places=False)
        best = exchange(rivals, short, _TOLERANCE, most=_ROUNDS if small else 2 * _ROUNDS).best
        rows, weights = rivals.rows(best.atoms)
        reached = float(problem.objective(Particles(*filled(rows, weights), blocks=problem.blocks)))
        error = rivals.scale * rounding(best.function, best.found.rows, rivals.family.rows(best.atoms.z))
        least = best.now.value - rivals.gap(best.now, best.atoms, best.found.upper) - error
        return _Better(Particles(rows, weights, blocks=problem.blocks), reached, least, best.found.certified)
    return None


def _words(
    bound: DualBound, objective: float, lower: float, upper: float, other: Particles | None, certified: bool
) -> str:
    if not math.isfinite(bound.upper):
        return "Nothing is known of the infimum: psi is not bounded below."
    zero = 0.0 <= lower <= upper <= _ROUNDED * objective
    low = f"{lower:.4g}" if certified or lower == 0.0 else f"about {lower:.4g}"
    place = "is 0 to rounding" if zero else f"lies between {low} and {upper:.4g}"
    # The risk alone stands elsewhere; a reader should not compare the two.
    what = "risk" if bound.problem.penalty is None else "risk + penalty"
    text = f"The infimum of {what} over {bound.others.name} {place}; this measure is at {objective:.4g}."
    if other is not None and objective - upper > _WORTH * abs(objective):
        atoms = f"one of {len(other)} atoms" if len(other) > 1 else "a single atom"
        reached = "it" if zero else f"{upper:.4g}"
        return f"{text} Another of these, {atoms}, reaches {reached}: training is what is missing, not width."
    if objective - lower > _WORTH * abs(objective):
        return text
    return f"{text} {'No' if certified or lower == 0.0 else 'By this estimate no'} other is better by a tenth."
