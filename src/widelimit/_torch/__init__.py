"""A training in PyTorch's words as a problem in mean-field time, and back. PyTorch itself is not imported."""

from ._from_torch import FromTorch as FromTorch, from_torch as from_torch
from ._to_torch import to_torch as to_torch
from ._training import TorchTraining as TorchTraining
