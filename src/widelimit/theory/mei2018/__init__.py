"""Mei, Montanari, Nguyen 2018: the kernels of its examples and what can be known of their optima without a flow.

The symbols are the paper's: the risk is (4), R = 1 + 2 INT V d rho + INT INT U d rho d rho, and (8) has
Psi = V + INT U d rho, half of the first variation dR/d rho.
"""

from ._activation import NONMONOTONE as NONMONOTONE, RAMP as RAMP, PiecewiseLinear as PiecewiseLinear
from ._anisotropic import Anisotropic as Anisotropic, AnisotropicReLU as AnisotropicReLU, relu_mean as relu_mean
from ._isotropic import Isotropic as Isotropic
from ._optimum import (
    Infimum as Infimum,
    SingleDelta as SingleDelta,
    delta_infinity as delta_infinity,
    infimum as infimum,
    single_delta as single_delta,
    thresholds as thresholds,
)
