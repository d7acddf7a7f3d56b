r"""The inner problem of `EntropicJKO`: one entropic variational step of the masses of cells, by scalings.

With cells of volume h_j and centres x_j, and K the Gaussian kernel of standard deviation `blur`, blur^2 = eps s, the
step from masses m minimises over couplings Gamma with first marginal m and second marginal n

$$\sum_{ij} \Gamma_{ij} \frac{|x_i - x_j|^2}{2s} + \varepsilon \sum_{ij} \Gamma_{ij} \log\frac{\Gamma_{ij}}{m_i h_j d_j}
  + E(n) + \Big(T - \frac{\varepsilon}{2}\Big) \sum_j n_j \log\frac{n_j}{h_j}.$$

d is such that d K d conserves the uniform density; it is constant but near walls. For convex E the problem is convex:
the KL term is eps times the mutual information, convex in Gamma with its first marginal given, plus eps times the
entropy of n. With the density g = n/h and psi = dE/dn, the minimum is

$$\Gamma_{ij} = m_i \frac{K_{ij} h_j b_j}{(K h b)_i},\qquad
  \log b = c - \psi/\varepsilon,\qquad c = \log d - \frac{T - \varepsilon/2}{\varepsilon} \log g,\qquad
  g = b\,K \frac{m}{K h b}.$$

Any b gives masses n = h g that are positive and sum to those of m.
"""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.measure import Grid
from widelimit.problem import Problem

from ..grid._cells import Cells, predictions, slopes_at

# Residuals in total variation. Rounding: 1e-16 times logarithms of up to 1e3.
_INNER = 1e-11
_OUTER = 1e-10
# Change of c below which a sweep is nearly linear in the error.
_NEAR = 0.1
# A density below this part of its largest counts as none in the first guess.
_EMPTY = 1e-8
_MOST_SWEEPS = 5000
_MOST_ROUNDS = 60
# Residuals that Anderson's method combines.
_DEPTH = 5


class Kernel(eqx.Module):
    """K on a grid. `points`: centres of each axis over blur sqrt(P); `log_h`, `log_d`: [N]."""

    points: tuple[Float[Array, " _"], ...]
    log_h: Float[Array, " N"]
    log_d: Float[Array, " N"]

    def log_sum(self, logs: Float[Array, " N"]) -> Float[Array, " N"]:
        """log SUM_j K_ij exp(logs_j), one axis after the other."""
        from ott.geometry import costs, grid

        # exp(-|x - y|^2 / 2): ott's cost is |x - y|^2.
        geometry = grid.Grid(x=self.points, cost_fns=[costs.SqEuclidean()], epsilon=2.0)
        total, _ = geometry.apply_lse_kernel(jnp.zeros_like(logs), 2.0 * logs, 2.0, axis=1)
        return 0.5 * total


class Inner(eqx.Module):
    """The data of one step. `heat`: T; `eps`: blur^2 / s."""

    problem: Problem
    cells: Cells
    kernel: Kernel
    log_m: Float[Array, " N"]
    eps: Float[Array, ""]
    heat: Float[Array, ""]


class Found(NamedTuple):
    """log g, c, the residual of f over 1 + |f|, and the number of sweeps."""

    log_g: Float[Array, " N"]
    c: Float[Array, " N"]
    residual: Float[Array, ""]
    sweeps: Array


class _Round(NamedTuple):
    """A guess of f, what it gives, and the differences of the rounds before it."""

    f: Any
    found: Found
    change: Any
    guesses: Any
    changes: Any
    count: Any


class _Sweep(NamedTuple):
    """c, the c before it, log g at it, the L1 norm of the change of c, whether that was small, whether to use
    inertia."""

    c: Float[Array, " N"]
    before: Float[Array, " N"]
    log_g: Float[Array, " N"]
    error: Any
    small: Any
    ball: Any
    count: Any


@eqx.filter_jit
def kernel_of(grid: Grid, blur: Float[Array, " D"]) -> Kernel:
    """The kernel of standard deviations `blur`, one an axis, with d K h d = 1.

    The symmetric scaling takes geometric means of successive iterates, which halves the error at least.
    """
    log_h = jnp.log(grid.volumes).ravel()
    plain = Kernel(tuple(x / size for x, size in zip(grid.centres, blur, strict=True)), log_h, jnp.zeros_like(log_h))

    def mean(_: Any, logs: Any) -> Any:
        return 0.5 * (logs - plain.log_sum(log_h + logs))

    return Kernel(plain.points, log_h, jax.lax.fori_loop(0, 60, mean, plain.log_d))


def raised(kernel: Kernel, masses: Float[Array, " N"]) -> Float[Array, " N"]:
    """log g of masses, empty cells raised: the guess for a first step."""
    log_g = jnp.log(jnp.maximum(masses, 1e-300)) - kernel.log_h
    return jnp.maximum(log_g, jnp.max(log_g) + math.log(_EMPTY))


def minimise(inner: Inner, masses: Float[Array, " N"], log_g: Float[Array, " N"]) -> Found:
    """The step from `masses`; log g is a first guess.

    psi depends on n through the predictions f alone. Outer rounds solve f = f(n(psi(f))): that map contracts with
    -s times the tangent kernel times the loss's curvature, and Anderson's method takes care of its large eigenvalues.
    """
    first = _predictions(inner, masses)
    c = inner.kernel.log_d - (inner.heat / inner.eps - 0.5) * log_g
    found, change = _evaluate(inner, first, c)
    none = jnp.zeros((_DEPTH, *first.shape))
    start = _Round(first, found, change, none, none, jnp.zeros((), jnp.int64))

    def running(now: _Round) -> Any:
        residual = now.found.residual
        return (residual > _OUTER) & jnp.isfinite(residual) & (now.count < _MOST_ROUNDS)

    return jax.lax.while_loop(running, lambda now: _next(inner, now), start).found


def _next(inner: Inner, now: _Round) -> _Round:
    """A round of Anderson's method: the combination of the last guesses with the least change, moved by that change."""
    mu = inner.cells.nodes.weights
    scale = jnp.sqrt(mu).reshape((-1, *(1,) * (now.f.ndim - 1)))
    table = (now.changes * scale).reshape(_DEPTH, -1)
    mix, *_ = jnp.linalg.lstsq(table.T, (now.change * scale).ravel(), rcond=1e-8)
    f = now.f + now.change - jnp.tensordot(mix, now.guesses + now.changes, axes=1)
    found, change = _evaluate(inner, f, now.found.c)
    found = found._replace(sweeps=now.found.sweeps + found.sweeps)
    place = now.count % _DEPTH
    guesses = now.guesses.at[place].set(f - now.f)
    changes = now.changes.at[place].set(change - now.change)
    return _Round(f, found, change, guesses, changes, now.count + 1)


def _evaluate(inner: Inner, f: Any, c: Any) -> tuple[Found, Any]:
    """The step with psi taken at predictions f, and by how much its own predictions differ from f."""
    c, log_g, solved, sweeps = _scale(inner, _potential(inner, f), c)
    change = _predictions(inner, jnp.exp(inner.kernel.log_h + log_g)) - f
    mu = inner.cells.nodes.weights

    def size(values: Any) -> Any:
        return jnp.sqrt(jnp.sum(mu @ values.reshape(mu.shape[0], -1) ** 2))

    return Found(log_g, c, jnp.where(solved, size(change) / (1.0 + size(f)), jnp.inf), sweeps), change


def _scale(inner: Inner, psi: Any, c: Any) -> tuple[Any, Any, Any, Any]:
    """c, log g, whether they solve the problem at fixed psi, and the number of sweeps."""
    no = jnp.asarray(False)
    start = _Sweep(c, c, jnp.zeros_like(c), jnp.asarray(jnp.inf), no, ~no, jnp.zeros((), jnp.int64))
    # log b is a difference of numbers as large as psi / eps.
    enough = _INNER + 8.0 * jnp.finfo(float).eps * jnp.max(jnp.abs(psi)) / inner.eps

    def running(now: _Sweep) -> Any:
        return (now.error > enough) & (now.count < _MOST_SWEEPS)

    last = jax.lax.while_loop(running, lambda now: _sweep(inner, psi, now), start)
    return last.c, last.log_g, last.error <= enough, last.count


def _sweep(inner: Inner, psi: Any, now: _Sweep) -> _Sweep:
    """One evaluation of c, and a step towards it.

    With a = -(T - eps/2)/(T + eps/2), in (-1, 1], and P the coupling's Markov operator, a sweep changes an error e by
    -(1 + a P) e. In the largest norm P is a contraction, however far (Birkhoff); in L2(n) it is symmetric with spectrum
    in [0, 1].

    - a > 0: the step 2/(2 + a) leaves at most a/(2 + a) of a small error, and no more than 1 in the largest norm.
    - a < 0: the step 1 leaves |a|. The heavy ball leaves (1 - r)/(1 + r), r^2 = 1 - |a|, but where psi drives mass
      across empty cells the error there may grow first. Then it is given up.
    """
    kernel, eps = inner.kernel, inner.eps
    tilt = inner.heat - 0.5 * eps
    a = -tilt / (eps + tilt)
    log_b = now.c - psi / eps
    log_g = log_b + kernel.log_sum(inner.log_m - kernel.log_sum(kernel.log_h + log_b))
    change = (eps * kernel.log_d - tilt * (log_g - now.c)) / (eps + tilt) - now.c
    masses = jnp.exp(kernel.log_h + log_g)
    # Constants leave g as it is; P is 1 on them.
    mean = jnp.sum(masses * change) / jnp.sum(masses)
    change = change - mean
    small = jnp.max(jnp.abs(change)) < _NEAR
    ball = now.ball & (small | ~now.small)
    root = jnp.sqrt(jnp.where(ball & small, jnp.minimum(1.0 + a, 1.0), 1.0))
    step, inertia = 4.0 / (1.0 + root) ** 2 / (1.0 + 0.5 * jnp.maximum(a, 0.0)), ((1.0 - root) / (1.0 + root)) ** 2
    shift = mean / (1.0 + a)
    c = now.c + shift + step * change + inertia * (now.c - now.before)
    error = jnp.sum(masses * jnp.abs(change))
    return _Sweep(c, now.c + shift, log_g, error, small, ball, now.count + 1)


def _predictions(inner: Inner, masses: Any) -> Any:
    return predictions(inner.problem, inner.cells, masses.reshape(inner.cells.grid.shape))


def _potential(inner: Inner, f: Any) -> Any:
    """psi at the centres for predictions f, with the volume's part."""
    cells = inner.cells
    psi = cells.table.pull(inner.problem, slopes_at(inner.problem, cells, f)) + cells.penalty
    # The kernel knows the volumes of the cells; those of the reference measure may be others.
    return psi.ravel() - inner.heat * (cells.log_volumes.ravel() - inner.kernel.log_h)
