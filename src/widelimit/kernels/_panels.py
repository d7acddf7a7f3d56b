r"""Orthonormal Legendre polynomials on panels of [A, B], a basis of L2 of the uniform law there.

On panel p, with t in [-1, 1] and mass mu_p, $e_{p,n}(x) = \sqrt{(2n+1)/\mu_p}\,P_n(t)$. The features of a free-knot
spline are integrated against it in closed form: with $I_n(s) = \int_s^1 P_n = (P_{n-1} - P_{n+1})(s)/(2n+1)$,
$I_0 = 1 - s$, and $\int_s^1 P_n(t)\,(t - s)\,dt = \int_s^1 I_n = (I_{n-1} - I_{n+1})(s)/(2n+1)$, $(1 - s)^2/2$ for
n = 0.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

# Entries of a table of places x polynomials.
_TABLE = 2**22


class Panels(NamedTuple):
    """The basis: `edges` [m+1] from A to B, and the highest degree on each panel; column p (degree + 1) + n."""

    edges: Float[np.ndarray, " E"]
    degree: int

    @property
    def count(self) -> int:
        return len(self.edges) - 1

    @property
    def size(self) -> int:
        return self.count * (self.degree + 1)

    @property
    def masses(self) -> Float[np.ndarray, " m"]:
        return np.diff(self.edges) / (self.edges[-1] - self.edges[0])

    def local(self, x: Float[np.ndarray, " n"]) -> tuple[np.ndarray, np.ndarray]:
        """The panel of each x [n], and its polynomials there [n, degree + 1]. Nearest panel outside of [A, B]."""
        panel = np.clip(np.searchsorted(self.edges, x, side="right") - 1, 0, self.count - 1)
        values = np.polynomial.legendre.legvander(self._place(x, panel), self.degree)
        return panel, values * self._norms(panel)

    def combine(self, coefficients: Float[np.ndarray, "K r"], x: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n r"]:
        """The functions with these coefficients at x."""
        grouped = coefficients.reshape(self.count, self.degree + 1, -1)
        out = np.empty((len(x), grouped.shape[2]))
        for part in _pieces(len(x), self.degree + 1):
            panel, values = self.local(x[part])
            for p in np.unique(panel):
                out[part][panel == p] = values[panel == p] @ grouped[p]
        return out

    def project(self, function: Callable[[np.ndarray], np.ndarray], kinks: np.ndarray) -> tuple[np.ndarray, float]:
        """Coefficients [K] of a function that is smooth between `kinks`, and the square of the norm of what is left."""
        x, w = self._quadrature(kinks)
        values = function(x)
        out = np.zeros((self.count, self.degree + 1))
        for part in _pieces(len(x), self.degree + 1):
            panel, table = self.local(x[part])
            for p in np.unique(panel):
                out[p] += (w[part] * values[part])[panel == p] @ table[panel == p]
        left = values - self.combine(out.reshape(-1, 1), x)[:, 0]
        return out.ravel(), float(np.sum(w * left**2))

    def step(self, h: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n K"]:
        """INT_h^B e dmu."""
        panel, s, whole = self._cut(h)
        out = np.zeros((len(h), self.count, self.degree + 1))
        out[:, :, 0] = np.where(whole, np.sqrt(self.masses), 0.0)
        n = np.flatnonzero((panel >= 0) & (panel < self.count))
        i = panel[n]
        out[n, i] = 0.5 * self.masses[i, None] * self._norms(i) * _first(s[n], self.degree)
        return out.reshape(len(h), -1)

    def ramp(self, h: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n K"]:
        """INT_h^B e(x) (x - h) dmu."""
        panel, s, whole = self._cut(h)
        lengths, middles = np.diff(self.edges), 0.5 * (self.edges[1:] + self.edges[:-1])
        out = np.zeros((len(h), self.count, self.degree + 1))
        out[:, :, 0] = np.where(whole, np.sqrt(self.masses) * (middles - h[:, None]), 0.0)
        out[:, :, 1] = np.where(whole, np.sqrt(self.masses / 3.0) * 0.5 * lengths, 0.0)
        n = np.flatnonzero((panel >= 0) & (panel < self.count))
        i = panel[n]
        out[n, i] = 0.25 * (self.masses * lengths)[i, None] * self._norms(i) * _second(s[n], self.degree)
        return out.reshape(len(h), -1)

    def _norms(self, panel: np.ndarray) -> np.ndarray:
        return np.sqrt((2.0 * np.arange(self.degree + 1) + 1.0) / self.masses[panel][:, None])

    def _place(self, x: np.ndarray, panel: np.ndarray) -> np.ndarray:
        a, b = self.edges[panel], self.edges[panel + 1]
        return ((x - a) - (b - x)) / (b - a)

    def _cut(self, h: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The panel that holds h (-1: left of A, m: right of B), h's place in it, and which panels lie right of it."""
        panel = np.searchsorted(self.edges, h, side="right") - 1
        near = np.clip(panel, 0, self.count - 1)
        return panel, self._place(h, near), np.arange(self.count) > panel[:, None]

    def _quadrature(self, kinks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gauss nodes and weights on the pieces between edges and kinks, enough for the basis on each of them.

        A piece of a fraction q of its panel sees at most 2 sqrt(q) of the half circle on which P_n oscillates.
        """
        cuts = np.unique(np.concatenate([self.edges, kinks[(kinks > self.edges[0]) & (kinks < self.edges[-1])]]))
        a, b = cuts[:-1], cuts[1:]
        panel = np.searchsorted(self.edges, 0.5 * (a + b), side="right") - 1
        share = np.sqrt((b - a) / np.diff(self.edges)[panel])
        counts = 16 * np.ceil((20 + self.degree * np.minimum(1.0, 2.0 * share)) / 16).astype(int)
        xs, ws = [], []
        for n in np.unique(counts):
            t, v = np.polynomial.legendre.leggauss(n)
            left, half = a[counts == n][:, None], 0.5 * (b - a)[counts == n][:, None]
            xs.append((left + half * (1.0 + t)).ravel())
            ws.append((half * v).ravel())
        x = np.concatenate(xs)
        order = np.argsort(x)
        return x[order], np.concatenate(ws)[order] / (self.edges[-1] - self.edges[0])


def _first(s: np.ndarray, degree: int) -> np.ndarray:
    """I_n(s) for n = 0 ... degree."""
    p = np.polynomial.legendre.legvander(s, degree + 1)
    n = np.arange(1, degree + 1)
    return np.concatenate([(1.0 - s)[:, None], (p[:, n - 1] - p[:, n + 1]) / (2 * n + 1)], axis=1)


def _second(s: np.ndarray, degree: int) -> np.ndarray:
    """INT_s^1 I_n for n = 0 ... degree."""
    i = _first(s, degree + 1)
    n = np.arange(1, degree + 1)
    return np.concatenate([0.5 * ((1.0 - s) ** 2)[:, None], (i[:, n - 1] - i[:, n + 1]) / (2 * n + 1)], axis=1)


def _pieces(rows: int, columns: int) -> list[slice]:
    size = max(1, _TABLE // columns)
    return [slice(i, i + size) for i in range(0, rows, size)]
