"""The basis that suits a problem and a measure, and the particles that carry the measure's kernel in it."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from widelimit.measure import Measure, Particles, laws, split
from widelimit.problem import Problem
from widelimit.problem.data import require_nodes

from ._bases import NodeBasis, SplineBasis
from ._law_nodes import edges_of, nodes_of, parts_of
from ._panels import Panels
from ._tangent import rows_of

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
    """y on the interval, from the polynomials that the data holds (in powers of the place in a panel), and their ends.

    On the host: a compilation would take longer than all the rest.
    """
    data: Any = problem.data
    ends, rows = np.asarray(data.ends), np.asarray(data.coefficients)

    def target(x: np.ndarray) -> np.ndarray:
        panel = np.clip(np.searchsorted(ends, x, side="right") - 1, 0, len(ends) - 2)
        u = (2.0 * x - ends[panel] - ends[panel + 1]) / (ends[panel + 1] - ends[panel])
        out = np.zeros_like(u)
        for row in rows[::-1]:
            out = out * u + row[panel]
        return out

    return target, ends


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
