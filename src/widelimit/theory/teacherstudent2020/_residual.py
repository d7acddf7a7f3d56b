"""Residual networks of section 3 in NumPy: loops over levels, their gradients, double sums, closed forms.

theta is [L, N, d, d] for the wide network, [N, L, d, d] for the ensemble; inputs and labels are [q, d]; sigma is tanh
where none is named.
"""

import numpy as np
from jaxtyping import Float

Theta = Float[np.ndarray, "a b d d"]
Points = Float[np.ndarray, "q d"]


def wide_states(theta: Theta, x: Points) -> list[Points]:
    """X^0, ..., X^L of (6)."""
    depth, width = theta.shape[:2]
    states = [x]
    for level in theta:
        pushed = sum((np.tanh(states[-1] @ matrix.T) for matrix in level), np.zeros_like(x))
        states.append(states[-1] + pushed / (depth * width))
    return states


def wide_gradient(theta: Theta, x: Points, y: Points) -> Theta:
    """dE/dtheta of E = mean over q of |X^L - y|^2/2: by (grad X^L)^T (X^L - y), level after level from the last."""
    depth, width = theta.shape[:2]
    states = wide_states(theta, x)
    cotangent, out = (states[-1] - y) / len(x), np.zeros_like(theta)
    for level in reversed(range(depth)):
        before, carried = states[level], cotangent.copy()
        for i, matrix in enumerate(theta[level]):
            inner = (1.0 - np.tanh(before @ matrix.T) ** 2) * cotangent / (depth * width)
            out[level, i] = inner.T @ before
            carried += inner @ matrix
        cotangent = carried
    return out


def ensemble(theta: Theta, x: Points) -> Points:
    """(1/N) SUM_j X^L of vanilla networks of parameters theta_j."""
    return sum((wide_states(branch[:, None], x)[-1] for branch in theta), np.zeros_like(x)) / len(theta)


def ensemble_gradient(theta: Theta, x: Points, y: Points) -> Theta:
    """dE/dtheta_j of the ensemble: of each branch, with the residual of all."""
    off = ensemble(theta, x) - y
    branches = []
    for branch in theta:
        # The gradient of one network whose residual is that of the ensemble.
        own = wide_states(branch[:, None], x)[-1]
        branches.append(wide_gradient(branch[:, None], x, own - off)[:, 0] / len(theta))
    return np.stack(branches)


def series_terms(theta: Theta, x: Points) -> tuple[Points, Points]:
    """The terms of (9) after X^0: the sum with 1/L, and the double sum over b > a with 1/L^2."""
    depth, width = theta.shape[:2]
    first, second = np.zeros_like(x), np.zeros_like(x)
    for b in range(depth):
        for later in theta[b]:
            z = x @ later.T
            first += np.tanh(z)
            for a in range(b):
                for earlier in theta[a]:
                    second += (1.0 - np.tanh(z) ** 2) * (np.tanh(x @ earlier.T) @ later.T)
    return first / (depth * width), second / (depth * width) ** 2


def one_atom(theta: float, x: float, s: complex) -> complex:
    """X(s) at L = infinity, d = 1, all mass at theta: dX/ds = tanh(theta X), X(0) = x."""
    return complex(np.arcsinh(np.exp(theta * s) * np.sinh(theta * x)) / theta)


def one_atom_radius(theta: float, x: float) -> float:
    """|s| of the nearest singularity of `one_atom`, a square root: exp(theta s) sinh(theta x) = +-i."""
    return float(np.hypot(np.log(np.abs(np.sinh(theta * x))), 0.5 * np.pi) / abs(theta))


def two_level_radius(theta: float, x: float) -> float:
    """|s| of the nearest pole of X^2 at L = 2, d = 1, all mass at theta: theta (x + s tanh(theta x)/2) = i pi/2."""
    return float(2.0 * np.hypot(x, 0.5 * np.pi / theta) / np.abs(np.tanh(theta * x)))
