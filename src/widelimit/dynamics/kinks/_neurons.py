"""The particles of a problem as piecewise-linear neurons of one input, and the lines and apexes that they are on."""

import itertools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from widelimit.measure import fields_of, split
from widelimit.numerics import Number
from widelimit.problem import Problem, mobilities, moving
from widelimit.problem.activations import Pieces
from widelimit.problem.integrals.bins import Line, gaps, line, ridges, sums_over_neurons
from widelimit.problem.units import Plane

from .._dynamics import Theta, Weights

Labels = Int[Array, "N K"]
"""For each neuron and kink the sample (from left to right) on whose line it is, or one of the next two."""

NONE, APEX = -1, -2

ROUNDING = 1e-12
"""Relative to `magnitude`: a neuron this near to a line is on it."""


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

    def labels(self, theta: Theta) -> Labels:
        """The lines and apexes that particles are on, to rounding."""
        w, on = self.planes(theta).w, self.on()
        size = magnitude(on, self.pieces, w)
        return jnp.stack([_label(on, w, kink, size) for kink in self.pieces.knots], axis=1)

    def dead(self, label: Labels) -> Int[Array, ""]:
        """How many particles are at an apex that none leaves."""
        here = (label == APEX) & jnp.stack([jnp.asarray(dead) for dead in dead_apexes(self.pieces)])
        return jnp.sum(jnp.any(here, axis=1))


def dead_apexes(pieces: Pieces) -> list[Any]:
    """Of each kink, whether the activation is constant on one of its sides: then psi is, in a sector at the apex, and
    neurons never leave it."""
    return [(a == 0) | (b == 0) for a, b in itertools.pairwise(pieces.slopes)]


def magnitude(on: Line, pieces: Pieces, w: Float[Array, "N 2"]) -> Float[Array, " N"]:
    """Of the terms of all a x_j + b - t_k: what rounding is of, also where the terms of one of them are small."""
    largest = jnp.max(jnp.abs(jnp.stack([jnp.asarray(kink, w.dtype) for kink in pieces.knots])))
    return jnp.abs(w[:, 0]) * _width(on) + jnp.abs(w[:, 1]) + largest


def _width(on: Line) -> Float[Array, ""]:
    return 1.0 + jnp.maximum(jnp.abs(on.x[0]), jnp.abs(on.x[-1]))


def at_apex(on: Line, w: Float[Array, "N 2"], kink: Any) -> Bool[Array, " N"]:
    """Whether neurons are where all lines of a kink meet, a = 0 and b = t, to rounding."""
    a, b = w.T
    off = jnp.abs(a) * _width(on) + jnp.abs(b - kink)
    return off <= ROUNDING * (jnp.abs(b) + jnp.abs(kink))


def _label(on: Line, w: Float[Array, "N 2"], kink: Number, size: Float[Array, " N"]) -> Int[Array, " N"]:
    (a, b), s = w.T, on.x.shape[0]
    gap = gaps(on, a, b, kink)
    label, nearest = jnp.full(a.shape, NONE), jnp.full(a.shape, ROUNDING)
    for j in (jnp.maximum(gap - 1, 0), jnp.minimum(gap, s - 1)):
        off = jnp.abs(a * on.x[j] + b - kink) / jnp.where(size > 0, size, 1.0)
        near = (off <= nearest) & (size > 0)
        label, nearest = jnp.where(near, j, label), jnp.where(near, off, nearest)
    return jnp.where(at_apex(on, w, kink), APEX, label)


def kinked_neurons(problem: Problem, carried: Weights, trainable: tuple[str, ...] | None, who: str) -> KinkedNeurons:
    """The particles as neurons. Raises `ValueError` where they are no piecewise-linear neurons of one input."""
    unit = problem.two_layer(who)
    if unit.pieces is None or problem.data.inputs != 1 or problem.data.outputs or problem.data.nodes is None:
        raise ValueError(
            f"{who} follows piecewise-linear neurons of one input and one output on samples (units.Neuron("
            f"activations.relu), units.CanonicalReLU); this problem has units.{type(unit).__name__} of "
            f"{problem.data.inputs} inputs on data.{type(problem.data).__name__}."
        )
    if problem.network.offset is not None:
        raise ValueError(f"{who} takes no offset; put it into the targets.")
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
