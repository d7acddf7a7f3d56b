"""The parts of `from_torch`: each of a user's words checked, and what it is here."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from widelimit.dynamics import sampling
from widelimit.measure import Particles
from widelimit.numerics import whole_number
from widelimit.problem import Problem, activations, penalties, units

from ._groups import GROUPS, Group, by_group
from ._loss import takes_classes, targets_array
from ._model import Layers, check_momentum, rates_of

_WHO = "from_torch"


def rows_of(x: Any) -> Float[np.ndarray, "n d"]:
    """The inputs. Raises `ValueError` for what is no table of finite numbers."""
    found = np.asarray(x)
    found = found[:, None] if found.ndim == 1 else found
    if found.dtype.kind not in "biuf" or found.ndim != 2 or not found.size or not np.all(np.isfinite(found)):
        raise ValueError(f"{_WHO}(x=...): expected finite numbers [n, d], got {found.dtype} of shape {found.shape}.")
    return found.astype(float)


def sizes_of(layers: Layers | None, model: Any, y: Any, loss: Any) -> tuple[int, int]:
    """Width and outputs of the network: those of the model; else the outputs that the targets ask for."""
    if layers is not None:
        outputs, width = layers.arrays["output"].shape
        return width, outputs
    width = whole_number(model, f"{_WHO}(model=...)", least=1)
    targets = targets_array(y, _WHO)
    if targets.ndim == 1 and targets.dtype.kind in "iu" and takes_classes(loss):
        return width, int(targets.max()) + 1
    return width, 1 if targets.ndim == 1 else targets.shape[1]


def groups_there(layers: Layers | None, *, bias: bool, output_bias: bool) -> tuple[str, ...]:
    """The groups of parameters that the network has."""
    if layers is not None:
        return tuple(layers.arrays)
    absent = {"bias": not bias, "offset": not output_bias}
    return tuple(name for name in GROUPS if not absent.get(name, False))


def rates(
    model: Any, optimizer: Any, lr: Any, weight_decay: Any, momentum: Any, there: tuple[str, ...]
) -> tuple[dict[str, float], dict[str, float]]:
    """Learning rate and weight decay of each group."""
    check_momentum(momentum, lr, _WHO)
    if (lr is None) == (optimizer is None):
        raise ValueError(f"{_WHO}(lr=..., optimizer=...): give one of them.")
    if optimizer is not None:
        if weight_decay != 0.0:
            raise ValueError(f"{_WHO}(weight_decay=...): the optimizer says it itself.")
        found, decays = rates_of(optimizer, model, _WHO)
    else:
        found = by_group(lr, there, f"{_WHO}(lr=...)")
        decays = by_group(weight_decay, there, f"{_WHO}(weight_decay=...)", default=0.0)
    if not any(found.values()):
        raise ValueError(f"{_WHO}(lr=...): all are 0; nothing is trained.")
    return found, decays


def clock(lr: Mapping[str, float], groups: Mapping[str, Group]) -> tuple[float, dict[str, float]]:
    """The step s and the mobility P of each block. The first group that moves has P = 1: the hidden weights, if any."""
    speed = {name: rate * groups[name].mobility for name, rate in lr.items()}
    step = next(value for value in speed.values() if value > 0.0)
    return step, {name: value / step for name, value in speed.items()}


def unit_of(layers: Layers | None, activation: Any, there: tuple[str, ...]) -> units.AbstractUnit:
    """The neuron, with an output bias where there is one."""
    said = layers.activation if layers is not None else None
    if activation is None and said is None:
        raise ValueError(f'{_WHO}(activation=...): the model does not say it; give it by name, activation="tanh".')
    known = activations.registry.make(activation or said) if isinstance(activation or said, str) else activation
    neuron = units.Neuron(known, bias="bias" in there)
    return units.WithOffset(neuron) if "offset" in there else neuron


def penalty_of(decays: Mapping[str, float], groups: Mapping[str, Group]) -> penalties.AbstractPenalty | None:
    r"""$\lambda = \frac{\delta}{2} \frac{n}{m^2}$ of each group."""
    terms = [penalties.l2(0.5 * delta / groups[name].mobility, name) for name, delta in decays.items() if delta > 0.0]
    return penalties.Sum(tuple(terms)) if len(terms) > 1 else terms[0] if terms else None


def sampling_of(
    rows: int, batch_size: Any, order: Any, *, shuffle: bool, drop_last: bool
) -> tuple[sampling.AbstractSampling, int, int, str]:
    """How batches are taken, their size, how many there are an epoch, and what a `DataLoader` is told."""
    if batch_size is None and order is None:
        return sampling.Full(), rows, 1, ""
    batch = rows if batch_size is None else whole_number(batch_size, f"{_WHO}(batch_size=...)", least=1)
    if batch > rows:
        raise ValueError(f"{_WHO}(batch_size=...): must be at most the {rows} rows, got {batch}.")
    if order is not None:
        listed = np.asarray(order)
        length = listed.shape[-1] if listed.ndim else 0
        if drop_last:
            listed = listed[..., : length - length % batch]
        return sampling.Ordered(listed), batch, -(-listed.shape[-1] // batch), "in the order given"
    kept = rows - rows % batch if drop_last else rows
    said = ("shuffle=True" if shuffle else "shuffle=False") + (", drop_last=True" if drop_last else "")
    if shuffle:
        return sampling.Epochs(drop_last=drop_last), batch, -(-kept // batch), said
    return sampling.Ordered(np.arange(kept)), batch, -(-kept // batch), said


def steps_of(steps: Any, epochs: Any, per_epoch: int) -> int:
    """How many steps are taken."""
    if (steps is None) == (epochs is None):
        raise ValueError(f"{_WHO}(steps=..., epochs=...): give one of them.")
    if epochs is not None:
        return per_epoch * whole_number(epochs, f"{_WHO}(epochs=...)", least=1)
    return whole_number(steps, f"{_WHO}(steps=...)", least=1)


def particles_of(layers: Layers, groups: Mapping[str, Group], problem: Problem) -> Particles:
    """The neurons of a model, one a row; all of them have the one output bias."""
    width = len(layers.arrays["weight"])
    columns = []
    for block in problem.blocks:
        array = groups[block.name].factor * layers.arrays[block.name]
        if block.name == "offset":
            array = np.broadcast_to(array, (width, math.prod(block.shape)))
        columns.append(array.T if block.name == "output" else array.reshape(width, -1))
    return Particles(np.concatenate(columns, axis=1), blocks=problem.blocks)
