"""The best measures of the isotropic problem: one sphere, and what replaces it where one sphere is not best."""

import dataclasses
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import optimize

from ._activation import RAMP, PiecewiseLinear
from ._isotropic import Isotropic


@dataclasses.dataclass(frozen=True)
class SingleDelta:
    r"""The global minimiser r_* of $\bar R_d^{(1)}$ (14), and Lemma 1's condition.

    `margin` is $\inf_{r \in [0, \infty]} \psi(r; r_*) - \psi(r_*; r_*)$, psi(r; r_*) = v(r) + u_d(r, r_*): 0 up to
    rounding where the sphere of radius r_* is the global minimum, negative elsewhere; `worst` is that r.
    """

    r: float
    risk: float
    margin: float
    worst: float


def single_delta(model: Isotropic) -> SingleDelta:
    """r_*, its risk, and whether Lemma 1 makes it the global minimum, on a scan of [0, inf]."""
    r = _best_radius(model)
    here = np.array([r]), np.array([1.0])
    margin, worst = _lowest(model, *here)
    level = float(model.psi(r, *here))
    return SingleDelta(r, float(model.single(r)), margin - level, worst)


def thresholds(d: float, sigma: PiecewiseLinear = RAMP) -> tuple[float, float] | None:
    r"""$\Delta_d^l, \Delta_d^h$: between them Lemma 1's condition holds. None where it holds nowhere (ramp: d <= 12).

    For the paper's ramp the competitor of r_* is r = infinity at both ends, so each is a root of
    $\psi(\infty; r_*) - \psi(r_*; r_*)$ in Delta; `single_delta` says at a given Delta whether another r is lower.
    At d = inf the lower end is 0 and the upper `delta_infinity`.
    """
    if math.isinf(d):
        return 0.0, delta_infinity(sigma)

    def margin(delta: float) -> float:
        return _margin_at_infinity(Isotropic(delta, d, sigma))

    top, lowest = _least(lambda delta: -margin(delta), 0.05, 0.4, accuracy=1e-4)
    return None if lowest >= 0.0 else (_root(margin, 1e-4, top), _root(margin, top, 0.6))


def delta_infinity(sigma: PiecewiseLinear = RAMP) -> float:
    r"""$\Delta_\infty = (x_1 - x_2)/(x_1 + x_2)$, $q(x_1) = 1$, $q(x_2) = -1$: one sphere with risk 0 at d = inf.

    There q(tau_+ r) = 1 and q(tau_- r) = -1 at one r. For q monotone, as for the ramp.
    """
    x1, x2 = (_root(lambda r, y=y: float(sigma.q(r)) - y, 1e-3, 1e3) for y in (1, -1))
    return (x1 - x2) / (x1 + x2)


@dataclasses.dataclass(frozen=True)
class Infimum:
    """The lowest risk of mixtures of r = 0, one sphere and r = infinity; `gap` bounds what any measure can gain.

    `gap` = 2 (SUM w_i psi(r_i) - inf psi), the inf on a scan of [0, inf].
    """

    risk: float
    radii: Float[np.ndarray, " n"]
    weights: Float[np.ndarray, " n"]
    gap: float


def infimum(model: Isotropic) -> Infimum:
    """inf R over measures of the form (w_1, w_2, w_3) on the radii (0, r, inf), and a certificate.

    For each r the weights solve a quadratic problem on a triangle; r is then searched. The infimum need not be
    attained: mass at infinity is a limit of networks whose weights grow.
    """

    def value(t: float) -> float:
        return _best_weights(model, float(_radius(t)))[0]

    grid = np.linspace(0.02, 0.98, 97)
    i = int(np.argmin([value(t) for t in grid]))
    r = float(_radius(_least(value, grid[max(i - 1, 0)], grid[min(i + 1, 96)])[0]))
    risk, weights = _best_weights(model, r)
    used = weights > 0.0
    radii, weights = np.array([0.0, r, math.inf])[used], weights[used]
    lowest, _ = _lowest(model, radii, weights)
    gap = 2.0 * (float(weights @ model.psi(radii, radii, weights)) - lowest)
    return Infimum(risk, radii, weights, gap)


def _radius(t: float | np.ndarray) -> np.ndarray:
    """[0, 1] -> [0, inf]."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.divide(3.0 * np.asarray(t), 1.0 - np.asarray(t)))


def _best_radius(model: Isotropic) -> float:
    """The global minimum of (14): the lowest point of a scan, then a root of half the derivative, v' + d_1 u_d."""
    radii = _radius(np.linspace(0.0, 0.95, 58))
    values = model.single(radii)
    i = int(np.argmin(values))
    if not 0 < i < len(radii) - 1:
        raise ValueError(f"single_delta: the lowest risk of one sphere is at the end r = {radii[i]:g} of the scan.")

    def slope(r: float) -> float:
        return float(model.v_slope(r) + model.u_slope(r, r))

    return _root(slope, radii[i - 1], radii[i + 1])


def _margin_at_infinity(model: Isotropic) -> float:
    """psi(inf; r_*) - psi(r_*; r_*), with v(inf) = 0."""
    r = _best_radius(model)
    return float(model.u(math.inf, r) - model.v(r) - model.u(r, r))


def _lowest(model: Isotropic, radii: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """inf over r in [0, inf] of psi(r; rho) and where: a scan, then every local minimum refined."""
    t = np.linspace(0.0, 1.0, 201)
    values = model.psi(_radius(t), radii, weights)
    at = [float(t[int(np.argmin(values))])]
    inner = np.flatnonzero((values[1:-1] <= values[:-2]) & (values[1:-1] <= values[2:])) + 1

    def psi(x: float) -> float:
        return float(model.psi(float(_radius(x)), radii, weights))

    for i in inner:
        at.append(_least(psi, t[i - 1], t[i + 1])[0])
    best = min(at, key=psi)
    return psi(best), float(_radius(best))


def _best_weights(model: Isotropic, r: float) -> tuple[float, Float[np.ndarray, "3"]]:
    """The lowest risk of weights on (0, r, inf): the best face of the triangle whose optimum lies inside it."""
    radii = np.array([0.0, r, math.inf])
    linear, table = model.v(radii), model.u(radii[:, None], radii[None, :])
    best, at = math.inf, np.zeros(3)
    for size in (1, 2, 3):
        for face in itertools.combinations(range(3), size):
            w = _on_face(linear, table, list(face))
            value = 1.0 + 2.0 * linear @ w + w @ table @ w
            if np.all(w >= 0.0) and value < best:
                best, at = float(value), w
    return best, at


def _on_face(linear: np.ndarray, table: np.ndarray, face: list[int]) -> np.ndarray:
    """Stationary weights of sum 1 on a face: U w + m 1 = -v."""
    n = len(face)
    system = np.ones((n + 1, n + 1))
    system[:n, :n], system[n, n] = table[np.ix_(face, face)], 0.0
    w = np.zeros(len(linear))
    w[face] = np.linalg.lstsq(system, np.append(-linear[face], 1.0), rcond=None)[0][:n]
    return w


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """The root of a function that changes its sign between the ends."""
    found: Any = optimize.brentq(function, low, high, xtol=1e-15, rtol=np.float64(1e-15))
    return float(found)


def _least(
    function: Callable[[float], float], low: float, high: float, *, accuracy: float = 1e-12
) -> tuple[float, float]:
    """Where a function that falls and then rises is least, and its value."""
    found: Any = optimize.minimize_scalar(function, bounds=(low, high), method="bounded", options={"xatol": accuracy})
    return float(found.x), float(found.fun)
