"""Runs on the anisotropic problem of Fig. 3: ReLU neurons with offset and output weight, xi(t) = t^(-1/4)."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from widelimit.dynamics import SGD, GradientFlow, integrators, schedules
from widelimit.measure import Particles, laws
from widelimit.problem import Problem, activations, problems
from widelimit.trajectory import observables

from ..._kit import Data
from ..._kit._runs import evolved, trained
from ._curves import curves

DIM, RELEVANT, SPREAD = 320, 60, 0.8
FIRST = 1e-2
NODES = 16
"""A length of the spread start."""
_SCHEDULE = schedules.power(0.25)


def _start() -> laws.Product:
    """a = b = 1 and w normal, in the lengths of its two parts (the spread breaks the symmetry of the neurons)."""
    radius = laws.Chi((RELEVANT, DIM - RELEVANT), SPREAD / math.sqrt(DIM))
    return laws.product(output=laws.Atom(1.0), radius=radius, bias=laws.Atom(1.0))


def _problem(delta: float, dim: float, relevant: int | None) -> Problem:
    return problems.anisotropic_gaussians(
        delta, dim, relevant, activation=activations.relu, bias=True, output_weight=True
    )


def _means(problem: Problem, measure: Particles) -> Any:
    """The means of a, b and the length of the relevant part of the weight."""
    theta, w = problem.unpack(measure)
    part = theta.radius[:, 0] if problem.symmetry else jnp.linalg.norm(theta.weight[:, :RELEVANT], axis=1)
    return jnp.stack([w @ theta.output, w @ theta.bias, w @ part])


def _seen(samples: int) -> tuple[observables.AbstractObservable, ...]:
    return observables.Risk(samples=samples), observables.Function("means", _means)


def limit(delta: float, end: float, count: int, nodes: int) -> Data:
    """The reduced flow at d = infinity from the spread start; `nodes` 0: from the point (mean lengths)."""
    full = _start().quantise(nodes or NODES, laws.Gauss())
    start = full if nodes else Particles((full.weights @ full.positions)[None], blocks=full.blocks)
    flow = GradientFlow(integrators.Tsit5(1e-8, 1e-10), schedule=_SCHEDULE)
    times = np.geomspace(FIRST, end, count)
    return curves(evolved(_problem(delta, math.inf, None), start, flow, times, observe=_seen(2)), "means")


def network(
    delta: float, neurons: int, step: float, batch: int, end: float, count: int, samples: int, seed: int
) -> Data:
    """One-pass SGD of the full network; the risk on fresh samples, with its standard error."""
    weight = laws.Normal(0.0, SPREAD / math.sqrt(DIM), dim=DIM)
    law = laws.product(output=laws.Atom(1.0), weight=weight, bias=laws.Atom(1.0))
    sgd = SGD(step, batch=batch, schedule=_SCHEDULE, dtype=jnp.float32)
    times = np.geomspace(FIRST, end, count)
    return curves(trained(_problem(delta, DIM, RELEVANT), law, neurons, sgd, times, _seen(samples), seed), "means")
