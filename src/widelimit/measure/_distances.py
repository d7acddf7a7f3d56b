"""Wasserstein distances between measures."""

import functools
import warnings
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from ._particles import Particles

MAX_PAIRS = 25_000_000
"""The largest N M for which the matrix of distances is formed: 200 MB in float64."""

_MAX_ITERATIONS = 20_000
_MARGINAL_ERROR = 1e-4


def wasserstein2(a: Particles, b: Particles, *, epsilon: float = 1e-3) -> Float[Array, ""]:
    r"""The 2-Wasserstein distance,

    $$W_2(\rho, \nu) = \Big(\min_{\pi}\ \int |\theta - \eta|^2\,\pi(d\theta, d\eta)\Big)^{1/2},$$

    over the couplings pi of the two measures. For D = 1 it is exact (sorted, any weights). For D > 1 it is an
    **upper bound**: the cost of one coupling, the entropic one of the measures with their means removed,
    rounded to have the right marginals exactly. With S = tr Cov(a) + tr Cov(b), masses 1,

    $$0 \le \text{result}^2 - W_2^2 \lesssim \epsilon\, S \log\min(N, M),$$

    plus what the rounding adds, at most 4e-4 of the largest |theta - eta|^2 and in practice far less.
    Typically the excess is below epsilon S; distances below sqrt(epsilon S), so W_2(a, a) = 0 too, are not
    resolved.

    - `a`, `b`: measures [N, D] and [M, D] with non-negative weights and one mass (of mass m, W_2 is sqrt(m)
      times that of the normalised ones). Columns with names are compared by their names.
    - `epsilon`: the strength of the entropy as a fraction of S; smaller is closer and slower (D > 1 only).

    Raises `ValueError` for other measures and for N M > 2.5e7 (take `sliced_wasserstein2`), `RuntimeError`
    when the iteration does not converge. Runs on the host: not inside `jax.jit`.

    **Source**: Altschuler, Weed, Rigollet 2017, Algorithm 2, for the rounding.
    """
    x, w, y, v, mass = pair = _checked(a, b, "wasserstein2")
    if not epsilon > 0:
        raise ValueError(f"wasserstein2(epsilon=...): must be positive, got {epsilon!r}.")
    if x.shape[1] == 1:
        return jnp.sqrt(jnp.asarray(mass * _sorted_cost(x[:, 0], w, y[:, 0], v)))
    if x.shape[0] * y.shape[0] > MAX_PAIRS:
        raise ValueError(
            f"wasserstein2: {x.shape[0]} x {y.shape[0]} pairs of particles are more than {MAX_PAIRS}; use "
            "sliced_wasserstein2, or fewer particles."
        )
    # W_2^2 is the squared distance of the means plus W_2^2 of the centred measures.
    mean_x, mean_y = w @ x, v @ y
    centred = _entropic_cost(pair._replace(x=x - mean_x, y=y - mean_y), epsilon)
    return jnp.sqrt(jnp.asarray(mass * (np.sum((mean_x - mean_y) ** 2) + centred)))


def sliced_wasserstein2(a: Particles, b: Particles, *, directions: int = 128, key: PRNGKeyArray) -> Float[Array, ""]:
    r"""The sliced 2-Wasserstein distance, a mean over directions s uniform on the unit sphere of R^D,

    $$SW_2(\rho, \nu) = \big(E_s\,W_2^2(s\cdot\rho,\ s\cdot\nu)\big)^{1/2} \le W_2(\rho, \nu)/\sqrt{D},$$

    with s . rho the measure of s . theta. The mean is taken over `directions` random ones, each exact
    (relative error about directions^(-1/2)).

    - `a`, `b`: measures [N, D] and [M, D] with non-negative weights and one mass. Columns with names are compared by
      their names.
    - `directions`: how many, >= 1.

    Raises `ValueError` for other arguments. Runs on the host: not inside `jax.jit`.
    """
    x, w, y, v, mass = _checked(a, b, "sliced_wasserstein2")
    directions = whole_number(directions, "sliced_wasserstein2(directions=...)", least=1)
    normal = np.asarray(
        jax.random.normal(random_key(key, "sliced_wasserstein2(key=...)"), (directions, x.shape[1])), np.float64
    )
    unit = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    cost = np.mean([_sorted_cost(x @ s, w, y @ s, v) for s in unit])
    return jnp.sqrt(jnp.asarray(mass * cost))


class _Pair(NamedTuple):
    """Two measures in float64: positions, positive weights that sum to 1; and the mass."""

    x: Float[np.ndarray, "N D"]
    w: Float[np.ndarray, " N"]
    y: Float[np.ndarray, "M D"]
    v: Float[np.ndarray, " M"]
    mass: float


def _checked(a: Particles, b: Particles, where: str) -> _Pair:
    if a.dim != b.dim:
        raise ValueError(f"{where}: the measures have {a.dim} and {b.dim} parameters; they must agree.")
    if a.blocks and b.blocks:
        try:
            b = b.arranged(a.blocks)
        except ValueError as error:
            raise ValueError(f"{where}: the two must have the same parameters: {error}") from None
    x, w = _arrays(a, f"{where}(a=...)")
    y, v = _arrays(b, f"{where}(b=...)")
    # Sums of weights are equal to rounding only, that of the coarser of the two.
    rounding = max(float(jnp.finfo(m.weights.dtype).eps) for m in (a, b)) ** 0.5
    if abs(w.sum() / v.sum() - 1) > rounding:
        raise ValueError(f"{where}: the masses {w.sum():.9g} and {v.sum():.9g} must agree.")
    return _Pair(x, w / w.sum(), y, v / v.sum(), float(w.sum()))


def _arrays(measure: Particles, where: str) -> tuple[Float[np.ndarray, "N D"], Float[np.ndarray, " N"]]:
    """Positions and weights of the particles that have mass."""
    x, w = np.asarray(measure.positions, np.float64), np.asarray(measure.weights, np.float64)
    if not np.all(np.isfinite(x)) or not np.all(np.isfinite(w)):
        raise ValueError(f"{where}: positions and weights must be finite.")
    if np.any(w < 0):
        raise ValueError(f"{where}: the weights must not be negative, the least is {w.min():g}.")
    if not np.any(w):
        raise ValueError(f"{where}: the mass must be positive, got 0.")
    return x[w > 0], w[w > 0]


def _sorted_cost(
    x: Float[np.ndarray, " N"], w: Float[np.ndarray, " N"], y: Float[np.ndarray, " M"], v: Float[np.ndarray, " M"]
) -> float:
    r"""$\int_0^1 (F^{-1}(t) - G^{-1}(t))^2 dt$."""
    i, j = np.argsort(x), np.argsort(y)
    f, g = np.cumsum(w[i]), np.cumsum(v[j])
    # Both quantile functions are constant between the merged jumps; the last is at 1 but for rounding.
    f[-1] = g[-1] = 1.0
    ends = np.sort(np.concatenate([f, g]))
    starts = np.concatenate([[0.0], ends[:-1]])
    middle = (starts + ends) / 2
    gap = x[i][np.searchsorted(f, middle)] - y[j][np.searchsorted(g, middle)]
    return float((ends - starts) @ gap**2)


def _entropic_cost(pair: _Pair, epsilon: float) -> float:
    """The cost of the rounded entropic coupling of two centred measures of mass 1."""
    x, w, y, v, _ = pair
    cost = np.sum(x**2, axis=1)[:, None] + np.sum(y**2, axis=1) - 2 * x @ y.T
    cost = np.maximum(cost, 0.0)
    spread = w @ cost @ v
    if not spread > 0:
        return 0.0
    plan, converged = _sinkhorn(cost / spread, w, v, jnp.asarray(float(epsilon)), max_iterations=_MAX_ITERATIONS)
    if not converged:
        raise RuntimeError(
            f"wasserstein2(epsilon={epsilon:g}): not converged after {_MAX_ITERATIONS} iterations; raise "
            "epsilon, or use sliced_wasserstein2."
        )
    return _rounded_cost(np.asarray(plan), cost, w, v)


@functools.partial(jax.jit, static_argnames="max_iterations")
def _sinkhorn(
    cost: Float[Array, "N M"],
    w: Float[Array, " N"],
    v: Float[Array, " M"],
    epsilon: Float[Array, ""],
    *,
    max_iterations: int,
) -> tuple[Float[Array, "N M"], Bool[Array, ""]]:
    """The entropic coupling, and whether it converged."""
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
    return found.matrix, jnp.asarray(found.converged)


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
