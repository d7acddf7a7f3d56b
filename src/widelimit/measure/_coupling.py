"""Optimal couplings of two measures of mass 1 in more than one dimension: exact up to a size, bounded above it."""

import functools
import warnings
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

MAX_PAIRS = 25_000_000
"""The largest N M for which the matrix of distances is formed: 200 MB in float64."""

# Pairs of an exact coupling: some seconds.
_EXACT = 10_000_000
_PIVOTS = 10**8
_MAX_ITERATIONS = 20_000
_MARGINAL_ERROR = 1e-4


class Pair(NamedTuple):
    """Two measures in float64: positions, positive weights that sum to 1; and the mass."""

    x: Float[np.ndarray, "N D"]
    w: Float[np.ndarray, " N"]
    y: Float[np.ndarray, "M D"]
    v: Float[np.ndarray, " M"]
    mass: float


def cost_bounds(pair: Pair, epsilon: float) -> tuple[float, float]:
    """Two numbers between which the least INT |x - y|^2 d pi lies; the same one where it is exact."""
    if pair.x.shape[0] * pair.y.shape[0] <= _EXACT:
        exact = _exact(pair)
        return exact, exact
    # The squared distance of the means, plus the cost between the centred measures.
    mean_x, mean_y = pair.w @ pair.x, pair.v @ pair.y
    apart = float(np.sum((mean_x - mean_y) ** 2))
    lower, upper = _entropic(pair._replace(x=pair.x - mean_x, y=pair.y - mean_y), epsilon)
    return apart + lower, apart + upper


def _exact(pair: Pair) -> float:
    """By the network simplex, whose coupling has at most N + M - 1 pairs."""
    import ot

    x, w, y, v, _ = pair
    cost = _costs(x, y)
    # In units of the mean cost, which its tolerances are meant for.
    with warnings.catch_warnings():
        # What it warns of is an error here.
        warnings.simplefilter("ignore")
        plan, found = ot.emd(w, v, cost / max(float(np.mean(cost)), 1e-300), numItermax=_PIVOTS, log=True)
    if found["warning"] is not None:
        raise RuntimeError(f"wasserstein2: the network simplex did not end ({found['warning']}).")
    i, j = np.nonzero(plan)
    # From the pairs themselves: equal points cost nothing, without the rounding of the table.
    return float(plan[i, j] @ np.sum((x[i] - y[j]) ** 2, axis=1))


def _costs(x: Float[np.ndarray, "N D"], y: Float[np.ndarray, "M D"]) -> Float[np.ndarray, "N M"]:
    return np.maximum(np.sum(x**2, axis=1)[:, None] + np.sum(y**2, axis=1) - 2 * x @ y.T, 0.0)


def _entropic(pair: Pair, epsilon: float) -> tuple[float, float]:
    """The cost of the rounded entropic coupling of two centred measures, and what its potentials bound it by below.

    For any g the numbers f_i = min_j c_ij - g_j are feasible in the dual problem: <w, f> + <v, g> is no more than the
    least cost.
    """
    x, w, y, v, _ = pair
    cost = _costs(x, y)
    spread = w @ cost @ v
    if not spread > 0:
        return 0.0, 0.0
    plan, potential, converged = _sinkhorn(
        cost / spread, w, v, jnp.asarray(float(epsilon)), max_iterations=_MAX_ITERATIONS
    )
    if not converged:
        raise RuntimeError(
            f"wasserstein2(epsilon={epsilon:g}): not converged after {_MAX_ITERATIONS} iterations; raise "
            "epsilon, or use sliced_wasserstein2."
        )
    g = spread * np.asarray(potential)
    f = np.min(cost - g, axis=1)
    g = np.min(cost - f[:, None], axis=0)
    return max(float(w @ f + v @ g), 0.0), _rounded_cost(np.asarray(plan), cost, w, v)


@functools.partial(jax.jit, static_argnames="max_iterations")
def _sinkhorn(
    cost: Float[Array, "N M"],
    w: Float[Array, " N"],
    v: Float[Array, " M"],
    epsilon: Float[Array, ""],
    *,
    max_iterations: int,
) -> tuple[Float[Array, "N M"], Float[Array, " M"], Bool[Array, ""]]:
    """The entropic coupling, its second potential, and whether it converged."""
    with warnings.catch_warnings():
        # A dependency of ott announces its retirement whenever it is imported.
        warnings.filterwarnings("ignore", "JAXopt is no longer maintained", DeprecationWarning)
        from ott.geometry import epsilon_scheduler, geometry
        from ott.solvers.linear import solve

    # The entropy is lowered to its strength from a hundredfold, which saves iterations.
    schedule = epsilon_scheduler.Epsilon(epsilon, init=100.0, decay=0.95)
    found = solve(
        geometry.Geometry(cost_matrix=cost, epsilon=schedule),
        w,
        v,
        threshold=_MARGINAL_ERROR,
        max_iterations=max_iterations,
    )
    return found.matrix, found.g, jnp.asarray(found.converged)


def _rounded_cost(
    plan: Float[np.ndarray, "N M"],
    cost: Float[np.ndarray, "N M"],
    w: Float[np.ndarray, " N"],
    v: Float[np.ndarray, " M"],
) -> float:
    """The cost of `plan` after rows and columns with too much are cut and what is missing is spread."""
    plan = plan * np.minimum(1.0, w / plan.sum(axis=1))[:, None]
    plan = plan * np.minimum(1.0, v / plan.sum(axis=0))
    row, column = np.maximum(w - plan.sum(axis=1), 0.0), np.maximum(v - plan.sum(axis=0), 0.0)
    missing = row.sum()
    return float(np.sum(plan * cost) + (row @ cost @ column / missing if missing > 0 else 0.0))
