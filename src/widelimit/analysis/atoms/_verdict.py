"""What the rates around a fixed point mean, in words."""

import dataclasses

import numpy as np
from jaxtyping import Float

from widelimit.measure import Particles
from widelimit.problem import Problem

from ._linearisation import Linearisation

# How far out, in units of the largest finite parameter, psi is compared with its value at infinity.
_FAR = 1e3


@dataclasses.dataclass(frozen=True)
class Fixed:
    """A fixed point of atoms with its rates; a rate of size `zero` counts as zero."""

    problem: Problem
    rho: Particles
    found: Linearisation
    spread: Float[np.ndarray, "N D"]
    rates: Float[np.ndarray, " K"]
    zero: float

    def verdict(self) -> tuple[bool | None, str]:
        outward = [int(i) for i in np.flatnonzero(self.found.far.any(axis=1)) if self._rises(int(i))]
        if outward:
            return False, f"Unstable: psi rises towards {self._atom(outward[0])}, so mass near it comes back."
        least = np.min(np.where(np.isnan(self.spread), np.inf, self.spread), axis=1)
        if np.any(least < -self.zero):
            return False, self._unstable(least)
        if np.any(self.rates < -self.zero):
            rate = -self.rates[0]
            return False, f"Unstable: the atoms' centres leave it at rate {rate:.3g}, as clouds that contract."
        if np.any(np.abs(self.rates) <= self.zero) or np.any(np.abs(self.spread) <= self.zero):
            return None, self._undecided()
        return True, self._stable(least)

    def _atom(self, i: int) -> str:
        row = ", ".join(f"{float(z):.4g}" for z in np.asarray(self.rho.positions[i])[:4])
        more = ", ..." if self.rho.dim > 4 else ""
        return f"atom {i} = ({row}{more})"

    def _rises(self, i: int) -> bool:
        """Whether psi near an atom at infinity is below its value there."""
        row, far = np.asarray(self.rho.positions[i]), self.found.far[i]
        out = _FAR * (1.0 + np.max(np.abs(np.asarray(self.rho.positions)), where=~self.found.far, initial=0.0))
        near = np.where(far, np.sign(row) * out, row)
        psi = self.problem.potential(self.rho)
        return bool(float(psi(near)) < float(self.found.expansion.psi[i]) - 1e-12 * abs(float(psi(near))))

    def _unstable(self, least: Float[np.ndarray, " N"]) -> str:
        """Theorem 7 at the first atom that meets B1 and B2, else what is known without it."""
        reasons = {int(i): self._objection(int(i)) for i in np.flatnonzero(least < -self.zero)}
        i = next((i for i, reason in reasons.items() if not reason), next(iter(reasons)))
        what = f"the Hessian of psi at {self._atom(i)} has eigenvalue {least[i]:.4g}"
        if reasons[i]:
            return (
                f"Unstable: {what}, so mass near it spreads as exp({-least[i]:.3g} tau). Theorem 7 does not say more: "
                f"{reasons[i]}."
            )
        return (
            f"Unstable. By Theorem 7 no start with a bounded density converges to it: {what}. B1 and B2 hold; B3, "
            f"compact level sets, was not checked.{self._scope()}"
        )

    def _objection(self, i: int) -> str:
        """Which assumption of Theorem 7 fails at atom i; nothing where none does."""
        psi, p = self.found.expansion.psi, np.asarray(self.rho.weights)
        if np.any(np.abs(self.spread[i]) <= self.zero):
            return "B1 fails, an eigenvalue there is zero"
        level = psi[i] - 1e-12 * np.max(np.abs(psi))
        above = float(np.sum(p[(np.arange(len(p)) != i) & (psi >= level)]))
        return f"B2 fails, mass {above:.3g} lies elsewhere where psi is not lower" if above > 0.0 else ""

    def _undecided(self) -> str:
        far = np.flatnonzero(self.found.far.any(axis=1))
        if len(far):
            return (
                f"Undecided by a linearisation: {self._atom(int(far[0]))} lies at infinity; psi falls towards it, so "
                "mass moves out, ever more slowly and at no exponential rate."
            )
        why = "a rate is zero within the tolerance, and Theorem 6 asks for strictly positive ones"
        return f"Undecided: {why}.{self._scope()}"

    def _stable(self, least: Float[np.ndarray, " N"]) -> str:
        finite = np.isfinite(self.rates)
        slow = float(np.min(least))
        spread = f"clouds contract as exp(-{slow:.4g} tau)" if np.isfinite(slow) else "clouds contract in finite time"
        mean = f", their centres as exp(-{self.rates[0]:.4g} tau)" if finite.any() else ""
        held = (
            " Mass reaches a wall that holds an atom in finite time: psi has a slope there." if not finite.all() else ""
        )
        start = "Stable. By Theorem 6 every start supported near the atom converges to it"
        if len(self.rho) > 1:
            start = "Stable at these weights, which the flow keeps: starts near the atoms converge to such atoms"
        return f"{start}; {spread}{mean}.{held}{self._scope()}"

    def _scope(self) -> str:
        """What a reduced problem cannot see: directions along which the full network's psi is flat or falls."""
        if self.problem.symmetry is None or not self.problem.symmetry.hides:
            return ""
        return " All this among measures with the symmetry that was divided out."
