"""PyTorch's losses and targets as the library's."""

from typing import Any

import numpy as np
from jaxtyping import Float

from widelimit.numerics import real_number
from widelimit.problem import losses
from widelimit.results import one_of

# Their modules and their functions.
_NAMES = {
    "MSELoss": "mse_loss",
    "HuberLoss": "huber_loss",
    "BCEWithLogitsLoss": "binary_cross_entropy_with_logits",
    "CrossEntropyLoss": "cross_entropy",
}
# What these may also say, and must not here.
_MORE = {"weight": None, "pos_weight": None, "label_smoothing": 0.0}


def loss_of(loss: Any, y: Any, outputs: int, who: str) -> tuple[losses.AbstractLoss, Float[np.ndarray, "n ..."]]:
    """The library's loss that is exactly the one given, and the targets that it takes of those of PyTorch.

    - `loss`: a name, a module of `torch.nn`, or one of `widelimit.losses` (whose mean over the batch is meant).
    - `outputs`: of the network.

    Raises `ValueError` for another loss or reduction, and for targets that do not fit.
    """
    if isinstance(loss, losses.AbstractLoss):
        return loss, _numbers(y, outputs, who)
    name = _name(loss, who)
    if name == "cross_entropy":
        return losses.softmax(), _one_hot(y, outputs, who)
    targets = _numbers(y, outputs, who)
    if name == "mse_loss":
        # The mean goes over the outputs as well.
        return losses.squared(1.0 / outputs), targets
    if outputs > 1:
        raise ValueError(f"{who}(loss=...): {name} of {outputs} outputs is not translated; of one it is.")
    if name == "huber_loss":
        return losses.huber(real_number(getattr(loss, "delta", 1.0), f"{who}(loss=...): delta", above=0.0)), targets
    if not np.all((targets == 0.0) | (targets == 1.0)):
        raise ValueError(f"{who}(y=...): {name} takes targets 0 and 1 here, got {np.unique(targets)[:5].tolist()}.")
    return losses.logistic(), 2.0 * targets - 1.0


def takes_classes(loss: Any) -> bool:
    """Whether its targets are classes by number."""
    return not isinstance(loss, losses.AbstractLoss) and _said(loss) == "cross_entropy"


def _said(loss: Any) -> str:
    said = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    return _NAMES.get(said, said)


def _name(loss: Any, who: str) -> str:
    what = f"{who}(loss=...)"
    name = _said(loss)
    one_of(name, tuple(_NAMES.values()), what)
    if getattr(loss, "reduction", "mean") != "mean":
        raise ValueError(
            f"{what}: reduction={loss.reduction!r} is not translated, since then batches of another size take other "
            "steps; 'mean' is, with lr times the size of the batch for 'sum'."
        )
    for key, usual in _MORE.items():
        if getattr(loss, key, usual) != usual:
            raise ValueError(f"{what}: {key}= is not translated.")
    return name


def targets_array(y: Any, who: str) -> np.ndarray:
    """The targets as they are, numbers. Raises `ValueError` for others."""
    found = np.asarray(y)
    if found.dtype.kind not in "biuf" or found.ndim not in (1, 2):
        raise ValueError(f"{who}(y=...): expected numbers [n] or [n, C], got {found.dtype} of shape {found.shape}.")
    return found


def _numbers(y: Any, outputs: int, who: str) -> Float[np.ndarray, "n ..."]:
    found = targets_array(y, who).astype(float)
    if found.reshape(len(found), -1).shape[1] != outputs:
        # PyTorch broadcasts [n, 1] against [n] to [n, n], with a warning.
        raise ValueError(f"{who}(y=...): the network has {outputs} outputs, the targets have shape {found.shape}.")
    return found.ravel() if outputs == 1 else found


def _one_hot(y: Any, outputs: int, who: str) -> Float[np.ndarray, "n C"]:
    found = targets_array(y, who)
    if found.ndim == 2 and found.shape[1] == outputs:
        return found.astype(float)
    if found.dtype.kind not in "iu" or found.ndim != 1 or found.min() < 0 or found.max() >= outputs:
        raise ValueError(f"{who}(y=...): cross_entropy takes classes 0 to {outputs - 1} as whole numbers [n].")
    return np.eye(outputs)[found]
