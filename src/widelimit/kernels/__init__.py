"""Tangent and random-feature kernels, and the decomposition that every linear theory rests on."""

from ._decomposition import (
    Decomposition as Decomposition,
    Expansion as Expansion,
    decompose as decompose,
    expand as expand,
    rate_of as rate_of,
)
from ._tangent import tangent_kernel as tangent_kernel
