"""Integrals: how risk, psi and grad psi are computed. Dense over the data, exact by sorted knots, or given in pairs."""

from ._dense import Dense as Dense
from ._integrals import (
    AbstractField as AbstractField,
    AbstractIntegrals as AbstractIntegrals,
    Curvature as Curvature,
    Estimate as Estimate,
    Supervised as Supervised,
    Variation as Variation,
)
from ._pairwise import Pairwise as Pairwise
from ._sorted_knots import SortedKnots as SortedKnots, choose as choose
from ._spline import Spline as Spline
