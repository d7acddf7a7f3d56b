"""Claims on the optimum of the isotropic problem: r_*, Lemma 1, the interval of Delta, the infimum over all
measures."""

import math
from collections.abc import Sequence

import numpy as np

from widelimit.theory import mei2018 as theory

from .._kit._bench import Bench, Cost, Data
from .._kit._claims import Claim, Finding
from ._optima import closed_forms, closed_interval, interval, largest_margin, minima, spheres

DIM = 40
DELTAS = [round(0.1 * k, 1) for k in range(1, 10)]
_SIZES = [13, 20, 40, 80, 160]
# Below this a difference of two risks, or a margin of psi, is rounding.
_ROUNDING = 1e-12
# The gap 1e-12 is a square in the displacement of an atom or of a mass.
_ROOT = 1e-6


def _names(deltas: Sequence[float], **columns: np.ndarray) -> dict[str, float]:
    """`name, Delta = x: value` for each of several columns."""
    return {
        f"{name}, Δ = {delta:g}": float(column[k]) for k, delta in enumerate(deltas) for name, column in columns.items()
    }


def _r_star(bench: Bench) -> Finding:
    """(14) by the library and by closed forms."""
    computed: dict[str, float] = {}
    worst = 0.0
    for d in (DIM, math.inf):
        seen = bench.piece(spheres, deltas=DELTAS, d=d)
        known = [theory.single_delta(theory.Isotropic(delta, d)) for delta in DELTAS]
        apart = [seen["r"] / [one.r for one in known] - 1.0, seen["risk"] - [one.risk for one in known]]
        worst = max(worst, float(np.max(np.abs(apart))))
        computed |= {f"{name}, d = {_size(d)}": x for name, x in _names(DELTAS, r=seen["r"], R=seen["risk"]).items()}
    return Finding(computed, worst)


def _size(d: float) -> str:
    return "∞" if math.isinf(d) else f"{d:g}"


def _lemma_1(bench: Bench) -> Finding:
    """For how many Delta the condition of Lemma 1 and the certified minimum disagree."""
    inside, outside = 0, 0
    wrong: list[str] = []
    for d in (DIM, math.inf):
        one, best = (bench.piece(f, deltas=DELTAS, d=d) for f in (spheres, minima))
        condition = one["margin"] >= -_ROUNDING
        optimal = one["risk"] - best["risk"] <= best["gap"] + _ROUNDING
        inside, outside = inside + int(np.sum(condition)), outside + int(np.sum(~condition))
        wrong += [f"Δ = {DELTAS[k]:g}, d = {_size(d)}" for k in np.flatnonzero(condition != optimal)]
    computed = {
        "condition holds and the sphere is optimal": inside - len(wrong),
        "condition fails and the sphere is not": outside,
        "disagree": len(wrong),
    }
    return Finding(computed, float(len(wrong)), ", ".join(wrong))


def _thresholds(bench: Bench) -> Finding:
    computed: dict[str, float] = {}
    worst = 0.0
    for d in _SIZES:
        seen, known = (bench.piece(f, d=d) for f in (interval, closed_interval))
        computed |= {f"Δ_{side}, d = {d}": float(x) for side, x in zip("lh", seen["ends"], strict=True)}
        worst = max(worst, float(np.max(np.abs(seen["ends"] - known["ends"]))), float(seen["violation"]))
    seen = bench.piece(interval, d=math.inf)
    computed["Δ_h, d = ∞"] = float(seen["ends"][0])
    worst = max(worst, abs(float(seen["ends"][0]) - theory.delta_infinity()), float(seen["violation"]))
    return Finding(computed, worst)


def _empty(bench: Bench) -> Finding:
    """How far above 0 the largest margin gets for d <= 12, by the library; and what the closed forms find."""
    sizes = bench.pick(quick=[12], paper=list(range(2, 13)))
    found = {d: bench.piece(largest_margin, d=d) for d in sizes}
    nonempty = [d for d in range(2, 13) if theory.thresholds(d) is not None]
    computed: dict[str, float | str] = {f"largest margin, d = {d}": float(one["margin"]) for d, one in found.items()}
    computed["d <= 12 with an interval, by closed forms"] = ", ".join(map(str, nonempty)) or "none"
    computed["Δ_h - Δ_l at d = 13"] = float(np.diff(bench.piece(interval, d=13)["ends"])[0])
    above = max(float(one["margin"]) for one in found.values())
    return Finding(computed, max(0.0, above) + len(nonempty))


def _limits(bench: Bench) -> Finding:
    sizes = np.array([80, 160, 320])
    ends = np.stack([bench.piece(interval, d=int(d))["ends"] for d in sizes])
    apart = np.abs(ends - np.array([0.0, theory.delta_infinity()]))
    slopes = np.log(apart[1:] / apart[:-1]) / np.log(2.0)
    # A series in 1/d without its first two terms.
    limits = (ends[0] - 6.0 * ends[1] + 8.0 * ends[2]) / 3.0
    computed = {
        "Δ_l at d = 320": float(ends[2, 0]),
        "Δ_h at d = 320": float(ends[2, 1]),
        "Δ_l extrapolated to d = ∞": float(limits[0]),
        "Δ_h extrapolated to d = ∞": float(limits[1]),
        "exponent of d, Δ_l": float(slopes[-1, 0]),
        "exponent of d, Δ_∞ - Δ_h": float(slopes[-1, 1]),
        "d Δ_l at d = 320": float(320.0 * ends[2, 0]),
        "d (Δ_∞ - Δ_h) at d = 320": float(320.0 * apart[2, 1]),
    }
    return Finding(computed, float(np.max(np.abs(slopes[-1] + 1.0))))


def _delta_infinity(bench: Bench) -> Finding:
    value = theory.delta_infinity()
    return Finding(value, abs(value - 0.47))


def _delta_infinity_digits(bench: Bench) -> Finding:
    closed, root = theory.delta_infinity(), float(bench.piece(interval, d=math.inf)["ends"][0])
    return Finding({"closed form": closed, "Lemma 1 at d = ∞": root}, abs(closed - root))


def _infimum(bench: Bench) -> Finding:
    seen, known = (bench.piece(f, deltas=DELTAS, d=DIM) for f in (minima, closed_forms))
    computed: dict[str, float | str] = dict(_names(DELTAS, **{"inf R": seen["risk"]}))
    computed |= {f"atoms, Δ = {delta:g}": _atoms(seen, k) for k, delta in enumerate(DELTAS)}
    computed |= {"largest gap": float(np.max(seen["gap"])), "certified": bool(np.all(seen["certified"]))}
    apart = float(np.max(np.abs(seen["risk"] - known["risk"])))
    worst = max(float(np.max(seen["gap"])), apart, 0.0 if np.all(seen["certified"]) else math.inf)
    return Finding(computed, worst)


def _atoms(seen: Data, k: int) -> str:
    pairs = zip(seen["radii"][k], seen["weights"][k], strict=True)
    return ", ".join(f"{w:.6f} at r = {_size(float(f'{r:.6f}'))}" for r, w in pairs if not math.isnan(r))


def _mass_at_infinity(bench: Bench) -> Finding:
    seen, known = (bench.piece(f, deltas=DELTAS, d=DIM) for f in (minima, closed_forms))
    low, high = bench.piece(interval, d=DIM)["ends"]
    outside = np.array([not low <= delta <= high for delta in DELTAS])
    mismatch = int(np.sum((seen["at_infinity"] > _ROOT) != outside))
    apart = float(np.max(np.abs(seen["at_infinity"] - known["at_infinity"])))
    return Finding(_names(DELTAS, **{"mass at r = ∞": seen["at_infinity"]}), mismatch + apart)


CLAIMS = (
    Claim(
        id="r-star",
        statement="The best single sphere: r_* minimises R^(1)(r) = 1 + 2 v(r) + u_d(r, r).",
        where="(14)",
        printed=None,
        compute=_r_star,
        tolerance=1e-10,
        reason="r_* (relative) and its risk, d = 40 and ∞, Δ = .1 to .9: the reduced problem's stationary point "
        "against SciPy on closed forms; both solve for a root, and the data quadrature is exact to 1e-13",
        cost=Cost(15.0, 15.0),
        digits=10,
    ),
    Claim(
        id="lemma-1",
        statement="The sphere of radius r_* is a global minimiser of R if and only if v(r) + u_d(r, r_*) >= v(r_*) + "
        "u_d(r_*, r_*) for all r >= 0.",
        where="Lemma 1",
        printed=None,
        compute=_lemma_1,
        tolerance=0.0,
        reason="the Δ among .1 to .9, d = 40 and ∞, for which the condition (r = ∞ included) and the certified minimum "
        "over all measures disagree; none may",
        cost=Cost(20.0, 20.0),
    ),
    Claim(
        id="thresholds",
        statement="For Δ in an interval [Δ_l, Δ_h] that depends on d the sphere of radius r_* is a global minimiser.",
        where="text after Lemma 1",
        printed=None,
        compute=_thresholds,
        tolerance=5e-9,
        reason="eight decimals: roots of Lemma 1's margin on the reduced problem against SciPy on closed forms (other "
        "quadrature); no r in [0, ∞] may violate the condition at the ends",
        cost=Cost(60.0, 60.0),
        digits=10,
    ),
    Claim(
        id="thresholds-empty",
        statement="The interval [Δ_l, Δ_h] is empty for d <= 12.",
        where="text after Lemma 1 (not printed there; the text reads as if there were an interval for each d)",
        printed=None,
        compute=_empty,
        tolerance=0.0,
        reason="max over Δ of psi(∞; r_*) - psi(r_*; r_*) must not be positive (by the library at d = 12, at paper "
        "scale for all d), and closed forms must find no interval for d = 2 to 12",
        cost=Cost(20.0, 100.0),
    ),
    Claim(
        id="thresholds-limits",
        statement="Δ_l tends to 0 and Δ_h to Δ_∞ as d grows, both like 1/d.",
        where="text after Lemma 1 (the rate is not printed)",
        printed={"lim Δ_l": 0.0, "lim Δ_h": 0.47},
        compute=_limits,
        tolerance=0.05,
        reason="the exponents of d between d = 160 and 320 against -1; the next term of a series in 1/d changes "
        "them by 2 to 3 % there",
        cost=Cost(20.0, 20.0),
    ),
    Claim(
        id="delta-infinity",
        statement="The upper end of the interval of Δ where one sphere is optimal tends to Δ_∞.",
        where="text after Lemma 1",
        printed=0.47,
        compute=_delta_infinity,
        tolerance=0.005,
        reason="the print has two digits",
        cost=Cost(1.0, 1.0),
        digits=12,
    ),
    Claim(
        id="delta-infinity-digits",
        statement="Δ_∞ = (x1 - x2)/(x1 + x2) with q(x1) = 1, q(x2) = -1, q(r) = E sigma(rG): there one sphere has "
        "risk 0.",
        where="text after Lemma 1 (the formula is not printed)",
        printed=None,
        compute=_delta_infinity_digits,
        tolerance=1e-12,
        reason="twelve digits: the closed form against the root of Lemma 1's margin at d = ∞",
        cost=Cost(5.0, 5.0),
        digits=13,
    ),
    Claim(
        id="infimum",
        statement="The least risk over all measures, on which the continuous line of Fig. 2 rests, at d = 40.",
        where="Fig. 2",
        printed=None,
        compute=_infimum,
        tolerance=1e-12,
        reason="the certified optimality gap, and the distance from the least risk that closed forms find among "
        "measures on r = 0, one sphere and r = ∞",
        cost=Cost(25.0, 25.0),
        digits=10,
    ),
    Claim(
        id="mass-at-infinity",
        statement="Outside [Δ_l, Δ_h] the infimum is not attained: part of the mass sits at r = ∞, at d = 40.",
        where="Fig. 2 (not printed: the text speaks of minimising R)",
        printed=None,
        compute=_mass_at_infinity,
        tolerance=_ROOT,
        reason="masses against those of closed forms; a gap of 1e-12 fixes masses to its root, 1e-6. A Δ on the wrong "
        "side counts as 1",
        cost=Cost(1.0, 1.0),
    ),
)
