"""Claims on noisy SGD: the size of its noise (11), its limit (Theorem 3 with noise), where it ends (Theorem 5)."""

import jax
import numpy as np

from widelimit import analysis
from widelimit.analysis import minimise
from widelimit.dynamics import SGD, GradientFlow, TransportPDE
from widelimit.measure import grids, laws

from ..._kit import Bench, Cost, Data, Finding, claim
from ..._kit._runs import evolved, seeds
from ..._kit._shares import apart, crossing, in_errors, largest, log_slope, outside, share_allowed, table
from ..runs._examples import far_bump, hill, neurons, one_bump


def _spreads(strength: float, beta: float, width: int, runs: int, step: float, t1: float, saves: int) -> Data:
    """The late variance of the neurons under noise sqrt(4 s/beta) and sqrt(2 s/beta), a mean for each run."""
    problem = neurons(strength)
    state = analysis.gibbs(problem, temperature=2.0 / beta, grid=grids.uniform(-10.0, 10.0, 1000))
    theta, masses = np.asarray(state.density.positions[:, 0]), np.asarray(state.density.weights)
    law = laws.Normal(0.5, 1.5)
    starts = [law.sample(width, key=jax.random.key(100 + j)) for j in range(runs)]
    out = {"gibbs": np.array(masses @ theta**2 - (masses @ theta) ** 2)}
    for name, heat in (("corrected", 2.0 / beta), ("printed", 1.0 / beta)):
        rows, _ = seeds(problem, starts, SGD(step, temperature=heat), t1=t1, saves=saves, first=200)
        out[name] = np.mean(np.var(rows[:, saves // 2 :, :, 0], axis=2), axis=1)
    return out


@claim("(11) beside (12), (21) and (24)", tolerance=4.0, cost=Cost(15.0, 60.0), digits=4)
def noise_scale(bench: Bench) -> Finding:
    """Noisy SGD with noise sqrt(4 s_k/beta) settles at the density (21) (variance of the neurons).
    Printed: sqrt(2 s_k/beta).
    Compared: standard errors over runs of 1000 neurons; the bias of order 1/N + eps is below them.
    Misprint: (11) has noise sqrt(2 s_k/beta); the limit (12), its fixed point (21) and (24) belong to sqrt(4
    s_k/beta)."""
    runs = bench.pick(quick=8, paper=32)
    data = bench.piece(_spreads, strength=0.25, beta=4.0, width=1000, runs=runs, step=2e-3, t1=24.0, saves=120)
    gibbs, corrected, printed = data["gibbs"], data["corrected"], data["printed"]
    computed = {
        "variance under (21)": gibbs,
        "noise sqrt(4 s/beta)": np.mean(corrected),
        "its standard error": np.std(corrected, ddof=1) / runs**0.5,
        "noise sqrt(2 s/beta), as printed": np.mean(printed),
        "without data: printed noise, variance over (21)'s": 0.5,
    }
    why = (
        f"As printed the variance is {np.mean(printed) / gibbs:.3g} of that of (21). Without data (11) is a linear "
        "recursion, theta -> (1 - 2 lambda s) theta + noise, and sqrt(2 s/beta) g gives 1/(2 lambda beta (1 - "
        "lambda s)) where (21) has 1/(lambda beta)."
    )
    told = {"the printed noise is told apart": in_errors(printed, gibbs) > 10.0}
    return Finding(computed, in_errors(corrected, gibbs), why, told)


def _with_noise(strength: float, beta: float, width: int, runs: int, step: float, t1: float, saves: int) -> Data:
    """Risk and mean of sin(theta) along noisy SGD, [runs, saves], and along the diffusion equation, [saves]."""
    problem, law, heat = neurons(strength), laws.Normal(-1.0, 0.5), 2.0 / beta
    grid, times = grids.uniform(-8.0, 8.0, 800), t1 * np.arange(1, saves + 1) / saves
    limit = evolved(problem, law, TransportPDE(grid, temperature=heat, rtol=1e-6), times)
    starts = [law.sample(width, key=jax.random.key(300 + j)) for j in range(runs)]
    rows, risk = seeds(problem, starts, SGD(step, temperature=heat), t1=t1, saves=saves, first=400)
    sine = limit.weights[1:] @ np.sin(np.asarray(grid.points[:, 0]))
    return {
        "sgd": {"risk": risk[:, 1:], "sine": np.mean(np.sin(rows[:, 1:, :, 0]), axis=2)},
        "limit": {"risk": limit.risk[1:], "sine": sine},
    }


@claim("Theorem 3, last sentence", tolerance=4.0, cost=Cost(15.0, 60.0), digits=3)
def noisy_sgd_limit(bench: Bench) -> Finding:
    """Noisy SGD of wide networks follows the diffusion equation (12): the risk and the mean of a bounded Lipschitz
    function at 20 times up to t = 20, N = 1000.
    Compared: standard errors of the mean over independent runs, the largest of 40; biases of order 1/N and eps are
    below a tenth of them."""
    runs = bench.pick(quick=16, paper=64)
    data = bench.piece(_with_noise, strength=0.05, beta=20.0, width=1000, runs=runs, step=1e-3, t1=20.0, saves=20)
    sgd, limit = data["sgd"], data["limit"]
    far = {name: largest(np.abs(np.mean(sgd[name], axis=0) - limit[name])) for name in limit}
    off = {name: largest(in_errors(sgd[name], limit[name])) for name in limit}
    computed = {
        "risk: largest distance of the mean over runs": far["risk"],
        "in standard errors": off["risk"],
        "mean of sin(theta): largest distance": far["sine"],
        "its standard errors": off["sine"],
    }
    return Finding(computed, largest(*off.values()))


def _escape(
    strength: float, beta: float, widths: list[int], runs: int, step: float, level: float, reach: float, saves: int
) -> Data:
    """Noisy SGD up to ten times the time T = `reach`: first times below inf R_lambda + `level`, and late risks."""
    problem, law, end = far_bump(strength), laws.Normal(-2.5, 0.1), 10.0 * reach
    best = minimise(problem)
    cold = evolved(problem, law.quantise(100, laws.Midpoint()), GradientFlow(), [reach, end])
    first, worst = [], []
    for width in widths:
        starts = [law.sample(width, key=jax.random.key(500 + j)) for j in range(runs)]
        rows, risk = seeds(problem, starts, SGD(step, temperature=2.0 / beta), t1=end, saves=saves, first=600)
        objective = risk + strength * np.mean(np.sum(rows**2, axis=3), axis=2)
        below = objective <= best.objective + level
        first.append(np.where(below.any(axis=1), np.argmax(below, axis=1), np.inf) * (end / saves))
        worst.append(np.max(risk[:, saves // 10 :]))
    return {"least": best.objective, "first": first, "worst": worst, "noiseless": cold.risk[-1]}


@claim("Theorem 5, (25)", tolerance=1.0, cost=Cost(30.0, 120.0), digits=4)
def noisy_sgd_optimum(bench: Bench) -> Finding:
    """Noisy SGD has R_N <= inf R_lambda + eta for all k in [T/eps, 10 T/eps], with T independent of N, where the flow
    without noise is trapped far above.
    Compared: the worst of: by how much a risk in the window exceeds the bound over 1e-3; by how much a run is later
    than T over 1; the slope of the time in N over 0.15, as single runs scatter by a tenth."""
    widths, eta, reach = [50, 100, 200, 400], 0.02, 150.0
    settings = {"strength": 0.02, "beta": 100.0, "step": 0.03, "level": eta, "reach": reach, "saves": 500}
    data = bench.piece(_escape, widths=widths, runs=bench.pick(quick=4, paper=16), **settings)
    bound = data["least"] + eta
    # A run that never gets there is late by the whole window.
    first = np.minimum(data["first"], 10.0 * reach)
    times = np.mean(first, axis=1)
    slope = log_slope(widths, times)
    columns = {"largest risk in [T, 10 T]": data["worst"], "time to inf R_lambda + eta": times}
    computed = {"inf R_lambda + eta": bound, "noiseless: risk at t = 10 T": data["noiseless"]}
    computed |= table("N", widths, columns) | {"slope of that time in N": slope}
    above, late = outside(data["worst"], high=bound), outside(first, high=reach)
    parts = (above, 1e-3), (late, 1.0), (abs(slope), 0.15)
    return Finding(
        computed, share_allowed(*parts), needs={"the flow without noise is trapped": data["noiseless"] > bound}
    )


def _times(strength: float, cold: float, dims: list[int], barrier: bool, cells: int, longest: float) -> Data:
    """When (12) at beta = `cold` D has come within 1/5 of its fixed point in total variation, from 1.5 left of 0."""
    problem, law = far_bump(strength, hill if barrier else one_bump), laws.Normal(-1.5, 0.2)
    grid, times, found = grids.uniform(-5.0, 5.0, cells), np.geomspace(0.5, longest, 200), []
    for dim in dims:
        heat = 2.0 / (cold * dim)
        end = np.asarray(analysis.gibbs(problem, temperature=heat, grid=grid).density.weights)
        run = evolved(problem, law, TransportPDE(grid, temperature=heat, rtol=1e-5), times)
        off = 0.5 * np.sum(np.abs(np.asarray(run.weights) - end), axis=1)
        found.append(crossing(run.times, off, 0.2))
    return {"times": found}


@claim("text after Theorem 5, 'examples can be constructed'", tolerance=1.0, cost=Cost(30.0, 60.0), digits=4)
def time_in_dimension(bench: Bench) -> Finding:
    """With beta = K D the time in which (12) comes near its fixed point is e^(Theta(D)) for some data, and hardly grows
    for others: neurons that see one of D coordinates, the target a bump far away with, and without, a hill before it (K
    = 10; the others keep their Gaussian law, so that (12) is that of one coordinate at beta = K D).
    Printed: T = e^(Theta(D)), T = O(1).
    Compared: the worst of: the spread of the growth of log T a dimension, 0.65, over 0.06, the smallest D aside;
    without a hill, the growth of T from the smallest to the largest D over 3, as from a point T grows by log beta."""
    dims, cells = [2, 4, 6, 8, 10], bench.pick(quick=400, paper=800)
    settings = {"strength": 0.03, "cold": 10.0, "dims": dims, "cells": cells}
    slow, fast = (
        bench.piece(_times, barrier=barrier, longest=longest, **settings)["times"]
        for barrier, longest in ((True, 1e5), (False, 1e3))
    )
    growth = np.diff(np.log(slow)) / np.diff(dims)
    computed = table("D", dims, {"T with a hill": slow, "T without": fast})
    mean = float(np.mean(growth[1:]))
    computed["growth of log T a dimension"] = mean
    spread = apart(growth[1:], mean)
    needs = {"with a hill T grows in D": np.min(growth) > 0.2}
    return Finding(computed, share_allowed((spread, 0.06), (fast[-1] / fast[0], 3.0)), needs=needs)
