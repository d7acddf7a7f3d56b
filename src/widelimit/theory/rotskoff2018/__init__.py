"""Rotskoff and Vanden-Eijnden 2018: networks as interacting particles, their fluctuations, and the 3-spin model.

The symbols are the paper's, the formulas the corrected ones of the notation page: a particle is (c, y) with the unit
c phi(x, y), the data are nodes x_q with weights mu_q and values f_q.
"""

from ._fluctuations import Covariance as Covariance, covariance as covariance
from ._particles import (
    Features as Features,
    covariance_blocks as covariance_blocks,
    discrepancy as discrepancy,
    energy as energy,
    forces as forces,
    potentials as potentials,
    tangent_kernel as tangent_kernel,
    tanh_features as tanh_features,
    value as value,
)
from ._three_spin import (
    eigenvalue as eigenvalue,
    kernel as kernel,
    moments as moments,
    overlap as overlap,
    rbf_forces as rbf_forces,
    spin as spin,
    spin_gradient as spin_gradient,
)
