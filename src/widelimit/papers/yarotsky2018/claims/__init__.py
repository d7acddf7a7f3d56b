"""The statements that are checked."""

from . import (
    _clouds,
    _eigenfunctions,
    _equation,
    _fig5,
    _minimum,
    _one_input,
    _single_atoms,
    _small_charges,
    _stationary,
)

ALL = (
    *(_equation, _one_input, _stationary, _single_atoms, _clouds),
    *(_eigenfunctions, _small_charges, _fig5, _minimum),
)
