"""The neuron averaged over the directions of its weight."""

import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.measure import Block, Blocks
from widelimit.numerics import Number, coordinate

from ...activations import Activation, Pieces
from .._unit import AbstractUnit
from . import _bounds as bounds, _ramps as ramps, _two as two
from ._rule import mean_by_rule
from ._square import evaluations, mean_square

# Roundings in a term of the closed form: of one group, and of two, whose moments are right to 1e-12.
_ROUNDINGS, _PAIR_ROUNDINGS = 8.0, 4096.0


class SphericalNeuron(AbstractUnit):
    r"""$\phi(\theta, s) = a\,E\,\sigma\big(\sum_g r_g s_g c'_g + b\big)$.

    Here $c'_g$ is $\sqrt{d_g}$ times a coordinate of a uniform point on $S^{d_g-1}$, standard normal at d = infinity.
    The unit is a sigma(w . x + b) averaged over the directions of w in each group of coordinates, at $|w_g| = r_g$ and
    $|x_g| = s_g \sqrt{d_g}$. It is smooth for r > 0 where sigma has kinks, with exact first and second derivatives; at
    r = 0 they are one-sided. r = infinity is a position where sigma has limits at both ends (or, without bias and
    output weight, where it is as steep at both): the value is the limit there, and the derivatives are zero.

    Blocks: `output` (a: (), if `output_weight`), `radius` (r: () for one group, else (G,)), `bias` (b: (), if `bias`).

    - `activation`: piecewise linear: closed forms, to rounding for one group and to 1e-12 for two; or smooth: by
      quadrature, to 1e-12 at r s up to 100 and 1e-9 up to 1000 for one group; for two to 1e-10 at r s up to 8 where
      both have tens of dimensions, to 1e-4 in a few dimensions.
    - `dims`: d_g >= 2, one or two, infinity allowed.

    Raises `ValueError` for a kinked activation that is not piecewise linear, and for other dimensions.
    """

    activation: Activation
    # Plain numbers: the closed forms branch on them, so another piecewise-linear function compiles anew.
    of_activation: Pieces | None = eqx.field(static=True)
    dims: tuple[float, ...] = eqx.field(static=True)
    bias: bool = eqx.field(static=True)
    output_weight: bool = eqx.field(static=True)
    kinked = False

    def __init__(
        self, activation: Activation, dims: tuple[float, ...], *, bias: bool = False, output_weight: bool = False
    ) -> None:
        if activation.pieces is None and activation.kinks:
            raise ValueError(
                f"SphericalNeuron(activation=...): {activation.name!r} has kinks and is not known to be piecewise "
                "linear; build it with activations.piecewise_linear, or take a smooth one."
            )
        if len(dims) not in (1, 2):
            raise ValueError(f"SphericalNeuron(dims=...): one or two groups are known, got {len(dims)}.")
        self.activation, self.of_activation = (
            activation,
            None if activation.pieces is None else activation.pieces.plain(),
        )
        self.dims = tuple(float(d) for d in dims)
        self.bias, self.output_weight = bias, output_weight
        for dim in self.dims:
            coordinate(dim)

    def blocks(self, inputs: int, outputs: tuple[int, ...]) -> Blocks:
        if inputs != len(self.dims) or outputs:
            raise ValueError(
                f"SphericalNeuron takes {len(self.dims)} lengths and gives a number; the data have {inputs} inputs and "
                f"targets of shape {outputs}."
            )
        head = (Block("output", ()),) if self.output_weight else ()
        tail = (Block("bias", ()),) if self.bias else ()
        return (*head, Block("radius", () if inputs == 1 else (inputs,)), *tail)

    def __call__(self, theta: Any, x: Float[Array, " d"]) -> Float[Array, "..."]:
        bias = theta.bias if self.bias else jnp.zeros((), x.dtype)
        radius = jnp.ravel(theta.radius)
        value = self.mean(jnp.stack([_spread(radius[g], x[g]) for g in range(len(self.dims))]), bias)
        # Not a number is not infinity, which the mean would take it for.
        value = jnp.where(jnp.any(jnp.isnan(radius)), math.nan, value)
        return theta.output * value if self.output_weight else value

    def mean(self, z: Float[Array, " G"], bias: Float[Array, ""]) -> Float[Array, ""]:
        """E sigma(SUM z_g c'_g + b), z_g >= 0."""
        pieces, dims, parts = self.of_activation, self.dims, list(z)
        if dims == (math.inf, math.inf):
            # The sum of two normal numbers is one.
            parts, dims = [_length(*parts)], (math.inf,)
        if pieces is None:
            return mean_by_rule(self.activation, dims, parts, bias)
        if not any(pieces.bends):
            return ramps.offset(pieces, bias)
        if len(dims) == 1:
            return ramps.mean(pieces, coordinate(dims[0]), parts[0], bias)
        return two.mean(pieces, dims, parts[0], parts[1], bias)

    @property
    def averages(self) -> int:
        return evaluations(self.activation, self.dims)

    def mean_square(self, theta: Any, x: Float[Array, " d"]) -> Float[Array, ""]:
        bias = theta.bias if self.bias else jnp.zeros(())
        value = mean_square(self.activation, self.dims, jnp.ravel(theta.radius), bias, x)
        return theta.output**2 * value if self.output_weight else value

    @property
    def linear(self) -> str | None:
        return "output" if self.output_weight else None

    @property
    def homogeneity(self) -> float | None:
        return self.activation.homogeneity

    @property
    def bound(self) -> Number | None:
        if self.of_activation is not None and not self.bias:
            return bounds.largest_value(self.of_activation)
        return self.activation.bound

    def lipschitz(self, x: Float[Array, " d"]) -> Float[Array, ""] | None:
        if self._one_radius is not None and self.of_activation is not None:
            steepest = bounds.steepest(self.of_activation, self._one_radius)
            if steepest is not None:
                return steepest * jnp.abs(x[0])
        if self.activation.slope is None:
            return None
        # Along a unit vector n the derivative is E sigma' (n . V), V = (s_g c'_g, 1): at most the slope times
        # (E (n . V)^2)^(1/2), and the parts of V are uncorrelated.
        return self.activation.slope * self._largest(x)

    def curvature(self, x: Float[Array, " d"]) -> Float[Array, ""] | None:
        if self.activation.curvature is not None:
            # n . Hess n = E sigma'' (n . V)^2.
            return self.activation.curvature * self._largest(x) ** 2
        if self._one_radius is None or self.of_activation is None:
            # With a bias the Hessian grows without bound where r s is small and sigma has a kink at b.
            return None
        bend = bounds.bend(self.of_activation, self._one_radius)
        return None if bend is None else bend * x[0] ** 2

    def outer_curvature(self, x: Float[Array, " d"]) -> Float[Array, ""] | None:
        if self._one_radius is None or self.of_activation is None:
            return None
        bend = bounds.outer_bend(self.of_activation, self._one_radius)
        return None if bend is None else bend / x[0] ** 2

    def rough_curvature(self, x: Float[Array, " d"]) -> Float[Array, "2"] | None:
        if self._one_radius != 2 or self.of_activation is None:
            return None
        inner, outer = bounds.rough_bends(self.of_activation)
        size = jnp.abs(x[0]) ** 1.5
        return jnp.stack([inner * size, outer / size])

    def straight_below(self, x: Float[Array, " d"]) -> Float[Array, ""] | None:
        if self._one_radius is None or self.of_activation is None:
            return None
        knots = [abs(t) for m, t in zip(self.of_activation.bends, self.of_activation.knots, strict=True) if m and t]
        # |c'| is no larger than sqrt d: no other knot is met.
        return jnp.asarray(min(knots, default=math.inf) / math.sqrt(self._one_radius)) / jnp.abs(x[0])

    def rounding(self, theta: Any, x: Float[Array, " d"]) -> Float[Array, "..."]:
        error = AbstractUnit.rounding(self, theta, x)
        if self.of_activation is None or not any(self.of_activation.bends):
            return error
        # The terms of the closed form are those of the bends, which cancel where sigma is steep between two knots.
        bias = theta.bias if self.bias else jnp.zeros((), x.dtype)
        z = jnp.stack([_spread(r, s) for r, s in zip(jnp.ravel(theta.radius), x, strict=True)])
        if len(self.dims) == 1:
            terms = _ROUNDINGS * ramps.size(self.of_activation, coordinate(self.dims[0]), z[0], bias)
        else:
            shifts = jnp.abs(jnp.asarray(self.of_activation.knots) - bias)
            terms = _PAIR_ROUNDINGS * jnp.dot(jnp.abs(jnp.asarray(self.of_activation.bends)), shifts)
        terms = float(jnp.finfo(x.dtype).eps) * terms
        return error + (jnp.abs(theta.output) * terms if self.output_weight else terms)

    @property
    def _one_radius(self) -> float | None:
        """The dimension, where the radius of one group is all there is beside an output weight; else None."""
        first, *others = self.dims
        return None if self.bias or others else first

    def _largest(self, x: Float[Array, " d"]) -> Float[Array, ""]:
        size = jnp.max(jnp.abs(x))
        return jnp.maximum(size, 1.0) if self.bias else size


def _spread(radius: Any, s: Any) -> Any:
    """|r s|, even in r: a step of an integrator may look beyond r = 0. At r = infinity with derivative zero."""
    finite = jnp.abs(radius) < math.inf
    # Not jnp.abs, whose derivative at 0 is 0: the derivative at r = 0 is the one from the right.
    size = jnp.where(finite, jnp.where(radius < 0, -radius, radius), 1.0)
    z = jnp.where(finite, size * jnp.where(s < 0, -s, s), math.inf)
    return jnp.where(s == 0, jnp.where(finite, z, 0.0), z)


def _length(u: Any, v: Any) -> Any:
    """|(u, v)| for u, v >= 0; at the origin with the derivative along the diagonal, at infinity with derivative
    zero."""
    square = u * u + v * v
    inside = (square > 0) & (square < math.inf)
    u, v = jnp.where(square < math.inf, u, 0.0), jnp.where(square < math.inf, v, 0.0)
    length = jnp.sqrt(jnp.where(inside, u * u + v * v, 1.0))
    return jnp.where(inside, length, jnp.where(square > 0, math.inf, (u + v) * 0.5**0.5))
