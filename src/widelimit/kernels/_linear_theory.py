"""A kernel frozen at a measure, and the residual of a start in its eigenfunctions: all that a linear theory says."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Float

from widelimit.measure import Particles, laws
from widelimit.problem import Problem
from widelimit.problem.data import require_nodes

from ._bases import Start, atoms_of, first_degree, inside, target_of
from ._decomposition import Decomposition, decompose
from ._law_nodes import edges_of, nodes_of, parts_of
from ._panels import Panels
from ._tangent import rows_of

# Largest risk of a minimiser, relative to the start's: the residual there is what (15) leaves out, 1 % of the start's.
_RISK = 1e-4
# A risk that is rounding, relative to the mean square of the targets.
_ROUNDING = 1e-24


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


class LinearTheory(eqx.Module):
    """Mode k of the residual, b_k v_k, decays as exp(-rates[k] tau); see `TangentFlow`."""

    found: Decomposition
    seen: Expansion

    @property
    def loss_factor(self) -> float:
        """k of the loss k |f - y|^2."""
        factor = self.found.problem.loss.square_factor
        assert factor is not None
        return float(factor)

    @property
    def kappa(self) -> float:
        """The factor of the output scale."""
        return float(self.found.problem.scale.factor(len(self.seen.start)))

    @property
    def speed(self) -> float:
        """2 k kappa^2: the rate of a mode of eigenvalue 1."""
        return 2.0 * self.loss_factor * self.kappa**2

    @property
    def rates(self) -> Float[np.ndarray, " r"]:
        """[r], 2 k kappa^2 S_k^2."""
        return self.speed * self.found.eigenvalues

    @property
    def losses(self) -> Float[np.ndarray, " r"]:
        """[r], k b_k^2: what each mode adds to the risk at the start."""
        return self.loss_factor * self.seen.coefficients**2

    @property
    def floor(self) -> float:
        """The risk that never falls."""
        return self.loss_factor * self.seen.left

    @property
    def risk(self) -> float:
        """The risk of the start."""
        return self.floor + float(np.sum(self.losses))

    def field(self) -> Float[np.ndarray, "N K r"]:
        """The velocity -2 k kappa b_k P INT grad phi v_k that mode k gives each particle, in the columns that move."""
        moved = self.found.displacements(np.asarray(self.seen.start.positions))
        return -(self.speed / self.kappa) * moved * self.seen.coefficients


def linear_theory(problem: Problem, start: Start, *, at: Start | None, trainable: object, who: str) -> LinearTheory:
    """The linear theory of a start, its kernel frozen at `at` (at the start itself if None).

    Raises `ValueError` as `decompose` does, and for an `at` that has no business there: a measure other than the start
    has to be a global minimiser without risk, on which yarotsky2018 (15) rests.
    """
    found = decompose(problem, start if at is None else at, trainable=trainable, who=who, start=start)
    theory = LinearTheory(found, expand(found, start, who))
    if at is not None and not bool(eqx.tree_equal(_arranged(problem, at), _arranged(problem, start))):
        _check_minimiser(theory, LinearTheory(found, expand(found, at, who)), who)
    return theory


def _arranged(problem: Problem, start: Start) -> Start:
    """The measure with its columns named and in the problem's order; a law as it is."""
    return start if isinstance(start, laws.AbstractLaw) else problem.arranged(start)


def _check_minimiser(theory: LinearTheory, here: LinearTheory, who: str) -> None:
    nodes = theory.found.problem.data.nodes
    assert nodes is not None
    y = np.asarray(nodes.y, float).reshape(len(nodes.weights), -1)
    size = theory.loss_factor * float(np.asarray(nodes.weights) @ np.sum(y**2, axis=1))
    if here.risk <= max(_RISK * theory.risk, _ROUNDING * size):
        return
    # INT |P^(1/2) grad psi|^2 d rho = 2 SUM rate_k k b_k^2, the rate at which the risk falls.
    gradient = float(np.sqrt(2.0 * np.sum(here.rates * here.losses)))
    raise ValueError(
        f"{who}: linearising around a measure asks for a global minimiser without risk (yarotsky2018 (15)); this one "
        f"has risk {here.risk:.4g} (the start: {theory.risk:.4g}) and a gradient of norm {gradient:.4g}. Train it "
        "further, or freeze the kernel at the start."
    )
