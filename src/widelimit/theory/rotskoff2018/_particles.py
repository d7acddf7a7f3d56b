"""(1.2) to (2.13), (2.38), (3.12): what moves particles (c, y), from F and K, for data on nodes."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

Charges = Float[np.ndarray, " N"]
Nodes = Float[np.ndarray, " Q"]


class Features(NamedTuple):
    """phi(x_q, y_i) [N, Q], its gradient [N, p, Q] and its Hessian [N, p, p, Q] in y."""

    phi: Float[np.ndarray, "N Q"]
    slope: Float[np.ndarray, "N p Q"]
    bend: Float[np.ndarray, "N p p Q"]


def tanh_features(y: Float[np.ndarray, "N p"], x: Float[np.ndarray, "Q p"]) -> Features:
    """phi(x, y) = tanh(y . x)."""
    phi = np.tanh(y @ x.T)
    first = 1.0 - phi**2
    slope = first[:, None, :] * x.T
    return Features(phi, slope, (-2.0 * phi * first)[:, None, None, :] * (x.T[:, None] * x.T[None, :]))


def value(c: Charges, w: Charges, of: Features) -> Nodes:
    """(1.1), (2.4): SUM w_i c_i phi(x, y_i); w_i = 1/n for n particles."""
    return (w * c) @ of.phi


def potentials(of: Features, other: Features, f: Nodes, mu: Nodes) -> tuple[Charges, Float[np.ndarray, "N M"]]:
    """(1.4): F(y_i) and K(y_i, z_j)."""
    return of.phi @ (mu * f), (of.phi * mu) @ other.phi.T


def energy(c: Charges, w: Charges, of: Features, f: Nodes, mu: Nodes) -> float:
    """(1.3): C_f - SUM w c F + 1/2 SUM SUM w w' c c' K."""
    force, kernel = potentials(of, of, f, mu)
    charge = w * c
    return float(0.5 * mu @ f**2 - charge @ force + 0.5 * charge @ kernel @ charge)


def discrepancy(c: Charges, w: Charges, of: Features, at: Features, f: Nodes, mu: Nodes) -> Float[np.ndarray, " M"]:
    """F_0 - F at other places, F_0(y) = INT c' K(y, y') rho: (2.13) without the printed gradient."""
    force, kernel = potentials(at, of, f, mu)
    return kernel @ (w * c) - force


def forces(c: Charges, w: Charges, of: Features, f: Nodes, mu: Nodes) -> tuple[Charges, Float[np.ndarray, "N p"]]:
    """(2.1): the rates of C_i and Y_i, term by term from F, K and their gradients."""
    force, kernel = potentials(of, of, f, mu)
    pull = of.slope @ (mu * f)
    push = np.einsum("ipq,jq,j->ip", of.slope * mu, of.phi, w * c)
    return force - kernel @ (w * c), c[:, None] * (pull - push)


def tangent_kernel(c: Charges, w: Charges, of: Features) -> Float[np.ndarray, "Q Q"]:
    """(2.38): INT (c^2 grad phi . grad phi' + phi phi') d rho."""
    return np.einsum("i,ipq,ipr->qr", w * c**2, of.slope, of.slope) + (of.phi.T * w) @ of.phi


def covariance_blocks(
    r: Nodes, of: Features, mu: Nodes
) -> tuple[Float[np.ndarray, "N N"], Float[np.ndarray, "N p N"], Float[np.ndarray, "N p N p"]]:
    """(3.12): A_0(y_i, y_j), A_1(y_i, y_j) and A_2(y_i, y_j) of a residual r."""
    weight = mu * r**2
    phi, slope = of.phi @ (mu * r), of.slope @ (mu * r)
    a_0 = (of.phi * weight) @ of.phi.T - np.outer(phi, phi)
    a_1 = np.einsum("ipq,jq->ipj", of.slope * weight, of.phi) - np.multiply.outer(slope, phi)
    a_2 = np.einsum("ipq,jrq->ipjr", of.slope * weight, of.slope) - np.multiply.outer(slope, slope)
    return a_0, a_1, a_2
