"""Two centred isotropic Gaussians: the kernels of the reduced problem in r = |w|."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from ._activation import RAMP, PiecewiseLinear


@dataclasses.dataclass(frozen=True)
class Isotropic:
    r"""y = +1 with $x \sim N(0, \tau_+^2 I_d)$ or y = -1 with $x \sim N(0, \tau_-^2 I_d)$, $\tau_\pm = 1 \pm \Delta$.

    Radii are $r = |w|$ in [0, inf]; the unit is $\sigma(\langle w, x \rangle)$.

    **Arguments**: `delta` in (0, 1); `d`, at least 2, `math.inf` for the limit of many inputs at fixed r.

    **Raises** `ValueError` for another delta or d.
    """

    delta: float
    d: float
    sigma: PiecewiseLinear = RAMP

    def __post_init__(self) -> None:
        if not 0.0 < self.delta < 1.0:
            raise ValueError(f"Isotropic(delta=...): must lie in (0, 1), got {self.delta}.")
        if not self.d >= 2:
            raise ValueError(f"Isotropic(d=...): must be at least 2, got {self.d}.")

    @property
    def tau(self) -> tuple[float, float]:
        """tau_+, tau_-."""
        return 1.0 + self.delta, 1.0 - self.delta

    def v(self, r: Float[np.ndarray, "..."] | float) -> Float[np.ndarray, "..."]:
        r"""$v(r) = -\frac12 [q(\tau_+ r) - q(\tau_- r)]$, the same for every d: <w, x> is Gaussian."""
        plus, minus = self.tau
        return np.asarray(-0.5 * (self.sigma.q(plus * np.asarray(r)) - self.sigma.q(minus * np.asarray(r))))

    def v_slope(self, r: Float[np.ndarray, "..."] | float) -> Float[np.ndarray, "..."]:
        """v'(r)."""
        plus, minus = self.tau
        slope = self.sigma.q_slope
        return np.asarray(-0.5 * (plus * slope(plus * np.asarray(r)) - minus * slope(minus * np.asarray(r))))

    def u(self, r1: Float[np.ndarray, "..."] | float, r2: Float[np.ndarray, "..."] | float) -> Float[np.ndarray, "..."]:
        r"""$u_d(r_1, r_2) = \frac12 \sum_\pm E\,p_d(\tau_\pm r_1 s)\,p_d(\tau_\pm r_2 s)$, $s \sim \chi_d$.

        Given x, w_1 and w_2 are independent and uniform in direction. At d = inf the radius |x| no longer
        fluctuates: $\frac12 \sum_\pm q(\tau_\pm r_1)\,q(\tau_\pm r_2)$.
        """
        return self._mean_product(r1, r2, self._mean)

    def u_slope(
        self, r1: Float[np.ndarray, "..."] | float, r2: Float[np.ndarray, "..."] | float
    ) -> Float[np.ndarray, "..."]:
        """The derivative of u_d in its first argument."""
        slope = self.sigma.q_slope if math.isinf(self.d) else lambda z: self.sigma.p_slope(z, self.d)
        return self._mean_product(r1, r2, slope, power=1)

    def _mean(self, z: np.ndarray) -> np.ndarray:
        return self.sigma.q(z) if math.isinf(self.d) else self.sigma.p(z, self.d)

    def _mean_product(self, r1: Any, r2: Any, first: Callable[[np.ndarray], np.ndarray], power: int = 0) -> np.ndarray:
        """SUM over the classes of E (tau s)^power first(tau r_1 s) p_d(tau r_2 s)/2."""
        r1, r2 = np.broadcast_arrays(np.asarray(r1, float), np.asarray(r2, float))
        total = np.zeros(r1.shape)
        for tau in self.tau:
            s, w = self._radius_rule(tau, r1, r2)
            one, two = first(tau * r1[..., None] * s), self._mean(tau * r2[..., None] * s)
            total += 0.5 * np.sum(w * (tau * s) ** power * one * two, axis=-1)
        return total

    def single(self, r: Float[np.ndarray, "..."] | float) -> Float[np.ndarray, "..."]:
        r"""$\bar R_d^{(1)}(r) = 1 + 2 v(r) + u_d(r, r)$: the risk of the uniform law on the sphere of radius r. (14)"""
        return np.asarray(1.0 + 2.0 * self.v(r) + self.u(r, r))

    def risk(self, radii: Float[np.ndarray, " n"], weights: Float[np.ndarray, " n"]) -> float:
        """(5) for atoms: 1 + 2 SUM w_i v(r_i) + SUM SUM w_i w_j u_d(r_i, r_j)."""
        table = self.u(radii[:, None], radii[None, :])
        return float(1.0 + 2.0 * weights @ self.v(radii) + weights @ table @ weights)

    def psi(
        self, r: Float[np.ndarray, "..."] | float, radii: Float[np.ndarray, " n"], weights: Float[np.ndarray, " n"]
    ) -> Float[np.ndarray, "..."]:
        """psi(r; rho) = v(r) + SUM w_i u_d(r, r_i): (8) for atoms, in (13). Half of dR/d rho."""
        return np.asarray(self.v(r) + self.u(np.asarray(r, float)[..., None], radii) @ weights)

    def _radius_rule(self, tau: float, *radii: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Nodes and weights for chi_d, cut where p_d(tau r s) is not smooth in s, at s = |t_j|/(tau r)."""
        if math.isinf(self.d):
            return np.ones(1), np.ones(1)
        knots = np.abs([t for t in self.sigma.knots if t != 0.0])
        with np.errstate(divide="ignore"):
            kinks = np.concatenate([knots / (tau * r[..., None]) for r in radii], axis=-1)
        return chi_rule(self.d, kinks)


def chi_rule(
    d: float, kinks: Float[np.ndarray, "... k"]
) -> tuple[Float[np.ndarray, "... n"], Float[np.ndarray, "... n"]]:
    """Nodes and weights of the expectation over s ~ chi_d; f may have a weak singularity at each of the `kinks`.

    Double-exponential quadrature between the kinks, in pieces of length 2 at most: it needs no smoothness at the ends
    of a piece. What lies beyond sqrt d +- 10 has a probability below 1e-22.
    """
    low, high = max(math.sqrt(d) - 10.0, 0.0), math.sqrt(d) + 10.0
    cuts = np.linspace(low, high, 2 + math.ceil((high - low) / 2.0))
    cuts = np.broadcast_to(cuts, (*kinks.shape[:-1], len(cuts)))
    ends = np.sort(np.concatenate([cuts, np.clip(kinks, low, high)], axis=-1), axis=-1)
    left, width = ends[..., :-1, None], np.diff(ends)[..., None]
    x, w = _double_exponential()
    # Pieces of length 0 sit at s = 0 where a kink is beyond the range; a radius of infinity must not meet it.
    s, w = np.maximum(left + width * x, 1e-30), width * w
    log_density = (d - 1.0) * np.log(s) - 0.5 * s * s
    front = (0.5 * d - 1.0) * math.log(2.0) + math.lgamma(0.5 * d)
    flat = (*kinks.shape[:-1], -1)
    return s.reshape(flat), (w * np.exp(log_density - front)).reshape(flat)


@functools.cache
def _double_exponential() -> tuple[np.ndarray, np.ndarray]:
    """The rule x = 1/(1 + exp(-pi sinh t)) on [0, 1]: 57 nodes, 1e-15 for functions analytic inside."""
    t = np.linspace(-3.5, 3.5, 57)
    x = 1.0 / (1.0 + np.exp(-math.pi * np.sinh(t)))
    return x, (t[1] - t[0]) * math.pi * np.cosh(t) * x * (1.0 - x)
