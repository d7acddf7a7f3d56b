"""What kind of model it is, and who reads it."""

import os
import pathlib
from typing import Any

from . import _arrays, _files, _sklearn
from ._network import TrainedNetwork


def read(model: Any, x: Any, y: Any, *, activation: Any, loss: Any, weight_decay: Any, names: Any) -> TrainedNetwork:
    """The network in a model. Raises `ValueError` for what is no such model."""
    given = {"activation": activation, "loss": loss, "weight_decay": weight_decay, "names": names}
    if isinstance(model, str | os.PathLike):
        path = pathlib.Path(model)
        return _arrays.read(_files.arrays_in(path), x, y, **given, source=str(path))
    if _sklearn.knows(model):
        if any(value not in (None, 0.0) for value in given.values()):
            raise ValueError(
                "diagnose(activation=..., loss=..., weight_decay=..., names=...): a model of scikit-learn says these "
                "itself; leave them out."
            )
        return _sklearn.read(model, y)
    if not _arrays.named_arrays(model):
        raise ValueError(
            f"diagnose(model=...): {type(model).__name__} is no model that can be read: give scikit-learn's "
            "MLPRegressor or MLPClassifier, a PyTorch Sequential or state_dict, a tree of arrays, or a .npz or "
            ".safetensors file."
        )
    return _arrays.read(model, x, y, **given)
