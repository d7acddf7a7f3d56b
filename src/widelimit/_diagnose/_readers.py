"""What kind of model it is, and who reads it."""

from typing import Any

from . import _sklearn
from ._network import TrainedNetwork


def read(model: Any, x: Any, y: Any, *, activation: Any, loss: Any, weight_decay: Any, names: Any) -> TrainedNetwork:
    """The network in a model. Raises `ValueError` for what is no such model."""
    if _sklearn.knows(model):
        return _sklearn.read(model, y)
    raise ValueError(f"diagnose(model=...): {type(model).__name__} is no model that can be read.")
