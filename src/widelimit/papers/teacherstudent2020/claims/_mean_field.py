"""Claims on 2.1: gradient descent, its flow, the mean field equation, Theorem 1."""

import numpy as np

from widelimit.theory import teacherstudent2020 as theory

from ..._kit import Bench, Cost, Data, Finding, claim
from ..._kit._shares import apart, largest, log_slope, share_allowed
from ..runs._networks import TESTS, TIMES, ensembles, fields, followed, limit, rate, widths

_WIDTH = 12


def exact_flow(found: Data, rows: np.ndarray) -> theory.Flow:
    """The formulas at a network with rows theta."""
    return theory.tanh_flow(rows, np.ones(len(rows)), found["x"], found["y"], found["mu"])


@claim("(2) and its gradient", tolerance=1.0, cost=Cost(5.0), digits=3)
def particle_flow(bench: Bench) -> Finding:
    """N times the gradient of E in theta_i is minus the velocity (2) of particle i.
    Compared: share of what is allowed, over the largest: 1e-12 between the library's velocity of 12 particles and the
    sums of (2) in NumPy; 1e-8 between those and -N times central differences of the library's E over 1e-5."""
    found = bench.piece(fields, width=_WIDTH, weighted=False)
    exact = exact_flow(found, found["rows"]).theta
    size = largest(np.abs(exact))
    off = apart(found["velocity"], exact) / size, apart(-found["slopes"], exact[:3]) / size
    return Finding({"velocity": off[0], "differences": off[1]}, share_allowed((off[0], 1e-12), (off[1], 1e-8)))


@claim("2.1, Mean field equation; the functional derivative", tolerance=1e-12, cost=Cost(5.0), digits=4)
def functional_derivative(bench: Bench) -> Finding:
    """(1/N) SUM sigma(x . theta_j) - y is INT sigma rho - y, and dE/drho = INT (INT sigma rho - y) sigma mu.
    Printed: it can be rewritten as INT sigma(x . theta) rho(theta) d theta.
    Compared: the library's E of 12 particles and psi at them with the sums in NumPy, relative to the largest; without
    y psi must be off by 0.1.
    Misprint: "- y" is dropped."""
    found = bench.piece(fields, width=_WIDTH, weighted=False)
    exact = exact_flow(found, found["rows"])
    printed = exact_flow(found | {"y": 0.0 * found["y"]}, found["rows"]).potential
    size = largest(np.abs(exact.potential))
    off = abs(float(found["risk"]) / exact.risk - 1.0), apart(found["psi"], exact.potential) / size
    without = apart(found["psi"], printed) / size
    return Finding(
        {"E": off[0], "psi": off[1], "psi as printed": without},
        largest(off),
        needs={"the printed words differ": without > 0.1},
    )


@claim("2.1, t = k alpha/N", tolerance=1.0, cost=Cost(5.0), digits=4)
def descent_time(bench: Bench) -> Finding:
    """Gradient descent theta[k+1] = theta[k] - alpha dE/d theta follows the ODE (2) with t = k alpha/N, to first order
    in alpha/N.
    Compared: share of what is allowed: the exponent of alpha/N, 0.2, 0.1, 0.05, in the largest distance at t = 2
    between descent of 12 particles in NumPy and the library's flow, against 1: 0.05; twice the finest minus the next,
    which is of second order, must be a tenth as far from the flow as the finest."""
    found = bench.piece(followed, width=_WIDTH, end=2.0, saves=1)
    steps = (0.2, 0.1, 0.05)
    ends = [_descended(found, step, 2.0) for step in steps]
    off = [apart(end, found["rows"][-1]) for end in ends]
    slope = log_slope(steps, off)
    second = apart(2.0 * ends[2] - ends[1], found["rows"][-1])
    computed = {f"apart, alpha/N = {step:g}": one for step, one in zip(steps, off, strict=True)}
    return Finding(
        computed | {"exponent": slope, "extrapolated": second},
        share_allowed((abs(slope - 1.0), 0.05), (second / off[2], 0.1)),
    )


def _descended(found: Data, step: float, end: float) -> np.ndarray:
    rows = found["rows"][0]
    for _ in range(round(end / step)):
        # alpha dE/d theta_i is alpha/N times minus the velocity.
        rows = rows + step * exact_flow(found, rows).theta
    return rows


@claim("(3), the gradient flow", tolerance=1.0, cost=Cost(5.0), digits=4)
def dissipation(bench: Bench) -> Finding:
    """(3) is the gradient flow of E in the Wasserstein metric: dE/dt = -INT |grad dE/drho|^2 rho.
    Compared: share of what is allowed: 1e-4 between the fall of the library's E from t = 0 to 4 and Simpson's integral,
    over 160 intervals, of the mean square of (2) in NumPy along its run, relative; E must fall at every save."""
    found = bench.piece(followed, width=_WIDTH, end=4.0, saves=160)
    speeds = np.array([np.mean(np.sum(exact_flow(found, rows).theta ** 2, axis=1)) for rows in found["rows"]])
    simpson = np.tile([4.0, 2.0], 80)[:-1]
    total = float(speeds[0] + speeds[-1] + simpson @ speeds[1:-1]) * float(found["times"][1]) / 3.0
    fall = float(found["risk"][0] - found["risk"][-1])
    return Finding(
        {"fall of E": fall, "integral": total},
        share_allowed((abs(total / fall - 1.0), 1e-4)),
        needs={"E falls": bool(np.all(np.diff(found["risk"]) < 0.0))},
    )


@claim("2.1 and the proof of Theorem 2", tolerance=1e-12, cost=Cost(5.0), digits=4)
def loss_pairing(bench: Bench) -> Finding:
    """With a teacher the pairing of dE/drho with rho - rho_* is 2 E: where dE/drho is constant E = 0.
    Printed: (rho - rho_*)^T Sigma^T mu Sigma (rho - rho_*) = 0 from a constant dE/drho.
    Compared: the library's psi of 12 particles, summed over them and over the teacher's atoms, with twice its E,
    relative."""
    found = bench.piece(fields, width=_WIDTH, weighted=False)
    pairing = float(np.mean(found["psi"])) - float(found["teacher psi"] @ found["teacher masses"])
    risk = float(found["risk"])
    return Finding({"pairing": pairing, "2 E": 2.0 * risk}, abs(pairing / (2.0 * risk) - 1.0))


@claim("Theorem 1", tolerance=1.0, cost=Cost(15.0, 600.0), digits=3)
def law_of_large_numbers(bench: Bench) -> Finding:
    """If theta_i(0) are sampled from a density, the empirical measure at a fixed t converges weakly to the solution of
    (3): integrals of smooth functions by N^(-1/2).
    Printed: it converges weakly.
    Compared: share of what is allowed: the exponent of N in the root mean square of INT test d(rho_N - rho) at t = 0,
    1, 4, of a cosine, a Gaussian and a logistic function, N = 16, 64, 256 (and 1024 at paper scale), 60 (300) starts
    each, uniform on a square, by the library's flow, against -1/2: 3.5 of its standard errors, the largest of nine;
    these must be 0.08 at most. The limit is that of 20 Gauss nodes a coordinate; with 16 its integrals must not differ
    by a tenth of the deviation at the largest N."""
    networks, limiting = ensembles(bench)
    off = networks["tests"] - limiting["tests"]
    slopes, errors = rate(widths(bench), off**2)
    coarse = bench.piece(limit, order=16, times=TIMES)["tests"]
    smallest = float(np.min(np.mean(off[-1] ** 2, axis=0) ** 0.5))
    computed = {
        f"exponent, {name}, t = {t:g}": [slopes[k, i], errors[k, i]]
        for i, name in enumerate(TESTS)
        for k, t in enumerate(TIMES)
    }
    needs = {"the limit is known": apart(coarse, limiting["tests"]) < 0.1 * smallest}
    return Finding(
        computed,
        share_allowed((np.abs(slopes + 0.5) / errors, 3.5), (errors, 0.08)),
        needs=needs,
    )
