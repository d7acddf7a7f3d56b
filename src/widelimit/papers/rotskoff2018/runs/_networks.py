"""Small networks c tanh(y . x) of two inputs, on which every integral of the paper is a finite sum."""

from typing import Any

import numpy as np

from widelimit.measure import Particles, laws
from widelimit.problem import Problem, activations, data, units

from ..._kit import Data

UNIT = units.Neuron(activations.tanh, bias=False, output_weight=True)
# Charges and weights of three neurons; the sum of their outputs is the target.
_TEACHER = [[1.0, 1.5, 0.5], [0.8, -0.5, 1.2], [-0.7, 0.3, -2.0]]
_NODES = 8


def taught() -> Problem:
    """A target of three neurons; mu are the 8 x 8 nodes of the Gauss-Hermite rule for N(0, I_2), and batches are drawn
    from them, so that every integral is a finite sum. The spectrum of the tangent kernel decays without a gap."""
    teacher = Particles(np.array(_TEACHER), weights=np.ones(3))
    rule: Any = data.gauss_hermite(_NODES, data.Teacher(UNIT, teacher, inputs=2), dim=2).nodes
    return Problem(UNIT, data.Samples(rule.x, rule.y, rule.weights))


def sampled() -> Problem:
    """Two samples at right angles: the tangent kernel on them has a gap."""
    return Problem(UNIT, data.Samples(1.5 * np.eye(2), np.array([0.5, -0.3])))


def law() -> laws.Product:
    """c = -1/2 or 1, y ~ N((1/2, 0), I)."""
    charge = laws.Empirical(np.array([[-0.5], [1.0]]))
    return laws.product(output=charge, weight=laws.Normal(np.array([0.5, 0.0]), 1.0, dim=2))


def atoms(order: int = 3) -> Particles:
    """That law on 2 `order`^2 atoms."""
    start = law()
    return start.quantise(start.gauss_size(order), laws.Gauss())


def drawn(start: Particles, n: int, seed: int) -> Particles:
    """n neurons drawn from the atoms: those that begin together stay together, and are one atom of their share."""
    p = np.asarray(start.weights, float)
    counts = np.random.default_rng(seed).multinomial(n, p / np.sum(p))
    return Particles(start.positions, counts / n, blocks=start.blocks)


def network(count: int, seed: int) -> Particles:
    """`count` neurons, c and y normal."""
    return Particles(np.random.default_rng(seed).normal(size=(count, 3)))


def nodes(problem: Problem) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x [Q, 2], f [Q] and mu [Q]."""
    found: Any = problem.data.nodes
    return np.asarray(found.x), np.asarray(found.y), np.asarray(found.weights)


def values(problem: Problem, positions: Any, weights: Any) -> np.ndarray:
    """f_n on the nodes, [..., Q], of rows [..., N, 3] and weights [N] or [..., N], in NumPy."""
    positions = np.asarray(positions)
    weights = np.broadcast_to(np.asarray(weights), positions.shape[:-1])
    table = np.tanh(positions[..., 1:] @ nodes(problem)[0].T)
    return np.einsum("...n,...nq->...q", weights * positions[..., 0], table)


def described(problem: Problem, positions: Any, weights: Any) -> Data:
    """What the closed forms need of a network: c, y, w and the data."""
    rows = np.asarray(positions)
    x, f, mu = nodes(problem)
    return {"c": rows[:, 0], "y": rows[:, 1:], "w": weights, "x": x, "f": f, "mu": mu}
