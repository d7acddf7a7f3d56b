r"""Bounds on the spherical mean $F(z) = E\,\sigma(z c')$ of a piecewise-linear function, one group and no bias.

As the law of c' is even, F is that of the even part of sigma: $F' = \sum_j m_j B(t_j/z)$ and, with
$\kappa = 1/z$, each term is a function of $\kappa |t_j|$.
"""

import functools
import math

import numpy as np

from widelimit.numerics import Coordinate, coordinate

from ..activations import Pieces
from ._spherical_ramps import is_parallel

_GRID = 4000


def largest_value(pieces: Pieces) -> float | None:
    """sup |(sigma(t) + sigma(-t))/2|, which bounds |F|; None where it is infinite."""
    if not is_parallel(pieces):
        return None
    t = np.array([0.0, *map(abs, pieces.knots)])
    return float(np.max(np.abs(0.5 * (_values(pieces, t) + _values(pieces, -t)))))


@functools.cache
def steepest(pieces: Pieces, dim: float) -> float | None:
    """A bound on |F'|, less than a hundredth above the least one for a few knots; None in two dimensions.

    Values on a grid of kappa, and between them the bound on the derivative, SUM |m_j t_j| sup k p(k).
    """
    if dim < 3:
        return None
    law = coordinate(dim)
    bends, knots = np.array(pieces.bends), np.abs(pieces.knots)
    moving = knots[(knots > 0) & (bends != 0)]
    if not moving.size:
        return law.half_mean * abs(float(bends.sum()))
    end = min(law.edge, 9.0) / moving.min()
    kappa = np.linspace(0.0, end, _GRID + 1)
    values = np.abs(sum(m * law.half_mean * _bell(law, t * kappa) for m, t in zip(bends, knots, strict=True)))
    k = 1.0 if dim == math.inf else math.sqrt(dim / (dim - 2.0))
    growth = float(np.abs(bends) @ knots) * k * density(law, k)
    # Beyond the end the bells are below 1e-17.
    return float(values.max()) + 0.5 * growth * end / _GRID + 1e-15 * float(np.abs(bends).sum())


def bend(pieces: Pieces, dim: float) -> float | None:
    r"""A bound on |F''|: with k = t/z, $F'' = \sum_j (m_j/t_j) k_j^3 p(k_j)$, and k^3 p(k) is largest at k^2 = 3.

    A knot at 0 adds a linear function. None in two dimensions, where p is unbounded.
    """
    if dim < 3:
        return None
    weight = sum(abs(m / t) for m, t in zip(pieces.bends, pieces.knots, strict=True) if m and t)
    return weight * 3.0**1.5 * density(coordinate(dim), math.sqrt(3.0))


def outer_bend(pieces: Pieces, dim: float) -> float | None:
    r"""A bound on |d^2/dy^2 F(1/y)|; None for sigma with unlike slopes at its ends, and where p' is unbounded (d < 5).

    With e(k) = E (c' - k)_+ - B(0) + k/2, so that e'' = p, and E(v) = e(v)/v = INT_0^1 e'(l v) dl,

    $$F(1/y) = \mathrm{const} + \sum_j m_j t_j E(t_j y),\qquad |E''| = \Big|\int_0^1 l^2 p'(l v)\,dl\Big| \le \sup|p'|/3.$$
    """
    if dim < 5 or not is_parallel(pieces):
        return None
    law = coordinate(dim)
    weight = sum(abs(m) * abs(t) ** 3 for m, t in zip(pieces.bends, pieces.knots, strict=True))
    if dim == math.inf:
        return weight * density(law, 1.0) / 3.0
    # |p'| = p(0) (d - 3)/d k (1 - k^2/d)^((d - 5)/2) is largest at k^2 = d/(d - 4).
    square = dim / (dim - 4.0)
    top = law.peak * (dim - 3.0) / dim * math.sqrt(square) * max(1.0 - square / dim, 0.0) ** (0.5 * (dim - 5.0))
    return weight * top / 3.0


def density(law: Coordinate, k: float) -> float:
    """p(k) up to the edge, the edge included."""
    if law.dim == math.inf:
        return law.peak * math.exp(-0.5 * k * k)
    return law.peak * max(1.0 - k * k / law.dim, 0.0) ** (0.5 * (law.dim - 3.0))


def _bell(law: Coordinate, k: np.ndarray) -> np.ndarray:
    if law.dim == math.inf:
        return np.exp(-0.5 * k * k)
    return np.maximum(1.0 - k * k / law.dim, 0.0) ** (0.5 * (law.dim - 1.0))


def _values(pieces: Pieces, t: np.ndarray) -> np.ndarray:
    value = pieces.value + pieces.slopes[0] * (t - pieces.knots[0])
    return value + sum(m * np.maximum(t - knot, 0.0) for m, knot in zip(pieces.bends, pieces.knots, strict=True))
