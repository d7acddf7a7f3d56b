"""ReLU on the sphere (Example 1): the operator with the kernel sigma(u . v), by quadrature."""

import math

import numpy as np
from scipy import integrate, special


def relu_eigenvalue(k: int, d: int) -> float:
    r"""Its eigenvalue on the harmonics of degree k in R^d, d >= 2, by the formula of Funk and Hecke:

    $$\lambda_k = |S^{d-2}| \int_0^1 t\,P_k(t)\,(1 - t^2)^{(d-3)/2}\,dt,\qquad P_k(1) = 1,$$

    with t = cos s; P_k is cos(k s) for d = 2, else the Gegenbauer polynomial of index (d - 2)/2 over its value at 1."""
    area = 2.0 * math.pi ** (0.5 * (d - 1)) / math.gamma(0.5 * (d - 1))
    index = 0.5 * d - 1.0

    def integrand(s: float) -> float:
        t = math.cos(s)
        value = math.cos(k * s)
        if d > 2:
            value = special.eval_gegenbauer(k, index, t) / special.eval_gegenbauer(k, index, 1.0)
        return t * value * math.sin(s) ** (d - 2)

    return area * float(np.asarray(integrate.quad(integrand, 0.0, 0.5 * math.pi, epsabs=1e-13, epsrel=1e-13)[0]))
