"""The spectrum of a tangent kernel, and what the linear theory says with it: rates, times, and where training ends."""

import dataclasses
import math
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from widelimit._shown import Shown
from widelimit.kernels import LinearTheory, linear_theory
from widelimit.measure import Measure, Particles, laws
from widelimit.numerics import real_number
from widelimit.problem import Problem

# Beyond this no time is looked for.
_LATEST = 1e300


class Limit(NamedTuple):
    r"""Where the linear theory ends (yarotsky2018 2.5 and A.3).

    - `measure`: the start, each particle displaced by its total shift: of all measures with the limiting prediction the
      one that the flow picks, as the part of the start that the kernel does not see stays.
    - `shift`: [N, K], in the columns that move; `prediction`: [Q, ...] on the data's nodes; `risk`: the floor.
    - `tail`: the share of the shift's square norm, $\int |P^{-1/2} \mathrm{shift}|^2 d\rho = \sum_k b_k^2 / (\kappa
      S_k)^2$, in the last half of the resolved modes. Near 0 the limit is a measure like the start; where it does not
      fall (Picard's condition fails) the shift grows without bound as more modes are taken, and the limit is singular.
      0 where the modes are finitely many.
    """

    measure: Particles
    shift: Float[np.ndarray, "N K"]
    prediction: Float[np.ndarray, "Q ..."]
    risk: float
    tail: float


@dataclasses.dataclass(frozen=True, repr=False)
class Spectrum(Shown):
    r"""The eigenvalues of $M[\rho]$, which are those of the operators of the parameters (R, K~), and the loss by them,

    $$L(\tau) = \mathrm{floor} + \sum_k \mathrm{amplitudes}_k\,e^{-2\,\mathrm{speed}\,\lambda_k \tau}.$$

    - `eigenvalues`: lambda_k [r], descending, all above rounding; the first `resolved` are right (the others are those
      of polynomials of a finite degree; all are right where the data, or the knots, are finitely many).
    - `speed`: 2 k kappa^2 for the loss k |f - y|^2 (1 for (f - y)^2/2 and the mean).
    - `coefficients`: b_k [r], <v_k, f - y> of the start; `amplitudes`: k b_k^2; `floor`: the risk that never falls.
    """

    theory: LinearTheory = dataclasses.field(repr=False)
    eigenvalues: Float[np.ndarray, " r"]
    resolved: int
    speed: float
    coefficients: Float[np.ndarray, " r"] = dataclasses.field(repr=False)
    amplitudes: Float[np.ndarray, " r"] = dataclasses.field(repr=False)
    floor: float

    def __repr__(self) -> str:
        first = ", ".join(f"{value:.4g}" for value in self.eigenvalues[:3])
        more = ", ..." if len(self.eigenvalues) > 3 else ""
        counts = f"{len(self.eigenvalues)} eigenvalues, {self.resolved} resolved"
        return f"Spectrum({first}{more}: {counts}; floor {self.floor:.4g})"

    def eigenfunctions(self, x: Any) -> Float[np.ndarray, "n ... r"]:
        """v_k(x), orthonormal in L2(mu), at inputs x [n, d] ([n] for d = 1); signs are arbitrary.

        Of a spline on an interval, only there: raises `ValueError` elsewhere.
        """
        return self.theory.found.eigenfunctions(x, "eigenfunctions(x=...)")

    def dual(self, theta: Any) -> Float[np.ndarray, "m K r"]:
        r"""$s_k(\theta) = P^{1/2} \int \nabla\phi(\theta, x)\,v_k(x)\,\mu(dx) / \sqrt{\lambda_k}$ for any theta [m, D].

        In the K columns that move; orthonormal in L2(rho). For the output weight alone they are the eigenfunctions s_k
        of K~ in yarotsky2018 (25), (26); in general those of R are div(rho P^(1/2) s_k).
        """
        found = self.theory.found
        rows = np.asarray(theta, float)
        if rows.ndim != 2 or rows.shape[1] != found.problem.dim:
            raise ValueError(f"dual(theta=...): expected [m, {found.problem.dim}], got shape {rows.shape}.")
        return found.gradients(rows) / found.singular

    def risk(self, tau: Any) -> Float[np.ndarray, "..."]:
        """The loss at times tau (t where the schedule is 1), of any shape."""
        decay = np.exp(-2.0 * self.speed * np.multiply.outer(np.asarray(tau, float), self.eigenvalues))
        return np.asarray(self.floor + decay @ self.amplitudes)

    def slope(self, tau: Any) -> Float[np.ndarray, "..."]:
        """d log L / d log tau, the effective slope of the decay: -a while L falls as tau^(-a)."""
        times = np.asarray(tau, float)
        rates = 2.0 * self.speed * self.eigenvalues
        fall = np.exp(-np.multiply.outer(times, rates)) @ (rates * self.amplitudes)
        return np.asarray(-times * fall / self.risk(times))

    def time_to(self, risk: float) -> float:
        """The time tau at which the loss has come down to `risk`; 0 if it starts below, infinite if it never does."""
        import scipy.optimize

        excess = real_number(risk, "time_to(risk=...)") - self.floor
        if excess >= float(np.sum(self.amplitudes)):
            return 0.0
        if not excess > 0.0:
            return math.inf
        rates = 2.0 * self.speed * self.eigenvalues

        def above(log: float) -> float:
            return float(np.exp(-rates * math.exp(log)) @ self.amplitudes) - excess

        # No mode falls faster than the first: before `low` the sum is still above.
        low = math.log(math.log(float(np.sum(self.amplitudes)) / excess) / rates[0]) - 1e-9
        high = low + 1.0
        while above(high) > 0.0:
            high += 2.0
            if high > math.log(_LATEST):
                return math.inf
        found: Any = scipy.optimize.brentq(above, low, high, xtol=1e-14)
        return math.exp(found)

    def limit(self) -> Limit:
        """Where the linear theory ends: the limiting measure, its prediction and its risk."""
        theory, found, start = self.theory, self.theory.found, self.theory.seen.start
        shift = theory.field() @ (1.0 / theory.rates)
        rows = np.array(start.positions, float)
        rows[:, list(found.columns)] += shift
        parts = (self.coefficients**2 / self.eigenvalues)[: self.resolved]
        whole, finite = float(np.sum(parts)), self.resolved == len(self.eigenvalues)
        tail = 0.0 if finite or whole == 0.0 else float(np.sum(parts[len(parts) // 2 :])) / whole
        prediction = theory.seen.prediction - found.on_nodes() @ self.coefficients
        measure = Particles(rows, start.weights, blocks=found.problem.blocks)
        return Limit(measure, shift, prediction, self.floor, tail)


def spectrum(
    problem: Problem,
    measure: Measure | laws.AbstractLaw,
    *,
    trainable: Any = None,
    start: Measure | laws.AbstractLaw | None = None,
) -> Spectrum:
    r"""The spectrum of the tangent kernel $M[\rho]$ (`kernels.tangent_kernel`), by the singular values of its features.

    **Arguments**

    - `measure`: rho, where the kernel is frozen; a law where the integrals are exact (see `TangentFlow`).
    - `trainable`: the name or names of the blocks that move; all by default. ("c",) of a free-knot spline gives
      yarotsky2018's K~ and zeta_k.
    - `start`: whose residual is expanded; `measure` itself by default. With another start, `measure` has to be a global
      minimiser (yarotsky2018 (15)-(18)).

    **Raises** `ValueError` for a kernel that diverges (it says what is not finite), a loss that is not squared, a
    penalty, walls, an unknown block, a law that is not integrated exactly, and a `measure` that is no minimiser.
    """
    at = None if start is None else measure
    theory = linear_theory(problem, measure if start is None else start, at=at, trainable=trainable, who="spectrum")
    modes, b = theory.found, theory.seen.coefficients
    return Spectrum(theory, modes.eigenvalues, modes.resolved, theory.speed, b, theory.losses, theory.floor)
