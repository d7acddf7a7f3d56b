r"""Bounds on the spherical mean $F(z) = E\,\sigma(z c')$ of a piecewise-linear function, one group and no bias.

As the law of c' is even, F is that of the even part of sigma. In $\kappa = 1/z$ and $k_j = \kappa |t_j|$

$$F' = \sum_j m_j B(k_j),\qquad F'' = \sum_j \frac{m_j}{|t_j|} k_j^3 p(k_j),$$

whose largest values are read off a grid of kappa; between its points a bound on the derivative in kappa is added, so
the results are bounds. They are less than 2 % above the least ones for activations with a few knots.
"""

import functools
import itertools
import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from widelimit.numerics import Coordinate, coordinate

from ...activations import Pieces
from ._ramps import is_parallel

_GRID = 8000


def largest_value(pieces: Pieces) -> float | None:
    """sup |(sigma(t) + sigma(-t))/2|, which bounds |F|; None where it is infinite."""
    if not is_parallel(pieces):
        return None
    t = np.array([0.0, *map(abs, pieces.knots)])
    return float(np.max(np.abs(0.5 * (_values(pieces, t) + _values(pieces, -t)))))


@functools.cache
def steepest(pieces: Pieces, dim: float) -> float | None:
    """A bound on |F'|; None in two dimensions, where p is unbounded."""
    if dim < 3:
        return None
    law = coordinate(dim)
    terms = [(m * law.half_mean, abs(t)) for m, t in _corners(pieces) if m]
    growth = sum(abs(m) * t for m, t in terms) / law.half_mean * law.peak * _top(law, 1, 3)
    return _largest(law, terms, lambda k: _power(law, k, 0, 1), growth)


@functools.cache
def bend(pieces: Pieces, dim: float) -> float | None:
    """A bound on |F''|; None in two dimensions. A knot at 0 adds a linear function."""
    if dim < 3:
        return None
    law = coordinate(dim)
    terms = [(law.peak * m / abs(t), abs(t)) for m, t in _corners(pieces) if m and t]
    apart = sum(abs(m) for m, _ in terms) * _top(law, 3, 3)
    if dim < 5:
        # p' is unbounded at the edge: the terms are bounded one by one.
        return apart
    # (k^3 p)' = 3 k^2 p + k^3 p'.
    drop = 1.0 if dim == math.inf else (dim - 3.0) / dim
    growth = sum(abs(m) * t for m, t in terms) * (3.0 * _top(law, 2, 3) + drop * _top(law, 4, 5))
    return min(apart, _largest(law, terms, lambda k: _power(law, k, 3, 3), growth))


def outer_bend(pieces: Pieces, dim: float) -> float | None:
    r"""A bound on |d^2/dy^2 F(1/y)|; None for sigma with unlike slopes at its ends, and in two dimensions.

    With e(k) = E (c' - k)_+ - B(0) + k/2, so that e'' = p, and E(v) = e(v)/v = INT_0^1 e'(l v) dl,

    $$F(1/y) = \mathrm{const} + \sum_j m_j t_j E(t_j y),\qquad |E''| = \Big|\int_0^1 l^2 p'(l v)\,dl\Big| \le
    \sup|p'|/3.$$

    Between two knots t^3 E''(t y) grows by INT t^2 p'(t y) dt, so that the bound is also sup|p'|/3 times the sum over
    the ramps of |l_j - l_0| |t_(j+1)^3 - t_j^3|: near knots cancel in it.

    For d = 3 and 4, where p falls ever faster up to the edge (or jumps there), |E''| = v^(-3) INT_0^v u^2 |dp| is
    largest at the edge: 2 B(0) d^(-3/2).
    """
    if dim < 3 or not is_parallel(pieces):
        return None
    law = coordinate(dim)
    weight = sum(abs(m) * abs(t) ** 3 for m, t in _corners(pieces))
    if dim < 5:
        return weight * 2.0 * law.half_mean / dim**1.5
    drop = 1.0 if dim == math.inf else (dim - 3.0) / dim
    return min(weight, _cubes(pieces)) * law.peak * drop * _top(law, 1, 5) / 3.0


def _cubes(pieces: Pieces) -> float:
    """SUM |l_j - l_0| INT 3 t^2 dt over the ramps: l_0 t alone has no even part."""
    ramps = zip(itertools.pairwise(pieces.knots), pieces.slopes[1:-1], strict=True)
    return sum(abs(float(slope - pieces.slopes[0])) * abs(float(u) ** 3 - float(t) ** 3) for (t, u), slope in ramps)


def rough_bends(pieces: Pieces) -> tuple[float, float]:
    r"""In two dimensions: H with |F'(z) - F'(z')| <= H |z - z'|^(1/2), and the same for F(1/y) in y.

    There B = B(0) (1 - k^2/2)_+^(1/2) has a root at the edge, so F'' is infinite where z = |t_j|/sqrt 2. From
    |sqrt a - sqrt b| <= |a - b|^(1/2) and d/dz (1 - t^2/(2 z^2)) <= 2 sqrt 2/|t| follows
    H = SUM |m_j| B(0) 2^(3/4) |t_j|^(-1/2). With E' = (B(0) - B(v))/v^2, which is B(0)/(2 + 2 (1 - v^2/2)^(1/2)) up to
    the edge and B(0)/v^2 beyond, likewise H = SUM |m_j| |t_j|^(5/2) B(0) 2^(-3/4); infinite for unlike slopes.
    """
    half_mean, terms = coordinate(2).half_mean, [(abs(m), abs(t)) for m, t in _corners(pieces) if m and t]
    inner = sum(m * 2.0**0.75 * t**-0.5 for m, t in terms)
    outer = sum(m * 2.0**-0.75 * t**2.5 for m, t in terms) if is_parallel(pieces) else math.inf
    return half_mean * inner, half_mean * outer


def _largest(
    law: Coordinate,
    terms: list[tuple[float, float]],
    shape: Callable[[Float[np.ndarray, " n"]], Float[np.ndarray, " n"]],
    growth: float,
) -> float:
    """sup over kappa >= 0 of |SUM a shape(kappa t)|, for terms (a, t) and a derivative of at most `growth`."""
    moving = [t for _, t in terms if t > 0]
    end = min(law.edge, 9.0) / min(moving) if moving else 0.0
    kappa = np.linspace(0.0, end, _GRID + 1)
    values = np.abs(sum((a * shape(t * kappa) for a, t in terms), 0.0 * kappa))
    # Beyond the end the shapes of what moves are below 1e-14.
    return float(values.max()) + 0.5 * growth * end / _GRID + 1e-14 * sum(abs(a) for a, _ in terms)


def _power(law: Coordinate, k: Float[np.ndarray, " n"], power: int, less: int) -> Float[np.ndarray, " n"]:
    """k^power (1 - k^2/d)_+^((d - less)/2)."""
    if law.dim == math.inf:
        return k**power * np.exp(-0.5 * k * k)
    return k**power * np.maximum(1.0 - k * k / law.dim, 0.0) ** (0.5 * (law.dim - less))


def _top(law: Coordinate, power: int, less: int) -> float:
    """The largest value of `_power`, at k^2 = power d/(power + d - less)."""
    square = float(power) if law.dim == math.inf else min(power * law.dim / (power + law.dim - less), law.dim)
    return float(_power(law, np.array([math.sqrt(square)]), power, less)[0])


def _values(pieces: Pieces, t: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    value = float(pieces.value) + float(pieces.slopes[0]) * (t - float(pieces.knots[0]))
    return value + sum((m * np.maximum(t - knot, 0.0) for m, knot in _corners(pieces)), 0.0 * t)


def _corners(pieces: Pieces) -> list[tuple[float, float]]:
    """(m_j, t_j) on the host."""
    return [(float(m), float(t)) for m, t in zip(pieces.bends, pieces.knots, strict=True)]
