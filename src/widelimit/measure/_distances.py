"""Wasserstein distances between measures."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.numerics import random_key, real_number, require_x64, whole_number

from ._coupling import MAX_PAIRS, Pair, cost_bounds
from ._particles import Particles


class Bounds(NamedTuple):
    """`lower` <= W_2 <= `upper`; the same number where the distance is exact."""

    lower: Float[Array, ""]
    upper: Float[Array, ""]


def wasserstein2(a: Particles, b: Particles, *, epsilon: float = 1e-3) -> Float[Array, ""]:
    r"""The 2-Wasserstein distance,

    $$W_2(\rho, \nu) = \Big(\min_{\pi}\ \int |\theta - \eta|^2\,\pi(d\theta, d\eta)\Big)^{1/2},$$

    over the couplings pi of the two measures. Exact for D = 1 (sorted, O(N log N)), and for D > 1 up to N M = 10^7
    (network simplex: about a second for 2,000 particles each, seconds for 3,000), whatever the weights. Above that it
    is the **upper bound** of `wasserstein2_bounds`.

    - `a`, `b`: measures [N, D] and [M, D] with non-negative weights and one mass (of mass m, W_2 is sqrt(m)
      times that of the normalised ones). Columns with names are compared by their names.
    - `epsilon`: see `wasserstein2_bounds`.

    Raises `ValueError` for other measures and for N M > 2.5e7 (take `sliced_wasserstein2`), `RuntimeError`
    when the iteration does not converge. Runs on the host: not inside `jax.jit`.
    """
    return wasserstein2_bounds(a, b, epsilon=epsilon).upper


def wasserstein2_bounds(a: Particles, b: Particles, *, epsilon: float = 1e-3) -> Bounds:
    r"""Two numbers between which W_2 lies: equal where `wasserstein2` is exact.

    Above those sizes by the entropic coupling of the measures with their means removed, O(N M) an iteration. `upper` is
    the cost of this coupling, rounded to have the right marginals exactly; `lower` is the dual value of its
    potentials, made feasible. With S = tr Cov(a) + tr Cov(b), masses 1, $\text{upper}^2 - W_2^2 \lesssim \epsilon\, S
    \log\min(N, M)$, plus what the rounding adds, at most 4e-4 of the largest |theta - eta|^2 and in practice far less.

    - `a`, `b`: as for `wasserstein2`, which also says what is raised.
    - `epsilon`: the strength of the entropy as a fraction of S; smaller is closer and slower.

    **Source**: Altschuler, Weed, Rigollet 2017, Algorithm 2, for the rounding.
    """
    require_x64("wasserstein2")
    pair = _checked(a, b, "wasserstein2")
    epsilon = real_number(epsilon, "wasserstein2(epsilon=...)", above=0.0)
    x, w, y, v, mass = pair
    if x.shape[1] == 1:
        costs = (_sorted_cost(x[:, 0], w, y[:, 0], v),) * 2
    elif x.shape[0] * y.shape[0] > MAX_PAIRS:
        raise ValueError(
            f"wasserstein2: {x.shape[0]} x {y.shape[0]} pairs of particles are more than {MAX_PAIRS}; use "
            "sliced_wasserstein2, or fewer particles."
        )
    else:
        costs = cost_bounds(pair, epsilon)
    return Bounds(*(jnp.sqrt(jnp.asarray(mass * cost)) for cost in costs))


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


def _checked(a: Particles, b: Particles, where: str) -> Pair:
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
    return Pair(x, w / w.sum(), y, v / v.sum(), float(w.sum()))


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
