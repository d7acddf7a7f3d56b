"""What moves a measure: the gradient flow and SGD."""

from . import integrators as integrators, sampling as sampling, schedules as schedules
from ._dynamics import AbstractDynamics as AbstractDynamics, Bound as Bound, Facts as Facts, Start as Start
from ._gradient_flow import GradientFlow as GradientFlow
from ._sgd import SGD as SGD
