"""Over which measures a minimum is taken, and what a search of the first variation says about it."""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from widelimit.measure import split
from widelimit.problem import Potential, Problem

from ._charges import LINES, Costs, bounded_features, exact_costs, grows, is_free, pays_for_all
from ._depths import Depth, depth
from ._family import Atoms, Expansion, Family
from ._regions import Region

# Atoms to begin with, where no measure is the natural first one.
_SEEDS = 8

_EPS = float(np.finfo(float).eps)


class Competitors(NamedTuple):
    """The atoms that may be mixed, the mixture to begin with, and what bounds the variation.

    - `costs`: h, the least penalty of a given variation; zero without a free linear block.
    - `limit`: the budget that the user gave; infinite where a penalty or the domain takes its place.
    - `name`: who competes, in words.
    """

    family: Family
    first: Atoms
    costs: Costs
    limit: float
    name: str

    @property
    def scale(self) -> float:
        """psi at the best atom of a place is this times (a constant minus the searched function)."""
        return float(self.family.budget) if self.family.budgeted else 1.0

    def function(self, potential: Potential) -> Depth:
        """What is to be searched for its maximum."""
        return depth(potential, self.family.region)

    def level(self, now: Expansion, atoms: Atoms) -> float:
        """The searched function at an atom with the mean psi: what lies above lowers the objective."""
        mean = float(now.psi @ atoms.p)
        if not self.family.budgeted:
            return -mean
        return self.costs.size + 2.0 * self.costs.square * self._variation(atoms) - mean / self.scale

    def gap(self, now: Expansion, atoms: Atoms, upper: float) -> float:
        """objective - inf, at most, when the searched function is nowhere above `upper`; no less than rounding.

        No more than the objective itself, where that cannot be negative.
        """
        mean, rounding = float(now.psi @ atoms.p), 4.0 * _EPS * max(1.0, abs(now.value))
        return max(rounding, min(self._slack(now, atoms, mean, upper), now.value if self._nonnegative else math.inf))

    @property
    def _nonnegative(self) -> bool:
        problem = self.family.problem
        return problem.loss.nonnegative and (problem.penalty is None or problem.penalty.nonnegative)

    def _slack(self, now: Expansion, atoms: Atoms, mean: float, upper: float) -> float:
        """INT psi d rho - inf INT psi d nu over the competitors nu."""
        if not self.family.budgeted:
            return mean + upper
        # psi holds 2 lambda_2 |nu| |c| where a particle pays lambda_2 |c|^2.
        at_rho = mean - self.costs.square * self._variation(atoms) ** 2
        limit = self.limit
        if self.costs.size > 0 and self.family.problem.loss.nonnegative:
            # Every measure as good as this one has a variation below this.
            limit = min(limit, now.value / self.costs.size)
        return at_rho - self.costs.cheapest(upper, limit)

    def rows(self, atoms: Atoms) -> tuple[Float[np.ndarray, "n D"], Float[np.ndarray, " n"]]:
        """The particles and weights of least penalty, in ascending order, the first column first."""
        rows, p = self.family.rows(atoms.z), atoms.p
        if self.family.budgeted:
            rows, p = self._charged(rows, p)
        order = np.lexsort(rows.T[::-1])
        return rows[order], p[order] / p.sum()

    def _variation(self, atoms: Atoms) -> float:
        return float(atoms.p @ self._sizes(self.family.rows(atoms.z)))

    def _sizes(self, rows: Float[np.ndarray, "n D"]) -> Float[np.ndarray, " n"]:
        theta = split(self.family.problem.blocks, jnp.asarray(rows))
        charge = np.asarray(getattr(theta, self.family.problem.unit.linear or ""))
        return np.linalg.norm(charge.reshape(len(rows), -1), axis=1)

    def _charged(self, rows: Any, p: Any) -> tuple[np.ndarray, np.ndarray]:
        """The same c rho with |c| the same for all: the least INT |c|^2, with the charge zero left out."""
        problem, sizes = self.family.problem, self._sizes(rows)
        total = float(p @ sizes)
        kept = p * sizes > 0 if total > 0 else np.arange(len(p)) == 0
        rows, weights = rows[kept], (p * sizes / total if total > 0 else p)[kept]
        sizes = np.where(sizes > 0, sizes, 1.0)[kept]
        # An l2 penalty on all blocks is least where |c| = |w|.
        balanced = self.family.region.homogeneous and self.costs.size > 0
        factors = []
        for block in problem.blocks:
            linear = (total**0.5 if balanced else total) / sizes
            other = np.full(len(rows), total**0.5 if balanced else 1.0)
            factors += [linear if block.name == problem.unit.linear else other] * block.size
        return rows * np.stack(factors, axis=1), weights


def competitors(who: str, problem: Problem, budget: float | None) -> Competitors:
    """All measures on the domain; or those whose free linear block a budget or a penalty bounds.

    Raises `ValueError` where the objective has no minimum worth the name, and says what would give it one.
    """
    # What was divided out has no part in the minimum, and numbers of its own that would compile everything anew.
    problem = eqx.tree_at(lambda p: p.symmetry, problem, None, is_leaf=lambda leaf: leaf is None)
    free = is_free(problem)
    if free and budget is None and pays_for_all(problem):
        free = False
    if not free:
        if budget is not None:
            raise ValueError(f"{who}(budget=...): the unit has no free linear block, so no budget applies.")
        _check_bounded(who, problem)
        family = _family(problem, Region.of_extremes(problem), None, Costs(0.0, 0.0))
        return Competitors(family, _seeds(family), Costs(0.0, 0.0), np.inf, "all measures on the domain")
    return _of_variation(who, problem, budget)


def _of_variation(who: str, problem: Problem, budget: float | None) -> Competitors:
    region, name = Region.of_features(problem), problem.unit.linear
    costs = exact_costs(who, problem, region)
    if not (region.compact or region.bounded_unit):
        raise ValueError(
            f"{who}(problem=...): phi~ is not bounded over the domain of {', '.join(region.names)}: give a bounded one "
            "(domains.Box), or the unit its bound."
        )
    if budget is None and costs == Costs(0.0, 0.0):
        raise ValueError(
            f"{who}(budget=...): the unit is linear in {name!r}, which nothing bounds: give a budget on the mean of "
            f"{region.norm}, a penalty on {name!r}, or a bounded domain for it."
        )
    whole = _family(problem, region, 1.0, costs)
    none = Atoms(np.append(np.ones(region.size), np.zeros(whole.outputs))[None], np.ones(1), np.zeros(1, bool))
    limit = np.inf if budget is None else budget
    if budget is None:
        if not problem.loss.nonnegative:
            raise ValueError(
                f"{who}(budget=...): the loss {problem.loss.name!r} is not declared nonnegative, so the penalty bounds "
                "nothing: give a budget, or declare losses.Loss(function, convex=True, nonnegative=True)."
            )
        # No measure as good as f = 0 has a larger variation.
        at_zero = whole.expand(none).value
        by_size = at_zero / costs.size if costs.size > 0 else np.inf
        by_square = (at_zero / costs.square) ** 0.5 if costs.square > 0 else np.inf
        budget = min(by_size, by_square) or 1.0
    family = _family(problem, region, budget, costs)
    given = "all measures" if limit == np.inf else f"measures whose mean {region.norm} is at most {limit:.6g}"
    return Competitors(family, none, costs, limit, given)


def _family(problem: Problem, region: Region, budget: float | None, costs: Costs) -> Family:
    name, lower, upper = problem.unit.linear, -np.inf, np.inf
    if name is not None:
        lower, upper = problem.domain.of(name).bounds(dict(problem.blocks)[name])
    if budget is not None and (lower, upper) not in LINES:
        raise ValueError(
            f"minimise(problem=...): the domain of {name!r} must be all of R, a half-line from zero, or bounded; "
            f"got [{lower:g}, {upper:g}]."
        )
    charged = name is not None and name not in region.names
    return Family(
        problem,
        region,
        charged=charged,
        extremes=(lower, upper) if charged and budget is None else None,
        side=1 if lower == 0.0 else -1 if upper == 0.0 else 0,
        budget=jnp.asarray(budget or 0.0),
        size_cost=jnp.asarray(costs.size),
        square_cost=jnp.asarray(costs.square),
    )


def _seeds(family: Family) -> Atoms:
    """Places to begin with: along the way to infinity, or at random near and far."""
    size = family.region.size
    if family.region.infinite:
        z = np.linspace(0.0, np.pi, _SEEDS)[:, None]
    else:
        scales = np.geomspace(0.1, 10.0, _SEEDS)[:, None]
        z = scales * np.random.default_rng(0).normal(size=(_SEEDS, size))
    if family.extremes is not None:
        ends = np.where(np.arange(_SEEDS) % 2 == 0, *family.extremes)
        z = np.concatenate([z, np.repeat(ends[:, None], family.outputs, axis=1)], axis=1)
    return Atoms(z, np.full(_SEEDS, 1.0 / _SEEDS), np.zeros(_SEEDS, bool))


def _check_bounded(who: str, problem: Problem) -> None:
    """Raise `ValueError` where psi is not bounded below: an unbounded unit on an unbounded domain."""
    region, unit = Region.of_rows(problem), problem.unit
    open_blocks = [block.name for block in problem.blocks if not problem.domain.of(block.name).compact]
    held = all(grows(problem, name) for name in open_blocks)
    nodes = problem.data.nodes
    slow = unit.linear is None and nodes is not None and unit.lipschitz(nodes.x[0]) is not None
    charged = unit.linear is not None and held and bounded_features(problem)
    if not (region.compact or unit.bound is not None or charged or (held and slow)):
        raise ValueError(
            f"{who}(problem=...): the domain of {', '.join(open_blocks)} and the unit are unbounded, so may psi be: "
            "give a bounded domain, an l2 penalty on every unbounded block, or the unit its bound."
        )
