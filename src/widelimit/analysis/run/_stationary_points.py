"""The stationary points of a problem, from many starts: by the flow, and by minimising the dissipation."""

import dataclasses
import enum
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from widelimit._evolve import evolve_many
from widelimit.dynamics import AbstractDynamics, GradientFlow
from widelimit.measure import Particles
from widelimit.numerics import Count, real_number, whole_number
from widelimit.problem import Problem
from widelimit.problem.data import Nodes, require_nodes

from .._measures import check_measure
from ..atoms._stability import check
from ._least_dissipation import least_dissipation, rates_of
from ._stationarity import stationarity

# Of the steepest start: a gradient so much smaller is rounding.
_ROUNDING = 1e-13
# N D: a dense Jacobian is factorised at each step.
_MOST = 2000


class PointKind(enum.Enum):
    """What the end of a search is."""

    ZERO_LOSS = "zero loss"
    POSITIVE_LOSS = "stationary, loss > 0"
    SLOW = "slow"


@dataclasses.dataclass(frozen=True)
class StationaryPoint:
    r"""The end of one search.

    - `start`: the number of its start; `by`: "flow", "dissipation", or "flow, dissipation" for a search that minimises
      the dissipation from the end of the flow.
    - `measure`: the particles there; `loss`: their risk.
    - `gradient`: $(\int |P^{1/2}\nabla\psi|^2 d\rho)^{1/2}$.
    - `moved`: how far the particles are from where the search began, root mean square over rho.
    - `kind`: `ZERO_LOSS`; `POSITIVE_LOSS`, at rest above it; or `SLOW`, not at rest: a flow still moves, the
      dissipation is least but not 0, or particles are on their way to infinity.
    - `group`: points at rest of one kind and network function have one number, by rising loss; None where slow.
    - `rates`: [K], the eigenvalues of the objective's Hessian in the metric of the flow, ascending: -rate is how fast a
      displacement of the particles grows. None where slow, on a wall or a sphere.
    - `falling`, `flat`: how many are negative, and how many are 0, to the tolerance; None where `rates` is.
    """

    start: int
    by: str
    measure: Particles = dataclasses.field(repr=False)
    loss: float
    gradient: float
    moved: float
    kind: PointKind
    group: int | None
    rates: np.ndarray | None = dataclasses.field(repr=False)
    falling: int | None
    flat: int | None

    @property
    def words(self) -> str:
        """`saddle, 2 directions fall`, `minimum`, `minimum to second order, 3 directions flat`; or why none of it."""
        if self.kind is PointKind.SLOW:
            return "not at rest"
        if self.falling is None or self.flat is None:
            return "at rest"
        if self.falling:
            return f"saddle, {self.falling} direction{'s fall' if self.falling > 1 else ' falls'}"
        if not self.flat:
            return "minimum"
        return f"minimum to second order, {self.flat} direction{'s' if self.flat > 1 else ''} flat"


@dataclasses.dataclass(frozen=True, repr=False)
class StationaryPoints:
    """The ends of all searches; printed as a table.

    - `points`: three a start: the flow's, the dissipation's from the same start, and from the flow's end.
    - `tolerance`: the one of the search.
    """

    points: tuple[StationaryPoint, ...]
    tolerance: float

    @property
    def groups(self) -> list[StationaryPoint]:
        """One point at rest of each network function, by rising loss."""
        first = {point.group: point for point in reversed(self.points) if point.group is not None}
        return [first[number] for number in sorted(first)]

    def count(self, kind: PointKind, by: str | None = None) -> int:
        """How many searches ended so; of one way alone, if it is told."""
        return sum(point.kind is kind and by in (None, point.by) for point in self.points)

    def __repr__(self) -> str:
        said = ", ".join(f"{self.count(kind)} {kind.value}" for kind in PointKind)
        rows = [f"StationaryPoints({len(self.points)} searches: {said}; {len(self.groups)} functions)"]
        rows += [
            f"  {p.start:>4}  {p.by:<17} loss {p.loss:<10.4g} |grad psi| {p.gradient:<9.2g} "
            f"{'-' if p.group is None else p.group:>3}  {p.kind.value}: {p.words}"
            for p in self.points
        ]
        return "\n".join(rows)


def stationary_points(
    problem: Problem,
    starts: Sequence[Particles],
    *,
    t1: float = 100.0,
    dynamics: AbstractDynamics | None = None,
    steps: Count = 500,
    tolerance: float = 1e-6,
    merge: float = 1e-4,
) -> StationaryPoints:
    r"""Where training may come to rest: from every start by the flow, and by minimising the dissipation

    $$D(\rho) = \int |P^{1/2} \nabla\psi|^2\,d\rho$$

    with Levenberg's and Marquardt's method, from the start and from the flow's end. The flow finds what attracts it and
    takes long near a saddle; D is zero at saddles and maxima as well, and a point where it is least but not zero is no
    stationary point, however slow the flow is there. Stationary here are the particles with their weights: at another
    width there may be more ways to fall.

    - `starts`: particles each, of one or several widths.
    - `t1`: the time of the flow; `dynamics`: the flow, `GradientFlow()` by default.
    - `steps`: at most so many of the minimiser.
    - `tolerance`: as in `analysis.stationarity`; of a rate, relative to the largest; and of the loss, relative to that
      of f = 0 or of the largest start: below it a loss counts as zero where no direction falls and the gradient can
      still take it away, below its square in any case.
    - `merge`: points of one kind are one, where their functions differ by no more than this, relative to their size in
      $L^2(\mu)$ or the labels'.

    Raises `ValueError` for a unit with kinks, a non-smooth penalty, data without nodes, a scale without a limit, more
    than 2,000 parameters in all, and where a number is not finite.
    """
    who = "stationary_points"
    starts = list(starts)
    if not starts:
        raise ValueError(f"{who}(starts=...): none was given.")
    check(problem, tolerance, merge, who)
    nodes = require_nodes(problem.data, who)
    real_number(t1, f"{who}(t1=...)", above=0.0)
    most = whole_number(steps, f"{who}(steps=...)", least=1)
    for start in starts:
        check_measure(problem, start, f"{who}(starts=...)")
        if start.positions.size > _MOST:
            raise ValueError(f"{who}(starts=...): at most {_MOST} parameters in all, got {start.positions.size}.")
    starts = [problem.pack(*problem.unpack(start)) for start in starts]
    flow = GradientFlow() if dynamics is None else dynamics
    runs = evolve_many(problem, starts, flow, t1=t1, save_at=[0.0, t1], progress=False)
    ends = [problem.pack(*problem.unpack(run.final)) for run in runs]
    searches: list[tuple[int, str, Particles, Particles]] = []
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        searches.append((i, "flow", start, end))
        searches.append((i, "dissipation", start, least_dissipation(problem, start, most)))
        searches.append((i, "flow, dissipation", end, least_dissipation(problem, end, most)))
    steepest = max(stationarity(problem, start).dissipation for start in starts) ** 0.5
    judge = _Judge(problem, tolerance, merge, _scale(problem, nodes, starts), steepest, nodes)
    return StationaryPoints(judge.grouped([judge.point(*one) for one in searches]), tolerance)


def _scale(problem: Problem, nodes: Nodes, starts: list[Particles]) -> float:
    """The risk of f = 0, or of the worst start."""
    silent = jax.vmap(problem.loss)(jnp.zeros_like(nodes.y), nodes.y)
    return max(float(jnp.sum(nodes.weights * silent)), *(float(problem.risk(start)) for start in starts))


@dataclasses.dataclass(frozen=True)
class _Judge:
    """What is said of the end of a search; `scale` and `steepest`: the risk and |grad psi| that count as large."""

    problem: Problem
    tolerance: float
    merge: float
    scale: float
    steepest: float
    nodes: Nodes

    def point(self, start: int, by: str, begun: Particles, end: Particles) -> StationaryPoint:
        loss, rows = float(self.problem.risk(end)), np.asarray(end.positions)
        if not (np.isfinite(loss) and np.all(np.isfinite(rows))):
            raise ValueError(f"stationary_points: start {start} led to a number that is not finite, by {by}.")
        rest, w = stationarity(self.problem, end, tolerance=self.tolerance), np.asarray(end.weights)
        gradient = float(np.sqrt(rest.dissipation))
        # Where the derivative of f vanishes as well there is nothing to compare a gradient with but where it began.
        still = rest.is_stationary or gradient <= _ROUNDING * self.steepest
        rates = rates_of(self.problem, end) if still else None
        falling, flat = (None, None) if rates is None else _signs(rates, self.tolerance)
        kind = PointKind.SLOW
        if still:
            zero = self.problem.loss.nonnegative and self._vanishes(loss, gradient, rates)
            kind = PointKind.ZERO_LOSS if zero else PointKind.POSITIVE_LOSS
        return StationaryPoint(
            start=start,
            by=by,
            measure=end,
            loss=loss,
            gradient=gradient,
            moved=float(np.sqrt(np.sum(w[:, None] * (rows - np.asarray(begun.positions)) ** 2))),
            kind=kind,
            group=None,
            rates=rates,
            falling=falling,
            flat=flat,
        )

    def _vanishes(self, loss: float, gradient: float, rates: np.ndarray | None) -> bool:
        """Whether a loss is zero, or small and on its way there."""
        if loss <= self.tolerance**2 * self.scale:
            return True
        if rates is None or loss > self.tolerance * self.scale:
            return loss <= self.tolerance * self.scale
        falling, _ = _signs(rates, self.tolerance)
        rising = rates[rates > self.tolerance * np.max(np.abs(rates))]
        # No direction falls from a least value, and a gradient g takes no more than g^2/(2 rate) from a parabola.
        return not falling and bool(len(rising)) and loss <= gradient**2 / float(rising[0])

    def grouped(self, points: list[StationaryPoint]) -> tuple[StationaryPoint, ...]:
        """The points with the numbers of their groups."""
        groups: list[tuple[PointKind, np.ndarray]] = []
        numbers = {}
        for i in sorted(range(len(points)), key=lambda i: points[i].loss):
            if points[i].kind is PointKind.SLOW:
                continue
            f = np.asarray(self.problem.predict(points[i].measure, self.nodes.x))
            near = [k for k, (kind, other) in enumerate(groups) if kind is points[i].kind and self._same(f, other)]
            if not near:
                groups.append((points[i].kind, f))
            numbers[i] = near[0] if near else len(groups) - 1
        return tuple(dataclasses.replace(point, group=numbers.get(i)) for i, point in enumerate(points))

    def _same(self, f: np.ndarray, other: np.ndarray) -> bool:
        def norm(values: np.ndarray) -> float:
            squares = np.sum(np.reshape(values, (len(values), -1)) ** 2, axis=1)
            return float(np.sqrt(np.sum(np.asarray(self.nodes.weights) * squares)))

        return norm(f - other) <= self.merge * max(norm(f), norm(other), norm(np.asarray(self.nodes.y)))


def _signs(rates: np.ndarray, tolerance: float) -> tuple[int, int]:
    """How many rates are negative and how many are zero, to a tolerance relative to the largest."""
    zero = tolerance * float(np.max(np.abs(rates), initial=0.0))
    return int(np.sum(rates < -zero)), int(np.sum(np.abs(rates) <= zero))
