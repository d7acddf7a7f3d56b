"""Does a fixed point of atoms attract what starts near it, and how fast?"""

import dataclasses

import numpy as np
from jaxtyping import Float

from widelimit.measure import Measure
from widelimit.numerics import real_number
from widelimit.problem import Problem

from .._measures import check_mean
from ._atoms import atoms
from ._linearisation import Linearisation, linearise
from ._verdict import Fixed


@dataclasses.dataclass(frozen=True)
class Stability:
    """The linearised motion around a measure of atoms, in the time tau (xi = 1), and what follows from it.

    - `stable`: True when every rate is positive; False when one is negative; None when one is zero within the
      tolerance (Theorem 6 asks for strictly positive ones), and where the measure is not a fixed point.
    - `verdict`: what follows, and by which theorem, in words.
    - `is_stationary`, `residual`: |grad psi| in the directions that can move, over the same integral with absolute
      values, largest over the atoms.
    - `rates`: all rates of the atoms' centres, ascending: a small displacement of the centres along the k-th mode
      decays as exp(-rates[k] tau). Infinite for a parameter that is pushed against a wall, which it reaches in finite
      time; zero for one at infinity. Frozen parameters (mobility zero) have none.
    - `spread_rates`: [N, D], the eigenvalues of P Hess psi at each atom, ascending: the variance of a small cloud
      around atom i decays as exp(-2 spread_rates[i, k] tau). Infinite and zero as in `rates`; NaN for what is frozen.
    - `hessians`: [N, D, D], Hess psi at each atom; zero for parameters at infinity.
    - `positions` [N, D], `weights` [N]: the atoms, heaviest first; atom 0 in `verdict` is the first of them.
    """

    stable: bool | None
    verdict: str
    is_stationary: bool
    residual: float
    rates: Float[np.ndarray, " K"]
    spread_rates: Float[np.ndarray, "N D"] = dataclasses.field(repr=False)
    hessians: Float[np.ndarray, "N D D"] = dataclasses.field(repr=False)
    positions: Float[np.ndarray, "N D"] = dataclasses.field(repr=False)
    weights: Float[np.ndarray, " N"] = dataclasses.field(repr=False)


def stability(problem: Problem, measure: Measure, *, tolerance: float = 1e-6, merge: float = 1e-6) -> Stability:
    r"""The rates at which a fixed point of atoms attracts or repels (mei2018 Theorems 6 and 7).

    $$\mathrm{mean}:\ \dot\delta_i = -P\Big[\nabla^2\psi(\theta_i)\,\delta_i + \sum_j p_j \partial_1 \partial_2
    \tfrac{\delta^2 R}{\delta\rho^2}(\theta_i, \theta_j)\,\delta_j\Big],\qquad
    \mathrm{spread}:\ \dot\Sigma_i = -P\,\nabla^2\psi(\theta_i)\,\Sigma_i - \Sigma_i\,\nabla^2\psi(\theta_i)\,P.$$

    In mei2018's symbols a single atom's variance decays at 4 H_0, its mean at 2 (H_0 + d_1 d_2 U).

    **Arguments**

    - `measure`: atoms, or particles that have come together to atoms.
    - `tolerance`: below which a gradient (relative to the same integral with absolute values) and a rate (relative to
      the largest) count as zero.
    - `merge`: particles closer than this, times 1 + |theta|, become one atom; parameters as close to a wall are put on
      it.

    **Raises** `ValueError` for a network that is no two-layer mean, a unit with kinks (automatic differentiation takes
    its second derivative for zero), a non-smooth penalty, data without nodes, an output scale without a limit, and more
    than 3,000 parameters in all.
    """
    check_mean(problem, "stability")
    check(problem, tolerance, merge, "stability")
    rho = atoms(problem, measure, merge, "stability")
    found = linearise(problem, rho, tolerance)
    spread, rates = _spread_rates(found), _rates(found)
    zero = tolerance * _largest(found)
    stationary = found.residual <= tolerance
    if stationary:
        stable, verdict = Fixed(problem, rho, found, spread, rates, zero).verdict()
    else:
        stable = None
        verdict = (
            f"Not a fixed point: the force on an atom is {found.residual:.2g} of its parts (tolerance "
            f"{tolerance:.2g}), so its rates say nothing."
        )
    rows, p, hessian = np.asarray(rho.positions), np.asarray(rho.weights), found.expansion.hessian
    return Stability(stable, verdict, stationary, found.residual, rates, spread, hessian, rows, p)


def check(problem: Problem, tolerance: float, merge: float, who: str) -> None:
    """Raise `ValueError` where the motion has no linearisation."""
    problem.integrals.require_deterministic(who)
    if problem.rough:
        raise ValueError(
            f"{who}(problem=...): the unit has kinks, where automatic differentiation takes the second derivative "
            "for zero; reduce the problem by its symmetry (problem.reduced()) or take a smooth activation."
        )
    if not problem.smooth:
        raise ValueError(f"{who}(problem=...): a non-smooth penalty has no Hessian.")
    if not problem.scale.mean_field:
        raise ValueError(f"{who}(problem=...): this output scale depends on N; use scales.MeanField().")
    real_number(tolerance, f"{who}(tolerance=...)", above=0.0, below=1.0)
    real_number(merge, f"{who}(merge=...)", least=0.0)


def _spread_rates(found: Linearisation) -> Float[np.ndarray, "N D"]:
    """Eigenvalues of A_i^T H_i A_i on the columns that move, then the walls' infinities and the zeros at infinity."""
    out = np.full(found.held.shape, np.nan)
    for i, (local, moves) in enumerate(zip(found.local, found.moves, strict=True)):
        values = np.linalg.eigvalsh(local[np.ix_(moves, moves)])
        known = np.concatenate([values, np.zeros(found.far[i].sum()), np.full(found.held[i].sum(), np.inf)])
        out[i, : len(known)] = np.sort(known)
    return out


def _rates(found: Linearisation) -> Float[np.ndarray, " K"]:
    values = np.linalg.eigvalsh(found.matrix)
    return np.sort(np.concatenate([values, np.zeros(found.far.sum()), np.full(found.held.sum(), np.inf)]))


def _largest(found: Linearisation) -> float:
    """What a rate is compared with: all parts of the matrix, before they cancel."""
    n = np.arange(len(found.frames))
    coupling = found.expansion.coupling[n, :, n, :]
    own = np.einsum("nak,nab,nbl->nkl", found.frames, coupling, found.frames)
    return max(float(np.max(np.abs(found.local))), float(np.max(np.abs(own))))
