"""From a training in PyTorch's words to a problem, a start, SGD and a time."""

import dataclasses
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from widelimit.dynamics import SGD
from widelimit.measure import Particles, fields_of, laws
from widelimit.numerics import random_key, real_number
from widelimit.problem import Problem, mobilities
from widelimit.problem.data import Samples
from widelimit.problem.networks import TwoLayer

from ._groups import groups_of
from ._init import inits_of, start_law
from ._loss import loss_of
from ._model import Layers, layers_of
from ._parts import (
    clock,
    groups_there,
    particles_of,
    penalty_of,
    rates,
    rows_of,
    sampling_of,
    sizes_of,
    steps_of,
    unit_of,
)
from ._to_torch import to_torch
from ._training import TorchTraining

_WHO = "from_torch"


@dataclasses.dataclass(frozen=True, repr=False)
class FromTorch:
    """A training in PyTorch as this library's; made by `from_torch`. `str(...)` is a table of both.

    - `problem`: with the mobility that the learning rates are, and the penalty that the weight decay is.
    - `sgd`, `t1`: the training itself is `evolve(problem, network(key), sgd, t1=t1, key=key)`, step by step.
    - `law`: of a neuron at the start, for the limit; that of a trained model is the one of its neurons.
    - `training`: what PyTorch was told, by group.
    """

    problem: Problem
    law: laws.AbstractLaw
    sgd: SGD
    t1: float
    training: TorchTraining
    particles: Particles | None = dataclasses.field(repr=False)

    def network(self, key: Array | None = None) -> Particles:
        """The neurons of the model; or neurons drawn as PyTorch draws them, with one output bias for all.

        Raises `ValueError` where a key is needed.
        """
        if self.particles is not None:
            return self.particles
        draw, bias = jax.random.split(random_key(key, "network(key=...)"))
        drawn = self.law.sample(self.training.width, key=draw)
        init = self.training.init.get("offset")
        if init is None:
            return drawn
        size = dict(self.problem.blocks)["offset"]
        value = init.times(self.training.groups["offset"].factor).sample(size, bias)
        rows = drawn.positions.at[:, -max(1, value.size) :].set(value.ravel())
        return Particles(rows, drawn.weights, blocks=self.problem.blocks)

    def torch(self, width: Any = None) -> TorchTraining:
        """What PyTorch is to be told at another width, so that its network has the same limit; at the same one by
        default."""
        told = to_torch(
            self.problem,
            self.sgd,
            width=self.training.width if width is None else width,
            t1=self.t1,
            output_scale=self.training.output_scale,
        )
        old, new = self.training.groups, told.groups
        inits = {name: init.times(old[name].factor / new[name].factor) for name, init in self.training.init.items()}
        return dataclasses.replace(told, init=inits, loader=self.training.loader)

    def __str__(self) -> str:
        n, step = self.training.width, float(self.sgd.step_size)
        scales = self.problem.mobility.scales(fields_of(self.problem.blocks))
        lines = [
            f"PyTorch: {self.training}",
            "",
            f"Mean-field time: t1 = {self.t1:.6g} in {self.training.steps} steps of {step:.6g}",
            f"{'':10}{'mobility P':>14}{'times p':>12}   at width N this lr goes as",
        ]
        for name in self.training.lr:
            group = self.training.groups[name]
            grows = {"weight": "N", "bias": "N", "output": "1/N", "offset": "1"}[name]
            lines.append(f"{name:10}{float(getattr(scales, name)):14.6g}{group.factor:12.6g}   {grows}")
        factor = self.training.groups["output"].factor
        lines += [
            "",
            f"An output weight is {factor:.6g} times PyTorch's here, since f is a mean over {n} neurons. For the same",
            "limit at width N output weights start with 1/N as well: torch(N) says all of it.",
        ]
        return "\n".join(lines)

    __repr__ = __str__


def from_torch(
    model: Any,
    x: Any,
    y: Any,
    *,
    loss: Any = "mse_loss",
    lr: Any = None,
    optimizer: Any = None,
    weight_decay: Any = 0.0,
    momentum: Any = 0.0,
    batch_size: Any = None,
    epochs: Any = None,
    steps: Any = None,
    shuffle: bool = True,
    drop_last: bool = False,
    order: Any = None,
    activation: Any = None,
    init: Any = None,
    bias: bool = True,
    output_bias: bool = True,
    output_scale: Any = 1.0,
) -> FromTorch:
    r"""A training of Linear, activation, Linear by `torch.optim.SGD` as a problem in mean-field time.

    $f = \gamma(\sum_i v_i\,\sigma(w_i \cdot x + b_i) + o)$ is the mean over the neurons $(c, w, b, a)$ with $c = \gamma
    N v$ and $a = \gamma o$. Learning rate $\eta$ and weight decay $\delta$ of a group become

    $$s P = \eta\,\frac{m^2}{n},\qquad \lambda = \frac{\delta}{2}\,\frac{n}{m^2},$$

    m = 1, n = N for weight and bias; m = gamma N, n = N for output; m = gamma, n = 1 for offset. The step s is
    chosen so that hidden weights have the mobility 1: $s = \eta_w / N$, and t = k s after k steps.

    - `model`: a `Sequential` of Linear, activation, Linear, or its `state_dict`; or a width N.
    - `x` [n, d], `y` [n] or [n, C]: the rows to train on, as PyTorch gets them.
    - `loss`: "mse_loss" (the mean of (f - y)^2 over rows and outputs, without 1/2), "cross_entropy", "huber_loss",
      "binary_cross_entropy_with_logits"; a module such as `torch.nn.MSELoss()`; or one of `widelimit.losses`.
    - `lr`, `weight_decay`: numbers, or by group: `weight` and `bias` of the first Linear, `output` and `offset` of the
      second. Or `optimizer`: a `torch.optim.SGD` of the model's parameters.
    - `batch_size` (None: all rows), `epochs` or `steps`, `shuffle`, `drop_last`: as for a `DataLoader`. `order`: the
      rows as they come instead, [n] or one line an epoch, [E, n].
    - `activation`: by name, where the model does not say it.
    - `init`: "default" (what Linear does), "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal" for
      the matrices; or by group: these, "zeros", a number, ("uniform", bound), ("normal", std). Not with a model.
    - `bias`, `output_bias`: whether the two Linear have one. `output_scale`: gamma.

    **Raises** `ValueError` for other models, optimisers, losses and reductions, for momentum, and for numbers that do
    not fit.
    """
    layers = None if isinstance(model, int | np.integer) else layers_of(model, _WHO)
    if layers is not None and init is not None:
        raise ValueError(f"{_WHO}(init=...): the model has a start already; give a width instead.")
    rows = rows_of(x)
    width, outputs = sizes_of(layers, model, y, loss)
    there = groups_there(layers, bias=bias, output_bias=output_bias)
    gamma = real_number(output_scale, f"{_WHO}(output_scale=...)", above=0.0)
    groups = groups_of(width, gamma, 1.0)
    known, targets = loss_of(loss, y, outputs, _WHO)
    _check_shapes(layers, rows, targets)
    lrs, decays = rates(model, optimizer, lr, weight_decay, momentum, there)
    step, mobility = clock(lrs, groups)
    network = TwoLayer(unit_of(layers, activation, there))
    moves = {"mobility": mobilities.Diagonal(**mobility), "penalty": penalty_of(decays, groups)}
    problem = Problem(network, Samples(rows, targets), known, **moves)
    sampler, batch, per_epoch, loader = sampling_of(len(rows), batch_size, order, shuffle=shuffle, drop_last=drop_last)
    count = steps_of(steps, epochs, per_epoch)
    inits, particles = {}, None
    if layers is None:
        fans = {"weight": (rows.shape[1], width), "output": (width, outputs)}
        fans |= {"bias": fans["weight"], "offset": fans["output"]}
        inits = inits_of(init, {name: fans[name] for name in there}, f"{_WHO}(init=...)")
        law = start_law(inits, groups, dict(problem.blocks))
    else:
        particles = particles_of(layers, groups, problem)
        law = laws.Empirical(particles.positions, blocks=problem.blocks)
    sgd = SGD(step, batch=batch, sampling=sampler)
    told = to_torch(problem, sgd, width=width, t1=count * step, output_scale=gamma)
    training = dataclasses.replace(told, init=inits, loader=loader)
    return FromTorch(problem, law, sgd, count * step, training, particles)


def _check_shapes(layers: Layers | None, rows: np.ndarray, targets: np.ndarray) -> None:
    """Raise `ValueError` where rows, targets and model do not fit."""
    if len(targets) != len(rows):
        raise ValueError(f"{_WHO}(x=..., y=...): {len(rows)} rows and {len(targets)} targets.")
    if layers is not None and layers.arrays["weight"].shape[1] != rows.shape[1]:
        inputs = layers.arrays["weight"].shape[1]
        raise ValueError(f"{_WHO}(x=...): the model has {inputs} inputs, the table has {rows.shape[1]} columns.")
