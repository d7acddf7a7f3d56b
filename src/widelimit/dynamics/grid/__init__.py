"""Densities on a grid: the problem on its cells, the start as masses, and the transport and diffusion equations."""

from ._axes import axes as axes, check_density as check_density, check_grid as check_grid
from ._cells import (
    Cells as Cells,
    cells_of as cells_of,
    log_density as log_density,
    log_volumes as log_volumes,
    predictions as predictions,
    read as read,
)
