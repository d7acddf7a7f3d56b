r"""Means of sigma(z) sigma(z') and sigma'(z) sigma'(z') of a line with one kink, sigma(z) = l_0 z + (l_1 - l_0) z_+.

With $g = l_1 - l_0$

$$E\sigma\sigma' = g^2 E z_+ z'_+ + l_0 g\,E(z z'_+ + z_+ z') + l_0^2 E z z',$$
$$E\sigma'\sigma'' = g^2 P(z > 0, z' > 0) + l_0 g\,(P(z > 0) + P(z' > 0)) + l_0^2,$$

the derivative at the kink being the left one. Where z and z' differ by a constant, z = t + s b and z' = t' + s b,
they follow from the law of b at one number each: with m = min(t, t') and D = |t - t'|

$$z_+ z'_+ = (m + s b)_+^2 + D\,(m + s b)_+,\qquad z\,z'_+ = (z'_+)^2 + (t - t')\,z'_+ .$$

For b of constant density k the first has the mean k [P((m - l)_+; D) - P((m - h)_+; D)], P(v; D) = v^2 (2 v + 3 D)/6
(h = -s b between l and h; williams2019, Theorem 5).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.measure import laws

from ._fit import as_number, second_moments


class Moments(NamedTuple):
    """E sigma(z) sigma(z') and E sigma'(z) sigma'(z')."""

    values: Float[Array, "..."]
    slopes: Float[Array, "..."]


class Pair(NamedTuple):
    """E z z', E (z z'_+ + z_+ z') and P(z > 0) + P(z' > 0)."""

    product: Any
    mixed: Any
    signs: Any


def bent(slopes: tuple[Any, Any], rest: Callable[[], Pair], *, above: Any, both: Any) -> Moments:
    """From E z_+ z'_+ and P(z > 0, z' > 0), and the `rest` that a line flat on the left does not need."""
    left, right = slopes
    if isinstance(left, float) and left == 0.0:
        return Moments(right**2 * above, right**2 * both)
    bend, pair = right - left, rest()
    return Moments(
        bend**2 * above + left * bend * pair.mixed + left**2 * pair.product,
        bend**2 * both + left * bend * pair.signs + left**2,
    )


class Offset(eqx.Module):
    """The law of s b as the kink sees it: atoms, or a law of one number with `positive_part`.

    `edges`: between neighbours, and outside of them, the means are smooth in t at -s edges.
    """

    law: laws.AbstractLaw | None
    atoms: tuple[Float[Array, " B"], Float[Array, " B"]] | None
    edges: Float[Array, " E"]
    sign: float = eqx.field(static=True)
    flat: bool = eqx.field(static=True)

    def part(self, shift: Any) -> tuple[Any, Any, Any]:
        """P(z > 0), E z_+, E z_+^2 of z = shift + s b."""
        if self.atoms is None:
            assert self.law is not None
            known = self.law.positive_part(shift, self.sign)
            assert known is not None
            return known[0], known[1], known[2]
        places, weights = self.atoms
        z = jnp.maximum(shift[..., None] + self.sign * places, 0.0)
        return (z > 0.0) @ weights, z @ weights, (z * z) @ weights

    def moments(self, slopes: tuple[Any, Any], t: Any, other: Any) -> Moments:
        """For z = t + s b and z' = other + s b."""
        # With these two, and without |t - other|, automatic differentiation is right where t = other too.
        least, most = jnp.minimum(t, other), jnp.maximum(t, other)
        both, ramp, square = self.part(least)

        def rest() -> Pair:
            (p, r, q), (p_other, r_other, q_other) = self.part(t), self.part(other)
            mean, squares = self._mean()
            mixed = q_other + (t - other) * r_other + q + (other - t) * r
            return Pair(t * other + (t + other) * mean + squares, mixed, p + p_other)

        return bent(slopes, rest, above=square + (most - least) * ramp, both=both)

    def _mean(self) -> tuple[Any, Any]:
        """E s b and E b^2."""
        if self.atoms is not None:
            places, weights = self.atoms
            return self.sign * (places @ weights), (places * places) @ weights
        assert self.law is not None
        mean, squares = self.law.mean(), second_moments(self.law)
        assert mean is not None
        assert squares is not None
        return self.sign * mean[0], squares[0, 0]


def offset(law: laws.AbstractLaw | None, sign: float) -> Offset | None:
    """The law of a bias; b = 0 where there is none. None for a law that has neither atoms nor `positive_part`."""
    law = laws.Atom(0.0) if law is None else as_number(law)
    if law.n_atoms is not None:
        places, weights = law.gauss(1)
        atoms = jnp.asarray(places[:, 0], float), jnp.asarray(weights, float)
        return Offset(None, atoms, jnp.unique(atoms[0]), sign, True)
    line = law.line()
    if line is None or law.positive_part(jnp.zeros(()), sign) is None:
        return None
    return Offset(law, None, jnp.asarray(np.asarray(line.edges)), sign, line.flat)
