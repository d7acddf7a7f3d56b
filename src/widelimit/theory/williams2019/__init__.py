"""Williams et al. 2019: the kernels of the univariate ReLU network, and the norms of their spaces.

The symbols are the paper's, the formulas the corrected ones of the notation page: a neuron is c [a x - b]_+.
"""

from ._kernels import (
    box_kernel as box_kernel,
    radial_kernel as radial_kernel,
    radial_steps as radial_steps,
    tangent as tangent,
    two_sign_kernel as two_sign_kernel,
    uniform_bias_kernel as uniform_bias_kernel,
    uniform_bias_steps as uniform_bias_steps,
)
from ._norms import curvature_norm as curvature_norm, tangent_norm as tangent_norm
