"""Tangent and random-feature kernels, and the decomposition that every linear theory rests on."""

from ._choice import Start as Start, choose_basis as choose_basis
from ._decomposition import (
    Decomposition as Decomposition,
    check_linear as check_linear,
    decompose as decompose,
)
from ._linear_theory import LinearTheory as LinearTheory, linear_theory as linear_theory
from ._residual import Expansion as Expansion, expand as expand
from ._tangent import tangent_kernel as tangent_kernel
