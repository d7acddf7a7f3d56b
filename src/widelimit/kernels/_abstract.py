"""What a kernel K(x, x') is: tables of its values, and how far off they may be."""

import abc
from typing import Any, ClassVar

import equinox as eqx
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from widelimit.problem.data import as_numbers


class AbstractKernel(eqx.Module):
    """K(x, x'), called with one input or many. A new kernel writes `table` and `errors` of rows.

    `inputs`: d, None where it takes any.
    """

    inputs: ClassVar[int | None] = None

    @abc.abstractmethod
    def table(self, x: Float[Array, "n d"], other: Float[Array, "m d"]) -> Float[Array, "n m"]:
        """K of rows."""

    @abc.abstractmethod
    def errors(self, x: Float[Array, "n d"], other: Float[Array, "m d"]) -> Float[Array, "n m"]:
        """How far off the table may be."""

    def __call__(self, x: Any, other: Any) -> Float[Array, "..."]:
        (left, first), (right, second) = self.both(x, other)
        return self.table(left, right).reshape(first + second)

    def error(self, x: Any, other: Any) -> Float[Array, "..."]:
        """A bound on the rounding of K(x, other), and an estimate of the error of nodes; of the shape of K.

        Nodes: the distance to fewer Gauss nodes, or 3.5 standard errors between Sobol points scrambled eight times.
        """
        (left, first), (right, second) = self.both(x, other)
        return self.errors(left, right).reshape(first + second)

    def points(self, x: Any, what: str) -> tuple[Float[Array, "n d"], tuple[int, ...]]:
        """Inputs as rows, and the shape that they give a table. Raises `ValueError` for another shape."""
        given = as_numbers(x, what).astype(float)
        rows = given.reshape(-1, 1) if given.ndim < 2 else given
        if rows.ndim != 2 or (self.inputs or rows.shape[1]) != rows.shape[1]:
            d = "d" if self.inputs is None else self.inputs
            allowed = "a number, [n] or [n, 1]" if d == 1 else f"[n, {d}]"
            raise ValueError(f"{what}: expected {allowed}, got shape {given.shape}.")
        if not isinstance(rows, Tracer) and not np.all(np.isfinite(rows)):
            raise ValueError(f"{what}: must be finite.")
        return rows, given.shape[:1]

    def both(self, x: Any, other: Any) -> Any:
        """`points` of two arguments. Raises `ValueError` where they have different numbers of inputs."""
        left, right = self.points(x, "kernel(x=...)"), self.points(other, "kernel(other=...)")
        if left[0].shape[1] != right[0].shape[1]:
            raise ValueError(f"kernel(other=...): has {right[0].shape[1]} inputs, x has {left[0].shape[1]}.")
        return left, right
