r"""The residual of a free-knot spline as a polynomial on each cell between two neighbours among knots and panel ends.

With $f(x) = \sum_i a_i (x - h_i)_+$ and a target of degree p on its panels, r = f - y is of degree p on every cell
[l, l + w]. There it is written in Legendre polynomials of t = (2 (x - l) - w)/w,

$$r = \sum_j b_j P_j(t),\qquad \int r = w\,b_0,\quad \int r\,(x - l) = \tfrac{w^2}{2}\big(b_0 + \tfrac13 b_1\big),\quad
  \int r^2 = w \sum_j \frac{b_j^2}{2j + 1},$$

and sums from the right give the integrals over [h, B]. All of it comes from r itself, never from $\int f^2 - 2 \int f y
+ \int y^2$: a small residual keeps its digits. A coefficient is found by moving the panel's monomials to the middle
of the cell, which costs fewer operations than p + 1 Gauss nodes and is exact in the same sense.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..data import Panels

# Summands a row of a running sum.
_ROW = 32


class Cells(NamedTuple):
    """M cells from left to right, some of width zero; `order` says which came from which of (ends, knots).

    - `left`, `panel`: [M]; `value`, `slope`: [M], f at the left end and its slope in the cell; `width`: [M].
    - `first`, `second`: [M + 1], INT_l^B r and INT_l^B r (x - l), at the left ends and at B.
    - `square`: INT_A^B r^2.
    """

    left: Float[Array, " M"]
    width: Float[Array, " M"]
    panel: Int[Array, " M"]
    value: Float[Array, " M"]
    slope: Float[Array, " M"]
    first: Float[Array, " M1"]
    second: Float[Array, " M1"]
    square: Float[Array, ""]
    order: Int[Array, " M"]


def cells(panels: Panels, a: Float[Array, " N"], knots: Float[Array, " N"]) -> Cells:
    """O(N log N) by one sort. `a` [N]: the slope that f gains at each of `knots` [N]."""
    lower, upper = panels.ends[0], panels.ends[-1]
    places = jnp.concatenate([panels.ends, jnp.clip(knots, lower, upper)])
    order = _order(places, lower, upper)
    x = places[order]
    width = jnp.append(jnp.diff(x), 0.0)
    gains = jnp.concatenate([jnp.zeros_like(panels.ends), a])[order]
    slope = prefix_sum(gains)
    # What lies left of the interval enters with its value at A; its slope comes with its place, which is now A.
    start = jnp.sum(a * jnp.maximum(lower - knots, 0.0))
    rise = prefix_sum(slope * width)
    value = start + jnp.concatenate([jnp.zeros(1), rise[:-1]])
    # The first P + 1 places are the ends, so a panel's number is how many have passed.
    count = panels.coefficients.shape[1]
    passed = prefix_sum(jnp.where(order <= count, 1.0, 0.0))
    panel = jnp.minimum(passed.astype(jnp.int32) - 1, count - 1)
    b = legendre(panels, panel, x, width, value, slope)
    flat, tilted = _moments(b, width)
    first = jnp.append(suffix_sum(flat), 0.0)
    second = jnp.append(suffix_sum(tilted + width * first[1:]), 0.0)
    square = jnp.sum(width * sum(row**2 / (2 * j + 1) for j, row in enumerate(b)))
    return Cells(x, width, panel, value, slope, first, second, square, order)


def at_knots(found: Cells, ends: int) -> tuple[Float[Array, " N"], Float[Array, " N"]]:
    """(INT_h^B r, INT_h^B r (x - h)) at the knots that `cells` was given, clipped to the interval, in their order."""
    both = jnp.stack([found.first[:-1], found.second[:-1]], axis=1)
    back = jnp.zeros_like(both).at[found.order].set(both, unique_indices=True)[ends:]
    return back[:, 0], back[:, 1]


def at(panels: Panels, found: Cells, h: Float[Array, "..."]) -> tuple[Array, Array, Array]:
    """(r(h), INT_h^B r, INT_h^B r (x - h)) at any places of the interval: the rest of a cell, and what lies right."""
    k = jnp.clip(jnp.searchsorted(found.left, h, side="right") - 1, 0, found.left.shape[0] - 1)
    into = h - found.left[k]
    width = found.width[k] - into
    value = found.value[k] + found.slope[k] * into
    b = legendre(panels, found.panel[k], h, width, value, found.slope[k])
    flat, tilted = _moments(b, width)
    first, second = found.first[k + 1], found.second[k + 1]
    here = sum(row if j % 2 == 0 else -row for j, row in enumerate(b))
    return jnp.asarray(here), flat + first, tilted + width * first + second


def legendre(panels: Panels, panel: Any, left: Any, width: Any, value: Any, slope: Any) -> list[Array]:
    """b_0, ..., b_p of r on [left, left + width], where f starts with `value` and has slope `slope`."""
    centre = 0.5 * (panels.ends[:-1] + panels.ends[1:])
    inverse = 2.0 / jnp.diff(panels.ends)
    half, scale = 0.5 * width, inverse[panel]
    u, ratio = (left + half - centre[panel]) * scale, half * scale
    y = [row[panel] for row in panels.coefficients]
    top = len(y) - 1
    # Taylor's series at the middle, by repeated division.
    for i in range(top):
        for j in range(top - 1, i - 1, -1):
            y[j] = y[j] + u * y[j + 1]
    power = jnp.ones_like(ratio)
    r = []
    for row in y:
        r.append(-row * power)
        power = power * ratio
    rise = slope * half
    r[0] = r[0] + (value + rise)
    r[1] = r[1] + rise
    return [sum((m * r[j] for j, m in enumerate(row) if m != 0.0), jnp.zeros_like(half)) for row in _to_legendre(top)]


def _to_legendre(degree: int) -> list[list[float]]:
    """Row i: how much of P_i the monomials 1, t, ..., t^degree have."""
    columns = np.zeros((degree + 1, degree + 1))
    for j in range(degree + 1):
        found = np.polynomial.legendre.poly2leg(np.eye(degree + 1)[j])
        columns[: len(found), j] = found
    return columns.tolist()


def _moments(b: list[Array], width: Any) -> tuple[Array, Array]:
    """(INT r, INT r (x - l)) over a cell."""
    return width * b[0], 0.5 * width**2 * (b[0] + b[1] / 3.0)


def _order(places: Float[Array, " M"], lower: Any, upper: Any) -> Int[Array, " M"]:
    """The permutation that sorts `places`, to rounding; equal places keep their order.

    Place and number are packed into one integer: one key without a payload sorts seven times as fast on a CPU as
    (place, number) does. Places closer than 2^-(62 - bits) of the interval count as equal, so that cells may have
    widths below zero by that much. That is harmless: f, a sum over ramps, is the same right of both knots in whatever
    order they come, and between them the error is of the order of rounding.
    """
    count = places.shape[0]
    bits = max(1, (count - 1).bit_length())
    scaled = (places - lower) / (upper - lower) * 2.0 ** (62 - bits)
    keys = (jax.lax.stop_gradient(scaled).astype(jnp.int64) << bits) | jnp.arange(count)
    return jnp.sort(keys) & ((1 << bits) - 1)


def prefix_sum(values: Float[Array, " n"]) -> Float[Array, " n"]:
    """The running sum, in rows by a triangular matrix, then over the rows' sums.

    `jnp.cumsum` unrolls its halvings, which in a step of seven stages takes seconds to compile; it is slower, too.
    """
    count = values.shape[0]
    if count <= _ROW:
        return values @ np.triu(np.ones((count, count)))
    rows = -(-count // _ROW)
    table = jnp.pad(values, (0, rows * _ROW - count)).reshape(rows, _ROW)
    within = jnp.dot(table, np.triu(np.ones((_ROW, _ROW))), precision="highest")
    sums = within[:, -1]
    return (within + (prefix_sum(sums) - sums)[:, None]).reshape(-1)[:count]


def suffix_sum(values: Float[Array, " n"]) -> Float[Array, " n"]:
    """The sum of this and all that follow."""
    return prefix_sum(values[::-1])[::-1]
