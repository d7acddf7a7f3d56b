"""A problem in a few words, for a terminal and a notebook."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool

from widelimit.measure import Particles
from widelimit.numerics import brief

from .data import AbstractData
from .mobilities import Identity
from .scales import MeanField

if TYPE_CHECKING:
    from ._problem import Problem


def summary(problem: "Problem") -> dict[str, str]:
    """Part -> what it is; parts that are left at their defaults are left out."""
    task = problem.supervised
    said = {}
    if task is not None:
        unit = task.network.unit
        said = {"unit": brief(unit)} if unit is not None else {"network": brief(task.network)}
        said |= {"data": _data(task.data), "loss": brief(task.loss)}
        if task.scale != MeanField():
            said["scale"] = brief(task.scale)
    else:
        said["integrals"] = type(problem.integrals).__name__
    if problem.penalty is not None:
        said["penalty"] = brief(problem.penalty)
    if problem.domain.factors:
        said["domain"] = ", ".join(f"{name} in {brief(part)}" for name, part in problem.domain.factors)
    if problem.mobility != Identity():
        said["mobility"] = brief(problem.mobility)
    return said


def outside(teacher: Particles, inside: Bool[np.ndarray, " n"]) -> str | None:
    """That atoms of a teacher lie outside the domain, or None; `inside`: which do not."""
    found = np.flatnonzero(~inside & (np.asarray(teacher.weights) != 0.0))
    if not len(found):
        return None
    place = np.round(np.asarray(teacher.positions[found[0]], float), 6).tolist()[:6]
    return (
        f"{len(found)} of {len(inside)} atoms of the teacher lie outside the domain, the first at {place}: the "
        "loss cannot vanish, unless another measure inside makes the same function, and Theorem 2 of "
        "teacherstudent2020 does not apply."
    )


def _data(data: AbstractData) -> str:
    kind = type(data).__name__
    if data.nodes is None:
        return f"{kind}, drawn afresh"
    n, d = data.nodes.x.shape
    outputs = "" if data.nodes.y.ndim == 1 else f", {data.nodes.y.shape[1]} outputs"
    return f"{kind}, {n} points, {d} input{'' if d == 1 else 's'}{outputs}"
