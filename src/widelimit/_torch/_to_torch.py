"""From a problem and its SGD to what PyTorch is to be told."""

import math
from typing import Any

from widelimit.dynamics import SGD
from widelimit.measure import fields_of
from widelimit.numerics import Count, real_number, whole_number
from widelimit.problem import Problem, moving
from widelimit.problem.units import AbstractUnit

from ._groups import GROUPS, groups_of
from ._training import TorchTraining

_WHO = "to_torch"


def to_torch(
    problem: Problem,
    sgd: SGD,
    *,
    width: Count,
    t1: Any,
    output_scale: Any = 1.0,
) -> TorchTraining:
    r"""The training in PyTorch that is this SGD of this problem to time t1, with `width` neurons.

    $\eta = s P n / m^2$ and $\delta = 2 \lambda m^2 / n$ for every group of parameters, with the factors m and n of
    `from_torch`; a loss that is phi times PyTorch's makes $\eta$ phi times larger and $\delta$ smaller.

    - `problem`: a two-layer mean of `units.Neuron` with an output weight, with an output bias or without.
    - `output_scale`: gamma, by which the PyTorch network's output is multiplied.

    The start is `TorchTraining.state(particles)`.

    Raises `ValueError` for a problem that is another network, a mobility that is no number a block, a penalty that is
    no l2, a domain with walls, noise, and schedules.
    """
    width = whole_number(width, f"{_WHO}(width=...)", least=1)
    gamma = real_number(output_scale, f"{_WHO}(output_scale=...)", above=0.0)
    steps = whole_number(round(real_number(t1, f"{_WHO}(t1=...)", above=0.0) / float(sgd.step_size)), "steps", least=1)
    _check_unit(problem.two_layer(_WHO))
    _check(problem, sgd)
    there = tuple(name for name in GROUPS if name in {block.name for block in problem.blocks})
    known = problem.loss.in_torch(math.prod(problem.data.outputs))
    if known is None:
        raise ValueError(f"{_WHO}: PyTorch has no loss for {problem.loss.name}; write it there yourself.")
    loss, phi = known
    groups = groups_of(width, gamma, float(problem.scale.factor(width)))
    speed = _speeds(problem, sgd, there)
    lr = {name: phi * speed[name] / groups[name].mobility for name in there}
    decay = {name: 2.0 * _strength(problem, name) * groups[name].mobility / phi for name in there}
    return TorchTraining(
        width=width,
        lr=lr,
        weight_decay=decay,
        loss=loss,
        batch_size=None if sgd.sampling.whole else sgd.largest_batch,
        steps=steps,
        output_scale=gamma,
        loader=sgd.sampling.loader or f"a sampler that does as {type(sgd.sampling).__name__}",
        init={},
        groups=groups,
    )


def _check_unit(unit: AbstractUnit) -> None:
    inner = unit if unit.inner is None else unit.inner
    if inner.profile is None or inner.linear != "output":
        raise ValueError(
            f"{_WHO}: Linear, an activation and Linear are c sigma(w . x + b); the unit here is {type(unit).__name__}."
        )


def _check(problem: Problem, sgd: SGD) -> None:
    """Raise `ValueError` for what plain SGD does not do."""
    reason = None
    if sgd.temperature is not None:
        reason = "torch.optim.SGD adds no noise; the temperature is not 0"
    elif sgd.batch.jumps:
        reason = "the size of the batches changes in time"
    elif len(set(sgd.schedule.values() or ())) != 1:
        reason = "the steps change in time (in PyTorch that is a torch.optim.lr_scheduler)"
    elif problem.network.offset is not None:
        reason = "the network has a constant offset; let it be a block of mobility 0 (units.WithOffset)"
    elif not problem.domain.unconstrained:
        reason = "torch.optim.SGD knows no walls; the domain has some"
    elif problem.mobility.scales(fields_of(problem.blocks)) is None:
        reason = "learning rates are one number a group; the mobility is none (mobilities.Diagonal is)"
    if reason is not None:
        raise ValueError(f"{_WHO}: {reason}.")


def _speeds(problem: Problem, sgd: SGD, there: tuple[str, ...]) -> dict[str, float]:
    """s P of each block; 0 for one that does not move."""
    (xi,) = set(sgd.schedule.values() or ())
    scales = problem.mobility.scales(fields_of(problem.blocks))
    moves = moving(problem, sgd.trainable)
    step = float(sgd.step_size) * xi
    return {name: step * float(getattr(scales, name)) if name in moves else 0.0 for name in there}


def _strength(problem: Problem, name: str) -> float:
    """lambda of the l2 penalty on a block. Raises `ValueError` for a penalty of another kind."""
    if problem.penalty is None:
        return 0.0
    cost = problem.penalty.cost(name)
    if cost is None or cost.size != 0.0:
        raise ValueError(f"{_WHO}: weight decay is an l2 penalty; what the one here costs of {name!r} is another.")
    return float(cost.square)
