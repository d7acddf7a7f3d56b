"""Neurons at an apex a = 0, b = t, where the lines of all samples meet: which of the sectors or lines they leave by."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from widelimit.numerics import entries

from ._neurons import APEX, NONE, Labels, dead_apexes
from ._world import World, turned, velocity

# Numbers that are held for each sector of a neuron.
_NUMBERS = 16


class Departure(NamedTuple):
    """How N neurons leave their apex: v and force [N, 2], `right` (whether a > 0 then, or is 0) and the `gap` of the
    knot [N]; `sample` [N], along whose line, or -1; `moves` [N], whether they do."""

    v: Float[Array, "N 2"]
    force: Float[Array, "N 2"]
    right: Bool[Array, " N"]
    gap: Int[Array, " N"]
    sample: Int[Array, " N"]
    moves: Bool[Array, " N"]


def leave_apexes(world: World, label: Labels) -> Departure | None:
    """What neurons do that are at an apex; None where the activation lets none leave one. O(s) for each of them."""
    dead = dead_apexes(world.pieces)
    if all(isinstance(rests, bool) and rests for rests in dead):
        return None
    here = (label == APEX) & ~jnp.stack([jnp.asarray(rests) for rests in dead])
    need, kink = jnp.any(here, axis=1), jnp.argmax(here, axis=1)
    n, s = need.shape[0], world.on.x.shape[0]
    size = min(max(entries(None) // (_NUMBERS * 2 * (s + 1)), 1), n)
    spot, whole = jnp.zeros((n, 2)), jnp.zeros(n, jnp.int32)
    none = Departure(spot, spot, jnp.zeros(n, bool), whole, whole, jnp.zeros(n, bool))

    def leave() -> Departure:
        those = jnp.nonzero(need, size=math.ceil(n / size) * size, fill_value=n)[0]

        def some(i: Any, found: Departure) -> Departure:
            rows = jax.lax.dynamic_slice(those, (i * size,), (size,))
            plane = jax.tree.map(lambda part: part[rows], world.plane)
            new = _leave(world._replace(plane=plane), kink[rows])
            return jax.tree.map(lambda old, part: old.at[rows].set(part, mode="drop"), found, new)

        return jax.lax.fori_loop(0, -(-jnp.sum(need) // size), some, none)

    return jax.lax.cond(jnp.any(need), leave, lambda: none)


def _leave(world: World, kink: Int[Array, " B"]) -> Departure:
    """Sectors are the rows of the table of moments, [B, 2, s + 1]: those to the right (a >= 0), then to the left."""
    on, s = world.on, world.on.x.shape[0]
    slope, bend = jnp.stack(world.pieces.slopes[:-1])[kink], jnp.stack(world.pieces.bends)[kink]
    (none, one), table = world.held.total[:, 0], world.held.table.reshape(2, s + 1, 2)
    a = (slope * one)[:, None, None] + bend[:, None, None] * table[..., 1]
    b = (slope * none)[:, None, None] + bend[:, None, None] * table[..., 0]
    va, vb = velocity(world, a, b)
    real, ahead = _ahead(world, va, vb)
    rests = jnp.any(real & (jnp.abs(a) <= world.tiny[0]) & (jnp.abs(b) <= world.tiny[1]), axis=(1, 2))
    # On the ray to the right the samples right of it are active, on that to the left those left of it.
    under = jnp.stack([on.after, on.first])
    upper = jnp.stack([on.first, on.after])

    def beside(rows: Array, numbers: Array) -> Array:
        return jnp.take_along_axis(numbers, jnp.broadcast_to(rows, (kink.shape[0], 2, s)), axis=2)

    ua, ub = beside(under, va), beside(under, vb)
    ta, tb = turned(world.plane.metric, jnp.broadcast_to(on.x, ua.shape), jnp.ones_like(ua))
    weight, inner = ta * on.x + tb, ua * on.x + ub
    outer = beside(upper, va) * on.x + beside(upper, vb)
    part = inner / jnp.where(weight > 0, weight, 1.0)
    sa, sb = ua - part * ta, ub - part * tb
    slides = (inner >= 0) & (outer <= 0) & (np.array([[1.0], [-1.0]]) * (sa - on.x * sb) > 0)

    def all_of(sectors: Array, lines: Array) -> Array:
        return jnp.concatenate([sectors, lines], axis=2).reshape(kink.shape[0], -1)

    allowed, va, vb = all_of(ahead, slides), all_of(va, sa), all_of(vb, sb)
    a, b = all_of(a, beside(under, a)), all_of(b, beside(under, b))
    charge = world.plane.charge[:, None]
    power = jnp.where(allowed & ~rests[:, None], -charge * (va * a + vb * b), -jnp.inf)
    # As one number, the choice is the same for all that follows from it.
    stays = jnp.full_like(power[:, :1], jnp.finfo(power.dtype).min)
    choice = jnp.argmax(jnp.concatenate([stays, power], axis=1), axis=1)
    best = jnp.maximum(choice - 1, 0)
    gap = all_of(jnp.broadcast_to(jnp.arange(s + 1), ahead.shape), jnp.broadcast_to(under, slides.shape))

    def chosen(numbers: Array) -> Array:
        return jnp.take_along_axis(numbers, best[:, None], axis=1)[:, 0]

    place = best % (2 * s + 1)
    sample = jnp.where(place > s, place - s - 1, NONE)
    v, force = jnp.stack([chosen(va), chosen(vb)], axis=1), jnp.stack([chosen(a), chosen(b)], axis=1)
    return Departure(v, force, best < 2 * s + 1, chosen(gap).astype(jnp.int32), sample.astype(jnp.int32), choice > 0)


def _ahead(world: World, va: Array, vb: Array) -> tuple[Array, Array]:
    """Which rows are sectors (equal samples are one line), and in which of them the velocity lies."""
    x, s = world.on.x, world.on.x.shape[0]
    gap = np.arange(s + 1)
    inside = (gap > 0) & (gap < s)
    real = jnp.where(inside, world.on.first[gap % s] == gap, True)
    ahead = jnp.broadcast_to(real, va.shape)
    for sample in ((gap - 1) % s, gap % s):
        active = np.stack([sample >= gap, sample < gap])
        z = va * x[sample] + vb
        ahead &= jnp.where(active, z > 0, z < 0)
    return real, ahead
