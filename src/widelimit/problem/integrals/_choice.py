"""Which integrals suit a problem, where it names none."""

from . import _binned_knots, _on_sphere, _sorted_knots
from ._binned_knots import BinnedKnots
from ._dense import Dense
from ._integrals import AbstractIntegrals, Supervised
from ._on_sphere import SphereL2
from ._sorted_knots import SortedKnots


def choose(task: Supervised) -> AbstractIntegrals:
    """Exact by sorted knots or in pairs on a sphere; by binned knots on samples of one input; else over the nodes."""
    if _sorted_knots.fits(task):
        return SortedKnots(task)
    if _on_sphere.fits(task):
        return SphereL2(task)
    return BinnedKnots(task) if _binned_knots.fits(task) else Dense(task)
