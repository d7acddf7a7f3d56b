"""A step of neurons with the residuals and charges frozen, from one line, vertex or apex to the next."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .._dynamics import Theta
from ._corner import Fate, fate
from ._neurons import APEX, NONE, ROUNDING, KinkedNeurons, Labels, at_apex, magnitude
from ._world import World, pick, turned, world_of


class Motion(NamedTuple):
    """What a step of frozen residuals did to N neurons.

    - `charge` [N], `w` [N, 2]; `label` [N, K]: the lines and apexes that they are on.
    - `power` [N]: the energy each dissipated, per unit of weight; `left` [N]: the time that no round was left for.
    """

    charge: Float[Array, " N"]
    w: Float[Array, "N 2"]
    label: Labels
    power: Float[Array, " N"]
    left: Float[Array, " N"]


class _Round(NamedTuple):
    """Between two events: the state of the neurons and how much of the step is left to each."""

    w: Float[Array, "N 2"]
    gain: Float[Array, " N"]
    label: Labels
    power: Float[Array, " N"]
    left: Float[Array, " N"]
    count: Int[Array, ""]


def move(neurons: KinkedNeurons, theta: Theta, label: Labels, step: Float[Array, ""]) -> Motion:
    """One step with the residuals frozen at its start."""
    world = world_of(neurons, theta)
    at = world.plane
    zero = jnp.zeros_like(at.charge)
    first = _Round(at.w, zero, label, zero, jnp.full_like(zero, step), jnp.zeros((), jnp.int32))
    # A path meets each line once on its way through the cells; those of K kinks may be taken up again K times.
    most = 2 * label.shape[1] ** 2 * (world.on.x.shape[0] + 1)

    def running(now: _Round) -> Any:
        return jnp.any(now.left > 0) & (now.count < most)

    end = jax.lax.while_loop(running, lambda now: _round(world, now), first)
    return Motion(at.charge + end.gain, end.w, end.label, end.power, end.left)


def _round(world: World, now: _Round) -> _Round:
    """Every neuron to its next event: a line, an apex, or the end of the step."""
    plane, goes = world.plane, fate(world, now.w, now.label)
    v, at = goes.v, goes.at
    events = _events(world, now.w, goes)
    dt = jnp.minimum(now.left, events.when)
    w, lands = now.w + dt[:, None] * v, events.when <= now.left
    w, label = jax.lax.cond(
        jnp.any(lands), lambda: _landed(world, w, goes.label, events, lands), lambda: (w, goes.label)
    )
    rise = jnp.sum(v * at.force, axis=1)
    gain = now.gain - plane.rate * dt * (at.value + 0.5 * dt * rise)
    spent = plane.rate * dt * (at.value**2 + dt * at.value * rise + dt**2 * rise**2 / 3.0) - plane.charge * rise * dt
    moved = w, gain, label, now.power + spent, now.left - dt

    def kept(old: Any, new: Any) -> Any:
        # Whoever has no time left stands.
        return jnp.where((now.left > 0).reshape(-1, *(1,) * (new.ndim - 1)), new, old)

    w, gain, label, power, left = map(kept, now[:-1], moved)
    return _Round(w, gain, label, power, left, now.count + 1)


class _Events(NamedTuple):
    """What each neuron meets first: `when` [N], of which `kink` [N], whether its apex; `samples` [N, K], the next lines
    of all kinks (-1: none)."""

    when: Float[Array, " N"]
    kink: Int[Array, " N"]
    apex: Bool[Array, " N"]
    samples: Labels


def _events(world: World, w: Float[Array, "N 2"], goes: Fate) -> _Events:
    found = [_next(world, w, goes, kink) for kink in range(len(world.pieces.knots))]
    met, sample, apex = (jnp.stack(part, axis=1) for part in zip(*found, strict=True))
    when = jnp.minimum(met, apex)
    kink = jnp.argmin(when, axis=1)
    return _Events(
        pick(when, kink), kink, pick(apex, kink) <= pick(met, kink), jnp.where(jnp.isfinite(met), sample, NONE)
    )


def _next(world: World, w: Float[Array, "N 2"], goes: Fate, kink: int) -> tuple[Array, Array, Array]:
    """When each neuron meets a line of a kink first, and which, and when its apex; infinite where it does not.

    The knot (t - b)/a of a straight motion goes one way, through infinity to the other end of the samples where a
    changes its sign; so of all samples the next on its way is the only one to be asked. It stands still on the way to
    the apex or from it.
    """
    x, gap, (va, vb) = world.on.x, goes.at.gaps[:, kink], goes.v.T
    a, b = w[:, 0], w[:, 1] - world.pieces.knots[kink]
    s, way, on_line = x.shape[0], va * b - vb * a, goes.along == kink
    j = jnp.where(way > 0, jnp.where(gap < s, gap, 0), jnp.where(gap > 0, gap - 1, s - 1))
    speed, z = va * x[j] + vb, a * x[j] + b
    when = -z / jnp.where(speed != 0, speed, 1.0)
    met = jnp.where(on_line | (way == 0) | (speed == 0) | (when < 0), jnp.inf, when)
    inward = -(a * va + b * vb)
    straight = (on_line | (way == 0)) & (inward > 0)
    return met, j, jnp.where(straight, (a**2 + b**2) / jnp.where(straight, inward, 1.0), jnp.inf)


def _landed(world: World, w: Any, label: Labels, events: _Events, lands: Bool[Array, " N"]) -> tuple[Array, Labels]:
    """w on what it has met, and the labels there."""
    kinks, stops = jnp.arange(label.shape[1]), lands & events.apex
    it = kinks == events.kink[:, None]
    meets = lands & ~events.apex
    met = it & meets[:, None]
    if kinks.shape[0] > 1:
        met = met | (_near(world, w, events.samples) & meets[:, None])
    label = jnp.where(met, events.samples, label)
    w = jnp.where(meets[:, None], _onto(world, w, events, label), w)
    knot = pick(_knots(world, label), events.kink)
    stops = (stops | (meets & at_apex(world.on, w, knot)))[:, None]
    apexes = jnp.stack([jnp.zeros_like(knot), knot], axis=1)
    return jnp.where(stops, apexes, w), jnp.where(stops, jnp.where(it, APEX, NONE), label)


def _knots(world: World, label: Labels) -> Float[Array, "N K"]:
    return jnp.broadcast_to(jnp.stack(world.pieces.knots), label.shape)


def _near(world: World, w: Any, samples: Labels) -> Bool[Array, "N K"]:
    """Which of these lines pass through w, to rounding."""
    off = w[:, :1] * world.on.x[jnp.maximum(samples, 0)] + w[:, 1:] - _knots(world, samples)
    return (samples >= 0) & (jnp.abs(off) <= ROUNDING * magnitude(world.on, world.pieces, w)[:, None])


def _onto(world: World, w: Any, events: _Events, label: Labels) -> Array:
    """w on the line it has met, moved as the metric lets it move; where it is on another, too, their point."""
    kinks, knots = jnp.arange(label.shape[1]), _knots(world, label)

    def line_of(kink: Array, labels: Array) -> tuple[Array, Array]:
        return world.on.x[jnp.maximum(pick(labels, kink), 0)], pick(knots, kink)

    x, t = line_of(events.kink, events.samples)
    ta, tb = turned(world.plane.metric, x, jnp.ones_like(x))
    size = ta * x + tb
    off = (w[:, 0] * x + w[:, 1] - t) / jnp.where(size > 0, size, 1.0)
    placed = w - off[:, None] * jnp.stack([ta, tb], axis=1)
    if label.shape[1] == 1:
        return placed
    others = (label >= 0) & (kinks != events.kink[:, None])
    other_x, other_t = line_of(jnp.argmax(others, axis=1), label)
    # A metric that keeps a or b has no other point to go to.
    two = jnp.any(others, axis=1) & (jnp.linalg.det(world.plane.metric) > 0) & (x != other_x)
    a = (t - other_t) / jnp.where(two, x - other_x, 1.0)
    return jnp.where(two[:, None], jnp.stack([a, t - a * x], axis=1), placed)
