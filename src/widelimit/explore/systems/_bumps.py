"""Noisy SGD of bumps that must find a target far away, and its diffusion equation (mei2018, Theorems 3 and 5)."""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit._evolve import evolve
from widelimit.dynamics import TransportPDE
from widelimit.measure import Grid, Particles, grids, laws
from widelimit.problem import Problem, data, losses, penalties, units

from .._history import equal_weights, history, sgd, steps_to
from .._page import Arrays, Values

WIDTH, END, DRAWS, SPREAD = 200, 100.0, 8, 0.3
"""The largest network; the last time; networks when the sliders rest; the standard deviation of the start."""
_MOMENTS, _BATCH, _REACH = 33, 8, 5.0
# Cells, and the mass that a step may misplace: at once, and when the sliders rest.
_FINENESS = ((160, 3e-3), (400, 1e-4))
_MOST = 20_000
PLACES = np.linspace(-2.5, 2.5, 101)


def _bump(theta: Any, x: Float[Array, " 1"]) -> Float[Array, ""]:
    return jnp.exp(-2.0 * (x[0] - theta.centre) ** 2)


def target(x: Float[Array, " 1"]) -> Float[Array, ""]:
    """A bump of height 0.8 at 1.5."""
    return 0.8 * jnp.exp(-2.0 * (x[0] - 1.5) ** 2)


@functools.cache
def _problem() -> Problem:
    source = data.gauss_legendre(40, target, lower=-2.5, upper=2.5)
    return Problem(units.Function(_bump, columns=["centre"]), source, losses.squared(1.0), penalty=penalties.l2(1.0))


def problem_of(ridge: Any) -> Problem:
    """The problem whose penalty is `ridge` times the square of the centre; it may be traced."""
    return eqx.tree_at(lambda p: p.penalty.strength, _problem(), jnp.asarray(ridge, float))


@functools.cache
def grid_of(cells: int) -> Grid:
    """Equal cells from -5 to 5."""
    return grids.uniform(-_REACH, _REACH, cells)


@eqx.filter_jit
def _network(ridge: Any, heat: Any, step: Any, center: Any, width: Any, keys: Any, times: Any) -> tuple[Array, ...]:
    """Of each key a network: places [T, N], risk [T], function [T, x], and whether it came there."""
    problem = problem_of(ridge)
    weights = equal_weights(width, WIDTH)

    def one(key: Any) -> tuple[Array, ...]:
        first, second = jax.random.split(key)
        rows = center + SPREAD * jax.random.normal(first, (WIDTH, 1))
        moves = sgd(step, _BATCH, largest=_BATCH, temperature=heat)
        start = Particles(rows, weights, blocks=problem.blocks)
        run = history(moves, problem, start, steps_to(times, step), key=second, most=_MOST)

        def seen(at: Array) -> tuple[Array, Array]:
            rho = Particles(at, weights, blocks=problem.blocks)
            return problem.risk(rho), problem.predict(rho, PLACES[:, None])

        return run.positions[..., 0], *jax.vmap(seen)(run.positions), run.reached

    return jax.vmap(one)(keys)


@eqx.filter_jit
def _seen(problem: Problem, masses: Any, grid: Grid) -> tuple[Array, Array]:
    """Risk [T] and function [T, x] of densities on the grid."""

    def one(row: Array) -> tuple[Array, Array]:
        rho = Particles(grid.points, row, blocks=problem.blocks)
        return problem.risk(rho), problem.predict(rho, PLACES[:, None])

    return jax.lax.map(one, masses)


def compute(values: Values, level: int) -> Arrays:
    """The limit's density, function and risk, and a network's; of several networks the risk at the end."""
    t = END * np.linspace(0.0, 1.0, _MOMENTS) ** 2
    cells, rtol = _FINENESS[min(level, 1)]
    problem, grid, heat = problem_of(values["ridge"]), grid_of(cells), jnp.asarray(values["temperature"])
    law = laws.Normal(jnp.asarray(values["center"]), jnp.asarray(SPREAD))
    flow = TransportPDE(grid, temperature=heat, rtol=rtol)
    run = evolve(problem, law, flow, t1=END, save_at=t[1:], progress=False)
    masses = np.asarray(run.weights)
    risk, f = (np.asarray(part) for part in _seen(problem, masses, grid))
    step, center, width = (jnp.asarray(values[name]) for name in ("step", "center", "width"))
    keys = jax.random.split(jax.random.key(0), DRAWS)[: DRAWS if level else 1]
    found = _network(jnp.asarray(values["ridge"]), heat, step, center, width, keys, t)
    places, risks, functions, came = (np.asarray(part) for part in found)
    return {
        "t": t,
        "places": np.asarray(grid.points)[:, 0],
        "density": masses * (cells / (2.0 * _REACH)),
        "limit risk": risk,
        "x": PLACES,
        "y": np.asarray(jax.vmap(target)(jnp.asarray(PLACES[:, None]))),
        "limit": f,
        "network": functions[0],
        "neurons": places[0][:, : int(values["width"])],
        "risk": risks[0],
        "ends": risks[:, -1],
        "reached": float(np.mean(came)),
        "temperature": values["temperature"],
    }
