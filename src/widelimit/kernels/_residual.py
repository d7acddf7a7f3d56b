"""The residual of a start in the eigenfunctions of a decomposition."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Float

from widelimit.measure import Particles, laws
from widelimit.problem import Problem
from widelimit.problem.data import require_nodes

from ._choice import Start, atoms_of, first_degree, inside, target_of
from ._decomposition import Decomposition
from ._law_nodes import edges_of, nodes_of, parts_of
from ._panels import Panels
from ._tangent import rows_of


class Expansion(eqx.Module):
    """A residual z = f - y in the eigenfunctions: `coefficients` <v_k, z> [r], `left` |z|^2 outside of their span.

    `start` is what it came from, as particles (Gauss nodes of a law); `prediction` f on the data's nodes.
    """

    coefficients: Float[np.ndarray, " r"]
    left: float
    start: Particles
    prediction: Float[np.ndarray, "Q ..."]


def expand(found: Decomposition, start: Start, who: str) -> Expansion:
    """The residual of a start in the eigenfunctions of a decomposition."""
    problem = found.problem
    nodes = require_nodes(problem.data, who)
    function, kinks, carrier = _prediction(problem, start, who)
    prediction = function(np.asarray(nodes.x))
    if found.basis.panels is not None:
        target, ends = target_of(problem)
        cuts = np.concatenate([kinks, ends])
        whole, left = found.basis.panels.project(lambda x: function(x[:, None]) - target(x), cuts)
    else:
        z = (prediction - np.asarray(nodes.y, float)).reshape(len(prediction), -1)
        whole, left = (found.basis.root[:, None] * z).ravel(), 0.0
    if not np.isfinite(left) or not np.all(np.isfinite(whole)):
        raise ValueError(f"{who}: the residual f - y is not finite, so it has no expansion.")
    coefficients = found.right.T @ whole
    left += float(np.sum((whole - found.right @ coefficients) ** 2))
    return Expansion(coefficients, left, carrier, prediction)


def _prediction(
    problem: Problem, start: Start, who: str
) -> tuple[Callable[[np.ndarray], np.ndarray], np.ndarray, Particles]:
    """f of inputs [n, d], the places where it has kinks, and the particles that stand for the start."""
    start = atoms_of(start)
    if not isinstance(start, laws.AbstractLaw) or not problem.integrals.exact:
        rows, w = rows_of(problem, start, who)
        carrier = Particles(rows, w, blocks=problem.blocks)
        return lambda x: np.asarray(problem.predict(carrier, x)), rows[:, -1], carrier
    parts = parts_of(problem, start, who)
    data: Any = problem.data
    ends = np.array([data.lower, data.upper])
    edges = inside(np.concatenate([ends, edges_of(parts)]), ends)
    panels = Panels(edges, first_degree(edges))
    carrier = nodes_of(problem, parts, panels.edges, panels.degree + 2)
    rows = np.asarray(carrier.positions)
    share = np.asarray(carrier.weights) * (rows[:, 0] if problem.dim == 2 else 1.0)
    # f is integrated over the law in the basis: at a place x inside a piece of the law, nodes of h would see a kink.
    f = problem.scale.factor(len(carrier)) * (share @ panels.ramp(rows[:, -1]))
    return lambda x: panels.combine(np.asarray(f)[:, None], x[:, 0])[:, 0], panels.edges, carrier
