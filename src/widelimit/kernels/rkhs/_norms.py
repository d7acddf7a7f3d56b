r"""The norms of the spaces of univariate ReLU networks: Theorem 5 and Corollary 6 of williams2019, on an interval.

A function of the random-feature space is $f(x) = \int [g_+(u)\,(x - u)_+ + g_-(u)\,(u - x)_+]\,du$ at the price
$\int g_+^2/\nu_+ + g_-^2/\nu_-$, $\nu_\pm = \nu^3_\pm$. On (A, B) $f'' = g_+ + g_-$; with nu = nu_+ + nu_- the best
split is $g_\pm = f''\nu_\pm/\nu$, plus p and minus p, which adds the line $\int p(u)(x - u)du$ at the price
$\int p^2/\omega$, $\omega = \nu_+\nu_-/\nu$. Neurons that are active on all of (A, B), constant ones (a = 0) among
them, add lines too. So the least price of a function given on (A, B) is

$$|f|^2 = \int_A^B \frac{(f'')^2}{\nu} + \beta^T M^{-1}\beta,\qquad
M = E\Big[\binom{a}{b}\binom{a}{b}^T; \text{active on } (A, B)\Big]
+ \int_A^B \omega \begin{pmatrix} 1 & -u \\ -u & u^2 \end{pmatrix} du,$$

beta = (slope, intercept) of $f - \int_A^B f''(u)\,[\frac{\nu_+}{\nu}(x - u)_+ + \frac{\nu_-}{\nu}(u - x)_+]\,du$. In
the same way $e(x) = \int [g_+ 1(x > u) + g_- 1(x < u)]du$ has the norm $\int e'^2/\nu^1 + \beta^2/m$ with m = P(active)
+ INT omega^1 and $\beta = e(A) + \int e'\,\nu^1_-/\nu^1$.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from widelimit.numerics import real_number, require_x64

from ._knots import Knots, in_blocks, knots_of

# Gauss nodes on a panel, how often panels are halved, and the change that ends it: of the integral, relative.
_NODES, _HALVINGS, _CHANGE = 20, 10, 1e-10
# A line, or a defect of f against its own second derivative, of less than this share of f is none.
_NONE = 1e-7
# Eigenvalues of M below this share of what they are over all neurons carry no line.
_FLAT = 1e-13

Function = Callable[[Any], Any]
Jet = Callable[[np.ndarray], np.ndarray]


class Norm(NamedTuple):
    """`squared` = `bent` + `line`: the integral of the derivative, and the part of lines (or constants).

    Infinite for a function outside of the space.
    """

    bent: float
    line: float

    @property
    def squared(self) -> float:
        return self.bent + self.line


def random_feature_norm(function: Function, law: Any, *, lower: Any, upper: Any, breaks: Any = ()) -> Norm:
    r"""The squared norm of a function on [lower, upper] in the space of random features $(a x + b)_+$, one input,

    $$|f|^2 = \int (f'')^2/\nu + \beta^T M^{-1} \beta$$

    (williams2019, Theorem 5 with the affine part; the module's docstring derives it). It is the least of |g|^2 over
    all g of the space that agree with f on the interval; of an interpolant with all samples inside, y^T K^-1 y.

    - `function`: f, of one number, in JAX operations: its derivatives are taken.
    - `law`: of `weight` and `bias`, independent; the bias with a density.
    - `breaks`: where f'' is not smooth: the samples `f.x` of an interpolant.

    **Raises** `ValueError` for another law, and where f'' does not give f back (a kink is in no such space; a place
    where f'' jumps belongs into `breaks`).
    """
    who = "random_feature_norm"
    require_x64(who)
    knots = knots_of(law, who, output=False)
    return _curved(function, knots, _ends(knots, lower, upper, breaks, who), who)


def neural_tangent_norm(functions: Any, law: Any, *, lower: Any, upper: Any, breaks: Any = ()) -> Norm:
    r"""The price of $f = f_1 + f_2 + f_3$ in the space of the neural tangent kernel of univariate ReLU neurons,

    $$|f_1|^2_{RF} + \frac{1}{E c^2}\Big[\int \frac{f_2'^2}{\nu^1} + \int \frac{(u f_3' - f_3)^2}{u^4\,\nu^1}\Big]$$

    and the parts of constants (williams2019, Corollary 6, which is for a > 0 and functions that vanish on the left;
    here for any sign of a). The norm of f is the infimum over all ways to take it apart; of an interpolant, y^T K^-1 y.

    - `functions`: (f_1, f_2, f_3); `law`: of `output`, `weight` and `bias`, independent.
    - `breaks`: where f_1'', f_2' or f_3' is not smooth.

    **Raises** `ValueError` as `random_feature_norm` does.
    """
    who = "neural_tangent_norm"
    require_x64(who)
    first, second, third = functions
    knots = knots_of(law, who, output=True)
    ends = _ends(knots, lower, upper, breaks, who)
    scale = float(knots.squares)
    parts = [_curved(first, knots, ends, who), _stepped(second, knots, ends, who)]
    if ends[0] <= 0.0 <= ends[-1]:
        (at_zero, *others), _ = _first_jet(third)(np.append(0.0, ends))
        if abs(at_zero) > _NONE * np.max(np.abs(others)):
            return Norm(np.inf, np.inf)
    parts.append(_stepped(_divided(third), knots, ends, who))
    shares = (1.0, 1.0 / scale, 1.0 / scale)
    return Norm(*(sum(s * part[k] for s, part in zip(shares, parts, strict=True)) for k in range(2)))


def _divided(third: Function) -> Function:
    """f_3(x)/x, and its limit at 0."""

    def quotient(x: Any) -> Any:
        safe = jnp.where(x == 0.0, 1.0, x)
        return jnp.where(x == 0.0, jax.grad(third)(jnp.zeros_like(x)), third(safe) / safe)

    return quotient


def _ends(knots: Knots, lower: Any, upper: Any, breaks: Any, who: str) -> np.ndarray:
    """The ends of the first panels: where f or nu may not be smooth, and 0."""
    low = real_number(lower, f"{who}(lower=...)")
    high = real_number(upper, f"{who}(upper=...)", above=low)
    given = np.ravel(np.asarray(breaks, float))
    if not np.all(np.isfinite(given)):
        raise ValueError(f"{who}(breaks=...): must be finite.")
    inner = np.unique(np.concatenate([given, knots.edges(), np.zeros(1)]))
    return np.concatenate([[low], inner[(inner > low) & (inner < high)], [high]])


def _first_jet(function: Function) -> Jet:
    """f and f' at places u [n]: [2, n]. One program, whatever n."""

    def jet(x: Any) -> Any:
        return jnp.stack(jax.value_and_grad(function)(x))

    return partial(in_blocks, jax.jit(jax.vmap(jet, out_axes=1)))


def _second_jet(function: Function) -> Jet:
    """f, f' and f''."""

    def slope(x: Any) -> tuple[Any, Any]:
        value, slope = jax.value_and_grad(function)(x)
        return slope, value

    def jet(x: Any) -> Any:
        (slope_at, value), bend = jax.value_and_grad(slope, has_aux=True)(x)
        return jnp.stack([value, slope_at, bend])

    return partial(in_blocks, jax.jit(jax.vmap(jet, out_axes=1)))


def _panels(ends: np.ndarray, halvings: int) -> tuple[np.ndarray, np.ndarray]:
    pieces = 2**halvings
    cuts = np.append((ends[:-1, None] + np.diff(ends)[:, None] * (np.arange(pieces) / pieces)).ravel(), ends[-1])
    t, v = np.polynomial.legendre.leggauss(_NODES)
    half = 0.5 * np.diff(cuts)[:, None]
    return (cuts[:-1, None] + half * (1.0 + t)).ravel(), (half * v).ravel()


class _Sums(NamedTuple):
    """Over the interval: INT h^2/nu; INT omega (1, -u)(1, -u)^T; INT h nu_-/nu (1, u); INT h (1, u)."""

    bent: float
    lines: np.ndarray
    left: np.ndarray
    whole: np.ndarray


def _integrals(jet: Jet, knots: Knots, ends: np.ndarray, power: int, size: float, who: str) -> _Sums | None:
    """None where h is not zero and there are no knots. Panels are halved until the price stands still.

    `jet`: its last row is h; `power`: 3 where h is f'', 1 where it is e'; `size`: of the function, to which h may be
    nothing.
    """
    before, nothing = None, _NONE * size / (ends[-1] - ends[0]) ** (0.5 * (power + 1))
    for halvings in range(_HALVINGS):
        u, w = _panels(ends, halvings)
        h, (plus, minus) = jet(u)[-1], knots.nu(u, power)
        nu = plus + minus
        empty = nu == 0.0
        if np.any(empty & (np.abs(h) > nothing)):
            return None
        share = np.where(empty, 0.0, 1.0) / np.where(empty, 1.0, nu)
        line, powers = np.stack([np.ones_like(u), -u]), np.stack([np.ones_like(u), u])
        now = _Sums(
            float(np.sum(w * h * h * share)),
            (line * (w * plus * minus * share)) @ line.T,
            powers @ (w * h * minus * share),
            powers @ (w * h),
        )
        small = _CHANGE * now.bent + nothing**2 * np.sum(w * share)
        if before is not None and abs(now.bent - before.bent) <= small:
            return now
        before = now
    raise ValueError(
        f"{who}(function, breaks=...): the integral of the squared derivative over the density of knots does not "
        "converge; name the places where it is not smooth in `breaks` (an infinite norm does not converge either)."
    )


def _curved(function: Function, knots: Knots, ends: np.ndarray, who: str) -> Norm:
    """Theorem 5."""
    (a, b), jet = ends[[0, -1]], _second_jet(function)
    values, slopes, _ = jet(ends)
    size, at, rise = float(np.max(np.abs(values))), float(values[0]), float(slopes[0])
    sums = _integrals(jet, knots, ends, 3, size, who)
    if sums is None:
        return Norm(np.inf, 0.0)
    back = at + rise * (b - a) + b * sums.whole[0] - sums.whole[1]
    _check_back(float(values[-1]), back, size, who)
    tilt = rise + sums.left[0]
    beta = np.array([tilt, at - sums.left[1] + a * sums.left[0] - tilt * a])
    active, _ = knots.active(float(a), float(b))
    # As the rise over half the interval and the value in its middle, all in units of f.
    turn = np.array([[0.5 * (b - a), 0.0], [0.5 * (a + b), 1.0]])
    seen = turn @ np.asarray(knots.sizes) @ turn.T
    return Norm(sums.bent, _price(turn @ beta, turn @ (active + sums.lines) @ turn.T, np.trace(seen), size))


def _stepped(function: Function, knots: Knots, ends: np.ndarray, who: str) -> Norm:
    """The same for steps."""
    (a, b), jet = ends[[0, -1]], _first_jet(function)
    values, _ = jet(ends)
    size, at = float(np.max(np.abs(values))), float(values[0])
    sums = _integrals(jet, knots, ends, 1, size, who)
    if sums is None:
        return Norm(np.inf, 0.0)
    _check_back(float(values[-1]), at + sums.whole[0], size, who)
    _, share = knots.active(float(a), float(b))
    return Norm(sums.bent, _price(np.array([at + sums.left[0]]), np.array([[share + sums.lines[0, 0]]]), 1.0, size))


def _check_back(value: float, back: float, size: float, who: str) -> None:
    if abs(value - back) > _NONE * max(size, abs(back)):
        raise ValueError(
            f"{who}(function): its derivatives do not give it back ({back:.6g} at the upper end instead of "
            f"{value:.6g}): it has a kink or a jump, and no such function is in the space; or a derivative jumps at a "
            "place that is not among `breaks`."
        )


def _price(beta: Float[np.ndarray, " k"], matrix: Float[np.ndarray, "k k"], whole: Any, size: float) -> float:
    """beta^T M^-1 beta; infinite where beta is outside of the range of M. `whole`: what M is over all neurons."""
    values, vectors = np.linalg.eigh(matrix)
    parts, none = vectors.T @ beta, values <= _FLAT * whole
    if np.any(np.abs(parts[none]) > _NONE * size):
        return float(np.inf)
    return float(np.sum(parts[~none] ** 2 / values[~none]))
