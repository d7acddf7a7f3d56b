r"""A measure or a law of (c, h) as what a free-knot spline sees of it: f(x) = INT c (x - h)_+ and who is where.

Atoms are summed; where c and h are independent, INT c (x - h)_+ = E c . E (x - h)_+, which is known in closed form for
a uniform and for a normal h.
"""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from widelimit.measure import GridDensity, Particles, laws
from widelimit.problem import Problem

Vector = Float[np.ndarray, "..."]
Interval = tuple[float, float]
Atoms = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Smooth:
    """Mass `mass` with h of the law `knots` (one uniform or normal number); `charge` = E c, `zero` = P(c = 0).

    `tilt`: the covariance of c and h, where they are normal together: by Stein's identity E (h - m)(x - h)_+ is
    -Var h P(h <= x), so E c (x - h)_+ = E c E (x - h)_+ - tilt P(h <= x). Else 0: c and h are independent.
    """

    mass: float
    charge: float
    zero: float
    knots: laws.Uniform | laws.Normal
    tilt: float = 0.0

    @property
    def support(self) -> Interval:
        if isinstance(self.knots, laws.Uniform):
            return float(self.knots.lower), float(self.knots.upper)
        return -np.inf, np.inf

    @property
    def breaks(self) -> Vector:
        """Where the density is not smooth, and, for a normal law, steps that resolve it."""
        if isinstance(self.knots, laws.Uniform):
            return np.array(self.support)
        return float(self.knots.mean) + float(self.knots.std) * np.linspace(-9.0, 9.0, 37)

    def below(self, x: Vector) -> Vector:
        """P(h <= x)."""
        if isinstance(self.knots, laws.Uniform):
            low, high = self.support
            return np.clip((x - low) / (high - low), 0.0, 1.0)
        from scipy.special import ndtr

        return ndtr(self._z(x))

    def ramp(self, x: Vector) -> Vector:
        """E (x - h)_+, the integral of `below`."""
        if isinstance(self.knots, laws.Uniform):
            low, high = self.support
            return 0.5 * np.clip(x - low, 0.0, high - low) ** 2 / (high - low) + np.maximum(x - high, 0.0)
        from scipy.special import ndtr

        z = self._z(x)
        return float(self.knots.std) * (z * ndtr(z) + np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi))

    def predict(self, x: Vector) -> Vector:
        """E c (x - h)_+, times the mass."""
        return self.mass * (self.charge * self.ramp(x) - (self.tilt * self.below(x) if self.tilt else 0.0))

    def slope(self, x: Vector) -> Vector:
        """The derivative of `predict`."""
        slope = self.charge * self.below(x)
        if self.tilt:
            density = np.exp(-0.5 * self._z(x) ** 2) / (np.sqrt(2.0 * np.pi) * self._normal[1])
            slope = slope - self.tilt * density
        return self.mass * slope

    def _z(self, x: Vector) -> Vector:
        mean, std = self._normal
        return (x - mean) / std

    @property
    def _normal(self) -> tuple[float, float]:
        """Mean and std of a normal law."""
        assert isinstance(self.knots, laws.Normal)
        return float(self.knots.mean), float(self.knots.std)


@dataclasses.dataclass(frozen=True)
class SplineLaw:
    """Atoms, sorted by knot: `c`, `h`, `weights` [n], those without weight left out; and the parts with a density.

    c is the mean where it has a law of its own: `charged` [n] says whether it is ever other than 0.
    """

    c: Float[np.ndarray, " n"]
    h: Float[np.ndarray, " n"]
    weights: Float[np.ndarray, " n"]
    charged: Bool[np.ndarray, " n"]
    parts: tuple[Smooth, ...]

    def predict(self, x: Vector) -> Vector:
        """f(x)."""
        slope = np.concatenate([[0.0], np.cumsum(self.weights * self.c)])
        value = np.concatenate([[0.0], np.cumsum(slope[1:-1] * np.diff(self.h))]) if len(self.h) else np.zeros(1)
        k = np.searchsorted(self.h, x, side="right") - 1
        i = np.maximum(k, 0)
        atoms = np.where(k >= 0, value[i] + slope[k + 1] * (x - self.h[i]), 0.0) if len(self.h) else np.zeros(x.shape)
        return sum((p.predict(x) for p in self.parts), atoms)

    def slope(self, x: Vector, *, left: bool = False) -> Vector:
        """f'(x), from the right or from the left."""
        slope = np.concatenate([[0.0], np.cumsum(self.weights * self.c)])
        atoms = slope[np.searchsorted(self.h, x, side="left" if left else "right")]
        return sum((p.slope(x) for p in self.parts), atoms)

    def breaks(self) -> Vector:
        return np.concatenate([self.h, *(p.breaks for p in self.parts)])

    def covers(self, lower: float, upper: float) -> bool:
        """Whether the closed support of h contains [lower, upper]: finitely many atoms cover nothing."""
        reached = lower
        for low, high in sorted(p.support for p in self.parts):
            if low > reached:
                break
            reached = max(reached, high)
        return reached >= upper


def spline_law(problem: Problem, rho: Any, who: str) -> SplineLaw:
    """What of a measure or a law a free-knot spline sees.

    Raises `ValueError` for a law whose integrals are not known here, with the advice to sample or quantise.
    """
    if isinstance(rho, Particles | GridDensity):
        theta, w = problem.unpack(rho)
        h = np.asarray(theta.h, float)
        c = np.asarray(theta.c, float) if "c" in theta._fields else np.ones_like(h)
        # h = infinity is right of the interval, where nothing depends on it.
        if not np.all(np.isfinite(c)) or np.any(np.isnan(h) | (h == -np.inf)):
            raise ValueError(f"{who}: a particle's c or h is not a finite number.")
        return _gathered([(c, h, np.asarray(w, float), c != 0.0)], [])
    if not isinstance(rho, laws.AbstractLaw):
        raise ValueError(f"{who}: expected a measure or a law, got {type(rho).__name__}.")
    if rho.dim != problem.dim:
        raise ValueError(f"{who}: the law has {rho.dim} columns, the unit needs {problem.dim}.")
    if rho.blocks and rho.blocks != problem.blocks:
        raise ValueError(f"{who}: the law's blocks must be those of the unit, in this order: {problem.blocks}.")
    atoms: list[Atoms] = []
    parts: list[Smooth] = []
    _collect(rho, 1.0, atoms, parts, who)
    return _gathered(atoms, parts)


def _collect(law: laws.AbstractLaw, mass: float, atoms: list[Any], parts: list[Smooth], who: str) -> None:
    if isinstance(law, laws.Mixture):
        for p, own in zip(np.asarray(law.weights), law.laws, strict=True):
            _collect(own, mass * float(p), atoms, parts, who)
        return
    if law.n_atoms is not None:
        rows, w = law.gauss(1)
        c = rows[:, 0] if rows.shape[1] == 2 else np.ones(len(w))
        c = np.asarray(c, float)
        atoms.append((c, np.asarray(rows[:, -1], float), mass * np.asarray(w, float), c != 0.0))
        return
    if isinstance(law, laws.Gaussian) and law.dim == 2:
        _collect_gaussian(law, mass, atoms, parts)
        return
    for share, c, h in _factors(law, who):
        charge, zero = (1.0, 0.0) if c is None else (_mean(c), _at_zero(c))
        if h.n_atoms is None:
            parts.append(Smooth(mass * share, charge, zero, _known(h, who)))
            continue
        # Atoms in h with a law of c: the spline sees the mean; what has c = 0 is an atom of its own.
        places, w = h.gauss(1)
        for charged, part in ((False, zero), (True, 1.0 - zero)):
            if part > 0.0:
                value = np.full(len(w), charge / part if charged else 0.0)
                atoms.append((value, places[:, 0], mass * share * part * w, np.full(len(w), charged)))


def _collect_gaussian(law: laws.Gaussian, mass: float, atoms: list[Any], parts: list[Smooth]) -> None:
    mean, cov = np.ravel(law.mean).astype(float), np.asarray(law.cov, float)
    if cov[1, 1] > 0.0:
        zero = 1.0 if cov[0, 0] == 0.0 and mean[0] == 0.0 else 0.0
        knots = laws.Normal(float(mean[1]), float(np.sqrt(cov[1, 1])))
        parts.append(Smooth(mass, float(mean[0]), zero, knots, float(cov[0, 1])))
    else:
        charged = np.array([bool(cov[0, 0] > 0.0 or mean[0] != 0.0)])
        atoms.append((mean[:1], mean[1:], np.array([mass]), charged))


def _factors(law: laws.AbstractLaw, who: str) -> list[tuple[float, laws.AbstractLaw | None, laws.AbstractLaw]]:
    """(weight, law of c or None, law of h) of independent c and h, mixtures in h taken apart."""
    if isinstance(law, laws.Product):
        own = list(law.factors)
    elif isinstance(law, laws.Normal | laws.Uniform):
        own = [_component(law, d) for d in range(law.dim)]
    else:
        raise ValueError(_advice(law, who))
    c, h = (own[0] if len(own) == 2 else None), own[-1]
    if isinstance(h, laws.Mixture) and h.n_atoms is None:
        return [(float(p), c, part) for p, part in zip(np.asarray(h.weights), h.laws, strict=True)]
    return [(1.0, c, h)]


def _component(law: laws.Normal | laws.Uniform, d: int) -> laws.AbstractLaw:
    if isinstance(law, laws.Uniform):
        return laws.Uniform(float(np.ravel(law.lower)[d]), float(np.ravel(law.upper)[d]))
    mean, std = (float(np.broadcast_to(np.ravel(part), law.dim)[d]) for part in (law.mean, law.std))
    return laws.Normal(mean, std) if std > 0.0 else laws.Atom(mean)


def _known(h: laws.AbstractLaw, who: str) -> laws.Uniform | laws.Normal:
    if isinstance(h, laws.Uniform) or (isinstance(h, laws.Normal) and float(h.std) > 0.0):
        return h
    raise ValueError(_advice(h, who))


def _advice(law: laws.AbstractLaw, who: str) -> str:
    return (
        f"{who}: integrals of {type(law).__name__} against ramps are unknown; known are c independent of h, h uniform, "
        "normal or of atoms, normal (c, h), and mixtures. Take particles: law.sample(n, key=...) or law.quantise(n)."
    )


def _mean(c: laws.AbstractLaw) -> float:
    nodes, weights = c.gauss(8)
    return float(weights @ nodes[:, 0])


def _at_zero(c: laws.AbstractLaw) -> float:
    """P(c = 0), by the cell [0, the next float)."""
    return float(c.box_probability(np.zeros((1, 1)), np.full((1, 1), np.nextafter(0.0, 1.0)))[0])


def _gathered(atoms: list[Atoms], parts: list[Smooth]) -> SplineLaw:
    c, h, w = (np.concatenate([row[i] for row in atoms]) if atoms else np.zeros(0) for i in range(3))
    charged = np.concatenate([row[3] for row in atoms]) if atoms else np.zeros(0, bool)
    keep = np.flatnonzero(w != 0.0)
    order = keep[np.argsort(h[keep], kind="stable")]
    return SplineLaw(c[order], h[order], w[order], charged[order], tuple(p for p in parts if p.mass > 0.0))


def grid_in(support: Interval, lower: float, upper: float, points: int) -> Vector:
    """Places of [lower, upper) that a support reaches, its ends among them."""
    low, high = max(support[0], lower), min(support[1], upper)
    if low >= high:
        return np.zeros(0)
    x = np.linspace(low, high, points)
    return x[x < upper]
