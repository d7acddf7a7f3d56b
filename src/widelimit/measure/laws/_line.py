"""A law of one number, as integrals over the line see it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

Numbers = Float[np.ndarray, "..."]


class Line(NamedTuple):
    """A law of one number h that has a density; all on the host.

    - `support`: the smallest closed interval with all the mass; its ends may be infinite.
    - `edges`: [E], ascending: between neighbours some twenty Gauss nodes integrate the density times a polynomial to
      rounding, and outside of them it has less than rounding.
    - `density(h)`, `below(x)`: P(h <= x), `ramp(x)`: E (x - h)_+, the integral of `below`.
    """

    support: tuple[float, float]
    edges: Float[np.ndarray, " E"]
    density: Callable[[Numbers], Numbers]
    below: Callable[[Numbers], Numbers]
    ramp: Callable[[Numbers], Numbers]


def uniform_line(low: float, high: float) -> Line:
    """U[low, high]."""

    def ramp(x: Any) -> Any:
        return 0.5 * np.clip(x - low, 0.0, high - low) ** 2 / (high - low) + np.maximum(x - high, 0.0)

    return Line(
        (low, high),
        np.array([low, high]),
        lambda x: np.where((low <= x) & (x <= high), 1.0 / (high - low), 0.0),
        lambda x: np.clip((x - low) / (high - low), 0.0, 1.0),
        ramp,
    )


def normal_line(mean: float, std: float) -> Line:
    """N(mean, std^2), std > 0. Nine standard deviations away the density is below rounding."""
    from scipy.special import ndtr

    def density(x: Any) -> Any:
        return np.exp(-0.5 * ((x - mean) / std) ** 2) / (np.sqrt(2.0 * np.pi) * std)

    def ramp(x: Any) -> Any:
        z = (x - mean) / std
        return std * (z * ndtr(z) + np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi))

    edges = mean + std * np.arange(-9.0, 10.5, 1.5)
    return Line((-np.inf, np.inf), edges, density, lambda x: ndtr((x - mean) / std), ramp)
