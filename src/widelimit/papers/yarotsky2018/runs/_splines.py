"""The runs that Figs. 3 to 5 and the claims on the linear theories share, as pieces."""

import functools
import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import scipy.optimize
from jaxtyping import Array, Float, Int

from widelimit.dynamics import GradientFlow, TangentFlow
from widelimit.measure import Particles, laws
from widelimit.problem import Problem, problems
from widelimit.theory import yarotsky2018 as theory

from ..._kit import Bench, Data
from ..._kit._runs import evolved

# 15 a decade and the end: whole decades are among them.
SAVES = 61
TERMS = 4000
"""Of (25) and (26) where they are not truncated: the coefficients fall as k^-2, so 4000 terms leave 1e-10 of L(0)."""


class Wave(eqx.Module):
    """A sin(j pi x)."""

    amplitude: Array
    waves: Array

    def __call__(self, x: Float[Array, ""]) -> Float[Array, ""]:
        return self.amplitude * jnp.sin(self.waves * jnp.pi * x)


class Mode(eqx.Module):
    """A q_k(x), q_k = s_k''/xi_k^2: the prediction that the shift s_k makes, of length one in L^2."""

    amplitude: Array
    root: Array
    sign: Array

    def __call__(self, x: Float[Array, ""]) -> Float[Array, ""]:
        edge = self.sign * jnp.exp(-self.root)
        turn = self.root * x
        ends = jnp.exp(-turn) + self.sign * jnp.exp(-self.root * (1.0 - x))
        bulk = -jnp.cos(turn) + (1.0 - edge) / (1.0 + edge) * jnp.sin(turn)
        return self.amplitude * (bulk + ends / (1.0 + edge))


def wave_problem(amplitude: float, waves: int) -> Problem:
    return problems.free_knot_spline(Wave(jnp.asarray(amplitude), jnp.asarray(float(waves))))


def uniform() -> laws.Product:
    """p(c, h, 0) = delta(c) 1_[0, 1](h) (3.2)."""
    return laws.product(c=laws.Atom(0.0), h=laws.Uniform(0.0, 1.0))


def times_to(end: float, decades: float = 4.0) -> Float[np.ndarray, " T"]:
    """`SAVES` times up to `end`, equally spaced in the logarithm."""
    return np.geomspace(end * 10.0**-decades, end, SAVES)


def knots_of(bench: Bench) -> int:
    """The paper's N = 100, and finer."""
    return bench.value("knots", bench.pick(quick=100, paper=400))


def trained(amplitude: float, waves: int, knots: int, end: float) -> Data:
    """The exact flow of c_n and h_n from the midpoints of `uniform`, f = A sin(j pi x)."""
    return _flow(wave_problem(amplitude, waves), uniform().quantise(knots), end)


def trained_mode(amplitude: float, k: int, knots: int, end: float) -> Data:
    """The same for f = A q_k."""
    target = Mode(jnp.asarray(amplitude), jnp.asarray(float(theory.xi(k))), jnp.asarray(1.0 - 2.0 * (k % 2)))
    return _flow(problems.free_knot_spline(target), uniform().quantise(knots), end)


def _flow(problem: Problem, start: Particles, end: float) -> Data:
    found = evolved(problem, start, GradientFlow(), times_to(end))
    parts = {block.name: found.positions[..., k] for k, block in enumerate(problem.blocks)}
    return {"t": found.times, "risk": found.risk, **parts}


def linear(amplitude: float, waves: int, knots: int, end: float) -> Data:
    """The small-output theory of the same particles: risk, and s [T, N] in the paper's sign."""
    start, theory = uniform().quantise(knots), TangentFlow(trainable=("c",))
    found = evolved(wave_problem(amplitude, waves), start, theory, times_to(end))
    return {"t": found.times, "risk": found.risk, "s": -np.asarray(found.shift)[..., 0]}


def dropped_charge() -> Problem:
    """phi = (x - h)_+, f = x^2/2: the global minimiser is 1_[0, 1] (3.3)."""
    return problems.free_knot_spline(lambda x: 0.5 * x**2, charge=False)


def box(lower: float, upper: float) -> laws.Product:
    """h uniform."""
    return laws.product(h=laws.Uniform(lower, upper))


def trained_knots(lower: float, upper: float, knots: int, end: float) -> Data:
    """The exact flow of the knots from the midpoints of a uniform law on [lower, upper]."""
    return _flow(dropped_charge(), box(lower, upper).quantise(knots), end)


def trained_cosine(eps: float, knots: int, end: float) -> Data:
    """The same from the midpoints of p_0 = 1 + eps cos(2 pi h)."""
    start = Particles(cosine_knots(eps, knots)[:, None], blocks=box(0.0, 1.0).blocks)
    return _flow(dropped_charge(), start, end)


def cosine_knots(eps: float, knots: int) -> Float[np.ndarray, " N"]:
    """h + eps sin(2 pi h)/(2 pi) = (n - 1/2)/N, by Newton's method."""
    u = (np.arange(knots) + 0.5) / knots
    h = u.copy()
    for _ in range(30):
        h -= (h + eps * np.sin(2.0 * np.pi * h) / (2.0 * np.pi) - u) / (1.0 + eps * np.cos(2.0 * np.pi * h))
    return h


def marked(t: Float[np.ndarray, " T"], times: tuple[float, ...]) -> Int[np.ndarray, " n"]:
    """The numbers of those saves that are nearest to the times, t = 0 left out."""
    return np.array([np.argmin(np.abs(np.log(t[1:] / time))) + 1 for time in times])


def expansion(amplitude: float, waves: int, t: Float[np.ndarray, " T"], terms: int = TERMS) -> Float[np.ndarray, " T"]:
    """(26) for f = A sin(j pi x)."""
    return theory.loss(t, theory.sine_coefficient(np.arange(terms), waves, amplitude))


@functools.cache
def fall_time(waves: int, share: float) -> float:
    """The time at which (26) has come down to a share of the initial loss; it does not depend on A."""

    def above(log: float) -> float:
        return float(expansion(1.0, waves, np.array([math.exp(log)]))[0]) - 0.25 * share

    found: Any = scipy.optimize.brentq(above, 0.0, 25.0, xtol=1e-12)
    return math.exp(found)
