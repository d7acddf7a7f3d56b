r"""One coordinate of a uniform point on a sphere, scaled to variance one, in any dimension up to infinity.

$c' = \sqrt d\,c$ with c the first coordinate of a uniform point on $S^{d-1}$; a standard normal number at
$d = \infty$. With the bell $b(k) = (1 - k^2/d)_+^{(d-1)/2}$ ($e^{-k^2/2}$ at infinity)

$$p(k) = p(0)\,(1 - k^2/d)_+^{(d-3)/2},\qquad B(k) = E(c';\,c' > k) = B(0)\,b(k),\qquad P(k) = P(c' > k),$$
$$B' = -k\,p,\qquad P' = -p,\qquad E(c' - k)_+ = B(k) - k\,P(k).$$

P is the bell times a ratio (Mills' ratio at infinity) that is analytic on [0, sqrt d], the edge included: a short
Chebyshev series in (k - 4)/(k + 4) gives it to rounding for every d.
"""

import functools
import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ._chebyshev import chebyshev_fit, chebyshev_points, clenshaw

# P(c' > 9) < 2e-19 in every dimension: beyond it the series need not hold.
_FARTHEST = 9.0
# Where the variable of the series has its middle; 20 terms reach rounding for every d >= 2 with 4.
_MIDDLE = 4.0
_TERMS = 20


class Coordinate(eqx.Module):
    """The law of c' in dimension `dim`; made by `coordinate(dim)`. Every function takes arrays of any shape.

    - `peak`: p(0); `half_mean`: B(0) = E max(c', 0).
    - `ratio`: the Chebyshev coefficients of P/b on [0, `reach`].
    """

    dim: float = eqx.field(static=True)
    peak: float = eqx.field(static=True)
    half_mean: float = eqx.field(static=True)
    reach: float = eqx.field(static=True)
    ratio: tuple[float, ...] = eqx.field(static=True)

    @property
    def edge(self) -> float:
        """sqrt d: |c'| is no larger."""
        return math.sqrt(self.dim)

    def log_bell(self, k: Float[Array, "..."]) -> Float[Array, "..."]:
        """log b(k); -inf from the edge on."""
        if self.dim == math.inf:
            return -0.5 * k * k
        return 0.5 * (self.dim - 1.0) * jnp.log1p(-jnp.minimum(k * k * (1.0 / self.dim), 1.0))

    def tail(self, k: Float[Array, "..."], bell: Float[Array, "..."]) -> Float[Array, "..."]:
        """P(k), given b(k)."""
        size = jnp.minimum(jnp.abs(k), self.reach)
        # 1 at `reach`, -1 at 0.
        x = (2.0 * (self.reach + _MIDDLE) / self.reach) * (size / (size + _MIDDLE)) - 1.0
        above = bell * clenshaw(self.ratio, x)
        return jnp.where(k >= 0, above, 1.0 - above)

    def density(self, k: Float[Array, "..."]) -> Float[Array, "..."]:
        """p(k); zero from the edge on."""
        if self.dim == math.inf:
            return self.peak * jnp.exp(-0.5 * k * k)
        room = 1.0 - k * k * (1.0 / self.dim)
        inside = jnp.where(room > 0, room, 1.0)
        return jnp.where(room > 0, self.peak * jnp.exp(0.5 * (self.dim - 3.0) * jnp.log(inside)), 0.0)


@functools.cache
def coordinate(dim: float) -> Coordinate:
    """The law of c' for an integer dim >= 2 or infinity. Raises `ValueError` for another dimension."""
    if not dim >= 2 or (dim != math.inf and dim != int(dim)):
        raise ValueError(f"coordinate(dim=...): must be an integer >= 2 or infinity, got {dim!r}.")
    dim = float(dim)
    reach = min(math.sqrt(dim), _FARTHEST)
    share = 0.5 * (chebyshev_points(_TERMS) + 1.0) * reach / (reach + _MIDDLE)
    ratio = chebyshev_fit(_tail_ratio(_MIDDLE * share / (1.0 - share), dim))
    if dim == math.inf:
        peak = half_mean = 1.0 / math.sqrt(2.0 * math.pi)
    else:
        peak = _gamma_ratio(0.5 * (dim - 1.0)) / math.sqrt(math.pi * dim)
        half_mean = peak * dim / (dim - 1.0)
    return Coordinate(dim, peak, half_mean, reach, tuple(float(c) for c in ratio))


def gauss_coordinate(dim: float, n: int) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """The Gauss rule of c' with n nodes (weights sum to 1), exact for polynomials of degree 2n - 1.

    By eigenvalues of the Jacobi matrix of the Gegenbauer polynomials, which become Hermite's at infinity.
    """
    k = np.arange(1, n, dtype=float)
    # Only k = 1 is 0/0 at d = 2; the variance is one in every dimension.
    last = k[1:]
    rest = last if dim == math.inf else dim * last * (last + dim - 3) / ((2 * last + dim - 2) * (2 * last + dim - 4))
    nodes, weights = _gauss(np.zeros(n), np.sqrt(np.concatenate([np.ones(min(n - 1, 1)), rest])))
    # Symmetric to the last digit.
    nodes, weights = 0.5 * (nodes - nodes[::-1]), 0.5 * (weights + weights[::-1])
    return nodes, weights / weights.sum()


def gauss_chi(degree: float, n: int) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    r"""Nodes and weights of $\chi_d$, the law of $|g|$, $g \sim N(0, I_d)$; the weights sum to 1.

    Generalised Gauss-Laguerre in $t = r^2/2$ with weight $t^{d/2-1} e^{-t}$: exact for polynomials of degree 2n - 1
    in r^2. The Jacobi matrix has 2k + d/2 on its diagonal and sqrt(k (k + d/2 - 1)) beside it, which does not overflow
    for large d, as SciPy's rule does.
    """
    k = np.arange(n)
    t, weights = _gauss(2.0 * k + 0.5 * degree, np.sqrt(k[1:] * (k[1:] + 0.5 * degree - 1.0)))
    return np.sqrt(2.0 * np.maximum(t, 0.0)), weights / weights.sum()


def _gauss(diagonal: Float[np.ndarray, " n"], beside: Float[np.ndarray, " m"]) -> tuple[np.ndarray, np.ndarray]:
    """The Gauss rule of a Jacobi matrix."""
    from scipy.linalg import eigh_tridiagonal

    nodes, vectors = eigh_tridiagonal(diagonal, beside)
    return nodes, vectors[0] ** 2


def _tail_ratio(k: Float[np.ndarray, " n"], dim: float) -> Float[np.ndarray, " n"]:
    """P(k)/b(k) for 0 <= k < sqrt d."""
    from scipy.special import betaincc, erfcx

    if dim == math.inf:
        return 0.5 * erfcx(k / math.sqrt(2.0))
    power, share = 0.5 * (dim - 1.0), k * k / dim
    return 0.5 * betaincc(0.5, power, share) * np.exp(-power * np.log1p(-share))


def _gamma_ratio(x: float) -> float:
    """Gamma(x + 1/2)/Gamma(x): the difference of two logarithms would lose all digits at d = 10^6."""
    if x < 80.0:
        return math.gamma(x + 0.5) / math.gamma(x)
    series = (1.0, -1 / 8, 1 / 128, 5 / 1024, -21 / 32768, -399 / 262144, 869 / 4194304)
    return math.sqrt(x) * sum(c * x**-i for i, c in enumerate(series))
