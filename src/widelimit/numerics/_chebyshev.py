"""Chebyshev series: fitted on the host, summed inside compiled functions without a gather or a loop."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float


def chebyshev_points(n: int) -> Float[np.ndarray, " n"]:
    """The zeros of T_n on [-1, 1]."""
    return np.cos(np.pi * (np.arange(n) + 0.5) / n)


def chebyshev_fit(values: Float[np.ndarray, "n ..."]) -> Float[np.ndarray, "n ..."]:
    r"""The coefficients c of $\sum_k c_k T_k$ that takes `values` at `chebyshev_points(n)`, along the first axis."""
    n = len(values)
    # The angle is reduced in integers: cos of a large argument would lose three digits.
    turn = np.outer(np.arange(n), 2 * np.arange(n) + 1) % (4 * n)
    coefficients = 2.0 / n * np.tensordot(np.cos(np.pi * turn / (2 * n)), values, axes=1)
    coefficients[0] *= 0.5
    return coefficients


def clenshaw(coefficients: Sequence[Any], x: Any) -> Any:
    r"""$\sum_k c_k T_k(x)$ by Clenshaw's recurrence, unrolled; each c_k is a number or broadcasts against x."""
    first, second = 0.0 * x, 0.0 * x
    twice = 2.0 * x
    for c in reversed(coefficients[1:]):
        first, second = twice * first + (c - second), first
    return x * first + (coefficients[0] - second)
