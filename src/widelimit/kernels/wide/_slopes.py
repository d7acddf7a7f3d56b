"""The mean over the weight w of what the kink sees, z = w . x + s b: atoms in any dimension, a density on the line."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.measure import laws
from widelimit.numerics import entries, sum_chunks

from ._bends import Moments, Offset
from ._fit import as_number

# Gauss nodes on a piece: exact for the cubics of flat densities, and some twenty for a law's own edges.
_FLAT, _CURVED = 4, 24


class WeightAtoms(eqx.Module):
    """`places` [A, d] of weight `mass` [A]."""

    places: Float[Array, "A d"]
    mass: Float[Array, " A"]
    offset: Offset
    slopes: tuple[Any, Any]
    flat = True

    @property
    def ends(self) -> Float[Array, " A"]:
        """The weights of one input at which their law is not smooth."""
        return self.places[:, 0]

    @property
    def supports(self) -> list[tuple[float, float]]:
        """Intervals of weights of one sign that hold all weights of one input but 0."""
        return [(a, a) for a in np.asarray(self.places[:, 0]).tolist() if a != 0.0]

    def rule(self, *points: Any) -> tuple[Float[Array, " A"], Float[Array, " A"]]:
        """The atoms of one input with their weights."""
        return self.places[:, 0], self.mass

    def __call__(self, x: Float[Array, "n d"], other: Float[Array, "m d"]) -> Moments:
        def piece(places: Any, mass: Any) -> Moments:
            t, s = places @ x.T, places @ other.T
            each = self.offset.moments(self.slopes, t[:, :, None], s[:, None, :])
            return Moments(*(jnp.tensordot(mass, part, axes=1) for part in each))

        size = self.offset.edges.shape[0] * x.shape[0] * other.shape[0]
        return sum_chunks(piece, (self.places,), self.mass, max(1, entries(None) // size))


class WeightLine(eqx.Module):
    r"""A weight a of one input with a density q, $\int q(a)\,E_b[\dots](a x, a x')\,da$, piece by piece.

    The integrand is smooth between the law's own edges, a = 0, where the smaller of a x and a x' changes, and the
    places where a x or a x' meets an edge of -s b: Gauss nodes between them integrate it to rounding, and exactly where
    both densities are constant (a cubic).
    """

    law: laws.AbstractLaw
    edges: Float[Array, " E"]
    offset: Offset
    slopes: tuple[Any, Any]
    flat: bool = eqx.field(static=True)

    @property
    def ends(self) -> Float[Array, " E"]:
        """As of atoms, where the density is constant between edges."""
        return self.edges

    @property
    def supports(self) -> list[tuple[float, float]]:
        """As of atoms; ends may be infinite."""
        line = self.law.line()
        assert line is not None
        low, high = line.support
        return [(a, b) for a, b in ((low, min(high, 0.0)), (max(low, 0.0), high)) if a < b]

    def __call__(self, x: Float[Array, "n d"], other: Float[Array, "m d"]) -> Moments:
        row = jax.vmap(self._pair, in_axes=(None, 0))
        return jax.vmap(row, in_axes=(0, None))(x[:, 0], other[:, 0])

    def rule(self, *points: Any) -> tuple[Float[Array, " K"], Float[Array, " K"]]:
        """Nodes a and weights of q(a) da, for what changes where a x meets an edge of -s b, at each of the points x."""
        meets = [-self.offset.sign * self.offset.edges * _inverse(point) for point in points]
        cuts = jnp.concatenate([self.edges, jnp.zeros(1), *meets])
        cuts = jnp.sort(jnp.clip(cuts, self.edges[0], self.edges[-1]))
        t, v = np.polynomial.legendre.leggauss(_FLAT if self.flat and self.offset.flat else _CURVED)
        half = 0.5 * (cuts[1:] - cuts[:-1])
        a = (cuts[:-1, None] + half[:, None] * (1.0 + t)).ravel()
        return a, (half[:, None] * v).ravel() * jnp.exp(self.law.log_density(a[:, None]))

    def _pair(self, x: Any, other: Any) -> Moments:
        a, mass = self.rule(x, other)
        each = self.offset.moments(self.slopes, a * x, a * other)
        return Moments(*(mass @ part for part in each))


def weighted(law: laws.AbstractLaw, offset: Offset, slopes: tuple[Any, Any]) -> WeightAtoms | WeightLine | None:
    """None for a law of w that has neither atoms nor, for one input, a density on the line."""
    if law.n_atoms is not None:
        places, mass = law.gauss(1)
        return WeightAtoms(jnp.asarray(places, float), jnp.asarray(mass, float), offset, slopes)
    law = as_number(law)
    line = law.line() if law.dim == 1 else None
    if line is None:
        return None
    return WeightLine(law, jnp.asarray(line.edges), offset, slopes, line.flat)


def _inverse(x: Any) -> Any:
    """1/x; 0 at 0, where a x meets nothing."""
    return jnp.where(x == 0.0, 0.0, 1.0 / jnp.where(x == 0.0, 1.0, x))
