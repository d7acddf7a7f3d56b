"""Kernels of a unit and the law of its parameters: random features and the neural tangent kernel at infinite width."""

from ._kernel import Kernel as Kernel
from ._verbs import neural_tangent as neural_tangent, random_features as random_features
