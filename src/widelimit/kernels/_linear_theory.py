"""A kernel frozen at a measure, and the residual of a start in its eigenfunctions: all that a linear theory says."""

import equinox as eqx
import numpy as np
from jaxtyping import Float

from widelimit.measure import laws
from widelimit.problem import Problem

from ._choice import Start
from ._decomposition import Decomposition, decompose
from ._residual import Expansion, expand

# Largest risk of a minimiser, relative to the start's: the residual there is what (15) leaves out, 1 % of the start's.
_RISK = 1e-4
# A risk that is rounding, relative to the mean square of the targets.
_ROUNDING = 1e-24


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
