"""Claims on noisy SGD: the size of its noise (11), its limit (Theorem 3 with noise), where it ends (Theorem 5)."""

import jax
import numpy as np
from jaxtyping import Float

from widelimit import analysis
from widelimit._evolve import evolve
from widelimit.analysis import minimise
from widelimit.dynamics import SGD, GradientFlow, TransportPDE
from widelimit.measure import grids, laws

from .._kit._bench import Bench, Cost, Data
from .._kit._claims import Claim, Finding, Verdict
from .._kit._shares import largest, log_slope, share_allowed
from ._examples import far_bump, neurons
from ._seeds import risks, seeds


def _spreads(strength: float, beta: float, width: int, runs: int, step: float, t1: float, saves: int) -> Data:
    """The late variance of the neurons under noise sqrt(4 s/beta) and sqrt(2 s/beta), a mean for each run."""
    problem = neurons(strength)
    state = analysis.gibbs(problem, temperature=2.0 / beta, grid=grids.uniform(-10.0, 10.0, 1000))
    theta, masses = np.asarray(state.density.positions[:, 0]), np.asarray(state.density.weights)
    law = laws.Normal(0.5, 1.5)
    starts = [law.sample(width, key=jax.random.key(100 + j)) for j in range(runs)]
    out = {"gibbs": np.array(masses @ theta**2 - (masses @ theta) ** 2)}
    for name, heat in (("corrected", 2.0 / beta), ("printed", 1.0 / beta)):
        rows = seeds(problem, starts, SGD(step, temperature=heat), t1=t1, saves=saves, first=200)
        out[name] = np.mean(np.var(rows[:, saves // 2 :, :, 0], axis=2), axis=1)
    return out


def _noise_scale(bench: Bench) -> Finding:
    runs = bench.pick(quick=8, paper=32)
    data = bench.piece(_spreads, strength=0.25, beta=4.0, width=1000, runs=runs, step=2e-3, t1=24.0, saves=120)
    gibbs = float(data["gibbs"])
    mean = {name: float(np.mean(data[name])) for name in ("corrected", "printed")}
    error = {name: float(np.std(data[name], ddof=1)) / runs**0.5 for name in mean}
    computed = {
        "variance under (21)": gibbs,
        "noise sqrt(4 s/beta)": mean["corrected"],
        "its standard error": error["corrected"],
        "noise sqrt(2 s/beta), as printed": mean["printed"],
        "without data: printed noise, variance over (21)'s": 0.5,
    }
    why = (
        f"As printed the variance is {mean['printed'] / gibbs:.3g} of that of (21). Without data (11) is a linear "
        "recursion, theta -> (1 - 2 lambda s) theta + noise, and sqrt(2 s/beta) g gives 1/(2 lambda beta (1 - "
        "lambda s)) where (21) has 1/(lambda beta)."
    )
    off = abs(mean["corrected"] - gibbs) / error["corrected"]
    # The misprint is one only where the printed noise is told apart.
    apart = abs(mean["printed"] - gibbs) / error["printed"]
    return Finding(computed, off if apart > 10.0 else float("inf"), why)


def _with_noise(strength: float, beta: float, width: int, runs: int, step: float, t1: float, saves: int) -> Data:
    """Risk and mean of sin(theta) along noisy SGD, [runs, saves], and along the diffusion equation, [saves]."""
    problem, law, heat = neurons(strength), laws.Normal(-1.0, 0.5), 2.0 / beta
    grid, times = grids.uniform(-8.0, 8.0, 800), t1 * np.arange(1, saves + 1) / saves
    limit = evolve(problem, law, TransportPDE(grid, temperature=heat, rtol=1e-6), t1=t1, save_at=times)
    theta = np.asarray(grid.points[:, 0])
    starts = [law.sample(width, key=jax.random.key(300 + j)) for j in range(runs)]
    rows = seeds(problem, starts, SGD(step, temperature=heat), t1=t1, saves=saves, first=400)[:, 1:]
    return {
        "risk": risks(problem, rows),
        "sine": np.mean(np.sin(rows[..., 0]), axis=2),
        "limit_risk": limit.risk[1:],
        "limit_sine": limit.weights[1:] @ np.sin(theta),
    }


def _noisy_limit(bench: Bench) -> Finding:
    runs = bench.pick(quick=16, paper=64)
    data = bench.piece(_with_noise, strength=0.05, beta=20.0, width=1000, runs=runs, step=1e-3, t1=20.0, saves=20)
    off = {name: _standardised(data[name], data[f"limit_{name}"]) for name in ("risk", "sine")}
    far = {name: np.max(np.abs(np.mean(data[name], axis=0) - data[f"limit_{name}"])) for name in off}
    computed = {
        "risk: largest distance of the mean over runs": float(far["risk"]),
        "in standard errors": float(np.max(off["risk"])),
        "mean of sin(theta): largest distance": float(far["sine"]),
        "its standard errors": float(np.max(off["sine"])),
    }
    return Finding(computed, largest(*off.values()))


def _standardised(rows: Float[np.ndarray, "S T"], limit: Float[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
    """The distance of the mean over runs from the limit, in its standard errors."""
    error = np.std(rows, axis=0, ddof=1) / len(rows) ** 0.5
    return np.abs(np.mean(rows, axis=0) - limit) / error


def _escape(
    strength: float, beta: float, widths: list[int], runs: int, step: float, level: float, reach: float, saves: int
) -> Data:
    """Noisy SGD up to ten times the time T = `reach`: first times below inf R_lambda + `level`, and late risks."""
    problem, law = far_bump(strength), laws.Normal(-2.5, 0.1)
    best = minimise(problem)
    cold = evolve(problem, law.quantise(100, laws.Midpoint()), GradientFlow(), t1=10.0 * reach, save_at=[reach])
    first, worst = [], []
    for width in widths:
        starts = [law.sample(width, key=jax.random.key(500 + j)) for j in range(runs)]
        rows = seeds(problem, starts, SGD(step, temperature=2.0 / beta), t1=10.0 * reach, saves=saves, first=600)
        risk = risks(problem, rows)
        objective = risk + strength * np.mean(np.sum(rows**2, axis=3), axis=2)
        below = objective <= best.objective + level
        first.append(np.where(below.any(axis=1), np.argmax(below, axis=1), np.inf) * (10.0 * reach / saves))
        worst.append(np.max(risk[:, saves // 10 :]))
    return {
        "least": np.array(best.objective),
        "first": np.array(first),
        "worst": np.array(worst),
        "noiseless": np.array(cold.risk[-1]),
    }


def _noisy_optimum(bench: Bench) -> Finding:
    widths, eta, reach = [50, 100, 200, 400], 0.02, 150.0
    runs = bench.pick(quick=4, paper=16)
    settings = {"strength": 0.02, "beta": 100.0, "step": 0.03, "level": eta, "reach": reach, "saves": 500}
    data = bench.piece(_escape, widths=widths, runs=runs, **settings)
    least, first = float(data["least"]), np.mean(data["first"], axis=1)
    slope = log_slope(widths, first) if np.all(np.isfinite(first)) else float("inf")
    computed = {
        "inf R_lambda + eta": least + eta,
        "noiseless: risk at t = 10 T": float(data["noiseless"]),
        **{f"largest risk in [T, 10 T], N = {n}": float(r) for n, r in zip(widths, data["worst"], strict=True)},
        **{f"time to inf R_lambda + eta, N = {n}": float(t) for n, t in zip(widths, first, strict=True)},
        "slope of that time in N": slope,
    }
    # The statement is empty where a flow without noise does as well.
    trapped = float(data["noiseless"]) > least + eta
    above = float(np.max(data["worst"])) - least - eta
    late = float(np.max(data["first"])) - reach
    parts = (largest(above, 0.0), 1e-3), (largest(late, 0.0), 1.0), (abs(slope), 0.15)
    return Finding(computed, share_allowed(*parts) if trapped else float("inf"))


CLAIMS = (
    Claim(
        id="noise-scale",
        statement="Noisy SGD with noise sqrt(4 s_k/beta) settles at the density (21) (variance of the neurons).",
        where="(11) beside (12), (21) and (24)",
        printed="sqrt(2 s_k/beta)",
        compute=_noise_scale,
        tolerance=4.0,
        reason="standard errors over runs of 1000 neurons; the bias of order 1/N + eps is below them",
        misprint="(11) has noise sqrt(2 s_k/beta); the limit (12), its fixed point (21) and (24) belong to "
        "sqrt(4 s_k/beta)",
        expected=Verdict.CORRECTED,
        cost=Cost(15.0, 60.0),
        digits=4,
    ),
    Claim(
        id="noisy-sgd-limit",
        statement="Noisy SGD of wide networks follows the diffusion equation (12): the risk and the mean of a bounded "
        "Lipschitz function at 20 times up to t = 20, N = 1000.",
        where="Theorem 3, last sentence",
        printed=None,
        compute=_noisy_limit,
        tolerance=4.0,
        reason="standard errors of the mean over independent runs, the largest of 40; biases of order 1/N and eps are "
        "below a tenth of them",
        cost=Cost(15.0, 60.0),
        digits=3,
    ),
    Claim(
        id="noisy-sgd-optimum",
        statement="Noisy SGD has R_N <= inf R_lambda + eta for all k in [T/eps, 10 T/eps], with T independent of N, "
        "where the flow without noise is trapped far above.",
        where="Theorem 5, (25)",
        printed=None,
        compute=_noisy_optimum,
        tolerance=1.0,
        reason="the worst of: by how much a risk in the window exceeds the bound over 1e-3; by how much a run is later "
        "than T over 1; the slope of the time in N over 0.15, as single runs scatter by a tenth",
        cost=Cost(30.0, 120.0),
        digits=4,
    ),
)
