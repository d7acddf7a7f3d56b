"""What moves a measure: flows, equations on grids, minimising movements, SGD."""

from . import clocks as clocks, integrators as integrators, sampling as sampling, schedules as schedules
from ._dynamics import (
    AbstractDynamics as AbstractDynamics,
    AbstractGrowth as AbstractGrowth,
    Facts as Facts,
    Noise as Noise,
    Start as Start,
    Theta as Theta,
    Weights as Weights,
    array_numbers as array_numbers,
    registry as registry,
)
from ._loop import advance as advance
from ._stability import stable_step as stable_step
from .flows._characteristics import Characteristics as Characteristics
from .flows._flow import AbstractFlow as AbstractFlow
from .flows._gaussian_closure import GaussianClosure as GaussianClosure
from .flows._gradient_flow import GradientFlow as GradientFlow
from .grid._transport_pde import TransportPDE as TransportPDE
from .jko._entropic import EntropicJKO as EntropicJKO
from .jko._jko import JKO as JKO
from .linear._tangent_flow import TangentFlow as TangentFlow
from .quantiles._quantiles import Quantiles as Quantiles
from .sgd._sgd import SGD as SGD
from .sgd._sgd_diffusion import SGDDiffusion as SGDDiffusion
