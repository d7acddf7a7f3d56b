"""Teacher and student 2020: what a network's function fixes of its measure, and how fast a student learns it.

The symbols are the paper's, the formulas the corrected ones of the notation page.
"""

from ._speed import linear_errors as linear_errors, tanh_matrix as tanh_matrix
from ._sphere import relu_eigenvalue as relu_eigenvalue, zonal as zonal
from ._tilts import tilt as tilt
from ._two_layer import Flow as Flow, box_flow as box_flow, tanh_flow as tanh_flow
