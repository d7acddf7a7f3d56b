"""Yarotsky 2018: what is known in closed form of the linear spline, and of the one-input example.

The symbols are the paper's, the formulas the corrected ones of the notation page: loss (f - y)^2/2, Lebesgue measure
on [0, 1], unit c (x - h)_+.
"""

from ._global_minimum import (
    box_coefficient as box_coefficient,
    cosine_coefficient as cosine_coefficient,
    decay as decay,
    linearised_loss as linearised_loss,
    mu as mu,
)
from ._one_input import displacement as displacement, linear_limit as linear_limit, one_input_loss as one_input_loss
from ._small_output import (
    eigenfunction as eigenfunction,
    image as image,
    kernel as kernel,
    loss as loss,
    shift as shift,
    sine_coefficient as sine_coefficient,
    xi as xi,
    zeta as zeta,
)
from ._splines import (
    Family as Family,
    atom_jacobian as atom_jacobian,
    atom_velocity as atom_velocity,
    growth_rate as growth_rate,
    single_atom as single_atom,
    with_left_mass as with_left_mass,
    without_left_mass as without_left_mass,
)
