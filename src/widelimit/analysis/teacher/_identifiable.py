r"""What a student of zero loss shares with its teacher: teacherstudent2020, Examples 1 to 3, corrected in NOTATION.

Zero loss is $\int \sigma(\theta \cdot x)\,\nu(d\theta) = 0$ for the difference nu = rho - rho_*, weighted with output
weights where the unit has them (Example 3). On each line x = s u it is a statement about the law of u . theta, so by
Cramer and Wold that of one input carries over to R^d: the even part of sigma sees the even part of nu, the odd the odd.

- Gaussian: the whole even part. z^2: of it only the second moment.
- tanh, erf, sigmoid minus 1/2: the whole odd part. z: only the first moment.
- softplus = z/2 + even: the first moment and the whole even part.
- ReLU = (z + |z|)/2: the first moment and the even part of the radial moment m(u), that is m(u) + m(-u). On the sphere
  S^(d-1), of area |S| = 2 pi^(d/2)/Gamma(d/2), its kernel (u . v)_+ has the eigenvalues

$$\lambda_0 = \frac{|S|\,\Gamma(d/2)}{2\sqrt\pi\,\Gamma((d+1)/2)},\quad \lambda_1 = \frac{|S|}{2d},\quad
\lambda_3 = \lambda_5 = \dots = 0,\quad
\lambda_k = \frac{|S|\,(-1)^{k/2-1}\,\Gamma(d/2)\,\Gamma(k-1)}{\sqrt\pi\,2^k\,\Gamma(k/2)\,\Gamma((k+d+1)/2)}$$

for even k >= 2.
"""

import dataclasses
import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from widelimit.measure import Particles
from widelimit.problem import Problem

from . import _parts as parts
from ._compare import StudentComparison, compared
from ._covariance import plain_ramp
from ._null_space import NullSpace, null_space
from ._parts import Quantity
from ._theorem import ZeroLossTheorem, theorem

# Degrees of the harmonics that `compare` looks at; the spectrum goes further.
_COMPARED = 8
_DEGREES = 16


@dataclasses.dataclass(frozen=True, repr=False)
class Identifiable:
    r"""What the function of a network fixes of its measure, and what it leaves free.

    - `shared`, `free`: names of the parts of the measure that every student of zero loss shares with its teacher, and
      of those it need not; both empty where the unit is not known to be sigma(w . x) with a known parity.
    - `spectrum` [17]: for ReLU-like units, the eigenvalues $\lambda_0, \dots, \lambda_{16}$ of sigma(u . v) on the
      sphere in R^d (for d = 1, where the sphere is two points, lambda_0 and lambda_1); else None.
    - `verdict`: in words.

    Of the first-order expansion of a wide residual network, `whole`, it speaks of the measure without its levels, which
    `problem` is about: (11) of teacherstudent2020. Measures may have the level as a column or not.

    It holds for the function on all of R^d, that is for data with a positive density, and sigma(w . x) of degree 1
    for data in every direction. Finitely many inputs fix less: `null_space` says what they see on a support.
    """

    problem: Problem
    seen: tuple[Quantity, ...]
    unseen: tuple[Quantity, ...]
    spectrum: Float[np.ndarray, " K"] | None
    verdict: str
    whole: Problem | None = None

    @property
    def shared(self) -> tuple[str, ...]:
        return tuple(part.name for part in self.seen)

    @property
    def free(self) -> tuple[str, ...]:
        return tuple(part.name for part in self.unseen)

    def __repr__(self) -> str:
        return f"Identifiable({self.verdict})"

    def compare(self, student: Any, teacher: Any = None, *, tolerance: float = 0.05) -> StudentComparison:
        """Two measures beside each other: what they share, what they need not, what they should and do not.

        - `student`: a measure in the problem's columns; `teacher`: another one, by default `problem.teacher`.
        - `tolerance`: the part of the teacher's own size up to which a difference counts as none.

        Raises `ValueError` for measures with other columns and for numbers that are not finite.
        """
        return compared(
            self.problem,
            self.seen,
            self.unseen,
            self._flat(student),
            None if teacher is None else self._flat(teacher),
            tolerance,
            self.spectrum,
        )

    def null_space(self, support: Any, *, tolerance: float = 1e-6) -> NullSpace:
        """The null space of the features of a support, for any unit, on the data's nodes.

        - `support`: a measure in the problem's columns; its weights do not matter, nor do output weights.
        - `tolerance`: the singular value, relative to the largest, below which a charge counts as invisible.

        Raises `ValueError` for data without nodes, and for more points than the nodes can tell apart.
        """
        return null_space(self.problem, self._flat(support), tolerance)

    def stationary(self, end: Any, *, tolerance: float = 1e-6) -> ZeroLossTheorem:
        """Theorems 2 to 5 at the end of a run: whether the loss is zero, and if not, which hypothesis failed.

        Theorem 4 asks for mass at all theta on every level; as psi is the same on all, all theta on any level will do.

        - `end`: a trajectory, or a measure.
        - `tolerance`: of `analysis.stationarity`, and of E |f - y|^2 relative to E y^2.

        Raises `ValueError` for data without nodes and where there is no teacher.
        """
        return theorem(self.problem, self._flat(getattr(end, "final", end)), tolerance)

    def _flat(self, measure: Any) -> Any:
        """The measure without its levels."""
        if self.whole is None or measure.dim != self.whole.dim:
            return measure
        measure = self.whole.arranged(measure)
        return Particles(measure.positions[:, :-1], measure.weights)


def identifiable(problem: Problem) -> Identifiable:
    """What a stationary student of full support must share with its teacher: see the record that is returned.

    Raises `ValueError` for a problem whose network is not a two-layer mean, nor the first order of a residual network.
    """
    marginal = None if problem.supervised is None else problem.network.marginal
    if marginal is not None:
        parts_of_it = {"penalty": problem.penalty, "domain": problem.domain, "mobility": problem.mobility}
        flat = Problem(marginal, problem.data, problem.loss, budget=problem.budget, **parts_of_it)
        found = identifiable(flat)
        said = f"f does not see the levels, only the marginal in theta. {found.verdict}"
        return dataclasses.replace(found, verdict=said, whole=problem)
    unit = problem.two_layer("identifiable(problem=...)")
    profile, ramp = unit.profile, plain_ramp(problem)
    if profile is not None and profile.bias is not None:
        profile = None
    parity = None if profile is None else profile.activation.parity
    if profile is None or parity is None:
        reason = "no unit sigma(w . x)" if profile is None else f"sigma = {profile.activation.name} of unknown parity"
        return Identifiable(
            problem, (), (), None, f"{reason}: in general nothing is known; null_space(support) tells for a support."
        )
    constant = float(profile.activation(jnp.zeros(()))) != 0.0
    inputs = problem.data.inputs
    seen, unseen = _quantities(parity.even, parity.odd, constant, unit.linear is not None, inputs)
    spectrum = None if ramp is None else _spectrum(inputs, ramp[1])
    shared, free = ("; ".join(part.name for part in side) or "nothing" for side in (seen, unseen))
    what = f"{profile.activation.name}: zero loss fixes {shared}; it leaves free {free}"
    if ramp is not None:
        what += " (m(u): INT |theta| in the direction u, by spherical harmonics; all even degrees are m(u) + m(-u))"
    return Identifiable(problem, seen, unseen, spectrum, what + ".")


def _quantities(
    even: float, odd: float, constant: bool, weighted: bool, inputs: int
) -> tuple[tuple[Quantity, ...], tuple[Quantity, ...]]:
    """(seen, unseen) of the parities. Without output weights an unseen mass is no freedom: it is 1."""
    seen: list[Quantity] = []
    unseen: list[Quantity] = []
    if constant or even == math.inf:
        seen.append(parts.mass)
    elif weighted:
        unseen.append(parts.mass)
    (seen if odd > 0.0 else unseen).append(parts.first)
    if even == 1.0 or (odd == 1.0 and even == 0.0):
        # On the two directions of d = 1 there are no other harmonics than those of degree 0 and 1.
        most = 1 if inputs == 1 else _COMPARED
        (seen if even else unseen).extend(parts.degrees(range(0, most + 1, 2)))
        unseen.extend(parts.degrees(range(3, most, 2)))
        unseen.append(parts.second)
    else:
        (seen if even > 0.0 else unseen).append(parts.second)
        (seen if even == math.inf else unseen).append(parts.even_part)
    (seen if odd == math.inf else unseen).append(parts.odd_part)
    return tuple(seen), tuple(unseen)


def _spectrum(dim: int, slopes: tuple[float, float]) -> np.ndarray:
    """Of sigma(u . v) with slopes l_0 and l_1: of ReLU times l_1 + l_0 for odd, l_1 - l_0 for even degrees."""
    low, high = slopes
    found = np.array([relu_eigenvalue(k, dim) for k in range(2 if dim == 1 else _DEGREES + 1)])
    found[0::2] *= high - low
    found[1::2] *= high + low
    return found


def relu_eigenvalue(k: int, dim: int) -> float:
    r"""$\lambda_k$ of the module's formula: INT (u . v)_+ Y_k(v) dv = lambda_k Y_k(u) over the unit sphere of R^d."""
    half = 0.5 * dim
    log_area = math.log(2.0) + half * math.log(math.pi) - math.lgamma(half)
    if k == 1:
        return math.exp(log_area) / (2.0 * dim)
    if k % 2:
        return 0.0
    if k == 0:
        return math.exp(log_area + math.lgamma(half) - math.lgamma(half + 0.5)) / (2.0 * math.sqrt(math.pi))
    logs = math.lgamma(half) + math.lgamma(k - 1) - math.lgamma(0.5 * k) - math.lgamma(0.5 * (k + dim + 1))
    sign = -1.0 if k % 4 == 0 else 1.0
    return sign * math.exp(log_area + logs - k * math.log(2.0)) / math.sqrt(math.pi)
