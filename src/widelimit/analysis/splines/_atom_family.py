"""A stationary distribution of atoms, up to what knots and masses leave open."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from widelimit.measure import Blocks, Particles
from widelimit.problem.data import as_numbers

# An error f - f_rho below this part of max |f| is rounding.
_ZERO = 1e-13


@dataclasses.dataclass(frozen=True, eq=False)
class KnotStability:
    """What becomes of small clouds of particles at the knots.

    - `stable`: True when every cloud contracts in h, False when one spreads, None when a rate is zero.
    - `growth_rates`: [n, M], H_hh of n particles at each of M knots: a cloud's width in h grows as exp(H_hh t).
    - `verdict`: in words.
    """

    stable: bool | None
    growth_rates: Float[np.ndarray, "n M"]
    verdict: str


@dataclasses.dataclass(frozen=True, eq=False)
class AtomFamily:
    r"""All stationary laws with these knots in [A, B) and these masses (yarotsky2018, A.5).

    The knots and masses fix f_rho and the risk, not the law: charges at a knot may spread, with either sign, as long
    as INT c p is the mass; c-values of zero and anything at h >= B may be added.

    - `knots`: [M], ascending; `masses`: [M], INT c p at each.
    - `has_left_mass`: whether there is mass with c != 0 at h < A. It has to carry `left_mass` = INT c p and
      `left_moment` = INT c h p: f_rho = left_mass x - left_moment on [A, h_1]. Both are zero without.
    - `risk`: exact.
    - `errors`: [M], f - f_rho at the knots.
    - `stable`: that of one atom a knot, with the sign of its mass: see `stability` for other laws.
    - `complete`: "all" if these are all families of this count and this case, "found" if a search found them.
    - `lower`, `upper`: A, B; `slope`: k' = 2 k of the loss k (f - y)^2; `size`: max |f|, the scale of errors.
    - `mobility`: P of the knots, which the growth rates have as a factor.
    """

    knots: Float[np.ndarray, " M"]
    masses: Float[np.ndarray, " M"]
    has_left_mass: bool
    left_mass: float
    left_moment: float
    risk: float
    errors: Float[np.ndarray, " M"]
    complete: str
    lower: float
    upper: float
    slope: float
    size: float
    mobility: float
    blocks: Blocks

    @property
    def stable(self) -> bool | None:
        """For one atom a knot: its charge has the sign of the mass."""
        return self.stability().stable

    def growth_rates(self, c: Any = None) -> Float[np.ndarray, "n M"]:
        r"""$P H_{hh} = -P\,\partial_{hh}\psi = P k' c\,(f - f_\rho)(h_i)/(B - A)$ of a charge c at each knot [n, M].

        - `c`: a number, [M], or [n, M]; by default that of one atom a knot, as `measure()` makes them.

        H_hc and H_cc are zero at rest (30), so a cloud evolves in h alone: it spreads where c (f - f_rho) > 0.
        """
        if c is None:
            c = self.masses * self._particles
        c = np.asarray(as_numbers(c, "AtomFamily: c"), float)
        if c.ndim > 2 or (c.ndim > 0 and c.shape[-1] != len(self.knots)) or not np.all(np.isfinite(c)):
            raise ValueError(
                f"AtomFamily: c: expected a finite number, [{len(self.knots)}] or [n, {len(self.knots)}], got {c!r}."
            )
        errors = np.where(np.abs(self.errors) <= _ZERO * self.size, 0.0, self.errors)
        factor = self.mobility * self.slope / (self.upper - self.lower)
        return factor * np.atleast_2d(np.broadcast_arrays(c, self.knots)[0] * errors)

    def stability(self, c: Any = None) -> KnotStability:
        """Whether clouds of charges c contract at their knots; arguments as in `growth_rates`.

        If all contract, the motion of the atoms themselves decays too: its matrix is diag(-H_hh) plus the positive
        semidefinite interaction. Along c the linearisation is neutral: it decides nothing about the charges.

        Raises `ValueError` where every c at a knot has the sign opposite to its mass, which such a law cannot have.
        """
        rates = self.growth_rates(c)
        if c is not None:
            self._check_signs(np.broadcast_to(np.asarray(c, float), rates.shape))
        fastest = np.max(rates, axis=0)
        top, knot = float(np.max(fastest)), self.knots[int(np.argmax(fastest))]
        if top > 0.0:
            count = f"; {np.sum(fastest > 0.0)} of {len(self.knots)} knots do" if len(self.knots) > 1 else ""
            words = f"Unstable: a cloud at h = {knot:.6g} spreads in h as exp({top:.4g} t){count}."
        elif top == 0.0:
            words = f"Undecided: at h = {knot:.6g} the growth rate is zero."
        else:
            words = f"Stable in h: clouds contract at every knot, the slowest as exp({top:.4g} t); charges are neutral."
        return KnotStability(None if top == 0.0 else top < 0.0, rates, words)

    def measure(self, weights: Any = None) -> Particles:
        """One law of the family: an atom a knot, and, with mass at h < A, two atoms at A - (B - A)/2 and A - (B - A).

        - `weights`: of the atoms, knots first; positive, with sum 1; equal by default. The charges follow:
          c_i = mass_i/weight_i.

        Raises `ValueError` for weights that are no such probabilities.
        """
        n = self._particles
        given = as_numbers(weights, "AtomFamily.measure(weights=...)") if weights is not None else np.full(n, 1.0 / n)
        w = np.asarray(given, float)
        if w.shape != (n,) or not np.all(w > 0.0) or abs(w.sum() - 1.0) > 1e-9:
            raise ValueError(
                f"AtomFamily.measure(weights=...): expected {n} positive numbers with sum 1"
                f"{' (two for the atoms at h < A come last)' if self.has_left_mass else ''}, got {weights!r}."
            )
        h, charges = self.knots, self.masses / w[: len(self.knots)]
        if self.has_left_mass:
            length = self.upper - self.lower
            left = self.lower - length * np.array([0.5, 1.0])
            # Two equations: the charges add up to left_mass, and with h to left_moment.
            parts = np.linalg.solve(np.stack([np.ones(2), left]), np.array([self.left_mass, self.left_moment]))
            h, charges = np.concatenate([h, left]), np.concatenate([charges, parts / w[-2:]])
        return Particles(jnp.asarray(np.stack([charges, h], axis=1)), jnp.asarray(w), blocks=self.blocks)

    @property
    def _particles(self) -> int:
        return len(self.knots) + (2 if self.has_left_mass else 0)

    def _check_signs(self, c: Float[np.ndarray, "n M"]) -> None:
        wrong = np.all(c * np.sign(self.masses) <= 0.0, axis=0) & (np.abs(self.masses) > _ZERO * self.size)
        if np.any(wrong):
            i = int(np.argmax(wrong))
            raise ValueError(
                f"AtomFamily.stability(c=...): the mass INT c p at h = {self.knots[i]:.6g} is {self.masses[i]:.6g}, so "
                f"some c there must have its sign; got {c[:, i]}. `growth_rates(c)` takes any c."
            )


@dataclasses.dataclass(frozen=True, eq=False)
class StationaryAtoms(Sequence[AtomFamily]):
    """The families of M knots, those without mass at h < A first; a sequence of `AtomFamily`.

    - `complete`: "all" or "found", for both cases together; `statement`: why, in words.
    """

    families: tuple[AtomFamily, ...]
    complete: str
    statement: str

    def __getitem__(self, index: Any) -> Any:
        return self.families[index]

    def __len__(self) -> int:
        return len(self.families)
