"""A wide residual network of two numbers, and what its levels do to twelve inputs (teacherstudent2020)."""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.dynamics import GradientFlow, integrators
from widelimit.measure import Particles
from widelimit.problem import Problem, activations, problems
from widelimit.problem.data import Samples

from .._history import history
from .._page import Arrays, Values

DEPTH, WIDTH, LIMIT, END, _MOMENTS, SEEDS = 8, 16, 96, 10.0, 33, 4
X = np.random.default_rng(1).normal(size=(12, 2))
Y = np.tanh(X[:, ::-1])
_MEAN = np.array([[0.5, -0.3], [0.2, 0.4]])


@functools.cache
def _problem() -> Problem:
    """Eight levels; one without mass is the identity, so that fewer are the same problem."""
    return problems.wide_resnet(Samples(X, Y), depth=DEPTH, activation=activations.tanh)


def _start(width: int, spread: float, seed: int) -> Float[np.ndarray, "n D"]:
    """`width` particles on every level, one level after the other."""
    theta = _MEAN + spread * np.random.default_rng(seed).normal(size=(DEPTH, width, 2, 2))
    levels = np.repeat(np.arange(float(DEPTH)), width)
    return np.column_stack([theta.reshape(DEPTH * width, 4), levels])


def masses(depth: int, width: int, most: int) -> Float[np.ndarray, " n"]:
    """Total mass 1 on the first `width` particles of the first `depth` levels."""
    here = (np.arange(DEPTH) < depth)[:, None] & (np.arange(most) < width)
    return (here / (depth * width)).ravel().astype(float)


@eqx.filter_jit
def _trained(problem: Problem, rows: Any, weights: Any, rate: Any, times: Any) -> tuple[Array, Array, Array]:
    """Risks [T], and states [T, L + 1, n, 2] of the samples on the levels; whether the run came there."""
    flow = GradientFlow(integrators.RungeKutta4(rate))
    run = history(flow, problem, Particles(rows, weights, blocks=problem.blocks), times, most=5000)

    def seen(at: Array) -> tuple[Array, Array]:
        rho = Particles(at, weights, blocks=problem.blocks)
        return problem.risk(rho), _states(at, weights)

    risk, states = jax.lax.map(seen, run.positions)
    return risk, states, run.reached


def _states(rows: Array, weights: Array) -> Array:
    """X^0, ..., X^L: X^(l+1) = X^l + SUM over level l of w tanh(theta X^l)."""
    theta, w = rows[:, :4].reshape(DEPTH, -1, 2, 2), weights.reshape(DEPTH, -1)

    def step(x: Array, level: Any) -> tuple[Array, Array]:
        new = x + jnp.einsum("n,nqi->qi", level[1], jnp.tanh(jnp.einsum("nij,qj->nqi", level[0], x)))
        return new, new

    _, after = jax.lax.scan(step, jnp.asarray(X), (theta, w))
    return jnp.concatenate([jnp.asarray(X)[None], after])


def compute(values: Values, level: int) -> Arrays:
    depth, width, spread = int(values["depth"]), int(values["width"]), values["spread"]
    t = END * np.linspace(0.0, 1.0, _MOMENTS) ** 2
    step = jnp.asarray(values["step"])
    # At once a third of the particles stands for the limit.
    count = LIMIT if level else LIMIT // 3
    limit = _trained(_problem(), _start(count, spread, 1000), masses(depth, count, count), jnp.asarray(0.2), t)
    found = [
        _trained(_problem(), _start(WIDTH, spread, seed), masses(depth, width, WIDTH), step, t)
        for seed in range(SEEDS if level else 1)
    ]
    nets = [[np.asarray(part) for part in one] for one in found]
    came = int(np.sum(nets[0][2]))
    return {
        "t": t,
        "y": Y,
        "limit risk": np.asarray(limit[0]),
        "limit": np.asarray(limit[1])[:, : depth + 1],
        "risk": nets[0][0][:came],
        "network": nets[0][1][:came, : depth + 1],
        "ends": np.array([one[0][-1] for one in nets]),
        "particles": count,
        "width": width,
    }
