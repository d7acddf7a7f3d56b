"""4: the spherical 3-spin model (4.1), (4.6), and in closed form F, K and norms of the kernels (4.2), (4.3)."""

import itertools

import numpy as np
from jaxtyping import Float
from scipy.special import gammaln, ive

Cube = Float[np.ndarray, "d d d"]
Points = Float[np.ndarray, "n d"]


def spin(a: Cube, x: Points) -> Float[np.ndarray, " n"]:
    """(4.1): SUM a_pqr x_p x_q x_r / d."""
    return np.einsum("pqr,np,nq,nr->n", a, x, x, x, optimize=True) / len(a)


def spin_gradient(a: Cube, x: Points) -> Points:
    """(4.6): component p is SUM (a_pqr + a_rpq + a_qrp) x_q x_r / d."""
    turned = a + np.einsum("rpq->pqr", a) + np.einsum("qrp->pqr", a)
    return np.einsum("pqr,nq,nr->np", turned, x, x, optimize=True) / len(a)


def _symmetric(a: Cube) -> Cube:
    return sum((a.transpose(order) for order in itertools.permutations(range(3))), np.zeros_like(a)) / 6.0


def _linear(a: Cube) -> Float[np.ndarray, " d"]:
    """The harmonic of degree 1 is this . x: 3/(d + 2) t, t_j = SUM_i S_iij."""
    return 3.0 / (len(a) + 2) * np.trace(_symmetric(a))


def moments(a: Cube) -> tuple[float, float]:
    """E f_1^2 and E f_3^2 over the sphere of radius sqrt d, by Wick's rule for x = sqrt d g/|g|: with S the symmetric
    part of a, E f^2 = (6 |S|^2 + 9 |t|^2)/((d + 2)(d + 4))."""
    d, s = len(a), _symmetric(a)
    whole = (6.0 * np.sum(s**2) + 9.0 * np.sum(np.trace(s) ** 2)) / ((d + 2) * (d + 4))
    first = float(np.sum(_linear(a) ** 2))
    return first, float(whole) - first


def eigenvalue(k: int, d: int, alpha: float, *, gaussian: bool = False) -> float:
    r"""Of the harmonics of degree k under $\phi = e^{\alpha x \cdot y}$, mu the uniform probability:

    $\lambda_k = \Gamma(d/2)\,(2/(\alpha d))^{d/2-1}\,I_{k+d/2-1}(\alpha d)$, times $e^{-\alpha d}$ for (4.2).
    """
    s = alpha * d
    log = gammaln(0.5 * d) + (0.5 * d - 1.0) * np.log(2.0 / s) + np.log(ive(k + 0.5 * d - 1.0, s))
    return float(np.exp(log + (0.0 if gaussian else s)))


def kernel(y: Points, z: Points, alpha: float, *, gaussian: bool = False) -> Float[np.ndarray, "n m"]:
    r"""(1.4): $K = \Gamma(d/2)(2/s)^{d/2-1} I_{d/2-1}(s)$, $s = \alpha \sqrt d |y + z|$; times $e^{-2 \alpha d}$ for
    (4.2)."""
    d = y.shape[1]
    s = alpha * np.sqrt(d) * np.linalg.norm(y[:, None] + z[None], axis=2)
    safe = np.maximum(s, 1e-8)
    log = gammaln(0.5 * d) + (0.5 * d - 1.0) * np.log(2.0 / safe) + np.log(ive(0.5 * d - 1.0, safe)) + safe
    return np.exp(log - (2.0 * alpha * d if gaussian else 0.0))


def overlap(a: Cube, y: Points, alpha: float, *, gaussian: bool = False) -> Float[np.ndarray, " n"]:
    """(1.4): F = lambda_1 f_1 + lambda_3 f_3."""
    first = y @ _linear(a)
    values = [eigenvalue(k, len(a), alpha, gaussian=gaussian) for k in (1, 3)]
    return values[0] * first + values[1] * (spin(a, y) - first)


def rbf_forces(
    a: Cube, c: Float[np.ndarray, " n"], y: Points, alpha: float, sign: float = 1.0
) -> tuple[Float[np.ndarray, " n"], Points]:
    """(4.5) with C_i C_j and the kernel exp(sign alpha x . y): the rates of C_i and Y_i, tangent to the sphere."""
    n, d = y.shape
    table = np.exp(sign * alpha * y @ y.T)
    drift = c[:, None] * (spin_gradient(a, y) - sign * alpha * (table * c) @ y / n)
    along = np.sum(drift * y, axis=1) / d
    return spin(a, y) - table @ c / n, drift - along[:, None] * y
