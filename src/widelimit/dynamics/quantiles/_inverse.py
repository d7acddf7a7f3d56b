"""Measures of one number as functions of a label: the start of a flow in inverse-distribution form."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from widelimit.measure import GridDensity, laws

# Beyond this normal score a law has 5e-17 of its mass: no float64 integral sees it.
EDGE = 8.3


class Labelled(NamedTuple):
    """A start X(label), cut into panels from `low` to `high`; the functions take arrays and run on the host.

    - `position`: X at labels; `mass`: of panels (low, high); `tilt`: as in `Panels`.
    """

    low: Float[np.ndarray, " k"]
    high: Float[np.ndarray, " k"]
    position: Callable[[np.ndarray], np.ndarray]
    mass: Callable[[np.ndarray, np.ndarray], np.ndarray]
    tilt: float


def by_score(law: laws.AbstractLaw, panels: int) -> Labelled:
    """A law by normal scores: of one number it is a smooth function of them, and nothing of it lies far out."""
    from scipy.special import ndtr

    edges = np.linspace(-EDGE, EDGE, panels + 1)

    def mass(low: np.ndarray, high: np.ndarray) -> np.ndarray:
        # From the nearer tail, where the difference keeps its digits.
        upper = low > 0
        return ndtr(np.where(upper, -low, high)) - ndtr(np.where(upper, -high, low))

    return Labelled(edges[:-1], edges[1:], lambda z: from_score(law, z), mass, 1.0)


def by_cell(density: GridDensity) -> Labelled:
    """A density on a grid of one axis: a panel for each cell with mass, in which X is linear."""
    centre, width = np.asarray(density.grid.centres[0]), np.asarray(density.grid.widths[0])
    edges, masses = np.asarray(density.grid.edges[0]), np.asarray(density.masses)
    lower = np.where(np.isinf(edges[:-1]), 2 * centre - edges[1:], edges[:-1])
    cells = np.flatnonzero(masses > 0)

    def position(label: np.ndarray) -> np.ndarray:
        j = np.floor(label).astype(int)
        return lower[j] + (label - j) * width[j]

    def mass(low: np.ndarray, high: np.ndarray) -> np.ndarray:
        return masses[np.floor(0.5 * (low + high)).astype(int)] * (high - low)

    return Labelled(cells.astype(float), cells + 1.0, position, mass, 0.0)


def from_score(law: laws.AbstractLaw, z: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    r"""X(z) with $\rho(\theta < X(z)) = \Phi(z)$, $|z| \le$ `EDGE`; runs on the host.

    In the upper tail $\rho(\theta \ge X) = \Phi(-z)$ is solved instead, and in logarithms: as a function of
    u = Phi(z), which rounds to 1 there, X would have lost its digits from z = 5 on.

    Raises `ValueError` for a law that has no probabilities of intervals in closed form.
    """
    from scipy.optimize import elementwise
    from scipy.special import log_ndtr

    def excess(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        upper = z > 0
        edge = np.where(upper, np.inf, -np.inf)
        ends = np.sort(np.stack([x, edge]), axis=0)[..., None]
        mass = law.box_probability(ends[0].reshape(-1, 1), ends[1].reshape(-1, 1)).reshape(x.shape)
        # The least positive number for an empty side keeps the sign and stays finite.
        off = np.log(np.maximum(mass, np.finfo(float).tiny)) - log_ndtr(-np.abs(z))
        return np.where(upper, -off, off)

    size = _reach(law)
    found = elementwise.find_root(excess, (np.full_like(z, -size), np.full_like(z, size)), args=(z,))
    # Where X jumps, the last bit of the sign decides; X increases.
    x = np.empty_like(found.x)
    x[np.argsort(z)] = np.sort(found.x)
    return x


def _reach(law: laws.AbstractLaw) -> float:
    """A power of two x so that less than Phi(-EDGE) lies beyond -x, and beyond x."""
    from scipy.special import ndtr

    x = 2.0 ** np.arange(-20, 500, 4)[:, None]
    far = np.full_like(x, np.inf)
    with np.errstate(over="ignore"):
        outside = np.maximum(law.box_probability(x, far), law.box_probability(-far, -x))
    return float(x[np.argmax(outside < 0.5 * ndtr(-EDGE)), 0])
