"""Exact integrals of free-knot splines, chosen by itself where the other parts allow it."""

import dataclasses
from typing import Any, ClassVar

import equinox as eqx
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import Blocks
from widelimit.numerics import Number

from ._dense import Dense, estimate
from ._integrals import AbstractField, AbstractIntegrals, Curvature, Estimate, Supervised, Variation
from ._ramps import curvature, ramps, residual, variation
from ._spline import Spline


class SortedKnots(AbstractIntegrals):
    """Sums over the sorted knots of a free-knot spline against polynomials on an interval: O(N log N), no nodes.

    Made from the parts of a problem. Raises `ValueError` where the unit is no free-knot ramp (`unit.free_knot`), the
    data hold no polynomials (`data.panels`) or the loss is not squared (`loss.square_factor`).
    """

    task: Supervised
    exact = True
    rough: ClassVar[bool] = False

    def __check_init__(self) -> None:
        if not fits(self.task):
            raise ValueError(
                "SortedKnots needs units.FreeKnot on data.Interval under a squared loss; got "
                f"{type(self.task.network.unit or self.task.network).__name__} on {type(self.task.data).__name__}, "
                f"loss {self.task.loss.name!r}."
            )

    def blocks(self) -> Blocks:
        return self.task.blocks

    @property
    def budget(self) -> int | None:
        return self.task.budget

    def with_budget(self, budget: int) -> "SortedKnots":
        return dataclasses.replace(self, task=self.task.with_budget(budget))

    def risk(self, theta: Any, w: Float[Array, " N"]) -> Float[Array, ""]:
        return _risk(self, theta, w)

    def variation(self, theta: Any, w: Float[Array, " N"]) -> Variation:
        return Variation(*variation(self._spline, theta, w, self._factor(w)))

    def potential(self, theta: Any, w: Float[Array, " N"]) -> AbstractField:
        return _potential(self, theta, w)

    def curvature(self, theta: Any, w: Float[Array, " N"]) -> Curvature:
        hessian, kernel = curvature(self._spline, theta, w, self._factor(w))
        # A scale, for which the nodes are good enough.
        return Curvature(hessian, kernel, Dense(self.task).curvature(theta, w).size)

    def predict(self, theta: Any, w: Float[Array, " N"], x: Float[Array, "n d"]) -> Float[Array, "n ..."]:
        return _predict(self, theta, w, x)

    def estimate(self, theta: Any, w: Float[Array, " N"], samples: int, key: PRNGKeyArray) -> Estimate:
        return estimate(self.task, theta, w, samples, key)

    def spline(self, who: str) -> Spline:
        return self._spline

    @property
    def _spline(self) -> Spline:
        panels, factor = self.task.data.panels, self.task.loss.square_factor
        assert panels is not None
        assert factor is not None
        return Spline(panels, 2.0 * factor)

    def _factor(self, w: Float[Array, " N"]) -> Number:
        return self.task.scale.factor(w.shape[0])


def fits(task: Supervised) -> bool:
    """Whether sorted knots can integrate it exactly."""
    unit = task.network.unit
    known = task.data.panels is not None and task.loss.square_factor is not None
    if unit is None or task.network.offset is not None:
        return False
    return unit.free_knot and known


# The module is an argument: its arrays are traced, and another target does not compile anew.


@eqx.filter_jit
def _risk(integrals: SortedKnots, theta: Any, w: Any) -> Any:
    found = ramps(theta, w, integrals._factor(w))
    return integrals._spline.risk(found.a, found.knots)


@eqx.filter_jit
def _potential(integrals: SortedKnots, theta: Any, w: Any) -> AbstractField:
    return residual(integrals._spline, theta, w, integrals._factor(w))


@eqx.filter_jit
def _predict(integrals: SortedKnots, theta: Any, w: Any, x: Any) -> Any:
    return integrals._spline.predict(ramps(theta, w, integrals._factor(w)).a, theta.h, x[:, 0])
