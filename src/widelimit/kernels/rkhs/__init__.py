"""The space of functions that a kernel reproduces: interpolation in it, its norms, its splines."""

from ._interpolate import Interpolant as Interpolant, interpolate as interpolate
from ._norms import (
    Norm as Norm,
    neural_tangent_norm as neural_tangent_norm,
    random_feature_norm as random_feature_norm,
)
from ._splines import cubic_pieces as cubic_pieces, natural_spline_distance as natural_spline_distance
