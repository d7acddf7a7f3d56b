"""Claims on A.3: one input and phi(w) = w, where the transport equation has an exact solution."""

import functools
import math
from typing import Any

import numpy as np
from jaxtyping import Array, Float

from widelimit.measure import laws
from widelimit.problem import Problem, data, units
from widelimit.theory import yarotsky2018 as theory

from .._kit._bench import Bench, Cost, Data
from .._kit._claims import Claim, Finding, Verdict
from .._kit._shares import log_slope, share_allowed
from ._square import flow


@functools.cache
def _one_input(y: float) -> Problem:
    """A.3: one input, phi(w) = w."""
    return Problem(units.Function(itself, columns=["w"]), data.Samples(np.zeros((1, 1)), np.array([y])))


def itself(theta: Any, x: Float[Array, " d"]) -> Float[Array, ""]:
    """phi(w, x) = w."""
    return theta.w + 0.0 * x[0]


def moved(y: float, y0: float, std: float, end: float) -> Data:
    """The weights of A.3 over time: how far each moved, and the losses."""
    times = np.linspace(0.0, end, 13)
    rho = laws.product(w=laws.Normal(y0, std)).quantise(200)
    run = flow(rho, times, rtol=1e-11, atol=1e-13, problem=_one_input(y))
    shift = run.positions[:, :, 0] - run.positions[0, :, 0]
    return {"t": times, "mean": np.mean(run.positions[0]), "shift": shift, "loss": run.risk}


_Y, _Y0, _STD = 1.3, -0.4, 0.8


def _shift(bench: Bench) -> Finding:
    found = bench.piece(moved, y=_Y, y0=_Y0, std=_STD, end=6.0)
    mean = float(found["mean"])
    exact = theory.displacement(found["t"], _Y, mean)
    apart = np.abs(found["shift"] - exact[:, None])
    losses = np.abs(found["loss"] - theory.one_input_loss(found["t"], _Y, mean))
    computed = {
        "displacement at t = 6": float(found["shift"][-1, 0]),
        "(y - y_0)(1 - e^-6)": float(exact[-1]),
        "loss at t = 6": float(found["loss"][-1]),
        "off in a weight": float(np.max(apart)),
        "off in the loss": float(np.max(losses)),
    }
    # All weights move alike, so p is shifted as a whole; another shift would not be 0 at t = 0 and y - y_0 at the end.
    return Finding(computed, float(np.max([np.max(apart), np.max(losses)])))


def footnote(gaps: list[float], std: float) -> Data:
    """Footnote 2: the solution of (41), by quadrature, against p(., 0), its linearisations and the true limit.

    Largest differences over w, relative to max p: of (41) itself, of the linearisation p + (y_0 - y) p' (corrected) and
    p + (y - y_0) p' (printed), of the closed form, and of the shift (39).
    """
    w = np.linspace(-6.0, 6.0, 2401) * std

    def normal(w: np.ndarray, order: int = 0) -> np.ndarray:
        p = np.exp(-0.5 * (w / std) ** 2) / (std * math.sqrt(2.0 * math.pi))
        return p if order == 0 else -w / std**2 * p

    s, weights = np.polynomial.laguerre.laggauss(60)
    rows = []
    for gap in gaps:
        # p_inf(w) = INT p(w + (y_0 - y) s, 0) e^-s ds, y - y_0 = gap, and its derivative.
        limit, slope = (weights @ normal(w[None, :] - gap * s[:, None], order) for order in (0, 1))
        rows.append(
            [
                np.max(np.abs(limit + gap * slope - normal(w))),
                np.max(np.abs(limit - (normal(w) - gap * normal(w, 1)))),
                np.max(np.abs(limit - (normal(w) + gap * normal(w, 1)))),
                np.max(np.abs(limit - theory.linear_limit(w, gap, 0.0, std))),
                np.max(np.abs(limit - normal(w - gap))),
            ]
        )
    return {"errors": np.array(rows) / np.max(normal(w))}


def _footnote(bench: Bench) -> Finding:
    gaps = [0.01, 0.02, 0.04]
    errors = bench.piece(footnote, gaps=gaps, std=1.0)["errors"]
    solves, corrected, printed, closed, shift = errors.T
    slopes = {
        "corrected sign": log_slope(np.array(gaps), corrected),
        "printed sign": log_slope(np.array(gaps), printed),
        "limit of the linear theory against the shift (39)": log_slope(np.array(gaps), shift),
    }
    computed = {f"exponent of y - y_0, {name}": slope for name, slope in slopes.items()}
    computed |= {"(41) left over": float(np.max(solves)), "off the closed form": float(np.max(closed))}
    first, wrong, last = slopes.values()
    exact = (np.array([solves, closed]), 1e-10)
    return Finding(computed, share_allowed(exact, (np.abs([first - 2.0, wrong - 1.0, last - 2.0]), 0.1)))


CLAIMS = (
    Claim(
        id="one-input",
        statement="With one input and phi = w, p(w, t) = p(w + (y - y_0)(e^-t - 1), 0) and L = (y - y_0)^2 e^-2t/2.",
        where="A.3, (38)-(40)",
        printed=None,
        compute=_shift,
        tolerance=1e-8,
        reason="largest difference over 200 weights and 13 times; the integration's tolerance is 1e-11",
        cost=Cost(2.0, 2.0),
        digits=10,
    ),
    Claim(
        id="one-input-linear",
        statement="The linear theory's limit solves p(., 0) = p_inf + (y - y_0) p_inf' (41): it is "
        "INT p(w + (y_0 - y) s, 0) e^-s ds = p(w, 0) + (y_0 - y) p'(w, 0) + O((y - y_0)^2), the true limit "
        "to this order.",
        where="A.3, (41) and footnote 2",
        printed="p(w, 0) + (y - y_0) s dp/dw(w, 0) under the integral",
        misprint="In the footnote's last linearisation the sign of y - y_0 must be the other one.",
        expected=Verdict.CORRECTED,
        compute=_footnote,
        tolerance=1.0,
        reason="share of what is allowed: 1e-10 of max p for (41) and the closed form; exponents of y - y_0 from 0.01 "
        "to 0.04 within 0.1 of 2, and of 1 for the sign as printed",
        cost=Cost(1.0, 1.0),
        digits=4,
    ),
)
