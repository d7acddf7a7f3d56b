r"""Exact integrals of free-knot splines against the uniform law on an interval (yarotsky2018, 3).

$f(x) = \sum_i a_i (x - h_i)_+$, r = f - y, $\mu = dx/(B - A)$, loss k |f - y|^2 with k' = 2 k. The first variation is

$$\psi(c, h) = k' c\, G_2(h),\quad \partial_c \psi = k' G_2,\quad \partial_h \psi = -k' c\, G_1,\quad
  \partial_{hh} \psi = k' c\, r(h)/(B - A),\quad \partial_{ch} \psi = -k' G_1,$$

with $G_1(h) = \int_h^B r\,d\mu$ and $G_2(h) = \int_h^B r(x)\,(x - h)\,\mu(dx)$, since $G_2' = -G_1$.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..data import Panels
from ._cells import Cells, at, at_knots, cells

Numbers = Array | np.ndarray


class Spline(eqx.Module):
    """The integrals of one target, by sorted knots and sums from the right: O(N log N), exact up to rounding.

    In all methods `a` [N] is what each ramp is multiplied by: weight times charge (times the output scale), or the
    weight itself for `FreeKnot(charge=False)`. Knots may lie anywhere, be equal, and carry no weight.

    - `panels`: the target on [A, B] = [`lower`, `upper`]; `slope`: k' = 2 k of the loss k |f - y|^2.
    """

    panels: Panels
    slope: Float[Array, ""]

    @property
    def lower(self) -> Float[Array, ""]:
        return self.panels.ends[0]

    @property
    def upper(self) -> Float[Array, ""]:
        return self.panels.ends[-1]

    @property
    def length(self) -> Float[Array, ""]:
        return self.upper - self.lower

    @eqx.filter_jit
    def target(self, x: Float[Numbers, " n"]) -> Float[Array, " n"]:
        """y at places of [A, B]; beyond the ends, the polynomials of the outer panels."""
        return self.panels.at(x)

    @eqx.filter_jit
    def cells(self, a: Float[Numbers, " N"], knots: Float[Numbers, " N"]) -> Cells:
        """The residual of f in pieces, for repeated queries with `integrals`."""
        a, knots = jnp.asarray(a, float), jnp.asarray(knots, float)
        return cells(self.panels, a, knots)

    @eqx.filter_jit
    def integrals(self, found: Cells, h: Float[Numbers, "..."]) -> tuple[Array, Array, Array]:
        """(r, G1, G2) at h [M] from the cells of f: O(M log N)."""
        h = jnp.asarray(h, float)
        inside = jnp.clip(h, self.lower, self.upper)
        r, first, second = at(self.panels, found, inside)
        r = jnp.where((h >= self.lower) & (h < self.upper), r, 0.0)
        return r, first / self.length, (second + jnp.maximum(self.lower - h, 0.0) * first) / self.length

    @eqx.filter_jit
    def residual_integrals(
        self, h: Float[Numbers, " M"], a: Float[Numbers, " N"], knots: Float[Numbers, " N"]
    ) -> tuple[Float[Array, " M"], Float[Array, " M"], Float[Array, " M"]]:
        r"""(r(h), G1(h), G2(h)) of $f = \sum_i a_i (x - h_i)_+$ at any h [M].

        Left of A the integrals go over all of [A, B], so that G1 is constant and G2 linear, and r counts as zero;
        from B on all three are zero. At a break r is the limit from the right.
        """
        return self.integrals(self.cells(a, knots), h)

    @eqx.filter_jit
    def variation(
        self, a: Float[Numbers, " N"], knots: Float[Numbers, " N"]
    ) -> tuple[Float[Array, ""], Float[Array, " N"], Float[Array, " N"]]:
        """(risk, G1 [N], G2 [N]) at the knots themselves, by a single sort."""
        a, knots = jnp.asarray(a, float), jnp.asarray(knots, float)
        found = cells(self.panels, a, knots)
        first, second = at_knots(found, self.panels.ends.shape[0])
        second = second + jnp.maximum(self.lower - knots, 0.0) * first
        return 0.5 * self.slope * found.square / self.length, first / self.length, second / self.length

    def risk(self, a: Float[Numbers, " N"], knots: Float[Numbers, " N"]) -> Float[Array, ""]:
        """k INT (f - y)^2 dmu. Its derivatives are k' G2(h_i) in a_i and -k' a_i G1(h_i) in h_i."""
        return _risk(self, jnp.asarray(a, float), jnp.asarray(knots, float))

    @eqx.filter_jit
    def predict(
        self, a: Float[Numbers, " N"], knots: Float[Numbers, " N"], x: Float[Numbers, " n"]
    ) -> Float[Array, " n"]:
        """f(x) for any x [n], in [A, B] or not: O((N + n) log N)."""
        h, gains = jax.lax.sort((jnp.asarray(knots), jnp.asarray(a)), num_keys=1)
        slope = jnp.cumsum(gains)
        value = jnp.concatenate([jnp.zeros_like(gains[:1]), jnp.cumsum(slope[:-1] * jnp.diff(h))])
        k = jnp.searchsorted(h, x, side="right") - 1
        inside = k >= 0
        k = jnp.maximum(k, 0)
        f = jnp.where(inside, value[k] + slope[k] * (x - h[k]), 0.0)
        # Sorted last, a knot that is not a number would count for nothing.
        return jnp.where(jnp.any(jnp.isnan(h)), jnp.nan, f)

    def hessian(
        self, charge: Float[Numbers, " N"], r: Float[Numbers, " N"], first: Float[Numbers, " N"]
    ) -> tuple[Float[Array, " N"], Float[Array, " N"]]:
        """(d_ch psi, d_hh psi) at particles of charge c with r(h) and G1(h); d_cc psi is zero."""
        return -self.slope * first, self.slope * charge * r / self.length

    @eqx.filter_jit
    def kernel(self, h: Float[Numbers, "..."], other: Float[Numbers, "..."]) -> Float[Array, "..."]:
        r"""$K(h, h') = \int (x - h)_+ (x - h')_+\,d\mu$ (yarotsky2018 (36), corrected), for any h, h'.

        With M = max(h, h', A), m = min(h, h') and s = (B - M)_+: $(s^3/3 + s^2 (M - h + M - h')/2 + s (M - h)(M - h'))/
        (B - A)$, in which one of the two distances is zero unless both knots lie left of A.
        """
        corner, rest = self._overlap(h, other)
        near, far = jnp.maximum(corner - h, 0.0), jnp.maximum(corner - other, 0.0)
        return (rest**3 / 3.0 + 0.5 * rest**2 * (near + far) + rest * near * far) / self.length

    @eqx.filter_jit
    def kernel_slope(self, h: Float[Numbers, "..."], other: Float[Numbers, "..."]) -> Float[Array, "..."]:
        r"""$\partial_h K(h, h') = -\int_{x > h} (x - h')_+\,d\mu$."""
        corner, rest = self._overlap(h, other)
        return -(0.5 * rest**2 + rest * jnp.maximum(corner - other, 0.0)) / self.length

    @eqx.filter_jit
    def kernel_mixed(self, h: Float[Numbers, "..."], other: Float[Numbers, "..."]) -> Float[Array, "..."]:
        r"""$\partial_h \partial_{h'} K(h, h') = \mu(x > \max(h, h'))$, also for equal knots."""
        return self._overlap(h, other)[1] / self.length

    def _overlap(self, h: Any, other: Any) -> tuple[Array, Array]:
        corner = jnp.maximum(jnp.maximum(h, other), self.lower)
        # Right of B there is nothing: a knot there has no distance to the corner, be it infinite.
        return jnp.minimum(corner, self.upper), jnp.maximum(self.upper - corner, 0.0)


@jax.custom_jvp
def _risk(spline: Spline, a: Float[Array, " N"], knots: Float[Array, " N"]) -> Float[Array, ""]:
    return 0.5 * spline.slope * cells(spline.panels, a, knots).square / spline.length


@_risk.defjvp
def _risk_jvp(primals: Any, tangents: Any) -> Any:
    """By G1 and G2: the derivative of the sums as written would take r^2 at the two sides of a knot apart again."""
    spline, a, knots = primals
    risk, first, second = spline.variation(a, knots)
    by_knots = spline.slope * (second * tangents[1] - a * first * tangents[2])
    # The target and the loss: as written, there is nothing to cancel.
    _, by_data = jax.jvp(
        lambda own: 0.5 * own.slope * cells(own.panels, a, knots).square / own.length, (spline,), (tangents[0],)
    )
    return risk, jnp.sum(by_knots) + by_data
