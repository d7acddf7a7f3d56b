"""Samples, networks and flows that figures and claims share."""

import math
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from widelimit.dynamics import GradientFlow, integrators
from widelimit.measure import Particles, join, laws
from widelimit.problem import Problem
from widelimit.trajectory import Trajectory

from ..._kit._runs import evolved

Rows = Float[np.ndarray, "N D"]


# So that no wave is even or odd about 0.
_PHASE = 0.6


def _midpoints(count: int) -> np.ndarray:
    return (2.0 * np.arange(count) + 1.0) / count - 1.0


def square_wave(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Samples at the midpoints of `count` equal parts of [-1, 1], of a wave of +-1, one and a half periods."""
    x = _midpoints(count)
    return x, np.sign(np.sin(1.5 * np.pi * (x + 1.0) + _PHASE))


def sine_wave(count: int) -> tuple[np.ndarray, np.ndarray]:
    """The same of the sine with these zeros."""
    x = _midpoints(count)
    return x, np.sin(1.5 * np.pi * (x + 1.0) + _PHASE)


def canonical_law(size: float) -> laws.Product:
    """r ~ N(0, size^2), theta uniform on the circle."""
    return laws.product(r=laws.Normal(0.0, size), angle=laws.Uniform(0.0, 2.0 * math.pi))


def drawn(count: int, seed: int, size: float = 1.0) -> Rows:
    """(r, theta) of that law, as rows."""
    return np.asarray(canonical_law(size).sample(count, key=jax.random.key(seed)).positions)


def full_rows(count: int, seed: int) -> Rows:
    """(c, a, -b) ~ N(0, 1), independent."""
    return np.asarray(jax.random.normal(jax.random.key(seed), (count, 3)))


def measure(problem: Problem, rows: Any) -> Particles:
    """Particles of equal weight; the canonical problem adds its delta."""
    if isinstance(rows, Particles):
        return problem.start(rows)
    some = problem.blocks[: np.shape(rows)[1]]
    return problem.start(Particles(np.asarray(rows, float), blocks=some))


def velocities(problem: Problem, particles: Particles) -> Rows:
    """-P grad psi of each particle."""
    theta, w = problem.unpack(particles)
    return np.asarray(join(problem.blocks, problem.velocity(theta, problem.variation(theta, w).gradient)))


def flow(problem: Problem, start: Any, times: Any, step: float) -> Trajectory:
    """The flow with its sliding neurons, by fixed steps."""
    return evolved(problem, start, GradientFlow(integrators.Filippov(step)), times)


def speed(delta: float, size: float) -> float:
    """S = sqrt(delta^2 + 4 r^2) at r = size; 1 at infinite delta, where time is multiplied by |delta|."""
    return 1.0 if math.isinf(delta) else math.hypot(delta, 2.0 * size)


def knots(rows: Any) -> np.ndarray:
    """-v/u of canonical rows."""
    return -np.tan(np.asarray(rows)[..., 1])


def share_near(rows: Any, x: np.ndarray, within: float) -> float:
    """The share of the neurons with a knot between the outermost samples, widened by `within`, whose knot is at most so
    far from a sample; neurons at r = 0, which are no part of the network, are left out."""
    rows = np.asarray(rows)
    places = knots(rows[rows[:, 0] != 0.0])
    inside = places[(places >= x.min() - within) & (places <= x.max() + within)]
    return float(np.mean(np.min(np.abs(inside[:, None] - x), axis=1) <= within))


def value(x: Any, rows: Any) -> np.ndarray:
    """The mean over neurons of r (cos(theta) x + sin(theta))_+, in NumPy."""
    r, angle = np.asarray(rows)[:, :2].T
    return np.maximum(np.outer(np.asarray(x), np.cos(angle)) + np.sin(angle), 0.0) @ r / len(r)


def residuals(x: np.ndarray, y: np.ndarray, rows: Any) -> np.ndarray:
    """rho_j = f(x_j) - y_j, in NumPy."""
    return value(x, rows) - y
