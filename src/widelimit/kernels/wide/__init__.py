"""Kernels of a unit and the law of its parameters: random features and the neural tangent kernel at infinite width."""

from ._bends import offset as offset
from ._fit import fit as fit, independent as independent, second_moments as second_moments
from ._kernel import Kernel as Kernel
from ._slopes import WeightAtoms as WeightAtoms, WeightLine as WeightLine, weighted as weighted
from ._verbs import neural_tangent as neural_tangent, random_features as random_features
