"""A measure of free knots as the ramps of a spline, and psi from the spline's integrals."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from ._cells import Cells
from ._spline import Spline


class Ramps(NamedTuple):
    r"""$f = \sum_i a_i (x - h_i)_+$ of particles (c_i, h_i) or (h_i).

    `a` [N]: weight times `each`; `each` [N]: c_i (or 1) times the `factor` of the output scale; `knots` [N].
    """

    a: Float[Array, " N"]
    each: Float[Array, " N"]
    knots: Float[Array, " N"]
    factor: float


def ramps(theta: Any, w: Any, factor: float) -> Ramps:
    """`theta`: blocks c (if it has one) and h; `factor`: of the output scale."""
    each = factor * (theta.c if "c" in theta._fields else jnp.ones_like(theta.h))
    return Ramps(w * each, each, theta.h, factor)


def variation(spline: Spline, theta: Any, w: Any, factor: float) -> tuple[Any, Any, Any]:
    """(risk, psi [N], grad psi in blocks) at the particles, never divided by a weight."""
    found = ramps(theta, w, factor)
    risk, first, second = spline.variation(found.a, found.knots)
    gradient = {"h": -spline.slope * found.each * first}
    if "c" in theta._fields:
        gradient["c"] = factor * spline.slope * second
    return risk, spline.slope * found.each * second, theta._replace(**gradient)


class Residual(NamedTuple):
    """The residual of a free-knot spline in pieces; psi(c, h) = factor k' c G2(h), exactly."""

    spline: Spline
    cells: Cells
    factor: float

    def psi(self, theta: Any) -> Float[Array, ""]:
        second = self.spline.integrals(self.cells, theta.h)[2]
        value = self.factor * self.spline.slope * second
        return theta.c * value if "c" in theta._fields else value


def residual(spline: Spline, theta: Any, w: Any, factor: float) -> Residual:
    found = ramps(theta, w, factor)
    return Residual(spline, spline.cells(found.a, found.knots), factor)
