"""What PyTorch is to be told: rates, decays, loss, batches, steps and start of one training."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from widelimit.measure import Particles

from ._groups import Group
from ._init import Init


@dataclasses.dataclass(frozen=True, repr=False)
class TorchTraining:
    """A network Linear, activation, Linear of `width` neurons, times `output_scale`, and how it is trained.

    Groups are `weight`, `bias`, `output`, `offset`: weight and bias of the first and of the second Linear.

    - `lr`, `weight_decay`: of each group, for `torch.optim.SGD` without momentum.
    - `loss`: the function in `torch.nn.functional`, its mean over the batch.
    - `batch_size`: None for all rows; `loader`: what else the `DataLoader` is told.
    - `steps`: how many. `init`: the start of each group, where it is known; see `state` for other starts.
    """

    width: int
    lr: Mapping[str, float]
    weight_decay: Mapping[str, float]
    loss: str
    batch_size: int | None
    steps: int
    output_scale: float
    loader: str
    init: Mapping[str, Init]
    groups: Mapping[str, Group] = dataclasses.field(repr=False)

    def parameter_groups(self, parameters: Iterable[Any]) -> list[dict[str, Any]]:
        """What `torch.optim.SGD` takes, of `model.parameters()`: weights and biases of two Linear, in their order.

        Raises `ValueError` for another number of parameters.
        """
        given = list(parameters)
        if len(given) != len(self.lr):
            raise ValueError(
                f"parameter_groups(parameters=...): expected {len(self.lr)} ({', '.join(self.lr)}), got {len(given)}."
            )
        return [
            {"params": [one], "lr": self.lr[name], "weight_decay": self.weight_decay[name]}
            for one, name in zip(given, self.lr, strict=True)
        ]

    def state(self, particles: Particles) -> dict[str, Float[np.ndarray, "..."]]:
        """The neurons as arrays of the shapes that two Linear have, by group. The output bias is the neurons' mean.

        Raises `ValueError` for another number of neurons, and for neurons of unequal weights.
        """
        if len(particles) != self.width or np.ptp(np.asarray(particles.weights)) > 1e-12 / self.width:
            raise ValueError(
                f"state(particles=...): expected {self.width} neurons of equal weights, got {len(particles)}."
            )
        blocks = {name: np.asarray(particles[name], float) / self.groups[name].factor for name in self.lr}
        if "offset" in blocks:
            blocks["offset"] = np.atleast_1d(blocks["offset"].mean(axis=0))
        output = blocks["output"]
        blocks["output"] = output[None] if output.ndim == 1 else output.T
        return blocks

    def __str__(self) -> str:
        rows = "all rows a step" if self.batch_size is None else f"batches of {self.batch_size} ({self.loader})"
        scale = "" if self.output_scale == 1.0 else f", output times {self.output_scale:.4g}"
        lines = [
            f"{self.width} neurons{scale}; {self.loss}, mean over the batch; {rows}; {self.steps} steps of SGD",
            f"{'':10}{'lr':>12}{'weight decay':>16}   start",
        ]
        for name, rate in self.lr.items():
            start = self.init.get(name, "as given")
            lines.append(f"{name:10}{rate:12.5g}{self.weight_decay[name]:16.5g}   {start}")
        return "\n".join(lines)

    __repr__ = __str__
