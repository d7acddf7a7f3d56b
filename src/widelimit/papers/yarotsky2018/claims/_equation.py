"""Claims on the equation itself: (4), (5) and the term it drops, the density along characteristics, (12), (13)."""

import functools
import math
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.integrate import simpson

from widelimit import analysis
from widelimit._evolve import evolve_many
from widelimit.dynamics import Characteristics, GradientFlow, integrators
from widelimit.measure import Particles, laws
from widelimit.problem import Problem, activations, data, units

from ..._kit import Bench, Cost, Data, Finding, claim
from ..._kit._runs import evolved
from ..._kit._shares import (
    apart,
    apart_relative,
    in_errors,
    largest,
    log_slope,
    outside,
    share_allowed,
    share_needed,
    table,
)
from ..runs._square import flow, spline

WIDTH = 100


def _start() -> laws.AbstractLaw:
    """c ~ N(0, 1), h ~ U(0, 1): the paper's own starts are sharper."""
    return laws.product(c=laws.Normal(0.0, 1.0), h=laws.Uniform(0.0, 1.0))


def fall(width: int, seed: int, end: float) -> Data:
    """A run of the spline: its losses, the energy it dissipated, and both sides of (12) at three times."""
    problem, step = spline(), 1e-3
    rho, places = _start().sample(width, key=jax.random.key(seed)), np.array([0.05, 0.5, 5.0])
    times = np.unique(np.concatenate([np.linspace(0.0, end, 201), *(places + s for s in (-step, 0.0, step))]))
    run = flow(rho, times, rtol=1e-10, atol=1e-13)
    slopes, sums = [], []
    for t in places:
        k = int(np.argmin(np.abs(run.times - t)))
        slopes.append((run.risk[k + 1] - run.risk[k - 1]) / (run.times[k + 1] - run.times[k - 1]))
        gradient = np.asarray(problem.potential(run[k]).gradient(run[k].positions))
        sums.append(-np.mean(np.sum(gradient**2, axis=1)))
    return {"loss": run.risk, "defect": analysis.dissipation(run).defect, "slopes": slopes, "sums": sums}


def _fall(bench: Bench) -> Data:
    return bench.piece(fall, width=WIDTH, seed=5, end=10.0)


@claim("(12) and A.2", tolerance=1.0, cost=Cost(3.0))
def dissipation(bench: Bench) -> Finding:
    """dL/dt = -INT p |grad u|^2.
    Compared: share of what is allowed, f = x^2, N = 100: 1e-7 for the fall of the loss against the integrated right
    side, and 1e-4 for differences of the loss over 0.002 against the sum over the weights at three times."""
    found = _fall(bench)
    rows = {"dL/dt at": found["slopes"], "-INT p |grad u|^2 at": found["sums"]}
    computed = {"defect of the energy balance": found["defect"]}
    computed |= {
        f"{name} t = {t}": x for name, row in rows.items() for t, x in zip(("0.05", "0.5", "5"), row, strict=True)
    }
    return Finding(computed, share_allowed((found["defect"], 1e-7), (apart_relative(*list(rows.values())), 1e-4)))


@claim("sentence before (13)", tolerance=0.0, cost=Cost(3.0))
def loss_falls(bench: Bench) -> Finding:
    """The mean-field loss does not increase for any nonnegative solution p.
    Printed: does not decrease.
    Compared: largest rise between 200 saves; the loss must fall by half at least, which the printed word denies.
    Misprint: "does not decrease" must read "does not increase", as (13) itself says."""
    loss = _fall(bench)["loss"]
    rise = largest(np.diff(loss))
    computed = {"largest rise between saves": rise, "loss at t = 0": loss[0], "loss at t = 10": loss[-1]}
    # Were the print right, the loss would not fall.
    return Finding(computed, outside(rise, high=0.0), needs={"the loss falls by half": loss[-1] < 0.5 * loss[0]})


@functools.cache
def _smooth(output: bool) -> Problem:
    """Units tanh(w x), or c tanh(w x), on Gauss-Legendre nodes of [-1, 1]: smooth, with one or two parameters."""
    rule = data.gauss_legendre(16, wave).nodes
    unit = units.Neuron(activations.tanh, bias=False, output_weight=output)
    return Problem(unit, data.Samples(rule.x, rule.y, rule.weights))


def wave(x: Float[Array, " d"]) -> Float[Array, ""]:
    """The target of the smooth units."""
    return 0.8 * jnp.sin(2.0 * x[0])


def carried(particles: int, end: float, saves: int) -> Data:
    """The density along characteristics, its exponent by (2.3), and the density that the spacing of quantiles has.

    On a line, particles that start at equal steps of the distribution function keep these for ever, so their spacing is
    the density again.
    """
    problem, dynamics = _smooth(False), Characteristics(particles, integrator=integrators.Tsit5(1e-10, 1e-12))
    run = evolved(problem, laws.Normal(1.0, 0.7), dynamics, np.linspace(0.0, end, saves))
    order = np.argsort(run.positions[0, :, 0])
    w, logs = run.positions[:, order, 0], run.log_density[:, order]
    bends, step = [], 1e-4
    for k in range(saves):
        u, rows = problem.potential(run[k]), w[k][:, None]
        bends.append(np.asarray(u.gradient(rows + step) - u.gradient(rows - step))[:, 0] / (2.0 * step))
    return {
        "start": logs[0],
        "end": logs[-1],
        "exponent": simpson(np.stack(bends), x=run.times, axis=0),
        "spaced": 2.0 / particles / (w[-1, 2:] - w[-1, :-2]),
        "mass": np.trapezoid(np.exp(logs[-1]), w[-1]),
    }


@claim("2.3", tolerance=1.0, cost=Cost(4.0))
def density(bench: Bench) -> Finding:
    """Along a characteristic p(w(t), t) = p(w(0), 0) exp INT Delta_w u; p stays positive and of mass 1.
    Compared: share of what is allowed, units tanh(w x), 2000 characteristics to t = 20: 1e-5 for the exponent by
    Simpson's rule over differences of grad u; 0.01 for the density from the spacing of the same particles (inner 96 %),
    0.002 for the mass between the outermost; the exponent must vary by 0.1 at least."""
    found = bench.piece(carried, particles=2000, end=20.0, saves=201)
    gained = found["end"] - found["start"]
    formula = apart(gained, found["exponent"])
    # The outer 2 % have a spacing that is no longer small.
    inner = slice(40, -40)
    spacing = apart_relative(np.exp(found["end"][1:-1])[inner], found["spaced"][inner])
    computed = {
        "INT Laplacian u, least": np.min(gained),
        "INT Laplacian u, largest": np.max(gained),
        "off the quadrature of (2.3)": formula,
        "off the spacing, relative": spacing,
        "INT p dw": found["mass"],
    }
    parts = (
        (formula, 1e-5),
        (spacing, 1e-2),
        (apart(found["mass"], 1.0), 2e-3),
        (share_needed(np.ptp(gained), 0.1), 1.0),
    )
    return Finding(computed, share_allowed(*parts))


def volumes(width: int, end: float, steps: int, seed: int) -> Data:
    """log det of the flow map of all weights by differentiation of the map, and by (5), in its two parts.

    P(W(t), t) det(dW(t)/dW(0)) is constant (A.1), so -log det = INT N Delta_W L dt.
    """
    problem = _smooth(True)
    start = jax.random.normal(jax.random.key(seed), (width, problem.dim)).ravel()
    nodes = problem.data.nodes
    assert nodes is not None
    x, y, mu = nodes.x[:, 0], nodes.y, nodes.weights
    # The blocks' order is the library's; phi is written out anew.
    names = ["output" if block.name == problem.unit.linear else "weight" for block in problem.blocks]

    def unit(row: Any, x: Any) -> Any:
        theta = dict(zip(names, row, strict=True))
        return theta["output"] * jnp.tanh(theta["weight"] * x)

    def everywhere(function: Any, flat: Any) -> Any:
        return jax.vmap(lambda row: jax.vmap(lambda one: function(row, one))(x))(flat.reshape(width, -1))

    def error(flat: Any) -> Any:
        return jnp.mean(everywhere(unit, flat), axis=0) - y

    def rate(t: Any, state: Any, args: None) -> Any:
        """The velocity, and the two terms of (5) with alpha = N."""
        flat = state[0]
        over = everywhere(lambda row, one: jnp.trace(jax.hessian(unit)(row, one)), flat)
        squares = jnp.sum(everywhere(jax.grad(unit), flat) ** 2, axis=2)
        velocity = -width * jax.grad(lambda flat: 0.5 * jnp.sum(mu * error(flat) ** 2))(flat)
        return velocity, jnp.stack([jnp.sum(mu * error(flat) * over), jnp.sum(mu * squares) / width])

    def path(flat: Any) -> Any:
        term, begin, how = diffrax.ODETerm(rate), (flat, jnp.zeros(2)), diffrax.ForwardMode()
        found = diffrax.diffeqsolve(term, diffrax.Tsit5(), 0.0, end, end / steps, begin, adjoint=how).ys
        last, sums = jax.tree.map(lambda rows: rows[-1], found)
        return last, (last, sums)

    jacobian, (last, sums) = jax.jit(jax.jacfwd(path, has_aux=True))(start)
    run = flow(Particles(start.reshape(width, -1), blocks=problem.blocks), [0.0, end], problem=problem)
    log_det = np.linalg.slogdet(np.asarray(jacobian))[1]
    return {"log_det": log_det, "terms": sums, "off": apart(run.positions[-1].ravel(), last)}


@claim("(4), (5) and A.1", tolerance=1.0, cost=Cost(5.0), digits=8)
def continuity(bench: Bench) -> Finding:
    """The density of all N weights changes along their path by (1/P) dP/dt = N Delta_W L, that is the two terms of (5)
    with alpha = N.
    Compared: share of what is allowed, 6 units c tanh(w x) to t = 4: 1e-6 between -log det of the flow map,
    differentiated through 400 steps of order 5, and the time integral of both terms, and between the path's end and the
    library's."""
    found = bench.piece(volumes, width=6, end=4.0, steps=400, seed=2)
    first, second = found["terms"]
    computed = {
        "log P(t)/P(0), from the flow map": -found["log_det"],
        "first term of (5)": first,
        "second term of (5), dropped in (8)": second,
        "end of the library's run, off by": found["off"],
    }
    # Without the second term, or with a wrong sign, the sum would not match.
    return Finding(computed, share_allowed((apart(first + second, -found["log_det"]), 1e-6), (found["off"], 1e-6)))


def terms(width: int, end: float, saves: int) -> Data:
    """The two terms of (5) per weight along a run of the spline: means of |c r(h)|, and of INT |grad phi|^2 dx/N."""
    engine = spline().integrals.spline("the terms of (5)")
    run = flow(_start().quantise(width), np.concatenate([[0.0], np.geomspace(1e-2, end, saves)]), rtol=1e-8, atol=1e-11)
    first, second = [], []
    for c, h in np.moveaxis(np.asarray(run.positions), 2, 1):
        r, _, _ = engine.residual_integrals(h, c / width, h)
        # Delta phi = c delta(x - h): the Laplacian of u is c r(h) inside [0, 1).
        first.append(np.mean(np.abs(c * np.asarray(r))))
        second.append(np.mean(_square_slopes(c, h)) / width)
    return {"t": run.times, "first": first, "second": second}


def _square_slopes(c: Float[np.ndarray, " N"], h: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
    """INT_{h_+}^1 (x - h)^2 + c^2 dx."""
    low = np.clip(h, 0.0, 1.0)
    return np.where(h < 1.0, ((1.0 - h) ** 3 - (low - h) ** 3) / 3.0 + c**2 * (1.0 - low), 0.0)


def _ratio(found: Data) -> float:
    """That of the time integrals of both terms, the second over the first."""
    return float(np.trapezoid(found["second"], found["t"]) / np.trapezoid(found["first"], found["t"]))


@claim("text between (6) and (7)", tolerance=1.0, cost=Cost(14.0), digits=4)
def dropped_term(bench: Bench) -> Finding:
    """The second term of (5), which (8) drops, is small beside the first, and vanishes like 1/N.
    Printed: asymptotically small.
    Compared: share of what is allowed, f = x^2, c ~ N(0, 1), h ~ U(0, 1): the exponent of N in the ratio of the time
    integrals up to t = 1, from N = 50 to 400, within 0.1 of -1; at the paper's N = 100 the ratio below 0.1."""
    widths, late = [50, WIDTH, 200, 400], 3000.0
    ratios = [_ratio(bench.piece(terms, width=n, end=1.0, saves=60)) for n in widths]
    slope = log_slope(widths, ratios)
    long = bench.piece(terms, width=WIDTH, end=late, saves=120)
    larger = long["t"][long["second"] > long["first"]]
    computed = table("N", widths, {"second over first up to t = 1": ratios})
    computed["exponent of N"] = slope
    computed[f"second over first up to t = {late:g}, N = {WIDTH}"] = _ratio(long)
    computed["t when the second becomes the larger, N = 100"] = larger[0] if len(larger) else math.inf
    why = (
        "The first term falls with the error, the second does not: at fixed N it is small for bounded times only, and "
        "at N = 100 it is the larger one long before Fig. 2 ends. It is in the density of all N weights together; "
        "their motion has no such term."
    )
    return Finding(computed, share_allowed((apart(slope, -1.0), 0.1), (ratios[1], 0.1)), why)


def _means(rows: np.ndarray) -> np.ndarray:
    """Of five functions of (c, h) over the weights."""
    c, h = rows[..., 0], rows[..., 1]
    return np.mean([c, h, c * h, c**2, np.cos(3.0 * h)], axis=-1)


def drawn(width: int, runs: int, end: float) -> Data:
    """These means at the end of the flow of independent weights, a row each run, and of (8), by 4096 points."""
    integrator = integrators.Tsit5(1e-6, 1e-9)
    starts = [_start().sample(width, key=jax.random.key(800 + j)) for j in range(runs)]
    many = evolve_many(spline(), starts, GradientFlow(integrator), t1=end, save_at=[end], progress=False)
    exact = evolved(spline(), _start().quantise(4096), GradientFlow(integrator), [end])
    return {"runs": [_means(run.positions[-1]) for run in many], "equation": _means(exact.positions[-1])}


@claim("(6)-(8) and 3, 'N = 100'", tolerance=1.0, cost=Cost(15.0), digits=3)
def law_of_weights(bench: Bench) -> Finding:
    """The law of the weights of networks follows the equation (8): means of c, h, ch, c^2 and cos 3h at t = 2, f = x^2,
    c ~ N(0, 1), h ~ U(0, 1), approach those of (8) as N^(-1/2).
    Printed: asymptotically, N -> infinity.
    Compared: share of what is allowed: at N = 100 four standard errors of the mean over 32 runs, in which the bias of
    order 1/N is hidden; 0.12 between the exponent of N in the distance of one run, N = 25 to 400, and -1/2."""
    widths, errors = [25, WIDTH, 400], []
    found = [bench.piece(drawn, width=n, runs=32, end=2.0) for n in widths]
    for one in found:
        errors.append(np.sqrt(np.mean((one["runs"] - one["equation"]) ** 2)))
    off = in_errors(found[1]["runs"], found[1]["equation"])
    slope = log_slope(widths, errors)
    computed = table("N", widths, {"distance of one run": errors}) | {"exponent of N": slope}
    computed["largest distance of the mean over runs, N = 100, in standard errors"] = largest(off)
    return Finding(computed, share_allowed((off, 4.0), (apart(slope, -0.5), 0.12)))
