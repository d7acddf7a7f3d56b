"""The integrals that suit a network, data and a loss."""

from ._dense import Dense
from ._integrals import AbstractIntegrals
from ._sorted_knots import SortedKnots, fits
from ._supervised import Supervised


def choose(task: Supervised) -> AbstractIntegrals:
    """By sorted knots where they are exact, else over the data's nodes."""
    return SortedKnots(task) if fits(task) else Dense(task)
