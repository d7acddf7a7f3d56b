"""Measures of neurons: particles, the laws they are drawn from, and distances between them."""

from . import grids as grids, laws as laws
from ._blocks import (
    Block as Block,
    Blocks as Blocks,
    columns_of as columns_of,
    describe as describe,
    fields_of as fields_of,
    join as join,
    row_size as row_size,
    split as split,
    theta_type as theta_type,
)
from ._density import GridDensity as GridDensity, Measure as Measure
from ._distances import (
    sliced_wasserstein2 as sliced_wasserstein2,
    wasserstein2 as wasserstein2,
    wasserstein2_bounds as wasserstein2_bounds,
)
from ._grid import Grid as Grid
from ._particles import Particles as Particles
from ._statistics import covariance as covariance, moment as moment, quantiles as quantiles
