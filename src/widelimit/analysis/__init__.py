"""What a run means: stationarity, dissipation, the optimality gap."""

from ._dissipation import Dissipation as Dissipation, dissipation as dissipation
from ._optimality import OptimalityGap as OptimalityGap, optimality_gap as optimality_gap
from ._stationarity import Stationarity as Stationarity, stationarity as stationarity
