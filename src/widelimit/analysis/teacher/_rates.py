r"""How fast a student comes near to each atom of its teacher: teacherstudent2020, 2.2, corrected in NOTATION.

Near rho_* = SUM alpha_j delta_{c_j} let the particles of cluster j, mass alpha_j, have the mean c_j + e_j. To first
order f - y = SUM_j alpha_j E grad phi(c_j) . e_j, and the loss k |f - y|^2 gives

$$\frac{d e_i}{dt} = -\sum_j L_{ij} e_j,\qquad L_{ij} = 2k\,P_i\,H_{ij}\,\alpha_j,\qquad
  H_{ij} = E[\nabla\phi(c_i, x)\,\nabla\phi(c_j, x)^T]$$

with the mobility P_i at c_i. With P_i = R_i R_i^T, L is similar to the symmetric
$2k\,\alpha_i^{1/2} R_i^T H_{ij} R_j \alpha_j^{1/2}$: its rates are real and not negative. The spread inside a cluster
has no linear rate: grad psi vanishes at rho_* for every theta, whatever the particles do within O(e).
"""

import dataclasses
import itertools
from typing import Any

import numpy as np
from jaxtyping import Float

from widelimit.problem import Problem

from ._atoms import teacher_atoms
from ._covariance import gradient_covariance, mobility_at
from ._measured import MeasuredRates, measure_rates

# Rates below this part of the largest are zero: closed forms and eigenvalues are good to 1e-14.
_ZERO = 1e-10
# Agreement of spectra and size of couplings that count as exact, relative to the largest eigenvalue.
_EXACT = 1e-8
# K D, the size of the matrix.
_MOST = 2000


@dataclasses.dataclass(frozen=True, repr=False)
class TeacherRates:
    r"""The linearised flow around a teacher of K atoms in R^D; times as those of `evolve`.

    - `atoms` [K, D], `masses` [K]: c_j and alpha_j, by falling mass.
    - `matrix`: L, [K D, K D]; `covariance`: H, [K, D, K, D]; `closed_form`: whether H is exact, or a sum over nodes.
    - `rates` [m]: the positive eigenvalues of L, falling: the coupled rates. `modes` [m, K, D]: the e of each, of
      length 1.
    - `neutral` [n, K, D]: directions with rate zero: the function does not see them to first order.
    - `decoupled` [K, D]: the eigenvalues of each L_jj alone, falling: what the clusters would do without each other.
    - `coupling`: the largest singular value of an H_ij, i != j, and `mismatch`: the largest difference between the
      spectra of two H_jj, both relative to the largest eigenvalue of an H_jj; 0 for one atom.
    - `ratio_exact`: whether both vanish, so that cluster i is alpha_i/alpha_j times as fast as cluster j exactly; None
      for one atom.
    - `verdict`: in words.
    """

    problem: Problem
    atoms: Float[np.ndarray, "K D"]
    masses: Float[np.ndarray, " K"]
    matrix: Float[np.ndarray, "KD KD"]
    covariance: Float[np.ndarray, "K D K D"]
    closed_form: bool
    rates: Float[np.ndarray, " m"]
    modes: Float[np.ndarray, "m K D"]
    neutral: Float[np.ndarray, "n K D"]
    decoupled: Float[np.ndarray, "K D"]
    coupling: float
    mismatch: float
    ratio_exact: bool | None
    verdict: str

    def __repr__(self) -> str:
        atoms = "1 atom" if len(self.masses) == 1 else f"{len(self.masses)} atoms"
        return f"TeacherRates({atoms} in R^{self.atoms.shape[1]}: {self.verdict})"

    def measured(self, trajectory: Any, *, near: float = 0.5) -> MeasuredRates:
        r"""The same in a run: clusters, their distances to the atoms, times and late rates.

        A particle that ends within `near` of an atom belongs to the cluster of the nearest one, for all times;
        $e_i(t)$ is the distance of the cluster's mean from c_i.

        - `trajectory`: of particles, in the problem's columns.

        Raises `ValueError` for densities on a grid, particles whose number grows, and other columns.
        """
        return measure_rates(self.problem, self.atoms, trajectory, near)


def teacher_rates(problem: Problem) -> TeacherRates:
    r"""The eigenvalues of $L_{ij} = 2k\,\alpha_j P_i E[\nabla\phi(c_i)\,\nabla\phi(c_j)^T]$: see the returned record.

    For ReLU and leaky ReLU units without bias, with or without output weight, and x centred normal or invariant under
    rotations, in closed form (Gauss-Hermite sums are some per cent off, as they see a kink); for others over the
    data's nodes.

    Raises `ValueError` for a problem without a teacher of its own unit, a loss that is not k |f - y|^2, a penalty, an
    output scale that is not the mean, teachers of negative weights or of a mass that is not 1 (a student's clusters
    cannot have those masses), atoms on a wall, and more than 2000 numbers c_j.
    """
    who = "teacher_rates(problem=...)"
    atoms, masses = teacher_atoms(problem, who)
    factor = _factor(problem, masses, who)
    if atoms.size > _MOST:
        raise ValueError(f"{who}: {len(atoms)} atoms in R^{atoms.shape[1]} are more than {_MOST} numbers.")
    h, closed = gradient_covariance(problem, atoms, who)
    if not np.all(np.isfinite(h)):
        raise ValueError(f"{who}: E[grad phi grad phi^T] is not finite at the teacher's atoms.")
    p = mobility_at(problem, atoms, who)
    count, dim = atoms.shape
    roots = np.stack([_root(one) for one in p])
    half = np.sqrt(masses)
    symmetric = factor * np.einsum("k,kad,kalb,lbe,l->kdle", half, roots, h, roots, half)
    values, vectors = np.linalg.eigh(symmetric.reshape(count * dim, -1))
    values, vectors = values[::-1], vectors[:, ::-1]
    zero = values <= _ZERO * max(values[0], 0.0)
    modes = np.einsum("kde,k,kem->mkd", roots, 1.0 / half, vectors.reshape(count, dim, -1))
    size = np.linalg.norm(modes, axis=(1, 2), keepdims=True)
    # A frozen column has no root; its direction is the vector itself.
    plain = vectors.T.reshape(-1, count, dim)
    modes = np.where(size > 1e-8 * size.max(), modes / np.where(size > 0.0, size, 1.0), plain)
    matrix = factor * np.einsum("kad,kdlb,l->kalb", p, h, masses).reshape(count * dim, -1)
    own = np.stack([np.linalg.eigvalsh(symmetric[j, :, j, :])[::-1] for j in range(count)])
    coupling, mismatch, exact = _ratio(factor * np.einsum("kad,kalb,lbe->kdle", roots, h, roots))
    found = values[~zero]
    verdict = _verdict(masses, found, int(zero.sum()), own, exact, closed)
    return TeacherRates(
        problem, atoms, masses, matrix, h, closed, found, modes[~zero], modes[zero], own, coupling, mismatch, exact,
        verdict,
    )  # fmt: skip


def _factor(problem: Problem, masses: np.ndarray, who: str) -> float:
    """2k, once the problem is one around whose teacher the flow can be linearised."""
    square = problem.loss.square_factor
    if square is None:
        raise ValueError(f"{who}: needs a loss k |f - y|^2, got {problem.loss.name!r}.")
    if problem.penalty is not None:
        raise ValueError(f"{who}: with a penalty the teacher is not at rest, and there is nothing to linearise around.")
    if not problem.scale.mean_field:
        raise ValueError(f"{who}: needs the mean-field scale; with another one a student of mass 1 is no teacher.")
    if np.any(masses < 0.0) or abs(masses.sum() - 1.0) > 1e-6:
        raise ValueError(
            f"{who}: the student's clusters have positive masses that sum to 1; those of the teacher are "
            f"{np.round(masses[:6], 6).tolist()} (sum {masses.sum():.6g}). Put signs and sizes into output weights."
        )
    return 2.0 * float(square)


def _root(p: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(p)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def _ratio(h: np.ndarray) -> tuple[float, float, bool | None]:
    """How large H_ij is beside H_jj, how far the spectra of the H_jj are apart, and whether both vanish."""
    count = len(h)
    if count < 2:
        return 0.0, 0.0, None
    own = [np.linalg.eigvalsh(h[j, :, j, :]) for j in range(count)]
    size = max(float(values[-1]) for values in own) or 1.0
    pairs = list(itertools.combinations(range(count), 2))
    coupling = max(float(np.linalg.norm(h[i, :, j, :], 2)) for i, j in pairs) / size
    mismatch = max(float(np.abs(own[i] - own[j]).max()) for i, j in pairs) / size
    return coupling, mismatch, coupling < _EXACT and mismatch < _EXACT


def _verdict(
    masses: np.ndarray, rates: np.ndarray, zero: int, own: np.ndarray, exact: bool | None, closed: bool
) -> str:
    if not len(rates):
        return f"no direction moves: all {zero} are neutral."
    fast = ", ".join(f"{mass:.3g} at {rate:.4g}" for mass, rate in zip(masses[:4], own[:4, 0], strict=True))
    parts = [
        f"coupled rates from {rates[0]:.4g} down to {rates[-1]:.4g}",
        f"alone the cluster of mass {fast}{' ...' if len(masses) > 4 else ''}",
        f"{zero} neutral directions" if zero != 1 else "1 neutral direction",
    ]
    if exact is not None:
        parts.append(
            "the clusters decouple and share their spectrum: their speeds are as their masses, exactly"
            if exact
            else "the clusters are coupled or differ in shape: speeds are as masses only roughly, and late in training "
            "all move at the slowest rate"
        )
    return "; ".join(parts) + f" ({'closed form' if closed else 'over nodes'})."
