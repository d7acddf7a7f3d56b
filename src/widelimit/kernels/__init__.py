"""Tangent and random-feature kernels, and the decomposition that every linear theory rests on."""

from ._decomposition import (
    Decomposition as Decomposition,
    Expansion as Expansion,
    Start as Start,
    decompose as decompose,
    expand as expand,
)
from ._linear_theory import LinearTheory as LinearTheory, linear_theory as linear_theory
from ._tangent import tangent_kernel as tangent_kernel
