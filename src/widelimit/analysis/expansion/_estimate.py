"""Means over directions: of all there are, or of as many random ones as an error allows."""

import time
from collections.abc import Callable
from typing import NamedTuple, TypedDict

import equinox as eqx
import numpy as np
from jaxtyping import Float

from ._expansion import moments
from ._passes import Course, Pass

# Random directions of the first pass, and in how many groups: their scatter is the standard error.
_PILOT, _GROUPS = 128, 8
# Random directions after which the error is reported as it is.
MOST = 8192

Groups = Float[np.ndarray, "T G"]


class Numbers(TypedDict):
    """What a result tells of the second order, [T] each."""

    prediction_variance: Float[np.ndarray, " T"]
    bias: Float[np.ndarray, " T"]
    excess_risk: Float[np.ndarray, " T"]
    standard_error: Float[np.ndarray, " T"]
    variance_error: Float[np.ndarray, " T"]
    bias_error: Float[np.ndarray, " T"]


class Estimate(NamedTuple):
    """`Moments` at all times, of one group of all directions or of groups of random ones; `passes`: the directions."""

    risk: Float[np.ndarray, " T"]
    square: Groups
    spread: Groups
    shift: Groups
    passes: list[Pass]

    @property
    def whole(self) -> bool:
        """Whether these are all directions there are."""
        return self.square.shape[1] == 1

    @property
    def count(self) -> int:
        """How many directions there were."""
        return sum(one.directions.share.size for one in self.passes)

    @property
    def numbers(self) -> Numbers:
        """The means over the groups, and their standard errors."""
        excess = self.spread + self.shift
        return Numbers(
            prediction_variance=self.square.mean(axis=1),
            bias=self.shift.mean(axis=1),
            excess_risk=excess.mean(axis=1),
            standard_error=_error(excess),
            variance_error=_error(self.square),
            bias_error=_error(self.shift),
        )

    @property
    def relative(self) -> float:
        """The largest standard error relative to what variance and bias each do to the risk: together they may cancel.

        Relative to the largest of all times where they are less than a thousandth of it.
        """
        size = np.abs(self.spread.mean(axis=1)) + np.abs(self.shift.mean(axis=1))
        size = np.maximum(size, 1e-3 * np.max(size))
        return float(np.max(_error(self.spread + self.shift) / np.where(size > 0, size, 1.0)))


def of_all(course: Course, passes: list[Pass], *, label: str, progress: bool | None) -> Estimate:
    """The sum over directions that are given with their shares."""
    found = course.seen(passes, _moments, label=label, progress=progress)
    square, spread, shift = (np.sum([getattr(part, name) for part in found], axis=0) for name in _PARTS)
    return Estimate(found[0].risk, square, spread, shift, passes)


def at_random(
    course: Course,
    draw: Callable[[int, tuple[int, int]], Pass],
    *,
    tolerance: float,
    most: int,
    label: str,
    progress: bool | None,
) -> Estimate:
    """The mean over random directions: as many as bring its relative error to the tolerance, if these are below `most`.

    `draw(i, (M, K))`: the directions of pass i, K in each of M groups.
    """
    each = min(course.size, _PILOT)
    shape = (min(each, _GROUPS), each // min(each, _GROUPS))
    each = shape[0] * shape[1]
    found, passes, wanted, seconds = [], [], max(_PILOT, _GROUPS), 0.0
    while True:
        began = time.monotonic()
        fresh = [draw(i, shape) for i in range(len(passes), -(-wanted // each))]
        passes += fresh
        told = {"label": f"{label}, {each * len(passes)} directions", "progress": progress, "seconds": seconds}
        found += course.seen(fresh, _moments, **told)
        seconds = (time.monotonic() - began) / len(fresh)
        square, spread, shift = (np.concatenate([getattr(part, name) for part in found], axis=1) for name in _PARTS)
        result = Estimate(found[0].risk, square, spread, shift, passes)
        # A little more than the scatter asks for, which is not known well.
        wanted = 1.1 * result.count * (result.relative / tolerance) ** 2
        if result.relative <= tolerance or result.count >= most or (wanted >= most and most < MOST):
            return result
        wanted = int(min(most, wanted))


_PARTS = ("square", "spread", "shift")
_moments = eqx.filter_jit(moments)


def _error(groups: Groups) -> Float[np.ndarray, " T"]:
    count = groups.shape[1]
    return np.std(groups, axis=1, ddof=1) / np.sqrt(count) if count > 1 else np.zeros(len(groups))
