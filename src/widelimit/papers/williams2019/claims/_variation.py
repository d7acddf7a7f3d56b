"""Claims on the adaptive side: the total variation (16), (17)."""

import numpy as np

from widelimit import analysis
from widelimit.dynamics import GradientFlow, integrators
from widelimit.problem import Problem, penalties, problems

from ..._kit import Bench, Cost, Data, Finding, claim
from ..._kit._runs import evolved
from ..._kit._shares import apart, share_allowed, share_needed
from ..runs._networks import drawn, knots, measure, residuals, sine_wave, velocities


def penalised(strength: float) -> tuple[Problem, np.ndarray, np.ndarray]:
    """(16): the flat canonical problem with the penalty strength |r|."""
    x, y = sine_wave(8)
    return problems.canonical_relu(x, y, penalty=penalties.total_variation(strength, block="r")), x, y


def variation(width: int) -> Data:
    """INT |r| of a network by the library, and its slopes in the gaps between its knots."""
    problem, _, _ = penalised(1.0)
    rows = drawn(width, 21)
    particles = measure(problem, rows)
    places = np.sort(knots(rows))
    # Two places in each gap; beyond the outermost knots at distances of 1 and 2.
    ends = np.concatenate([[places[0] - 2.0], places, [places[-1] + 2.0]])
    left, right = ends[:-1] + 0.25 * np.diff(ends), ends[:-1] + 0.75 * np.diff(ends)
    f = [np.asarray(problem.predict(particles, at)) for at in (left, right)]
    return {"penalty": problem.penalty_of(particles), "knots": places, "slopes": (f[1] - f[0]) / (right - left)}


@claim("(17)", tolerance=1.0, cost=Cost(3.0), digits=8)
def curvature_penalty(bench: Bench) -> Finding:
    """The penalty |r| of canonical neurons is INT |f''(x)| sqrt(1 + x^2) dx of the function they make (knots all
    different, no constant neuron).
    Printed: INT |f''(x)| dx.
    Compared: share of what is allowed: relative error 1e-6 of the jumps of the library's slopes, 40 neurons,
    weighted so, against the library's penalty (differences over gaps down to 1e-4 of a place lose eight digits);
    without the weight it must be off by 10 %.
    Misprint: the weight sqrt(1 + x^2) is missing; (17) as printed has |c a| as its penalty, with free b."""
    found = bench.piece(variation, width=40)
    jumps, penalty = np.abs(np.diff(found["slopes"])), float(found["penalty"])
    weighted, printed = float(jumps @ np.hypot(1.0, found["knots"])), float(np.sum(jumps))
    computed = {"INT |r|": penalty, "INT |f''| sqrt(1 + x^2)": weighted, "INT |f''|": printed}
    slip = share_needed(abs(printed / penalty - 1.0), 0.1)
    return Finding(computed, share_allowed((abs(weighted / penalty - 1.0), 1e-6), (slip, 1.0)))


def minimum(strength: float) -> Data:
    """The certified minimum of (16)."""
    problem, x, y = penalised(strength)
    found = analysis.minimise(problem)
    rows, w = np.asarray(found.measure.positions), np.asarray(found.measure.weights)
    return {
        "x": x,
        "y": y,
        # Of a measure of n atoms of equal weight.
        "rows": np.stack([rows[:, 0] * w * len(w), rows[:, 1]], axis=1),
        "objective": found.objective,
        "gap": found.gap,
        "certified": found.certified,
    }


def lower_bound(x: np.ndarray, y: np.ndarray, rho: np.ndarray, strength: float) -> float:
    """The dual value of (16): u = -rho, made smaller until |SUM_j u_j <x~_j, d(theta)>_+| <= strength everywhere; the
    largest value between two rays is at one of them, or where the derivative of a cosine and a sine vanishes."""
    rays = np.sort(np.mod(np.concatenate([-np.arctan(x), np.pi - np.arctan(x)]), 2.0 * np.pi))
    # Half way into each region, to see which samples are active there.
    middle = 0.5 * (rays + np.append(rays[1:], rays[0] + 2.0 * np.pi))
    seen = np.outer(np.cos(middle), x) + np.sin(middle)[:, None] > 0.0
    first, second = seen @ (rho * x), seen @ rho
    inner = np.arctan2(second, first)
    angles = np.concatenate([rays, inner, inner + np.pi])
    most = np.max(np.abs(np.maximum(np.outer(np.cos(angles), x) + np.sin(angles)[:, None], 0.0) @ rho))
    u = -rho * min(1.0, strength / most)
    return float(u @ y - 0.5 * u @ u)


@claim("(16) and 3.1, last paragraph", tolerance=1.0, cost=Cost(15.0), digits=10)
def variation_minimum(bench: Bench) -> Finding:
    """L~ + lambda |mu|_TV over signed measures on the circle has a minimiser of finitely many neurons, not more than
    samples: a linear spline.
    Compared: share of what is allowed, lambda = 0.05, 8 samples: 1e-9 for the distance of the library's objective
    from the dual value of its residuals, in NumPy, which no measure can go below, and from the objective of its
    atoms; and 1e-5 for the library's own certificate, whose exhaustive search ends with coarser bounds."""
    found = bench.piece(minimum, strength=0.05)
    rows, objective = found["rows"], float(found["objective"])
    rho = residuals(found["x"], found["y"], rows)
    primal = 0.5 * float(rho @ rho) + 0.05 * float(np.mean(np.abs(rows[:, 0])))
    dual = lower_bound(found["x"], found["y"], rho, 0.05)
    computed = {"objective": objective, "in NumPy": primal, "dual value": dual, "neurons": len(rows)}
    needs = {
        "the library certifies it": bool(found["certified"]),
        "a spline of few knots": len(rows) <= len(found["x"]),
    }
    off = (apart(primal, objective), 1e-9), (objective - dual, 1e-9), (found["gap"], 1e-5)
    return Finding(computed | {"gap": found["gap"]}, share_allowed(*off), needs=needs)


def variation_motion(strength: float, width: int, end: float) -> Data:
    """How far neurons move in a short time of the flow of (16), by proximal steps, and the velocity without penalty."""
    problem, x, y = penalised(strength)
    start, free = measure(problem, drawn(width, 22)), problems.canonical_relu(x, y)
    run = evolved(problem, start, GradientFlow(integrators.ProximalHeun()), [0.0, end])
    rate = (run.positions[-1] - run.positions[0]) / end
    return {"rows": start.positions, "rate": rate, "free": velocities(free, measure(free, np.asarray(start.positions)))}


@claim("(16), text after it", tolerance=1e-3, cost=Cost(8.0), digits=4)
def variation_velocity(bench: Bench) -> Finding:
    """The regularised flow has lambda sign(r) added to the gradient in r, and the gradient in theta as it is.
    Compared: the motion of 60 neurons over a time of 1e-5 of the library's flow with proximal steps, divided by it,
    against the velocity without penalty minus lambda sign(r), lambda = 0.5, relative to the largest; none comes as
    near to r = 0 or to a ray as 1e-5 of what it moves in a unit of time."""
    found = bench.piece(variation_motion, strength=0.5, width=60, end=1e-5)
    exact = found["free"] - 0.5 * np.stack([np.sign(found["rows"][:, 0]), np.zeros(len(found["rows"]))], axis=1)
    size = np.max(np.abs(exact))
    off, without = apart(found["rate"], exact) / size, apart(found["rate"], found["free"]) / size
    return Finding({"largest relative difference": off, "without lambda sign(r)": without}, off)
