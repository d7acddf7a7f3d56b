r"""Fluctuations of networks of any width to first order: one set of directions serves all widths.

$f_n = f_0 + n^{-1/2} \int \dots$: to first order a network of n neurons computes $f_0 + n^{-1/2} a + b$ with a, a
Gaussian function, of which neurons it starts with, and b of which batches it sees; both are linear in what is random.
A few a and b together give many curves $R(f_0 \pm n^{-1/2} a_k \pm b_m)$. There is no second order here, so the mean of
f_n does not move: the bias of the risk is left out. K directions of N particles in R^D on Q nodes take O(K N D Q)
operations a velocity: nothing is squared in D.
"""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.dynamics import SGD, integrators
from widelimit.measure import Particles, split
from widelimit.problem import Problem
from widelimit.problem.data import Nodes
from widelimit.trajectory import Progress

from ..expansion._draws import Draws
from ..expansion._expansion import Setting
from ..expansion._scheme import Walk, batches, numbered, order_of
from ..expansion._start import setting_of
from ._cheapest import Terms
from ._prediction import mean_of

# The flow's local error, relative and absolute: far below what so few directions leave open.
_RTOL, _ATOL = 1e-4, 1e-6
# Save times of the flow between two looks of the host, and the first step as a part of the time between.
_TOGETHER, _FIRST = 64, 1e-3
# Steps of SGD between two looks of the host.
_STEPS = 256


@dataclasses.dataclass(frozen=True)
class FirstOrder:
    """f on the data's nodes, at `times` [T].

    - `flow` [T]: the risk of the gradient flow.
    - `middle` [T, Q, ...]: f_0. `starts` [T, K, Q, ...]: draws of a. `noise` [T, M, Q, ...]: draws of b, M = 1 and zero
      where nothing is random but the start.
    """

    problem: Problem
    times: Float[np.ndarray, " T"]
    flow: Float[np.ndarray, " T"]
    middle: Float[np.ndarray, "T Q ..."]
    starts: Float[np.ndarray, "T K Q ..."]
    noise: Float[np.ndarray, "T M Q ..."]

    @property
    def limit(self) -> Float[np.ndarray, " T"]:
        """R(f_0)."""
        return _risk_of(self.problem, self.middle)

    def risks(self, width: float) -> Float[np.ndarray, "T M K"]:
        """R of all combinations of a sequence of batches and a start; the two signs of each are neighbours.

        An infinite width has one start.
        """
        a = _signed(self.starts) / width**0.5 if np.isfinite(width) else np.zeros_like(self.starts[:, :1])
        b = _signed(self.noise) if np.any(self.noise) else self.noise
        found = [_risks(self.problem, self.middle[:, None] + a + one[:, None]) for one in np.moveaxis(b, 1, 0)]
        return np.stack([np.asarray(part, float) for part in found], axis=1)

    def draws(self, width: int) -> Draws:
        """The same in the form of drawn networks; there is no second order."""
        risks = self.risks(width)
        # Combinations share their starts and batches: what is independent are the means over one of each, signs paired.
        error = np.hypot(_error_of(risks.mean(axis=1)), _error_of(risks.mean(axis=2)))
        flat = risks.reshape(len(risks), -1)
        return Draws(self.times, self.limit, flat, flat, error)

    def terms(self, step: float | None, batch: float | None) -> Terms:
        """A, B and C at the last time, to first order: A and B without the bias."""
        limit = self.limit[-1]
        width = dataclasses.replace(self, noise=np.zeros_like(self.noise[:, :1])).risks(1.0)[-1].mean() - limit
        if step is None:
            return Terms(float(width), 0.0, 0.0)
        noise = self.risks(np.inf)[-1].mean() - limit
        return Terms(float(width), float(noise) * (batch or 1.0) / step, float(limit - self.flow[-1]) / step)


def first_order(
    problem: Problem,
    start: Particles,
    times: Float[np.ndarray, " T"],
    *,
    directions: int,
    sequences: int = 8,
    key: PRNGKeyArray,
    sgd: SGD | None,
    trainable: Any = None,
    dtype: Any = jnp.float64,
    progress: bool | None = None,
) -> FirstOrder:
    """`directions` draws of the start, along the flow, and `sequences` of batches, along the steps of `sgd`.

    - `times`: in [0, t1]; with an SGD those of its steps; else tau, the integral of the schedule.
    - `trainable`: the blocks that move in the flow; an SGD has its own.
    """
    who = "predict"
    found, rows = setting_of(problem, start, who, trainable if sgd is None else sgd.trainable)
    setting: Setting = jax.tree.map(lambda leaf: leaf.astype(dtype) if eqx.is_inexact_array(leaf) else leaf, found)
    rows = rows.astype(dtype)
    key_start, key_batch = jax.random.split(key)
    z = jax.random.normal(key_start, (directions, len(rows)), dtype)
    root = jnp.sqrt(setting.p)
    mass = root * (z - root * (z @ root)[:, None])
    tau = times if sgd is None else np.array([sgd.schedule.integral(float(t)) for t in times])
    noisy = sgd is not None and sgd.sampling.stochastic
    shown: list[tuple[Any, ...]] = []
    with Progress(float(times[-1]) * (2 if noisy else 1), progress, f"{directions} directions") as bar:
        state, before, each = _begin(setting, rows, mass), 0.0, min(_TOGETHER, len(tau))
        for first in range(0, len(tau), each):
            # The last group is filled up with its last time: so all have one shape.
            group = tau[np.minimum(np.arange(first, first + each), len(tau) - 1)]
            state, seen = _flow(setting, mass, state, jnp.asarray(before, dtype), jnp.asarray(group, dtype))
            shown.append(jax.device_get(seen))
            before = group[-1]
            bar.update(float(times[min(first + each, len(times)) - 1]), first + each)
        middle, starts = (np.concatenate(column)[: len(tau)] for column in zip(*shown, strict=True))
        if not np.all(np.isfinite(middle)) or not np.all(np.isfinite(starts)):
            raise ValueError("predict(t1=...): the expansion around the limit is not finite up to there; shorten t1.")
        flow = _risk_of(problem, middle)
        noise = np.zeros((len(times), 1, *middle.shape[1:]))
        if sgd is not None:
            middle, noise = _along_steps(setting, rows, times, sgd, max(1, sequences if noisy else 1), key_batch, bar)
    return FirstOrder(problem, times, flow, *(np.asarray(part, float) for part in (middle, starts, noise)))


def _along_steps(
    setting: Setting, rows: Any, times: Any, sgd: SGD, sequences: int, key: PRNGKeyArray, bar: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """f_0 of the scheme, and what sequences of batches do to it."""
    data = numbered(setting.nodes)
    keys = jax.random.split(key, (sequences, 1))
    still = jnp.zeros((sequences, len(setting.p)), rows.dtype)
    walk = Walk(jnp.zeros((), jnp.int64), _begin(setting, rows, still), keys, order_of(sgd, data, keys))
    shown = []
    for t in times:
        stop = sgd.clock.reading(float(t))
        while int(walk.k) < stop:
            walk = _steps(setting, sgd, data, walk, jnp.asarray(stop, jnp.int64))
            bar.update(float(times[-1]) + int(walk.k) * float(sgd.step_size), int(walk.k))
        shown.append(jax.device_get(_seen(setting, still, walk.rows)))
    middle, noise = (np.stack(column) for column in zip(*shown, strict=True))
    return middle, noise


State = tuple[Any, Any]
"""Positions theta (blocks of [N, ...]), and their first derivatives along every direction (blocks of [K, N, ...])."""


def _begin(setting: Setting, rows: Float[Array, "N D"], mass: Float[Array, "K N"]) -> State:
    theta = split(setting.problem.blocks, rows)
    return theta, jax.tree.map(lambda leaf: jnp.zeros((len(mass), *leaf.shape), leaf.dtype), theta)


def _velocity(setting: Setting, theta: Any, w: Any, r: Any) -> Any:
    """-P grad psi of the particles (theta, w) on the data with weights mu (1 + r)."""
    x, y, mu = setting.nodes
    v = setting.problem.velocity(theta, setting.problem.variation(theta, w, Nodes(x, y, mu * (1.0 + r))).gradient)
    moves = split(setting.problem.blocks, setting.moves[None])
    return jax.tree.map(lambda part, one: one * part, v, moves)


class _Directions(eqx.Module):
    """The flow of the particles and of their first derivatives, as an integrator wants it."""

    setting: Setting
    mass: Float[Array, "K N"]

    @property
    def jumps(self) -> bool:
        return False

    # The integrator calls it several times: so it is traced once.
    @eqx.filter_jit
    def velocity(self, y: State) -> State:
        r = jnp.zeros_like(self.setting.nodes.weights)
        v, linear = jax.linearize(lambda theta, w: _velocity(self.setting, theta, w, r), y[0], self.setting.p)
        return v, jax.vmap(linear)(y[1], self.mass)

    def retract(self, y: State) -> State:
        return y

    def norm(self, scaled: State) -> Float[Array, ""]:
        """The root mean square of all."""
        return jnp.sqrt(jnp.mean(jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(scaled)]) ** 2))


# Not `diffrax.diffeqsolve`: a program with its checks calls back to the host, and is compiled anew in every process.
@eqx.filter_jit
def _flow(setting: Setting, mass: Any, state: State, start: Any, stops: Float[Array, " t"]) -> tuple[State, Any]:
    """The state at the last of `stops`, and what is seen at all of them, between steps by the method's own quartic.

    What an integration that came to a halt has not reached is NaN.
    """
    field, method = _Directions(setting, mass), integrators.Tsit5(_RTOL, _ATOL)
    end = stops[-1] - start
    # A guess of the first step would compile the velocity twice more; a short one soon grows.
    first = method.start(field, state, end, first=_FIRST * end)

    def reach(carry: Any, stop: Any) -> tuple[Any, Any]:
        now = jax.lax.while_loop(
            lambda now: (now.clock < stop) & ~method.stalled(now), lambda now: method.step(field, now, end), carry[0]
        )
        # The clock is at the stop, beyond it, or came to a halt before it.
        y = jax.tree.map(
            lambda at, within: jnp.where(now.clock > stop, within, jnp.where(now.clock == stop, at, jnp.nan)),
            now.y,
            method.within(field, now, stop),
        )
        return (now, y), _seen(setting, mass, y)

    (_, last), shown = jax.lax.scan(reach, (first, state), stops - start)
    return last, shown


@eqx.filter_jit
def _steps(setting: Setting, sgd: SGD, data: Any, walk: Walk, stop: Any) -> Walk:
    last = jnp.minimum(stop, walk.k + _STEPS)
    still = jnp.zeros_like(setting.p)

    def step(now: Walk) -> Walk:
        length = (sgd.step_size * sgd.clock.at(sgd.schedule, now.k)).astype(still.dtype)
        r, order = batches(sgd, data, now)
        theta, u = now.rows

        def moved(theta: Any, r: Any) -> Any:
            v = _velocity(setting, theta, setting.p, r)
            return setting.problem.retract(jax.tree.map(lambda z, dz: z + length * dz, theta, v))

        new, linear = jax.linearize(moved, theta, jnp.zeros_like(setting.nodes.weights))
        noise = jnp.zeros((len(jax.tree.leaves(u)[0]), len(setting.nodes.weights))) if r is None else r[:, 0]
        return Walk(now.k + 1, (new, jax.vmap(linear)(u, noise.astype(still.dtype))), now.keys, order)

    return jax.lax.while_loop(lambda now: now.k < last, step, walk)


@eqx.filter_jit
def _seen(setting: Setting, mass: Any, state: State) -> tuple[Array, Array]:
    """f_0 [Q, ...] and its first derivative along every direction [K, Q, ...] on the nodes."""
    task = setting.problem.task("predict")
    f, linear = jax.linearize(lambda theta, w: task.outputs(theta, w, setting.nodes.x), state[0], setting.p)
    return f, jax.vmap(linear)(state[1], mass)


def _signed(draws: Float[np.ndarray, "T K Q ..."]) -> Float[np.ndarray, "T K2 Q ..."]:
    return np.stack([draws, -draws], axis=2).reshape(draws.shape[0], -1, *draws.shape[2:])


def _error_of(means: Float[np.ndarray, "T K2"]) -> Float[np.ndarray, " T"]:
    """The standard error of a mean over pairs of signs; 0 of one alone, which is no draw."""
    if means.shape[1] < 4:
        return np.zeros(len(means))
    return mean_of(means.reshape(len(means), -1, 2).mean(axis=2))[1]


def _risk_of(problem: Problem, f: Any) -> Float[np.ndarray, " T"]:
    """Of functions [T, Q, ...]."""
    return np.asarray(_risks(problem, np.asarray(f, float)[:, None]), float)[:, 0]


@eqx.filter_jit
def _risks(problem: Problem, f: Any) -> Float[Array, "T K"]:
    """INT loss(f, y) d mu of functions [T, K, Q, ...] on the nodes."""
    nodes = problem.data.nodes
    assert nodes is not None
    each = jax.vmap(problem.loss)
    return jax.vmap(jax.vmap(lambda one: jnp.dot(nodes.weights, each(one, nodes.y))))(f)
