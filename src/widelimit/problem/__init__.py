"""What is learned: units, activations, data, losses, penalties, domains, mobilities; the `Problem`."""

from . import (
    activations as activations,
    data as data,
    domains as domains,
    losses as losses,
    mobilities as mobilities,
    penalties as penalties,
    scales as scales,
    units as units,
)
from ._potential import Potential as Potential
from ._problem import Estimate as Estimate, Problem as Problem, Variation as Variation
from ._trainable import moving as moving, moving_columns as moving_columns, named_blocks as named_blocks
from .integrals._spline import Spline as Spline
from .symmetry._symmetry import Symmetry as Symmetry

from . import problems as problems  # isort: skip
