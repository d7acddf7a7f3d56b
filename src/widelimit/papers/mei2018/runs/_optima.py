"""Optima of the isotropic problem by the library: certified minima over all measures, and the best single sphere."""

import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy import optimize

from widelimit.analysis import minimise
from widelimit.measure import Particles
from widelimit.problem import Problem
from widelimit.theory import mei2018 as theory

from ..._kit import Data, columns
from ..._kit._shares import outside
from ._isotropic import small

# r = 3t/(1 - t), r = infinity included.
_SCAN = np.append(3.0 * np.linspace(0.0, 0.9975, 400) / (1.0 - np.linspace(0.0, 0.9975, 400)), np.inf)


def minima(deltas: list[float], d: float) -> Data:
    """For each Delta `wl.minimise` of the reduced problem: risk, gap, whether certified, mass at infinity; atoms."""
    found = [minimise(small(delta, d)) for delta in deltas]
    numbers = [
        {"risk": one.risk, "gap": one.gap, "certified": one.certified, "at_infinity": one.at_infinity} for one in found
    ]
    atoms = [{"r": one.measure.positions[:, 0], "weights": one.measure.weights} for one in found]
    return {**columns(numbers), "atoms": atoms}


def closed_forms(deltas: list[float], d: float) -> Data:
    """The same from NumPy and SciPy alone, among measures on r = 0, one sphere and r = infinity."""
    found = [theory.infimum(theory.Isotropic(delta, d)) for delta in deltas]
    far = [np.sum(one.weights[np.isinf(one.radii)]) for one in found]
    return {"risk": [one.risk for one in found], "at_infinity": far}


def spheres(deltas: list[float], d: float) -> Data:
    """For each Delta r_*, the least risk of one sphere, and Lemma 1's margin, inf_r psi(r; r_*) - psi(r_*; r_*).

    psi = dR/d rho, twice that of the paper.
    """
    return columns([best_sphere(small(delta, d)) for delta in deltas])


def best_sphere(problem: Problem) -> Data:
    """r_*, its `risk`, Lemma 1's `margin`, and `far`, psi(infinity; r_*) - psi(r_*; r_*).

    r_* is a root of d/dr psi(r; r) = dR^(1)/dr next to the lowest point of a scan.
    """
    radii = _SCAN[1:-20]
    risks = np.asarray(_risks(problem, jnp.asarray(radii)))
    i = int(np.argmin(risks))
    if not 0 < i < len(radii) - 1:
        raise ValueError(f"the least risk of one sphere is at the end r = {radii[i]:g} of the scan.")

    def slope(r: float) -> float:
        return float(_seen(problem, jnp.asarray(r))[1])

    r = _root(slope, float(radii[i - 1]), float(radii[i + 1]), 1e-14)
    risk, _, psi = (np.asarray(part) for part in _seen(problem, jnp.asarray(r)))
    return {"r": r, "risk": risk, "margin": np.min(psi[1:]) - psi[0], "far": psi[-1] - psi[0]}


def _root(function: Callable[[float], float], low: float, high: float, tolerance: float) -> float:
    return float(np.asarray(optimize.brentq(function, low, high, xtol=tolerance)))


@eqx.filter_jit
def _risks(problem: Problem, radii: Float[Array, " n"]) -> Float[Array, " n"]:
    return jax.lax.map(lambda r: problem.risk(Particles(r.reshape(1, 1))), radii)


@eqx.filter_jit
def _seen(problem: Problem, r: Float[Array, ""]) -> tuple[Array, Array, Array]:
    """The risk of one sphere, its slope in r, and psi at r and on the scan."""
    rho = Particles(r.reshape(1, 1))
    psi = problem.potential(rho)
    return problem.risk(rho), psi.gradient(rho.positions)[0, 0], psi(jnp.append(r, jnp.asarray(_SCAN))[:, None])


def interval(d: float) -> Data:
    """Both ends of the interval of Delta where psi(r; r_*) >= psi(r_*; r_*) for all r; the upper at d = infinity.

    Each end is a root of the margin of r = infinity; `violation` is by how much another r is lower there.
    """
    # At d = 13, 256 nodes give ten digits of the ends, and 1e-13 of the kernel would take ten times the time.
    nodes = 256 if d < 20 else None

    def best(delta: float) -> Data:
        return best_sphere(small(delta, d, nodes=nodes))

    # Delta_l lies between 1/(2d) and 0.22, Delta_h above; at d = infinity there is no lower end to look for.
    brackets = [(0.22, 0.6)] if math.isinf(d) else [(0.5 / d, 0.22), (0.22, 0.6)]
    ends = [_root(lambda delta: best(delta)["far"], low, high, 1e-12) for low, high in brackets]
    return {"ends": ends, "violation": outside([best(end)["margin"] for end in ends], low=0.0)}


def largest_margin(d: float) -> Data:
    """max over Delta of psi(infinity; r_*) - psi(r_*; r_*): where it is negative, one sphere is never optimal."""

    def loss(delta: float) -> float:
        return -best_sphere(small(float(delta), d))["far"]

    found: Any = optimize.minimize_scalar(loss, bounds=(0.02, 0.6), method="bounded", options={"xatol": 1e-3})
    return {"delta": found.x, "margin": -found.fun}


def closed_interval(d: float) -> Data:
    """The ends by closed forms; none where the interval is empty."""
    found = theory.thresholds(d)
    return {"ends": np.zeros(0) if found is None else found}
