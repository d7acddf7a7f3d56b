"""A measure of free knots as the ramps of a spline, and psi from the spline's integrals."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.numerics import Number

from ._cells import Cells
from ._integrals import AbstractField
from ._spline import Spline


class Ramps(NamedTuple):
    r"""$f = \sum_i a_i (x - h_i)_+$ of particles (c_i, h_i) or (h_i).

    `a` [N]: weight times `each`; `each` [N]: c_i (or 1) times the `factor` of the output scale; `knots` [N].
    """

    a: Float[Array, " N"]
    each: Float[Array, " N"]
    knots: Float[Array, " N"]
    factor: Number


def ramps(theta: Any, w: Any, factor: Number) -> Ramps:
    """`theta`: blocks c (if it has one) and h; `factor`: of the output scale."""
    each = factor * (theta.c if "c" in theta._fields else jnp.ones_like(theta.h))
    return Ramps(w * each, each, theta.h, factor)


def variation(spline: Spline, theta: Any, w: Any, factor: Number) -> tuple[Any, Any, Any]:
    """(risk, psi [N], grad psi in blocks) at the particles, never divided by a weight."""
    found = ramps(theta, w, factor)
    risk, first, second = spline.variation(found.a, found.knots)
    gradient = {"h": -spline.slope * found.each * first}
    if "c" in theta._fields:
        gradient["c"] = factor * spline.slope * second
    return risk, spline.slope * found.each * second, theta._replace(**gradient)


def curvature(spline: Spline, theta: Any, w: Any, factor: Number) -> tuple[Array, Array]:
    """Hessians and kernel of psi: <grad phi, grad phi> is the kernel (x - h)_+ . (x - h')_+ and its slopes."""
    found = ramps(theta, w, 1.0)
    charge, h = found.each, found.knots
    r, first, _ = spline.residual_integrals(h, factor * found.a, h)
    mixed, bent = spline.hessian(charge, r, first)
    pairs = (h[:, None], h[None, :])
    turned = charge[:, None] * charge[None, :] * spline.kernel_mixed(*pairs)
    if "c" not in theta._fields:
        hessian, kernel = bent[:, None, None], turned[:, None, :, None]
    else:
        tilted = charge[:, None] * spline.kernel_slope(*pairs)
        hessian = jnp.stack([jnp.stack([0.0 * r, mixed], axis=1), jnp.stack([mixed, bent], axis=1)], axis=2)
        rows = [jnp.stack([spline.kernel(*pairs), tilted.T], axis=2), jnp.stack([tilted, turned], axis=2)]
        kernel = jnp.stack(rows, axis=1)
    return factor * hessian, factor**2 * spline.slope * kernel


class Residual(AbstractField):
    """The residual of a free-knot spline in pieces; psi(c, h) = factor k' c G2(h), exactly."""

    spline: Spline
    cells: Cells
    factor: Number

    @property
    def entries(self) -> int:
        # The coefficients of a panel are moved to the query.
        return self.spline.panels.coefficients.shape[0]

    def at(self, theta: Any) -> Float[Array, ""]:
        second = self.spline.integrals(self.cells, theta.h)[2]
        value = self.factor * self.spline.slope * second
        return theta.c * value if "c" in theta._fields else value


def residual(spline: Spline, theta: Any, w: Any, factor: Number) -> Residual:
    found = ramps(theta, w, factor)
    return Residual(spline, spline.cells(found.a, found.knots), factor)
