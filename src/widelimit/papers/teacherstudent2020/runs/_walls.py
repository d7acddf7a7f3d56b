"""tanh students of one input in Theta = [-1, 1]."""

from typing import Any

import numpy as np

from widelimit import analysis
from widelimit.dynamics import GradientFlow, TransportPDE
from widelimit.measure import Particles, laws
from widelimit.problem import Problem

from ..._kit import Data
from ..._kit._runs import evolved
from ._students import taught

WALL, PARTICLES = 1.0, 200


def problem(centre: float) -> Problem:
    """A teacher of one atom at `centre`; x ~ N(0, 9)."""
    return taught("tanh", Particles(np.array([[centre]])), laws.Normal(0.0, 3.0, dim=1), wall=WALL, nodes=32)


def particles(centre: float, times: np.ndarray) -> Data:
    """200 particles, equally spaced at the start: paths [T, N], E [T], the data's nodes, psi at the end on 201 points
    of Theta, and what the library says of Theorem 2 at the end."""
    task = problem(centre)
    start = Particles(((np.arange(PARTICLES) + 0.5) * 2.0 * WALL / PARTICLES - WALL)[:, None])
    run = evolved(task, start, GradientFlow(), times)
    end = analysis.identifiable(task).stationary(run)
    nodes: Any = task.data.nodes
    return {
        "times": times,
        "paths": run.positions[:, :, 0],
        "risk": run.risk,
        "x": nodes.x[:, 0],
        "y": np.ravel(nodes.y),
        "mu": nodes.weights,
        "psi": task.potential(run.final)(np.linspace(-WALL, WALL, 201)[:, None]),
        "loss": end.loss,
        "rests": bool(end.is_stationary),
        "zero": end.zero_loss,
        "on wall": end.on_wall,
        "inside": end.teacher_inside,
        "failed": np.array(end.failed),
    }


def equation(centre: float, times: np.ndarray, cells: int) -> Data:
    """The mean field equation (3) from the uniform law: the masses of the last cells [T, 2], all mass, E."""
    run = evolved(problem(centre), laws.Uniform(-WALL, WALL, dim=1), TransportPDE(cells=cells), times)
    masses = np.asarray(run.weights)
    return {"last": masses[:, [0, -1]], "mass": np.sum(masses, axis=1), "risk": run.risk}


def on_wall(found: Data) -> np.ndarray:
    """The mass of particles on either wall, [T]."""
    return np.mean(np.abs(found["paths"]) >= WALL - 1e-12, axis=1)
