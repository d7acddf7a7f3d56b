r"""The singular values of a measure's features: every linear theory's spectrum.

J [N K, F] has one row for each parameter that moves, $\sqrt{\rho_i}\,P^{1/2} \partial_a \phi(\theta_i, \cdot)$, in an
orthonormal basis of functions of x. With $J = U S V^T$ the tangent kernel is $M = J^T J = V S^2 V^T$: eigenvalues S^2,
eigenfunctions V. The operator of the parameters, $J J^T = U S^2 U^T$, has the same non-zero ones: it is K~ of
yarotsky2018 (24) when the output weight moves alone, and R of (16) in the coordinates of displacements. S, not the
eigenvalues of J^T J, is computed: an eigenvalue of 1e-5 of the largest then keeps its digits.
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from widelimit.measure import Particles, laws
from widelimit.problem import Problem, moving_columns
from widelimit.problem.data import require_nodes

from ._bases import NodeBasis, SplineBasis, Start, choose_basis
from ._tangent import features, inputs_of, mobility_root, scaled

# Numbers in J, and the smaller of its sides: 1 GB, and a minute.
_ENTRIES, _SIDE = 2**27, 4096
# Numbers in a table of gradients at new inputs.
_PIECE = 2**22


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
        if self.basis.panels is not None:
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
        x = require_nodes(self.problem.data, "the tangent kernel").x
        return self.basis.on_nodes(self.right, x, self.problem.data.outputs)

    @property
    def resolved(self) -> int:
        """How many of the leading eigenfunctions are right to some ten digits: all, but for polynomials of a degree."""
        return self.basis.resolved(self.right)


def decompose(
    problem: Problem, measure: Start, *, trainable: Any, who: str, start: Start | None = None
) -> Decomposition:
    """The decomposition of J for a measure, or for a law where its integrals are exact.

    `start`: where a residual will come from; its breakpoints are put into the basis. Raises `ValueError` for what has
    no linear theory, for a kernel that is not finite, and for more than the stated memory.
    """
    check_linear(problem, who)
    for given in (measure, start):
        if isinstance(given, laws.AbstractLaw) and not problem.scale.mean_field:
            raise ValueError(f"{who}: the output scale depends on the number of particles, and a law has none.")
    columns = moving_columns(problem, trainable)
    basis, carrier = choose_basis(problem, measure, start, who)
    rows, w = np.asarray(carrier.positions, float), np.asarray(carrier.weights, float)
    width = basis.size(problem.data.outputs)
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


def check_linear(problem: Problem, who: str) -> None:
    """Raise `ValueError` where the flow in function space is not linear."""
    problem.two_layer(who)
    if problem.loss.square_factor is None:
        raise ValueError(
            f"{who}: only a squared loss has linear dynamics, the problem's is {problem.loss.name!r}; use "
            "losses.squared(k)."
        )
    if problem.penalty is not None:
        raise ValueError(f"{who}: the linear theory has no penalty, the problem has one.")
    if not problem.domain.flat:
        raise ValueError(f"{who}: the linear theory knows no walls, the problem's domain has some.")
    require_nodes(problem.data, who)


def _right_svd(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """S and V of a table, above rounding; each v_k with its largest entry positive."""
    rows, width = table.shape
    outer = None
    if rows > 2 * width:
        table = np.asarray(np.linalg.qr(table, mode="r"))
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
