r"""Orthonormal bases of functions of x, and the features of particles in them.

`NodeBasis`: $e_q = \delta_q / \sqrt{\mu_q}$ on the data's nodes, for any unit and output. `SplineBasis`: Legendre
polynomials on panels of an interval, in which the features of a `FreeKnot` unit are integrated in closed form;
piecewise linear ones between sorted knots hold such features exactly.
"""

import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.problem import Problem

from ._panels import Panels
from ._tangent import features, mobility_root

# Share of an eigenfunction in the highest degrees, above which it is not resolved.
_TAIL = 1e-8


class NodeBasis(eqx.Module):
    """`x` [Q, d], `root` [Q]: sqrt(mu). A function is the vector of sqrt(mu_q) g(x_q), components innermost."""

    x: Float[Array, "Q d"]
    root: Float[np.ndarray, " Q"]
    panels = None

    def size(self, outputs: tuple[int, ...]) -> int:
        """The number of functions."""
        return self.x.shape[0] * math.prod(outputs)

    def resolved(self, right: Float[np.ndarray, "F r"]) -> int:
        """How many of the leading eigenfunctions are right to some ten digits."""
        return right.shape[1]

    def features(self, problem: Problem, rows: np.ndarray, columns: tuple[int, ...]) -> Float[np.ndarray, "N K F"]:
        """P^(1/2) grad phi(theta_i, .) as coefficients."""
        p = jnp.asarray(mobility_root(problem, rows, columns))
        table = np.array(features(problem, jnp.asarray(rows), p, self.x, columns))
        table *= self.root[:, None]
        return table.reshape(*table.shape[:2], -1)

    def on_nodes(self, coefficients: Float[np.ndarray, "F r"], x: Any, outputs: tuple[int, ...]) -> Any:
        """The functions at the data's nodes x, [Q, *outputs, r]."""
        seen = np.divide(1.0, self.root, out=np.zeros_like(self.root), where=self.root > 0)
        table = coefficients.reshape(len(self.root), -1, coefficients.shape[1]) * seen[:, None, None]
        return table.reshape(len(self.root), *outputs, -1)


class SplineBasis(eqx.Module):
    """Legendre polynomials on panels; `exact`: whether all features lie in their span."""

    panels: Panels
    exact: bool = eqx.field(static=True)

    def size(self, outputs: tuple[int, ...]) -> int:
        return self.panels.size

    def resolved(self, right: Float[np.ndarray, "F r"]) -> int:
        if self.exact:
            return right.shape[1]
        last = max(3, self.panels.degree // 16)
        grouped = right.reshape(self.panels.count, -1, right.shape[1])
        tails = np.sqrt(np.sum(grouped[:, -last:] ** 2, axis=(0, 1)))
        return int(np.argmax(np.append(tails, 1.0) > _TAIL))

    def on_nodes(self, coefficients: Float[np.ndarray, "F r"], x: Any, outputs: tuple[int, ...]) -> Any:
        return self.panels.combine(coefficients, np.asarray(x)[:, 0])

    def features(self, problem: Problem, rows: np.ndarray, columns: tuple[int, ...]) -> Float[np.ndarray, "N K F"]:
        root, h = mobility_root(problem, rows, columns), rows[:, -1]
        parts = []
        for column in columns:
            if column == rows.shape[1] - 1:
                charge = rows[:, :1] if rows.shape[1] == 2 else 1.0
                parts.append(-charge * self.panels.step(h))
            else:
                parts.append(self.panels.ramp(h))
        table = np.stack(parts, axis=1)
        return table * root[:, None] if root.ndim == 1 else np.einsum("nab,nbf->naf", root, table)
