"""What a run means: stationarity, dissipation, the optimality gap."""

from ._atom_family import (
    AtomFamily as AtomFamily,
    KnotStability as KnotStability,
    StationaryAtoms as StationaryAtoms,
)
from ._dissipation import Dissipation as Dissipation, dissipation as dissipation
from ._fixed_point import fixed_point as fixed_point
from ._free_energy import free_energy as free_energy, free_energy_gap as free_energy_gap
from ._gibbs import GibbsState as GibbsState, gibbs as gibbs
from ._global_minimum import GlobalMinimum as GlobalMinimum, global_minimum as global_minimum
from ._linearity import Linearity as Linearity, linearity as linearity
from ._minimise import Minimum as Minimum, minimise as minimise
from ._optimality import OptimalityGap as OptimalityGap, optimality_gap as optimality_gap
from ._orthogonality import Orthogonality as Orthogonality, orthogonality as orthogonality
from ._spectrum import Limit as Limit, Spectrum as Spectrum, spectrum as spectrum
from ._spreading import Spreading as Spreading, spreading as spreading
from ._stability import Stability as Stability, stability as stability
from ._stationarity import Stationarity as Stationarity, stationarity as stationarity
from ._stationary_atoms import stationary_atoms as stationary_atoms
from ._totality import Totality as Totality, totality as totality
from ._width import WidthRisk as WidthRisk, expected_risk as expected_risk, theorem3_error as theorem3_error
