"""Tangent and random-feature kernels, and the decomposition that every linear theory rests on."""

from ._abstract import AbstractKernel as AbstractKernel
from ._bases import Start as Start, choose_basis as choose_basis
from ._decomposition import Decomposition as Decomposition, check_linear as check_linear, decompose as decompose
from ._exponential import ExponentialKernel as ExponentialKernel, exponential as exponential, gaussian as gaussian
from ._linear_theory import (
    Expansion as Expansion,
    LinearTheory as LinearTheory,
    expand as expand,
    linear_theory as linear_theory,
)
from ._tangent import rows_of as rows_of, tangent_kernel as tangent_kernel
from .rkhs import (
    Interpolant as Interpolant,
    Norm as Norm,
    cubic_pieces as cubic_pieces,
    interpolate as interpolate,
    natural_spline_distance as natural_spline_distance,
    neural_tangent_norm as neural_tangent_norm,
    random_feature_norm as random_feature_norm,
)
from .wide import Kernel as Kernel, neural_tangent as neural_tangent, random_features as random_features
