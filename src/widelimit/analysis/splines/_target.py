r"""The target of a free-knot spline on the host, and its linear regressions between knots.

On [a, b], of length L, the regression line of f has the ends

$$v_a = \frac1L \int_a^b f\,(4 - 6u)\,dx,\qquad v_b = \frac1L \int_a^b f\,(6u - 2)\,dx,\qquad u = (x - a)/L,$$

and with e = f - line the ends move with the interval as

$$\partial_a v_a = \sigma - 4 e_a/L,\quad \partial_b v_a = -2 e_b/L,\quad
  \partial_a v_b = 2 e_a/L,\quad \partial_b v_b = \sigma + 4 e_b/L$$

(sigma the slope of the line): dropping the point a takes away e_a times the reproducing kernel of the lines on [a, b],
which is 4/L on the diagonal at an end and -2/L between the ends.
"""

import dataclasses
import functools
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from widelimit.problem import Problem

Vector = Float[np.ndarray, "..."]
# Exact for the square of a polynomial of degree 7 on a panel.
_NODES = 8


class Lines(NamedTuple):
    """Regression lines on the K intervals between K + 1 edges; all [..., K].

    - `start`, `end`: the line at the two ends; `slope`; `width`.
    - `start_error`, `end_error`: f - line there, f from inside the interval.
    - `square`: INT (f - line)^2 dx (zero where it was not asked for).
    """

    start: Vector
    end: Vector
    slope: Vector
    width: Vector
    start_error: Vector
    end_error: Vector
    square: Vector


@dataclasses.dataclass(frozen=True)
class Target:
    """f as polynomials on panels: `ends` [P + 1], `coefficients` [J, P] of u = (x - centre)/half."""

    ends: Float[np.ndarray, " E"]
    coefficients: Float[np.ndarray, "J P"]

    @property
    def lower(self) -> float:
        return float(self.ends[0])

    @property
    def upper(self) -> float:
        return float(self.ends[-1])

    @property
    def length(self) -> float:
        return self.upper - self.lower

    @functools.cached_property
    def size(self) -> float:
        """max |f|, at Gauss nodes and ends."""
        x, _ = self.rule(self.ends)
        return float(np.max(np.abs([self(x).max(), self(x).min(), self(self.ends).max(), self(self.ends).min()])))

    def __call__(self, x: Vector, *, derivative: int = 0, left: bool = False) -> Vector:
        """f or its derivative at places of [A, B]; at a panel's end the limit from the right, or with `left` from
        the left."""
        return self._on(self._panel(x, left), x, derivative)

    def _panel(self, x: Vector, left: bool = False) -> np.ndarray:
        panel = np.searchsorted(self.ends, x, side="left" if left else "right") - 1
        return np.asarray(np.clip(panel, 0, self.coefficients.shape[1] - 1))

    def _on(self, panel: np.ndarray, x: Vector, derivative: int = 0) -> Vector:
        half = 0.5 * np.diff(self.ends)[panel]
        u = (x - 0.5 * (self.ends[:-1] + self.ends[1:])[panel]) / half
        rows = np.polynomial.polynomial.polyder(self.coefficients, derivative, axis=0)
        out = np.zeros(np.shape(u))
        for row in rows[::-1]:
            out = out * u + row[panel]
        return out / half**derivative

    def rule(self, edges: Float[np.ndarray, " E"]) -> tuple[Float[np.ndarray, "C q"], Float[np.ndarray, "C q"]]:
        """Gauss nodes and weights on the cells that `edges` and the panels cut from [edges[0], edges[-1]]."""
        inner = self.ends[(self.ends > edges[0]) & (self.ends < edges[-1])]
        cuts = np.unique(np.concatenate([edges, inner]))
        u, v = np.polynomial.legendre.leggauss(_NODES)
        half = 0.5 * np.diff(cuts)[:, None]
        return 0.5 * (cuts[:-1] + cuts[1:])[:, None] + half * u, half * v

    def lines(self, edges: Float[np.ndarray, " E"]) -> Lines:
        """The regressions between neighbouring `edges`, strictly ascending in [A, B]; right to rounding."""
        x, w = self.rule(edges)
        piece = np.searchsorted(edges, 0.5 * (x[:, 0] + x[:, -1])) - 1
        width = np.diff(edges)
        u = (x - edges[piece][:, None]) / width[piece][:, None]
        y = self._on(self._panel(x[:, :1]), x)

        def collect(values: Vector) -> Vector:
            return np.bincount(piece, weights=np.sum(w * values, axis=1), minlength=len(width))

        # From the mean on: the line is found for what is left, so that a large constant costs no digits twice.
        mean = collect(y) / width
        rest = y - mean[piece][:, None]
        start = mean + collect(rest * (4.0 - 6.0 * u)) / width
        end = mean + collect(rest * (6.0 * u - 2.0)) / width
        error = y - start[piece][:, None] - (end - start)[piece][:, None] * u
        return Lines(
            start,
            end,
            (end - start) / width,
            width,
            self(edges[:-1]) - start,
            self(edges[1:], left=True) - end,
            collect(error**2),
        )

    @functools.cached_property
    def _integrals(self) -> tuple[Float[np.ndarray, "J1 P"], Float[np.ndarray, "J2 P"]]:
        """INT_A^x f and its integral, as polynomials on the panels."""
        half, rows, out = 0.5 * np.diff(self.ends), self.coefficients, []
        for _ in range(2):
            rows = half * np.polynomial.polynomial.polyint(rows, lbnd=-1.0, axis=0)
            rows[0] += np.concatenate([[0.0], np.cumsum(np.sum(rows, axis=0))[:-1]])
            out.append(rows)
        return out[0], out[1]

    def rough_lines(self, edges: Vector) -> Lines:
        """`lines` for many sets of edges [..., K + 1] at once, right to about eps (B - A)/(b - a); no squares."""
        a, b = edges[..., :-1], edges[..., 1:]
        start, end = self.rough_ends(a, b)
        width = b - a
        return Lines(
            start, end, (end - start) / width, width, self(a) - start, self(b, left=True) - end, np.zeros_like(start)
        )

    def rough_ends(self, a: Vector, b: Vector) -> tuple[Vector, Vector]:
        """(v_a, v_b) for arrays of intervals a < b."""
        first, second = (Target(self.ends, rows) for rows in self._integrals)
        width = b - a
        total = first(b) - first(a)
        moment = total - (second(b) - second(a) - width * first(a)) / width
        return (4.0 * total - 6.0 * moment) / width, (6.0 * moment - 2.0 * total) / width


def target_of(problem: Problem, who: str, *, charges: bool = True) -> Target:
    """Raises `ValueError` for a problem that is no free-knot spline on an interval, or, with `charges`, has no c."""
    if not problem.integrals.exact or (charges and problem.two_layer(who).linear is None):
        raise ValueError(
            f"{who}(problem=...): needs {'c ' if charges else ''}(x - h)_+ on an interval under a squared loss, as "
            f"problems.free_knot_spline(target) makes it{' (with charge=True)' if charges else ''}; got the unit "
            f"{type(problem.two_layer(who)).__name__} on {type(problem.data).__name__}, loss {problem.loss.name!r}."
        )
    if not (problem.scale.mean_field and problem.scale.factor(1) == 1.0):
        raise ValueError(f"{who}(problem=...): this output scale depends on N; use scales.MeanField().")
    spline = problem.integrals.spline(who)
    return Target(np.asarray(spline.panels.ends, float), np.asarray(spline.panels.coefficients, float))
