"""Grids of cells, for measures with a density."""

from ._grid import (
    Grid as Grid,
    half_line as half_line,
    line as line,
    product as product,
    registry as registry,
    uniform as uniform,
)
