r"""Piecewise-linear neurons of one input across their kinks: they stick to the rays of samples and slide (Filippov).

In the plane of $w = (a, b)$, $X_j = (x_j, 1)$, a neuron $c\,\sigma(w \cdot X)$ of one kink, at 0, has a kink of psi on
each ray $w \cdot X_j = 0$. With $\rho_j = \mu_j\,\ell'(f_j, y_j)$ and c frozen for a step its velocity is $-c\,M G$,
$G = \sum_j \sigma'(w \cdot X_j)\,\rho_j X_j$, constant between two rays, so the motion is piecewise straight: at a
ray the velocities on both sides say whether it crosses or stays and slides. First order, without chattering.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from widelimit.measure import fields_of, split
from widelimit.problem import Problem, mobilities, moving
from widelimit.problem.activations import Pieces
from widelimit.problem.integrals.bins import (
    Line,
    Moments,
    gaps,
    line,
    moments,
    ridges,
    sums_over_neurons,
    sums_over_samples,
)
from widelimit.problem.units import Plane

from ._dynamics import Theta, Weights

# Relative to |a x| + |b|: a start this near to a ray is on it.
_ON_RAY = 1e-12


class Motion(NamedTuple):
    """What a step of frozen residuals did to N neurons.

    - `charge` [N], `w` [N, 2]; `label` [N]: the sample (from left to right) on whose ray a neuron is, or -1.
    - `power` [N]: the energy each dissipated, per unit of weight; `left` [N]: the time that no round was left for.
    """

    charge: Float[Array, " N"]
    w: Float[Array, "N 2"]
    label: Int[Array, " N"]
    power: Float[Array, " N"]
    left: Float[Array, " N"]


class KinkedNeurons(eqx.Module):
    """The particles of a problem as neurons in the plane: see `kinked_neurons`."""

    problem: Problem
    mobility: mobilities.AbstractMobility
    carried: Weights

    @property
    def pieces(self) -> Pieces:
        pieces = self.problem.unit.pieces
        assert pieces is not None
        return pieces

    def on(self) -> Line:
        """The sorted samples."""
        assert self.problem.data.nodes is not None
        return line(self.problem.data.nodes.x[:, 0])

    def planes(self, theta: Theta) -> Plane:
        """Each particle's plane, [N, ...]."""
        found: Any = jax.vmap(lambda th: self.mobility.plane(self.problem.unit, th))(theta)
        n = found.charge.shape[0]
        return found._replace(rate=jnp.broadcast_to(found.rate, (n,)), metric=jnp.broadcast_to(found.metric, (n, 2, 2)))

    def back(self, theta: Theta, charge: Float[Array, " N"], w: Float[Array, "N 2"]) -> Theta:
        """The particles, moved there."""
        return jax.vmap(lambda th, c, v: self.mobility.from_plane(self.problem.unit, th, c, v))(theta, charge, w)

    def dual(self, on: Line, at: Plane) -> Float[Array, " s"]:
        """rho of the samples, sorted."""
        nodes, scale = self.problem.data.nodes, self.problem.scale.factor(self.carried.shape[0])
        assert nodes is not None
        found = ridges(on, self.pieces, at.w[:, 0], at.w[:, 1])
        f = scale * sums_over_neurons(on, found, (self.carried * at.charge)[:, None])[:, 0]
        slope = jax.vmap(jax.grad(self.problem.loss))(f, nodes.y[on.order])
        return scale * nodes.weights[on.order] * slope

    def labels(self, theta: Theta) -> Int[Array, " N"]:
        """The rays that particles are on, to rounding."""
        on, (a, b) = self.on(), self.planes(theta).w.T
        s, gap = on.x.shape[0], gaps(on, a, b, 0.0)
        label, nearest = jnp.full(a.shape, -1), jnp.full(a.shape, _ON_RAY)
        for j in (jnp.maximum(gap - 1, 0), jnp.minimum(gap, s - 1)):
            size = jnp.abs(a * on.x[j]) + jnp.abs(b)
            off = jnp.abs(a * on.x[j] + b) / jnp.where(size > 0, size, 1.0)
            near = (off <= nearest) & (size > 0)
            label, nearest = jnp.where(near, j, label), jnp.where(near, off, nearest)
        return label


def kinked_neurons(problem: Problem, carried: Weights, trainable: tuple[str, ...] | None, who: str) -> KinkedNeurons:
    """The particles as neurons. Raises `ValueError` where they are no piecewise-linear neurons of one input."""
    unit = problem.two_layer(who)
    if unit.pieces is None or problem.data.inputs != 1 or problem.data.outputs or problem.data.nodes is None:
        raise ValueError(
            f"{who} follows piecewise-linear neurons of one input and one output on samples (units.Neuron("
            f"activations.relu), units.CanonicalReLU); this problem has units.{type(unit).__name__} of "
            f"{problem.data.inputs} inputs on data.{type(problem.data).__name__}."
        )
    if len(unit.pieces.knots) != 1 or float(unit.pieces.knots[0]) != 0.0 or float(unit.pieces.value) != 0.0:
        raise ValueError(
            f"{who} follows activations with one kink, at zero (relu, leaky_relu): where rays of several kinks cross, "
            "a neuron may be held by more than one; use integrators.RungeKutta4 with small steps."
        )
    if problem.penalty is not None:
        raise ValueError(f"{who} takes no penalty; use integrators.ProximalHeun() or RungeKutta4(step).")
    if not problem.domain.flat:
        raise ValueError(f"{who} takes no walls: the domain must be all of R^D, or a circle for an angle.")
    names, mobility = moving(problem, trainable), problem.mobility
    scales = mobility.scales(fields_of(problem.blocks))
    if scales is not None:
        still = {name: 0.0 for name in scales._fields if name not in names}
        mobility = mobilities.Diagonal(**{**scales._asdict(), **still})
    elif len(names) < len(problem.blocks):
        raise ValueError(
            f"{who}, trainable={names}: with mobilities.{type(mobility).__name__} all blocks move together; train "
            "blocks of the full problem."
        )
    if eqx.filter_eval_shape(lambda: mobility.plane(unit, split(problem.blocks, jnp.zeros(problem.dim)))) is None:
        raise ValueError(f"{who} needs neurons with a bias, and a mobility of one number a block or that of a delta.")
    return KinkedNeurons(problem, mobility, carried)


class _Round(NamedTuple):
    """Between two events: the state of the neurons and how much of the step is left to each."""

    w: Float[Array, "N 2"]
    gain: Float[Array, " N"]
    label: Int[Array, " N"]
    power: Float[Array, " N"]
    left: Float[Array, " N"]
    count: Int[Array, ""]


def move(neurons: KinkedNeurons, theta: Theta, label: Int[Array, " N"], step: Float[Array, ""]) -> Motion:
    """One step with the residuals frozen at its start."""
    world = world_of(neurons, theta)
    at = world.plane
    zero = jnp.zeros_like(at.charge)
    first = _Round(at.w, zero, label, zero, jnp.full_like(zero, step), jnp.zeros((), jnp.int32))
    most = 2 * world.on.x.shape[0] + 2

    def running(now: _Round) -> Any:
        return jnp.any(now.left > 0) & (now.count < most)

    end = jax.lax.while_loop(running, lambda now: _round(world, now), first)
    return Motion(at.charge + end.gain, end.w, end.label, end.power, end.left)


def world_of(neurons: KinkedNeurons, theta: Theta, plane: Plane | None = None) -> "World":
    """The samples with the residuals of the particles, for neurons in `plane`: the particles, if left out."""
    on, at = neurons.on(), neurons.planes(theta)
    rho = neurons.dual(on, at)
    held, together = moments(on, rho[:, None]), _together(on, rho)
    return World(on, neurons.pieces, rho, held, together, at if plane is None else plane)


class World(NamedTuple):
    """What does not change during a step: the `dual` rho [s], and `together` [s], that of all samples at one place."""

    on: Line
    pieces: Pieces
    dual: Float[Array, " s"]
    held: Moments
    together: Float[Array, " s"]
    plane: Plane


class Fate(NamedTuple):
    r"""The velocity of each neuron, and for those on a ray the velocities across it on its two sides.

    - `v` [N, 2], `at`: the sums that it comes of; `slides` [N]: who stays on its ray.
    - `inner`, `outer` [N]: $\dot w \cdot X$ below and above the ray; both lead to it where inner >= 0 >= outer.
    """

    v: Float[Array, "N 2"]
    at: "Side"
    slides: Bool[Array, " N"]
    inner: Float[Array, " N"]
    outer: Float[Array, " N"]


def fate(world: World, w: Float[Array, "N 2"], label: Int[Array, " N"]) -> Fate:
    """Where neurons go; on a ray from which both sides lead away, to the side of the larger speed."""
    labelled, charge = label >= 0, world.plane.charge
    ray, turned, size = _across(world, label)
    below = _below(world, w, label)
    inner = -charge * jnp.sum(below.force * turned, axis=1)
    # Above the ray sigma' is larger by the bend; sigma is the same.
    (bend,) = world.pieces.bends
    jump = bend * world.together[label]
    outer = inner - charge * jump * size
    # A ReLU neuron that sees no sample from below its ray (inner = 0) is dead, whatever the ray's sample wants.
    slides = labelled & (inner >= 0) & ((outer <= 0) | (inner == 0))
    up = labelled & ~slides & (outer > 0) & (outer >= -inner)
    gap = jnp.where(labelled, _place(world, w, label, up), below.gap)
    at = Side(below.value, below.force + jnp.where(up, jump, 0.0)[:, None] * ray, gap)
    v = -charge[:, None] * jnp.einsum("nij,nj->ni", world.plane.metric, at.force)
    along = v - (inner / jnp.where(size > 0, size, 1.0))[:, None] * turned
    return Fate(jnp.where(slides[:, None], along, v), at, slides, inner, outer)


def _round(world: World, now: _Round) -> _Round:
    """Every neuron to its next event: a ray, the origin, or the end of the step."""
    plane = world.plane
    v, at, slides, _, _ = fate(world, now.w, now.label)
    met, ray_met = _next_ray(world, now.w, at, v)
    met = jnp.where(slides, jnp.inf, met)
    inward = -jnp.sum(now.w * v, axis=1)
    to_origin = slides & (inward > 0)
    origin = jnp.where(to_origin, jnp.sum(now.w**2, axis=1) / jnp.where(to_origin, inward, 1.0), jnp.inf)
    dt = jnp.minimum(now.left, jnp.minimum(met, origin))
    stops, lands = origin <= now.left, met <= now.left
    w = jnp.where(stops[:, None], 0.0, now.w + dt[:, None] * v)
    w = jnp.where(lands[:, None], _onto(world, w, ray_met), w)
    label = jnp.where(lands, ray_met, jnp.where(slides & ~stops, now.label, -1))
    rise = jnp.sum(v * at.force, axis=1)
    gain = now.gain - plane.rate * dt * (at.value + 0.5 * dt * rise)
    spent = plane.rate * dt * (at.value**2 + dt * at.value * rise + dt**2 * rise**2 / 3.0) - plane.charge * rise * dt
    moved = w, gain, label, now.power + spent, jnp.where(stops, 0.0, now.left - dt)

    def kept(old: Any, new: Any) -> Any:
        # Whoever has no time left stands.
        return jnp.where((now.left > 0).reshape(-1, *(1,) * (new.ndim - 1)), new, old)

    w, gain, label, power, left = map(kept, now[:-1], moved)
    return _Round(w, gain, label, power, left, now.count + 1)


class Side(NamedTuple):
    """SUM_j rho_j sigma(z_j) and the force SUM_j sigma'(z_j) rho_j X_j [N, 2], with the gaps of the knots."""

    value: Float[Array, " N"]
    force: Float[Array, "N 2"]
    gap: Int[Array, " N"]


def _below(world: World, w: Any, label: Any) -> Side:
    """The sums with each labelled neuron below its ray, whatever rounding says of the sign of z there."""
    half = jnp.where(w[:, 0] >= 0, 0, world.on.x.shape[0] + 1)
    found = ridges(world.on, world.pieces, w[:, 0], w[:, 1])
    place = half + _place(world, w, label, jnp.zeros(label.shape, bool))
    row = jnp.where(label >= 0, place, found.rows[0])
    sums = sums_over_samples(found._replace(rows=(row,)), world.held)
    return Side(sums.whole[:, 0], jnp.concatenate([sums.tilted, sums.flat], axis=1), row - half)


def _place(world: World, w: Any, sample: Any, up: Any) -> Int[Array, " N"]:
    """The gap of a knot that lies on a sample: above its ray, a neuron that rises to the right has it left of that."""
    return jnp.where(up == (w[:, 0] >= 0), world.on.first[sample], world.on.after[sample])


def _across(world: World, sample: Any) -> tuple[Array, Array, Array]:
    """X of a sample, M X and X . M X."""
    ray = jnp.stack([world.on.x[sample], jnp.ones_like(world.plane.charge)], axis=1)
    turned = jnp.einsum("nij,nj->ni", world.plane.metric, ray)
    return ray, turned, jnp.sum(ray * turned, axis=1)


def _next_ray(world: World, w: Any, at: Side, v: Any) -> tuple[Array, Array]:
    """When each neuron meets a ray first, and which; infinite where it meets none.

    The knot -b/a of a straight motion goes one way, through infinity to the other end of the samples where a changes
    its sign; so of all samples the next on its way is the only one to be asked.
    """
    x, gap, (a, b), (va, vb) = world.on.x, at.gap, w.T, v.T
    s, way = x.shape[0], va * b - vb * a
    j = jnp.where(way > 0, jnp.where(gap < s, gap, 0), jnp.where(gap > 0, gap - 1, s - 1))
    speed, z = va * x[j] + vb, a * x[j] + b
    when = -z / jnp.where(speed != 0, speed, 1.0)
    return jnp.where((way == 0) | (speed == 0) | (when < 0), jnp.inf, when), j


def _onto(world: World, w: Any, sample: Any) -> Array:
    """w on its ray, moved as the metric lets it move."""
    ray, turned, size = _across(world, sample)
    return w - (jnp.sum(w * ray, axis=1) / jnp.where(size > 0, size, 1.0))[:, None] * turned


def _together(on: Line, rho: Float[Array, " s"]) -> Float[Array, " s"]:
    return jnp.zeros_like(rho).at[on.first].add(rho)[on.first]
