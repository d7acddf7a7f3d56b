"""Runs on the anisotropic problem of Fig. 3: ReLU neurons with offset and output weight, xi(t) = t^(-1/4)."""

import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

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


def _start(dim: int, relevant: int, spread: float) -> laws.Product:
    """a = b = 1 and w normal, in the lengths of its two parts (the spread breaks the symmetry of the neurons)."""
    radius = laws.Chi((relevant, dim - relevant), spread / math.sqrt(dim))
    return laws.product(output=laws.Atom(1.0), radius=radius, bias=laws.Atom(1.0))


def _problem(delta: float, dim: float, relevant: int | None) -> Problem:
    return problems.anisotropic_gaussians(
        delta, dim, relevant, activation=activations.relu, bias=True, output_weight=True
    )


class _Means(eqx.Module):
    """The means of a, b and the length of the relevant part of the weight."""

    relevant: int = eqx.field(static=True)

    def __call__(self, problem: Problem, measure: Particles) -> Array:
        theta, w = problem.unpack(measure)
        part = theta.radius[:, 0] if problem.symmetry else jnp.linalg.norm(theta.weight[:, : self.relevant], axis=1)
        return jnp.stack([w @ theta.output, w @ theta.bias, w @ part])


def _seen(samples: int, relevant: int) -> tuple[observables.AbstractObservable, ...]:
    return observables.Risk(samples=samples), observables.Function("means", _Means(relevant))


def limit(
    delta: float,
    end: float,
    count: int,
    nodes: int,
    dim: int = DIM,
    relevant: int = RELEVANT,
    spread: float = SPREAD,
) -> Data:
    """The reduced flow at d = infinity from the spread start at `dim`; `nodes` 0: from the point (mean lengths)."""
    law = _start(dim, relevant, spread)
    full = law.quantise(law.gauss_size(nodes or NODES), laws.Gauss())
    start = full if nodes else Particles((full.weights @ full.positions)[None], blocks=full.blocks)
    flow = GradientFlow(integrators.Tsit5(1e-8, 1e-10), schedule=_SCHEDULE)
    times = np.geomspace(FIRST, end, count)
    return curves(evolved(_problem(delta, math.inf, None), start, flow, times, observe=_seen(2, relevant)), "means")


def network(
    delta: float,
    neurons: int,
    step: float,
    batch: int,
    end: float,
    count: int,
    samples: int,
    seed: int,
    dim: int = DIM,
    relevant: int = RELEVANT,
    spread: float = SPREAD,
) -> Data:
    """One-pass SGD of the full network; the risk on fresh samples, with its standard error."""
    weight = laws.Normal(0.0, spread / math.sqrt(dim), dim=dim)
    law = laws.product(output=laws.Atom(1.0), weight=weight, bias=laws.Atom(1.0))
    sgd = SGD(step, batch=batch, schedule=_SCHEDULE, dtype=jnp.float32)
    times = np.geomspace(FIRST, end, count)
    problem, seen = _problem(delta, dim, relevant), _seen(samples, relevant)
    return curves(trained(problem, law, neurons, sgd, times, seen, seed), "means")
