"""Claims on stationary distributions and global minima of the spline: 3.1, A.5, (32)-(35), Propositions 1 and 2."""

import functools
import math
from typing import Any

import jax
import numpy as np

from widelimit import analysis
from widelimit.measure import Particles, laws
from widelimit.problem import Problem, activations, data, problems, units
from widelimit.theory import yarotsky2018 as theory

from .._kit._bench import Bench, Cost, Data
from .._kit._claims import Claim, Finding, Verdict
from .._kit._shares import share_allowed, share_needed
from ._square import flow, spline

_MOST = 5


def families(most: int) -> Data:
    """The families of 1 to `most` atoms by the library, and how far they are from rest in the exact problem.

    Rows: case 1 (no mass at h < 0), then case 2, of each count. Knots and masses are padded with NaN.
    """
    problem, rows = spline(), []
    for count in range(1, most + 1):
        found = analysis.stationary_atoms(problem, count)
        for left in (False, True):
            own = [one for one in found if one.has_left_mass is left]
            if len(own) != 1 or found.complete != "all":
                raise RuntimeError(f"{len(own)} families of {count} atoms, {found.complete}.")
            rows.append((own[0], own[0].measure()))
    pad = [(0, most - len(one.knots)) for one, _ in rows]
    return {
        "count": np.array([len(one.knots) for one, _ in rows]),
        "left": np.array([one.has_left_mass for one, _ in rows]),
        "knots": np.stack(
            [np.pad(one.knots, p, constant_values=np.nan) for (one, _), p in zip(rows, pad, strict=True)]
        ),
        "masses": np.stack(
            [np.pad(one.masses, p, constant_values=np.nan) for (one, _), p in zip(rows, pad, strict=True)]
        ),
        "left_parts": np.array([[one.left_mass, one.left_moment] for one, _ in rows]),
        "errors": np.array([np.max(np.abs(one.errors - one.errors[0])) for one, _ in rows]),
        "error": np.array([one.errors[0] for one, _ in rows]),
        "loss": np.array([float(problem.risk(rho)) for _, rho in rows]),
        "violation": np.array([analysis.orthogonality(problem, rho).violation for _, rho in rows]),
        "residual": np.array([np.max(analysis.stationarity(problem, rho).conditions) for _, rho in rows]),
    }


def _case(bench: Bench, left: bool) -> Finding:
    """One case of A.5 against the closed forms; the printed spacing for case 1."""
    found = bench.piece(families, most=_MOST)
    computed: dict[str, float] = {}
    apart, rest = [], []
    for k in np.flatnonzero(found["left"] == left):
        count = int(found["count"][k])
        known = theory.with_left_mass(count) if left else theory.without_left_mass(count)
        step = 1.0 / (count + 1) if left else (6.0 * count - math.sqrt(6.0)) / (6.0 * count**2 - 1.0)
        knots, masses = found["knots"][k, :count], found["masses"][k, :count]
        apart += [
            np.max(np.abs(knots - (1.0 - step * np.arange(count, 0, -1)))),
            np.max(np.abs(knots - known.knots)),
            np.max(np.abs(masses - known.masses)),
            np.max(np.abs(found["left_parts"][k] - [known.left_mass, known.left_moment])),
            abs(found["loss"][k] - known.loss),
            # (45), (46): the error at every knot.
            abs(found["error"][k] - step**2 / 6.0),
            found["errors"][k],
        ]
        rest += [found["violation"][k], found["residual"][k]]
        computed |= {f"spacing, M = {count}": float(1.0 - knots[-1]), f"loss, M = {count}": float(found["loss"][k])}
    computed |= {"largest difference": float(np.max(apart)), "orthogonality": float(np.max(rest))}
    return Finding(computed, share_allowed((np.array(apart), 1e-12), (np.array(rest), 1e-12)))


def shifted(steps: list[float]) -> Data:
    """How much the orthogonality is violated when a knot of a stationary law is moved: a control."""
    problem, out = spline(), []
    for step in steps:
        rho = analysis.stationary_atoms(problem, 3)[0].measure()
        rows = np.asarray(rho.positions).copy()
        rows[1, 1] += step
        moved = Particles(rows, rho.weights, blocks=problem.blocks)
        out.append(
            [analysis.orthogonality(problem, moved).violation, *analysis.stationarity(problem, moved).conditions]
        )
    return {"violation": np.array(out)}


def _proposition_1(bench: Bench) -> Finding:
    """The three conditions: all rounding at rest, all clearly not beside it, and in proportion to the distance."""
    rest = bench.piece(families, most=_MOST)["residual"]
    steps = [1e-3, 1e-2]
    away = bench.piece(shifted, steps=steps)["violation"]
    computed = {"at rest, largest": float(np.max(rest))}
    names = ("orthogonality", "1)", "2)", "3)")
    computed |= {f"{name}, a knot moved by 0.01": float(x) for name, x in zip(names, away[1], strict=True)}
    slopes = np.log(away[1] / away[0]) / math.log(steps[1] / steps[0])
    computed |= {f"exponent of {name}": float(x) for name, x in zip(names, slopes, strict=True)}
    moved = share_needed(away[1], 1e-4)
    return Finding(computed, share_allowed((rest, 1e-12), (moved, 1.0), (np.abs(slopes - 1.0), 0.1)))


def supports(charges: list[float]) -> Data:
    """Violation of A.5's condition by laws with h uniform on an interval, for each charge; rows: the intervals."""
    places = ((0.0, 1.0), (0.0, 0.7), (0.2, 1.0), (0.3, 0.6), (-0.5, 1.0), (0.0, 1.5))
    found = [
        [
            analysis.orthogonality(spline(), laws.product(c=laws.Atom(c), h=laws.Uniform(low, high))).violation
            for c in charges
        ]
        for low, high in places
    ]
    return {"places": np.array(places), "violation": np.array(found)}


def _support(bench: Bench) -> Finding:
    """Of densities in h, those that cover [0, 1] with the right charge are stationary, others are not."""
    charges = [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0]
    found = bench.piece(supports, charges=charges)
    computed: dict[str, float] = {}
    small, large = [], []
    for (low, high), row in zip(found["places"], found["violation"], strict=True):
        # Charge 2 a unit of h; (0, 1.5) has 2/3 of its mass in [0, 1]. With h < 0, f_mf(0) > 0 = f(0).
        best = {(0.0, 1.0): 2.0, (0.0, 1.5): 3.0}.get((float(low), float(high)))
        computed[f"least violation, h on [{low:g}, {high:g}]"] = float(np.min(row))
        fits = np.array(charges) == best
        small += list(row[fits])
        large += list(row[~fits])
    return Finding(computed, share_allowed((np.array(small), 1e-12), (share_needed(large, 1e-3), 1.0)))


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
    return {
        "loss": np.asarray(run.risk[-1]),
        "residual": np.asarray(np.max(analysis.stationarity(problem, last).conditions)),
        "rank": np.asarray(total.rank),
        "total": np.asarray(total.total),
        "outside": np.asarray(total.outside),
    }


# Nearly a sigmoid, so that the best single unit is a finite one; twelve units can follow it exactly.
_TARGETS = [-0.8, -0.7, 0.2, 0.4, 0.9]


def _proposition_2(bench: Bench) -> Finding:
    many, one = (bench.piece(finite, targets=_TARGETS, width=n, seed=3, end=t) for n, t in ((12, 1e5), (1, 1e4)))
    wide = analysis.totality(spline(), laws.product(c=laws.Atom(2.0), h=laws.Uniform(0.0, 1.0)))
    atom = analysis.totality(spline(), analysis.stationary_atoms(spline(), 1)[0].measure())
    computed = {
        "loss, 12 units (total)": float(many["loss"]),
        "loss, 1 unit (not total)": float(one["loss"]),
        "velocity left, 1 unit": float(one["residual"]),
        "rank of 5, 12 units": int(many["rank"]),
        "rank of 5, 1 unit": int(one["rank"]),
        "spline: h over all of [0, 1] total": wide.total,
        "spline: the stationary atom total": atom.total,
    }
    kinds = bool(many["total"]) and not bool(one["total"]) and wide.total and not atom.total
    stuck = share_needed(one["loss"], 1e-3)
    wrong = 0.0 if kinds else math.inf
    return Finding(computed, share_allowed((many["loss"], 1e-8), (stuck, 1.0), (one["residual"], 1e-6)) + wrong)


def tilted(x: Any) -> Any:
    """x^2 + 0.3 x + 0.1: slope and intercept at 0, for (34) and (35)."""
    return x * x + 0.3 * x + 0.1


@functools.cache
def _tilted() -> Problem:
    return problems.free_knot_spline(tilted)


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
        "x² + 0.3 x + 0.1": (_tilted(), half),
    }


def minima(nodes: int) -> Data:
    """The criterion for several laws; and their losses again, from many atoms each."""
    found = {name: analysis.global_minimum(problem, law) for name, (problem, law) in _minimisers().items()}
    sums = [float(p.risk(law.quantise(nodes))) for p, law in _minimisers().values()]
    # (33) as printed, INT p(c, x) dc = f'', with the uniform law on [0, 1]: f'' = 1 whatever the charges are.
    flat = problems.free_knot_spline(halved)
    charges = (1.0, 3.0)
    printed = [
        analysis.global_minimum(flat, laws.product(c=laws.Atom(c), h=laws.Uniform(0.0, 1.0))).risk for c in charges
    ]
    # Each of the three conditions alone, broken by a little.
    low = laws.product(c=laws.Atom(1.9), h=laws.Uniform(0.0, 1.0))
    left = laws.product(c=laws.Atom(2.0), h=laws.Uniform(-0.1, 0.9))
    broken = [analysis.global_minimum(spline(), law) for law in (low, left)]
    return {
        "holds": np.array([one.holds for one in found.values()]),
        "loss": np.array([one.risk for one in found.values()]),
        "sums": np.array(sums),
        "printed": np.array(printed),
        "broken": np.array([one.holds for one in broken]),
        "broken_loss": np.array([one.risk for one in broken]),
    }


def halved(x: Any) -> Any:
    """x^2/2, with f'' = 1."""
    return 0.5 * x * x


def _criterion(bench: Bench) -> Finding:
    found = bench.piece(minima, nodes=4096)
    computed = {f"loss, {name}": float(x) for name, x in zip(_minimisers(), found["loss"], strict=True)}
    computed |= {f"from 4096 atoms, {name}": float(x) for name, x in zip(_minimisers(), found["sums"], strict=True)}
    computed["least loss where the criterion fails"] = float(np.min(found["broken_loss"]))
    computed["loss where (33) holds as printed, all c = 1"] = float(found["printed"][0])
    computed["the same with all c = 3"] = float(found["printed"][1])
    right = bool(np.all(found["holds"])) and not bool(np.any(found["broken"]))
    # Were the print right, charges would not matter.
    slip = found["printed"][0] < 1e-20 and found["printed"][1] > 1e-2
    broken = share_needed(found["broken_loss"], 1e-5)
    deviation = share_allowed((found["loss"], 1e-20), (found["sums"], 1e-4), (broken, 1.0))
    return Finding(computed, deviation + (0.0 if right and slip else math.inf))


CLAIMS = (
    Claim(
        id="stationary-case-1",
        statement="Stationary distributions with no mass at h < 0: M knots at distances Delta = (6M - sqrt 6)/(6M^2 - "
        "1) = 1/(M + 1/sqrt 6) up to 1, error f - f_mf = Delta^2/6 at each, loss M Delta^5/360 + h_1^5/10; M = 1 to 5.",
        where="A.5, case 1 (masses and losses are not printed)",
        printed="(6M - sqrt 6)/(6M^2 - 1)",
        compute=lambda bench: _case(bench, False),
        tolerance=1.0,
        reason="share of what is allowed: 1e-12 for knots, masses, errors and losses of analysis.stationary_atoms "
        "against the print and closed forms, the loss from exact integrals; 1e-12 for the orthogonality of the error "
        "and for Proposition 1's conditions, relative to their parts",
        cost=Cost(12.0, 12.0),
        digits=10,
    ),
    Claim(
        id="stationary-case-2",
        statement="Stationary distributions with mass at h < 0: M knots at distances 1/(M + 1), loss 1/(360 (M + "
        "1)^4); the mass at h < 0 has INT c p = Delta and INT c h p = Delta^2/6, hence both signs of c; M = 1 to 5.",
        where="A.5, case 2",
        printed="finitely many atoms equally spaced between 0 and 1",
        compute=lambda bench: _case(bench, True),
        tolerance=1.0,
        reason="as for case 1",
        cost=Cost(12.0, 12.0),
        digits=10,
    ),
    Claim(
        id="support",
        statement="A stationary distribution whose knots are no finite set in [0, 1] covers [0, 1] and is a global "
        "minimiser.",
        where="3.1, second paragraph; A.5",
        printed="supp p = [0, 1] or a finite number of equidistant atoms",
        compute=_support,
        tolerance=1.0,
        reason="share of what is allowed, h uniform on six intervals and seven charges: the violation of the "
        "orthogonality below 1e-12 for the two minimisers among them and above 1e-3, relative to the error's parts, "
        "for all others",
        cost=Cost(2.0, 2.0),
        digits=4,
    ),
    Claim(
        id="proposition-1",
        statement="dL/dt = 0, grad u = 0 on the support, and dp/dt = 0 are equivalent; for the spline so is the "
        "orthogonality of the error to linear functions.",
        where="Proposition 1; A.5",
        printed=None,
        compute=_proposition_1,
        tolerance=1.0,
        reason="share of what is allowed: 1e-12 of their parts for all conditions at the ten distributions of A.5; "
        "with a knot moved by 0.01 all four must exceed 1e-4 and be in proportion to the move, exponents within 0.1 of "
        "1",
        cost=Cost(12.0, 12.0),
        digits=4,
    ),
    Claim(
        id="proposition-2",
        statement="A stationary distribution of a model with linear output whose features are total in L^2(mu) has "
        "loss 0; where they are not total the loss may stay above 0.",
        where="Proposition 2",
        printed="L_mf(p) = 0",
        compute=_proposition_2,
        tolerance=1.0,
        reason="share of what is allowed, units c tanh(w x + b) on five points: loss 1e-8 at t = 1e5 for 12 units of "
        "rank 5; for one unit a velocity below 1e-6 of its parts at a loss above 1e-3. The ranks must be so, and the "
        "spline's features total for h over [0, 1] and not for an atom",
        cost=Cost(9.0, 9.0),
        digits=4,
    ),
    Claim(
        id="global-minimum",
        statement="p is a global minimiser (loss 0) if and only if INT c p(c, x) dc = f''(x) on [0, 1], "
        "-INT_{h<0} c h p = f(0) and INT_{h<0} c p = f'(0).",
        where="(33)-(35) and 3.1, first sentence",
        printed="(33): INT p(c, x) dc = f''(x)",
        misprint="(33) lacks the factor c under the integral.",
        expected=Verdict.CORRECTED,
        compute=_criterion,
        tolerance=1.0,
        reason="share of what is allowed: exact losses below 1e-20 for four laws with the right charges, one with mass "
        "at h < 0; below 1e-4 for 4096 atoms each, which err like 1/N in f; the two laws that break it must have "
        "losses above 1e-5. With (33) as printed the charges would not matter: they must",
        cost=Cost(3.0, 3.0),
        digits=4,
    ),
)
