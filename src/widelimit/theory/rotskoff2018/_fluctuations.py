"""(2.27) and (3.24) for a start on finitely many atoms: the covariance of the fluctuation as one ordinary equation."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.integrate import solve_ivp

from ._particles import Features

# Of the integration, relative and absolute.
_RTOL, _ATOL = 1e-9, 1e-12


class Covariance(NamedTuple):
    """At T times: f_0 [T, Q]; the variance INT E|f_(1/2)|^2 d mu [T] of the fluctuation of order 1/n from the start;
    and the same of the noise's, over theta = dt/P."""

    f: Float[np.ndarray, "T Q"]
    start: Float[np.ndarray, " T"]
    noise: Float[np.ndarray, " T"]


def covariance(
    rows: Float[np.ndarray, "m D"],
    p: Float[np.ndarray, " m"],
    features: Callable[[Float[np.ndarray, "m p"]], Features],
    f: Float[np.ndarray, " Q"],
    mu: Float[np.ndarray, " Q"],
    times: Float[np.ndarray, " T"],
    *,
    centred: bool = True,
) -> Covariance:
    r"""Solves (2.27), corrected, and (3.24) for the law $\rho_{in} = \sum_i p_i \delta_{z_i}$, z = (c, y).

    The fluctuation is $\rho_{1/2} = \sum_i a_i \delta_{Z_i} - \nabla\cdot(p_i \zeta_i \delta_{Z_i})$: a_i, that of the
    share of particles that began at z_i, rests; the shift $\zeta_i$ moves by

    $$\dot\zeta_i = -\nabla^2 V(Z_i)\,\zeta_i - \int \nabla\psi_i\,f_{1/2}\,d\mu,\quad
    f_{1/2} = \sum_i a_i \psi_i + p_i \nabla\psi_i \cdot \zeta_i,\quad \psi_i = c_i \phi(\cdot, Y_i),$$

    so that the covariance of (a, zeta) obeys $\dot\Omega = A\Omega + \Omega A^T$ from $\Omega_{aa} = diag(p) - p p^T$
    (2.28). The noise of SGD adds the source R_ij of (3.11), over theta = dt/P, from Omega = 0.

    - `rows`: (c, y) of the atoms; `p`: their shares; `features`: of y on the nodes.
    - `centred`: False leaves out - p p^T, as (2.18), (2.25) and (2.28) are printed.
    """
    m, width = rows.shape
    size = m * (1 + width)
    first = np.zeros((size, size))
    first[:m, :m] = np.diag(p) - (np.outer(p, p) if centred else 0.0)
    found = solve_ivp(
        lambda t, state: _rate(state, rows.shape, p, features, f, mu),
        (0.0, float(times[-1])),
        np.concatenate([np.ravel(rows), np.ravel(first), np.zeros(size * size)]),
        "DOP853",
        np.asarray(times, float),
        rtol=_RTOL,
        atol=_ATOL,
    )
    parts = [_read(state, rows.shape, p, features, mu) for state in found.y.T]
    return Covariance(*(np.array(part) for part in zip(*parts, strict=True)))


def _split(state: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    m, width = shape
    size = m * (1 + width)
    rows, first, second = np.split(state, [m * width, m * width + size * size])
    return rows.reshape(shape), first.reshape(size, size), second.reshape(size, size)


def _slopes(c: np.ndarray, of: Features) -> tuple[np.ndarray, np.ndarray]:
    """grad psi [m, D, Q] and Hess psi [m, D, D, Q] in (c, y)."""
    m, dims, nodes = of.slope.shape
    slope = np.concatenate([of.phi[:, None], c[:, None, None] * of.slope], axis=1)
    bend = np.zeros((m, 1 + dims, 1 + dims, nodes))
    bend[:, 0, 1:], bend[:, 1:, 0] = of.slope, of.slope
    bend[:, 1:, 1:] = c[:, None, None, None] * of.bend
    return slope, bend


def _observed(c: np.ndarray, p: np.ndarray, of: Features, slope: np.ndarray) -> np.ndarray:
    """The row that takes (a, zeta) to f_(1/2): [Q, m (1 + D)]."""
    shifts = (p[:, None, None] * slope).reshape(-1, slope.shape[2])
    return np.concatenate([(c[:, None] * of.phi), shifts]).T


def _rate(
    state: np.ndarray,
    shape: tuple[int, int],
    p: np.ndarray,
    features: Callable[[np.ndarray], Features],
    f: np.ndarray,
    mu: np.ndarray,
) -> np.ndarray:
    m, width = shape
    rows, first, second = _split(state, shape)
    c, of = rows[:, 0], features(rows[:, 1:])
    slope, bend = _slopes(c, of)
    r = (p * c) @ of.phi - f
    flat = slope.reshape(m * width, -1)
    a = np.zeros_like(first)
    a[m:] = -(flat * mu) @ _observed(c, p, of, slope)
    for i, own in enumerate(bend @ (mu * r)):
        here = slice(m + i * width, m + (i + 1) * width)
        a[here, here] -= own
    source = np.zeros_like(first)
    pull = flat @ (mu * r)
    source[m:, m:] = (flat * mu * r**2) @ flat.T - np.outer(pull, pull)
    left, right = a @ first, a @ second
    parts = -(slope @ (mu * r)), left + left.T, right + right.T + source
    return np.concatenate([np.ravel(part) for part in parts])


def _read(
    state: np.ndarray, shape: tuple[int, int], p: np.ndarray, features: Callable[[np.ndarray], Features], mu: np.ndarray
) -> tuple[np.ndarray, float, float]:
    rows, first, second = _split(state, shape)
    of = features(rows[:, 1:])
    seen = _observed(rows[:, 0], p, of, _slopes(rows[:, 0], of)[0])
    variances = [float(mu @ np.einsum("qi,ij,qj->q", seen, one, seen)) for one in (first, second)]
    return (p * rows[:, 0]) @ of.phi, variances[0], variances[1]
