r"""The minimum of a convex objective over all probability measures.

R is convex in rho, and the penalties are linear in it, so the minimum over measures is a convex problem, whatever the
landscape of the parameters. A fully corrective exchange solves it: the lowest points of psi(.; rho) become atoms; the
weights of all atoms are made optimal; places and weights then slide downhill together, so that atoms converge
quadratically instead of gathering around where they ought to be; atoms that meet become one; those without weight
go. It ends where no point of the domain lies below the mean of psi: then

$$\mathrm{objective}(\rho) - \inf \le \int \psi\,d\rho - \inf\psi = \mathrm{gap}.$$

With a free linear block the competitors are the measures of a given variation, or those that the penalty leaves (see
`_charges`).
"""

import dataclasses

import numpy as np
from jaxtyping import PRNGKeyArray

from widelimit._shown import Shown
from widelimit.measure import Particles
from widelimit.numerics import real_number, require_x64
from widelimit.problem import Problem
from widelimit.problem.data import require_nodes
from widelimit.trajectory import Progress

from .._measures import check_convex
from ._competitors import Competitors, competitors
from ._exchange import Ended, enough, exchange, padded, remaining
from ._extremum import Search
from ._family import filled
from ._optimality import say
from ._rounding import rounding

# Steps of a local search.
_CLIMBS = 50


@dataclasses.dataclass(frozen=True)
class Minimum(Shown):
    """A measure with objective(measure) - inf objective <= `gap`.

    - `measure`: its atoms in ascending order, the first column first, with weights that sum to 1; a position may be
      infinite.
    - `risk`, `objective`: of this measure; the objective is the risk plus INT penalty d rho.
    - `certified`: True when the gap is a theorem, up to rounding, from an exhaustive search; else it is an estimate
      from below: that of the best of many local searches.
    - `converged`: whether no search found a descent by more than the tolerance. Where that search was a local one and
      the certificate a coarse one, `gap` can be far above the tolerance.
    - `iterations`: how many times atoms were exchanged.
    - `at_infinity`: the mass of the atoms at infinity; where it is positive no network with finite weights attains the
      infimum.
    - `budget`: C, where the competitors are the measures with INT |c| d rho <= C; None where they are all measures.
    - `statement`: all this in words, and what to try where it did not converge.
    """

    measure: Particles
    risk: float
    objective: float
    gap: float
    certified: bool
    converged: bool
    iterations: int
    at_infinity: float
    budget: float | None
    statement: str

    def __repr__(self) -> str:
        return f"Minimum(objective={self.objective:.12g}, {len(self.measure)} atoms: {self.statement})"


def minimise(
    problem: Problem,
    *,
    tolerance: float = 1e-12,
    budget: float | None = None,
    starts: int = 64,
    key: PRNGKeyArray | None = None,
    most: int = 400_000,
    max_seconds: float | None = None,
) -> Minimum:
    r"""$\min_\rho R(f_\rho) + \int \mathrm{penalty}\,d\rho$ over all probability measures, and a bound on the rest.

    The loss must be convex in f. For two Gaussians (mei2018, Fig. 2) the minimum is one atom inside the interval of
    Lemma 1, and outside of it several, one of them at r = infinity.

    **Arguments**

    - `tolerance`: of the gap, relative to the objective where that is above 1.
    - `budget`: C, for a unit that is linear in a free block c without a penalty on it: the competitors are the measures
      with INT |c| d rho <= C (INT |c| |w|^k d rho where phi~ has degree k in a free w).
    - `starts`: local searches for the lowest point of psi, where no exhaustive one is possible.
    - `key`: for their random starts; a fixed one by default.
    - `most`: evaluations that an exhaustive search may spend.
    - `max_seconds`: after which no further round begins; what was found by then comes back, with its gap.

    Longer searches show their rounds on a terminal or in a notebook. One searched parameter on a bounded domain, the
    radius of a reduced problem, infinity included, or the angle of two is searched exhaustively, with bounds of second
    order from the unit's `curvature`; up to three in a box in the end, with `curvature` or `lipschitz`; others, an
    unbounded weight among them, by local searches only.

    **Raises** `ValueError` for a loss that is not convex, data without nodes, an output scale that depends on N, a free
    linear block without a budget or a penalty that bounds it, a domain and a unit that leave psi unbounded below, a
    tolerance or a budget that is not positive.
    """
    require_x64("minimise")
    _check(problem, tolerance, budget)
    problem = problem.on_nodes()
    rivals = competitors("minimise", problem, budget)
    potential = rivals.family.problem.potential(padded(rivals.family, rivals.first))
    search = Search.of("minimise", problem, potential, starts, key, most)
    # What a search finds need not be a minimum of psi to the last digit, since atoms slide.
    search = dataclasses.replace(search, climbs=_CLIMBS)
    if max_seconds is not None:
        spent = real_number(max_seconds, "minimise(max_seconds=...)", above=0.0)
        search = dataclasses.replace(search, deadline=search.began + spent)
    with Progress(None, None, "minimise") as bar:
        ended = exchange(rivals, dataclasses.replace(search, bar=bar), tolerance)
        return _finish(rivals, ended, tolerance)


def _check(problem: Problem, tolerance: float, budget: float | None) -> None:
    if not isinstance(problem, Problem):
        raise ValueError(f"minimise(problem=...): expected a Problem, got {type(problem).__name__}.")
    problem.two_layer("minimise")
    check_convex(problem, "minimise")
    require_nodes(problem.data, "minimise")
    if not problem.scale.mean_field:
        raise ValueError("minimise(problem=...): this output scale depends on N; use scales.MeanField().")
    real_number(tolerance, "minimise(tolerance=...)", above=0.0)
    if budget is not None:
        real_number(budget, "minimise(budget=...)", above=0.0)


def _finish(rivals: Competitors, ended: Ended, tolerance: float) -> Minimum:
    problem, best = rivals.family.problem, ended.best
    rows, weights = rivals.rows(best.atoms)
    filled_up = Particles(*filled(rows, weights), blocks=problem.blocks)
    risk, penalty = float(problem.risk(filled_up)), float(problem.penalty_of(filled_up))
    error = rivals.scale * rounding(best.function, best.found.rows, rivals.family.rows(best.atoms.z))
    gap = rivals.gap(best.now, best.atoms, best.found.upper) + error
    far = float(np.sum(weights[np.any(np.isinf(rows), axis=1)]))
    converged = remaining(rivals, best) <= enough(best, tolerance)
    statement = say(gap, rivals.name, best.found.certified, False)
    if far > 0:
        statement += f" A share {far:.6g} of the mass sits at infinity: not attained by any finite weights."
    if not converged:
        left = f"{remaining(rivals, best):.2g} is left to gain, the tolerance is {enough(best, tolerance):.2g}"
        statement += (
            f" Not converged in {ended.rounds} rounds: {left}; {_reason(ended, error, remaining(rivals, best))}."
        )
    elif gap - error > enough(best, tolerance):
        statement += " No search found any descent above the tolerance; the certificate is coarser: raise most=...."
    elif gap > enough(best, tolerance):
        statement += f" {error:.2g} of it is what rounding may hide: the unit's values are no better known."
    return Minimum(
        measure=Particles(rows, weights, blocks=problem.blocks),
        risk=risk,
        objective=risk + penalty,
        gap=gap,
        certified=best.found.certified,
        converged=converged,
        iterations=ended.rounds,
        at_infinity=far,
        budget=None if np.isinf(rivals.limit) else rivals.limit,
        statement=statement,
    )


def _reason(ended: Ended, error: float, left: float) -> str:
    """Why there was no convergence, and what to try."""
    if ended.late:
        return "the time was up: raise max_seconds=..."
    if left <= error:
        return f"rounding of the unit's values, up to {error:.2g}, hides it: raise tolerance=..."
    if ended.gained <= error:
        return (
            f"the last rounds changed the objective by {ended.gained:.2g}, of which rounding of the unit hides "
            f"up to {error:.2g}: no step is seen to descend, and no option changes that; raise tolerance=..."
        )
    return "raise tolerance=..." if ended.best.found.certified else "raise starts=... or tolerance=..."
