r"""Knots at which the regression lines of a target join: the stationary atoms of yarotsky2018 A.5.

Unknowns: h_1 < ... < h_M in [A, B), h_{M+1} = B. The prediction is the regression line of f on each [h_i, h_{i+1}] and
continuous at the knots. Without mass at h < A it is 0 left of h_1, so the first line starts at 0; with it, [A, h_1]
has a regression line as well. Jacobian: tridiagonal, from `_spline_target`.

**How many there are.** With e_a, e_b the errors f - line at the ends,

$$e_a = \frac{1}{L^2} \int_a^b f''(x)\,(x - a)(b - x)^2\,dx,\quad
  e_b = \frac{1}{L^2} \int_a^b f''(x)\,(x - a)^2 (b - x)\,dx.$$

Let f'' > 0. Then e_b falls strictly in a, so from h_M the knots h_{M-1}, ..., h_1 follow one after another, each
uniquely: e_b(h_{i-1}, h_i) = e_a(h_i, h_{i+1}). All families are the roots of one function F of h_M.

Let log f'' be concave too. Row i of the Jacobian of these equations has negative off-diagonals and the sum
$\langle f''' \rangle_{left} - \langle f''' \rangle_{right}$ in the kernels above, that is
$d\,(\langle f'''/f'' \rangle_{left} - \langle f'''/f'' \rangle_{right}) \ge 0$, d the common error. Hence, along the
shooting, $h_1' \ge h_2' \ge \dots \ge h_M' = 1$; the h_M whose knots fit into [A, B] make up one interval that ends at
B; and where F = 0

- with mass at h < A: F' > 0, so there is exactly one family for each M (for mean best approximation by such splines:
  Barrow, Chui, Smith, Ward 1978);
- without: with f(h_1) = e_a > 0, F' >= (f'(h_1) - f(h_1) <f'''/f''>) h_1' + (a positive term), so there is at most
  one if f' f'' >= f f''' wherever f > 0.

For f'' < 0 the same holds of -f.
"""

import dataclasses
import itertools
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from widelimit.numerics import line_search_on_host

from ._target import Lines, Target

Knots = Float[np.ndarray, " M"]
_EPS = float(np.finfo(float).eps)
_SCAN = 513
_BISECTIONS = 60
_STEPS = 60
# Knots closer than this part of the interval are one knot twice.
_CLOSE = 1e-7


class Found(NamedTuple):
    """Sets of knots; whether these are all there are, and why."""

    knots: list[Knots]
    everything: bool
    reason: str


@dataclasses.dataclass(frozen=True)
class Shape:
    """What a grid says: f'' > 0 or < 0 (`sign`), log |f''| concave, and `rising`, f' f'' >= f f''' where f f'' > 0."""

    sign: int
    concave_log: bool
    rising: bool


def quadratic(target: Target) -> Float[np.ndarray, "3"] | None:
    """(gamma, beta, alpha) of f = alpha (x - B)^2 + beta (x - B) + gamma; None where f is none to rounding."""
    u = np.cos(np.pi * (np.arange(33) + 0.5) / 33)
    y = target(target.lower + 0.5 * target.length * (1.0 + u))
    fitted = np.polynomial.polynomial.polyfit(0.5 * (u - 1.0), y, 2)
    off = y - np.polynomial.polynomial.polyval(0.5 * (u - 1.0), fitted)
    if np.max(np.abs(off)) > 64.0 * _EPS * target.size:
        return None
    if abs(fitted[2]) <= 256.0 * _EPS * target.size:
        fitted[2] = 0.0
    return fitted / target.length ** np.arange(3)


def in_closed_form(target: Target, parts: Float[np.ndarray, "3"], count: int, left: bool) -> Found:
    r"""f'' = 2 alpha: the errors at the ends of an interval are alpha Delta^2/6, so the knots are equally spaced.

    With mass at h < A: Delta = (B - A)/(M + 1). Without: $f(B - M\Delta) = \alpha\Delta^2/6$, a quadratic equation.
    """
    reason = "f'' is constant, and the equations have a closed form"
    lower, upper = target.lower, target.upper
    if left:
        return Found([np.linspace(lower, upper, count + 2)[1:-1]], True, reason)
    gamma, beta, alpha = parts
    found = []
    for step in _roots(alpha * (count**2 - 1.0 / 6.0), -beta * count, gamma):
        first = upper - count * step
        # A knot at A itself, but for rounding, is one.
        if step > 0.0 and first >= lower - 256.0 * _EPS * target.length:
            found.append(np.maximum(first + step * np.arange(count), lower))
    return Found(found, True, reason)


def _roots(a: float, b: float, c: float) -> list[float]:
    """The real roots of a x^2 + b x + c, a != 0, without cancellation."""
    inside = b * b - 4.0 * a * c
    if inside < 0.0:
        return []
    q = -0.5 * (b + np.copysign(np.sqrt(inside), b))
    return sorted({q / a, c / q if q != 0.0 else 0.0}, reverse=True)


def by_shooting(target: Target, shape: Shape, count: int, left: bool) -> Found:
    """All roots of F on a scan of h_M, for f'' of one sign; then Newton's method on the knots."""
    # Evenly, and ever closer to B, where the last knot is if f'' grows fast.
    near = np.concatenate([np.linspace(1.0, 0.0, _SCAN)[1:-1], np.geomspace(1e-6, 0.5, _SCAN // 4)])
    grid = np.unique(target.upper - target.length * near)
    chains, values = _shoot(target, grid, count, left, shape.sign)
    if np.any(np.isfinite(values)):
        # Once more where chains exist: for M knots that is about an M-th of the interval.
        known = np.flatnonzero(np.isfinite(values))
        first = grid[known[0] - 1] if known[0] > 0 else target.lower
        last = grid[known[-1] + 1] if known[-1] + 1 < len(grid) else target.upper
        grid = np.linspace(first, last, _SCAN)[1:-1]
        chains, values = _shoot(target, grid, count, left, shape.sign)
    found = _polished(target, _brackets(chains, values), left)
    proven = shape.concave_log and (left or shape.rising)
    if proven and _as_proven(target, shape.sign, values, len(found), left):
        reason = "f'' has one sign and log |f''| is concave" + (
            "" if left else ", and f' f'' >= f f''' where f f'' > 0"
        )
        reason += f", which leaves {'exactly' if left else 'at most'} one (checked on a grid)"
        return Found(found, True, reason)
    reason = "f'' has one sign, so all are roots of one function of the last knot, which was scanned"
    return Found(found, False, reason)


def _as_proven(target: Target, sign: int, values: Float[np.ndarray, " n"], number: int, left: bool) -> bool:
    """Whether the search found as many as there must be.

    With mass at h < A exactly one; without, one where F changes its sign on the way to its limit f(B), and at most
    one otherwise.
    """
    known = values[np.isfinite(values)]
    end = float(target(target.ends[-1:], left=True)[0])
    if left or (len(known) > 0 and sign * known[0] < 0.0 < sign * end):
        return number == 1
    return len(known) > 0 and number <= 1


def _shoot(
    target: Target, last: Float[np.ndarray, " n"], count: int, left: bool, sign: int
) -> tuple[Float[np.ndarray, "n M"], Float[np.ndarray, " n"]]:
    """The knots that follow from each h_M and F there: the jump at h_1; NaN where they do not fit into [A, B]."""
    chain, right = [last], np.full_like(last, target.upper)
    lower = np.full_like(last, target.lower)
    with np.errstate(invalid="ignore", divide="ignore"):
        for _ in range(count - 1):
            aim, _ = target.rough_ends(chain[0], right)
            right, b = chain[0], chain[0]
            fits = sign * (target.rough_ends(lower, b)[1] - aim) <= 0.0
            low, high = lower, b
            for _ in range(_BISECTIONS):
                middle = 0.5 * (low + high)
                below = sign * (target.rough_ends(middle, b)[1] - aim) <= 0.0
                low, high = np.where(below, middle, low), np.where(below, high, middle)
            chain.insert(0, np.where(fits, 0.5 * (low + high), np.nan))
        start, _ = target.rough_ends(chain[0], right)
        value = start - target.rough_ends(lower, chain[0])[1] if left else start
    return np.stack(chain, axis=1), value


def _brackets(chains: Float[np.ndarray, "n M"], values: Float[np.ndarray, " n"]) -> list[Knots]:
    """Starts for Newton's method: where F changes its sign, where |F| is least, and the ends of the scan."""
    known = np.flatnonzero(np.isfinite(values))
    if len(known) == 0:
        return []
    starts = [chains[known[0]], chains[known[-1]]]
    for i, j in itertools.pairwise(known):
        if values[i] * values[j] <= 0.0 and values[i] != values[j]:
            t = values[i] / (values[i] - values[j])
            starts.append((1.0 - t) * chains[i] + t * chains[j])
    size = np.abs(values[known])
    dips = np.flatnonzero((size[1:-1] <= size[:-2]) & (size[1:-1] <= size[2:])) + 1
    return starts + [chains[known[i]] for i in dips]


def by_search(target: Target, count: int, left: bool, starts: int, seed: int = 0) -> Found:
    """Newton's method from equal spacing and from random knots."""
    rng = np.random.default_rng(seed)
    random = target.lower + target.length * np.sort(rng.uniform(size=(starts - 1, count)), axis=1)
    rows = np.concatenate([np.linspace(target.lower, target.upper, count + 2)[None, 1:-1], random])
    reason = f"Newton's method from {starts} starts; there may be more"
    return Found(_polished(target, _approached(target, rows, left), left), False, reason)


def _approached(target: Target, rows: Float[np.ndarray, "n M"], left: bool) -> list[Knots]:
    """Where Newton's method, all starts at once, ends with small jumps; each place once.

    A step goes no farther than where a gap has shrunk to a tenth.
    """
    for _ in range(_STEPS):
        jumps, slopes = _jumps(target.rough_lines(_edges(target, rows, left)), left)
        try:
            step = np.linalg.solve(slopes, jumps[..., None])[..., 0]
        except np.linalg.LinAlgError:
            step = (np.linalg.pinv(slopes) @ jumps[..., None])[..., 0]
        # The gap to A counts without mass at h < A as well: the knots stay inside.
        gaps = np.maximum(np.diff(_edges(target, rows, True), axis=1), _CLOSE * target.length)
        shrink = np.diff(np.pad(step, ((0, 0), (1, 1))), axis=1) / gaps
        rows = rows - np.minimum(1.0, 0.9 / np.maximum(np.max(shrink, axis=1), 1e-12))[:, None] * step
    jumps, _ = _jumps(target.rough_lines(_edges(target, rows, left)), left)
    small = np.max(np.abs(jumps), axis=1) < 1e-7 * target.size
    places = np.round(rows[small] / (_CLOSE * target.length))
    return list(rows[small][np.unique(places, axis=0, return_index=True)[1]])


def _polished(target: Target, starts: list[Knots], left: bool) -> list[Knots]:
    """What Newton's method finds from the starts, each once, from left to right; isolated solutions only."""
    found: list[Knots] = []
    for start in starts:
        knots = _newton(target, start, left)
        if knots is not None and not any(np.max(np.abs(knots - k)) < _CLOSE * target.length for k in found):
            found.append(knots)
    return sorted(found, key=lambda knots: tuple(knots))


def _newton(target: Target, knots: Knots, left: bool) -> Knots | None:
    if not _apart(target, knots, left, _CLOSE * target.length):
        return None
    jumps, slopes = _jumps(target.lines(_edges(target, knots, left)), left)
    for _ in range(_STEPS):
        if not _isolated(slopes):
            return None
        new = _damped(target, knots, np.linalg.solve(slopes, jumps), float(np.max(np.abs(jumps))), left)
        if new is None:
            break
        knots = new
        jumps, slopes = _jumps(target.lines(_edges(target, knots, left)), left)
    # The jumps of a solution are rounding: of lines through values of the size of f.
    settled = np.max(np.abs(jumps)) <= 256.0 * _EPS * target.size and _isolated(slopes)
    return knots if settled else None


def _damped(target: Target, knots: Knots, step: Knots, size: float, left: bool) -> Knots | None:
    """The longest of the steps t = 1, 1/2, ... that keeps the order and lessens the jumps; None without one."""

    def trial(t: float) -> tuple[Knots, float, float]:
        tried = knots - t * step
        if not _apart(target, tried, left, _CLOSE * target.length):
            return tried, np.inf, 0.0
        jumps, _ = _jumps(target.lines(_edges(target, tried, left)), left)
        return tried, float(np.max(np.abs(jumps))), -t * size

    return line_search_on_host(trial, None, size, most=12, part=0.1).point


def _isolated(slopes: Float[np.ndarray, "M M"]) -> bool:
    return bool(np.all(np.isfinite(slopes))) and bool(np.linalg.cond(slopes) < 1e12)


def _edges(target: Target, knots: Float[np.ndarray, "... M"], left: bool) -> Float[np.ndarray, "... E"]:
    """The ends of the intervals with a regression line."""
    first = np.full((*knots.shape[:-1], 1 if left else 0), target.lower)
    return np.concatenate([first, knots, np.full((*knots.shape[:-1], 1), target.upper)], axis=-1)


def _apart(target: Target, knots: Knots, left: bool, least: float) -> bool:
    """Whether the knots ascend with gaps of at least `least`, inside [A, B)."""
    return bool(np.all(np.diff(_edges(target, knots, left)) >= least)) and bool(knots[0] >= target.lower)


def _jumps(found: Lines, left: bool) -> tuple[Float[np.ndarray, "... M"], Float[np.ndarray, "... M M"]]:
    """The jumps of the prediction at the knots, and their derivatives [..., i, j] in h_j."""
    # Without mass at h < A nothing stands left of the first knot: a line of zeros.
    lines = found if left else Lines(*(np.concatenate([0.0 * row[..., :1], row], axis=-1) for row in found))
    width = lines.width if left else np.concatenate([found.width[..., :1], found.width], axis=-1)
    jumps = lines.start[..., 1:] - lines.end[..., :-1]
    count = jumps.shape[-1]
    i = np.arange(count)
    table = np.zeros((*jumps.shape, count))
    leaving = lines.slope[..., 1:] - 4.0 * lines.start_error[..., 1:] / width[..., 1:]
    table[..., i, i] = leaving - lines.slope[..., :-1] - 4.0 * lines.end_error[..., :-1] / width[..., :-1]
    inner = slice(1, -1)
    table[..., i[:-1], i[1:]] = -2.0 * (lines.end_error / width)[..., inner]
    table[..., i[1:], i[:-1]] = -2.0 * (lines.start_error / width)[..., inner]
    return jumps, table
