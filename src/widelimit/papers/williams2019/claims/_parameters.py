"""Claims on the parameters: the map pi and its inverse, rescaling, alpha(m), the invariants, the metric."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from widelimit.problem import problems, scales

from ..._kit import Bench, Cost, Data, Finding, claim
from ..._kit._shares import apart, largest, log_slope, share_allowed, share_needed, table
from ..runs._networks import canonical_law, flow, full_rows, measure, sine_wave, square_wave, value, velocities

# sqrt(m), as the paper trains, and m.
_EXPONENTS = [0.5, 1.0]


def mapped(exponent: float, width: int, seed: int) -> Data:
    """Full weights (c, a, -b), the library's canonical ones with delta, those lifted again, and both predictions."""
    x, y = sine_wave(8)
    scale = scales.Power(exponent)
    full, rows = problems.univariate_relu(x, y, scale=scale), full_rows(width, seed)
    canonical = problems.canonical_relu(x, y, delta=0.0, scale=scale)
    start = measure(full, rows)
    there = canonical.project(start)
    places = np.linspace(-2.0, 2.0, 41)
    return {
        "full": rows,
        "canonical": there.positions,
        "back": canonical.lift(there).positions,
        "f": full.predict(start, places),
        "f canonical": canonical.predict(there, places),
        "places": places,
    }


def _maps(bench: Bench) -> list[tuple[float, Data]]:
    """With m/alpha(m)."""
    return [(50.0 ** (1.0 - power), bench.piece(mapped, exponent=power, width=50, seed=1)) for power in _EXPONENTS]


def _turned(difference: Any) -> float:
    """The largest of some angles, whole turns apart."""
    return largest(np.abs(np.angle(np.exp(1j * np.asarray(difference)))))


@claim("(4), (5)", tolerance=1.0, cost=Cost(5.0), digits=4)
def canonical_map(bench: Bench) -> Finding:
    """pi(a, b, c) = ((m/alpha(m)) c sqrt(a^2 + b^2), atan2(-b, a)) leaves the function: f~ of pi(z) is f of z.
    Printed: theta = arctan(-b/a).
    Compared: share of what is allowed: 1e-13, of the largest r, for the library's r, theta and f against NumPy, 50
    neurons, alpha = sqrt m and m; with the printed arctan f must change by 0.1.
    Misprint: arctan(-b/a) loses half a turn where a < 0; it is atan2(-b, a)."""
    off, slips = [], []
    for k, found in _maps(bench):
        (c, a, b), (r, angle, _) = found["full"].T, found["canonical"].T
        size = np.max(np.abs(r))
        off += [apart(r, k * c * np.hypot(a, b)) / size, _turned(angle - np.arctan2(b, a))]
        off += [
            apart(found["f canonical"], found["f"]) / size,
            apart(found["f"], value(found["places"], found["canonical"])) / size,
        ]
        slips.append(apart(value(found["places"], np.stack([r, np.arctan(b / a)], axis=1)), found["f"]))
    computed = {"largest difference": largest(off), "change of f with arctan": min(slips)}
    return Finding(computed, share_allowed((off, 1e-13), (share_needed(slips, 0.1), 1.0)))


@claim("Lemma 3, Lemma 7, (45)", tolerance=1.0, cost=Cost(5.0), digits=4)
def canonical_inverse(bench: Bench) -> Finding:
    """(r, theta) and delta give (a, b, c) back: with q = (alpha(m)/m) r, c^2 = (delta + sqrt(delta^2 + 4 q^2))/2, sign
    c = sign r, a^2 + b^2 = c^2 - delta.
    Printed: c^2 = (delta + sqrt(delta^2 + 4 r^2))/2.
    Compared: share of what is allowed: 1e-12 for the library's lift and for c^2 by the corrected formula, against
    the weights that it started from, 50 neurons, alpha = sqrt m and m; the printed c^2 must be off by 0.1 at sqrt m.
    Misprint: (45) has r in place of q = (alpha(m)/m) r, which is the same for alpha(m) = m only."""
    off, printed = [], 0.0
    for k, found in _maps(bench):
        c, a, b = found["full"].T
        r, _, scaled = found["canonical"].T
        delta = c**2 - a**2 - b**2

        def square(q: np.ndarray, delta: np.ndarray = delta) -> np.ndarray:
            return 0.5 * (delta + np.sqrt(delta**2 + 4.0 * q**2))

        off += [apart(found["back"], found["full"]), apart(square(r / k), c**2), apart(scaled, k * delta)]
        printed = largest(printed, apart(square(r), c**2))
    computed = {"largest difference": largest(off), "largest error of the printed c^2": printed}
    return Finding(computed, share_allowed((off, 1e-12), (share_needed(printed, 0.1), 1.0)))


def rescaled(width: int, seed: int, factors: list[float]) -> Data:
    """Predictions and canonical parameters of neurons, and of the same rescaled by each of the factors, row by row."""
    x, y = sine_wave(8)
    full, canonical = problems.univariate_relu(x, y), problems.canonical_relu(x, y, delta=0.0)
    rows, places = full_rows(width, seed), np.linspace(-2.0, 2.0, 41)
    powers = np.resize(np.array(factors), width)
    found = {}
    for name, k in (("before", np.ones(width)), ("after", powers)):
        start = measure(full, rows * np.stack([1.0 / k, k, k], axis=1))
        found[name] = {"f": full.predict(start, places), "canonical": canonical.project(start).positions}
    return found


@claim("2.1, after (3)", tolerance=1.0, cost=Cost(3.0), digits=4)
def rescaling(bench: Bench) -> Finding:
    """(a, b, c) -> (a k, b k, c/k), k > 0, leaves the function, and (r, theta); delta it changes.
    Compared: share of what is allowed: 1e-12 for f, r and theta of 50 neurons with k from 0.01 to 100; delta of each
    must move by 0.1."""
    found = bench.piece(rescaled, width=50, seed=2, factors=[0.01, 0.3, 3.0, 100.0])
    before, after = found["before"], found["after"]
    same = [apart(after["f"], before["f"]), apart(after["canonical"][:, 0], before["canonical"][:, 0])]
    same.append(_turned(after["canonical"][:, 1] - before["canonical"][:, 1]))
    moved = np.min(np.abs(after["canonical"][:, 2] - before["canonical"][:, 2]))
    computed = {"largest change of f, r and theta": largest(same), "least change of delta": moved}
    return Finding(computed, share_allowed((same, 1e-12), (share_needed(moved, 0.1), 1.0)))


def scaled_runs(exponent: float, width: int, delta: float, end: float, steps: list[int]) -> Data:
    """Full weights under alpha(m) = m^exponent, and the canonical flow with (m/alpha) delta to (m/alpha) `end`."""
    x, y = sine_wave(8)
    k = width ** (1.0 - exponent)
    full = problems.univariate_relu(x, y, scale=scales.Power(exponent))
    canonical = problems.canonical_relu(x, y, delta=k * delta, scale=scales.Power(exponent))
    start = canonical.start(canonical_law(2.0), width=width, key=jax.random.key(3))
    places, off = np.linspace(-1.5, 1.5, 31), []
    for count in steps:
        left = flow(full, canonical.lift(start), [0.0, end], end / count)
        right = flow(canonical, start, [0.0, k * end], k * end / count)
        off.append(apart(full.predict(left.final, places), canonical.predict(right.final, places)))
    moved = apart(canonical.predict(start, places), canonical.predict(right.final, places))
    return {"apart": off, "moved": moved}


@claim("2.2 and Proposition 4", tolerance=1.0, cost=Cost(12.0), digits=4)
def alpha_scaling(bench: Bench) -> Finding:
    """Another scale alpha(m) is no more than another delta: the flow of (a, b, c) with alpha(m) and delta is the
    canonical flow with (m/alpha) delta, its time multiplied by m/alpha.
    Compared: share of what is allowed, 40 neurons, alpha = sqrt m, delta = 0.5: the two predictions at the end are
    apart by the integrator's error, which must fall with the first power of the step (exponent within 0.3 of -1 in
    the number of steps) and be below 1e-3 of what the prediction moved with the finest."""
    steps = [500, 1000, 2000]
    found = bench.piece(scaled_runs, exponent=0.5, width=40, delta=0.5, end=0.3, steps=steps)
    share = float(found["apart"][-1] / found["moved"])
    slope = log_slope(steps, found["apart"])
    computed = table("steps", steps, {"apart": found["apart"]}) | {
        "share of what moved": share,
        "moved": found["moved"],
    }
    return Finding(
        computed, share_allowed((apart(slope, -1.0), 0.3), (share, 1e-3), (share_needed(found["moved"], 0.1), 1.0))
    )


def drifts(width: int, end: float, steps: list[int]) -> Data:
    """How far delta of the neurons has drifted at the end of a run of the full weights, root mean square; in flow."""
    x, y = square_wave(8)
    full = problems.univariate_relu(x, y)
    start = measure(full, full_rows(width, 4))

    def delta(rows: Any) -> np.ndarray:
        return np.asarray(rows) ** 2 @ np.array([1.0, -1.0, -1.0])

    before, found, moved = delta(start.positions), [], 0.0
    for count in steps:
        run = flow(full, start, [0.0, end], end / count)
        found.append(np.sqrt(np.mean((delta(run.positions[-1]) - before) ** 2)))
        moved = np.sqrt(np.mean((run.positions[-1] - run.positions[0]) ** 2))
    return {"drift": found, "moved": moved}


@claim("Lemma 3, (18), (44)", tolerance=1.0, cost=Cost(12.0), digits=4)
def invariants(bench: Bench) -> Finding:
    """delta_i = c_i^2 - a_i^2 - b_i^2 of every neuron stays along the flow of (a, b, c).
    Compared: share of what is allowed, 60 neurons to t = 1: the drift must fall with the first power of the
    integrator's step (exponent within 0.3 of -1 in the number of steps), as for a flow that keeps delta, and be
    below 0.01 with the finest, while the weights move by 0.1 at least."""
    steps = [250, 500, 1000, 2000]
    found = bench.piece(drifts, width=60, end=1.0, steps=steps)
    slope = log_slope(steps, found["drift"])
    computed = table("steps", steps, {"drift": found["drift"]}) | {"exponent": slope, "weights moved": found["moved"]}
    moved = (share_needed(found["moved"], 0.1), 1.0)
    return Finding(computed, share_allowed((apart(slope, -1.0), 0.3), (found["drift"][-1], 1e-2), moved))


def gradients(exponent: float, width: int) -> Data:
    """Velocities of full and of canonical weights at one place, their residuals, and pi pushed forward."""
    x, y = sine_wave(8)
    scale = scales.Power(exponent)
    full, canonical = problems.univariate_relu(x, y, scale=scale), problems.canonical_relu(x, y, delta=0.0, scale=scale)
    flat = problems.canonical_relu(x, y)
    start = measure(full, full_rows(width, 5))
    there = canonical.project(start)
    moving = velocities(full, start)

    def pi(row: Any) -> Any:
        c, a, b = row
        return jnp.stack([width ** (1.0 - exponent) * c * jnp.hypot(a, b), jnp.arctan2(b, a)])

    pushed = jax.vmap(lambda row, v: jax.jvp(pi, (row,), (v,))[1])(jnp.asarray(start.positions), jnp.asarray(moving))
    return {
        "x": x,
        "y": y,
        "full": start.positions,
        "velocity": moving,
        "pushed": pushed,
        "canonical": there.positions,
        "canonical velocity": velocities(canonical, there)[:, :2],
        # -grad V in the flat metric.
        "flat": velocities(flat, measure(flat, np.asarray(there.positions)[:, :2])),
    }


def _gradients(bench: Bench) -> list[tuple[float, Data]]:
    return [(40.0 ** (1.0 - power), bench.piece(gradients, exponent=power, width=40)) for power in _EXPONENTS]


@claim("(46)", tolerance=1e-12, cost=Cost(4.0), digits=4)
def full_gradients(bench: Bench) -> Finding:
    """The gradient of L in (a_i, b_i, c_i) is (1/alpha(m)) SUM_j 1[a x_j > b] rho_j (c x_j, -c, a x_j - b).
    Printed: without 1/alpha(m), and + c for b.
    Compared: the library's velocities, which are -m times this, with the sum in NumPy, relative to the largest;
    alpha = sqrt m and m; 1e-12 is rounding.
    Misprint: all three lack 1/alpha(m), and the derivative in b its minus sign."""
    off = []
    for k, found in _gradients(bench):
        (c, a, b), x = found["full"].T, found["x"]
        z = np.outer(a, x) + b[:, None]
        f = k * np.mean(c[:, None] * np.maximum(z, 0.0), axis=0)
        seen = (z > 0.0) * (f - found["y"])
        exact = -k * np.stack([np.sum(seen * z, axis=1), c * (seen @ x), c * np.sum(seen, axis=1)], axis=1)
        off.append(apart(found["velocity"], exact) / np.max(np.abs(exact)))
    return Finding({"largest relative difference": largest(off)}, largest(off))


@claim("Proposition 4, (19), (20); Proposition 8", tolerance=1.0, cost=Cost(4.0), digits=4)
def canonical_metric(bench: Bench) -> Finding:
    """(r, theta) of the flow of (a, b, c) move with -P grad L~, P = diag((m/alpha)^2 (a^2 + b^2 + c^2), 1/(a^2 + b^2)),
    or, with q = (alpha/m) r, diag((m/alpha)^2 (q^2/c^2 + c^2), c^2/q^2).
    Printed: P grad L~; Proposition 8: with r in place of q.
    Compared: share of what is allowed: 1e-11, relative to the largest, between three: the full velocity pushed
    through the derivative of pi, -P times the gradient of the flat canonical problem, and the library's canonical
    velocity times m/alpha, 40 neurons, alpha = sqrt m and m; with the printed r the second form must be off by 0.1
    at sqrt m.
    Misprint: (19) and (21) lack the minus sign, Proposition 8 has r in place of q in its second form."""
    off, printed = [], 0.0
    for k, found in _gradients(bench):
        c, a, b = found["full"].T
        r, size = found["canonical"][:, 0], a**2 + b**2

        def second(q: np.ndarray, c: np.ndarray = c, k: float = k) -> np.ndarray:
            return np.stack([k**2 * (q**2 / c**2 + c**2), c**2 / q**2], axis=1)

        p = np.stack([k**2 * (size + c**2), 1.0 / size], axis=1)
        scale = np.max(np.abs(found["pushed"]), axis=0)
        others = p * found["flat"], second(r / k) * found["flat"], k * found["canonical velocity"]
        off += [largest(np.abs(other - found["pushed"]) / scale) for other in others]
        printed = largest(printed, np.abs(second(r) / p - 1.0))
    computed = {"largest relative difference": largest(off), "error of the printed second form": printed}
    return Finding(computed, share_allowed((off, 1e-11), (share_needed(printed, 0.1), 1.0)))


@claim("(21)", tolerance=1e-11, cost=Cost(4.0), digits=4)
def rescaled_angle(bench: Bench) -> Finding:
    """In d tau = r d theta the flow is d tau = -(m/alpha)^2 c^2 (d L~/d tau) dt.
    Printed: c^2 (d L~/d tau) dt.
    Compared: r times the angle's velocity of the pushed full flow against the formula, relative to the largest;
    alpha = sqrt m and m; 1e-11 is rounding.
    Misprint: the lower entry lacks (m/alpha)^2, and the flow its minus sign."""
    off = []
    for k, found in _gradients(bench):
        c, r = found["full"][:, 0], found["canonical"][:, 0]
        exact = k**2 * c**2 * found["flat"][:, 1] / r
        off.append(apart(r * found["pushed"][:, 1], exact) / np.max(np.abs(exact)))
    return Finding({"largest relative difference": largest(off)}, largest(off))


def planes(width: int) -> Data:
    """The flat canonical velocity and the polar one, delta = infinity, of the same neurons."""
    x, y = sine_wave(8)
    rows = np.asarray(canonical_law(1.0).sample(width, key=jax.random.key(6)).positions)
    flat, polar = problems.canonical_relu(x, y), problems.canonical_relu(x, y, delta=np.inf)
    return {
        "rows": rows,
        "flat": velocities(flat, measure(flat, rows)),
        "polar": velocities(polar, measure(polar, rows)),
    }


@claim("(47)", tolerance=1.0, cost=Cost(4.0), digits=4)
def plane_metric(bench: Bench) -> Finding:
    """In (u, v) = |r| d(theta) the flat flow of (r, theta) is that of the metric D pi D pi^T = d d^T + r^2 t t^T, not
    of the Euclidean one; the flow at delta = infinity is.
    Printed: D pi D pi^T = I.
    Compared: share of what is allowed: 1e-12, relative, for the flat velocity, pushed to the plane, against that
    matrix times the velocity at delta = infinity, pushed too (which is -grad L~ in u, v, m times); with I in its
    place they must differ by 0.1.
    Misprint: D pi D pi^T is d d^T + r^2 t t^T; I holds where |r| = 1."""
    found = bench.piece(planes, width=60)
    r, angle = found["rows"].T
    d, t = (np.stack(pair, axis=1) for pair in ((np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))))

    def pushed(v: np.ndarray) -> np.ndarray:
        return np.sign(r)[:, None] * v[:, :1] * d + np.abs(r)[:, None] * v[:, 1:] * t

    flat, polar = pushed(found["flat"]), pushed(found["polar"])
    exact = d * np.sum(d * polar, axis=1)[:, None] + (r**2 * np.sum(t * polar, axis=1))[:, None] * t
    size = np.max(np.abs(flat))
    off, printed = apart(flat, exact) / size, apart(flat, polar) / size
    computed = {"largest relative difference": off, "with I": printed}
    return Finding(computed, share_allowed((off, 1e-12), (share_needed(printed, 0.1), 1.0)))
