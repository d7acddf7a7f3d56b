"""Teacher and student 2020: what a network's function fixes of its measure, and how fast a student learns it.

The symbols are the paper's, the formulas the corrected ones of the notation page.
"""

from ._residual import (
    ensemble as ensemble,
    ensemble_gradient as ensemble_gradient,
    one_atom as one_atom,
    one_atom_radius as one_atom_radius,
    series_terms as series_terms,
    two_level_radius as two_level_radius,
    wide_gradient as wide_gradient,
    wide_states as wide_states,
)
from ._speed import linear_errors as linear_errors, tanh_matrix as tanh_matrix
from ._sphere import relu_eigenvalue as relu_eigenvalue, zonal as zonal
from ._tilts import tilt as tilt
from ._two_layer import Flow as Flow, box_flow as box_flow, tanh_flow as tanh_flow
