r"""Where a neuron goes from the lines that it is on: the direction in which psi falls most steeply.

Near a point on lines l, $\psi(u) - \psi(0) = p(u) = c\,[G_0 \cdot u + \sum_l q_l (u \cdot X_l)_+]$, $q_l = m_l \rho_l$
the bend times the residual, $G_0$ the force below all of them. p is linear in each of the sectors between the rays of
the lines. On the circle $u \cdot M^{-1} u = 1$ its local minima are of two kinds: the velocity v of a sector that lies
in that sector, and a ray to which the velocities on both sides lead, along which the neuron slides; p there is $-|v|$.
Both are motions in the sense of Filippov, and if p < 0 anywhere there is one. Taken is the smallest p, the largest
dissipation $-c\,v \cdot G$; if p >= 0 the neuron is held. For a convex p, as all $c\,q_l > 0$ make it, v is minus the
subgradient of least norm, and the only motion.

Where a sector of no force meets the point, to rest is a motion, too, and it is taken: such neurons are dead, as
ReLU neurons are that see no sample.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ._apex import leave_apexes
from ._neurons import APEX, NONE, Labels
from ._world import Side, World, below, pick, place, turned, velocity


class Fate(NamedTuple):
    """The velocity v [N, 2] of each neuron, and `at`, the sums in the cell it goes to or beside which it slides.

    - `along` [N]: the kink along whose line it slides, or -1; `label` [N, K]: the lines it is on while it moves.
    """

    v: Float[Array, "N 2"]
    at: Side
    along: Int[Array, " N"]
    label: Labels


class _Corner(NamedTuple):
    """The lines that neurons are on: `x` of their samples, `lined` (whether there is one), `jump` q [N, K]; the force
    `low` [N, 2] below all of them."""

    x: Float[Array, "N K"]
    lined: Bool[Array, "N K"]
    jump: Float[Array, "N K"]
    low: Float[Array, "N 2"]


class _Sector(NamedTuple):
    """Beside rays of lines, one of each neuron or [N, 1], or of all its lines [N, K].

    - `up`: for each kink, whether the sector is above the line of that; `a`, `b`: the force in it, `va`, `vb`: v.
    """

    up: list[Bool[Array, "N K"]]
    a: Float[Array, "N K"]
    b: Float[Array, "N K"]
    va: Float[Array, "N K"]
    vb: Float[Array, "N K"]


def _corner(world: World, label: Labels, low: Float[Array, "N 2"]) -> _Corner:
    lined, sample = label >= 0, jnp.maximum(label, 0)
    jump = jnp.where(lined, jnp.stack(world.pieces.bends) * world.together[sample], 0.0)
    return _Corner(world.on.x[sample], lined, jump, low)


def _sector(world: World, corner: _Corner, kink: Any, x: Array, way: Any, above: Any) -> _Sector:
    """Beside the ray u = way (1, -x) of the line of a kink, above or below it."""
    up, (a, b) = [], (corner.low[:, :1], corner.low[:, 1:])
    for other in range(corner.x.shape[1]):
        # The ray itself is above another line as its x says: no rounding.
        beside = jnp.where(kink == other, above, way * (corner.x[:, other, None] - x) > 0)
        up.append(beside & corner.lined[:, other, None])
        jump = jnp.where(up[-1], corner.jump[:, other, None], 0.0)
        a, b = a + jump * corner.x[:, other, None], b + jump
    return _Sector(up, a, b, *velocity(world, a, b))


def _leads_into(corner: _Corner, sector: _Sector) -> Bool[Array, "N K"]:
    """Whether the velocity lies in its own sector."""
    inside = corner.lined
    for kink, up in enumerate(sector.up):
        z = sector.va * corner.x[:, kink, None] + sector.vb
        inside &= jnp.where(up, z > 0, z < 0) | ~corner.lined[:, kink, None]
    return inside


def _sliding(world: World, x: Array, sector: _Sector) -> tuple[Array, Array]:
    """The velocity along the line of x, from that in a sector beside it."""
    ta, tb = turned(world.plane.metric, x, jnp.ones_like(x))
    size = ta * x + tb
    part = (sector.va * x + sector.vb) / jnp.where(size > 0, size, 1.0)
    return sector.va - part * ta, sector.vb - part * tb


def _power(world: World, sector: _Sector, va: Array, vb: Array) -> Array:
    return -world.plane.charge[:, None] * (va * sector.a + vb * sector.b)


def _choice(world: World, corner: _Corner) -> Int[Array, " N"]:
    """Which motion from a corner dissipates most: 0 for none, else 1 + 4 kink + 2 [way = -1] + 1 for a slide along the
    ray, + 0 for the next sector counter-clockwise.

    One number, and all else follows from it: two computations of a rounded power need not agree.
    """
    x, rests, found = corner.x, jnp.zeros(corner.x.shape, bool), []
    for way in (1.0, -1.0):
        under, over = (_sector(world, corner, jnp.arange(x.shape[1]), x, way, above) for above in (False, True))
        sector = over if way > 0 else under
        rests |= corner.lined & (jnp.abs(sector.a) <= world.tiny[0]) & (jnp.abs(sector.b) <= world.tiny[1])
        va, vb = _sliding(world, x, under)
        held = corner.lined & (under.va * x + under.vb >= 0) & (over.va * x + over.vb <= 0)
        slides = held & (way * (va - x * vb) > 0)
        found.append(jnp.where(_leads_into(corner, sector), _power(world, sector, sector.va, sector.vb), -jnp.inf))
        found.append(jnp.where(slides, _power(world, under, va, vb), -jnp.inf))
    power = jnp.stack(found, axis=2).reshape(x.shape[0], -1)
    power = jnp.where(jnp.any(rests, axis=1)[:, None], -jnp.inf, power)
    stays = jnp.full_like(power[:, :1], jnp.finfo(power.dtype).min)
    return jnp.argmax(jnp.concatenate([stays, power], axis=1), axis=1)


def fate(world: World, w: Float[Array, "N 2"], label: Labels) -> Fate:
    """Where neurons go, those on lines and apexes in the direction of the largest dissipation."""
    low = below(world, w, label)

    def free() -> Fate:
        nowhere = jnp.full(label.shape[:1], NONE, label.dtype)
        return Fate(jnp.stack(velocity(world, *low.force.T), axis=1), low, nowhere, label)

    # A branch, too, because the compiler fuses across all else, and computes the choice again for each of its parts.
    return jax.lax.cond(jnp.any(label != NONE), lambda: _from_lines(world, w, label, low), free)


def _from_lines(world: World, w: Float[Array, "N 2"], label: Labels, low: Side) -> Fate:
    corner = _corner(world, label, low.force)
    choice = _choice(world, corner).astype(label.dtype)
    goes, best = choice > 0, jnp.maximum(choice - 1, 0)
    held = ~goes & jnp.any(label != NONE, axis=1)
    kink, slides, way = best // 4, best % 2 == 1, jnp.where(best % 4 < 2, 1.0, -1.0)
    x = pick(corner.x, kink)[:, None]
    # What goes nowhere is taken as below all lines; for what is on none, all sectors are one.
    above = (goes & (way > 0) & ~slides)[:, None]
    sector = _sector(world, corner, kink[:, None], x, jnp.where(goes, way, 0.0)[:, None], above)
    v = jnp.where(slides[:, None], *(jnp.concatenate(p, axis=1) for p in (_sliding(world, x, sector), sector[3:])))
    v = jnp.where(held[:, None], 0.0, v)
    gaps = jnp.where(label >= 0, place(world, w, label, jnp.concatenate(sector.up, axis=1)), low.gaps)
    along = jnp.where(goes & slides, kink, NONE)
    after = jnp.where(goes[:, None] & (jnp.arange(label.shape[1]) != along[:, None]), NONE, label)
    force = jnp.concatenate([sector.a, sector.b], axis=1)
    return _from_apexes(world, Fate(v, Side(low.value, force, low.right, gaps), along, after))


def _from_apexes(world: World, goes: Fate) -> Fate:
    """The same for neurons at an apex."""
    left = leave_apexes(world, goes.label)
    if left is None:
        return goes
    here = (goes.label == APEX) & left.moves[:, None]
    value, force, right, gaps = goes.at
    # The other knots are at infinity: which one, a's sign says.
    mirrored = jnp.where(left.right[:, None], gaps, world.on.x.shape[0] - gaps)
    gaps = jnp.where(left.moves[:, None], jnp.where(here, left.gap[:, None], mirrored), gaps)

    def those(new: Array, old: Array) -> Array:
        return jnp.where(left.moves[:, None], new, old)

    kink = jnp.argmax(here, axis=1).astype(jnp.int32)
    along = jnp.where(left.moves & (left.sample != NONE), kink, goes.along)
    label = jnp.where(here, left.sample[:, None], goes.label)
    right = jnp.where(left.moves, left.right, right)
    return Fate(those(left.v, goes.v), Side(value, those(left.force, force), right, gaps), along, label)


def sides(world: World, w: Float[Array, "N 2"], label: Labels) -> tuple[Float[Array, " N"], Float[Array, " N"]]:
    r"""$\dot w \cdot X$ below and above the line that each neuron is on, of one kink: both lead to it where the first
    is >= 0 >= the second."""
    corner = _corner(world, label, below(world, w, label).force)
    under, over = (_sector(world, corner, 0, corner.x, 1.0, above) for above in (False, True))
    inner, outer = (side.va * corner.x + side.vb for side in (under, over))
    return inner[:, 0], outer[:, 0]
