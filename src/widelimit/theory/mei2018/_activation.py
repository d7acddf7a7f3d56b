"""Piecewise-linear activations, and their means over a Gaussian and over a sphere."""

import dataclasses
import math

import numpy as np
from jaxtyping import Float
from scipy import special


@dataclasses.dataclass(frozen=True)
class PiecewiseLinear:
    r"""$\sigma(t) = s_1 + \sum_j m_j (t - t_j)_+$: linear between the points (t_j, s_j), constant outside.

    **Arguments**: `knots` $t_j$, increasing; `values` $s_j$. The bends $m_j$ sum to 0, so sigma is bounded.
    """

    knots: tuple[float, ...]
    values: tuple[float, ...]

    def __call__(self, t: Float[np.ndarray, "..."] | float) -> Float[np.ndarray, "..."]:
        return np.asarray(np.interp(t, self.knots, self.values))

    @property
    def bends(self) -> Float[np.ndarray, " k"]:
        """m_j, the jump of the slope at t_j."""
        slopes = np.diff(self.values) / np.diff(self.knots)
        return np.diff(slopes, prepend=0.0, append=0.0)

    @property
    def middle(self) -> float:
        """The mean of sigma(r c) at r = infinity for any symmetric c: half of sigma's two ends."""
        return 0.5 * (self.values[0] + self.values[-1])

    def q(self, r: Float[np.ndarray, "..."] | float) -> Float[np.ndarray, "..."]:
        r"""$q(r) = E\,\sigma(rG) = s_1 + \sum_j m_j [ r\,n(t_j/r) - t_j \Phi(-t_j/r) ]$, r in [0, inf].

        G is standard normal, n and Phi its density and distribution.
        """
        inner, a = self._ratios(r)
        return self._with_ends(r, inner * _normal(a) - np.asarray(self.knots) * special.ndtr(-a))

    def q_slope(self, r: Float[np.ndarray, "..."] | float) -> Float[np.ndarray, "..."]:
        r"""$q'(r) = \sum_j m_j\,n(t_j/r)$."""
        _, a = self._ratios(r)
        return np.where(np.isinf(r), 0.0, np.sum(self.bends * _normal(a), axis=-1))

    def p(self, z: Float[np.ndarray, "..."] | float, d: float) -> Float[np.ndarray, "..."]:
        r"""$p_d(z) = E\,\sigma(z c) = s_1 + \sum_j m_j [ z B(t_j/z) - t_j P(c > t_j/z) ]$, z in [0, inf].

        c is the first coordinate of a uniform point on $S^{d-1}$, $B(a) = E(c; c > a)$.
        """
        inner, a = self._ratios(z)
        return self._with_ends(z, inner * cap_mean(a, d) - np.asarray(self.knots) * cap(a, d))

    def p_slope(self, z: Float[np.ndarray, "..."] | float, d: float) -> Float[np.ndarray, "..."]:
        r"""$p_d'(z) = \sum_j m_j B(t_j/z)$."""
        _, a = self._ratios(z)
        return np.asarray(np.sum(self.bends * cap_mean(a, d), axis=-1))

    def _ratios(self, r: Float[np.ndarray, "..."] | float) -> tuple[np.ndarray, np.ndarray]:
        """(r, t_j/r) with a last axis over j; r = 0 and r = infinity, where `_with_ends` answers, are moved inside."""
        inner = np.clip(np.asarray(r, float)[..., None], 1e-100, 1e100)
        return inner, np.asarray(self.knots) / inner

    def _with_ends(self, r: Float[np.ndarray, "..."] | float, terms: np.ndarray) -> np.ndarray:
        """s_1 + SUM m_j terms_j, with the limits at r = 0 and r = infinity."""
        inside = self.values[0] + np.sum(self.bends * terms, axis=-1)
        return np.where(np.equal(r, 0.0), self(0.0), np.where(np.isinf(r), self.middle, inside))


RAMP = PiecewiseLinear((0.5, 1.5), (-2.5, 7.5))
"""The paper's running example."""

NONMONOTONE = PiecewiseLinear((0.0, 0.5, 1.5), (-2.5, -4.0, 7.5))
"""The activation of "Predicting Failure" and Fig. 4."""


def cap(a: Float[np.ndarray, "..."] | float, d: float) -> Float[np.ndarray, "..."]:
    r"""$P(c > a)$. Through $P(|c| < a) = I_{a^2}(1/2, (d-1)/2)$, which does not cancel near a = 0."""
    a = np.clip(a, -1.0, 1.0)
    return np.asarray(0.5 * (1.0 - np.sign(a) * special.betainc(0.5, 0.5 * (d - 1.0), a * a)))


def cap_mean(a: Float[np.ndarray, "..."] | float, d: float) -> Float[np.ndarray, "..."]:
    r"""$B(a) = E(c; c > a) = \frac{\Gamma(d/2)}{\sqrt\pi\,\Gamma((d-1)/2)} \frac{(1-a^2)_+^{(d-1)/2}}{d-1}$."""
    front = math.exp(math.lgamma(0.5 * d) - math.lgamma(0.5 * (d - 1.0))) / (math.sqrt(math.pi) * (d - 1.0))
    a = np.clip(a, -1.0, 1.0)
    return np.asarray(front * ((1.0 - a) * (1.0 + a)) ** (0.5 * (d - 1.0)))


def _normal(x: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
