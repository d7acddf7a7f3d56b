r"""Sums over samples of one input and piecewise-linear neurons, by the gap of the sorted samples that holds each knot.

$\sigma(z) = v + l_0 (z - t_1) + \sum_k m_k (z - t_k)_+$ with $m_k = l_k - l_{k-1}$, $z = a x + b$: the knot
$(t_k - b)/a$ parts the sorted samples into those left and right of it, and $(z - t_k)_+$ is $a x + b - t_k$ on one
side and zero on the other. So a sum over neurons is a running sum over gaps, and a sum over samples is read off one:
$O(N \log s + s)$ in the place of $N s$.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from widelimit.numerics import Number

from ..activations import Pieces
from ._cells import prefix_sum, suffix_sum

_FEW = 32


class Line(NamedTuple):
    """s samples on a line, from left to right.

    - `x`: [s]; `order`: [s], where each came from.
    - `first`, `after`: [s], of each sample, the first that lies where it lies and the first right of it.
    """

    x: Float[Array, " s"]
    order: Int[Array, " s"]
    first: Int[Array, " s"]
    after: Int[Array, " s"]


def line(x: Float[Array, " s"]) -> Line:
    """The samples, sorted."""
    order = jnp.argsort(x)
    ordered = x[order]
    return Line(ordered, order, _place(ordered, ordered), _place(ordered, ordered, side="right"))


def gaps(on: Line, a: Float[Array, " N"], b: Float[Array, " N"], kink: Number) -> Int[Array, " N"]:
    """How many samples lie left of the knot (kink - b)/a; for a = 0, all where b does not reach the kink, else none.

    A sample is right of the knot where a x + b > kink is what it is far to the right (a = 0 counts as positive).
    Division rounds, so the two samples beside the place found are asked themselves: a knot is on that side of every
    sample on which the neuron as written has it, and at a tie the neuron is below its kink.
    """
    s = on.x.shape[0]
    flat = a == 0
    knot = jnp.where(flat, 0.0, (kink - b) / jnp.where(flat, 1.0, a))
    n = _place(on.x, knot)
    before, here = jnp.maximum(n - 1, 0), jnp.minimum(n, s - 1)
    n = jnp.where((n > 0) & right_of(on.x[before], a, b, kink), on.first[before], n)
    n = jnp.where((n < s) & ~right_of(on.x[here], a, b, kink) & (n == here), on.after[here], n)
    return jnp.where(flat, jnp.where(b > kink, 0, s), n)


def right_of(x: Any, a: Any, b: Any, kink: Number) -> Any:
    """Whether samples are right of the knot, by the sign of the neuron's own z."""
    return (a * x + b > kink) == (a >= 0)


class Ridges(NamedTuple):
    """N neurons sigma(a x + b) beside the samples: `rows` says for each kink where `table` has a neuron's gap.

    A table has 2 (s + 1) rows: the gaps for neurons that rise to the right (a >= 0), then those for the others.
    """

    pieces: Pieces
    a: Float[Array, " N"]
    b: Float[Array, " N"]
    rows: tuple[Int[Array, " N"], ...]


def ridges(on: Line, pieces: Pieces, a: Float[Array, " N"], b: Float[Array, " N"]) -> Ridges:
    """The gaps of all knots."""

    def search() -> tuple[Int[Array, " N"], ...]:
        half = jnp.where(a >= 0, 0, on.x.shape[0] + 1)
        return tuple(gaps(on, a, b, kink) + half for kink in pieces.knots)

    def none() -> tuple[Int[Array, " N"], ...]:
        return tuple(jnp.zeros(a.shape, jnp.int32) for _ in pieces.knots)

    # Sorted samples are in order, unless one is NaN, and then so is every sum. A branch is what the compiler does not
    # fuse across: without it the search is done again for each sum that reads the rows, which takes twice the time.
    return Ridges(pieces, a, b, jax.lax.cond(on.x[0] <= on.x[-1], search, none))


def sums_over_neurons(on: Line, at: Ridges, charge: Float[Array, "N C"]) -> Float[Array, "s C"]:
    r"""$\sum_i c_i\,\sigma(a_i x_j + b_i)$ at the samples, in their order from left to right.

    The error is of the order of rounding of $\sum_i |c_i| L (|a_i x_j| + |b_i| + |t|)$, L the largest slope.
    """
    s, a, b = on.x.shape[0], at.a[:, None], at.b[:, None]
    value, kinks, slopes = at.pieces
    steep = slopes[0] * jnp.sum(charge * a, axis=0)
    level = jnp.sum(charge * (value + slopes[0] * (b - kinks[0])), axis=0)
    table = jnp.zeros((2 * (s + 1), 2 * charge.shape[1]), charge.dtype)
    for row, kink, bend in zip(at.rows, kinks, at.pieces.bends, strict=True):
        table = table.at[row].add(bend * jnp.concatenate([charge * a, charge * (b - kink)], axis=1))
    running = _columns(prefix_sum, table[: s + 1])[:-1] + _columns(suffix_sum, table[s + 1 :])[1:]
    rise, rest = jnp.split(running, 2, axis=1)
    return (steep + rise) * on.x[:, None] + level + rest


class Moments(NamedTuple):
    """Running sums of a dual g on sorted samples, for `sums_over_samples`.

    - `total`: [2, C], SUM g and SUM g x; `table`: [2 (s + 1), 2 C], the two over the samples right of each gap, then
      over those left of it.
    """

    total: Float[Array, "2 C"]
    table: Float[Array, "R C2"]


def moments(on: Line, dual: Float[Array, "s C"]) -> Moments:
    """`dual`: in the order from left to right."""
    both = jnp.concatenate([dual, dual * on.x[:, None]], axis=1)
    none = jnp.zeros_like(both[:1])
    right = jnp.concatenate([_columns(suffix_sum, both), none])
    left = jnp.concatenate([none, _columns(prefix_sum, both)])
    return Moments(left[-1].reshape(2, -1), jnp.concatenate([right, left]))


class Sums(NamedTuple):
    r"""$\sum_j g_j \sigma(z_{ij})$, $\sum_j g_j \sigma'(z_{ij}) x_j$ and $\sum_j g_j \sigma'(z_{ij})$.

    At a tie sigma' is the left derivative.
    """

    whole: Float[Array, "N C"]
    tilted: Float[Array, "N C"]
    flat: Float[Array, "N C"]


def sums_over_samples(at: Ridges, held: Moments) -> Sums:
    """The sums of the dual that `held` was made of, against every neuron."""
    value, kinks, slopes = at.pieces
    (none, one), a, b = held.total, at.a[:, None], at.b[:, None]
    tilted, flat = jnp.broadcast_to(slopes[0] * one, (a.shape[0], one.shape[0])), slopes[0] * none
    whole = (value + slopes[0] * (b - kinks[0])) * none + slopes[0] * a * one
    for row, kink, bend in zip(at.rows, kinks, at.pieces.bends, strict=True):
        zeroth, first = jnp.split(held.table[row], 2, axis=1)
        whole = whole + bend * (a * first + (b - kink) * zeroth)
        tilted, flat = tilted + bend * first, flat + bend * zeroth
    return Sums(whole, tilted, jnp.broadcast_to(flat, tilted.shape))


def _columns(running: Any, table: Float[Array, "n k"]) -> Float[Array, "n k"]:
    return jax.vmap(running, in_axes=1, out_axes=1)(table)


def _place(x: Float[Array, " s"], at: Float[Array, " n"], side: str = "left") -> Int[Array, " n"]:
    """As `jnp.searchsorted` of sorted x, by halvings that keep one number each: half the time of its two."""
    if x.shape[0] <= _FEW:
        # A comparison with all is soonest compiled.
        return jnp.searchsorted(x, at, side=side, method="compare_all")
    halvings = x.shape[0].bit_length()
    # NaN is on no side of anything.
    padded = jnp.pad(x, (0, 2**halvings - x.shape[0]), constant_values=jnp.nan)
    before = jnp.less if side == "left" else jnp.less_equal
    n = jnp.zeros(at.shape, jnp.int32)
    # As a loop the halvings take ten times as long on a CPU.
    for step in (2**j for j in reversed(range(halvings))):
        n = jnp.where(before(padded[n + (step - 1)], at), n + step, n)
    return n
