"""Tangent and random-feature kernels, and the decomposition that every linear theory rests on."""

from ._bases import Start as Start, choose_basis as choose_basis
from ._decomposition import Decomposition as Decomposition, check_linear as check_linear, decompose as decompose
from ._linear_theory import (
    Expansion as Expansion,
    LinearTheory as LinearTheory,
    expand as expand,
    linear_theory as linear_theory,
)
from ._tangent import tangent_kernel as tangent_kernel
from .rkhs import Interpolant as Interpolant, interpolate as interpolate
from .wide import Kernel as Kernel, neural_tangent as neural_tangent, random_features as random_features
