"""Columns with mean 0 and variance 1 under sample weights."""

import dataclasses

import numpy as np
from jaxtyping import Float

# A spread of so many roundings of a column's largest entry is that of equal numbers.
_ROUNDINGS = 10.0


@dataclasses.dataclass(frozen=True)
class Standard:
    r"""x -> (x - mean) / std, column by column; back: z -> mean + std z.

    With `weights` mu that sum to 1: $\mathrm{mean} = \sum_q \mu_q x_q$, $\mathrm{std}^2 = \sum_q \mu_q (x_q -
    \mathrm{mean})^2$. The std of a constant column is 1.
    """

    mean: Float[np.ndarray, "..."]
    std: Float[np.ndarray, "..."]

    @staticmethod
    def fit(x: Float[np.ndarray, "n ..."], weights: Float[np.ndarray, " n"]) -> "Standard":
        """That of rows x, [n, d] or [n]."""
        seen = x[weights > 0]
        mu = weights[weights > 0]
        # Relative to the largest entry, so that no square overflows.
        largest = np.max(np.abs(seen), axis=0)
        scale = np.where(largest > 0, largest, 1.0)
        mean = np.tensordot(mu, seen / scale, axes=1)
        spread = np.sqrt(np.tensordot(mu, (seen / scale - mean) ** 2, axes=1))
        constant = spread <= _ROUNDINGS * np.finfo(float).eps
        return Standard(np.asarray(mean * scale), np.asarray(np.where(constant, 1.0, spread * scale)))

    @staticmethod
    def identity(x: Float[np.ndarray, "n ..."]) -> "Standard":
        return Standard(np.zeros(x.shape[1:]), np.ones(x.shape[1:]))

    def __call__(self, x: Float[np.ndarray, "n ..."]) -> Float[np.ndarray, "n ..."]:
        return (x - self.mean) / self.std

    def back(self, z: Float[np.ndarray, "n ..."]) -> Float[np.ndarray, "n ..."]:
        return self.mean + self.std * z
