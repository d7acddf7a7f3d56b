"""Claims on fixed points of the noiseless flow: Proposition 2, Theorems 6 and 7."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from widelimit import analysis
from widelimit.dynamics import GradientFlow, Quantiles, TransportPDE, integrators
from widelimit.measure import Particles, laws
from widelimit.problem import Problem
from widelimit.theory import mei2018 as theory

from ..._kit import Bench, Cost, Data, Finding, claim
from ..._kit._runs import evolved
from ..._kit._shares import apart, apart_relative, growth, largest, outside, share_allowed
from ..runs._examples import Row, gauss_slopes, neurons, one_neuron
from ..runs._isotropic import small

_TIGHT = integrators.Tsit5(rtol=1e-10, atol=1e-13)


def _rate(t: float) -> float:
    """A step schedule that A1 allows, with INT xi = log(1 + t)."""
    return 1.0 / (1.0 + t)


def _flow(problem: Problem, rows: Float[np.ndarray, "N D"], times: Float[np.ndarray, " T"]) -> np.ndarray:
    """[T, N, D] along the flow with the schedule `_rate`."""
    return np.asarray(evolved(problem, Particles(rows), GradientFlow(_TIGHT, schedule=_rate), times).positions)


def _decay(times: Float[np.ndarray, " T"], sizes: Float[np.ndarray, "T ..."]) -> Float[np.ndarray, "..."]:
    """The rate of decay of each column in INT xi = log(1 + t)."""
    return -growth(np.log1p(times), np.abs(sizes.reshape(len(times), -1)))


def _sphere_rates(delta: float, dim: int) -> Data:
    """One sphere of the isotropic problem: rates of a displaced cloud's mean and of a centred cloud's variance."""
    model, problem = theory.Isotropic(delta, dim), small(delta, dim)
    r, cloud = theory.single_delta(model).r, np.linspace(-1.0, 1.0, 9)[:, None]
    fast, slow = np.linspace(0.0, 2.0, 21), np.linspace(0.0, 40.0, 21)
    mean = _decay(fast, np.mean(_flow(problem, r + 1e-5 + 1e-7 * cloud, fast) - r, axis=1))
    variance = _decay(slow, np.var(_flow(problem, r + 1e-4 * cloud, slow), axis=1))
    curvature, mixed = _curvature(model, r), _difference(lambda x: model.u_slope(r, x), r)
    seen = analysis.stability(problem, Particles(np.array([[r]])))
    return {
        "measured": [*mean, *variance],
        "formula": [2.0 * (curvature + mixed), 4.0 * curvature],
        "library": [seen.rates[0], 2.0 * seen.spread_rates[0, 0]],
    }


def _curvature(model: theory.Isotropic, r: float) -> float:
    """H_0 of one sphere."""
    return _difference(lambda x: model.v_slope(x) + model.u_slope(x, r), r)


def _difference(function: Callable[[float], Any], x: float) -> float:
    h = 1e-5
    return float(function(x + h) - function(x - h)) / (2.0 * h)


def _plane_rates(strength: float, nodes: int) -> Data:
    """The same for an atom in R^2, whose Hessian has the coordinate axes as its own: two rates each."""
    problem = neurons(strength, dim=2, nodes=nodes, target=one_neuron)
    atom = analysis.fixed_point(problem, Particles(np.array([[0.8, 0.0]])))
    theta, times = np.asarray(atom.positions[0]), np.linspace(0.0, 20.0, 21)
    ring = np.stack([np.cos(np.arange(12) * np.pi / 6), np.sin(np.arange(12) * np.pi / 6)], axis=1)
    mean = _decay(times, np.mean(_flow(problem, theta + 1e-5 + 1e-7 * ring, times) - theta, axis=1))
    variance = _decay(times, np.var(_flow(problem, theta + 1e-4 * ring, times), axis=1))
    curvature, mixed = _plane_hessians(theta, strength, nodes)
    seen = analysis.stability(problem, atom)
    return {
        "measured": [*mean, *variance],
        "formula": [*(2.0 * (curvature + mixed)), *(4.0 * curvature)],
        # In ascending order, which is the order of the axes here as well.
        "library": [*seen.rates, *(2.0 * seen.spread_rates[0])],
    }


def _plane_hessians(theta: Row, strength: float, nodes: int) -> tuple[Row, Row]:
    """The diagonals of H_0 (with lambda) and of d_1 d_2 U at the atom, by NumPy: both matrices are diagonal."""
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    points = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).reshape(-1, 2)
    mu = np.multiply.outer(w, w).ravel() / w.sum() ** 2
    f = np.tanh(points @ theta)
    bend, slope = -2.0 * f * (1.0 - f**2), 1.0 - f**2
    squares = points**2
    curvature = (mu * (f - np.tanh(1.5 * points[:, 0])) * bend) @ squares + strength
    return curvature, (mu * slope**2) @ squares


@claim("Theorem 6, 'exponentially fast'", tolerance=1e-3, cost=Cost(20.0))
def atom_rates(bench: Bench) -> Finding:
    """Around a stable atom the variance decays at rate 4 H_0 in INT xi and the mean at 2 (H_0 + d_1 d_2 U): measured on
    the sphere of radius r_* (Delta = 0.3, d = 40) and on an atom in R^2.
    Compared: relative error of fitted rates and of the library's; clouds of size 1e-4 leave the linear range by that
    much."""
    pieces = bench.piece(_sphere_rates, delta=0.3, dim=40), bench.piece(_plane_rates, strength=0.1, nodes=12)
    measured, formula, library = (
        np.concatenate([p[name] for p in pieces]) for name in ("measured", "formula", "library")
    )
    names = ["sphere, mean", "sphere, variance"]
    names += [f"plane, {what} {k}" for what in ("mean", "variance") for k in (1, 2)]
    computed = {name: f"{m:.6g}, formula {f:.6g}" for name, m, f in zip(names, measured, formula, strict=True)}
    return Finding(computed, largest(apart_relative(measured, formula), apart_relative(library, formula)))


def _second_moments(delta: float, dim: int, radius: float, times: list[float]) -> Data:
    """INT |theta - theta_*|^2 d rho_t from two points at the distance r_0."""
    r = theory.single_delta(theory.Isotropic(delta, dim)).r
    rows = _flow(small(delta, dim), np.array([[r - radius], [r + radius]]), np.array(times))
    return {"times": [0.0, *times], "moment": np.mean((rows - r) ** 2, axis=(1, 2))}


@claim("Theorem 6, last sentence", tolerance=0.0, cost=Cost(5.0), digits=4)
def atom_contraction(bench: Bench) -> Finding:
    """INT |theta - theta_*|^2 d rho_t <= r_0^2 exp(-lambda INT xi) for some lambda > 0, from a support within r_0 of a
    stable atom; here r_0 = 0.2 and xi = 1/(1 + t).
    Printed: exp(-lambda (t - t_0)).
    Compared: by how much the least rate is below 0.1, a third of the linear one.
    Misprint: the exponent is INT xi, not t - t_0, and r_0^2 stands in front."""
    radius, times = 0.2, [0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 1e3, 1e4, 1e5]
    data = bench.piece(_second_moments, delta=0.3, dim=40, radius=radius, times=times)
    t, moment = data["times"][1:], data["moment"][1:]
    rates, printed = -np.log(moment / radius**2) / np.log1p(t), -np.log(moment) / t
    computed = {
        "least rate in INT xi, with r_0^2 in front": np.min(rates),
        "at the end": rates[-1],
        "as printed: rate in t up to t = 100": printed[6],
        "as printed: up to t = 100000": printed[-1],
    }
    why = "With xi = 1/(1 + t), which A1 allows, INT xi = log(1 + t): the decay is a power of t, and no exponential."
    # As printed a rate above 0 would do for all t.
    fades = {"the rate in t fades": printed[-1] < 0.01 * printed[6]}
    return Finding(computed, outside(rates, low=0.1), why, fades)


def _single_atoms(thetas: list[float], t1: float) -> Data:
    """Atoms delta_theta: the library's velocity, the paper's -2 (V' + d_1 U), and how far each has moved at t1."""
    problem = neurons(0.0)
    slope, mixed = gauss_slopes(np.array(thetas))
    at = analysis.fixed_point(problem, Particles(np.array([[0.7]]))).positions
    own, cross = gauss_slopes(np.asarray(at[0]))
    run = evolved(problem, Particles(at), GradientFlow(), np.linspace(0.0, t1, 21))
    return {
        "velocity": [analysis.stationarity(problem, Particles(np.array([[x]]))).largest for x in thetas],
        "force": slope + np.diagonal(mixed),
        "fixed": at[0, 0],
        "force_there": own[0] + cross[0, 0],
        "moved": apart(run.positions, run.positions[0]),
    }


@claim("Theorem 6, first part", tolerance=1e-9, cost=Cost(8.0))
def atom_fixed_point(bench: Bench) -> Finding:
    """An atom at theta is a fixed point if and only if grad V(theta) + grad_1 U(theta, theta) = 0.
    Compared: its speed against 2 |V' + d_1 U| from other quadrature code, and the move of a fixed atom in t = 20:
    rounding, times e^(rate t) where the atom repels."""
    data = bench.piece(_single_atoms, thetas=list(np.linspace(-3.0, 5.0, 33)), t1=20.0)
    defect = apart(data["velocity"], 2.0 * np.abs(data["force"]))
    computed = {
        "fixed atom": data["fixed"],
        "V' + d_1 U there": data["force_there"],
        "moved by the flow in t = 20": data["moved"],
        "speed against 2 |V' + d_1 U| at 33 atoms": defect,
    }
    return Finding(computed, largest(defect, abs(data["force_there"]), data["moved"]))


def _descents(times: list[float], count: int) -> Data:
    """Risks along the flow by three methods, and short moves of random measures against 2 |grad Psi|."""
    problem, law = neurons(0.0), laws.Normal(-1.0, 0.5)
    few = law.sample(100, key=jax.random.key(7))
    methods = (law, Quantiles()), (law, TransportPDE(cells=400)), (few, GradientFlow(_TIGHT))
    curves = [evolved(problem, start, method, times).risk for start, method in methods]
    rng = np.random.default_rng(11)
    moves = [_short_move(problem, rng.normal(size=5) * 2.0, rng.dirichlet(np.ones(5))) for _ in range(count)]
    at = analysis.fixed_point(problem, Particles(np.array([[-0.2], [5.6]]), np.array([0.4, 0.6])))
    fixed = _short_move(problem, np.asarray(at.positions[:, 0]), np.asarray(at.weights))
    return {"risk": curves, "moves": moves, "fixed": fixed}


def _short_move(problem: Problem, theta: Row, weights: Row) -> tuple[float, float]:
    """W_2(rho_t, rho_0)/t for t = 1e-4, and (INT |2 Psi'|^2 d rho)^(1/2)."""
    t = 1e-4
    run = evolved(problem, Particles(theta[:, None], weights), GradientFlow(), [t])
    moved = np.sqrt(weights @ (run.positions[-1, :, 0] - theta) ** 2) / t
    slope, mixed = gauss_slopes(theta)
    return float(moved), float(np.sqrt(weights @ (2.0 * (slope + mixed @ weights)) ** 2))


@claim("Proposition 2, (20)", tolerance=1.0, cost=Cost(20.0), digits=3)
def risk_falls(bench: Bench) -> Finding:
    """R does not rise along the flow, and rho is a fixed point if and only if grad Psi = 0 on its support: its speed is
    the norm of 2 grad Psi in L2(rho).
    Compared: the worst of: a rise of R in one of 100 intervals over 1e-12; the defect of the speed over 1e-3, from a
    move of t = 1e-4; the speed of a fixed point found by Newton's method over 1e-9."""
    times = [float(t) for t in np.linspace(0.0, 5.0, 101)[1:]]
    data = bench.piece(_descents, times=times, count=20)
    rise = np.max(np.diff(data["risk"], axis=1), axis=1)
    off = apart_relative(*data["moves"].T)
    computed = {
        "largest rise between saves: quantiles, grid, particles": rise,
        "speed of 20 random measures over 2 |Psi'| in L2(rho), largest defect": off,
        "speed of a fixed point of two atoms": data["fixed"][0],
        "its 2 |Psi'|": data["fixed"][1],
    }
    return Finding(computed, share_allowed((rise, 1e-12), (off, 1e-3), (data["fixed"], 1e-9)))


def _plateau(delta: float, dim: int, width: float, particles: int, times: list[float]) -> Data:
    """Fig. 4's plateau: its atom, and an even cloud around it."""
    problem, model = small(delta, dim, "nonmonotone"), theory.Isotropic(delta, dim, theory.NONMONOTONE)
    atom = analysis.fixed_point(problem, Particles(np.array([[2.08]])))
    r, seen = float(atom.positions[0, 0]), analysis.stability(problem, atom)
    cloud = laws.Uniform(r - width, r + width).quantise(particles, laws.Midpoint())
    run = evolved(problem, cloud, GradientFlow(_TIGHT), times)
    rows = run.positions[:, :, 0]
    return {
        "r": r,
        "force": model.v_slope(r) + model.u_slope(r, r),
        "curvature": _curvature(model, r),
        "library": seen.spread_rates[0, 0],
        "stable": seen.stable is not False,
        "times": run.times,
        "variance": np.var(rows, axis=1),
        "distance": np.sqrt(np.mean((rows - r) ** 2, axis=1)),
        "risk": run.risk,
    }


@claim("Theorem 7, on Fig. 4", tolerance=2e-3, cost=Cost(20.0, 60.0))
def unstable_plateau(bench: Bench) -> Finding:
    """Fig. 4's plateau of low risk is itself an unstable fixed point: H_0 < 0 at its atom, so no start with a density
    converges to it; a small cloud leaves at rate -4 H_0 (d = 320, Delta = 0.5).
    Compared: relative error of the fitted rate and of the library's; the cloud must be 100 times farther away at t =
    200."""
    times = [float(t) for t in range(2, 21, 2)] + [60.0, 120.0, 160.0, 200.0]
    particles = bench.pick(quick=64, paper=400)
    data = bench.piece(_plateau, delta=0.5, dim=320, width=1e-3, particles=particles, times=times)
    fitted, rate = growth(data["times"][:11], data["variance"][:11]), -4.0 * data["curvature"]
    first, *_, last = data["distance"]
    start, *_, end = data["risk"]
    computed = {"radius of the plateau's atom": data["r"], "its risk": start, "H_0": data["curvature"], "-4 H_0": rate}
    computed |= {"growth rate of a small cloud's variance": fitted, "distance from the atom (W_2) at t = 0": first}
    computed |= {"at t = 200": last, "risk at t = 200": end}
    needs = {
        "the cloud leaves": last > 100.0 * first,
        "the atom is a fixed point": abs(data["force"]) < 1e-9,
        "H_0 < 0, and the library calls it unstable": rate > 0.0 and not data["stable"],
    }
    return Finding(computed, apart_relative([fitted, -2.0 * data["library"]], rate), needs=needs)


def _partial(width: float, particles: int, times: list[float]) -> Data:
    """A fixed point of two atoms, of which one repels: a cloud of 0.4 of the mass around that one beside the other."""
    problem = neurons(0.0)
    at = analysis.fixed_point(problem, Particles(np.array([[-0.2], [5.6]]), np.array([0.4, 0.6])))
    atoms, shares = np.asarray(at.positions[:, 0]), np.asarray(at.weights)
    k, seen = int(np.argmin(atoms)), analysis.stability(problem, at)

    def slope(x: float) -> float:
        force, mixed = gauss_slopes(np.append(atoms, x))
        return float(force[-1] + mixed[-1, :-1] @ shares)

    cloud = atoms[k] + width * np.linspace(-1.0, 1.0, particles)
    rows = np.append(cloud, atoms[1 - k])[:, None]
    start = Particles(rows, np.append(np.full(particles, shares[k] / particles), shares[1 - k]))
    run = evolved(problem, start, GradientFlow(_TIGHT), times)
    return {
        "share": shares[k],
        "forces": [slope(x) for x in atoms],
        "curvature": _difference(slope, atoms[k]),
        "library": seen.spread_rates[k, 0],
        "stable": seen.stable is not False,
        "times": run.times,
        "variance": np.var(run.positions[:, :-1, 0], axis=1),
    }


@claim("Theorem 7 with p_* < 1", tolerance=0.01, cost=Cost(10.0))
def unstable_part(bench: Bench) -> Finding:
    """A fixed point with only a part p_* of its mass at theta_* is unstable as well where H_0(rho_*) < 0 there: a small
    cloud in the place of this atom widens at the rate -4 H_0, so that no start with a density converges to it.
    Compared: relative error of the rate fitted to t = 500 and of the library's against H_0 from other code; the cloud's
    mean drifts meanwhile."""
    times = [float(t) for t in range(50, 501, 50)]
    data = bench.piece(_partial, width=1e-4, particles=64, times=times)
    rate, fitted = -4.0 * data["curvature"], growth(data["times"], data["variance"])
    computed = {"p_*": data["share"], "H_0": data["curvature"], "-4 H_0": rate, "rate of the cloud's variance": fitted}
    needs = {
        "it is a fixed point": np.max(np.abs(data["forces"])) < 1e-10,
        "H_0 < 0, and the library calls it unstable": rate > 0.0 and not data["stable"],
        "p_* < 1": data["share"] < 1.0,
    }
    return Finding(computed, apart_relative([fitted, -2.0 * data["library"]], rate), needs=needs)
