"""Networks of tanh units, their loss and its gradient flow: (2), and the equations of 5.1."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Flow(NamedTuple):
    """`risk`, E; `potential` [N], dE/drho at each particle; `theta` [N, d] and `w` [N], d/dt of both."""

    risk: float
    potential: Float[np.ndarray, " N"]
    theta: Float[np.ndarray, "N d"]
    w: Float[np.ndarray, " N"]


def tanh_flow(
    theta: Float[np.ndarray, "N d"],
    w: Float[np.ndarray, " N"],
    x: Float[np.ndarray, "Q d"],
    y: Float[np.ndarray, " Q"],
    mu: Float[np.ndarray, " Q"],
) -> Flow:
    r"""With $r = \frac1N \sum_j w_j\,\sigma(x \cdot \theta_j) - y$:

    $$\dot\theta_i = -\int r\,w_i\,\sigma'(x \cdot \theta_i)\,x\,d\mu,\qquad
      \dot w_i = -\int r\,\sigma(x \cdot \theta_i)\,d\mu,\qquad
      \frac{\delta E}{\delta\rho} = \int r\,w\,\sigma(x \cdot \theta)\,d\mu.$$"""
    table = np.tanh(theta @ x.T)
    r = w @ table / len(w) - y
    moved = -(w[:, None] * (1.0 - table**2)) @ ((mu * r)[:, None] * x)
    seen = table @ (mu * r)
    return Flow(0.5 * float(mu @ r**2), w * seen, moved, -seen)


def box_flow(
    theta: Float[np.ndarray, " N"],
    x: Float[np.ndarray, " Q"],
    y: Float[np.ndarray, " Q"],
    mu: Float[np.ndarray, " Q"],
    wall: float,
    times: Float[np.ndarray, " T"],
    step: float,
) -> Float[np.ndarray, "T N"]:
    """Unweighted particles of one input in [-wall, wall], no flux: Euler's method, each step put back into the box."""
    now, t, saved = np.array(theta, float), 0.0, []
    for time in times:
        count = max(1, int(np.ceil((time - t) / step))) if time > t else 0
        for _ in range(count):
            moved = tanh_flow(now[:, None], np.ones(len(now)), x[:, None], y, mu).theta[:, 0]
            now = np.clip(now + (time - t) / count * moved, -wall, wall)
        t = time
        saved.append(now.copy())
    return np.stack(saved)
