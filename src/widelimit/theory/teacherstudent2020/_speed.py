"""2.2 near the teacher: the linear flow of the clusters' means."""

import numpy as np
from jaxtyping import Float
from scipy.linalg import expm


def tanh_matrix(
    atoms: Float[np.ndarray, "K 2"], masses: Float[np.ndarray, " K"], nodes: int
) -> Float[np.ndarray, "D D"]:
    """L_ij = alpha_j E[sigma'(c_i . x) sigma'(c_j . x) x x^T] for tanh and N(0, I_2) on nodes^2 Gauss nodes."""
    z, w = np.polynomial.hermite_e.hermegauss(nodes)
    x = np.stack(np.meshgrid(z, z), axis=-1).reshape(-1, 2)
    mu = np.outer(w, w).ravel() / (2.0 * np.pi)
    slopes = 1.0 / np.cosh(atoms @ x.T) ** 2
    found = np.einsum("iq,jq,qa,qb,q,j->iajb", slopes, slopes, x, x, mu, masses)
    return found.reshape(2 * len(atoms), -1)


def linear_errors(
    matrix: Float[np.ndarray, "m m"], start: Float[np.ndarray, "K D"], times: Float[np.ndarray, " T"]
) -> Float[np.ndarray, "T K"]:
    """|e_i(t)| of de/dt = -L e."""
    paths = np.stack([(expm(-matrix * t) @ start.ravel()).reshape(start.shape) for t in times])
    return np.linalg.norm(paths, axis=2)
