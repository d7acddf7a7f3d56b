"""ReLU on the sphere (Example 1): the operator with the kernel sigma(u . v), by quadrature."""

import functools
import math
from typing import Any

import numpy as np
from scipy import special


def relu_eigenvalue(k: int, d: int) -> float:
    r"""Its eigenvalue on the harmonics of degree k in R^d, d >= 2, by the formula of Funk and Hecke:

    $$\lambda_k = |S^{d-2}| \int_0^1 t\,P_k(t)\,(1 - t^2)^{(d-3)/2}\,dt,\qquad P_k(1) = 1,$$

    with t = cos s and P_k = `zonal`; the integrand is entire in s, and Gauss and Legendre's rule of 128 nodes is
    good to rounding for k below 100."""
    area = 2.0 * math.pi ** (0.5 * (d - 1)) / math.gamma(0.5 * (d - 1))
    z, w = _rule()
    s = 0.25 * math.pi * (z + 1.0)
    return area * float(0.25 * math.pi * w @ (np.cos(s) * zonal(k, d, np.cos(s)) * np.sin(s) ** (d - 2)))


@functools.cache
def _rule() -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(128)


def zonal(k: int, d: int, t: Any) -> Any:
    """P_k(t) of R^d, P_k(1) = 1: cos(k arccos t) for d = 2, else the Gegenbauer polynomial of index (d - 2)/2 over its
    value at 1."""
    if d == 2:
        return special.eval_chebyt(k, t)
    return special.eval_gegenbauer(k, 0.5 * d - 1.0, t) / special.eval_gegenbauer(k, 0.5 * d - 1.0, 1.0)
