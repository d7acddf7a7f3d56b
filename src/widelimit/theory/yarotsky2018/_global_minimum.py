r"""The linearisation at the global minimiser p = 1 on [0, 1] of the spline without charge, target x^2/2 (A.7).

The operator of (16) has eigenvectors $p_k(h) = \sin\mu_k h - \delta(h)/\mu_k$ with $\langle K p_k, p_k\rangle =
1/(2\mu_k^4)$ (52).
"""

import numpy as np
from jaxtyping import Float

Values = Float[np.ndarray, "..."] | float
Index = np.ndarray | int | np.integer


def mu(k: Index) -> Float[np.ndarray, "..."]:
    r"""$\mu_k = \pi/2 + k\pi$ (A.7)."""
    return np.asarray(np.pi * (np.asarray(k) + 0.5))


def decay(k: Index) -> Float[np.ndarray, "..."]:
    r"""The eigenvalues $\lambda_k = -\mu_k^{-2}$ of the linearised flow (A.7)."""
    return np.asarray(-(mu(k) ** -2.0))


def box_coefficient(k: Index, lower: float, upper: float) -> Float[np.ndarray, "..."]:
    r"""$\int_0^1 \sin(\mu_k h)\,(p_0 - 1)\,dh$ for p_0 uniform on [lower, upper] within [0, 1] (Fig. 3c: 0.3, 0.8)."""
    if not 0.0 <= lower < upper <= 1.0:
        raise ValueError(f"box_coefficient: needs 0 <= lower < upper <= 1, got {lower}, {upper}.")
    m = mu(k)
    return np.asarray(((np.cos(m * lower) - np.cos(m * upper)) / (upper - lower) - 1.0) / m)


def cosine_coefficient(k: Index, eps: float, waves: int = 1) -> Float[np.ndarray, "..."]:
    r"""$\int_0^1 \sin(\mu_k h)\,(p_0 - 1)\,dh = \epsilon\mu_k/(\mu_k^2 - (2\pi n)^2)$, p_0 = 1 + eps cos(2 pi n h)."""
    m = mu(k)
    return np.asarray(eps * m / (m**2 - (2.0 * np.pi * waves) ** 2))


def linearised_loss(t: Float[np.ndarray, " T"], coefficients: Float[np.ndarray, " K"]) -> Float[np.ndarray, " T"]:
    r"""(37): $L(t) \approx \sum_k (\int_0^1 \sin(\mu_k h)\,\delta p\,dh)^2\, e^{-2t/\mu_k^2}/\mu_k^4$.

    `coefficients`: the first K integrals. Exact at t = 0; later to first order in delta p = p_0 - 1, which has to
    be small (NOTATION).
    """
    k = np.arange(len(coefficients))
    return (
        np.exp(2.0 * np.multiply.outer(np.asarray(t, float), decay(k))) @ (np.asarray(coefficients) / mu(k) ** 2) ** 2
    )
