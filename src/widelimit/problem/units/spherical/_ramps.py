r"""The spherical mean of a piecewise-linear function, one group: $E\,\sigma(z c' + b)$ in closed form.

With $\sigma(t) = v + l_0 (t - t_1) + \sum_j m_j (t - t_j)_+$, $t'_j = t_j - b$ and $k_j = t'_j/z$,

$$E\,\sigma(z c' + b) = v + l_0 (b - t_1) + \sum_j m_j\,[z B(k_j) - t'_j P(k_j)],$$
$$\partial_z = \sum_j m_j B(k_j),\quad \partial_b = l_0 + \sum_j m_j P(k_j),\quad
\nabla^2 = \sum_j m_j \frac{p(k_j)}{z} \begin{pmatrix} k_j^2 & k_j \\ k_j & 1 \end{pmatrix}.$$

Where sigma is as steep at both ends, $\sum_j m_j = 0$ and B(k) - B(0) stands for B(k): at large z nothing cancels,
and z = infinity gives the limit. At z = 0 the derivative in z is the one-sided one. Between two near knots the terms
cancel: such ramps are left out of the sum (their slope is 0 in it) and put in by themselves (`_steep`).
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.numerics import Coordinate, Number

from ...activations import Pieces
from . import _steep as steep

Terms = list[tuple[Number, Any, Any]]
"""For each knot: m_j, t'_j and k_j."""


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def mean(pieces: Pieces, law: Coordinate, z: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "..."]:
    """E sigma(z c' + b) for z >= 0, infinity included."""
    parallel = is_parallel(pieces)
    # At z = infinity the difference of bells is zero and its product with z has the limit zero.
    scale = jnp.where(z < math.inf, z, 0.0) if parallel else z
    total = offset(pieces, b)
    for bend, shift, k in _terms(pieces, z, b):
        bell, risen = _bells(law, k, parallel)
        total = total + bend * (law.half_mean * scale * risen - shift * law.tail(k, bell))
    return total + _steep_part(pieces, steep.area, law, z, b)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def slope_in_z(pieces: Pieces, law: Coordinate, z: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "..."]:
    """E sigma'(z c' + b) c'."""
    parallel = is_parallel(pieces)
    terms = _terms(pieces, z, b)
    gentle = law.half_mean * jnp.asarray(sum(bend * _bells(law, k, parallel)[1] for bend, _, k in terms))
    return gentle + _steep_part(pieces, steep.area_in_z, law, z, b)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def slope_in_b(pieces: Pieces, law: Coordinate, z: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "..."]:
    """E sigma'(z c' + b)."""
    parallel = is_parallel(pieces)
    terms = _terms(pieces, z, b)
    gentle = jnp.asarray(sum(bend * law.tail(k, _bells(law, k, parallel)[0]) for bend, _, k in terms))
    return pieces.slopes[0] + gentle + _steep_part(pieces, steep.area_in_b, law, z, b)


@mean.defjvp
def _mean_jvp(pieces: Pieces, law: Coordinate, at: Any, moved: Any) -> Any:
    (z, b), (dz, db) = at, moved
    change = slope_in_z(pieces, law, z, b) * dz + slope_in_b(pieces, law, z, b) * db
    return mean(pieces, law, z, b), change


@slope_in_z.defjvp
def _slope_in_z_jvp(pieces: Pieces, law: Coordinate, at: Any, moved: Any) -> Any:
    (z, b), (dz, db) = at, moved
    in_zz, in_zb, _ = _bends(pieces, law, z, b)
    change = in_zz * dz + in_zb * db
    return slope_in_z(pieces, law, z, b), change


@slope_in_b.defjvp
def _slope_in_b_jvp(pieces: Pieces, law: Coordinate, at: Any, moved: Any) -> Any:
    (z, b), (dz, db) = at, moved
    _, in_zb, in_bb = _bends(pieces, law, z, b)
    change = in_zb * dz + in_bb * db
    return slope_in_b(pieces, law, z, b), change


def is_parallel(pieces: Pieces) -> bool:
    """Whether sigma has the same slope at both ends."""
    return bool(pieces.slopes[0] == pieces.slopes[-1])


def offset(pieces: Pieces, b: Float[Array, "..."]) -> Float[Array, "..."]:
    """v + l_0 (b - t_1), what the mean is without the bends."""
    start = pieces.value + 0.0 * b
    return start if pieces.slopes[0] == 0.0 else start + pieces.slopes[0] * (b - pieces.knots[0])


def size(pieces: Pieces, law: Coordinate, z: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "..."]:
    """The terms of `mean` with absolute values: what rounding errors are relative to."""
    parallel = is_parallel(pieces)
    scale, total = jnp.where(z < math.inf, z, 0.0), jnp.abs(offset(pieces, b))
    for bend, shift, k in _terms(pieces, z, b):
        bell, risen = _bells(law, k, parallel)
        total = total + abs(bend) * (law.half_mean * scale * jnp.abs(risen) + jnp.abs(shift) * law.tail(k, bell))
    return total + sum(abs(ramp.slope) * steep.area_size(ramp, law, z, b) for ramp in steep.steep_ramps(pieces))


def _terms(pieces: Pieces, z: Float[Array, "..."], b: Float[Array, "..."]) -> Terms:
    shifts = [knot - b for knot in pieces.knots]
    # 0/0 is a knot met at z = 0: half of the mass is on either side.
    bends = steep.without_steep(pieces).bends
    return [(m, shift, jnp.where(shift == 0.0, 0.0, shift / z)) for m, shift in zip(bends, shifts, strict=True) if m]


def _bells(law: Coordinate, k: Float[Array, "..."], parallel: bool) -> tuple[Any, Any]:
    """b(k), and what multiplies B(0): b(k) - 1 where sigma is as steep at both ends, else b(k)."""
    log_bell = law.log_bell(k)
    if not parallel:
        bell = jnp.exp(log_bell)
        return bell, bell
    risen = jnp.expm1(log_bell)
    return 1.0 + risen, risen


def _steep_part(pieces: Pieces, part: Any, law: Coordinate, z: Any, b: Any) -> Any:
    return sum((ramp.slope * part(ramp, law, z, b) for ramp in steep.steep_ramps(pieces)), 0.0)


def _bends(pieces: Pieces, law: Coordinate, z: Float[Array, "..."], b: Float[Array, "..."]) -> tuple[Any, Any, Any]:
    """The second derivatives zz, zb, bb; zero at z = 0 (there is a kink in b or a cone in z) and at infinity."""
    inside = (z > 0) & (z < math.inf)
    inverse = jnp.where(inside, 1.0 / jnp.where(inside, z, 1.0), 0.0)
    ks = [(m, jnp.where(inside, k, 0.0)) for m, _, k in _terms(pieces, z, b)]
    masses = [(m * law.density(k) * inverse, k) for m, k in ks]
    parts = [(m * k * k, m * k, m) for m, k in masses]
    parts += [
        tuple(ramp.slope * bend for bend in steep.area_bends(ramp, law, z, b)) for ramp in steep.steep_ramps(pieces)
    ]
    in_zz, in_zb, in_bb = (sum(column) for column in zip(*parts, strict=True))
    return in_zz, in_zb, in_bb
