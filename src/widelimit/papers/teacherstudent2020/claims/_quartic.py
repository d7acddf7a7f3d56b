"""Claims on 3.2, E_(1) and E_(2): Theorem 4, and what stationary points the quartic loss has."""

import numpy as np

from widelimit.measure import Particles

from ..._kit import Bench, Cost, Data, Finding, Verdict, claim
from ..._kit._shares import apart, apart_relative, largest, share_allowed
from ..runs._residual import X, drawn, placed, wide
from ..runs._second_order import LEVELS, WIDTH, linear_starts, many_starts


def first_order(depth: int, width: int) -> Data:
    """E_(1) and INT psi d(rho - rho_*), four students of one teacher; psi of one theta on all levels."""
    teacher = drawn(depth, width, 1)
    plain = wide(depth).expansion(order=1)
    problem = wide(depth, y=np.asarray(plain.predict(placed(teacher), X))).expansion(order=1)
    own, risk, pairing = np.asarray(placed(teacher).positions), [], []
    for seed in range(2, 6):
        student = placed(drawn(depth, width, seed))
        psi = problem.potential(student)
        difference = float(np.mean(np.asarray(psi(student.positions))) - np.mean(np.asarray(psi(own))))
        risk.append(float(problem.risk(student)))
        pairing.append(difference)
    rows = np.tile(own[:1], (depth, 1))
    rows[:, -1] = np.arange(depth)
    mixed = drawn(depth, width, 2).reshape(1, depth * width, 2, 2)
    order = np.random.default_rng(0).permutation(depth * width)
    return {
        "risk": risk,
        "pairing": pairing,
        "psi": problem.potential(placed(drawn(depth, width, 2)))(rows),
        "moved across levels": problem.risk(placed(mixed[0, order].reshape(depth, width, 2, 2))),
    }


@claim("Theorem 4, its proof, and the text after", tolerance=1.0, cost=Cost(3.0), digits=4)
def first_order_theorem(bench: Bench) -> Finding:
    """A stationary rho > 0 of E_(1) has zero loss: psi is then constant, and 2 E_(1)(rho) = INT psi d(rho - rho_*). eps
    does not appear: (11) is a condition on the marginal in theta, for levels commute at the first order.
    Compared: share of what is allowed, by the library's potential: E_(1) with half of INT psi d(rho - rho_*) for four
    students, 1e-12 relative; psi of one theta on four levels, 1e-13; E_(1) after particles changed their levels at
    random, 1e-13.
    Misprint: (11) is one integral over theta, of the difference of the marginals."""
    found = bench.piece(first_order, depth=4, width=3)
    gap = apart_relative(0.5 * found["pairing"], found["risk"])
    levels = float(np.ptp(found["psi"]))
    across = apart(found["moved across levels"], found["risk"][0])
    computed = {"E_(1)": found["risk"], "psi on the levels": found["psi"]}
    computed |= {"E_(1) changes across levels by": across}
    return Finding(computed, share_allowed((gap, 1e-12), (levels, 1e-13), (across, 1e-13)))


def along_a_segment(depth: int, width: int, points: int) -> Data:
    """E_(2) of (1 - s) rho_0 + s rho_1 at equally spaced s, 0 to 4."""
    problem = wide(depth).expansion(order=2)
    theta = np.concatenate([drawn(depth, width, seed) for seed in (1, 2)], axis=1)
    rows, found = placed(theta).positions, []
    for s in np.linspace(0.0, 4.0, points):
        mass = np.tile(np.repeat([1.0 - s, s], width), depth) / (depth * width)
        found.append(problem.risk(Particles(rows, mass)))
    return {"risk": found}


@claim("3.2, last paragraph", tolerance=1e-12, cost=Cost(2.0), digits=4)
def quartic_loss(bench: Bench) -> Finding:
    """E_(2) is quartic in rho.
    Compared: the fifth differences of the library's E_(2) along (1 - s) rho_0 + s rho_1, s = 0, 0.5, ..., 4, over the
    largest value; the fourth must not vanish. (Two particles a level of each, three levels, d = 2; the masses may be
    negative here.)"""
    risk = bench.piece(along_a_segment, depth=3, width=2, points=9)["risk"]
    fourth, fifth = (np.max(np.abs(np.diff(risk, order))) / np.max(risk) for order in (4, 5))
    return Finding({"fourth differences": fourth, "fifth": fifth}, fifth, needs={"quartic": fourth > 1e-6})


@claim("3.2, last paragraph, stationary distributions", tolerance=1.0, cost=Cost(14.0, 200.0), digits=5)
def quartic_saddle(bench: Bench) -> Finding:
    """A stationary rho > 0 of E_(2) need not have zero loss: for sigma(z) = z, d = 1, E x^2 = 1, y = x all rho whose
    levels have the mean -L/(L-1) rest at E_(2) = L^2/(8 (L-1)^2). It is a saddle.
    Printed: a stationary distribution might be a local minimum even with rho > 0.
    Compared: share of what is allowed: in the points at rest above zero that the library's stationary_points finds by
    least dissipation for L = 3, the means with -3/2 and E_(2) with 9/32, 1e-7, and the lowest rate of the Hessian with
    -1/2, 1e-6; no flow may end there. (With tanh rho > 0 does imply zero loss: docs/resnet.md has the proof.)"""
    found = linear_starts(bench)
    high = (found["kind"] == "stationary, loss > 0") & (found["by"] == "dissipation")
    means = found["theta"].reshape(len(high), 3, -1).mean(axis=2)[high]
    flows = found["by"] == "flow"
    computed = {
        "searches by dissipation": int(np.sum(found["by"] == "dissipation")),
        "at rest with loss > 0": int(np.sum(high)),
        "flows that end there": int(np.sum(found["kind"][flows] == "stationary, loss > 0")),
    }
    needs = {"one was found": np.any(high), "flows leave it": computed["flows that end there"] == 0}
    if not np.any(high):
        return Finding(computed, 0.0, needs=needs)
    computed |= {"means": means[0], "E_(2)": found["loss"][high][0], "lowest rate": found["lowest"][high][0]}
    parts = (apart(means, -1.5), 1e-7), (apart(found["loss"][high], 9.0 / 32.0), 1e-7)
    return Finding(computed, share_allowed(*parts, (apart(found["lowest"][high], -0.5), 1e-6)), needs=needs)


@claim("3.2, last sentence", tolerance=0.0, cost=Cost(16.0, 600.0), expected=Verdict.NOT_REPRODUCED, digits=3)
def many_runs(bench: Bench) -> Finding:
    """Runs of E_(2) from several starts identify the teacher rho_*.
    Printed: they might.
    Compared: the distance between the level means of theta of a run at zero loss and of the teacher, root mean square
    over the levels, of the nearest such run, less 1 % of the teacher's largest |theta|: 0 allowed; at least one run
    must reach zero loss (tanh, d = 1, three levels of three, nine inputs; the flow, and least dissipation from starts
    and from the flow's ends)."""
    found = many_starts(bench)
    kinds, by = found["kind"], found["by"]
    zero = kinds == "zero loss"
    teacher = found["teacher"]
    theta = found["theta"].reshape(len(kinds), LEVELS, WIDTH)
    off = np.sqrt(np.mean((theta.mean(axis=2) - teacher.mean(axis=1)) ** 2, axis=1))
    computed = {f"{way}: {kind}": int(np.sum((by == way) & (kinds == kind))) for way in _WAYS for kind in _KINDS}
    computed |= {"functions at rest": int(np.max(found["group"])) + 1, "largest loss at rest": _highest(found)}
    needs = {"one reaches zero loss": np.any(zero)}
    nearest = float(np.min(off[zero])) if np.any(zero) else 0.0
    why = (
        "Runs end at E_(2) = 0, at points at rest above it, or only drift; those at zero loss have the "
        "teacher's function, which measures share: rho_* is not identified by it."
    )
    computed |= {"distance of level means, nearest": nearest}
    return Finding(computed, largest(0.0, nearest - 0.01 * float(np.max(np.abs(teacher)))), why, needs)


_WAYS = ("flow", "dissipation", "flow, dissipation")
_KINDS = ("zero loss", "stationary, loss > 0", "slow")


def _highest(found: Data) -> float:
    rest = found["group"] >= 0
    return float(np.max(found["loss"][rest])) if np.any(rest) else 0.0
