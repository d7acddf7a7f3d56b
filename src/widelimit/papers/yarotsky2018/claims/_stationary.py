"""Claims on stationary distributions and global minima of the spline: 3.1, A.5, (32)-(35), Propositions 1 and 2."""

import functools
import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from widelimit import analysis
from widelimit.measure import Particles, laws
from widelimit.problem import Problem, activations, data, problems, units
from widelimit.theory import yarotsky2018 as theory

from ..._kit import Bench, Cost, Data, Finding, claim, columns
from ..._kit._shares import apart, largest, log_slope, share_allowed, share_needed
from ..runs._square import flow, spline

_MOST = 5


def _cubic(x: Any) -> Any:
    return x**2 + x**3


def families(most: int) -> Data:
    """The families of 1 to `most` atoms by the library, and how far they are from rest in the exact problem.

    Case 1 (no mass at h < 0), then case 2, a family of each count.
    """
    cases: Data = {"case 1": [], "case 2": []}
    for count in range(1, most + 1):
        found = analysis.stationary_atoms(spline(), count)
        for left, rows in enumerate(cases.values()):
            mine = [one for one in found if one.has_left_mass == bool(left)]
            if len(mine) != 1 or found.complete != "all":
                raise RuntimeError(f"{len(mine)} families of {count} atoms, {found.complete}.")
            rows.append(_family(mine[0]))
    return cases


def _family(one: analysis.AtomFamily) -> Data:
    rho = one.measure()
    return {
        "knots": one.knots,
        "masses": one.masses,
        "left": [one.left_mass, one.left_moment],
        "errors": one.errors,
        "loss": spline().risk(rho),
        "rest": [analysis.orthogonality(spline(), rho).violation, *analysis.stationarity(spline(), rho).conditions],
    }


def _case(bench: Bench, case: int) -> Finding:
    """One case of A.5 against the closed forms; the printed spacing for case 1."""
    found = bench.piece(families, most=_MOST)[f"case {case}"]
    computed, off = {}, []
    for count, one in enumerate(found, 1):
        known = theory.without_left_mass(count) if case == 1 else theory.with_left_mass(count)
        step = (6.0 * count - math.sqrt(6.0)) / (6.0 * count**2 - 1.0) if case == 1 else 1.0 / (count + 1)
        off += [
            apart(one["knots"], 1.0 - step * np.arange(count, 0, -1)),
            apart(one["knots"], known.knots),
            apart(one["masses"], known.masses),
            apart(one["left"], [known.left_mass, known.left_moment]),
            apart(one["loss"], known.loss),
            # (45), (46): the error at every knot.
            apart(one["errors"], step**2 / 6.0),
        ]
        computed |= {f"spacing, M = {count}": 1.0 - one["knots"][-1], f"loss, M = {count}": one["loss"]}
    rest = largest(*(one["rest"] for one in found))
    computed |= {"largest difference": largest(off), "orthogonality": rest}
    return Finding(computed, share_allowed((off, 1e-12), (rest, 1e-12)))


@claim("A.5, case 1 (masses and losses are not printed)", tolerance=1.0, cost=Cost(12.0), digits=10)
def stationary_case_1(bench: Bench) -> Finding:
    """Stationary distributions with no mass at h < 0: M knots at distances Delta = (6M - sqrt 6)/(6M^2 - 1) = 1/(M +
    1/sqrt 6) up to 1, error f - f_mf = Delta^2/6 at each, loss M Delta^5/360 + h_1^5/10; M = 1 to 5.
    Printed: (6M - sqrt 6)/(6M^2 - 1).
    Compared: share of what is allowed: 1e-12 for knots, masses, errors and losses of analysis.stationary_atoms against
    the print and closed forms, the loss from exact integrals; 1e-12 for the orthogonality of the error and for
    Proposition 1's conditions, relative to their parts."""
    return _case(bench, 1)


@claim("A.5, case 2", tolerance=1.0, cost=Cost(12.0), digits=10)
def stationary_case_2(bench: Bench) -> Finding:
    """Stationary distributions with mass at h < 0: M knots at distances 1/(M + 1), loss 1/(360 (M + 1)^4); the mass at
    h < 0 has INT c p = Delta and INT c h p = Delta^2/6, hence both signs of c; M = 1 to 5.
    Printed: finitely many atoms equally spaced between 0 and 1.
    Compared: as for case 1."""
    return _case(bench, 2)


def shifted(steps: list[float]) -> Data:
    """How much the orthogonality is violated when a knot of a stationary law is moved: a control."""
    rho, out = analysis.stationary_atoms(spline(), 3)[0].measure(), []
    for step in steps:
        rows = np.asarray(rho.positions).copy()
        rows[1, 1] += step
        moved = Particles(rows, rho.weights, blocks=spline().blocks)
        conditions = analysis.stationarity(spline(), moved).conditions
        out.append([analysis.orthogonality(spline(), moved).violation, *conditions])
    return {"violation": out}


@claim("Proposition 1; A.5", tolerance=1.0, cost=Cost(12.0), digits=4)
def proposition_1(bench: Bench) -> Finding:
    """dL/dt = 0, grad u = 0 on the support, and dp/dt = 0 are equivalent; for the spline so is the orthogonality of the
    error to linear functions.
    Compared: share of what is allowed: 1e-12 of their parts for all conditions at the ten distributions of A.5; with a
    knot moved by 0.01 all four must exceed 1e-4 and be in proportion to the move, exponents within 0.1 of 1."""
    # All conditions are rounding at rest, clearly none beside it, where they are in proportion to the distance.
    cases, steps = bench.piece(families, most=_MOST), [1e-3, 1e-2]
    rest = largest(*(one["rest"][1:] for rows in cases.values() for one in rows))
    away = bench.piece(shifted, steps=steps)["violation"]
    slopes = [log_slope(steps, column) for column in away.T]
    names = ("orthogonality", "1)", "2)", "3)")
    computed = {"at rest, largest": rest}
    computed |= {f"{name}, a knot moved by 0.01": x for name, x in zip(names, away[1], strict=True)}
    computed |= {f"exponent of {name}": x for name, x in zip(names, slopes, strict=True)}
    moved = share_needed(away[1], 1e-4)
    return Finding(computed, share_allowed((rest, 1e-12), (moved, 1.0), (apart(slopes, 1.0), 0.1)))


def supports(charges: list[float]) -> Data:
    """Violation of A.5's condition by laws with h uniform on an interval, for each charge; rows: the intervals."""
    places = ((0.0, 1.0), (0.0, 0.7), (0.2, 1.0), (0.3, 0.6), (-0.5, 1.0), (0.0, 1.5))

    def violation(low: float, high: float, c: float) -> float:
        return analysis.orthogonality(spline(), laws.product(c=laws.Atom(c), h=laws.Uniform(low, high))).violation

    return {"places": places, "violation": [[violation(*place, c) for c in charges] for place in places]}


@claim("3.1, second paragraph; A.5", tolerance=1.0, cost=Cost(2.0), digits=4)
def support(bench: Bench) -> Finding:
    """A stationary distribution whose knots are no finite set in [0, 1] covers [0, 1] and is a global minimiser.
    Printed: supp p = [0, 1] or a finite number of equidistant atoms.
    Compared: share of what is allowed, h uniform on six intervals and seven charges: the violation of the orthogonality
    below 1e-12 for the two minimisers among them and above 1e-3, relative to the error's parts, for all others."""
    charges = [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0]
    found = bench.piece(supports, charges=charges)
    computed, small, large = {}, [], []
    for (low, high), row in zip(found["places"], found["violation"], strict=True):
        # Charge 2 a unit of h; (0, 1.5) has 2/3 of its mass in [0, 1]. With h < 0, f_mf(0) > 0 = f(0).
        fits = np.array(charges) == {(0.0, 1.0): 2.0, (0.0, 1.5): 3.0}.get((float(low), float(high)))
        computed[f"least violation, h on [{low:g}, {high:g}]"] = np.min(row)
        small += list(row[fits])
        large += list(row[~fits])
    return Finding(computed, share_allowed((small, 1e-12), (share_needed(large, 1e-3), 1.0)))


@functools.cache
def _points(targets: tuple[float, ...]) -> Problem:
    """Finite data: so many inputs, units c tanh(w x + b), which are smooth."""
    x = np.linspace(-1.0, 1.0, len(targets))[:, None]
    return Problem(units.Neuron(activations.tanh), data.Samples(x, np.array(targets)))


def finite(targets: list[float], width: int, seed: int, end: float) -> Data:
    """The flow of N units on finite data to its end: loss, what is left of the velocity, rank of the features."""
    problem = _points(tuple(targets))
    rows = np.asarray(jax.random.normal(jax.random.key(seed), (width, problem.dim)))
    run = flow(Particles(rows, blocks=problem.blocks), [0.0, end], rtol=1e-8, atol=1e-11, problem=problem)
    last = Particles(run.positions[-1], blocks=problem.blocks)
    total = analysis.totality(problem, last)
    residual = largest(analysis.stationarity(problem, last).conditions)
    return {"loss": run.risk[-1], "residual": residual, "rank": total.rank, "total": total.total}


# Nearly a sigmoid, so that the best single unit is a finite one; twelve units can follow it exactly.
_TARGETS = [-0.8, -0.7, 0.2, 0.4, 0.9]


@claim("Proposition 2", tolerance=1.0, cost=Cost(9.0), digits=4)
def proposition_2(bench: Bench) -> Finding:
    """A stationary distribution of a model with linear output whose features are total in L^2(mu) has loss 0; where
    they are not total the loss may stay above 0.
    Printed: L_mf(p) = 0.
    Compared: share of what is allowed, units c tanh(w x + b) on five points: loss 1e-8 at t = 1e5 for 12 units of rank
    5; for one unit a velocity below 1e-6 of its parts at a loss above 1e-3. The ranks must be so, and the spline's
    features total for h over [0, 1] and not for an atom."""
    many, one = (bench.piece(finite, targets=_TARGETS, width=n, seed=3, end=t) for n, t in ((12, 1e5), (1, 1e4)))
    wide = analysis.totality(spline(), laws.product(c=laws.Atom(2.0), h=laws.Uniform(0.0, 1.0)))
    atom = analysis.totality(spline(), analysis.stationary_atoms(spline(), 1)[0].measure())
    computed = {
        "loss, 12 units (total)": many["loss"],
        "loss, 1 unit (not total)": one["loss"],
        "velocity left, 1 unit": one["residual"],
        "rank of 5, 12 units": many["rank"],
        "rank of 5, 1 unit": one["rank"],
        "spline: h over all of [0, 1] total": wide.total,
        "spline: the stationary atom total": atom.total,
    }
    needs = {
        "12 units and h over [0, 1] are total": many["total"] and wide.total,
        "1 unit and an atom are not": not one["total"] and not atom.total,
    }
    stuck = (share_needed(one["loss"], 1e-3), 1.0)
    return Finding(computed, share_allowed((many["loss"], 1e-8), stuck, (one["residual"], 1e-6)), needs=needs)


@functools.cache
def _minimisers() -> dict[str, tuple[Problem, Any]]:
    """Laws with INT c p(c, h) dc = 2 on [0, 1], very different ones; the last with mass at h < 0."""
    spread = laws.Uniform(0.0, 1.0)
    half = laws.Mixture(
        [laws.product(c=laws.Normal(4.0, 1.0), h=spread), laws.product(c=laws.Atom(0.6), h=laws.Atom(-1.0 / 3.0))],
        [0.5, 0.5],
    )
    return {
        "all c = 2": (spline(), laws.product(c=laws.Atom(2.0), h=spread)),
        "c ~ N(2, 9)": (spline(), laws.product(c=laws.Normal(2.0, 3.0), h=spread)),
        "c ~ U(-1, 5)": (spline(), laws.product(c=laws.Uniform(-1.0, 5.0), h=spread)),
        # Slope and intercept at 0, for (34) and (35).
        "x² + 0.3 x + 0.1": (problems.free_knot_spline(lambda x: x * x + 0.3 * x + 0.1), half),
    }


def minima(nodes: int) -> Data:
    """The criterion for several laws, and their losses again from many atoms each; for laws that break it a little;
    and the loss of laws for which (33) holds as printed."""
    # f'' = 1.
    flat = problems.free_knot_spline(lambda x: 0.5 * x * x)
    # Each of two conditions alone broken by a little.
    low = laws.product(c=laws.Atom(1.9), h=laws.Uniform(0.0, 1.0))
    left = laws.product(c=laws.Atom(2.0), h=laws.Uniform(-0.1, 0.9))
    # (33) as printed, INT p(c, x) dc = f'', with the uniform law on [0, 1]: f'' = 1 whatever the charges are.
    same = [laws.product(c=laws.Atom(c), h=laws.Uniform(0.0, 1.0)) for c in (1.0, 3.0)]
    minimisers = _minimisers().values()
    return {
        "right": columns([_judged(problem, law) for problem, law in minimisers]),
        "sums": [problem.risk(law.quantise(nodes)) for problem, law in minimisers],
        "broken": columns([_judged(spline(), law) for law in (low, left)]),
        "printed": columns([_judged(flat, law) for law in same]),
    }


def _judged(problem: Problem, law: Any) -> Data:
    found = analysis.global_minimum(problem, law)
    return {"holds": found.holds, "loss": found.risk}


@claim("(33)-(35) and 3.1, first sentence", tolerance=1.0, cost=Cost(3.0), digits=4)
def global_minimum(bench: Bench) -> Finding:
    """p is a global minimiser (loss 0) if and only if INT c p(c, x) dc = f''(x) on [0, 1], -INT_{h<0} c h p = f(0) and
    INT_{h<0} c p = f'(0).
    Printed: (33): INT p(c, x) dc = f''(x).
    Compared: share of what is allowed: exact losses below 1e-20 for four laws with the right charges, one with mass at
    h < 0; below 1e-4 for 4096 atoms each, which err like 1/N in f; the two laws that break it must have losses above
    1e-5. With (33) as printed the charges would not matter: they must.
    Misprint: (33) lacks the factor c under the integral."""
    found = bench.piece(minima, nodes=4096)
    right, broken, printed = (found[name] for name in ("right", "broken", "printed"))
    computed = {f"loss, {name}": x for name, x in zip(_minimisers(), right["loss"], strict=True)}
    computed |= {f"from 4096 atoms, {name}": x for name, x in zip(_minimisers(), found["sums"], strict=True)}
    computed["least loss where the criterion fails"] = np.min(broken["loss"])
    computed["loss where (33) holds as printed, all c = 1"] = printed["loss"][0]
    computed["the same with all c = 3"] = printed["loss"][1]
    needs = {
        "the criterion holds for the four laws and for no other": np.all(right["holds"])
        and not np.any(broken["holds"]),
        "charges matter": printed["loss"][0] < 1e-20 and printed["loss"][1] > 1e-2,
    }
    off = (right["loss"], 1e-20), (found["sums"], 1e-4), (share_needed(broken["loss"], 1e-5), 1.0)
    return Finding(computed, share_allowed(*off), needs=needs)


def neutral(places: list[float]) -> Data:
    """A stationary law of three knots beside a tenth of its mass at (0, h): the violation, and <f_mf - f, x - h>."""
    one = analysis.stationary_atoms(spline(), 3)[0]
    rows, weights = np.asarray(one.measure().positions), np.asarray(one.measure().weights)
    x, w = np.polynomial.legendre.leggauss(8)
    seen = []
    for h in places:
        both = np.concatenate([rows * [1.0 / 0.9, 1.0], [[0.0, h]]])
        rho = Particles(both, np.append(0.9 * weights, 0.1), blocks=spline().blocks)
        inner = 0.0
        for low, high in itertools.pairwise([h, *(k for k in sorted(one.knots) if h < k < 1.0), 1.0]):
            node = low + 0.5 * (high - low) * (x + 1.0)
            error = np.maximum(node[:, None] - one.knots, 0.0) @ one.masses - node**2
            inner += 0.5 * (high - low) * float(w @ (error * (node - h)))
        found = analysis.orthogonality(spline(), rho)
        seen.append({"violation": found.violation, "zero": found.zero_charge, "inner": inner})
    return columns(seen) | {"knots": one.knots}


_CONVEX = {"exp(x)": (jnp.exp, np.exp, 1.0), "x^2 + x^3": (_cubic, _cubic, 2.0)}
"""Uniformly convex targets: for the library, for NumPy, and the least second derivative on [0, 1]."""


def convex(target: str, most: int) -> Data:
    """The families of up to `most` atoms: their errors at the knots, and those of linear regression on every gap."""
    function, plain, bend = _CONVEX[target]
    problem = problems.free_knot_spline(target=function)
    x, w = np.polynomial.legendre.leggauss(12)
    rows = []
    for count in range(1, most + 1):
        found = analysis.stationary_atoms(problem, count)
        for one in found:
            ends = np.append(one.knots, 1.0)
            fitted = one.left_mass * ends - one.left_moment + np.maximum(ends[:, None] - one.knots, 0.0) @ one.masses
            off = []
            for k, (a, b) in enumerate(itertools.pairwise(ends)):
                node = a + 0.5 * (b - a) * (x + 1.0)
                line = fitted[k] + (fitted[k + 1] - fitted[k]) * (node - a) / (b - a)
                off += [abs(0.5 * w @ (line - plain(node))), abs(0.5 * w @ ((line - plain(node)) * x))]
            rows.append(
                {
                    "all": found.complete == "all",
                    "rest": analysis.orthogonality(problem, one.measure()).violation,
                    "regression": max(off),
                    "errors": apart(one.errors, plain(one.knots) - fitted[:-1]),
                    # m (b - a)^2/12 is the least that a regression line is below f at the ends of a gap.
                    "above": np.min((plain(one.knots) - fitted[:-1]) / (bend * np.diff(ends) ** 2 / 12.0)),
                    "uneven": np.ptp(np.diff(ends)),
                }
            )
    return columns(rows)


@claim("A.5, remark 1", tolerance=1.0, cost=Cost(15.0), digits=4)
def convex_targets(bench: Bench) -> Finding:
    """For uniformly convex f, too, the knots of a stationary distribution in [0, 1] are finitely many, or a segment up
    to 1: between neighbouring knots f_mf is the linear regression of f, so at a knot f is above it by at least
    m (b - a)^2/12, m = min f'', where a knot that is a limit of others would need f_mf = f.
    Compared: share of what is allowed, over all families of one to four atoms for exp(x) and x^2 + x^3: 1e-12 in the
    orthogonality of the error, in regression on every gap by Gauss quadrature and in the library's errors at the knots;
    1e-9 by which an error at a knot may be below m (b - a)^2/12."""
    found = {name: bench.piece(convex, target=name, most=4) for name in _CONVEX}
    computed = {}
    for name, one in found.items():
        computed |= {
            f"{name}: families": len(one["rest"]),
            f"{name}: least error over m (b - a)^2/12": one["above"].min(),
        }
    zero = [one[part] for one in found.values() for part in ("rest", "regression", "errors")]
    below = [np.maximum(1.0 - one["above"], 0.0) for one in found.values()]
    told = {"every family of these counts is known": all(np.all(one["all"]) for one in found.values())}
    told["the knots are not evenly spaced, as for x^2"] = max(np.max(one["uneven"]) for one in found.values()) > 1e-3
    return Finding(computed, share_allowed((largest(*zero), 1e-12), (largest(*below), 1e-9)), needs=told)


@claim("A.5, criterion for c = 0, and remark 2", tolerance=1.0, cost=Cost(12.0), digits=4)
def neutral_atoms(bench: Bench) -> Finding:
    """Mass at c = 0 and h < 1 is at rest only where the error is orthogonal to x - h on [h, 1]: for f = x^2 and h in
    (0, 1) only at the knots, so that the two marginals have the same support there.
    Compared: share of what is allowed, three knots and a tenth of the mass at (0, h): the violation below 1e-12 at the
    knots and above 1e-5 at h between them; 1e-14 for |<f_mf - f, x - h>| at the knots by Gauss quadrature."""
    knots = bench.piece(families, most=_MOST)["case 1"][2]["knots"]
    between = np.concatenate([0.5 * (knots[1:] + knots[:-1]), [0.5 * knots[0], 0.5 * (1.0 + knots[-1])]])
    found = bench.piece(neutral, places=[float(h) for h in np.concatenate([knots, between])])
    at, off = np.split(found["violation"], [len(knots)])
    inner = np.abs(found["inner"])
    computed = {"largest violation at a knot": np.max(at), "least between": np.min(off)}
    computed |= {"|<f_mf - f, x - h>| at a knot": np.max(inner[: len(knots)]), "between": np.min(inner[len(knots) :])}
    parts = (at, 1e-12), (inner[: len(knots)], 1e-14), (share_needed(off, 1e-5), 1.0)
    told = {"the mass at c = 0 is seen": np.all(np.abs(found["zero"] - 0.1) < 1e-12)}
    told["off the knots the error is not orthogonal"] = np.min(inner[len(knots) :]) > 1e-6
    return Finding(computed, share_allowed(*parts), needs=told)
