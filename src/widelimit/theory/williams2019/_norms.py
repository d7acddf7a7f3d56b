"""Theorem 5 and Corollary 6 by adaptive quadrature over the whole line, for finitely many a and a density of b."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float
from scipy import integrate

Function = Callable[[float], float]


def curvature_norm(
    function: Function,
    second: Function,
    at: tuple[float, float],
    a: Float[np.ndarray, " A"],
    q: Float[np.ndarray, " A"],
    density: Function,
    support: tuple[float, float],
    breaks: Sequence[float] = (),
) -> float:
    r"""Theorem 5 with its affine part, for b of a density on `support`, and a any of the atoms (not 0):

    $$|f|^2 = \int \frac{(f'')^2}{\nu} + \beta^T M^{-1} \beta,\quad \nu_\pm = \sum_{\pm a > 0} q_a |a|^3 \mu(a u),\quad
    \omega = \frac{\nu_+\nu_-}{\nu},\quad M = \int \omega \begin{pmatrix} 1 & -u \\ -u & u^2 \end{pmatrix},$$

    beta = (slope, intercept) of $f - \int f''(u)[\frac{\nu_+}{\nu}(x - u)_+ + \frac{\nu_-}{\nu}(u - x)_+]du$, read off
    at the two places `at`. With one sign of a there is no affine part (M = 0), and f must have none.

    - `function`, `second`: f and f'', on the whole line; `breaks`: where f'' is not smooth.
    """
    low, high, cuts = _cuts(a, support, breaks)

    def nu(u: float, sign: float) -> float:
        return float(sum(w * abs(s) ** 3 * density(s * u) for s, w in zip(a, q, strict=True) if sign * s > 0.0))

    def integral(g: Function) -> float:
        return integrate.quad(g, low, high, points=cuts, limit=400, epsabs=1e-13, epsrel=1e-12)[0]

    def weight(u: float) -> float:
        return nu(u, 1.0) + nu(u, -1.0)

    def divided(g: Function) -> Function:
        return lambda u: g(u) / weight(u) if weight(u) > 0.0 else 0.0

    bent = integral(divided(lambda u: second(u) ** 2))
    omega = divided(lambda u: nu(u, 1.0) * nu(u, -1.0))
    cross = -integral(lambda u: u * omega(u))
    m = np.array([[integral(omega), cross], [cross, integral(lambda u: u * u * omega(u))]])
    if not np.any(m):
        return bent

    def ramps(x: float, u: float) -> float:
        return nu(u, 1.0) * max(x - u, 0.0) + nu(u, -1.0) * max(u - x, 0.0)

    left = [function(x) - integral(lambda u, x=x: divided(lambda v: second(v) * ramps(x, v))(u)) for x in at]
    slope = (left[1] - left[0]) / (at[1] - at[0])
    beta = np.array([slope, left[0] - slope * at[0]])
    return bent + float(beta @ np.linalg.solve(m, beta))


def tangent_norm(
    second: Function,
    slopes: tuple[Function, Function],
    third: Function,
    a: Float[np.ndarray, " A"],
    q: Float[np.ndarray, " A"],
    density: Function,
    support: tuple[float, float],
    squares: float,
    breaks: Sequence[float] = (),
) -> float:
    r"""Corollary 6 for a > 0, $\int \frac{f_1''^2}{\nu_3} + \frac{1}{E c^2} \int \frac{f_2'^2}{\nu_1} + \frac{(u f_3' -
    f_3)^2}{u^4 \nu_1}$, $\nu_p = \sum q_a a^p \mu(a u)$.

    `second`: f_1''; `slopes`: f_2', f_3'; `third`: f_3. All vanish left of the support.
    """
    low, high, cuts = _cuts(a, support, breaks)

    def nu(u: float, p: int) -> float:
        return float(sum(w * s**p * density(s * u) for s, w in zip(a, q, strict=True)))

    def both(u: float) -> float:
        if nu(u, 1) == 0.0 or u == 0.0:
            return 0.0
        third_part = (u * slopes[1](u) - third(u)) ** 2 / u**4
        return second(u) ** 2 / nu(u, 3) + (slopes[0](u) ** 2 + third_part) / (squares * nu(u, 1))

    return integrate.quad(both, low, high, points=cuts, limit=400, epsabs=1e-13, epsrel=1e-12)[0]


def _cuts(a: np.ndarray, support: tuple[float, float], breaks: Sequence[float]) -> tuple[float, float, list[float]]:
    ends = [end / s for s in a for end in support]
    low, high = min(ends), max(ends)
    return low, high, sorted({u for u in (*ends, *breaks, 0.0) if low < u < high})
