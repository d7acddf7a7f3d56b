r"""The spherical mean of a short ramp, from 0 at t to h at t + h and flat outside: an integral, not a difference.

With $t' = t - b$, $k_0 = t'/z$, $k_1 = (t' + h)/z$,

$$I = \int_{t'}^{t'+h} P(u/z)\,du,\qquad \partial_z I = \int_{k_0}^{k_1} k\,p\,dk,\qquad
\partial_b I = \int_{k_0}^{k_1} p\,dk.$$

In closed form these are differences, [z B - t' P], [B] and [P] between the ends, which lose z/h of their digits. Where
h/z <= 1/10 Gauss's rule with four nodes errs by h (h/z)^8 max|P^(8)| 4!^4/(9 8!^3), below 1e-15 h, as long as P is
smooth: it is analytic up to the edge |k| = sqrt d, and as far as 20 h/z from it the rule errs by no more than that.
Elsewhere the difference loses a digit, or two where d is small and the bell not.
"""

import itertools
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.numerics import Coordinate, Number

from ...activations import Pieces

# Shorter than this times max(1, |t|), a ramp is steep; of a longer one no more than a digit is lost.
_SHORT = 0.1
_LONGEST, _FROM_THE_EDGE = 0.1, 20.0
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(4)


class Ramp(NamedTuple):
    """Between two near knots: t, h and the slope there."""

    start: Number
    length: Number
    slope: Number


class Place(NamedTuple):
    """Where a ramp is seen from (z, b).

    `mirrored`: it lies left of 0, and is looked at as [-t' - h, -t'], where P is small instead of near 1.
    """

    mirrored: Float[Array, "..."]
    left: Float[Array, "..."]
    ends: tuple[Float[Array, "..."], Float[Array, "..."]]
    width: Float[Array, "..."]
    ruled: Float[Array, "..."]


def steep_ramps(pieces: Pieces) -> tuple[Ramp, ...]:
    """The short ramps among the pieces."""
    inner = zip(itertools.pairwise(pieces.knots), pieces.slopes[1:-1], strict=True)
    return tuple(Ramp(t, u - t, slope) for (t, u), slope in inner if slope and u - t <= _SHORT * max(1.0, abs(t)))


def without_steep(pieces: Pieces) -> Pieces:
    """The rest, for the sum over bends: with slope 0 along the short ramps."""
    steep = [ramp.start for ramp in steep_ramps(pieces)]
    inner = (0.0 if t in steep else slope for t, slope in zip(pieces.knots, pieces.slopes[1:-1], strict=False))
    return pieces._replace(slopes=(pieces.slopes[0], *inner, pieces.slopes[-1]))


def area(ramp: Ramp, law: Coordinate, z: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "..."]:
    """I; h/2 at z = infinity."""
    place = _place(ramp, law, z, b)
    ruled = ramp.length * _average(law, place, lambda k: law.tail(k, jnp.exp(law.log_bell(k))))
    bells, tails = _at_ends(law, place)
    scale = jnp.where(z < jnp.inf, z, 0.0)
    apart = law.half_mean * scale * bells - place.left * tails[0] + (place.left + ramp.length) * tails[1]
    inside = jnp.where(place.ruled, ruled, apart)
    return jnp.where(place.mirrored, ramp.length - inside, inside)


def area_in_z(ramp: Ramp, law: Coordinate, z: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "..."]:
    """dI/dz."""
    place = _place(ramp, law, z, b)
    ruled = place.width * _average(law, place, lambda k: k * law.density(k))
    value = jnp.where(place.ruled, ruled, law.half_mean * _at_ends(law, place)[0])
    return jnp.where(place.mirrored, -value, value)


def area_in_b(ramp: Ramp, law: Coordinate, z: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "..."]:
    """dI/db."""
    place = _place(ramp, law, z, b)
    tails = _at_ends(law, place)[1]
    return jnp.where(place.ruled, place.width * _average(law, place, law.density), tails[0] - tails[1])


def area_bends(
    ramp: Ramp, law: Coordinate, z: Float[Array, "..."], b: Float[Array, "..."]
) -> tuple[Float[Array, "..."], ...]:
    r"""d^2I/dz^2, d^2I/dz db, d^2I/db^2: $-\int (k^i p)'\,dk / z$ for i = 2, 1, 0; zero at z = 0 and infinity."""
    inside = (z > 0) & (z < jnp.inf)
    inverse = jnp.where(inside, 1.0 / jnp.where(inside, z, 1.0), 0.0)
    place = _place(ramp, law, z, b)
    sign = jnp.where(place.mirrored, -1.0, 1.0)
    left, right = (jnp.where(inside, end, 0.0) for end in place.ends)
    # p' = -fall k p/(1 - k^2/d).
    fall = 1.0 if law.dim == jnp.inf else (law.dim - 3.0) / law.dim

    def one(i: int) -> Float[Array, "..."]:
        def steepness(k: Any) -> Any:
            room = jnp.maximum(1.0 - k * k * (1.0 / law.dim), 1e-300)
            return law.density(k) * (fall * k ** (i + 1) / room - (i * k ** (i - 1) if i else 0.0))

        apart = left**i * law.density(left) - right**i * law.density(right)
        value = jnp.where(place.ruled, place.width * _average(law, place, steepness), apart)
        # Mirrored, k^i changes its sign with i, and the ends change places.
        return sign ** (i + 1) * inverse * value

    return one(2), one(1), one(0)


def area_size(ramp: Ramp, law: Coordinate, z: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "..."]:
    """The terms of `area` with absolute values: what rounding errors are relative to."""
    place = _place(ramp, law, z, b)
    tail = law.tail(place.ends[0], bell := jnp.exp(law.log_bell(place.ends[0])))
    scale = jnp.where(z < jnp.inf, z, 0.0)
    apart = law.half_mean * scale * bell + 2.0 * jnp.abs(place.left) * tail
    return ramp.length + jnp.where(place.ruled, 0.0, apart)


def _place(ramp: Ramp, law: Coordinate, z: Any, b: Any) -> Place:
    start = ramp.start - b
    mirrored = start < -0.5 * ramp.length
    left = jnp.where(mirrored, -start - ramp.length, start)
    # 0/0 is a knot met at z = 0: half of the mass is on either side.
    ends = tuple(jnp.where(end == 0.0, 0.0, end / z) for end in (left, left + ramp.length))
    width = ramp.length / z
    # `left` is at least -h/2: the right end is the farther one.
    ruled = width <= jnp.minimum(_LONGEST, (law.edge - ends[1]) / _FROM_THE_EDGE)
    return Place(mirrored, left, (ends[0], ends[1]), width, ruled)


def _average(law: Coordinate, place: Place, function: Any) -> Any:
    """Gauss's rule for (1/(k_1 - k_0)) INT function dk; where the rule does not serve, at harmless points."""
    left, half = jnp.where(place.ruled, place.ends[0], 0.0), 0.5 * jnp.where(place.ruled, place.width, 0.0)
    nodes = zip(_NODES, _WEIGHTS, strict=True)
    return 0.5 * sum(float(w) * function(left + half * (1.0 + float(x))) for x, w in nodes)


def _at_ends(law: Coordinate, place: Place) -> tuple[Any, tuple[Any, Any]]:
    """b(k_0) - b(k_1), from b or from b - 1, whichever is smaller; and P at both."""
    logs = [law.log_bell(k) for k in place.ends]
    bells, risen = [jnp.exp(log) for log in logs], [jnp.expm1(log) for log in logs]
    drop = jnp.where(bells[0] < 0.5, bells[0] - bells[1], risen[0] - risen[1])
    tails = [law.tail(k, bell) for k, bell in zip(place.ends, bells, strict=True)]
    return drop, (tails[0], tails[1])
