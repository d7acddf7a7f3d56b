"""Claims on the optimum of the isotropic problem: r_*, Lemma 1, the interval of Delta, the infimum over all
measures."""

import math

import numpy as np

from widelimit.theory import mei2018 as theory

from ..._kit import Bench, Cost, Data, Finding, claim
from ..._kit._shares import apart, apart_relative, largest, log_slope, outside, size, table
from ..runs._optima import closed_forms, closed_interval, interval, largest_margin, minima, spheres

DIM = 40
DELTAS = [round(0.1 * k, 1) for k in range(1, 10)]
_SIZES = [13, 20, 40, 80, 160]
# Below this a difference of two risks, or a margin of psi, is rounding.
_ROUNDING = 1e-12
# The gap 1e-12 is a square in the displacement of an atom or of a mass.
_ROOT = 1e-6


@claim("(14)", tolerance=1e-10, cost=Cost(15.0), digits=10)
def r_star(bench: Bench) -> Finding:
    """The best single sphere: r_* minimises R^(1)(r) = 1 + 2 v(r) + u_d(r, r).
    Compared: r_* (relative) and its risk, d = 40 and ∞, Δ = .1 to .9: the reduced problem's stationary point against
    SciPy on closed forms; both solve for a root, and the data quadrature is exact to 1e-13."""
    computed, off = {}, []
    for d in (DIM, math.inf):
        seen = bench.piece(spheres, deltas=DELTAS, d=d)
        known = [theory.single_delta(theory.Isotropic(delta, d)) for delta in DELTAS]
        off += [apart_relative(seen["r"], [one.r for one in known]), apart(seen["risk"], [one.risk for one in known])]
        rows = table("Δ", DELTAS, {"r": seen["r"], "R": seen["risk"]})
        computed |= {f"{name}, d = {size(d)}": x for name, x in rows.items()}
    return Finding(computed, largest(off))


@claim("Lemma 1", tolerance=0.0, cost=Cost(20.0))
def lemma_1(bench: Bench) -> Finding:
    """The sphere of radius r_* is a global minimiser of R if and only if v(r) + u_d(r, r_*) >= v(r_*) + u_d(r_*, r_*)
    for all r >= 0.
    Compared: the Δ among .1 to .9, d = 40 and ∞, for which the condition (r = ∞ included) and the certified minimum
    over all measures disagree; none may."""
    holds, fails, wrong = 0, 0, []
    for d in (DIM, math.inf):
        one, best = (bench.piece(f, deltas=DELTAS, d=d) for f in (spheres, minima))
        condition = one["margin"] >= -_ROUNDING
        optimal = one["risk"] - best["risk"] <= best["gap"] + _ROUNDING
        holds, fails = holds + np.sum(condition), fails + np.sum(~condition)
        wrong += [f"Δ = {DELTAS[k]:g}, d = {size(d)}" for k in np.flatnonzero(condition != optimal)]
    computed = {
        "condition holds and the sphere is optimal": holds - len(wrong),
        "condition fails and the sphere is not": fails,
        "disagree": len(wrong),
    }
    return Finding(computed, len(wrong), ", ".join(wrong))


@claim("text after Lemma 1", tolerance=5e-9, cost=Cost(60.0), digits=10)
def thresholds(bench: Bench) -> Finding:
    """For Δ in an interval [Δ_l, Δ_h] that depends on d the sphere of radius r_* is a global minimiser.
    Compared: eight decimals: roots of Lemma 1's margin on the reduced problem against SciPy on closed forms (other
    quadrature); no r in [0, ∞] may violate the condition at the ends."""
    computed, off = {}, []
    for d in _SIZES:
        seen, known = (bench.piece(f, d=d) for f in (interval, closed_interval))
        computed |= {f"Δ_{side}, d = {d}": x for side, x in zip("lh", seen["ends"], strict=True)}
        off += [apart(seen["ends"], known["ends"]), seen["violation"]]
    seen = bench.piece(interval, d=math.inf)
    computed["Δ_h, d = ∞"] = seen["ends"][0]
    return Finding(computed, largest(*off, apart(seen["ends"], theory.delta_infinity()), seen["violation"]))


@claim(
    "text after Lemma 1 (not printed there; the text reads as if there were an interval for each d)",
    tolerance=0.0,
    cost=Cost(20.0, 100.0),
)
def thresholds_empty(bench: Bench) -> Finding:
    """The interval [Δ_l, Δ_h] is empty for d <= 12.
    Compared: max over Δ of psi(∞; r_*) - psi(r_*; r_*) must not be positive (by the library at d = 12, at paper scale
    for all d), and closed forms must find no interval for d = 2 to 12."""
    sizes = bench.pick(quick=[12], paper=list(range(2, 13)))
    margins = [bench.piece(largest_margin, d=d)["margin"] for d in sizes]
    nonempty = [d for d in range(2, 13) if theory.thresholds(d) is not None]
    computed = table("d", sizes, {"largest margin": margins})
    computed["d <= 12 with an interval, by closed forms"] = ", ".join(map(str, nonempty)) or "none"
    computed["Δ_h - Δ_l at d = 13"] = np.diff(bench.piece(interval, d=13)["ends"])[0]
    return Finding(computed, outside(margins, high=0.0) + len(nonempty))


@claim(
    "text after Lemma 1 (the rate is not printed)",
    printed={"lim Δ_l": 0.0, "lim Δ_h": 0.47},
    tolerance=0.05,
    cost=Cost(20.0),
)
def thresholds_limits(bench: Bench) -> Finding:
    """Δ_l tends to 0 and Δ_h to Δ_∞ as d grows, both like 1/d.
    Compared: the exponents of d between d = 160 and 320 against -1; the next term of a series in 1/d changes them by 2
    to 3 % there."""
    sizes = [80, 160, 320]
    ends = np.stack([bench.piece(interval, d=d)["ends"] for d in sizes])
    far = np.abs(ends - np.array([0.0, theory.delta_infinity()]))
    # Between the last two.
    low, high = (log_slope(sizes[1:], column) for column in far[1:].T)
    # A series in 1/d without its first two terms.
    limits = (ends[0] - 6.0 * ends[1] + 8.0 * ends[2]) / 3.0
    computed = {f"Δ_{side} at d = 320": end for side, end in zip("lh", ends[2], strict=True)}
    computed |= {f"Δ_{side} extrapolated to d = ∞": end for side, end in zip("lh", limits, strict=True)}
    computed |= {"exponent of d, Δ_l": low, "exponent of d, Δ_∞ - Δ_h": high}
    computed |= {"d Δ_l at d = 320": 320.0 * far[2, 0], "d (Δ_∞ - Δ_h) at d = 320": 320.0 * far[2, 1]}
    return Finding(computed, apart([low, high], -1.0))


@claim("text after Lemma 1", printed=0.47, tolerance=0.005, cost=Cost(5.0), digits=12)
def delta_infinity(bench: Bench) -> Finding:
    """The upper end of the interval of Δ where one sphere is optimal tends to Δ_∞, the end at d = ∞ by Lemma 1.
    Compared: the print has two digits."""
    value = bench.piece(interval, d=math.inf)["ends"][0]
    return Finding(value, apart(value, 0.47))


@claim("text after Lemma 1 (the formula is not printed)", tolerance=1e-12, cost=Cost(5.0), digits=13)
def delta_infinity_digits(bench: Bench) -> Finding:
    """Δ_∞ = (x1 - x2)/(x1 + x2) with q(x1) = 1, q(x2) = -1, q(r) = E sigma(rG): there one sphere has risk 0.
    Compared: twelve digits: the closed form against the root of Lemma 1's margin at d = ∞."""
    closed, root = theory.delta_infinity(), bench.piece(interval, d=math.inf)["ends"][0]
    return Finding({"closed form": closed, "Lemma 1 at d = ∞": root}, apart(closed, root))


@claim("Fig. 2", tolerance=1e-12, cost=Cost(25.0), digits=10)
def infimum(bench: Bench) -> Finding:
    """The least risk over all measures, on which the continuous line of Fig. 2 rests, at d = 40.
    Compared: the certified optimality gap, and the distance from the least risk that closed forms find among measures
    on r = 0, one sphere and r = ∞."""
    seen, known = (bench.piece(f, deltas=DELTAS, d=DIM) for f in (minima, closed_forms))
    certified = bool(np.all(seen["certified"]))
    computed = table("Δ", DELTAS, {"inf R": seen["risk"], "atoms": [_atoms(one) for one in seen["atoms"]]})
    computed |= {"largest gap": largest(seen["gap"]), "certified": certified}
    off = largest(seen["gap"], apart(seen["risk"], known["risk"]))
    return Finding(computed, off, needs={"each is certified": certified})


def _atoms(one: Data) -> str:
    pairs = zip(one["r"], one["weights"], strict=True)
    return ", ".join(f"{w:.6f} at r = {size(float(f'{r:.6f}'))}" for r, w in pairs)


@claim("Fig. 2 (not printed: the text speaks of minimising R)", tolerance=_ROOT, cost=Cost(1.0))
def mass_at_infinity(bench: Bench) -> Finding:
    """Outside [Δ_l, Δ_h] the infimum is not attained: part of the mass sits at r = ∞, at d = 40.
    Compared: masses against those of closed forms; a gap of 1e-12 fixes masses to its root, 1e-6. A Δ on the wrong side
    counts as 1."""
    seen, known = (bench.piece(f, deltas=DELTAS, d=DIM)["at_infinity"] for f in (minima, closed_forms))
    low, high = bench.piece(interval, d=DIM)["ends"]
    beyond = [not low <= delta <= high for delta in DELTAS]
    mismatch = int(np.sum((seen > _ROOT) != np.array(beyond)))
    return Finding(table("Δ", DELTAS, {"mass at r = ∞": seen}), mismatch + apart(seen, known))
