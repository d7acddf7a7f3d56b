"""Claims on a finite width without training: (4), (5), Proposition 1, independent neurons; and the step (10)."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy import optimize

from widelimit import analysis
from widelimit.analysis import minimise
from widelimit.dynamics import JKO, GradientFlow, integrators
from widelimit.measure import Particles, laws
from widelimit.theory import mei2018 as theory

from ..._kit import Bench, Cost, Data, Finding, claim, columns
from ..._kit._runs import evolved
from ..._kit._shares import apart, largest, log_slope, outside, share_allowed, table
from ..runs._examples import WIDTH, gauss_tables, narrow_bumps, neurons
from ..runs._isotropic import small


def _two_ways(delta: float, dim: int, width: int) -> Data:
    """R_N as a mean of squared errors, and from V and U: a network on a line of inputs, and many spheres."""
    rng = np.random.default_rng(3)
    theta = rng.normal(size=width) * 2.0
    constant, v, u = gauss_tables(theta)
    radii, weights = rng.uniform(0.0, 4.0, size=width), rng.dirichlet(np.ones(width))
    line = neurons(0.0).risk(Particles(theta[:, None]))
    spheres = small(delta, dim).risk(Particles(radii[:, None], weights))
    of_line = constant + 2.0 * np.mean(v) + np.mean(u)
    return {"direct": [line, spheres], "potentials": [of_line, theory.Isotropic(delta, dim).risk(radii, weights)]}


@claim("(4), (5)", tolerance=1e-11, cost=Cost(4.0), digits=14)
def risk_from_potentials(bench: Bench) -> Finding:
    """R_N = R_# + (2/N) SUM V(theta_i) + (1/N^2) SUM U(theta_i, theta_j), and so for measures: the library's mean of
    squared errors against V and U from other code.
    Compared: rounding, and the quadrature over the length of x: 1e-12 of a risk of size 10."""
    data = bench.piece(_two_ways, delta=0.8, dim=40, width=50)
    ways = {"mean of (y - f)^2": data["direct"], "from V and U": data["potentials"]}
    problems = ("tanh(w x), N = 50", "50 spheres, d = 40")
    computed = {f"{p}: {how}": x for how, row in ways.items() for p, x in zip(problems, row, strict=True)}
    return Finding(computed, apart(data["direct"], data["potentials"]))


def _least_risks(widths: list[int], starts: int) -> Data:
    """inf R_N by local searches from many random starts, for the bumps, where inf R = 0."""
    problem, rng = narrow_bumps(), np.random.default_rng(17)
    graded = jax.jit(jax.value_and_grad(lambda rows: problem.risk(Particles(rows[:, None]))))

    def both(rows: Float[np.ndarray, " n"]) -> tuple[float, Float[np.ndarray, " n"]]:
        value, slope = graded(jnp.asarray(rows))
        return float(value), np.asarray(slope)

    def local(width: int) -> float:
        begin = rng.uniform(size=width)
        return optimize.minimize(both, begin, jac=True, method="L-BFGS-B", options={"ftol": 1e-14}).fun

    return {"least": [min(local(width) for _ in range(starts)) for width in widths]}


@claim("Proposition 1, (16)", tolerance=1e-9, cost=Cost(12.0, 60.0), digits=4)
def width_bound(bench: Bench) -> Finding:
    """|inf R_N - inf R| <= K/N with K = INT U(theta, theta) d rho_*: narrow bumps that must cover an interval, inf R =
    0.
    Printed: K/N.
    Compared: by how much N inf R_N / K exceeds 1; the searches find inf R_N from above."""
    widths = bench.pick(quick=[1, 2, 4, 8], paper=[1, 2, 4, 8, 16])
    least = bench.piece(_least_risks, widths=widths, starts=bench.pick(quick=10, paper=60))["least"]
    # U(theta, theta) = INT_0^1 exp(-(x - theta)^2/s^2) dx, averaged over theta in [0, 1].
    x, w = np.polynomial.legendre.leggauss(400)
    theta, w = 0.5 * (x + 1.0), 0.5 * w
    k = w @ np.exp(-((theta[:, None] - theta) ** 2) / WIDTH**2) @ w
    share = least * np.array(widths) / k
    # inf R = 0 is a bound from below as well.
    off = largest(outside(share, high=1.0), outside(least, low=0.0))
    return Finding({"K": k} | table("N", widths, {"N inf R_N / K": share}), off)


def _support(strength: float) -> Data:
    """Psi_lambda of the minimiser on a fine grid, at its atoms, and that of the best single atom."""
    problem = neurons(strength)
    best, one = minimise(problem), analysis.fixed_point(problem, Particles(np.array([[0.7]])))
    measures = [best.measure, one]
    places = np.concatenate([np.asarray(rho.positions[:, 0]) for rho in measures])
    grid, excess = np.concatenate([np.linspace(-12.0, 12.0, 4001), places]), []
    for rho in measures:
        points = np.concatenate([grid, np.asarray(rho.positions[:, 0])])
        _, v, u = gauss_tables(points)
        psi = v + u[:, len(grid) :] @ np.asarray(rho.weights) + 0.5 * strength * points**2
        excess.append(np.max(psi[len(grid) :]) - np.min(psi))
    objective = [problem.objective(rho) for rho in measures]
    atoms = {"atoms": best.measure.positions[:, 0], "weights": best.measure.weights}
    return {**atoms, "excess": excess, "objective": objective}


@claim("Proposition 1, (17)", tolerance=1e-11, cost=Cost(10.0), digits=6)
def support_minimises_potential(bench: Bench) -> Finding:
    """The atoms of the global minimum lie where Psi is least; those of another fixed point do not (Psi and R with the
    penalty, lambda = 0.05).
    Compared: max of Psi over the atoms - min over a grid of 4001 points and the atoms; minimise stops at a gap of
    1e-12."""
    data = bench.piece(_support, strength=0.05)
    least, other = data["excess"]
    computed = {
        "atoms": data["atoms"],
        "weights": data["weights"],
        "Psi at the atoms - inf Psi": least,
        "the same for a fixed point of one atom": other,
        "objective of the two": data["objective"],
    }
    # The condition must tell the minimum from a fixed point that is none.
    told = other > 1e-3 and data["objective"][1] > data["objective"][0] + 1e-3
    return Finding(computed, abs(least), needs={"it fails at the other fixed point": told})


def _independent(widths: list[int], draws: int) -> Data:
    """Mean risks of networks of neurons drawn from N(0.5, 1.5^2), and the formula by quadrature in theta."""
    problem, law = neurons(0.0), laws.Normal(0.5, 1.5)
    risks = eqx.filter_jit(lambda nets: jax.lax.map(lambda rows: problem.risk(Particles(rows)), nets))
    nets = [law.sample(width * draws, key=jax.random.key(40 + k)).positions for k, width in enumerate(widths)]
    seen = [risks(rows.reshape(draws, width, -1)) for rows, width in zip(nets, widths, strict=True)]
    x, w = np.polynomial.hermite_e.hermegauss(200)
    w = w / w.sum()
    constant, v, u = gauss_tables(0.5 + 1.5 * x)
    limit, diagonal = constant + 2.0 * w @ v + w @ u @ w, w @ np.diagonal(u)
    library = analysis.expected_risk(problem, Particles(0.5 + 1.5 * x[:, None], w))
    return {
        "mean": np.mean(seen, axis=1),
        "error": np.std(seen, axis=1, ddof=1) / draws**0.5,
        "formula": limit + (diagonal - w @ u @ w) / np.array(widths),
        "library": [library.risk(width).value for width in widths],
    }


@claim("Proposition 1, the reason for (16)", tolerance=1.0, cost=Cost(6.0, 30.0))
def independent_neurons(bench: Bench) -> Finding:
    """For N independent neurons E R_N = R + (INT U(theta, theta) d rho - INT INT U d rho d rho)/N.
    Compared: the worst of: the distance of the mean over networks from the formula over 4 standard errors; that of the
    library's formula over 1e-12."""
    widths = [1, 4, 16, 64]
    data = bench.piece(_independent, widths=widths, draws=bench.pick(quick=2000, paper=50_000))
    rows = zip(widths, data["mean"], data["error"], data["formula"], strict=True)
    computed = {f"N = {n}": f"{m:.5g} +- {e:.2g}, formula {f:.5g}" for n, m, e, f in rows}
    off = np.abs(data["mean"] - data["formula"]) / data["error"]
    return Finding(computed, share_allowed((off, 4.0), (apart(data["library"], data["formula"]), 1e-12)))


def _movements(taus: list[float], particles: int, t1: float) -> Data:
    """W_2 at t1 between the variational steps and the flow of the same particles."""
    problem = neurons(0.0)
    start = laws.Normal(-1.0, 0.5).quantise(particles, laws.Midpoint())
    flow = evolved(problem, start, GradientFlow(integrators.Tsit5(rtol=1e-10, atol=1e-12)), [t1])
    ends = [evolved(problem, start, JKO(tau), [t1]) for tau in taus]
    # The order of particles on a line is kept by both, so the best coupling is that of equal indices.
    moved = [end.positions[-1] - flow.positions[-1] for end in ends]
    return {"distance": [np.sqrt(np.mean(one**2)) for one in moved]}


@claim("(10)", printed=1, tolerance=0.1, cost=Cost(12.0, 60.0), digits=4)
def variational_step(bench: Bench) -> Finding:
    """The minimiser of R(rho) + W_2(rho, rho_t)^2/(2 xi tau) approximates the flow to first order in tau.
    Compared: the fitted slope of the distance in tau against 1; a wrong factor in (10) would leave a distance that does
    not vanish."""
    taus = [0.1, 0.05, 0.025, 0.0125]
    distance = bench.piece(_movements, taus=taus, particles=bench.pick(quick=60, paper=400), t1=1.0)["distance"]
    slope = log_slope(taus, distance)
    return Finding(table("tau", taus, {"W_2 at t = 1": distance}) | {"fitted order": slope}, apart(slope, 1.0))


def _chords(count: int) -> Data:
    """R half way between two measures on common atoms, below the mean of their risks; and INT INT U (q - p)^2/4."""
    problem, rng, rows = neurons(0.0), np.random.default_rng(9), []
    for _ in range(count):
        theta, (p, q) = 3.0 * rng.normal(size=12), rng.dirichlet(np.full(12, 0.3), 2)
        ends = [problem.risk(Particles(theta[:, None], w)) for w in (p, 0.5 * (p + q), q)]
        _, _, u = gauss_tables(theta)
        rows.append({"below": 0.5 * (ends[0] + ends[2]) - ends[1], "kernel": 0.25 * (q - p) @ u @ (q - p)})
    return columns(rows)


@claim("text after (4) and after (5)", tolerance=1e-13, cost=Cost(3.0), digits=4)
def risk_convex(bench: Bench) -> Finding:
    """U is positive semidefinite, so the risk is convex in the measure: half way between two measures it lies INT INT U
    (rho_1 - rho_0)^2/4 >= 0 below the chord.
    Compared: over 40 random pairs, the largest violation, and the largest distance of the library's risks from U of
    other code: rounding."""
    found = bench.piece(_chords, count=40)
    below, kernel = found["below"], found["kernel"]
    computed = {"least below the chord": np.min(below), "largest": np.max(below)}
    return Finding(computed, largest(apart(below, kernel), -below), needs={"it is seen": np.max(below) > 1e-2})
