"""Claims on A.3: one input and phi(w) = w, where the transport equation has an exact solution."""

import functools
import math
from typing import Any

import numpy as np
from jaxtyping import Array, Float

from widelimit.analysis import spectrum
from widelimit.dynamics import Characteristics, integrators
from widelimit.measure import Particles, laws
from widelimit.problem import Problem, data, units
from widelimit.theory import yarotsky2018 as theory

from ..._kit import Bench, Cost, Data, Finding, claim, columns
from ..._kit._runs import evolved
from ..._kit._shares import apart, apart_relative, largest, log_slope, share_allowed, table
from ..runs._square import flow


@functools.cache
def _one_input(y: float) -> Problem:
    """A.3: one input, phi(w) = w."""
    return Problem(units.Function(itself, columns=["w"]), data.Samples(np.zeros((1, 1)), np.array([y])))


def itself(theta: Any, x: Float[Array, " d"]) -> Float[Array, ""]:
    """phi(w, x) = w."""
    return theta.w + 0.0 * x[0]


def moved(y: float, y0: float, std: float, end: float) -> Data:
    """The weights of A.3 over time: how far each moved, and the losses."""
    run = flow(
        laws.product(w=laws.Normal(y0, std)).quantise(200),
        np.linspace(0.0, end, 13),
        rtol=1e-11,
        atol=1e-13,
        problem=_one_input(y),
    )
    rows = run.positions[:, :, 0]
    return {"t": run.times, "mean": np.mean(rows[0]), "shift": rows - rows[0], "loss": run.risk}


@claim("A.3, (38)-(40)", tolerance=1e-8, cost=Cost(2.0), digits=10)
def one_input(bench: Bench) -> Finding:
    """With one input and phi = w, p(w, t) = p(w + (y - y_0)(e^-t - 1), 0) and L = (y - y_0)^2 e^-2t/2.
    Compared: largest difference over 200 weights and 13 times; the integration's tolerance is 1e-11."""
    y = 1.3
    found = bench.piece(moved, y=y, y0=-0.4, std=0.8, end=6.0)
    mean = float(found["mean"])
    exact = theory.displacement(found["t"], y, mean)
    weights = apart(found["shift"], exact[:, None])
    loss = apart(found["loss"], theory.one_input_loss(found["t"], y, mean))
    computed = {
        "displacement at t = 6": found["shift"][-1, 0],
        "(y - y_0)(1 - e^-6)": exact[-1],
        "loss at t = 6": found["loss"][-1],
        "off in a weight": weights,
        "off in the loss": loss,
    }
    # All weights move alike, so p is shifted as a whole; another shift would not be 0 at t = 0 and y - y_0 at the end.
    return Finding(computed, largest(weights, loss))


def footnote(gaps: list[float], std: float) -> Data:
    """Footnote 2: the solution of (41), by quadrature; for each gap y - y_0 largest differences over w, over max p.

    `solves`: of (41) itself; `closed`: from the closed form. From the density at which the library's flow ends,
    `limit`: of the solution of (41); `corrected`: of p + (y_0 - y) p'; `printed`: of p + (y - y_0) p'. `rate`: the
    eigenvalue of the tangent kernel there, whose negative is that of R.
    """
    s, weights = np.polynomial.laguerre.laggauss(60)

    def normal(w: np.ndarray) -> np.ndarray:
        return np.exp(-0.5 * (w / std) ** 2) / (std * math.sqrt(2.0 * math.pi))

    def slope(w: np.ndarray) -> np.ndarray:
        return -w / std**2 * normal(w)

    rows = []
    for gap in gaps:
        problem, law = _one_input(gap), laws.Normal(0.0, std)
        run = evolved(problem, law, Characteristics(400, integrator=integrators.Tsit5(1e-11, 1e-13)), [40.0])
        w, end = run.positions[-1, :, 0], np.exp(run.log_density[-1])
        # p_inf(w) = INT p(w + (y_0 - y) s, 0) e^-s ds, y - y_0 = gap, and its derivative.
        limit, bent = (weights @ p(w[None, :] - gap * s[:, None]) for p in (normal, slope))
        others = {
            "limit": limit,
            "corrected": normal(w) - gap * slope(w),
            "printed": normal(w) + gap * slope(w),
        }
        row = {name: apart(p, end) for name, p in others.items()}
        row |= {"solves": apart(limit + gap * bent, normal(w))}
        row |= {"closed": apart(limit, theory.linear_limit(w, gap, 0.0, std))}
        rate = spectrum(problem, Particles(run.positions[-1], blocks=problem.blocks)).eigenvalues[0]
        rows.append({name: off / np.max(normal(w)) for name, off in row.items()} | {"rate": rate})
    return columns(rows)


@claim("A.3, (41) and footnote 2", tolerance=1.0, cost=Cost(5.0), digits=4)
def one_input_linear(bench: Bench) -> Finding:
    """The linear theory's limit solves p(., 0) = p_inf + (y - y_0) p_inf' (41): it is INT p(w + (y_0 - y) s, 0) e^-s ds
    = p(w, 0) + (y_0 - y) p'(w, 0) + O((y - y_0)^2), and to this order the end of the flow; R has the eigenvalue -1.
    Printed: p(w, 0) + (y - y_0) s dp/dw(w, 0) under the integral.
    Compared: share of what is allowed: 1e-10 of max p for (41) and the closed form, 1e-12 for the eigenvalue; against
    the density along the library's characteristics, exponents of y - y_0 from 0.01 to 0.04 within 0.1 of 2, and of 1
    for the sign as printed.
    Misprint: In the footnote's last linearisation the sign of y - y_0 must be the other one."""
    gaps = [0.01, 0.02, 0.04]
    errors = bench.piece(footnote, gaps=gaps, std=1.0)
    corrected, printed, limit = (log_slope(gaps, errors[name]) for name in ("corrected", "printed", "limit"))
    computed = {
        "exponent of y - y_0, corrected sign": corrected,
        "exponent of y - y_0, printed sign": printed,
        "exponent of y - y_0, limit of the linear theory": limit,
        "eigenvalue of R": -errors["rate"][0],
        "(41) left over": largest(errors["solves"]),
        "off the closed form": largest(errors["closed"]),
    }
    exact = (largest(errors["solves"], errors["closed"]), 1e-10), (apart(errors["rate"], 1.0), 1e-12)
    return Finding(computed, share_allowed(*exact, (apart([corrected, printed, limit], [2.0, 1.0, 2.0]), 0.1)))


def formal(lengths: list[float], y: float, y0: float, std: float) -> Data:
    """dp/dt = -u on [-l, l]: the rate at which the mean nears y, and when p first falls to 0, by the library's u."""
    law = laws.product(w=laws.Normal(y0, std))
    potential, rates, times = _one_input(y).potential(law.quantise(400)), [], []
    for length in lengths:
        x, weights = np.polynomial.legendre.leggauss(60)
        w = length * x
        u = np.asarray(potential(w[:, None]))
        rates.append(length * weights @ (w * u) / (y0 - y))
        density = np.exp(-0.5 * ((w - y0) / std) ** 2) / (std * math.sqrt(2.0 * math.pi))
        times.append(np.min(density[u > 0.0] / u[u > 0.0]))
    return {"rates": rates, "times": times}


@claim("2.4, text after (13)", tolerance=1e-3, cost=Cost(2.0), digits=4)
def formal_gradient(bench: Bench) -> Finding:
    """The formal gradient descent dp/dt = -u has no reasonable solutions: with one input and phi = w, for |w| <= l, the
    mean nears y at the rate 2 l^3/3, where (8) has 1, and p falls below 0 after a time that vanishes as l grows.
    Printed: blow up in infinitesimal time.
    Compared: relative distance of the rates by the library's u from 2 l^3/3; 400 weights stand for p."""
    lengths = [2.0, 4.0, 6.0, 8.0]
    found = bench.piece(formal, lengths=lengths, y=1.3, y0=-0.4, std=0.8)
    computed = table("l", lengths, {"rate": found["rates"], "time until p < 0": found["times"]})
    fades = {"the time until p < 0 vanishes": found["times"][-1] < 1e-12 and np.all(np.diff(found["times"]) < 0.0)}
    off = apart_relative(found["rates"], 2.0 * np.array(lengths) ** 3 / 3.0)
    return Finding(computed, off, needs=fades)
