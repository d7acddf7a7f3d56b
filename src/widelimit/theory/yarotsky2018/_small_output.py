r"""The small-output theory of the linear spline: (19)-(26) and A.6.

At c = 0, h uniform on [0, 1], the operator of (36) is K~ s(h) = INT_0^1 K~(h, h') s(h') dh'. Its eigenfunctions are the
modes of a bar that is free at 0 and clamped at 1: $\zeta s'''' = s$, s''(0) = s'''(0) = 0, s(1) = s'(1) = 0.
"""

import numpy as np
from jaxtyping import Float

Values = Float[np.ndarray, "..."] | float
Index = np.ndarray | int | np.integer

# sech(xi) = 1e-8 at k = 6; four Newton steps from the leading term reach rounding for every k.
_NEWTON = 6


def kernel(h: Values, other: Values) -> Float[np.ndarray, "..."]:
    r"""(36): $\tilde K(h, h') = \int_0^1 (x - h)_+ (x - h')_+\,dx$; any real h, h'.

    On [0, 1] it is (1 - M)^3/3 + (M - m)(1 - M)^2/2, M = max(h, h'), m = min(h, h').
    """
    h, other = np.asarray(h, float), np.asarray(other, float)
    start = np.clip(np.maximum(h, other), 0.0, 1.0)
    length, p, q = 1.0 - start, start - h, start - other
    return np.asarray(length**3 / 3.0 + (p + q) * length**2 / 2.0 + p * q * length)


def xi(k: Index) -> Float[np.ndarray, "..."]:
    r"""The k-th root of $\cosh\xi \cos\xi = -1$ (A.6), k = 0, 1, ..., to rounding for every k.

    With $\xi = \pi/2 + k\pi + d$ it reads $\sin d = (-1)^k / \cosh\xi$, where nothing is large.
    """
    k = _index(k)
    lead, sign = np.pi * (k + 0.5), _sign(k)
    d = np.zeros_like(lead)
    for _ in range(_NEWTON):
        e = np.exp(-(lead + d))
        sech, tanh = 2.0 * e / (1.0 + e * e), (1.0 - e * e) / (1.0 + e * e)
        d = d - (np.sin(d) - sign * sech) / (np.cos(d) + sign * sech * tanh)
    return np.asarray(lead + d)


def zeta(k: Index) -> Float[np.ndarray, "..."]:
    r"""The k-th eigenvalue of (36): $\zeta_k = \xi_k^{-4}$ (A.6)."""
    return np.asarray(xi(k) ** -4.0)


def eigenfunction(k: Index, h: Values, derivative: int = 0) -> Float[np.ndarray, "..."]:
    r"""(50) with $\langle s_k, s_k\rangle = 1$, or its n-th derivative, h in [0, 1], in a form that cancels nowhere.

    $$s_k(h) = \cos\xi h - \frac{1 - \sigma e^{-\xi}}{1 + \sigma e^{-\xi}} \sin\xi h
    + \frac{e^{-\xi h} + \sigma e^{-\xi(1 - h)}}{1 + \sigma e^{-\xi}}, \qquad \sigma = (-1)^k.$$

    From (50) by sin xi_k = sigma tanh xi_k and cos xi_k = -1/cosh xi_k; as printed, (50) has lost all digits at
    k = 9 (NOTATION). k and h broadcast.
    """
    if derivative < 0:
        raise ValueError(f"eigenfunction(derivative=...): must not be negative, got {derivative}.")
    k = _index(k)
    root, sign, h = xi(k), _sign(k), np.asarray(h, float)
    edge = sign * np.exp(-root)
    ratio = (1.0 - edge) / (1.0 + edge)
    # (cos, -sin) turns by a quarter with each derivative.
    turn = root * h
    waves = [np.cos(turn), -np.sin(turn), -np.cos(turn), np.sin(turn)]
    bulk = waves[derivative % 4] + ratio * waves[(derivative + 1) % 4]
    ends = (-1.0) ** derivative * np.exp(-turn) + sign * np.exp(-root * (1.0 - h))
    return np.asarray(root**derivative * (bulk + ends / (1.0 + edge)))


def image(k: Index, x: Values) -> Float[np.ndarray, "..."]:
    r"""$q_k = s_k''/\xi_k^2$, orthonormal in L^2[0, 1]: $\int_0^1 (x - h)_+ s_k(h)\,dh = q_k(x)/\xi_k^2$ by (48)."""
    k = _index(k)
    return np.asarray(eigenfunction(k, x, 2) / xi(k) ** 2)


def sine_coefficient(k: Index, j: int, amplitude: float) -> Float[np.ndarray, "..."]:
    r"""$\langle q_k, z\rangle$ for z = -A sin(j pi x): $-2 A w / (\xi_k^2 - (-1)^{j + k} w^2)$, w = j pi (NOTATION)."""
    k = _index(k)
    w = np.pi * j
    return np.asarray(-2.0 * amplitude * w / (xi(k) ** 2 - _sign(k + j) * w * w))


def shift(
    h: Float[np.ndarray, " H"], t: Float[np.ndarray, " T"], coefficients: Float[np.ndarray, " K"]
) -> Float[np.ndarray, "T H"]:
    r"""(25): $s(h, t) = \sum_k (1 - e^{-\zeta_k t})\, \xi_k^2 \langle q_k, z\rangle s_k(h)$.

    `coefficients`: <q_k, z> for k = 0 ... K-1. The term t P_0 u_0 of (24) is zero: Phi~* z is orthogonal to the null
    space. The distribution is p(c + s(h, t), h, 0), so a particle moves by -s.
    """
    k = np.arange(len(coefficients))
    growth = -np.expm1(-np.multiply.outer(np.asarray(t, float), zeta(k)))
    return (growth * xi(k) ** 2 * coefficients) @ eigenfunction(k[:, None], np.asarray(h, float)[None, :])


def loss(t: Float[np.ndarray, " T"], coefficients: Float[np.ndarray, " K"]) -> Float[np.ndarray, " T"]:
    r"""(26): $L(t) = \frac12 \sum_k \langle q_k, z\rangle^2 e^{-2 \zeta_k t}$, the first K terms."""
    k = np.arange(len(coefficients))
    return 0.5 * np.exp(-2.0 * np.multiply.outer(np.asarray(t, float), zeta(k))) @ np.asarray(coefficients) ** 2


def _index(k: Index) -> np.ndarray:
    k = np.asarray(k)
    if not np.issubdtype(k.dtype, np.integer) or np.any(k < 0):
        raise ValueError(f"k: whole numbers from 0 on, got {k!r}.")
    return k


def _sign(k: Index) -> Float[np.ndarray, "..."]:
    return np.asarray(1.0 - 2.0 * (k % 2))
