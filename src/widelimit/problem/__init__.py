"""What is learned: units, activations, data, losses, penalties, domains, mobilities; the `Problem`."""

from . import (
    activations as activations,
    data as data,
    domains as domains,
    integrals as integrals,
    losses as losses,
    mobilities as mobilities,
    networks as networks,
    penalties as penalties,
    scales as scales,
    units as units,
)
from ._arguments import moving as moving, moving_columns as moving_columns, named_blocks as named_blocks
from ._potential import Potential as Potential
from ._problem import Problem as Problem
from ._words import summary as summary
from .integrals import Estimate as Estimate, Spline as Spline, Variation as Variation
from .symmetry._rescaling import Rescaling as Rescaling
from .symmetry._symmetry import Symmetry as Symmetry

from . import problems as problems  # isort: skip
