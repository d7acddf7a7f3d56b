"""What moves a measure: the gradient flow and SGD."""

from . import integrators as integrators, sampling as sampling, schedules as schedules
from ._characteristics import Characteristics as Characteristics
from ._dynamics import AbstractDynamics as AbstractDynamics, Bound as Bound, Facts as Facts, Start as Start
from ._gaussian_closure import GaussianClosure as GaussianClosure
from ._gradient_flow import GradientFlow as GradientFlow
from ._jko import JKO as JKO
from ._jko_entropic import EntropicJKO as EntropicJKO
from ._quantiles import Quantiles as Quantiles
from ._sgd import SGD as SGD
from ._tangent_flow import TangentFlow as TangentFlow
from ._transport_pde import TransportPDE as TransportPDE
