r"""The inner problem of `JKO`: one variational step of particles on a line, by Newton's method.

With the order kept, $W_2^2 = \sum_i w_i (x_i - z_i)^2$ for particles that move from z to x, and the step minimises

$$G(x) = s F(x) + \tfrac12 \sum_i w_i (x_i - z_i)^2,\qquad
F(x) = R(f) + \sum_i w_i\,\mathrm{pen}(x_i)
       - T \sum_i w_i\,\mathrm{vol}(x_i) - T \sum_g m_g \log\frac{x_{g+1} - x_g}{m_g}.$$

The last sum is the entropy of the density that is constant between neighbours: a gap holds half the mass of either
end, and one to a wall half the mass of its one particle. Without a wall there is no outer gap: the pressure T rho is
zero at infinity.

Rows of the gradient are divided by w_i, so that particles of weight zero move as test particles. Then

$$r_i = x_i - z_i + s\,[\psi'(x_i) - T\,\mathrm{vol}'(x_i)]
        - \tfrac{sT}{w_i}\Big[\tfrac{m_{i-1/2}}{x_i - x_{i-1}} - \tfrac{m_{i+1/2}}{x_{i+1} - x_i}\Big],
\qquad J = A + B\,C\,B^T W,$$

A tridiagonal (diagonal at T = 0), $B_{iq} = \phi'(x_i, q)$ and $C_q = s\,\mu_q\,\ell''_q$ of the Q data nodes. With
Q < N, $J^{-1} r$ costs O(N Q^2) (Woodbury), else O(N^3) with the tables of the data taken in pieces.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.measure import split
from widelimit.numerics import Line, entries, line_search, sum_chunks
from widelimit.problem import Problem
from widelimit.problem.data import require_nodes

# Newton's error is the square of its last step (in units of 1 + max|x|): the step after this one is below rounding.
_LAST_STEP = 1e-9
_MOST_ITERATIONS = 60
# A step that closes a gap stops short of it.
_TO_THE_BOUNDARY = 0.9
# The least curvature of the model in units of the distance's own: where psi bends down more than W_2 bends up,
# the model is made convex, and the direction goes down.
_LEAST_CURVATURE = 0.1


class Inner(eqx.Module):
    """The data of one step. `old`: z, not decreasing. `heat`: T, or None for T = 0. `size`: s. `walls`: which of the
    two ends are finite."""

    problem: Problem
    old: Float[Array, " N"]
    weights: Float[Array, " N"]
    size: Float[Array, ""]
    heat: Float[Array, ""] | None
    lower: Any
    upper: Any
    walls: tuple[bool, bool] = eqx.field(static=True)


class Found(NamedTuple):
    """The minimiser, Newton's last step over 1 + max|x| (long where G would not fall along it: not solved), and the
    number of iterations."""

    x: Float[Array, " N"]
    last: Float[Array, ""]
    iterations: Array


def minimise(inner: Inner) -> Found:
    """x from z by Newton's method with walls projected, gaps kept open, and G falling in every iteration."""

    def body(carry: tuple[Any, ...]) -> tuple[Any, ...]:
        x, _, count, _ = carry
        gradient, direction = _newton(inner, x)
        line = _descend(inner, x, gradient, direction)
        # Against a wall the direction may be long while nothing moves.
        wanted = jnp.max(jnp.abs(_clip(inner, x + direction) - x))
        return line.point, wanted / (1.0 + jnp.max(jnp.abs(x))), count + 1, line.found

    def running(carry: tuple[Any, ...]) -> Any:
        _, last, count, moves = carry
        # Written so that a NaN ends the loop.
        return (last > _LAST_STEP) & (count < _MOST_ITERATIONS) & moves

    start = (inner.old, jnp.asarray(jnp.inf), jnp.zeros((), jnp.int64), jnp.asarray(True))
    return Found(*jax.lax.while_loop(running, body, start)[:3])


def energy(inner: Inner, x: Float[Array, " N"]) -> Float[Array, ""]:
    """F(x)."""
    rho = inner.problem.pack(_theta(inner, x), inner.weights)
    total = inner.problem.objective(rho)
    if inner.heat is None:
        return total
    gaps, masses = _gaps(inner, x)
    entropy = jnp.sum(masses * jnp.log(masses / gaps)) - jnp.sum(inner.weights * _volume(inner, x)[0])
    return total + inner.heat * entropy


def _merit(inner: Inner, x: Float[Array, " N"]) -> Float[Array, ""]:
    return inner.size * energy(inner, x) + 0.5 * jnp.sum(inner.weights * (x - inner.old) ** 2)


def _descend(inner: Inner, x: Any, gradient: Any, direction: Any) -> Line:
    """The first of the projected steps 1, 1/2, 1/4, ... that lets G fall enough."""
    now = _merit(inner, x)

    def trial(length: Any) -> tuple[Any, Any, Any]:
        new = _clip(inner, x + length * direction)
        return new, _merit(inner, new), jnp.sum(inner.weights * gradient * (new - x))

    # G is a sum of terms of either sign: a fall below their rounding cannot be seen.
    slack = 1e-14 * (jnp.abs(now) + inner.size)
    return line_search(trial, x, now, first=_longest(inner, x, direction), slack=slack)


def _longest(inner: Inner, x: Any, direction: Any) -> Any:
    """1, or less where a gap would close at T > 0."""
    if inner.heat is None:
        return jnp.ones(())
    gaps, _ = _gaps(inner, x)
    rate = -_differences(inner, direction, 0.0, 0.0)
    closing = rate > 0
    room = jnp.where(closing, gaps / jnp.where(closing, rate, 1.0), jnp.inf)
    return jnp.minimum(1.0, _TO_THE_BOUNDARY * jnp.min(room, initial=jnp.inf))


def _clip(inner: Inner, x: Any) -> Any:
    return jnp.clip(x, inner.lower, inner.upper)


def _newton(inner: Inner, x: Any) -> tuple[Any, Any]:
    """The gradient r of G, rows over w_i, and the direction -J^-1 r; both zero where a wall holds a particle."""
    force, bending, coupling = _couple(inner, x)
    own1, own2 = _own(inner, x)
    gradient = x - inner.old + inner.size * (force + own1)
    middle = jnp.maximum(1.0 + inner.size * (bending + own2), _LEAST_CURVATURE)
    before = after = jnp.zeros_like(x)
    if inner.heat is not None:
        push, (before, heated, after) = _pressure(inner, x, inner.heat)
        gradient, middle = gradient + push, middle + heated
    held = ((x <= inner.lower) & (gradient > 0)) | ((x >= inner.upper) & (gradient < 0))
    free = jnp.where(held, 0.0, 1.0)
    gradient = free * gradient
    return gradient, -coupling.solve(_Band(before, middle, after), free, inner.weights, gradient)


class _Band(NamedTuple):
    """A tridiagonal matrix by rows: entries before, on and after the diagonal."""

    before: Float[Array, " N"]
    middle: Float[Array, " N"]
    after: Float[Array, " N"]

    def solve(self, right: Float[Array, "N K"]) -> Float[Array, "N K"]:
        return jax.lax.linalg.tridiagonal_solve(self.before, self.middle, self.after, right)


class _Thin(NamedTuple):
    """B C B^T of fewer data nodes than particles: B = `first` [N, Q], C = `curve` [Q]."""

    first: Float[Array, "N Q"]
    curve: Float[Array, " Q"]

    def solve(self, band: _Band, free: Any, w: Any, right: Any) -> Any:
        r"""$J^{-1} r = y - Y (I + C B^T W Y)^{-1} C B^T W y$ with y = A^-1 r and Y = A^-1 B."""
        first = free[:, None] * self.first
        solved = band.solve(jnp.concatenate([right[:, None], first], axis=1))
        y, table = solved[:, 0], solved[:, 1:]
        rows = self.curve[:, None] * first.T * w
        return y - table @ jnp.linalg.solve(jnp.eye(rows.shape[0]) + rows @ table, rows @ y)


class _Thick(NamedTuple):
    """B C B^T as it is, for more data nodes than particles."""

    matrix: Float[Array, "N N"]

    def solve(self, band: _Band, free: Any, w: Any, right: Any) -> Any:
        full = jnp.diag(band.middle) + jnp.diag(band.after[:-1], 1) + jnp.diag(band.before[1:], -1)
        return jnp.linalg.solve(full + free[:, None] * self.matrix * (free * w), right)


def _couple(inner: Inner, x: Any) -> tuple[Any, Any, _Thin | _Thick]:
    """The data's part of psi' and psi'' at the particles, and what couples them."""
    problem, n = inner.problem, x.shape[0]
    nodes = require_nodes(problem.data, "JKO")
    factor = problem.scale.factor(n)
    f = problem.predict(problem.pack(_theta(inner, x), inner.weights), nodes.x)
    slope = jax.grad(problem.loss)

    def piece(points: Any, y: Any, f: Any, mu: Any) -> tuple[Any, Any, _Thin]:
        dual, bend = jax.vmap(lambda f, y: jax.jvp(lambda g: slope(g, y), (f,), (jnp.ones_like(f),)))(f, y)
        first, second = _derivatives(inner, x, points)
        # A loss that is not convex there enters as a flat one: the model stays convex.
        curve = inner.size * mu * jnp.maximum(bend, 0.0)
        return factor * first @ (mu * dual), factor * second @ (mu * dual), _Thin(factor * first, curve)

    def dense(*arrays: Any) -> tuple[Any, Any, _Thick]:
        force, bending, thin = piece(*arrays)
        return force, bending, _Thick((thin.first * thin.curve) @ thin.first.T)

    if nodes.weights.shape[0] < n:
        return piece(nodes.x, nodes.y, f, nodes.weights)
    size = max(1, entries(problem.budget) // n)
    return sum_chunks(dense, (nodes.x, nodes.y, f), nodes.weights, size)


def _theta(inner: Inner, x: Any) -> Any:
    return split(inner.problem.blocks, x[:, None])


def _derivatives(inner: Inner, x: Any, points: Any) -> tuple[Any, Any]:
    """phi' and phi'' in the one parameter at all pairs, [N, q] each."""

    def one(place: Any, point: Any) -> Any:
        return _twice(lambda t: inner.problem.unit(split(inner.problem.blocks, t[None]), point), place)[1:]

    return jax.vmap(lambda place: jax.vmap(lambda point: one(place, point))(points))(x)


def _own(inner: Inner, x: Any) -> tuple[Any, Any]:
    """First and second derivative of penalty - T vol."""
    penalty, blocks = inner.problem.penalty, inner.problem.blocks
    first = second = jnp.zeros_like(x)
    if penalty is not None:
        _, first, second = jax.vmap(lambda place: _twice(lambda t: penalty(split(blocks, t[None])), place))(x)
    if inner.heat is not None:
        _, one, two = _volume(inner, x)
        first, second = first - inner.heat * one, second - inner.heat * two
    return first, second


def _volume(inner: Inner, x: Any) -> tuple[Any, Any, Any]:
    """The log-volume of the parameter of a reduced problem, and its two derivatives."""
    problem = inner.problem
    return jax.vmap(lambda place: _twice(lambda t: problem.log_volume(split(problem.blocks, t[None])), place))(x)


def _twice(function: Any, place: Any) -> tuple[Any, Any, Any]:
    """Value, first and second derivative of a function of one number."""
    one = jnp.ones_like(place)

    def both(t: Any) -> Any:
        return jax.jvp(function, (t,), (one,))

    (value, first), (_, second) = jax.jvp(both, (place,), (one,))
    return value, first, second


def _differences(inner: Inner, x: Any, lower: Any, upper: Any) -> Any:
    """Differences of neighbours, with the two ends where there are walls."""
    ends = [jnp.atleast_1d(lower)] if inner.walls[0] else []
    others = [jnp.atleast_1d(upper)] if inner.walls[1] else []
    return jnp.diff(jnp.concatenate([*ends, x, *others]))


def _gaps(inner: Inner, x: Any) -> tuple[Any, Any]:
    """The gaps between neighbours, those to the walls included, and the masses they hold."""
    half, none = 0.5 * inner.weights, jnp.zeros(1)
    both = half[1:] + half[:-1]
    left = half[:1] if inner.walls[0] else none[:0]
    right = half[-1:] if inner.walls[1] else none[:0]
    return _differences(inner, x, inner.lower, inner.upper), jnp.concatenate([left, both, right])


def _pressure(inner: Inner, x: Any, heat: Any) -> tuple[Any, tuple[Any, Any, Any]]:
    """The entropy's part of the gradient, and of J by rows: before, on and after the diagonal."""
    gaps, masses = _gaps(inner, x)
    scale = inner.size * heat / inner.weights
    none = jnp.zeros(1)

    # All outer gaps, so that the gaps left and right of each particle are two slices.
    left = none[:0] if inner.walls[0] else none
    right = none[:0] if inner.walls[1] else none
    push = jnp.concatenate([left, masses / gaps, right])
    bend = jnp.concatenate([left, masses / gaps**2, right])
    before, after = bend[:-1].at[0].set(0.0), bend[1:].at[-1].set(0.0)
    return scale * (push[1:] - push[:-1]), (-scale * before, scale * (bend[1:] + bend[:-1]), -scale * after)
