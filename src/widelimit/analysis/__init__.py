"""What a run means: stationarity, dissipation, the optimality gap."""

from .atoms._fixed_point import fixed_point as fixed_point
from .atoms._spreading import Spreading as Spreading, spreading as spreading
from .atoms._stability import Stability as Stability, stability as stability
from .density._free_energy import free_energy as free_energy, free_energy_gap as free_energy_gap
from .density._gibbs import GibbsState as GibbsState, gibbs as gibbs
from .functions._function_space import FunctionSpace as FunctionSpace, function_space as function_space
from .functions._regularised import (
    Discrepancy as Discrepancy,
    LCurve as LCurve,
    Tikhonov as Tikhonov,
    Truncated as Truncated,
)
from .functions._representation import Representation as Representation, representation as representation
from .linear._linearity import Linearity as Linearity, linearity as linearity
from .linear._spectrum import Limit as Limit, Spectrum as Spectrum, spectrum as spectrum
from .minimum._minimise import Minimum as Minimum, minimise as minimise
from .minimum._optimality import OptimalityGap as OptimalityGap, optimality_gap as optimality_gap
from .regime._attractors import Attractors as Attractors, attractors as attractors
from .regime._regime import Regime as Regime, regime as regime
from .regime._residual_dynamics import (
    ResidualDynamics as ResidualDynamics,
    residual_dynamics as residual_dynamics,
)
from .run._classification import (
    Classification as Classification,
    classification as classification,
    is_classification as is_classification,
)
from .run._dissipation import Dissipation as Dissipation, dissipation as dissipation
from .run._stationarity import Stationarity as Stationarity, stationarity as stationarity
from .run._stationary_points import (
    PointKind as PointKind,
    StationaryPoint as StationaryPoint,
    StationaryPoints as StationaryPoints,
    stationary_points as stationary_points,
)
from .scaling._scaling import Scaling as Scaling, scaling as scaling
from .splines._atom_family import (
    AtomFamily as AtomFamily,
    KnotStability as KnotStability,
    StationaryAtoms as StationaryAtoms,
)
from .splines._global_minimum import GlobalMinimum as GlobalMinimum, global_minimum as global_minimum
from .splines._orthogonality import Orthogonality as Orthogonality, orthogonality as orthogonality
from .splines._stationary_atoms import stationary_atoms as stationary_atoms
from .splines._totality import Totality as Totality, totality as totality
from .teacher._compare import StudentComparison as StudentComparison
from .teacher._identifiable import Identifiable as Identifiable, identifiable as identifiable
from .teacher._measured import MeasuredRates as MeasuredRates
from .teacher._null_space import NullSpace as NullSpace
from .teacher._rates import TeacherRates as TeacherRates, teacher_rates as teacher_rates
from .teacher._theorem import ZeroLossTheorem as ZeroLossTheorem
from .width._cheapest import Hyperparameters as Hyperparameters, halving as halving
from .width._fluctuations import Fluctuations as Fluctuations, fluctuations as fluctuations
from .width._gradient_noise import GradientNoise as GradientNoise, gradient_noise as gradient_noise
from .width._predict import predict as predict
from .width._prediction import Prediction as Prediction
from .width._sgd_noise import SGDNoise as SGDNoise, sgd_noise as sgd_noise
from .width._width import WidthRisk as WidthRisk, expected_risk as expected_risk, theorem3_error as theorem3_error
from .width._width_for import WidthChoice as WidthChoice, width_for as width_for
from .width._widths import predict_widths as predict_widths
