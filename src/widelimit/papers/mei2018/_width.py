"""Claims on a finite width without training: (4), (5), Proposition 1, independent neurons; and the step (10)."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy import optimize

from widelimit import analysis
from widelimit._evolve import evolve
from widelimit.analysis import minimise
from widelimit.dynamics import JKO, GradientFlow, integrators
from widelimit.measure import Particles, laws
from widelimit.problem import problems
from widelimit.theory import mei2018 as theory

from .._kit._bench import Bench, Cost, Data
from .._kit._claims import Claim, Finding
from .._kit._shares import largest, log_slope, share_allowed
from ._examples import WIDTH, gauss_tables, narrow_bumps, neurons
from ._seeds import risks


def _two_ways(delta: float, dim: int, width: int) -> Data:
    """R_N as a mean of squared errors, and from V and U: a network on a line of inputs, and many spheres."""
    rng = np.random.default_rng(3)
    theta = rng.normal(size=width) * 2.0
    constant, v, u = gauss_tables(theta)
    line = float(neurons(0.0).risk(Particles(theta[:, None])))
    radii, weights = rng.uniform(0.0, 4.0, size=width), rng.dirichlet(np.ones(width))
    small = problems.isotropic_gaussians(delta, dim).reduced()
    return {
        "direct": np.array([line, float(small.risk(Particles(radii[:, None], weights)))]),
        "potentials": np.array(
            [constant + 2.0 * np.mean(v) + np.mean(u), theory.Isotropic(delta, dim).risk(radii, weights)]
        ),
    }


def _risk_identity(bench: Bench) -> Finding:
    data = bench.piece(_two_ways, delta=0.8, dim=40, width=50)
    names = ("tanh(w x), N = 50", "50 spheres, d = 40")
    computed = {f"{name}: mean of (y - f)^2": float(x) for name, x in zip(names, data["direct"], strict=True)}
    computed |= {f"{name}: from V and U": float(x) for name, x in zip(names, data["potentials"], strict=True)}
    return Finding(computed, float(np.max(np.abs(data["direct"] - data["potentials"]))))


def _least_risks(widths: list[int], starts: int) -> Data:
    """inf R_N by local searches from many random starts, for the bumps, where inf R = 0."""
    problem, rng = narrow_bumps(), np.random.default_rng(17)
    graded = jax.jit(jax.value_and_grad(lambda rows: problem.risk(Particles(rows[:, None]))))

    def both(rows: Float[np.ndarray, " n"]) -> tuple[float, Float[np.ndarray, " n"]]:
        value, slope = graded(jnp.asarray(rows))
        return float(value), np.asarray(slope)

    return {"least": np.array([_least(both, width, starts, rng) for width in widths])}


def _least(both: Any, width: int, starts: int, rng: np.random.Generator) -> float:
    found = [
        optimize.minimize(both, rng.uniform(size=width), jac=True, method="L-BFGS-B", options={"ftol": 1e-14})
        for _ in range(starts)
    ]
    return min(float(one.fun) for one in found)


def _width_bound(bench: Bench) -> Finding:
    widths = bench.pick(quick=[1, 2, 4, 8], paper=[1, 2, 4, 8, 16])
    data = bench.piece(_least_risks, widths=widths, starts=bench.pick(quick=10, paper=60))
    # U(theta, theta) = INT_0^1 exp(-(x - theta)^2/s^2) dx, averaged over theta in [0, 1].
    x, w = np.polynomial.legendre.leggauss(400)
    theta, w = 0.5 * (x + 1.0), 0.5 * w
    k = float(w @ np.exp(-((theta[:, None] - theta) ** 2) / WIDTH**2) @ w)
    share = data["least"] * np.array(widths) / k
    computed = {"K": k} | {f"N inf R_N / K, N = {n}": float(x) for n, x in zip(widths, share, strict=True)}
    # inf R = 0 is a bound from below as well.
    return Finding(computed, largest(share - 1.0, -data["least"], 0.0))


def _support(strength: float) -> Data:
    """Psi_lambda of the minimiser on a fine grid, at its atoms, and that of the best single atom."""
    problem = neurons(strength)
    best = minimise(problem)
    atoms, weights = np.asarray(best.measure.positions[:, 0]), np.asarray(best.measure.weights)
    one = analysis.fixed_point(problem, Particles(np.array([[0.7]])))
    grid = np.concatenate([np.linspace(-12.0, 12.0, 4001), atoms, np.asarray(one.positions[:, 0])])
    levels = []
    for places, shares in ((atoms, weights), (np.asarray(one.positions[:, 0]), np.ones(1))):
        points = np.concatenate([grid, places])
        _, v, u = gauss_tables(points)
        psi = v + u[:, len(grid) :] @ shares + 0.5 * strength * points**2
        levels.append([np.max(psi[len(grid) :]) - np.min(psi), best.gap])
    risk = [float(problem.objective(rho)) for rho in (best.measure, one)]
    return {"atoms": atoms, "weights": weights, "excess": np.array(levels)[:, 0], "objective": np.array(risk)}


def _support_minimises(bench: Bench) -> Finding:
    data = bench.piece(_support, strength=0.05)
    computed = {
        "atoms": [float(x) for x in data["atoms"]],
        "weights": [float(x) for x in data["weights"]],
        "Psi at the atoms - inf Psi": float(data["excess"][0]),
        "the same for a fixed point of one atom": float(data["excess"][1]),
        "objective of the two": [float(x) for x in data["objective"]],
    }
    # The condition must tell the minimum from a fixed point that is none.
    told = data["excess"][1] > 1e-3 and data["objective"][1] > data["objective"][0] + 1e-3
    return Finding(computed, abs(float(data["excess"][0])) if told else float("inf"))


def _independent(widths: list[int], draws: int) -> Data:
    """Mean risks of networks of neurons drawn from N(0.5, 1.5^2), and the formula by quadrature in theta."""
    problem, law = neurons(0.0), laws.Normal(0.5, 1.5)
    seen = [risks(problem, _networks(law, width, draws, 40 + k)) for k, width in enumerate(widths)]
    x, w = np.polynomial.hermite_e.hermegauss(200)
    w = w / w.sum()
    constant, v, u = gauss_tables(0.5 + 1.5 * x)
    limit, diagonal = constant + 2.0 * w @ v + w @ u @ w, w @ np.diagonal(u)
    library = analysis.expected_risk(problem, Particles(0.5 + 1.5 * x[:, None], w))
    return {
        "mean": np.array([np.mean(row) for row in seen]),
        "error": np.array([np.std(row, ddof=1) for row in seen]) / draws**0.5,
        "formula": limit + (diagonal - w @ u @ w) / np.array(widths),
        "library": np.array([float(library.risk(width).value) for width in widths]),
    }


def _networks(law: laws.AbstractLaw, width: int, draws: int, seed: int) -> Float[np.ndarray, "S N D"]:
    rows = np.asarray(law.sample(width * draws, key=jax.random.key(seed)).positions)
    return rows.reshape(draws, width, -1)


def _independent_neurons(bench: Bench) -> Finding:
    widths = [1, 4, 16, 64]
    data = bench.piece(_independent, widths=widths, draws=bench.pick(quick=2000, paper=50_000))
    off = np.abs(data["mean"] - data["formula"]) / data["error"]
    computed = {
        f"N = {n}": f"{m:.5g} +- {e:.2g}, formula {f:.5g}"
        for n, m, e, f in zip(widths, data["mean"], data["error"], data["formula"], strict=True)
    }
    defect = float(np.max(np.abs(data["library"] - data["formula"])))
    return Finding(computed, share_allowed((float(np.max(off)), 4.0), (defect, 1e-12)))


def _movements(taus: list[float], particles: int, t1: float) -> Data:
    """W_2 at t1 between the variational steps and the flow of the same particles."""
    problem = neurons(0.0)
    start = laws.Normal(-1.0, 0.5).quantise(particles, laws.Midpoint())
    flow = evolve(problem, start, GradientFlow(integrators.Tsit5(rtol=1e-10, atol=1e-12)), t1=t1)
    ends = [evolve(problem, start, JKO(tau), t1=t1, save_at=[t1]) for tau in taus]
    # The order of particles on a line is kept by both, so the best coupling is that of equal indices.
    moved = [end.positions[-1] - flow.positions[-1] for end in ends]
    return {"distance": np.array([np.sqrt(np.mean(one**2)) for one in moved])}


def _variational_step(bench: Bench) -> Finding:
    taus = [0.1, 0.05, 0.025, 0.0125]
    data = bench.piece(_movements, taus=taus, particles=bench.pick(quick=60, paper=400), t1=1.0)
    slope = log_slope(taus, data["distance"])
    computed = {f"W_2 at t = 1, tau = {tau:g}": float(d) for tau, d in zip(taus, data["distance"], strict=True)}
    return Finding(computed | {"fitted order": slope}, abs(slope - 1.0))


def _errors(sizes: list[list[float]]) -> Data:
    return {"library": np.array([analysis.theorem3_error(int(n), int(dim), step, z=z) for n, dim, step, z in sizes])}


def _error_term(bench: Bench) -> Finding:
    names = (
        "Fig. 1: N = 800, D = 40, eps = 1e-6",
        "Fig. 3: N = 800, D = 322, eps = 2e-4",
        "N = 1e6, D = 40, eps = 1e-8",
    )
    sizes = [[800, 40, 1e-6, 2.0], [800, 322, 2e-4, 2.0], [1_000_000, 40, 1e-8, 2.0]]
    data = bench.piece(_errors, sizes=sizes)
    values = [max(1.0 / n, e) ** 0.5 * ((d + np.log(n / e)) ** 0.5 + z) for n, d, e, z in sizes]
    computed = {f"{name}, z = 2": float(x) for name, x in zip(names, values, strict=True)}
    why = (
        "The bound (19) is C exp(C T) times this: at T = 2 and C = 1 already 2.6 for Fig. 1, as much as the risk "
        "itself. Measured errors are far smaller (limit-rate-width, limit-rate-step)."
    )
    return Finding(computed, float(np.max(np.abs(data["library"] - values))), why)


CLAIMS = (
    Claim(
        id="risk-from-potentials",
        statement="R_N = R_# + (2/N) SUM V(theta_i) + (1/N^2) SUM U(theta_i, theta_j), and so for measures: the "
        "library's mean of squared errors against V and U from other code.",
        where="(4), (5)",
        printed=None,
        compute=_risk_identity,
        tolerance=1e-11,
        reason="rounding, and the quadrature over the length of x: 1e-12 of a risk of size 10",
        cost=Cost(4.0, 4.0),
        digits=14,
    ),
    Claim(
        id="width-bound",
        statement="|inf R_N - inf R| <= K/N with K = INT U(theta, theta) d rho_*: narrow bumps that must cover an "
        "interval, inf R = 0.",
        where="Proposition 1, (16)",
        printed="K/N",
        compute=_width_bound,
        tolerance=1e-9,
        reason="by how much N inf R_N / K exceeds 1; the searches find inf R_N from above",
        cost=Cost(12.0, 60.0),
        digits=4,
    ),
    Claim(
        id="support-minimises-potential",
        statement="The atoms of the global minimum lie where Psi is least; those of another fixed point do not (Psi "
        "and R with the penalty, lambda = 0.05).",
        where="Proposition 1, (17)",
        printed=None,
        compute=_support_minimises,
        tolerance=1e-11,
        reason="max of Psi over the atoms - min over a grid of 4001 points and the atoms; minimise stops at a gap "
        "of 1e-12",
        cost=Cost(10.0, 10.0),
        digits=6,
    ),
    Claim(
        id="independent-neurons",
        statement="For N independent neurons E R_N = R + (INT U(theta, theta) d rho - INT INT U d rho d rho)/N.",
        where="Proposition 1, the reason for (16)",
        printed=None,
        compute=_independent_neurons,
        tolerance=1.0,
        reason="the worst of: the distance of the mean over networks from the formula over 4 standard errors; that "
        "of the library's formula over 1e-12",
        cost=Cost(6.0, 30.0),
    ),
    Claim(
        id="variational-step",
        statement="The minimiser of R(rho) + W_2(rho, rho_t)^2/(2 xi tau) approximates the flow to first order in tau.",
        where="(10)",
        printed=1,
        compute=_variational_step,
        tolerance=0.1,
        reason="the fitted slope of the distance in tau against 1; a wrong factor in (10) would leave a distance that "
        "does not vanish",
        cost=Cost(12.0, 60.0),
        digits=4,
    ),
    Claim(
        id="error-term",
        statement="err_(N,D)(z) = (1/N or eps)^(1/2) [(D + log(N/eps))^(1/2) + z] at the sizes of the figures.",
        where="(18)",
        printed=None,
        compute=_error_term,
        tolerance=1e-12,
        reason="the library's function against the formula written out: rounding",
        cost=Cost(1.0, 1.0),
        digits=4,
    ),
)
