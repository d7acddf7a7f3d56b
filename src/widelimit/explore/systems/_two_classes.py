"""Two Gaussian classes, seen in the lengths of the neurons: the limit, a network, and their risks (mei2018)."""

import functools
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import gammaincinv

from widelimit.dynamics import GradientFlow, integrators
from widelimit.measure import Particles
from widelimit.numerics import gauss_chi
from widelimit.problem import Problem, activations, domains, losses, problems, units
from widelimit.problem.data import Samples
from widelimit.theory import mei2018 as theory

from .._history import equal_weights, history, sgd, steps_to
from .._page import Arrays, Values

DIMS, WIDTH, BATCH = (40, 320), 100, 8
"""Sizes of the arrays, the last ones as large as the sliders allow: what is not there has no mass or variance.

Up to the smaller dimension, networks are run in arrays of that one, at an eighth of the cost.
"""
QUANTILES, NODES, _TABLE = (32, 128), 48, 256
# Where the table of F has its middle: F turns between r s = 0.2 and 10.
_MIDDLE = 1.5
_MOMENTS = 33
# Steps of SGD at once, and when the sliders rest.
_STEPS = (1500, 60_000)
SIGMAS = {
    "ramp": (problems.ramp, theory.RAMP),
    "nonmonotone": (activations.piecewise_linear([0.0, 0.5, 1.5], [-2.5, -4.0, 7.5]), theory.NONMONOTONE),
}


class Averaged(eqx.Module):
    r"""$F_d(z) = E\,\sigma(z c')$ at z = r s: a neuron averaged over its directions, by a table of any dimension d.

    `values`, `slopes` [n] are F and dF/du at n equal places of u = z/(z + 1.5); between them, Hermite's cubics.
    `SphericalNeuron` has the closed form of each d, and each compiles anew.
    """

    values: Float[Array, " n"]
    slopes: Float[Array, " n"]

    def __call__(self, theta: Any, x: Float[Array, " 1"]) -> Float[Array, ""]:
        z = theta.radius * x[0]
        place = (z / (z + _MIDDLE)) * _TABLE
        k = jnp.clip(jax.lax.stop_gradient(place).astype(int), 0, _TABLE - 1)
        t = place - k
        a, b, da, db = self.values[k], self.values[k + 1], self.slopes[k], self.slopes[k + 1]
        rise = b - a
        return a + t * (da + t * (3.0 * rise - 2.0 * da - db + t * (da + db - 2.0 * rise)))


@functools.cache
def table(sigma: str, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """F and dF/du times the distance of two places, of `Averaged`, by mei2018's closed form."""
    u = np.arange(_TABLE + 1) / _TABLE
    z = _MIDDLE * u[:-1] / (1.0 - u[:-1])
    law, root = SIGMAS[sigma][1], math.sqrt(dim)
    # z c' = z sqrt(d) c with c the coordinate on the unit sphere; dz/du = 1.5/(1 - u)^2; F is flat at infinity in z,
    # and its slope in u there is that of the last place but one.
    slope = law.p_slope(root * z, dim) * root * _MIDDLE / (1.0 - u[:-1]) ** 2
    return np.append(law.p(root * z, dim), law.middle), np.append(slope, slope[-1]) / _TABLE


@functools.cache
def lengths(dim: int) -> tuple[np.ndarray, np.ndarray]:
    """s = |x|/(tau sqrt d) and its weights."""
    nodes, weights = gauss_chi(float(dim), NODES)
    return nodes / math.sqrt(dim), weights


@functools.cache
def radii(dim: int, count: int) -> np.ndarray:
    """The middle quantiles of chi_d/sqrt d: those of |w| at kappa = 1."""
    levels = (np.arange(count) + 0.5) / count
    return np.sqrt(2.0 * gammaincinv(0.5 * dim, levels) / dim)


@functools.cache
def _small() -> Problem:
    """The problem in r, whose table, lengths and weights are put in."""
    with jax.ensure_compile_time_eval():
        unit = units.Function(Averaged(jnp.zeros(_TABLE + 1), jnp.zeros(_TABLE + 1)), columns=["radius"])
        s = np.linspace(0.5, 1.5, 2 * NODES)
        data = Samples(s, np.repeat([1.0, -1.0], NODES))
        return Problem(unit, data, losses.squared(1.0), domain=domains.product(radius=domains.HalfLine(0.0)))


@functools.cache
def _full(sigma: str, size: int) -> Problem:
    with jax.ensure_compile_time_eval():
        return problems.isotropic_gaussians(0.5, size, SIGMAS[sigma][0])


def _whole(sigma: str, size: int, delta: Any, dim: Any) -> Problem:
    """The problem in `dim` dimensions, which may be traced, by arrays of `size`."""
    scales = jnp.where(jnp.arange(size) < dim, jnp.stack([1.0 + delta, 1.0 - delta])[:, None], 0.0)
    return eqx.tree_at(lambda p: p.data.factors, _full(sigma, size), scales)


def _by_size(dim: Any, run: Any) -> Any:
    """`run` of the smallest size of arrays that holds `dim` dimensions; one program has them all."""
    branches = [functools.partial(run, size) for size in DIMS]
    return jax.lax.switch(jnp.searchsorted(jnp.asarray(DIMS, float), dim), branches)


def reduced(delta: Any, tables: Any, rule: Any) -> Problem:
    """The reduced problem from its numbers, which may be traced."""
    s, mass = (jnp.asarray(part) for part in rule)
    x = jnp.concatenate([(1.0 + delta) * s, (1.0 - delta) * s])[:, None]
    averaged = Averaged(*(jnp.asarray(part) for part in tables))
    new = (averaged, x, 0.5 * jnp.concatenate([mass, mass]))
    return eqx.tree_at(lambda p: (p.unit.function, p.data.x, p.data.weights), _small(), new)


@eqx.filter_jit
def limit_of(delta: Any, tables: Any, rule: Any, start: Any, times: Any) -> tuple[Array, Array, Array]:
    """Radii [T, M] along the flow (13), the risk there, and whether it came there."""
    problem = reduced(delta, tables, rule)
    flow = GradientFlow(integrators.Tsit5(1e-4, 1e-6))
    run = history(flow, problem, Particles(start[:, None], blocks=problem.blocks), times, most=600)
    risk = jax.lax.map(lambda rows: problem.risk(Particles(rows, run.weights, blocks=problem.blocks)), run.positions)
    return run.positions[..., 0], risk, run.reached


@eqx.filter_jit
def network_of(
    sigma: str, delta: Any, dim: Any, kappa: Any, width: Any, step: Any, batch: Any, key: Any, times: Any, most: Any
) -> tuple[Array, Array]:
    """A network trained by SGD: its neurons [T, N, d], 0 beyond its dimension, and whether the run came there."""
    first, second = jax.random.split(key)

    def run(size: int) -> tuple[Array, Array]:
        problem = _whole(sigma, size, delta, dim)
        start = jax.random.normal(first, (WIDTH, size))
        start = start * jnp.where(jnp.arange(size) < dim, kappa / jnp.sqrt(dim), 0.0)
        rho = Particles(start, equal_weights(width, WIDTH), blocks=problem.blocks)
        moves = sgd(step, batch, largest=BATCH)
        found = history(moves, problem, rho, steps_to(times, step), key=second, most=most)
        return jnp.pad(found.positions, ((0, 0), (0, 0), (0, DIMS[-1] - size))), found.reached

    return _by_size(dim, run)


@eqx.filter_jit
def risk_of(sigma: str, delta: Any, dim: Any, width: Any, positions: Any, tables: Any, rule: Any, key: Any) -> Any:
    r"""The risk of networks [T, N, d], and its standard error.

    $R_N = \bar R + E[(f_N - y)^2 - (\bar f - y)^2]$: with the directions averaged out the risk $\bar R$ is known by
    quadrature, and the samples must only tell the difference, which is small.
    """
    small, weights = reduced(delta, tables, rule), equal_weights(width, WIDTH)

    def run(size: int) -> tuple[Array, Array]:
        problem = _whole(sigma, size, delta, dim)
        x, y = problem.data.batch(key, 1000)
        s = jnp.linalg.norm(x, axis=1, keepdims=True) / jnp.sqrt(dim)

        def one(rows: Array) -> tuple[Array, Array]:
            shadow = Particles(jnp.linalg.norm(rows, axis=1)[:, None], weights, blocks=small.blocks)
            whole = Particles(rows[:, :size], weights, blocks=problem.blocks)
            excess = (problem.predict(whole, x) - y) ** 2 - (small.predict(shadow, s) - y) ** 2
            return small.risk(shadow) + jnp.mean(excess), jnp.std(excess) / jnp.sqrt(len(y))

        return jax.lax.map(one, positions)

    return _by_size(dim, run)


def compute(sigma: str, end: float, values: Values, level: int) -> Arrays:
    """The limit's radii and risk, and a network's; both at `t` [T]."""
    dim, width, delta = int(values["dim"]), int(values["width"]), values["delta"]
    # Dense at first, where most happens.
    t = end * np.linspace(0.0, 1.0, _MOMENTS) ** 2
    tables, rule = table(sigma, dim), lengths(dim)
    start = values["start"] * radii(dim, QUANTILES[min(level, 1)])
    places, risk, _ = (np.asarray(part) for part in limit_of(jnp.asarray(delta), tables, rule, start, t))
    asked = {name: jnp.asarray(values[name], float) for name in ("delta", "dim", "width", "batch")}
    asked["step"] = jnp.asarray(1e-3 * values["step"])
    key = jax.random.key(0)
    positions, reached = network_of(
        sigma, asked["delta"], asked["dim"], jnp.asarray(values["start"]), asked["width"], asked["step"],
        asked["batch"], key, t, jnp.asarray(_STEPS[min(level, 1)]),
    )  # fmt: skip
    measured = risk_of(sigma, asked["delta"], asked["dim"], asked["width"], positions, tables, rule, jax.random.key(1))
    count = max(int(np.sum(reached)), 1)
    lengths_ = np.sort(np.linalg.norm(np.asarray(positions)[:count, :width], axis=2), axis=1)
    return {
        "t": t,
        "limit": places,
        "limit risk": risk,
        "network": lengths_,
        "risk": np.asarray(measured[0])[:count],
        "error": np.asarray(measured[1])[:count],
        "reached": count,
        **{name: values[name] for name in values},
    }
