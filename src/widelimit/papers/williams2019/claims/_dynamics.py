"""Claims on the flow: function space (3), velocities (12), residuals (13), attractors (15), the limits of delta."""

import math
from typing import Any

import numpy as np

from widelimit import analysis, kernels
from widelimit.problem import problems, scales

from ..._kit import Bench, Cost, Data, Finding, claim
from ..._kit._shares import apart, largest, log_slope, share_allowed, share_needed, table
from ..runs._networks import drawn, flow, full_rows, measure, residuals, sine_wave, square_wave, velocities

# On the rays psi has a kink: a place is taken so far on either side.
_BESIDE = 1e-9


def function_space(width: int, times: list[float], step: float, short: float) -> Data:
    """At each time the rate of change of f along the full flow, at places and on the samples, and what kernels say of
    it: -K_t grad R, and on the samples with sliding neurons counted along their rays alone."""
    x, y = sine_wave(6)
    problem, places = problems.univariate_relu(x, y), np.linspace(-1.2, 1.2, 25)
    start = measure(problem, full_rows(width, 11))
    rows = []
    for t in times:
        here = start if t == 0.0 else flow(problem, start, [0.0, t], step).final
        soon = flow(problem, here, [0.0, short], short)
        rho = np.asarray(problem.predict(here, x)) - y
        found = {"sliding": soon.sticking[-1], "samples": analysis.residual_dynamics(problem, here).rate}
        for name, at in (("places", places), ("samples", x)):
            run = (np.asarray(problem.predict(soon.final, at)) - np.asarray(problem.predict(here, at))) / short
            found |= {f"run, {name}": run, f"kernel, {name}": -kernels.tangent_kernel(problem, here, at, x) @ rho}
        rows.append(found)
    return {"times": times, "rows": rows}


@claim("(3)", tolerance=1e-4, cost=Cost(6.0), digits=4)
def tangent_kernel(bench: Bench) -> Finding:
    """g' = -K_t grad R(g): the tangent kernel of the moment moves the function, between the samples too; of neurons
    that slide along a sample's ray with the gradient along it alone.
    Compared: the rate of change of f over a step of 1e-7 of a run, 40 neurons, relative to the largest: at t = 0,
    where no neuron slides, at 25 places against the kernel times the residuals; at t = 0.3, where some do, at the
    samples against the library's residual dynamics, which counts them so. A step errs by about itself, and rounding
    of f by 1e-16/1e-7; the kernel of all gradients must be off by 0.001 at t = 0.3."""
    first, later = bench.piece(function_space, width=40, times=[0.0, 0.3], step=1e-3, short=1e-7)["rows"]

    def gap(one: Data, run: str, kernel: str) -> float:
        return apart(one[run], one[kernel]) / np.max(np.abs(one[run]))

    off = [gap(first, "run, places", "kernel, places"), gap(later, "run, samples", "samples")]
    smooth, sliding = gap(later, "run, samples", "kernel, samples"), int(later["sliding"])
    computed = {"t = 0": off[0], "t = 0.3": off[1], "t = 0.3, all gradients": smooth, "sliding at t = 0.3": sliding}
    needs = {"none slides at t = 0": first["sliding"] == 0, "sliding neurons matter at t = 0.3": smooth > 1e-3}
    return Finding(computed, largest(off), needs=needs)


def fields(width: int, seed: int) -> Data:
    """grad psi of the flat canonical problem at its own neurons, beside every ray of samples, and psi's factor."""
    x, y = square_wave(10)
    problem, rows = problems.canonical_relu(x, y), drawn(width, seed, 2.0)
    particles = measure(problem, rows)
    potential = problem.potential(particles)
    rays = np.concatenate([-np.arctan(x), np.pi - np.arctan(x)])
    beside = [np.stack([np.full(len(rays), 1.5), rays + side * _BESIDE], axis=1) for side in (-1.0, 1.0)]
    step, risk = 1e-6, []
    for side in (-1.0, 1.0):
        moved = rows.copy()
        moved[0, 0] += side * step
        risk.append(float(problem.risk(measure(problem, moved))))
    return {
        "x": x,
        "y": y,
        "rows": rows,
        "gradient": -velocities(problem, particles),
        "rays": rays,
        "below": potential.gradient(beside[0]),
        "above": potential.gradient(beside[1]),
        "slope": (risk[1] - risk[0]) / (2.0 * step),
    }


def _fields(bench: Bench) -> Data:
    return bench.piece(fields, width=60, seed=12)


def _formula(rows: np.ndarray, x: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """(12): (d, r t) . SUM over the samples seen of rho_j (x_j, 1)."""
    r, angle = rows.T
    seen = np.outer(np.cos(angle), x) + np.sin(angle)[:, None] > 0.0
    first, second = seen @ (rho * x), seen @ rho
    along, across = np.cos(angle) * first + np.sin(angle) * second, np.cos(angle) * second - np.sin(angle) * first
    return np.stack([along, r * across], axis=1)


@claim("(12), (41), (42)", tolerance=1e-12, cost=Cost(4.0), digits=4)
def velocity_field(bench: Bench) -> Finding:
    """The gradient of V is <SUM rho_j x~_j, d> in r and r <SUM rho_j x~_j, t> in theta, the sums over the samples that
    the neuron sees: the residuals alone decide where neurons go.
    Compared: the library's grad psi at 60 neurons against the sums in NumPy, relative to the largest; 1e-12 is
    rounding."""
    found = _fields(bench)
    exact = _formula(found["rows"], found["x"], residuals(found["x"], found["y"], found["rows"]))
    off = apart(found["gradient"], exact) / np.max(np.abs(exact))
    return Finding({"largest relative difference": off}, off)


@claim("(10) and the text before (11)", tolerance=1e-7, cost=Cost(4.0), digits=6)
def potential_factor(bench: Bench) -> Finding:
    """m times the gradient of L~ in one neuron is the gradient of V at it.
    Printed: (m/2) grad L~ = grad V.
    Compared: m times the central difference of the library's risk in r of one neuron of 60 against its grad psi,
    relative; the risk is quadratic in r, so that rounding over the step of 1e-6 is all that is left.
    Misprint: the factor is m, not m/2."""
    found = _fields(bench)
    ratio = len(found["rows"]) * float(found["slope"]) / float(found["gradient"][0, 0])
    return Finding({"m dL/dr over dV/dr": ratio}, apart(ratio, 1.0))


@claim("3.1, before (14)", tolerance=1.0, cost=Cost(4.0), digits=4)
def jump_at_rays(bench: Bench) -> Finding:
    """Across the ray of sample k the velocity jumps in its angular part only, by |r rho_k| |x~_k|.
    Compared: share of what is allowed, 20 rays, the library's grad psi at 1e-9 on either side: 1e-6 of the largest
    jump for the size and for the radial part, which may change by the distance of the two places times the field."""
    found = _fields(bench)
    rho = residuals(found["x"], found["y"], found["rows"])
    jump = np.abs(found["above"] - found["below"])
    exact = 1.5 * np.abs(np.tile(rho * np.hypot(found["x"], 1.0), 2))
    size = np.max(exact)
    off, radial = apart(jump[:, 1], exact) / size, largest(jump[:, 0]) / size
    computed = {"angular jump, relative difference": off, "radial jump": radial, "largest jump": size}
    return Finding(computed, share_allowed((off, 1e-6), (radial, 1e-6)))


def residual_rates(delta: float | None, width: int, short: float) -> Data:
    """The library's residual dynamics, and the rate of change of the residuals over a short step of the flow."""
    x, y = sine_wave(8)
    problem = problems.canonical_relu(x, y, delta=delta)
    start = measure(problem, drawn(width, 13, 2.0))
    found = analysis.residual_dynamics(problem, start)
    soon = flow(problem, start, [0.0, short], short).final
    rate = (np.asarray(problem.predict(soon, x)) - np.asarray(problem.predict(start, x))) / short
    return {
        "x": x,
        "rows": np.asarray(start.positions)[:, :2],
        "rho": np.asarray(problem.predict(start, x)) - y,
        "library": found.rate,
        "run": rate,
        "slopes": found.slopes,
        "covariance": found.covariance,
    }


def _summed(found: Data, p: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """(13), neuron by neuron: -SUM over neurons of x~_j . (P_rr d d^T + r^2 P_aa t t^T) SUM rho_j' x~_j', over m."""
    r, angle = found["rows"].T
    x, rate = np.stack([found["x"], np.ones(len(found["x"]))], axis=1), np.zeros(len(found["x"]))
    for i in range(len(r)):
        d = np.array([np.cos(angle[i]), np.sin(angle[i])])
        t, seen = np.array([-d[1], d[0]]), x @ d > 0.0
        covariance = p[0][i] * np.outer(d, d) + r[i] ** 2 * p[1][i] * np.outer(t, t)
        rate -= seen * (x @ covariance @ (x.T @ (seen * found["rho"]))) / len(r)
    return rate


@claim("Proposition 1, (13), (43)", tolerance=1.0, cost=Cost(8.0), digits=4)
def residual_equation(bench: Bench) -> Finding:
    """The residuals move by -x~_j^T SUM_k Sigma_k SUM rho_j' x~_j', Sigma_k = INT over region k of d d^T + r^2 t t^T;
    for a delta, with P_rr d d^T + r^2 P_theta theta t t^T. It needs Sigma_k(t): the system is not closed.
    Compared: share of what is allowed, 60 neurons, flat and delta = 1: 1e-12 for the library's region sums against
    neuron by neuron in NumPy, 1e-4 against the residuals of a run over a step of 1e-7, relative to the largest."""
    exact, run = [], []
    for delta in (None, 1.0):
        found = bench.piece(residual_rates, delta=delta, width=60, short=1e-7)
        r = found["rows"][:, 0]
        size: Any = np.hypot(0.0 if delta is None else delta, 2.0 * r)
        p = (np.ones_like(r), np.ones_like(r)) if delta is None else (size, 0.5 * (size + delta) / r**2)
        summed = _summed(found, p)
        exact.append(apart(found["library"], summed) / np.max(np.abs(summed)))
        run.append(apart(found["run"], summed) / np.max(np.abs(summed)))
    computed = {"against NumPy": largest(exact), "against a run": largest(run)}
    return Finding(computed, share_allowed((exact, 1e-12), (run, 1e-4)))


@claim("3.1, before (12)", tolerance=0.0, cost=Cost(8.0), digits=4)
def region_count(bench: Bench) -> Finding:
    """The rays of s samples cut the circle into 2s activation regions, the one without any active sample among them.
    Printed: 2s - 1 regions.
    Compared: the number of different activation patterns, s = 8, of the library's regions and over a fine grid of
    angles, exactly.
    Misprint: there are 2s regions; 2s - 1 of them see a sample."""
    found = bench.piece(residual_rates, delta=None, width=60, short=1e-7)
    angle, x = np.linspace(0.0, 2.0 * np.pi, 20001), found["x"]
    patterns = np.unique(np.outer(np.cos(angle), x) + np.sin(angle)[:, None] > 0.0, axis=0)
    library = np.unique(found["slopes"], axis=0)
    computed = {"of the library": len(library), "of a grid of angles": len(patterns), "s": len(x)}
    return Finding(computed, float(abs(len(library) - 2 * len(x)) + abs(len(patterns) - 2 * len(x))))


def kinds(seeds: list[int], width: int, count: int) -> Data:
    """What the library says of every sample, sign and side, for random labels and networks: [K, s, 2, 2]."""
    rows = []
    for seed in seeds:
        x, y = _random_samples(seed, count)
        problem = problems.canonical_relu(x, y, delta=0.0)
        start = measure(problem, drawn(width, seed, 2.0))
        found = analysis.attractors(problem, start)
        rows.append({"kinds": found.kinds, "rho": np.asarray(problem.predict(start, x)) - y, "x": x})
    return {"runs": rows}


def _random_samples(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return np.sort(random.uniform(-1.0, 1.0, count)), random.normal(size=count)


def _expected(x: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """Attractors and repulsors by A and B, for samples between the outermost ones."""
    found = np.full((len(x), 2, 2), "crossing", dtype="<U9")
    for k in range(len(x)):
        for side in range(2):
            others = np.arange(len(x)) > k if side == 0 else np.arange(len(x)) < k
            a = np.sum(rho[others] * rho[k] * (1.0 + x[others] * x[k]))
            if not np.any(others):
                found[k, :, side] = "outermost"
            elif -(rho[k] ** 2) * (1.0 + x[k] ** 2) < a < 0.0:
                found[k, :, side] = ["attractor", "repulsor"] if rho[k] > 0.0 else ["repulsor", "attractor"]
    return found


def _printed(x: np.ndarray, rho: np.ndarray, k: int) -> bool:
    """(15)."""
    a = rho * rho[k] * (1.0 + x * x[k])
    bound = -(rho[k] ** 2) * (1.0 + x[k] ** 2)
    return bool(np.sum(a[:k]) > bound or np.sum(a[k + 1 :]) > bound)


@claim("Lemma 2, (14), (15)", tolerance=0.0, cost=Cost(6.0), digits=4)
def attractor_condition(bench: Bench) -> Finding:
    """Sample k attracts or repels knots of one side if and only if -B < A < 0, with A = SUM rho_j rho_k <x~_j, x~_k>
    over the other samples that such a neuron sees (j > k for a > 0, j < k for a < 0), B = rho_k^2 |x~_k|^2; it
    attracts those with r rho_k > 0 and repels those with r rho_k < 0. Elsewhere they cross.
    Printed: attractor or repulsor iff A > -B for j < k or for j > k.
    Compared: the number of disagreements between the library, which compares the velocities on both sides, and this,
    over 20 random sets of 9 samples, two signs and two sides: none is allowed. The printed condition must be wrong
    for some.
    Misprint: (15) lacks A < 0, does not say that each side decides for its own neurons, nor which sign is attracted."""
    found = bench.piece(kinds, seeds=list(range(20)), width=200, count=9)["runs"]
    wrong = slips = attracting = 0
    for one in found:
        expected = _expected(one["x"], one["rho"])
        wrong += int(np.sum(one["kinds"] != expected))
        attracting += int(np.sum(expected == "attractor"))
        for k in range(1, len(one["x"]) - 1):
            slips += _printed(one["x"], one["rho"], k) != bool(np.any(one["kinds"][k] == "attractor"))
    computed = {"disagreements": wrong, "attractors among them": attracting, "samples for which (15) is wrong": slips}
    needs = {"there are attractors": attracting > 0, "the printed condition differs": slips > 0}
    return Finding(computed, float(wrong), needs=needs)


def limits(deltas: list[float], width: int, end: float, steps: int) -> Data:
    """Runs with delta to `end`/|delta|, and those at delta = +-infinity and in the flat metric to `end`: (r, theta)."""
    x, y = sine_wave(8)
    rows, found = drawn(width, 14, 2.0), []

    def last(delta: Any, end: float) -> np.ndarray:
        problem = problems.canonical_relu(x, y, delta=delta)
        return np.asarray(flow(problem, measure(problem, rows), [0.0, end], end / steps).positions[-1])[:, :2]

    for delta in deltas:
        found.append(last(delta, end / abs(delta)))
    return {
        "start": rows,
        "rows": found,
        "infinite": last(math.inf if deltas[0] > 0.0 else -math.inf, end),
        "flat": last(None, end),
    }


def _distances(bench: Bench, sign: float) -> tuple[list[float], np.ndarray, float, float]:
    """|delta|; the distances of the runs to that at infinity, root mean square; that of the last to the flat run; and
    how far neurons moved."""
    sizes = [100.0, 300.0, 1000.0]
    found = bench.piece(limits, deltas=[sign * size for size in sizes], width=100, end=0.5, steps=2000)

    def far(left: np.ndarray, right: np.ndarray) -> float:
        return float(np.sqrt(np.mean((left - right) ** 2)))

    off = np.array([far(rows, found["infinite"]) for rows in found["rows"]])
    return sizes, off, far(found["rows"][-1], found["flat"]), far(found["infinite"], found["start"])


@claim("1.2; 3.2, after (21)", tolerance=1.0, cost=Cost(15.0), digits=4)
def adaptive_limit(bench: Bench) -> Finding:
    """For delta >> 0 the flow, in the time delta t, tends to that of the Euclidean metric in (u, v): dr = -dL/dr,
    dtheta = -(dL/dtheta)/r^2.
    Printed: delta >> 0 follows (7), the flat metric of (r, theta).
    Compared: share of what is allowed, 100 neurons, r ~ N(0, 4): the distance to the run at delta = infinity must
    fall with the first power of delta or faster (exponent at most -0.7) and at delta = 1000 be below 1 % of how far
    neurons moved; to the flat run it must be above 10 % of that.
    Misprint: the limit is not (7): its metric in theta is 1/r^2, not 1."""
    sizes, off, flat, moved = _distances(bench, 1.0)
    slope = log_slope(sizes, off)
    computed = table("delta", sizes, {"distance to delta = infinity": off}) | {"exponent": slope}
    computed |= {"distance to (7)": flat, "neurons moved": moved}
    others = (share_needed(flat / moved, 0.1), 1.0), (max(slope + 1.0, 0.0), 0.3)
    return Finding(computed, share_allowed((off[-1] / moved, 1e-2), *others))


@claim("3.2, after (21); 3.3", tolerance=1.0, cost=Cost(15.0), digits=4)
def kernel_limit(bench: Bench) -> Finding:
    """For delta << 0, in the time |delta| t, the radial motion alone is left: the angles, and with them the knots,
    rest.
    Compared: share of what is allowed, 100 neurons, r ~ N(0, 4): the distance to the run at delta = -infinity, whose
    angles must not move at all, must fall with the first power of |delta| or faster (exponent at most -0.7), and at
    delta = -1000 be below 1 % of how far neurons moved."""
    sizes, off, _, moved = _distances(bench, -1.0)
    found = bench.piece(limits, deltas=[-size for size in sizes], width=100, end=0.5, steps=2000)
    turned, slope = apart(found["infinite"][:, 1], found["start"][:, 1]), log_slope(sizes, off)
    computed = table("|delta|", sizes, {"distance to delta = -infinity": off}) | {"exponent": slope}
    computed |= {"neurons moved": moved, "angles moved at -infinity": turned}
    return Finding(computed, share_allowed((off[-1] / moved, 1e-2), (max(slope + 1.0, 0.0), 0.3), (turned, 1e-15)))


def motions(widths: list[int], exponent: float, end: float) -> Data:
    """How far neurons of one law move under alpha(m) = m^exponent: dr and r dtheta, root mean square over that of r.

    The time is (alpha(m)/m)^2 of a fixed one, so that the function moves equally far.
    """
    x, y = sine_wave(8)
    found = {"radial": [], "angular": []}
    for width in widths:
        k, scale = width ** (1.0 - exponent), scales.Power(exponent)
        problem = problems.univariate_relu(x, y, scale=scale)
        canonical = problems.canonical_relu(x, y, delta=0.0, scale=scale)
        # Pairs that cancel, so that the start is the function 0, and copies of them: one law at every width.
        half = full_rows(widths[0] // 2, 15)
        pairs = np.concatenate([half, half * [-1.0, 1.0, 1.0]])
        start = measure(problem, np.tile(pairs, (width // widths[0], 1)))
        run = flow(problem, start, [0.0, end / k**2], end / k**2 / 100)
        (r, angle, _), (r1, angle1, _) = (np.asarray(canonical.project(m).positions).T for m in (start, run.final))
        turned = np.angle(np.exp(1j * (angle1 - angle)))
        found["radial"].append(np.linalg.norm(r1 - r) / np.linalg.norm(r))
        found["angular"].append(np.linalg.norm(r * turned) / np.linalg.norm(r))
    return found


@claim("3.2, after (21)", tolerance=0.05, cost=Cost(15.0), digits=4)
def lazy_scale(bench: Bench) -> Finding:
    """If alpha(m) = o(m) all relative motion goes to zero: that along and that across the radius both with alpha(m)/m,
    so that their ratio does not change with m; delta alone decides it.
    Printed: the radial component will dominate as m increases.
    Compared: the exponents of m in the root mean squares of dr and r dtheta over a short run, alpha = sqrt m,
    against -1/2, and of their ratio against 0; m = 100 to 6400, all of one law (copies of the same 100 neurons), so
    that what is left is of second order in the motion, which is a few per cent at m = 100.
    Misprint: relative motions both scale as alpha(m)/m; the radial one does not come to dominate."""
    widths = [100, 400, 1600, 6400]
    found = bench.piece(motions, widths=widths, exponent=0.5, end=0.5)
    slopes = [log_slope(widths, found[name]) for name in ("radial", "angular")]
    ratio = log_slope(widths, found["radial"] / found["angular"])
    computed = table("m", widths, {"along": found["radial"], "across": found["angular"]})
    computed |= {"exponents": slopes, "exponent of the ratio": ratio}
    return Finding(computed, largest(apart(slopes, -0.5), abs(ratio)))
