"""What a user of PyTorch has, read by what it offers: a `Sequential` or its `state_dict`, an optimiser."""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float

from widelimit._diagnose import activation_of, named_arrays
from widelimit.numerics import real_number

from ._groups import GROUPS


@dataclasses.dataclass(frozen=True)
class Layers:
    """Two Linear: arrays by group, in the shapes that Linear has; `weight` [N, d], `output` [C, N]."""

    arrays: dict[str, Float[np.ndarray, "..."]]
    activation: str | None


def layers_of(model: Any, who: str) -> Layers:
    """The arrays of Linear, activation, Linear. Raises `ValueError` for others."""
    arrays = named_arrays(model)
    shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "none"
    matrices = [i for i, array in enumerate(arrays.values()) if array.ndim == 2]
    listed = list(arrays.values())
    reason = f"{who}(model=...): expected a width, or the weights of Linear, an activation, Linear; got {shapes}."
    if len(matrices) != 2 or matrices[0] != 0 or len(listed) > 4:
        raise ValueError(reason)
    found = {"weight": listed[0], "output": listed[matrices[1]]}
    width, outputs = len(found["weight"]), len(found["output"])
    for name, group, size in (
        ("bias", listed[1 : matrices[1]], width),
        ("offset", listed[matrices[1] + 1 :], outputs),
    ):
        if len(group) > 1 or any(array.shape != (size,) for array in group):
            raise ValueError(reason)
        found |= dict(zip([name], group, strict=False))
    if found["output"].shape[1] != width:
        raise ValueError(reason)
    bad = sum(int(np.sum(~np.isfinite(array))) for array in listed)
    if bad:
        raise ValueError(f"{who}(model=...): {bad} weights are not finite.")
    return Layers({name: found[name].astype(float) for name in GROUPS if name in found}, activation_of(model, who))


def rates_of(optimizer: Any, model: Any, who: str) -> tuple[dict[str, float], dict[str, float]]:
    """Learning rate and weight decay of each group, from an optimiser of the model's parameters.

    Raises `ValueError` for what is no plain SGD, and for parameters that are not the model's.
    """
    what = f"{who}(optimizer=...)"
    kind = type(optimizer).__name__
    if kind != "SGD" or not hasattr(optimizer, "param_groups"):
        raise ValueError(f"{what}: {kind} is not translated; torch.optim.SGD is, whose steps are along the gradient.")
    parameters = dict(zip(_there(model, who), model.parameters(), strict=True))
    lr, decay = {}, {}
    for group in optimizer.param_groups:
        check_momentum(group.get("momentum", 0.0), group["lr"], who)
        if group.get("maximize"):
            raise ValueError(f"{what}: maximize=True goes up the loss.")
        for one in group["params"]:
            names = [name for name, parameter in parameters.items() if parameter is one]
            if not names:
                raise ValueError(f"{what}: it moves a parameter that is not of the model.")
            lr[names[0]], decay[names[0]] = float(group["lr"]), float(group["weight_decay"])
    # What no optimiser moves stays.
    return {name: lr.get(name, 0.0) for name in parameters}, {name: decay.get(name, 0.0) for name in parameters}


def check_momentum(momentum: Any, lr: Any, who: str) -> None:
    """Raise `ValueError` for momentum, saying what it does."""
    mu = real_number(momentum, f"{who}(momentum=...)", least=0.0, below=1.0)
    if mu:
        faster = 1.0 / (1.0 - mu)
        said = f", {float(lr) * faster:.4g}" if isinstance(lr, int | float) else ""
        raise ValueError(
            f"{who}(momentum={mu:g}): no dynamics here has momentum. As long as little changes within 1/(1 - momentum) "
            f"= {faster:.3g} steps it is plain SGD with lr/(1 - momentum){said}: give that, and momentum=0."
        )


def _there(model: Any, who: str) -> list[str]:
    if not callable(getattr(model, "parameters", None)):
        raise ValueError(f"{who}(optimizer=...): give the model itself as well, not its width or its state_dict.")
    arrays = layers_of(model, who).arrays
    order = ("weight", "bias", "output", "offset")
    return [name for name in order if name in arrays]
