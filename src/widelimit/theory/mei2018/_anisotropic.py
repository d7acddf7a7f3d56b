"""Two centred anisotropic Gaussians in the limit of many inputs: kernels of (r1, r2) and of (a, b, r1, r2)."""

import dataclasses
import math

import numpy as np
from jaxtyping import Float
from scipy import special

from ._activation import RAMP, PiecewiseLinear


@dataclasses.dataclass(frozen=True)
class Anisotropic:
    r"""$\Sigma_\pm = I_d + (\tau_\pm^2 - 1) P_V$ at d = inf, dim V = s_0 = gamma d; unit $\sigma(\langle w, x\rangle)$.

    A neuron is (r1, r2) = (|P_V w|, |P_V^perp w|), the last axis of `r`; <w, x> given the class is
    $N(0, R_\pm^2)$, $R_\pm^2 = \tau_\pm^2 r_1^2 + r_2^2$, and neurons are independent given the class.
    """

    delta: float
    sigma: PiecewiseLinear = RAMP

    def v(self, r: Float[np.ndarray, "... 2"]) -> Float[np.ndarray, "..."]:
        r"""$v = -\frac12 [q(R_+) - q(R_-)]$."""
        plus, minus = spreads(self.delta, r)
        return np.asarray(-0.5 * (self.sigma.q(plus) - self.sigma.q(minus)))

    def u(self, r: Float[np.ndarray, "... 2"], s: Float[np.ndarray, "... 2"]) -> Float[np.ndarray, "..."]:
        r"""$u_\infty = \frac12 \sum_\pm q(R_\pm(r))\,q(R_\pm(s))$."""
        pairs = zip(spreads(self.delta, r), spreads(self.delta, s), strict=True)
        return np.asarray(0.5 * sum(self.sigma.q(one) * self.sigma.q(two) for one, two in pairs))


@dataclasses.dataclass(frozen=True)
class AnisotropicReLU:
    r"""The same data with the unit $a\,(\langle w, x \rangle + b)_+$; a neuron is (a, b, r1, r2), the last axis."""

    delta: float

    def v(self, neuron: Float[np.ndarray, "... 4"]) -> Float[np.ndarray, "..."]:
        r"""$v = -\frac{a}{2} [k(R_+, b) - k(R_-, b)]$, k of `relu_mean`."""
        plus, minus = self._features(neuron)
        return np.asarray(-0.5 * (plus - minus))

    def u(self, one: Float[np.ndarray, "... 4"], two: Float[np.ndarray, "... 4"]) -> Float[np.ndarray, "..."]:
        r"""$u_\infty = \frac{a a'}{2} \sum_\pm k(R_\pm, b)\,k(R_\pm', b')$."""
        return np.asarray(0.5 * sum(f * g for f, g in zip(self._features(one), self._features(two), strict=True)))

    def _features(self, neuron: Float[np.ndarray, "... 4"]) -> tuple[np.ndarray, np.ndarray]:
        a, b = neuron[..., 0], neuron[..., 1]
        plus, minus = spreads(self.delta, neuron[..., 2:])
        return np.asarray(a * relu_mean(plus, b)), np.asarray(a * relu_mean(minus, b))


def spreads(delta: float, r: Float[np.ndarray, "... 2"]) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    r"""$R_\pm = \sqrt{\tau_\pm^2 r_1^2 + r_2^2}$."""
    plus, minus = (np.asarray(np.hypot(tau * r[..., 0], r[..., 1])) for tau in (1.0 + delta, 1.0 - delta))
    return plus, minus


def relu_mean(
    spread: Float[np.ndarray, "..."] | float, offset: Float[np.ndarray, "..."] | float
) -> Float[np.ndarray, "..."]:
    r"""$k(R, b) = E (RG + b)_+ = R\,n(b/R) + b\,\Phi(b/R)$, G standard normal; $b_+$ at R = 0."""
    spread, offset = np.broadcast_arrays(np.asarray(spread, float), np.asarray(offset, float))
    safe = np.where(spread > 0.0, spread, 1.0)
    x = offset / safe
    inside = safe * np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi) + offset * special.ndtr(x)
    return np.where(spread > 0.0, inside, np.maximum(offset, 0.0))
