"""The neuron averaged over the directions of its weight."""

import functools
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.measure import Block, Blocks
from widelimit.numerics import coordinate, gauss_coordinate

from ..activations import Activation
from . import _spherical_ramps as ramps, _spherical_two as two
from ._unit import AbstractUnit

# Nodes of the rule for the mean of a smooth activation.
_NODES = 64


class SphericalNeuron(AbstractUnit):
    r"""$\phi(\theta, s) = a\,E\,\sigma\big(\sum_g r_g s_g c'_g + b\big)$.

    Here $c'_g$ is $\sqrt{d_g}$ times a coordinate of a uniform point on $S^{d_g-1}$, standard normal at d = infinity.
    The unit is a sigma(w . x + b) averaged over the directions of w in each group of coordinates, at $|w_g| = r_g$ and
    $|x_g| = s_g \sqrt{d_g}$. It is smooth where sigma has kinks, with exact derivatives of every order that is used; at
    r = 0 they are one-sided. r = infinity is allowed for an activation that is constant at both ends.

    Blocks: `output` (a: (), if `output_weight`), `radius` (r: () for one group, else (G,)), `bias` (b: (), if `bias`).

    **Arguments**

    - `activation`: piecewise linear (closed forms), or smooth (a Gauss rule of 64 nodes: exact to rounding where
      sigma is analytic and r s not much larger than 1).
    - `dims`: d_g >= 2, one or two, infinity allowed.

    Raises `ValueError` for a kinked activation that is not piecewise linear.
    """

    activation: Activation
    dims: tuple[float, ...] = eqx.field(static=True)
    bias: bool = eqx.field(static=True)
    output_weight: bool = eqx.field(static=True)

    def __init__(
        self, activation: Activation, dims: tuple[float, ...], *, bias: bool = False, output_weight: bool = False
    ) -> None:
        if activation.pieces is None and activation.kinks:
            raise ValueError(
                f"SphericalNeuron(activation=...): {activation.name!r} has kinks and is not known to be piecewise "
                "linear."
            )
        self.activation, self.dims = activation, tuple(float(d) for d in dims)
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
        value = self._mean(jnp.ravel(theta.radius), x, bias)
        return theta.output * value if self.output_weight else value

    def _mean(self, radius: Any, s: Any, bias: Any) -> Any:
        pieces = self.activation.pieces
        if len(self.dims) == 1:
            # 0 * infinity: no length, no spread.
            z = jnp.where(s[0] > 0, radius[0] * jnp.where(s[0] > 0, s[0], 1.0), 0.0)
            if pieces is not None:
                return ramps.mean(pieces, coordinate(self.dims[0]), z, bias)
            return _by_rule(self.activation, self.dims[0], z, bias)
        if set(self.dims) != {math.inf}:
            if pieces is None:
                return _by_rules(self.activation, self.dims, radius * s, bias)
            return two.mean(pieces, self.dims, radius[0] * s[0], radius[1] * s[1], bias)
        z = _hypot(radius[0] * s[0], radius[1] * s[1])
        if pieces is not None:
            return ramps.mean(pieces, coordinate(math.inf), z, bias)
        return _by_rule(self.activation, math.inf, z, bias)

    @property
    def kinked(self) -> bool:
        return False

    @property
    def linear(self) -> str | None:
        return "output" if self.output_weight else None

    @property
    def homogeneity(self) -> float | None:
        return self.activation.homogeneity

    @property
    def bound(self) -> float | None:
        return self.activation.bound

    def lipschitz(self, x: Float[Array, " d"]) -> Float[Array, ""] | None:
        # E |c'| <= 1, in every group.
        if self.activation.slope is None:
            return None
        return self.activation.slope * jnp.sqrt(jnp.sum(x**2) + (1.0 if self.bias else 0.0))

    def curvature(self, x: Float[Array, " d"]) -> Float[Array, ""] | None:
        pieces, dim = self.activation.pieces, self.dims[0]
        if self.activation.curvature is not None:
            return self.activation.curvature * (jnp.sum(x**2) + (1.0 if self.bias else 0.0))
        if pieces is None or self.bias or len(self.dims) > 1 or dim <= 3:
            return None
        # d^2/dz^2 E (z c' - t)_+ = (t^2/z^3) p(t/z) = k^3 p(k)/|t|, largest at k^2 = 3 in every dimension.
        top = 3.0**1.5 * coordinate(dim).density(jnp.sqrt(3.0))
        weight = sum(abs(m) / abs(t) for m, t in zip(pieces.bends, pieces.knots, strict=True) if m and t)
        return weight * top * x[0] ** 2

    def outer_curvature(self, x: Float[Array, " d"]) -> Float[Array, ""] | None:
        pieces, dim = self.activation.pieces, self.dims[0]
        if pieces is None or self.bias or len(self.dims) > 1 or dim <= 5 or not _flat(pieces):
            return None
        # With v = t y/s: t (e(v)/v) with e'' = p, and (e/v)'' = INT_0^1 l^2 p'(l v) dl is at most sup |p'| / 3.
        weight = sum(abs(m) * abs(t) ** 3 for m, t in zip(pieces.bends, pieces.knots, strict=True))
        return weight * _steepest(dim) / (3.0 * x[0] ** 2)


def _flat(pieces: Any) -> bool:
    return pieces.slopes[0] == 0.0 and pieces.slopes[-1] == 0.0


def _steepest(dim: float) -> float:
    """sup |p'|: at k = 1 for d = infinity, at k^2 = d/(d - 4) else."""
    law = coordinate(dim)
    if dim == math.inf:
        return law.peak * math.exp(-0.5)
    k = math.sqrt(dim / (dim - 4.0))
    return law.peak * (dim - 3.0) / dim * k * (1.0 - k * k / dim) ** (0.5 * (dim - 5.0))


def _hypot(u: Any, v: Any) -> Any:
    """|(u, v)| with derivative zero at the origin, not NaN."""
    square = u * u + v * v
    return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1.0)), 0.0)


@functools.cache
def _rule(dim: float) -> tuple[Any, Any]:
    return gauss_coordinate(dim, _NODES)


def _by_rule(activation: Activation, dim: float, z: Any, bias: Any) -> Any:
    nodes, weights = _rule(dim)
    return jnp.asarray(weights) @ jax.vmap(lambda c: activation(z * c + bias))(jnp.asarray(nodes))


def _by_rules(activation: Activation, dims: tuple[float, ...], lengths: Any, bias: Any) -> Any:
    (first, p), (second, q) = (_rule(dim) for dim in dims)
    z = lengths[0] * jnp.asarray(first)[:, None] + lengths[1] * jnp.asarray(second)
    return jnp.asarray(p) @ jax.vmap(jax.vmap(lambda c: activation(c + bias)))(z) @ jnp.asarray(q)
