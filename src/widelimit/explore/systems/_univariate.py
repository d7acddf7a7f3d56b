"""ReLU networks of one input on samples of a sine, in canonical parameters (r, angle): limit, network, functions."""

import functools
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import ndtri

from widelimit.dynamics import GradientFlow, integrators
from widelimit.measure import Particles
from widelimit.problem import Problem, problems

from .._history import equal_weights, history
from .._page import Arrays, Values

WIDTH, SAMPLES, DRAWS = 100, 10, 4
"""The largest network; samples; networks whose risks are compared when the sliders rest."""
_PARTICLES, _STEPS, _MOMENTS = (64, 256), 1500, 33
PLACES = np.linspace(-1.2, 1.2, 121)
X = (2.0 * np.arange(SAMPLES) + 1.0) / SAMPLES - 1.0
NEAR = 0.01
"""A knot so near to a sample counts as on it; samples are 0.2 apart."""


def sine(waves: float) -> Float[np.ndarray, " s"]:
    """So many periods between -1 and 1, with a phase that makes none even or odd."""
    return np.sin(waves * math.pi * (X + 1.0) + 0.6)


@functools.cache
def problem_of(kind: str) -> Problem:
    """With each neuron's delta frozen in it; or at delta = infinity, in the time |delta| t."""
    return problems.canonical_relu(X, sine(1.5), delta=0.0 if kind == "finite" else math.inf)


@functools.cache
def drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Normal numbers and uniform angles of `WIDTH` neurons."""
    random = np.random.default_rng(seed)
    return random.normal(size=WIDTH), random.uniform(0.0, 2.0 * math.pi, WIDTH)


@functools.cache
def spread(count: int) -> tuple[np.ndarray, np.ndarray]:
    """The same laws by points that fill the square evenly (the R2 sequence)."""
    k = np.arange(1, count + 1)
    # The real root of g^3 = g + 1.
    g = 1.324717957244746
    return ndtri((0.5 + k / g) % 1.0), 2.0 * math.pi * ((0.5 + k / g**2) % 1.0)


@eqx.filter_jit
def trained(problem: Problem, y: Any, rows: Any, weights: Any, step: Any) -> tuple[Array, Array, Array, Array]:
    """Positions [T, N, D] after 0, ..., `_STEPS` steps, risks [T], functions [T, places], and whether they came."""
    own = eqx.tree_at(lambda p: p.data.y, problem, y)
    flow = GradientFlow(integrators.Filippov(step))
    stops = step * jnp.round(_STEPS * jnp.linspace(0.0, 1.0, _MOMENTS) ** 2)
    run = history(flow, own, Particles(rows, weights, blocks=own.blocks), stops, most=10 * _STEPS)

    def seen(positions: Array) -> tuple[Array, Array]:
        rho = Particles(positions, weights, blocks=own.blocks)
        return own.risk(rho), own.predict(rho, PLACES[:, None])

    risk, f = jax.lax.map(seen, run.positions)
    return run.positions, risk, f, run.reached


def run_of(kind: str, values: Values, parts: tuple[np.ndarray, np.ndarray], weights: Any) -> dict[str, Any]:
    """One run from normal numbers and angles; at finite delta it is a third column, which rests."""
    r, angle = values["size"] * parts[0], parts[1]
    delta = values.get("delta", math.inf)
    columns = [r, angle] if kind != "finite" else [r, angle, np.full(len(r), delta)]
    # The fastest mode of ten samples has the rate 3 S, 7 S at infinity.
    speed = math.hypot(delta, 2.0 * values["size"]) if kind == "finite" else 1.0
    step = 0.1 / speed
    found = trained(
        problem_of(kind), jnp.asarray(sine(values["waves"])), np.column_stack(columns), weights, jnp.asarray(step)
    )
    positions, risk, f, reached = (np.asarray(part) for part in found)
    return {"positions": positions, "risk": risk, "f": f, "reached": reached, "step": step}


def compute(kind: str, values: Values, level: int) -> Arrays:
    """The limit's function and risk, and a network's with its neurons in the plane (u, v) and its knots."""
    width, count = int(values["width"]), _PARTICLES[min(level, 1)]
    limit = run_of(kind, values, spread(count), np.full(count, 1.0 / count))
    weights = np.asarray(equal_weights(width, WIDTH))
    nets = [run_of(kind, values, drawn(seed), weights) for seed in range(DRAWS if level else 1)]
    net = nets[0]
    rows = net["positions"][:, :width, :2]
    r, angle = rows[..., 0], rows[..., 1]
    u, v = np.abs(r) * np.cos(angle), np.abs(r) * np.sin(angle)
    # u = 0 has no knot; far outside of the picture is as good.
    knots = np.clip(-np.tan(angle), -1e3, 1e3)
    ends = np.array([one["risk"][-1] for one in nets])
    inside = np.abs(knots) <= 1.0
    on = np.min(np.abs(knots[..., None] - X), axis=-1) <= NEAR
    turned = np.abs(np.angle(np.exp(1j * (angle[-1] - angle[0]))))
    return {
        "t": np.round(_STEPS * np.linspace(0.0, 1.0, _MOMENTS) ** 2) * net["step"],
        "y": sine(values["waves"]),
        "limit": limit["f"],
        "limit risk": limit["risk"],
        "network": net["f"],
        "risk": net["risk"],
        "ends": ends,
        "u": u,
        "v": v,
        "sign": np.sign(r[0]),
        "knots": knots,
        "share": np.sum(on & inside, axis=1) / np.maximum(np.sum(inside, axis=1), 1),
        "turned": np.median(turned),
        "all rows": net["positions"],
        "particles": count,
        "x": X,
        "places": PLACES,
        "near": NEAR,
        "reach": 1.15 * float(np.quantile(np.maximum(np.abs(u), np.abs(v)), 0.98)),
    }
