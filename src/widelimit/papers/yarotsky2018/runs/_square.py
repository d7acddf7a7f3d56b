"""What the figures and claims on f(x) = x^2 share: the problem, single atoms, clouds around them."""

import functools
from typing import Any

import jax
import numpy as np

from widelimit.dynamics import GradientFlow, integrators
from widelimit.measure import Particles, laws
from widelimit.problem import Problem, problems
from widelimit.theory import yarotsky2018 as theory
from widelimit.trajectory import Trajectory

from ..._kit import Data
from ..._kit._runs import evolved

ATOM = theory.single_atom()
"""(c_*, h_*)."""
ALL_LOST = 0.1
"""The loss INT x^4/2 of the prediction 0, which all weights at h >= 1 make."""


def square(x: Any) -> Any:
    """f(x) = x^2."""
    return x * x


@functools.cache
def spline() -> Problem:
    """The model (31) with this target: one object, so that its runs compile once."""
    return problems.free_knot_spline(square)


def flow(
    rows: Any, times: Any, *, rtol: float = 1e-9, atol: float = 1e-13, problem: Problem | None = None
) -> Trajectory:
    """The trajectory of particles of equal weight under (3), saved at `times` (0 first)."""
    start = rows if isinstance(rows, Particles) else Particles(np.asarray(rows, float))
    return evolved(problem or spline(), start, GradientFlow(integrators.Tsit5(rtol, atol)), times)


def atoms(c: list[float], h: list[float], grid: list[int], end: float, saves: int) -> Data:
    """Single atoms (networks of one neuron) from a grid on c x h: paths [S, T, 2], losses at the end [S]."""
    starts = [[x, y] for y in np.linspace(h[0], h[1], grid[1]) for x in np.linspace(c[0], c[1], grid[0])]
    # Paths that pass the border linger, and turn quickly at any time up to about 200.
    even, late = np.linspace(0.0, min(200.0, end), saves // 2 + 1), np.geomspace(1e-2, end, saves // 2)
    times = np.union1d(even, late)
    runs = [flow([start], times) for start in starts]
    return {"t": times, "paths": [run.positions[:, 0] for run in runs], "loss": [run.risk[-1] for run in runs]}


def cloud(center: list[float], sigma: float, width: int, end: float, saves: int, seed: int) -> Data:
    """N weights drawn from N(center, sigma^2 I): positions [T, N, 2] and losses; and those of one atom."""
    start = laws.Gaussian(center, sigma**2 * np.eye(2)).sample(width, key=jax.random.key(seed))
    times = np.concatenate([[0.0], np.geomspace(0.03, end, saves)])
    many, atom = flow(start, times, rtol=1e-6, atol=1e-9), flow([center], times)
    return {
        "t": many.times,
        "rows": many.positions,
        "loss": many.risk,
        "atom": {"rows": atom.positions[:, 0], "loss": atom.risk},
    }
