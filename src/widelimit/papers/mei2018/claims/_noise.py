"""Claims on noise: the free energy, its fixed point, how flows reach it (Proposition 3, Theorem 4)."""

from typing import Any

import numpy as np
from jaxtyping import Float

from widelimit import analysis
from widelimit.analysis import minimise
from widelimit.dynamics import JKO, TransportPDE
from widelimit.measure import GridDensity, grids, laws

from ..._kit import Bench, Cost, Data, Finding, claim, columns
from ..._kit._runs import evolved
from ..._kit._shares import apart, largest, log_slope, share_allowed, table
from ..runs._examples import Row, gauss_tables, neurons, one_neuron

_STRENGTH, _BETA = 0.05, 20.0
_STARTS = {"left": [[-2.0, 0.3]], "right": [[2.0, 0.3]], "both ends": [[-3.0, 0.2], [3.0, 0.2]]}


def _rate(t: Any) -> Any:
    """xi of the free-energy claim: it must enter (24) as a factor."""
    return 1.0 / (1.0 + 0.2 * t)


def _big_psi(theta: Row, masses: Row, strength: float) -> Row:
    r"""$\Psi_\lambda = V + \int U d\rho + (\lambda/2) \theta^2$ of `neurons`, D = 1, from tables of V and U.

    (8), (12)
    """
    _, v, u = gauss_tables(theta)
    return v + u @ masses + 0.5 * strength * theta**2


def half_free_energy(theta: Row, masses: Row, strength: float, beta: float) -> float:
    r"""$F_{\beta,\lambda} = R/2 + (\lambda/2) \int \theta^2 d\rho - \mathrm{Ent}/\beta$ as the paper has it, on equal
    cells."""
    constant, v, u = gauss_tables(theta)
    risk = constant + 2.0 * masses @ v + masses @ u @ masses
    kept = masses > 0.0
    log_density = np.log(masses[kept] / (theta[1] - theta[0]))
    return float(0.5 * risk + 0.5 * strength * masses @ theta**2 + masses[kept] @ log_density / beta)


def _distance(a: Float[np.ndarray, "... n"], b: Row) -> Float[np.ndarray, "..."]:
    """In total variation."""
    return np.asarray(0.5 * np.sum(np.abs(a - b), axis=-1))


def _fixed_points(strength: float, beta: float, cells: int, t1: float, starts: dict[str, list[list[float]]]) -> Data:
    """The Gibbs density on [-8, 8], its image under (21), and flows from several starts, on one grid."""
    problem, grid = neurons(strength), grids.uniform(-8.0, 8.0, cells)
    theta = np.asarray(grid.points[:, 0])
    found = analysis.gibbs(problem, temperature=2.0 / beta, grid=grid)
    masses = np.asarray(found.density.weights)
    exponent = -beta * _big_psi(theta, masses, strength)
    image = np.exp(exponent - exponent.max())
    flow, times = TransportPDE(grid, temperature=2.0 / beta), [0.1 * t1, 0.2 * t1, 0.4 * t1, t1]

    def energy(masses: np.ndarray) -> float:
        return half_free_energy(theta, masses, strength, beta)

    rows = []
    for parts in starts.values():
        law = laws.Mixture([laws.Normal(m, s) for m, s in parts], [1.0 / len(parts)] * len(parts))
        weights = np.asarray(evolved(problem, law, flow, times).weights)
        rows.append({"distances": _distance(weights, masses), "energy": energy(weights[-1])})
    return {
        "image": _distance(image / image.sum(), masses),
        "rest": largest(_distance(np.asarray(evolved(problem, found.density, flow, times).weights), masses)),
        "times": [0.0, *times],
        "energy": energy(masses),
        "runs": columns(rows),
    }


def _pieces_of_fixed_points(bench: Bench) -> Data:
    cells = bench.pick(quick=400, paper=1600)
    return bench.piece(_fixed_points, strength=_STRENGTH, beta=_BETA, cells=cells, t1=200.0, starts=_STARTS)


@claim("Proposition 3, (21)", tolerance=1e-7, cost=Cost(15.0, 30.0), digits=3)
def gibbs_fixed_point(bench: Bench) -> Finding:
    """The fixed point of the diffusion equation (12) has the density exp(-beta Psi_lambda(theta; rho_*))/Z: it solves
    this equation, the flow does not move it, and the flow from afar ends there.
    Printed: rho_* = exp(-beta Psi_lambda)/Z.
    Compared: total variation; rounding leaves 1e-12 of the first two, the flow is integrated to a share of 1e-5 a step
    and forgets its errors."""
    data = _pieces_of_fixed_points(bench)
    computed = {
        "rho against exp(-beta Psi)/Z": data["image"],
        "moved by the flow in t = 200": data["rest"],
        "flow from the left at t = 200": data["runs"]["distances"][0, -1],
    }
    return Finding(computed, largest(*computed.values()))


@claim("Theorem 4, (23)", tolerance=1e-7, cost=Cost(1.0), digits=3)
def diffusion_converges(bench: Bench) -> Finding:
    """The diffusion equation converges to the one minimiser of the free energy from every start: from the left, from
    the right, and from two clusters (distance to it in total variation).
    Compared: total variation at t = 200, and by how much an end's free energy is below that of the minimiser; the
    slowest mode decays by e^-20."""
    data = _pieces_of_fixed_points(bench)
    runs = data["runs"]
    computed = table("t", data["times"][1:], dict(zip(_STARTS, runs["distances"][:, 1:], strict=True)))
    # A minimum: no start may end below the Gibbs density's free energy.
    return Finding(computed, largest(runs["distances"][:, -1], data["energy"] - runs["energy"]))


def _falls(strength: float, beta: float, cells: int, windows: list[list[float]], rtol: float) -> Data:
    """The fall of F in windows of time, and the integral of the right-hand side of (24) over them."""
    problem, grid = neurons(strength), grids.uniform(-8.0, 8.0, cells)
    flow = TransportPDE(grid, temperature=2.0 / beta, schedule=_rate, rtol=rtol)
    theta, times = np.asarray(grid.points[:, 0]), np.stack([np.linspace(a, b, 33) for a, b in windows])
    rows = evolved(problem, laws.Normal(-2.0, 0.6), flow, times.ravel()).weights[1:].reshape(*times.shape, -1)
    energy = np.array([[half_free_energy(theta, m, strength, beta) for m in row] for row in rows])
    power = np.array([[_power(theta, m, strength, beta) for m in row] for row in rows])
    return {"fall": energy[:, 0] - energy[:, -1], "spent": np.trapezoid(2.0 * _rate(times) * power, times, axis=1)}


def _power(theta: Row, masses: Row, strength: float, beta: float) -> float:
    r"""$\int |\partial(\Psi_\lambda + \beta^{-1} \log\rho)|^2 \rho$ by differences between neighbouring cells."""
    kept = masses > 1e-200
    level = _big_psi(theta, masses, strength)[kept] + np.log(masses[kept]) / beta
    slope = np.diff(level) / np.diff(theta[kept])
    between = 0.5 * (masses[kept][1:] + masses[kept][:-1])
    return float(between @ slope**2)


@claim("(24)", printed=1, tolerance=3e-3, cost=Cost(15.0, 30.0), digits=5)
def free_energy_decrease(bench: Bench) -> Finding:
    """Along (12) F_(beta,lambda) = R/2 + (lambda/2) INT |theta|^2 - Ent/beta falls at the rate 2 xi(t) INT
    |grad(Psi_lambda + log(rho)/beta)|^2 rho; here xi(t) = 1/(1 + t/5).
    Compared: the ratio against 1; the grid's error is of second order, a wrong constant would show as 1/2 or 2."""
    windows = [[0.5, 1.0], [2.0, 3.0], [5.0, 7.0], [12.0, 16.0]]
    cells = bench.pick(quick=800, paper=1600)
    data = bench.piece(_falls, strength=_STRENGTH, beta=_BETA, cells=cells, windows=windows, rtol=1e-8)
    ratio = data["fall"] / data["spent"]
    computed = {f"fall over formula, t in [{a:g}, {b:g}]": x for (a, b), x in zip(windows, ratio, strict=True)}
    return Finding(computed, apart(ratio, 1.0))


def _noisy_steps(strength: float, beta: float, taus: list[float], particles: int, cells: int, t1: float) -> Data:
    """Variational steps with F against (12): W_2 at t1; F after every step; twice the action of the steps."""
    problem, law, heat = neurons(strength), laws.Normal(-1.0, 0.5), 2.0 / beta
    grid = grids.uniform(-8.0, 8.0, cells)
    masses = evolved(problem, law, TransportPDE(grid, temperature=heat, rtol=1e-8), [t1]).weights[-1]
    share = (np.arange(particles) + 0.5) / particles
    quantiles = np.interp(share, np.concatenate([[0.0], np.cumsum(masses)]), np.asarray(grid.edges[0]))
    rows = []
    for tau in taus:
        count = round(t1 / tau)
        run = evolved(problem, law, JKO(tau, temperature=heat, particles=particles), tau * np.arange(1, count + 1))
        energy = run.free_energy
        off = np.sqrt(np.mean((np.sort(run.positions[-1][:, 0]) - quantiles) ** 2))
        spent, fall = np.diff(run.action), -np.diff(energy)
        rows.append({"distance": off, "rise": np.max(spent - fall), "ratio": np.sum(fall) / (2.0 * np.sum(spent))})
    return columns(rows)


@claim("text after (12)", printed=1, tolerance=1.0, cost=Cost(15.0, 60.0), digits=4)
def diffusion_is_a_gradient_flow(bench: Bench) -> Finding:
    """(12) is the gradient flow of F_(beta,lambda) in W_2: the steps (10) with F in the place of R approximate it to
    first order in tau, each spends no more on W_2^2/(2 tau) than F falls, and in the limit F falls by twice that.
    Compared: the worst of: the distance of the fitted slope of W_2 in tau from 1 over 0.1, as for (10); any step's
    excess over 1e-10, Newton's tolerance; the distance of the fall over twice the action from 1, fitted in tau, from a
    slope of 1 over 0.1."""
    taus = [0.1, 0.05, 0.025, 0.0125]
    settings = {"particles": bench.pick(quick=400, paper=1600), "cells": bench.pick(quick=1600, paper=3200)}
    data = bench.piece(_noisy_steps, strength=_STRENGTH, beta=_BETA, taus=taus, t1=1.0, **settings)
    slope, falls = log_slope(taus, data["distance"]), log_slope(taus, np.abs(data["ratio"] - 1.0))
    computed = table("tau", taus, {"W_2 at t = 1": data["distance"], "fall over twice the action": data["ratio"]})
    computed |= {"order of W_2": slope, "order of the fall": falls, "largest excess of a step": np.max(data["rise"])}
    parts = (apart(slope, 1.0), 0.1), (largest(data["rise"], 0.0), 1e-10), (apart(falls, 1.0), 0.1)
    return Finding(computed, share_allowed(*parts))


def _gaps(dim: int, strength: float, nodes: int, reach: float, cells: int, temperatures: list[float]) -> Data:
    """R_lambda(rho_T) - inf R_lambda, with inf R_lambda found by `minimise`."""
    problem = neurons(strength, dim=dim, nodes=nodes)
    best = minimise(problem)
    grid = grids.product(*[grids.uniform(-reach, reach, cells)] * dim)
    found = [analysis.gibbs(problem, temperature=t, grid=grid).objective for t in temperatures]
    return {"gap": np.array(found) - best.objective}


def _printed_gaps(strength: float, temperatures: list[float]) -> Data:
    """R(rho_T) where every network of one neuron can have the risk 0."""
    problem, grid = neurons(strength, target=one_neuron), grids.uniform(-5.0, 5.0, 2000)
    states = [analysis.gibbs(problem, temperature=t, grid=grid) for t in temperatures]
    return {"risk": [problem.risk(state.density) for state in states]}


@claim("Theorem 4, (22)", tolerance=0.1, cost=Cost(40.0, 120.0), digits=4)
def temperature_gap(bench: Bench) -> Finding:
    """R_lambda(rho_*) <= inf R_lambda + C D/beta: the gap is proportional to T = 2/beta, and to D.
    Printed: R(rho_*) <= inf R_N + C D/beta.
    Compared: fitted slopes in T against 1, and that of the printed form against 0; the next order is a power of T, a
    few per cent here. Per parameter the gap tends to T/2, as in the equipartition of energy.
    Misprint: (22) has R on both sides at fixed lambda; it holds for R_lambda = R + lambda INT |theta|^2."""
    heats = {1: [0.003, 0.001, 0.0003], 2: [0.03, 0.01, bench.pick(quick=0.005, paper=0.003)]}
    meshes = {1: (20, 6.0, 2000), 2: (8, 4.0, bench.pick(quick=100, paper=200))}
    slopes, per = [], []
    for dim, heat in heats.items():
        mesh = dict(zip(("nodes", "reach", "cells"), meshes[dim], strict=True))
        gap = bench.piece(_gaps, dim=dim, strength=_STRENGTH, temperatures=heat, **mesh)["gap"]
        slopes.append(log_slope(heat, gap))
        per.append(gap[-1] / (dim * heat[-1]))
    cold = [0.01, 0.001, 0.0001]
    printed = bench.piece(_printed_gaps, strength=0.1, temperatures=cold)["risk"]
    computed = table("D", list(heats), {"slope of the gap in T": slopes, "gap/(D T) at the lowest T": per})
    computed |= {"as printed: R(rho) at T = 0.01": printed[0], "as printed: R(rho) at T = 0.0001": printed[-1]}
    why = (
        "With R in the place of R_lambda the statement fails: at lambda = 0.1 and y = tanh(1.5 x) every network of "
        "neurons tanh(w x) can have risk 0, but R(rho) stays above 0.04 however low the temperature."
    )
    # As printed, R(rho_T) - inf R_N would fall like T: it must not, or the misprint is none.
    return Finding(computed, largest(apart(slopes, 1.0), abs(log_slope(cold, printed))), why)


def _certificates(strength: float, beta: float, cells: int, count: int) -> Data:
    """Densities of many shapes: F - min F, the certificate, and what the certificate gives away."""
    problem, grid = neurons(strength), grids.uniform(-8.0, 8.0, cells)
    theta, heat = np.asarray(grid.points[:, 0]), 2.0 / beta
    least = np.asarray(analysis.gibbs(problem, temperature=heat, grid=grid).density.weights)
    lowest = half_free_energy(theta, least, strength, beta)
    rng, rows = np.random.default_rng(5), []
    for _ in range(count):
        weight, centre, spread = rng.dirichlet(np.ones(3)), rng.uniform(-4, 4, 3), rng.uniform(0.05, 1.5, 3)
        shape = np.exp(-0.5 * ((theta[:, None] - centre) / spread) ** 2) / spread @ weight + 1e-12
        share = rng.uniform()
        masses = share * shape / shape.sum() + (1.0 - share) * least
        density = GridDensity(grid, masses, blocks=problem.blocks)
        # The library's free energy is twice the paper's.
        above = 2.0 * (half_free_energy(theta, masses, strength, beta) - lowest)
        bound = analysis.free_energy_gap(problem, density, heat)
        rows.append({"above": above, "bound": bound, "spare": _given_away(theta, masses, least, strength, beta)})
    return columns(rows)


def _given_away(theta: np.ndarray, masses: np.ndarray, least: np.ndarray, strength: float, beta: float) -> float:
    r"""$T\,\mathrm{KL}(\rho_* \| \mathrm{Gibbs}[\rho]) + \iint U (\rho - \rho_*)^2$."""
    exponent = -beta * _big_psi(theta, masses, strength)
    log_image = exponent - exponent.max()
    log_image -= np.log(np.sum(np.exp(log_image)))
    _, _, u = gauss_tables(theta)
    return float(2.0 / beta * least @ (np.log(least) - log_image) + (masses - least) @ u @ (masses - least))


@claim("Theorem 4, remark after (24): a global minimum by convexity", tolerance=1e-11, cost=Cost(5.0, 20.0), digits=4)
def free_energy_certificate(bench: Bench) -> Finding:
    """F is convex, so T KL(rho || Gibbs[rho]) is at least F(rho) - min F; the difference is T KL(rho_* || Gibbs[rho]) +
    INT INT U (rho - rho_*)^2.
    Compared: the largest violation of the bound, and the largest defect of the identity: rounding of sums of size
    10."""
    data = bench.piece(_certificates, strength=_STRENGTH, beta=_BETA, cells=400, count=bench.pick(quick=40, paper=400))
    above, bound, spare = (data[name] for name in ("above", "bound", "spare"))
    ratio, identity = bound / above, apart(bound - above, spare)
    computed = {
        "least bound over F - min F": np.min(ratio),
        "median": np.median(ratio),
        "largest": np.max(ratio),
        "largest defect of the identity": identity,
    }
    return Finding(computed, largest(above - bound, identity))
