r"""A measure or a law of (c, h) as what a free-knot spline sees of it: f(x) = INT c (x - h)_+ and who is where.

Atoms are summed; where c and h are independent, INT c (x - h)_+ = E c . E (x - h)_+, which is known in closed form for
a uniform and for a normal h.
"""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from widelimit.measure import GridDensity, Particles, laws
from widelimit.problem import Problem

from ._target import Target, Vector, target_of

Interval = tuple[float, float]
Atoms = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
# Places in the support of a density of h at which a criterion is checked.
POINTS = 257


@dataclasses.dataclass(frozen=True)
class Smooth:
    """Mass `mass` with h of a density, `knots`; `charge` = E c, `zero` = P(c = 0).

    `tilt`: the covariance of c and h, where they are normal together: by Stein's identity E (h - m)(x - h)_+ is
    -Var h P(h <= x), so E c (x - h)_+ = E c E (x - h)_+ - tilt P(h <= x). Else 0: c and h are independent.
    """

    mass: float
    charge: float
    zero: float
    knots: laws.Line
    tilt: float = 0.0

    @property
    def breaks(self) -> Vector:
        """Where the density is not smooth, and steps that resolve it with the eight nodes of a target's rule."""
        edges = self.knots.edges
        return np.interp(np.arange(3 * len(edges) - 2) / 3.0, np.arange(len(edges)), edges)

    def predict(self, x: Vector) -> Vector:
        """E c (x - h)_+, times the mass."""
        tilted = self.tilt * self.knots.below(x) if self.tilt else 0.0
        return self.mass * (self.charge * self.knots.ramp(x) - tilted)

    def slope(self, x: Vector) -> Vector:
        """The derivative of `predict`."""
        tilted = self.tilt * self.knots.density(x) if self.tilt else 0.0
        return self.mass * (self.charge * self.knots.below(x) - tilted)


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
        for low, high in sorted(p.knots.support for p in self.parts):
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
    for mass, law in rho.components():
        _collect(law, mass, atoms, parts, who)
    return _gathered(atoms, parts)


def _collect(law: laws.AbstractLaw, mass: float, atoms: list[Atoms], parts: list[Smooth], who: str) -> None:
    if law.n_atoms is not None:
        rows, w = (np.asarray(part, float) for part in law.gauss(1))
        c = rows[:, 0] if rows.shape[1] == 2 else np.ones(len(w))
        atoms.append((c, rows[:, -1], mass * w, c != 0.0))
        return
    columns = law.marginals()
    if columns is None:
        parts.append(_joint(law, mass, who))
        return
    h, charge, zero = columns[-1], 1.0, 0.0
    if len(columns) == 2:
        mean = columns[0].mean()
        if mean is None:
            raise ValueError(_advice(law, who))
        charge, zero = float(mean[0]), _at_zero(columns[0])
    if h.n_atoms is None:
        parts.append(Smooth(mass, charge, zero, _line(h, who)))
        return
    # Atoms in h with a law of c: the spline sees the mean; what has c = 0 is an atom of its own.
    places, w = h.gauss(1)
    for charged, part in ((False, zero), (True, 1.0 - zero)):
        if part > 0.0:
            value = np.full(len(w), charge / part if charged else 0.0)
            atoms.append((value, places[:, 0], mass * part * w, np.full(len(w), charged)))


def _joint(law: laws.AbstractLaw, mass: float, who: str) -> Smooth:
    """c and h that depend on each other, as normal numbers do."""
    mean, cov = law.mean(), law.covariance()
    if not law.normal or mean is None or cov is None:
        raise ValueError(_advice(law, who))
    knots = laws.Normal(mean[1], jnp.sqrt(cov[1, 1]))
    return Smooth(mass, float(mean[0]), 0.0, _line(knots, who), float(cov[0, 1]))


def _line(h: laws.AbstractLaw, who: str) -> laws.Line:
    line = h.line()
    if line is None:
        raise ValueError(_advice(h, who))
    return line


def _advice(law: laws.AbstractLaw, who: str) -> str:
    return (
        f"{who}: integrals of {type(law).__name__} against ramps are unknown; known are c independent of h, h uniform, "
        "normal or of atoms, normal (c, h), and mixtures. Take particles: law.sample(n, key=...) or law.quantise(n)."
    )


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


@dataclasses.dataclass(frozen=True)
class SplineError:
    """r = f_rho - f between `edges` [E], which hold every atom, every kink of a density, and the panels' ends.

    - `first`, `second`: [E], INT_e^B r dx and INT_e^B r (x - e) dx.
    - `size`: [E], (INT_e^B max(r^2, f^2) dx)^(1/2).
    - `square`: INT r^2 dx.
    """

    law: SplineLaw
    target: Target
    slope: float
    edges: Float[np.ndarray, " E"]
    first: Float[np.ndarray, " E"]
    second: Float[np.ndarray, " E"]
    size: Float[np.ndarray, " E"]
    square: float

    @property
    def risk(self) -> float:
        return 0.5 * self.slope * self.square / self.target.length

    def at(self, h: Float[np.ndarray, " n"]) -> Any:
        """(INT r, INT r (x - a), size) over [a, B], a = max(h, A), for h among the edges or left of A."""
        i = np.searchsorted(self.edges, np.maximum(h, self.target.lower))
        return self.first[i], self.second[i], self.size[i]


def spline_error(problem: Problem, rho: Any, who: str, *, charges: bool) -> SplineError:
    """Raises `ValueError` for a problem that is no free-knot spline, and for a law whose integrals are not known."""
    target = target_of(problem, who, charges=charges)
    law = spline_law(problem, rho, who)
    lower, upper = target.lower, target.upper
    places = [law.breaks(), *(grid_in(p.knots.support, lower, upper, POINTS) for p in law.parts), target.ends]
    edges = np.unique(np.clip(np.concatenate(places), lower, upper))
    x, w = target.rule(edges)
    f = target(x)
    r = law.predict(x) - f
    flat, tilted = np.sum(w * r, axis=1), np.sum(w * r * (x - edges[:-1, None]), axis=1)
    first = np.append(_from_the_right(flat), 0.0)
    second = np.append(_from_the_right(tilted + np.diff(edges) * first[1:]), 0.0)
    size = np.sqrt(np.append(_from_the_right(np.sum(w * np.maximum(r * r, f * f), axis=1)), 0.0))
    slope = float(problem.integrals.spline(who).slope)
    return SplineError(law, target, slope, edges, first, second, size, float(np.sum(w * r * r)))


def _from_the_right(row: Float[np.ndarray, " C"]) -> Float[np.ndarray, " C"]:
    return np.cumsum(row[::-1])[::-1]
