"""Integrals: how risk, psi and grad psi are computed. Dense, by sorted or binned knots, in pairs."""

from ._binned_knots import BinnedKnots as BinnedKnots
from ._choice import choose as choose
from ._dense import Dense as Dense
from ._integrals import (
    AbstractField as AbstractField,
    AbstractIntegrals as AbstractIntegrals,
    Curvature as Curvature,
    Estimate as Estimate,
    Supervised as Supervised,
    Variation as Variation,
)
from ._on_sphere import SphereL2 as SphereL2, SphereRKHS as SphereRKHS
from ._pairwise import Pairwise as Pairwise
from ._sorted_knots import SortedKnots as SortedKnots
from ._spline import Spline as Spline
