"""Gauss rules that SciPy cannot give for large parameters."""

import numpy as np
from jaxtyping import Float


def gauss_chi(degree: float, n: int) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    r"""Nodes and weights of $\chi_d$, the law of $|g|$, $g \sim N(0, I_d)$; the weights sum to 1.

    Generalised Gauss-Laguerre in $t = r^2/2$ with weight $t^{d/2-1} e^{-t}$: exact for polynomials of degree 2n - 1
    in r^2. By eigenvalues of the Jacobi matrix (diagonal 2k + d/2, beside it sqrt(k (k + d/2 - 1))), which does not
    overflow for large d.
    """
    from scipy.linalg import eigh_tridiagonal

    k = np.arange(n)
    beside = np.sqrt(k[1:] * (k[1:] + 0.5 * degree - 1.0))
    t, vectors = eigh_tridiagonal(2.0 * k + 0.5 * degree, beside)
    weights = vectors[0] ** 2
    return np.sqrt(2.0 * np.maximum(t, 0.0)), weights / weights.sum()
