"""Which rotations a law of normal classes is invariant under."""

from typing import NamedTuple

import numpy as np


class Rotations(NamedTuple):
    """Two centred normal classes that rotations of groups of coordinates leave as they are.

    `groups` of coordinates (or () at d = infinity), their `dims`, `std` [2, G] of the classes, and P(y = +1).
    """

    groups: tuple[tuple[int, ...], ...]
    dims: tuple[float, ...]
    std: np.ndarray
    fraction: float


def groups_of(means: np.ndarray, factors: np.ndarray, fraction: float, who: str) -> Rotations:
    """The groups of coordinates with the same two variances; the one in which the classes differ comes first.

    `means` [2, d], `factors` [2, d] or [2, d, d]. Raises `ValueError` that says what singles out a direction.
    """
    for name, mean in zip(("+1", "-1"), means, strict=True):
        if np.any(mean):
            raise ValueError(f"{who}: the mean of class y = {name} is not zero, which singles out a direction.")
    if factors.ndim == 3:
        for name, factor in zip(("+1", "-1"), factors, strict=True):
            if np.any(factor - np.diag(np.diagonal(factor))):
                raise ValueError(
                    f"{who}: the covariance of class y = {name} is not diagonal; rotate the inputs to its axes."
                )
        factors = np.stack([np.diagonal(factor) for factor in factors])
    # Equal but for rounding: variances may come out of a computation.
    rounded = np.round(np.log(factors.T), 11)
    _, first, which = np.unique(rounded, axis=0, return_index=True, return_inverse=True)
    pairs = factors.T[first]
    if len(pairs) > 2:
        raise ValueError(
            f"{who}: the coordinates have {len(pairs)} different pairs of variances; the reduction knows one group "
            "of coordinates or two."
        )
    order = sorted(range(len(pairs)), key=lambda g: (pairs[g, 0] == pairs[g, 1], first[g]))
    groups = tuple(tuple(map(int, np.flatnonzero(which.ravel() == g))) for g in order)
    alone = [g for group in groups if len(group) < 2 for g in group]
    if alone:
        raise ValueError(
            f"{who}: coordinate {alone[0]} is alone in its group; a group needs two or more coordinates to have "
            "rotations."
        )
    return Rotations(groups, tuple(float(len(g)) for g in groups), pairs[order].T, fraction)
