r"""Orthonormal bases of functions of x, the features of particles in them, and which basis suits a problem.

`NodeBasis`: $e_q = \delta_q / \sqrt{\mu_q}$ on the data's nodes, for any unit and output. `SplineBasis`: Legendre
polynomials on panels of an interval, in which the features of a `FreeKnot` unit are integrated in closed form;
piecewise linear ones between sorted knots hold such features exactly.
"""

import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.measure import Measure, Particles, laws, split
from widelimit.problem import Problem
from widelimit.problem.data import require_nodes

from ._law_nodes import edges_of, nodes_of, parts_of
from ._panels import Panels
from ._tangent import features, mobility_root, rows_of

# Share of an eigenfunction in the highest degrees, above which it is not resolved.
_TAIL = 1e-8
# More knots than this are projected onto polynomials instead of held one by one.
_KNOTS = 512
# Polynomials in all, at first; and the highest degree on a panel.
_POLYNOMIALS, _LEAST, _DEGREE = 128, 24, 512
# What of the target the basis may leave out before its degree is raised, relative, in square norm: rounding of the
# quadrature is 1e-28.
_LEFT = 1e-25

# Edges of panels closer than this, in lengths of the interval, are one.
_SAME = 1e-14

Start = Measure | laws.AbstractLaw


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


def choose_basis(
    problem: Problem, measure: Start, start: Start | None, who: str
) -> tuple[NodeBasis | SplineBasis, Particles]:
    measure = atoms_of(measure)
    exact = problem.integrals.exact and problem.mobility.scales(_theta(problem)) is not None
    if not exact:
        nodes = require_nodes(problem.data, who)
        rows, w = rows_of(problem, measure, who)
        return NodeBasis(nodes.x.astype(float), np.sqrt(np.asarray(nodes.weights, float))), Particles(rows, w)
    data: Any = problem.data
    ends = np.array([data.lower, *data.breaks, data.upper])
    if isinstance(measure, laws.AbstractLaw):
        parts = parts_of(problem, measure, who)
        edges = inside(np.concatenate([ends, edges_of(parts), _law_edges(problem, start, who)]), ends)
        panels = _resolved(problem, edges)
        return SplineBasis(panels, False), nodes_of(problem, parts, panels.edges, panels.degree + 2)
    rows, w = rows_of(problem, measure, who)
    edges = inside(np.concatenate([ends, rows[:, -1], _law_edges(problem, start, who)]), ends)
    if len(edges) <= _KNOTS + 2:
        return SplineBasis(Panels(edges, 1), True), Particles(rows, w)
    return SplineBasis(_resolved(problem, ends), False), Particles(rows, w)


def atoms_of(start: Start) -> Start:
    """A law of finitely many atoms as these atoms; everything else as it is."""
    if isinstance(start, laws.AbstractLaw) and start.n_atoms is not None:
        return start.quantise(start.n_atoms)
    return start


def _resolved(problem: Problem, edges: np.ndarray) -> Panels:
    """Panels of a degree that holds the target to rounding, and at least some hundred polynomials in all."""
    target, ends = target_of(problem)
    degree = first_degree(edges)
    while True:
        panels = Panels(edges, degree)
        coefficients, left = panels.project(target, ends)
        if left <= _LEFT * (left + float(coefficients @ coefficients)) or degree >= _DEGREE:
            return panels
        degree *= 2


def first_degree(edges: np.ndarray) -> int:
    """Of polynomials that are some hundred in all."""
    return int(np.clip(_POLYNOMIALS // (len(edges) - 1), _LEAST, _POLYNOMIALS))


def target_of(problem: Problem) -> tuple[Callable[[np.ndarray], np.ndarray], np.ndarray]:
    """y on the interval, from the polynomials that the data hold, on the host; and the ends of their panels."""
    panels = problem.data.panels
    assert panels is not None
    ends = np.asarray(panels.ends)
    return type(panels)(ends, np.asarray(panels.coefficients)).at, ends


def _law_edges(problem: Problem, start: Start | None, who: str) -> np.ndarray:
    """The places where the prediction of a law is not smooth."""
    start = None if start is None else atoms_of(start)
    return edges_of(parts_of(problem, start, who)) if isinstance(start, laws.AbstractLaw) else np.zeros(0)


def inside(points: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Sorted edges of panels: the points between the ends, those that differ by rounding taken for one."""
    least = _SAME * (ends[-1] - ends[0])
    kept = np.unique(points[(points > ends[0] + least) & (points < ends[-1] - least)])
    kept = kept[np.diff(kept, prepend=ends[0]) > least]
    return np.concatenate([ends[:1], kept, ends[-1:]])


def _theta(problem: Problem) -> Any:
    return split(problem.blocks, jnp.zeros((1, problem.dim)))
