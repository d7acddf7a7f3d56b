"""What moves a measure: the gradient flow and SGD."""

from . import integrators as integrators, sampling as sampling, schedules as schedules
from ._dynamics import (
    AbstractDynamics as AbstractDynamics,
    Bound as Bound,
    Facts as Facts,
    Start as Start,
    registry as registry,
)
from .flows._characteristics import Characteristics as Characteristics
from .flows._gaussian_closure import GaussianClosure as GaussianClosure
from .flows._gradient_flow import GradientFlow as GradientFlow
from .grid._transport_pde import TransportPDE as TransportPDE
from .jko._entropic import EntropicJKO as EntropicJKO
from .jko._jko import JKO as JKO
from .linear._tangent_flow import TangentFlow as TangentFlow
from .quantiles._quantiles import Quantiles as Quantiles
from .sgd._sgd import SGD as SGD
