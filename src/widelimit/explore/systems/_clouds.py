"""Clouds of free knots that start around one place, and the atom there (yarotsky2018)."""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import ndtri

from widelimit.dynamics import GradientFlow, integrators
from widelimit.measure import Particles
from widelimit.problem import Problem, problems
from widelimit.theory import yarotsky2018 as theory

from .._history import equal_weights, history
from .._page import Arrays, Values

WIDTH, END, _MOMENTS = 40, 3e3, 33
_PARTICLES = (48, 128)
# Steps at once, and when the sliders rest: the flow is stiff, and its steps are as long as it lets them be.
_STEPS = (900, 40_000)


def _square(x: Any) -> Any:
    return x * x


@functools.cache
def _problem() -> Problem:
    return problems.free_knot_spline(_square)


@functools.cache
def drawn(count: int) -> Float[np.ndarray, "N 2"]:
    """Independent standard normal pairs."""
    return np.random.default_rng(1).normal(size=(count, 2))


@functools.cache
def spread(count: int) -> Float[np.ndarray, "M 2"]:
    """The same law by points that fill the plane evenly (the R2 sequence)."""
    k = np.arange(1, count + 1)[:, None]
    # The real root of g^3 = g + 1.
    g = 1.324717957244746
    return ndtri((0.5 + k / np.array([g, g**2])) % 1.0)


@eqx.filter_jit
def _trained(problem: Problem, rows: Any, weights: Any, times: Any, most: Any) -> tuple[Array, Array, Array]:
    flow = GradientFlow(integrators.Tsit5(1e-4, 1e-8))
    run = history(flow, problem, Particles(rows, weights, blocks=problem.blocks), times, most=most)
    risk = jax.lax.map(lambda at: problem.risk(Particles(at, weights, blocks=problem.blocks)), run.positions)
    return run.positions, risk, run.reached


def compute(values: Values, level: int) -> Arrays:
    """Clouds of the limit and of a network, and one atom."""
    width, count = int(values["width"]), _PARTICLES[min(level, 1)]
    center = np.array([values["charge"], values["knot"]])
    t = np.append(0.0, np.geomspace(0.1, END, _MOMENTS - 1))
    most, sigma = jnp.asarray(_STEPS[min(level, 1)]), values["sigma"]
    starts = {
        "limit": (center + sigma * spread(count), np.full(count, 1.0 / count)),
        "network": (center + sigma * drawn(WIDTH), np.asarray(equal_weights(width, WIDTH))),
        "atom": (center[None], np.ones(1)),
    }
    found: Arrays = {"t": t, "rest": np.asarray(theory.single_atom(), float)}
    for name, (rows, weights) in starts.items():
        positions, risk, reached = (np.asarray(part) for part in _trained(_problem(), rows, weights, t, most))
        came = max(int(np.sum(reached)), 1)
        found |= {name: positions[:came, : width if name == "network" else None], f"{name} risk": risk[:came]}
    return found
