r"""Two coordinates together: the law of $\xi = \cos\alpha\,c'_1 + \sin\alpha\,c'_2$ for two groups of dimensions.

The spherical mean of a piecewise-linear function of two groups needs, for each knot, three functions of (alpha, k):

$$B_1 = E(c'_1;\,\xi > k),\qquad B_2 = E(c'_2;\,\xi > k),\qquad P = P(\xi > k).$$

`TabledPair` has them from Chebyshev tables in (k^2, cos^2 alpha): fast, for dimensions from 24 on, where the law is
smooth. `NarrowPair` integrates over the coordinate of the smaller group, in any dimension.
"""

import functools
import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from widelimit.numerics import chebyshev_fit, chebyshev_points, coordinate, gauss_coordinate

SMOOTH_FROM = 40
"""The least dimension of a group for which the tables reach 1e-12."""


class Moments(NamedTuple):
    """B_1, B_2 and P."""

    first: Any
    second: Any
    tail: Any


class NarrowPair(eqx.Module):
    r"""By a Gauss rule over the smaller group's coordinate, $c'_1 = \sqrt{d_1}\,2\tau/(1 + \tau^2)$.

    Only where the other coordinate decides: where it cannot turn xi > k around, the integral is that of one
    coordinate, in closed form. So the rule is as good for a thin second coordinate (alpha near 0) as for a thick one.
    In tau, as in the angle of which it is the half's tangent, the density has no singular ends.
    """

    dims: tuple[float, float] = eqx.field(static=True)
    nodes: tuple[float, ...] = eqx.field(static=True)
    weights: tuple[float, ...] = eqx.field(static=True)

    def moments(self, cos: Any, sin: Any, k: Any, centred: bool) -> Moments:
        """`centred` changes nothing here: B_1 and B_2 are the whole expectations."""
        if self.dims[0] <= self.dims[1]:
            return self._ordered(cos, sin, k)
        second, first, tail = self._ordered(sin, cos, k)
        return Moments(first, second, tail)

    def _ordered(self, thick: Any, thin: Any, k: Any) -> Moments:
        outer, inner = coordinate(min(self.dims)), coordinate(max(self.dims))
        width = min(inner.edge, 8.3) * thin
        low, high = (jnp.clip((k + side) / jnp.maximum(thick, 1e-300) / outer.edge, -1, 1) for side in (-width, width))
        # The integrand meets what lies outside at both ends: the derivatives of the ends cancel.
        low, high = jax.lax.stop_gradient(low), jax.lax.stop_gradient(high)
        start, stop = (x / (1.0 + jnp.sqrt(1.0 - x * x)) for x in (low, high))
        middle, half = 0.5 * (start + stop), 0.5 * (stop - start)
        edge_bell = jnp.exp(outer.log_bell(outer.edge * high))
        closed = Moments(outer.half_mean * edge_bell, 0.0 * edge_bell, outer.tail(outer.edge * high, edge_bell))
        steep = jnp.where(thin > 0, 1.0 / jnp.where(thin > 0, thin, 1.0), 0.0)

        def add(total: Moments, rule: Any) -> tuple[Moments, None]:
            node, weight = rule
            tau = middle + half * node
            inverse = 1.0 / (1.0 + tau * tau)
            c = 2.0 * outer.edge * tau * inverse
            shrink = (1.0 - tau * tau) * inverse
            mass = (2.0 * outer.peak * outer.edge * weight) * half * inverse * shrink ** (int(outer.dim) - 2)
            inside = (k - thick * c) * steep
            bell = jnp.exp(inner.log_bell(inside))
            above = mass * inner.tail(inside, bell)
            return Moments(total.first + above * c, total.second + mass * bell, total.tail + above), None

        rule = (jnp.asarray(self.nodes, k.dtype), jnp.asarray(self.weights, k.dtype))
        first, second, tail = jax.lax.scan(add, closed, rule)[0]
        return Moments(first, inner.half_mean * second, tail)


@functools.cache
def narrow_pair(first: float, second: float) -> NarrowPair:
    """The rule for groups of any dimensions, of which at most one is infinite."""
    nodes, weights = np.polynomial.legendre.leggauss(_RULE)
    return NarrowPair((first, second), tuple(map(float, nodes)), tuple(map(float, weights)))


class TabledPair(eqx.Module):
    r"""By Chebyshev series in $y \propto k^2/(k^2 + 30)$ and $w = \cos^2\alpha$ of the distance to the normal law.

    With n and Q the normal density and tail, and even functions of k that are smooth up to the axes,

    $$B_1 = \cos\alpha\,(n + \beta_1 + k^2 S_1),\quad B_2 = \sin\alpha\,(n + \beta_2 + k^2 S_2),\quad P = Q + k\,S_3.$$

    - `values`: beta_1 and beta_2, their values at k = 0, as polynomials in 2 w - 1.
    - `slopes`: S_1, S_2 and S_3; entry [i][j] multiplies T_i(y) (2 w - 1)^j.
    """

    values: tuple[tuple[float, ...], ...] = eqx.field(static=True)
    slopes: tuple[tuple[tuple[float, ...], ...], ...] = eqx.field(static=True)

    def moments(self, cos: Any, sin: Any, k: Any, centred: bool) -> Moments:
        """`centred`: B_1 and B_2 less their values at k = 0."""
        normal = coordinate(math.inf)
        square = jnp.minimum(k * k, _FARTHEST**2)
        y = _SPREAD * (square / (square + _MIDDLE)) - 1.0
        w = (cos - sin) * (cos + sin)
        risen = jnp.expm1(normal.log_bell(k))
        first, second, third = _series(self.slopes, y, w)
        sides = []
        for value, slope in zip(self.values, (first, second), strict=True):
            start = 0.0 if centred else normal.peak + _horner(value, w)
            sides.append(start + normal.peak * risen + square * slope)
        tail = normal.tail(k, 1.0 + risen) + jnp.clip(k, -_FARTHEST, _FARTHEST) * third
        return Moments(cos * sides[0], sin * sides[1], tail)


_RULE = 64
_FARTHEST = 9.0
_MIDDLE = 30.0
_SPREAD = 2.0 * (_FARTHEST**2 + _MIDDLE) / _FARTHEST**2
_SMALL = 1e-15
# Frequencies up to 16 in steps of 2 pi/22: the law's images lie 22 apart, and at k <= 9 their tails are below 1e-17.
_FREQUENCIES = 2 * np.pi / 22.0 * np.arange(1, 57)


@functools.cache
def tabled_pair(first: float, second: float) -> TabledPair:
    """The tables for groups of dimensions of at least `SMOOTH_FROM`, infinity included."""
    share = 0.5 * (chebyshev_points(48) + 1.0) * _FARTHEST**2 / (_FARTHEST**2 + _MIDDLE)
    k = np.sqrt(_MIDDLE * share / (1.0 - share))
    w = 0.5 * (chebyshev_points(24) + 1.0)
    values, slopes = _by_frequencies(first, second, k, w)
    tables = [chebyshev_fit(chebyshev_fit(table).T).T for table in slopes]
    starts = tuple(_powers(chebyshev_fit(value)) for value in values)
    return TabledPair(starts, tuple(_shortened(table) for table in tables))


def _by_frequencies(first: float, second: float, k: Any, w: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    r"""beta_1, beta_2 on w; S_1, S_2, S_3 on k x w.

    The characteristic function of xi is $\chi_1(t \cos\alpha)\,\chi_2(t \sin\alpha)$, and that of B_1/cos(alpha) has
    $-\chi_1'(u)/u$ in the place of chi_1; the trapezoidal rule in t is exact but for the images of the law.
    """
    t = _FREQUENCIES
    chi_1, eta_1 = _characteristic(first, np.multiply.outer(np.sqrt(w), t))
    chi_2, eta_2 = _characteristic(second, np.multiply.outer(np.sqrt(1.0 - w), t))
    step, normal = t[0] / np.pi, np.exp(-0.5 * t * t)
    differences = [eta_1 * chi_2 - normal, chi_1 * eta_2 - normal]
    values = [step * d.sum(axis=1) for d in differences]
    # (cos(kt) - 1)/k^2 without the cancellation.
    fall = -2.0 * (np.sin(0.5 * np.multiply.outer(k, t)) / k[:, None]) ** 2
    slopes = [step * fall @ d.T for d in differences]
    rise = np.sin(np.multiply.outer(k, t)) / k[:, None]
    slopes.append(-step * rise @ ((chi_1 * chi_2 - normal) / t).T)
    return values, slopes


def _characteristic(dim: float, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """chi(u) = E cos(u c') and -chi'(u)/u = E c' sin(u c')/u."""
    if dim == math.inf:
        normal = np.exp(-0.5 * u * u)
        return normal, normal
    # 96 positive nodes: exact to rounding for frequencies up to 16.
    nodes, weights = gauss_coordinate(dim, 192)
    nodes, weights = nodes[96:], 2.0 * weights[96:]
    angle = np.multiply.outer(u, nodes)
    return np.cos(angle) @ weights, np.sinc(angle / np.pi) @ (weights * nodes**2)


def _series(tables: tuple[tuple[tuple[float, ...], ...], ...], y: Any, w: Any) -> list[Any]:
    """Each table's series at (y, w), by Clenshaw's recurrence in y.

    A loop, not unrolled: the unrolled recurrence in two variables makes LLVM run out of memory.
    """
    high, wide = max(map(len, tables)), max(len(row) for table in tables for row in table)
    full = np.zeros((high, len(tables), wide))
    for i, table in enumerate(tables):
        for n, row in enumerate(table):
            full[n, i, : len(row)] = row
    zero = tuple(0.0 * (y + w) for _ in tables)

    def add(carry: Any, rows: Any) -> Any:
        one, two = carry
        terms = [_horner(tuple(row), w) for row in rows]
        new = tuple(2.0 * y * b + (c - d) for c, b, d in zip(terms, one, two, strict=True))
        return (new, one), None

    (one, two), _ = jax.lax.scan(add, (zero, zero), jnp.asarray(full[:0:-1], y.dtype))
    last = [_horner(tuple(row), w) for row in full[0]]
    return [y * b + (c - d) for c, b, d in zip(last, one, two, strict=True)]


def _horner(powers: tuple[Any, ...], x: Any) -> Any:
    """A polynomial by its powers."""
    total = 0.0 * x
    for c in reversed(powers):
        total = total * x + c
    return total


def _powers(row: np.ndarray) -> tuple[float, ...]:
    """The powers of a Chebyshev series without its negligible end."""
    large = np.flatnonzero(np.abs(row) > _SMALL)
    return tuple(map(float, np.polynomial.chebyshev.cheb2poly(row[: large[-1] + 1]))) if large.size else ()


def _shortened(table: np.ndarray) -> tuple[tuple[float, ...], ...]:
    rows = [_powers(row) for row in table]
    while not rows[-1]:
        rows.pop()
    return tuple(rows)
