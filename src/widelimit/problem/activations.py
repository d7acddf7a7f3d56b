"""Activations sigma(z) and the facts they declare: degree of homogeneity, bound, slope, curvature, kinks.

The facts are what certificates rest on; the tests check each of them on a fine grid.
"""

import itertools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float

from widelimit.numerics import Module, Number, leaf
from widelimit.numerics.registry import Registry, number, several


class Pieces(NamedTuple):
    r"""A continuous piecewise-linear function: $v + l_0 (t - t_1) + \sum_j (l_j - l_{j-1}) (t - t_j)_+$.

    - `value`: v, at the first knot.
    - `knots`: t_1 < ... < t_n; `slopes`: l_0, ..., l_n, one more than the knots.
    """

    value: Number
    knots: tuple[Number, ...]
    slopes: tuple[Number, ...]

    def plain(self) -> "Pieces":
        """With floats for numbers. Raises where they are traced."""
        return Pieces(float(self.value), tuple(map(float, self.knots)), tuple(map(float, self.slopes)))

    @property
    def bends(self) -> tuple[Number, ...]:
        """By how much the slope grows at each knot."""
        return tuple(b - a for a, b in itertools.pairwise(self.slopes))


class Parity(NamedTuple):
    r"""What $\int \sigma(\theta \cdot x)\,\nu(d\theta)$ for all x in R^d tells of the even and of the odd part of nu.

    0: nothing, but for the mass where sigma(0) is not 0; 1 or 2: of the even part $\int |\theta \cdot x|^k d\nu$
    alone, of the odd one the first moment; inf: all of it.
    """

    even: float
    odd: float


class Activation(Module):
    """A function sigma: R -> R with declared facts.

    - `function`: written for one number; JAX operations.
    - `name`: for printing and provenance.
    - `homogeneity`: k when sigma(s z) = s^k sigma(z) for all s > 0, else None.
    - `bound`: a number B with |sigma| <= B, or None when sigma is unbounded.
    - `slope`: a number L with |sigma(a) - sigma(b)| <= L |a - b|, or None when there is none (or it is unknown).
    - `curvature`: a number K with |sigma''| <= K, or None when there is none (a kink, say) or it is unknown.
    - `kinks`: the points where the derivative jumps. Anything that needs a second derivative of a
      kinked unit must not use automatic differentiation (it answers 0 there).
    - `pieces`: the whole function, where it is piecewise linear: its Gaussian and spherical means are then known in
      closed form.
    - `entire`: whether it is analytic in all of the complex plane.
    - `parity`: a `Parity`, or None where it is not known.
    """

    function: Callable[[Float[Array, ""]], Float[Array, ""]]
    name: str = eqx.field(static=True, default="function")
    homogeneity: float | None = eqx.field(static=True, default=None)
    # Numbers, or arrays where they follow from an argument: then another value of it does not compile anew.
    bound: Number | None = None
    slope: Number | None = None
    curvature: Number | None = None
    kinks: tuple[Number, ...] = ()
    pieces: Pieces | None = None
    entire: bool = eqx.field(static=True, default=False)
    parity: Parity | None = eqx.field(static=True, default=None)

    def __call__(self, z: Float[Array, ""]) -> Float[Array, ""]:
        return self.function(z)


def as_activation(given: Any, who: str) -> Activation:
    """An activation, of a function of one number too (then no facts are known). Raises `ValueError` for others."""
    if isinstance(given, Activation):
        return given
    if not callable(given):
        raise ValueError(
            f"{who}: expected an activation such as widelimit.activations.tanh or a function of one number, got "
            f"{given!r}."
        )
    function: Any = given
    return Activation(function)


class _LeakyRelu(eqx.Module):
    negative: Float[Array, ""]

    def __call__(self, z: Float[Array, ""]) -> Float[Array, ""]:
        return jnp.where(z > 0, z, self.negative * z)


class _PiecewiseLinear(eqx.Module):
    """v_0 + SUM s_j (clip(z, t_j, t_{j+1}) - t_j): ramps that end, so nothing cancels far outside the knots."""

    pieces: Pieces

    def __call__(self, z: Float[Array, ""]) -> Float[Array, ""]:
        _, knots, slopes = self.pieces
        value = jnp.full_like(z, self.pieces.value)
        for left, right, slope in zip(knots, knots[1:], slopes[1:], strict=False):
            # Not `jnp.clip`: at a knot the derivative is the left one, as everywhere.
            value = value + slope * (jnp.where(z > right, right, jnp.where(z > left, z, left)) - left)
        return value


class _OfJax(eqx.Module):
    """A function of JAX by its place: not all of JAX's own compiled objects survive copying and pickling."""

    place: str = eqx.field(static=True)

    def __call__(self, z: Float[Array, ""]) -> Float[Array, ""]:
        return operator.attrgetter(self.place)(jax)(z)


def _quadratic(z: Float[Array, ""]) -> Float[Array, ""]:
    return z * z


def _arctan(z: Float[Array, ""]) -> Float[Array, ""]:
    # With two arguments: of that JAX knows Taylor series.
    return jnp.arctan2(z, jnp.ones_like(z))


def _identity(z: Float[Array, ""]) -> Float[Array, ""]:
    return z


def _gaussian(z: Float[Array, ""]) -> Float[Array, ""]:
    return jnp.exp(-0.5 * z * z)


# z/2 + |z|/2: of the even part of a measure it sees the mean of |theta . x|.
relu = Activation(
    _OfJax("nn.relu"),
    "relu",
    homogeneity=1.0,
    slope=1.0,
    kinks=(0.0,),
    pieces=Pieces(0.0, (0.0,), (0.0, 1.0)),
    parity=Parity(1.0, 1.0),
)
# |sigma''| is largest where tanh^2 = 1/3: 4 / (3 sqrt 3); the sigmoid is tanh(z/2)/2 + 1/2.
tanh = Activation(
    _OfJax("numpy.tanh"), "tanh", bound=1.0, slope=1.0, curvature=4.0 / 27.0**0.5, parity=Parity(0.0, math.inf)
)
# 4 z exp(-z^2) / sqrt(pi) is largest at z = 1/sqrt(2): sqrt(8 / (pi e)).
erf = Activation(
    _OfJax("scipy.special.erf"),
    "erf",
    bound=1.0,
    slope=2.0 / math.pi**0.5,
    curvature=(8.0 / (math.pi * math.e)) ** 0.5,
    entire=True,
    parity=Parity(0.0, math.inf),
)
sigmoid = Activation(
    _OfJax("nn.sigmoid"), "sigmoid", bound=1.0, slope=0.25, curvature=0.5 / 27.0**0.5, parity=Parity(0.0, math.inf)
)
# z/2 + log(2 cosh(z/2)).
softplus = Activation(_OfJax("nn.softplus"), "softplus", slope=1.0, curvature=0.25, parity=Parity(math.inf, 1.0))
# exp(-z^2/2): the largest slope is at z = 1, the largest second derivative at 0.
gaussian = Activation(
    _gaussian,
    "gaussian",
    bound=1.0,
    slope=0.6065306597126335,
    curvature=1.0,
    parity=Parity(math.inf, 0.0),
    entire=True,
)
quadratic = Activation(_quadratic, "quadratic", homogeneity=2.0, curvature=2.0, parity=Parity(2.0, 0.0), entire=True)
# 2 z/(1 + z^2)^2 is largest at z = 1/sqrt(3): 3 sqrt(3)/8.
arctan = Activation(
    _arctan, "arctan", bound=0.5 * math.pi, slope=1.0, curvature=0.375 * 3.0**0.5, parity=Parity(0.0, math.inf)
)
identity = Activation(
    _identity, "identity", homogeneity=1.0, slope=1.0, curvature=0.0, parity=Parity(0.0, 1.0), entire=True
)


def leaky_relu(negative: Any = 0.01) -> Activation:
    """z for z > 0, `negative` z else. Raises `ValueError` for a slope that is not finite."""
    slope = leaf(negative, "leaky_relu(negative=...)")
    known = not isinstance(slope, Tracer)
    straight = known and float(slope) == 1.0
    # (1 + s)/2 z + (1 - s)/2 |z|.
    parity = Parity(0.0 if straight else 1.0, 0.0 if float(slope) == -1.0 else 1.0) if known else None
    return Activation(
        _LeakyRelu(slope),
        "leaky_relu",
        homogeneity=1.0,
        slope=jnp.maximum(1.0, jnp.abs(slope)),
        curvature=0.0 if straight else None,
        kinks=() if straight else (0.0,),
        pieces=Pieces(0.0, (0.0,), (slope, 1.0)),
        parity=parity,
    )


def piecewise_linear(knots: Sequence[float], values: Sequence[float]) -> Activation:
    """Linear between the points (knot, value), constant outside.

    mei2018's ramp is `piecewise_linear([0.5, 1.5], [-2.5, 7.5])`.

    **Raises** `ValueError` unless there are two or more finite knots that increase, and as many values.
    """
    t, v = [float(k) for k in knots], [float(k) for k in values]
    if len(t) < 2 or len(t) != len(v):
        raise ValueError(
            f"piecewise_linear(knots, values): needs two or more knots and as many values, got {len(t)} and {len(v)}."
        )
    if not all(a < b for a, b in itertools.pairwise(t)) or not all(abs(k) < float("inf") for k in t + v):
        raise ValueError(f"piecewise_linear(knots=...): must be finite and increase, got {t}.")
    slopes = [0.0] + [(b - a) / (s - r) for a, b, r, s in zip(v, v[1:], t, t[1:], strict=False)] + [0.0]
    bends = [b - a for a, b in itertools.pairwise(slopes)]
    inner = (leaf(slope, "the slope between two knots") for slope in slopes[1:-1])
    pieces = Pieces(leaf(v[0], "values"), tuple(leaf(k, "knots") for k in t), (0.0, *inner, 0.0))
    return Activation(
        _PiecewiseLinear(pieces),
        "piecewise_linear",
        bound=leaf(max(map(abs, v)), "values"),
        slope=leaf(max(map(abs, slopes)), "values"),
        kinks=tuple(k for k, bend in zip(pieces.knots, bends, strict=True) if bend != 0.0),
        pieces=pieces,
    )


registry = Registry("activation")
for _fixed in (relu, tanh, erf, sigmoid, softplus, gaussian, quadratic, arctan, identity):
    registry.add(_fixed.name, lambda fixed=_fixed: fixed)
registry.add("leaky_relu", leaky_relu, negative=number())
registry.add("piecewise_linear", piecewise_linear, knots=several(number()), values=several(number()))
