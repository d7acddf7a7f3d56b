"""The maximum of what a first variation is searched for: exhaustively where the facts allow it, else by climbing."""

import dataclasses
import math
import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from widelimit.numerics import (
    branch_and_bound,
    climb,
    compiled_quickly,
    evaluate,
    random_key,
    search_line,
    whole_number,
)
from widelimit.problem import Potential, Problem
from widelimit.trajectory import Progress

from ._depths import Depth
from ._lines import bend_on_box, line_of
from ._regions import Region

# So many of the highest maxima are kept.
MOST_PEAKS = 16


@dataclasses.dataclass(frozen=True)
class Search:
    """How much may be spent: local searches and steps of each, evaluations of an exhaustive search, points at once.

    `places`: whether atoms may be moved, or only their weights; `deadline`: of `time.monotonic`, after which no round
    begins and, where it `cuts`, an exhaustive search ends with the bound that it has; `bar`: where it says how far it
    is.
    """

    starts: int
    key: PRNGKeyArray
    most: int
    batch: int
    climbs: int = 200
    places: bool = True
    deadline: float = math.inf
    cuts: bool = False
    bar: Progress | None = None
    began: float = dataclasses.field(default_factory=time.monotonic)

    @property
    def late(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() > self.deadline

    def stop(self, count: int, left: float) -> bool:
        """Whether an exhaustive search ends, after so many evaluations, with a bound so far above the best value."""
        self.tell(f"{count:,} evaluations, the bound is {left:.2g} above the best value")
        return self.cuts and self.late

    def tell(self, words: str) -> None:
        """A line of progress, over the last one."""
        if self.bar is not None:
            self.bar.tell(words)

    @classmethod
    def of(cls, who: str, problem: Problem, potential: Potential, starts: int, key: Any, most: int) -> "Search":
        """Raises `ValueError` for fewer than two starts."""
        starts = whole_number(starts, f"{who}(starts=...)", least=2)
        most = whole_number(most, f"{who}(most=...)", least=0)
        if key is not None:
            random_key(key, f"{who}(key=...)")
        batch = max(1, min(2048, potential.size // potential.x.shape[0]))
        return cls(starts, jax.random.key(0) if key is None else key, most, batch)


class Extremum(NamedTuple):
    """`upper` >= the maximum where `certified`, else the largest value found.

    - `rows`: [k, D], local maxima, best first (a linear block is left 1), with their `values` [k].
    - `pinned`: [k], whether a maximum sits on a kink, where it does not move with the measure.
    """

    upper: float
    certified: bool
    rows: Float[np.ndarray, "k D"]
    values: Float[np.ndarray, " k"]
    pinned: Bool[np.ndarray, " k"]


def scan(
    function: Depth,
    search: Search,
    *,
    level: float = 0.0,
    atol: float = 1e-13,
    rtol: float = 1e-13,
) -> Extremum | None:
    """The maximum by an exhaustive search of second order; None where there is no such search.

    The tolerance is that of `numerics.search_line`; by default 1e-13 of the best value, and at least 1e-13.
    """
    region = function.region
    if region.all_points is not None:
        values = evaluate(function, region.all_points, search.batch)
        return _ordered(float(np.max(values)), True, _rows(region, region.all_points), values)
    line = line_of(function)
    if line is None:
        return None
    on_line = dataclasses.replace(function, region=line.region)
    seen = search_line(
        on_line,
        line.breaks,
        line.curvature,
        rough=line.rough,
        level=level,
        atol=atol,
        rtol=rtol,
        most=search.most,
        batch=min(64, search.batch),
        stop=search.stop,
    )
    peaks = seen.peaks[:MOST_PEAKS]
    rows = _rows(line.region, np.resize(peaks, MOST_PEAKS)[:, None])[: len(peaks)]
    pinned = np.isin(peaks, line.breaks) & function.potential.unit.kinked
    return Extremum(seen.upper, True, rows, seen.values[:MOST_PEAKS], pinned)


def climb_all(function: Depth, starts: Float[np.ndarray, "S m"], search: Search, *, groups: int = 1) -> Extremum:
    """The ends of local searches from every start; no proof. In `groups`, with a word of progress after each."""
    count = len(starts)
    size = -(-count // min(groups, count))
    ends = []
    for first in range(0, count, size):
        # The last group is filled up: another size would compile anew.
        rows = starts[np.minimum(first + np.arange(size), count - 1)]
        ends.append(climb(function, rows, steps=search.climbs, batch=search.batch))
        search.tell(f"{min(first + size, count)} of {count} local searches, the largest value is {_top(ends):.6g}")
    points, values = (np.concatenate(parts)[:count] for parts in zip(*ends, strict=True))
    return _ordered(float(np.max(values)), False, _rows(function.region, points), values)


def prove(function: Depth, found: Extremum, search: Search) -> Extremum:
    """A bound on the maximum from the unit's facts, on a box of up to three parameters; else `found` itself."""
    box = function.region.box
    if found.certified or box is None or function.slope is None:
        return found
    on_box = dataclasses.replace(function, region=function.region.on_box())
    bend = bend_on_box(function)
    proved = branch_and_bound(
        on_box,
        float(function.slope),
        *box,
        curvature=bend,
        known=float(found.values[0]),
        rtol=1e-9 if bend is None else 1e-13,
        most=search.most,
        batch=search.batch,
        stop=search.stop,
    )
    rows, values, pinned = found.rows, found.values, found.pinned
    if proved.best > values[0]:
        rows = np.concatenate([_rows(on_box.region, proved.point[None]), rows])
        values, pinned = np.append(proved.best, values), np.append(False, pinned)
    return Extremum(proved.upper, True, rows, values, pinned)


def _top(ends: list[tuple[np.ndarray, np.ndarray]]) -> float:
    return max(float(np.max(values)) for _, values in ends)


def _ordered(upper: float, certified: bool, rows: Any, values: Any) -> Extremum:
    order = np.argsort(-values, kind="stable")
    return Extremum(upper, certified, rows[order], values[order], np.zeros(len(order), bool))


def _rows(region: Region, points: Any) -> Float[np.ndarray, "k D"]:
    return np.asarray(_compiled_rows(region, jnp.asarray(points)))


@compiled_quickly
def _compiled_rows(region: Region, points: Float[Array, "k m"]) -> Float[Array, "k D"]:
    return jax.vmap(region.row)(points)
