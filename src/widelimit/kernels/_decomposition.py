r"""The singular values of a measure's features: every linear theory's spectrum.

J [N K, F] has one row for each parameter that moves, $\sqrt{\rho_i}\,P^{1/2} \partial_a \phi(\theta_i, \cdot)$, in an
orthonormal basis of functions of x. With $J = U S V^T$ the tangent kernel is $M = J^T J = V S^2 V^T$: eigenvalues S^2,
eigenfunctions V. The operator of the parameters, $J J^T = U S^2 U^T$, has the same non-zero ones: it is K~ of
yarotsky2018 (24) when the output weight moves alone, and R of (16) in the coordinates of displacements. S, not the
eigenvalues of J^T J, is computed: an eigenvalue of 1e-5 of the largest then keeps its digits.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from widelimit.measure import Measure, Particles, laws, split
from widelimit.problem import Problem, losses, moving_columns
from widelimit.problem.data import require_nodes

from ._bases import NodeBasis, SplineBasis
from ._law_nodes import edges_of, nodes_of, parts_of
from ._panels import Panels
from ._tangent import features, inputs_of, mobility_root, rows_of, scaled

# Numbers in J, and the smaller of its sides: 1 GB, and a minute.
_ENTRIES, _SIDE = 2**27, 4096
# Numbers in a table of gradients at new inputs.
_PIECE = 2**22
# More knots than this are projected onto polynomials instead of held one by one.
_KNOTS = 512
# Polynomials in all, at first; and the highest degree on a panel.
_POLYNOMIALS, _LEAST, _DEGREE = 128, 24, 512
# Share of an eigenfunction in the highest degrees, above which it is not resolved.
_TAIL = 1e-8
# What of the target the basis may leave out before its degree is raised, relative, in square norm: rounding of the
# quadrature is 1e-28.
_LEFT = 1e-25

Start = Measure | laws.AbstractLaw


class Decomposition(eqx.Module):
    r"""$J = U S V^T$ of a problem's features under a measure.

    - `measure`: the particles that carry the kernel (Gauss nodes of a law).
    - `columns`: the columns of a row that move; `basis`: of functions of x.
    - `singular`: S [r], descending, those above rounding; `right`: V [F, r].
    """

    problem: Problem
    measure: Particles
    basis: NodeBasis | SplineBasis
    singular: Float[np.ndarray, " r"]
    right: Float[np.ndarray, "F r"]
    columns: tuple[int, ...] = eqx.field(static=True)

    @property
    def eigenvalues(self) -> Float[np.ndarray, " r"]:
        """S^2, those of M."""
        return self.singular**2

    def gradients(self, rows: np.ndarray) -> Float[np.ndarray, "N K r"]:
        r"""$P^{1/2}\int \nabla\phi(\theta, x)\,v_k(x)\,\mu(dx)$ for any theta, in the columns that move."""
        return self.basis.features(self.problem, rows, self.columns) @ self.right

    def displacements(self, rows: np.ndarray) -> Float[np.ndarray, "N K r"]:
        r"""$P\int \nabla\phi(\theta, x)\,v_k(x)\,\mu(dx)$: where a residual v_k drives a particle, up to -2 k kappa."""
        return scaled(mobility_root(self.problem, rows, self.columns), self.gradients(rows))

    def eigenfunctions(self, x: Any, who: str) -> Float[np.ndarray, "n ... r"]:
        r"""$v_k(x)$, orthonormal in L2(mu).

        In a spline's interval by its polynomials; else $v_k(x) = \frac{1}{S_k^2} \int \nabla\phi(\theta, x) \cdot P
        \int \nabla\phi(\theta, x')\,v_k(x')\,\mu(dx')\,\rho(d\theta)$.
        """
        points = np.asarray(inputs_of(self.problem, x, who))
        if isinstance(self.basis, SplineBasis):
            edges = self.basis.panels.edges
            if not np.all((points >= edges[0]) & (points <= edges[-1])):
                raise ValueError(f"{who}: must lie in [{edges[0]:g}, {edges[-1]:g}].")
            return self.basis.panels.combine(self.right, points[:, 0])
        rows, w = np.asarray(self.measure.positions), np.asarray(self.measure.weights)
        pull = (w[:, None, None] * self.gradients(rows)).reshape(-1, len(self.singular)) / self.eigenvalues
        root = jnp.asarray(mobility_root(self.problem, rows, self.columns))
        piece = max(1, _PIECE // len(pull))
        parts = [
            np.asarray(features(self.problem, jnp.asarray(rows), root, jnp.asarray(some), self.columns))
            for some in (points[i : i + piece] for i in range(0, len(points), piece))
        ]
        values = [np.tensordot(part.reshape(len(pull), *part.shape[2:]), pull, axes=((0,), (0,))) for part in parts]
        return np.concatenate(values).reshape(len(points), *self.problem.data.outputs, -1)

    def on_nodes(self) -> Float[np.ndarray, "Q ... r"]:
        """v_k on the data's nodes, [Q, *outputs, r]."""
        if isinstance(self.basis, NodeBasis):
            return self.basis.on_nodes(self.right, self.problem.data.outputs)
        nodes = require_nodes(self.problem.data, "the tangent kernel")
        return self.basis.panels.combine(self.right, np.asarray(nodes.x)[:, 0])

    @property
    def resolved(self) -> int:
        """How many of the leading eigenfunctions are right to some ten digits: all, but for polynomials of a degree."""
        if isinstance(self.basis, NodeBasis) or self.basis.exact:
            return len(self.singular)
        last = max(3, self.basis.panels.degree // 16)
        grouped = self.right.reshape(self.basis.panels.count, -1, len(self.singular))
        tails = np.sqrt(np.sum(grouped[:, -last:] ** 2, axis=(0, 1)))
        return int(np.argmax(np.append(tails, 1.0) > _TAIL))


class Expansion(eqx.Module):
    """A residual z = f - y in the eigenfunctions: `coefficients` <v_k, z> [r], `left` |z|^2 outside of their span.

    `start` is what it came from, as particles (Gauss nodes of a law); `prediction` f on the data's nodes.
    """

    coefficients: Float[np.ndarray, " r"]
    left: float
    start: Particles
    prediction: Float[np.ndarray, "Q ..."]


def decompose(problem: Problem, measure: Start, *, trainable: Any, who: str, start: Start | None = None) -> Decomposition:
    """The decomposition of J for a measure, or for a law where its integrals are exact.

    `start`: where a residual will come from; its breakpoints are put into the basis. Raises `ValueError` for what has no
    linear theory, for a kernel that is not finite, and for more than the stated memory.
    """
    check_linear(problem, who)
    for given in (measure, start):
        if isinstance(given, laws.AbstractLaw) and problem.scale.factor(2) != problem.scale.factor(4):
            raise ValueError(f"{who}: the output scale depends on the number of particles, and a law has none.")
    columns = moving_columns(problem, trainable)
    basis, carrier = _basis(problem, measure, start, who)
    rows, w = np.asarray(carrier.positions, float), np.asarray(carrier.weights, float)
    width = basis.panels.size if isinstance(basis, SplineBasis) else basis.x.shape[0] * int(np.prod(problem.data.outputs))
    height = rows.shape[0] * len(columns)
    if height * width > _ENTRIES or min(height, width) > _SIDE:
        raise ValueError(
            f"{who}: the features of {rows.shape[0]} particles x {len(columns)} parameters on {width} data numbers are "
            f"more than the decomposition can hold ({_ENTRIES:.2g} numbers, the smaller side {_SIDE}); take fewer "
            "particles (law.quantise(n)) or data, or fewer trainable blocks."
        )
    table = basis.features(problem, rows, columns)
    _check_finite(problem, table, rows, columns, who)
    table *= np.sqrt(np.abs(w))[:, None, None]
    singular, right = _right_svd(table.reshape(height, width))
    return Decomposition(problem, carrier, basis, singular, right, columns)


def expand(found: Decomposition, start: Start, who: str) -> Expansion:
    """The residual of a start in the eigenfunctions of a decomposition."""
    problem = found.problem
    nodes = require_nodes(problem.data, who)
    function, kinks, carrier = _prediction(problem, start, who)
    prediction = function(np.asarray(nodes.x))
    if isinstance(found.basis, SplineBasis):
        target, ends = _target(problem)
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


def check_linear(problem: Problem, who: str) -> None:
    """Raise `ValueError` where the flow in function space is not linear."""
    if losses.square_factor(problem.loss) is None:
        raise ValueError(
            f"{who}: only a squared loss has linear dynamics, the problem's is {problem.loss.name!r}; use "
            "losses.squared(k)."
        )
    if problem.penalty is not None:
        raise ValueError(f"{who}: the linear theory has no penalty, the problem has one.")
    if not problem.domain.unconstrained:
        raise ValueError(f"{who}: the linear theory knows no walls, the problem's domain has some.")
    require_nodes(problem.data, who)


def _basis(problem: Problem, measure: Start, start: Start | None, who: str) -> tuple[NodeBasis | SplineBasis, Particles]:
    exact = problem.spline is not None and problem.mobility.scales(_theta(problem)) is not None
    law = isinstance(measure, laws.AbstractLaw)
    if not exact:
        nodes = require_nodes(problem.data, who)
        rows, w = rows_of(problem, measure, who)
        return NodeBasis(nodes.x.astype(float), np.sqrt(np.asarray(nodes.weights, float))), Particles(rows, w)
    data: Any = problem.data
    ends = np.array([data.lower, *data.breaks, data.upper])
    if law and measure.n_atoms is None:
        parts = parts_of(problem, measure, who)
        edges = _inner(np.concatenate([ends, edges_of(parts), _law_edges(problem, start, who)]), ends)
        panels = _resolved(problem, edges)
        return SplineBasis(panels, False), nodes_of(problem, parts, panels.edges, panels.degree + 2)
    carrier = measure.quantise(measure.n_atoms or 1) if isinstance(measure, laws.AbstractLaw) else measure
    rows, w = rows_of(problem, carrier, who)
    edges = _inner(np.concatenate([ends, rows[:, -1], _law_edges(problem, start, who)]), ends)
    if len(edges) <= _KNOTS + 2:
        return SplineBasis(Panels(edges, 1), True), Particles(rows, w)
    return SplineBasis(_resolved(problem, ends), False), Particles(rows, w)


def _resolved(problem: Problem, edges: np.ndarray) -> Panels:
    """Panels of a degree that holds the target to rounding, and at least some hundred polynomials in all."""
    target, ends = _target(problem)
    degree = int(np.clip(_POLYNOMIALS // (len(edges) - 1), _LEAST, _POLYNOMIALS))
    while True:
        panels = Panels(edges, degree)
        coefficients, left = panels.project(target, ends)
        if left <= _LEFT * (left + float(coefficients @ coefficients)) or degree >= _DEGREE:
            return panels
        degree *= 2


def _target(problem: Problem) -> tuple[Callable[[np.ndarray], np.ndarray], np.ndarray]:
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
    if not isinstance(start, laws.AbstractLaw) or start.n_atoms is not None:
        return np.zeros(0)
    return edges_of(parts_of(problem, start, who))


def _inner(points: np.ndarray, ends: np.ndarray) -> np.ndarray:
    return np.unique(points[(points >= ends[0]) & (points <= ends[-1])])


def _prediction(
    problem: Problem, start: Start, who: str
) -> tuple[Callable[[np.ndarray], np.ndarray], np.ndarray, Particles]:
    """f of inputs [n, d], the places where it has kinks, and the particles that stand for the start."""
    if isinstance(start, laws.AbstractLaw) and start.n_atoms is not None:
        start = start.quantise(start.n_atoms)
    if not isinstance(start, laws.AbstractLaw) or problem.spline is None:
        rows, w = rows_of(problem, start, who)
        carrier = Particles(rows, w, blocks=problem.blocks)
        return lambda x: np.asarray(problem.predict(carrier, x)), rows[:, -1], carrier
    parts = parts_of(problem, start, who)
    data: Any = problem.data
    ends = np.array([data.lower, data.upper])
    edges = _inner(np.concatenate([ends, edges_of(parts)]), ends)
    panels = Panels(edges, int(np.clip(_POLYNOMIALS // (len(edges) - 1), _LEAST, _POLYNOMIALS)))
    carrier = nodes_of(problem, parts, panels.edges, panels.degree + 2)
    rows = np.asarray(carrier.positions)
    share = np.asarray(carrier.weights) * (rows[:, 0] if problem.dim == 2 else 1.0)
    # f is integrated over the law in the basis: at a place x inside a piece of the law, nodes of h would see a kink.
    f = problem.scale.factor(len(carrier)) * (share @ panels.ramp(rows[:, -1]))
    return lambda x: panels.combine(f[:, None], x[:, 0])[:, 0], panels.edges, carrier


def _right_svd(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """S and V of a table, above rounding; each v_k with its largest entry positive."""
    rows, width = table.shape
    outer = None
    if rows > 2 * width:
        table = np.linalg.qr(table, mode="r")
    elif width > 2 * rows:
        outer, upper = np.linalg.qr(table.T)
        table = upper.T
    _, singular, vt = np.linalg.svd(table, full_matrices=False)
    kept = singular > max(rows, width) * np.finfo(float).eps * np.max(singular, initial=0.0)
    right = vt[kept].T if outer is None else outer @ vt[kept].T
    lead = right[np.argmax(np.abs(right), axis=0), np.arange(right.shape[1])]
    return singular[kept], right * np.sign(lead)


def _check_finite(problem: Problem, table: np.ndarray, rows: np.ndarray, columns: tuple[int, ...], who: str) -> None:
    bad = ~np.isfinite(np.sum(table**2, axis=2))
    if not bad.any():
        return
    i, k = (int(j) for j in np.argwhere(bad)[0])
    names = [f"{b.name}[{j}]" if b.shape else b.name for b in problem.blocks for j in range(b.size)]
    raise ValueError(
        f"{who}: the tangent kernel diverges: INT |d phi/d {names[columns[k]]}|^2 dmu is not finite at particle {i} = "
        f"{rows[i].tolist()[:6]} ({int(bad.any(axis=1).sum())} such particles)."
    )


def _theta(problem: Problem) -> Any:
    return split(problem.blocks, jnp.zeros((1, problem.dim)))
