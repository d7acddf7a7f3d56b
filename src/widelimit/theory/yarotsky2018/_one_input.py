r"""A.3: one input, phi(w) = w: the exact flow, and the limit that the linear theory picks."""

import math

import numpy as np
from jaxtyping import Float
from scipy import special

Values = Float[np.ndarray, "..."] | float


def displacement(t: Float[np.ndarray, " T"], y: float, y0: float) -> Float[np.ndarray, " T"]:
    r"""Every weight moves by $(y - y_0)(1 - e^{-t})$ from a start of mean y_0 (38): the exact solution, (39)."""
    return -(y - y0) * np.expm1(-np.asarray(t, float))


def one_input_loss(t: Float[np.ndarray, " T"], y: float, y0: float) -> Float[np.ndarray, " T"]:
    r"""(40): $\frac12 (y - y_0)^2 e^{-2t}$. The expansion (18) gives the same."""
    return 0.5 * (y - y0) ** 2 * np.exp(-2.0 * np.asarray(t, float))


def linear_limit(w: Values, y: float, y0: float, std: float) -> Float[np.ndarray, "..."]:
    r"""The density that the linear theory picks as limit for a start N(y_0, std^2), std > 0: the solution of (41),

    $$p_\infty(w) = \int_0^\infty p(w - (y - y_0) s, 0)\, e^{-s}\,ds,$$

    the law of w_0 + (y - y_0) S, S exponential. The true limit is N(y, std^2): equal to first order in y - y_0.
    (The footnote's last linearisation has the sign y_0 - y, NOTATION.)
    """
    if not std > 0.0:
        raise ValueError(f"linear_limit(std=...): must be positive, got {std}.")
    gap = y - y0
    v = (np.asarray(w, float) - y0) / std
    if gap == 0.0:
        return np.asarray(np.exp(-0.5 * v * v) / (std * math.sqrt(2.0 * math.pi)))
    # Mirrored for a negative gap. erfcx grows as exp(a^2) below zero, so each side has its own form.
    v, rate = math.copysign(1.0, gap) * v, std / abs(gap)
    a = (rate - v) / math.sqrt(2.0)
    right = np.exp(np.where(a > 0.0, 0.0, rate * (0.5 * rate - v))) * special.erfc(np.minimum(a, 0.0))
    left = np.exp(-0.5 * v * v) * special.erfcx(np.maximum(a, 0.0))
    return np.asarray(np.where(a > 0.0, left, right) / (2.0 * abs(gap)))
