r"""The time that is left, from the tangent kernel at the end of training.

In the trainer's time (learning rate times steps of plain gradient descent). With eigenvalues $\lambda_k$ of
$K_{qr} = \mu_q M(x_q, x_r)$, and what an output bias adds to it, the linear theory says that the residual's part in
mode k falls as $e^{-2 k \lambda_k t}$ for the loss $k |f - y|^2$. With a penalty it is what the data alone would do.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from widelimit.kernels import tangent_kernel
from widelimit.measure import Particles
from widelimit.problem import Problem
from widelimit.problem.data import require_nodes

# Rows in the kernel.
_ROWS = 1024
# A mode that had so many of its time constants is done, where steps are small.
_LONG_AGO = 5.0


class Spectrum(NamedTuple):
    """The time that training still takes by the linear theory, in the trainer's time.

    - `times`: the time constants 1 / (rate of the residual) of the kernel's modes, ascending; `shares`: the part of the
      risk that each holds. `half`: when half of the risk will be gone; infinite where it never will.
    - `agitated`: the share of the risk in modes that had more than five of their time constants: noise of the steps.
      None where the time of training is not known, or a penalty holds modes back.
    """

    times: Float[np.ndarray, " r"]
    shares: Float[np.ndarray, " r"]
    half: float
    agitated: float | None


def spectrum(problem: Problem, measure: Particles, time: float | None) -> Spectrum:
    """The modes of the residual. Raises `ValueError` for a loss that is not squared."""
    factor = problem.loss.square_factor
    if factor is None:
        raise ValueError("spectrum: only a squared loss has linear dynamics.")
    nodes = require_nodes(problem.data, "diagnose")
    outputs = max(1, math.prod(problem.data.outputs))
    x, y, mu = (np.asarray(part, float) for part in nodes)
    most = max(1, _ROWS // outputs)
    if len(x) > most:
        # Every n-th row stands for the rest.
        stride = -(-len(x) // most)
        x, y, mu = x[::stride], y[::stride], mu[::stride] / mu[::stride].sum()
    kernel = np.asarray(tangent_kernel(problem, measure, x)).reshape(len(x) * outputs, -1)
    if problem.network.offset is not None:
        kernel = kernel + np.kron(np.ones((len(x), len(x))), np.eye(outputs))
    root = np.repeat(np.sqrt(mu), outputs)
    values, modes = np.linalg.eigh(root[:, None] * kernel * root)
    left = np.asarray(problem.predict(measure, x)).reshape(len(x), -1) - y.reshape(len(x), -1)
    parts = (modes.T @ (root * left.ravel())) ** 2
    seen = values > 1e-13 * values[-1]
    rates = 2.0 * float(factor) * values[seen][::-1]
    shares = parts[seen][::-1] / max(float(parts.sum()), np.finfo(float).tiny)
    agitated = None
    if time is not None and problem.penalty is None:
        agitated = float(shares[rates * time > _LONG_AGO].sum())
    return Spectrum(1.0 / rates, shares, _half(rates, shares), agitated)


def _half(rates: np.ndarray, shares: np.ndarray) -> float:
    """When the modes hold half of the risk that is there now."""
    floor = 1.0 - float(shares.sum())
    if floor >= 0.5:
        return math.inf
    low, high = math.log(0.1 / rates[0]), math.log(10.0 / rates[-1])
    for _ in range(100):
        middle = 0.5 * (low + high)
        risk = floor + float(shares @ np.exp(-2.0 * rates * math.exp(middle)))
        low, high = (middle, high) if risk > 0.5 else (low, middle)
    return math.exp(high)
