"""Units phi(theta, x): what one neuron contributes to the network."""

from ._canonical import CanonicalReLU as CanonicalReLU, lifted as lifted
from ._exponential import Exponential as Exponential
from ._free_knot import FreeKnot as FreeKnot
from ._function import Function as Function
from ._neuron import Neuron as Neuron
from ._radial import RadialBasis as RadialBasis
from ._resnet_branch import ResNetBranch as ResNetBranch
from ._unit import (
    AbstractUnit as AbstractUnit,
    Exponent as Exponent,
    Plane as Plane,
    Profile as Profile,
    Ramp as Ramp,
    Ridge as Ridge,
    feature as feature,
    registry as registry,
)
from ._with_offset import WithOffset as WithOffset
from .spherical._neuron import SphericalNeuron as SphericalNeuron
