"""Do the features of the support span all functions of the input: yarotsky2018, Proposition 2."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from widelimit.measure import laws, split
from widelimit.problem import Problem
from widelimit.problem.data import Nodes, require_nodes
from widelimit.problem.units import feature

from ._law import spline_law

# Numbers phi~(w_i, x_q) in the table whose singular values are taken.
_MOST = 2 * 10**7


@dataclasses.dataclass(frozen=True)
class Totality:
    """Whether the features phi~(w, .) of the support are total in L^2(mu).

    - `total`: if so, a stationary measure has the least risk there is.
    - `rank`, `dimension`: of the span of the features, and of L^2(mu): the number of different inputs; None where
      infinite.
    - `smallest`: the smallest singular value over the largest, in L^2(mu); 0 where not total. None for a law.
    - `outside`: the part of loss'(f_rho, y), relative in L^2(mu), that is orthogonal to all features; None for a law.
    - `verdict`: in words.
    """

    total: bool
    rank: int | None
    dimension: int | None
    smallest: float | None
    outside: float | None
    verdict: str


def totality(problem: Problem, rho: Any) -> Totality:
    r"""Proposition 2: if rho is stationary and its features are total in L^2(mu), then L(rho) = 0.

    Stationary in the block c in which $\phi = c\,\tilde\phi(w, x)$ is linear means $\int \mathrm{loss}'(f_\rho, y)
    \tilde\phi(w, x)\,d\mu = 0$ for all w in the support; if the features are total, loss' vanishes at every input.

    On finite data it is a question of rank. On an interval (`data.Interval`) finitely many particles are never total;
    a law is, for `units.FreeKnot`, if and only if the support of h covers the interval: G2(h) = INT r (x - h)_+ = 0 for
    all h gives r = G2'' = 0, and in a gap of the support all features are linear.

    - `rho`: a measure; or, for `problems.free_knot_spline`, a law: c independent of h with h uniform, normal or
      of atoms; normal (c, h); mixtures.

    Raises `ValueError` for a unit without a linear block, data without nodes, a table of more than 2 10^7 features
    times inputs, and for other laws.
    """
    if problem.two_layer("totality").linear is None:
        raise ValueError(
            "totality(problem=...): Proposition 2 is about units phi = c phi~(w, x); this one has no linear block."
        )
    if isinstance(rho, laws.AbstractLaw):
        return _of_law(problem, rho)
    nodes = require_nodes(problem.data, "totality")
    table, slope, copies = _table(problem, rho, nodes)
    values, rows = np.linalg.svd(table, full_matrices=False)[1:]
    cut = np.finfo(float).eps * max(table.shape) * values[0]
    rank = int(np.sum(values > cut))
    norm = float(np.linalg.norm(slope))
    inside = rows[:rank] @ slope
    outside = float(np.linalg.norm(slope - rows[:rank].T @ inside)) / norm if norm > 0.0 else 0.0
    infinite = problem.data.panels is not None
    dimension = None if infinite else table.shape[1]
    total = rank == dimension
    smallest = float(values[-1] / values[0]) if total else 0.0
    return Totality(total, rank, dimension, smallest, outside, _say(problem, total, rank, dimension, outside, copies))


def _of_law(problem: Problem, law: laws.AbstractLaw) -> Totality:
    if not problem.integrals.exact:
        raise ValueError(
            "totality(rho=...): a law is judged for problems.free_knot_spline alone; take particles: "
            "law.sample(n, key=...) or law.quantise(n)."
        )
    found, spline = spline_law(problem, law, "totality"), problem.integrals.spline("totality")
    a, b = float(spline.lower), float(spline.upper)
    if found.covers(a, b):
        verdict = (
            f"Total: the support of h covers [{a:g}, {b:g}]. If the law is stationary, its risk is 0 (Proposition 2)."
        )
        return Totality(True, None, None, None, None, verdict)
    verdict = (
        f"Not total: the support of h does not cover [{a:g}, {b:g}], and in a gap no feature bends. Proposition 2 says "
        "nothing: a stationary law may have positive risk."
    )
    return Totality(False, None if found.parts else len(np.unique(found.h)), None, None, None, verdict)


def _table(problem: Problem, rho: Any, nodes: Nodes) -> tuple[np.ndarray, np.ndarray, int]:
    """phi~ sqrt(mu) [N, n], loss' sqrt(mu) [n, outputs] at the n different inputs, and how many nodes are repeated."""
    rho = problem.arranged(rho)
    rows = jnp.asarray(rho.positions)[np.asarray(rho.weights) > 0.0]
    if not bool(jnp.all(jnp.isfinite(rows))):
        raise ValueError("totality: a particle's position is not finite.")
    f = problem.predict(rho, nodes.x)
    slope = np.asarray(jax.vmap(jax.grad(problem.loss))(f, nodes.y), float).reshape(len(nodes.weights), -1)
    x, w = np.asarray(nodes.x, float), np.asarray(nodes.weights, float)
    x, w, slope = x[w > 0.0], w[w > 0.0], slope[w > 0.0]
    places, which = np.unique(x, axis=0, return_inverse=True)
    which = which.ravel()
    mass = np.bincount(which, weights=w)
    # Inputs that come twice are one point of L^2(mu): there only the mean of loss' can vanish.
    mean = np.stack([np.bincount(which, weights=w * row) for row in slope.T], axis=1) / mass[:, None]
    if rows.shape[0] * len(places) > _MOST:
        raise ValueError(
            f"totality(rho=...): {rows.shape[0]} particles times {len(places)} inputs are more than {_MOST:,} "
            "features; take fewer particles: features of a part of the support that are total are enough."
        )
    points = jnp.asarray(places)

    def one(row: Any) -> Any:
        theta = split(problem.blocks, row)
        return jax.vmap(lambda point: feature(problem.unit, theta, point))(points)

    table = np.asarray(jax.jit(jax.vmap(one))(rows), float)
    return table * np.sqrt(mass), mean * np.sqrt(mass)[:, None], len(x) - len(places)


def _say(problem: Problem, total: bool, rank: int, dimension: int | None, outside: float, copies: int) -> str:
    if dimension is None:
        return (
            f"Not total: {rank} independent features span no more than a space of as many dimensions, and L^2 of an "
            f"interval has infinitely many; {outside:.2g} of the error lies outside it. Proposition 2 says nothing."
        )
    where = "nodes of the quadrature" if problem.symmetry is not None and problem.symmetry.hides else "different inputs"
    if not total:
        return (
            f"Not total: the features have rank {rank} at {dimension} {where}, and {outside:.2g} of the error lies "
            "outside their span, where a stationary measure may keep it."
        )
    least = "its risk is the least there is" if copies or not _vanishes(problem) else "its risk is 0"
    return (
        f"Total: the features have rank {rank} at as many {where}. If the measure is stationary, {least} "
        "(Proposition 2)."
    )


def _vanishes(problem: Problem) -> bool:
    """Whether loss' = 0 means loss = 0, which is known of the squared loss."""
    return problem.loss.square_factor is not None and problem.penalty is None
