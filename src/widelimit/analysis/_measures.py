"""What a measure and a problem have to be before anything is said of them."""

import numpy as np

from widelimit.measure import Measure, join
from widelimit.problem import Problem

# A position beyond a wall by no more than this, relative to its size, is on it.
_ON_WALL = 1e-6


def check_measure(problem: Problem, measure: Measure, who: str, *, probability: bool = True) -> None:
    """Raise `ValueError` for negative weights, for a NaN, and for particles with mass outside the domain.

    `probability`: the weights must sum to 1 as well.
    """
    # Strictly: what is said of the particles is said in the order of their own columns.
    problem.check_columns(measure)
    theta, _ = problem.unpack(measure)
    rows, w = np.asarray(measure.positions, float), np.asarray(measure.weights, float)
    if not np.all(np.isfinite(w)) or np.any(w < 0.0) or (probability and abs(w.sum() - 1.0) > 1e-6):
        least = float(np.min(w)) if len(w) else 0.0
        total = " and sum to 1" if probability else ""
        raise ValueError(
            f"{who}: the weights must be finite, not negative{total}; the sum is {w.sum():.6g}, the least {least:.6g}."
        )
    if not np.any(w > 0.0):
        raise ValueError(f"{who}: the measure has no mass.")
    if np.any(np.isnan(rows[w > 0.0])):
        raise ValueError(f"{who}: a particle's position is not a number.")
    if problem.domain.unconstrained:
        return
    inside = np.asarray(join(problem.blocks, problem.retract(theta)))
    with np.errstate(invalid="ignore"):
        off = np.where(rows == inside, 0.0, np.abs(rows - inside))
    outside = np.any(off > _ON_WALL * (1.0 + np.abs(inside)), axis=1) & (w > 0.0)
    if np.any(outside):
        i = int(np.argmax(outside))
        raise ValueError(
            f"{who}: particle {i} at {rows[i].tolist()[:6]} lies outside the problem's domain "
            f"({int(outside.sum())} such particles)."
        )


def check_mean(problem: Problem, who: str) -> None:
    """Raise `ValueError` for a network that is no two-layer mean: f is then not linear in the measure."""
    if problem.supervised is not None:
        problem.two_layer(who)


def check_convex(problem: Problem, who: str) -> None:
    """Raise `ValueError` unless the loss is declared convex in f."""
    if not problem.loss.convex:
        raise ValueError(
            f"{who}(problem=...): the loss {problem.loss.name!r} is not declared convex "
            "(losses.Loss(function, convex=True) declares it)."
        )
