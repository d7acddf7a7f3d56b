"""Sums over samples of one input for piecewise-linear neurons, by binned knots; chosen by itself where it fits."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import Blocks

from ..activations import Pieces
from ..data import Nodes, require_nodes
from ..units import AbstractUnit, Ridge
from ._dense import Dense, estimate
from ._integrals import AbstractField, AbstractIntegrals, Curvature, Estimate, OnNodes, Supervised, Variation
from .bins import Line, Moments, Ridges, line, moments, ridges, sums_over_neurons, sums_over_samples


class BinnedKnots(AbstractIntegrals):
    r"""Sums over the data's nodes by the gap of the sorted samples that holds each knot: $O(N \log s + s)$, any loss.

    Equal to `Dense` to rounding of $\int |c| L (|w| |x| + |b|)\,d\rho$, L the largest slope. Made from the parts of a
    problem. Raises `ValueError` where phi is no piecewise-linear neuron of one input (`unit.pieces`) or the data have
    no nodes.
    """

    task: Supervised

    def __check_init__(self) -> None:
        if not fits(self.task):
            raise ValueError(
                "BinnedKnots needs a piecewise-linear neuron of one input (units.Neuron(activations.relu), say) on "
                f"data with nodes; got {type(self.task.network.unit or self.task.network).__name__} on "
                f"{type(self.task.data).__name__} of {self.task.data.inputs} inputs."
            )

    def blocks(self) -> Blocks:
        return self.task.blocks

    @property
    def kinked(self) -> bool:
        return self.task.network.kinked

    @property
    def budget(self) -> int | None:
        return self.task.budget

    def with_budget(self, budget: int) -> "BinnedKnots":
        return dataclasses.replace(self, task=self.task.with_budget(budget))

    def risk(self, theta: Any, w: Float[Array, " N"]) -> Float[Array, ""]:
        return _risk(self, theta, w)

    def variation(self, theta: Any, w: Float[Array, " N"]) -> Variation:
        return _variation(self, theta, w)

    def potential(self, theta: Any, w: Float[Array, " N"]) -> AbstractField:
        return _potential(self, theta, w)

    def curvature(self, theta: Any, w: Float[Array, " N"]) -> Curvature:
        return Dense(self.task).curvature(theta, w)

    def predict(self, theta: Any, w: Float[Array, " N"], x: Float[Array, "n d"]) -> Float[Array, "n ..."]:
        return _predict(self, theta, w, x)

    def estimate(self, theta: Any, w: Float[Array, " N"], samples: int, key: PRNGKeyArray) -> Estimate:
        return estimate(self.task, theta, w, samples, key)

    @property
    def unit(self) -> AbstractUnit:
        """phi, which says its `pieces` and its `ridge`."""
        unit = self.task.network.unit
        assert unit is not None
        return unit

    @property
    def nodes(self) -> Nodes:
        return require_nodes(self.task.data, "BinnedKnots")


def fits(task: Supervised) -> bool:
    """Whether knots can be binned."""
    unit = task.network.unit
    if unit is None or task.network.offset is not None:
        return False
    return unit.pieces is not None and task.data.inputs == 1 and task.data.nodes is not None


class Binned(AbstractField):
    r"""psi from running sums of the dual $g_j = \mu_j\,\ell'(f_j, y_j)$ over the sorted samples: O(log s) a query."""

    unit: AbstractUnit
    on: Line
    held: Moments
    dual: Float[Array, "s ..."]

    def at(self, theta: Any) -> Float[Array, ""]:
        return self.values(jax.tree.map(lambda leaf: leaf[None], theta), 0)[0]

    @property
    def entries(self) -> int:
        return self.held.table.shape[1]

    def values(self, theta: Any, budget: int) -> Float[Array, " M"]:
        charge, a, b = jax.vmap(self.unit.ridge)(theta)
        whole = sums_over_samples(ridges(self.on, _pieces(self.unit), a, b), self.held).whole
        return jnp.sum(charge.reshape(whole.shape) * whole, axis=1)

    def on_nodes(self, who: str) -> OnNodes:
        back = jnp.argsort(self.on.order)
        return OnNodes(self.unit, self.on.x[back][:, None], self.dual[back])


def _pieces(unit: AbstractUnit) -> Pieces:
    assert unit.pieces is not None
    return unit.pieces


def _outputs(integrals: BinnedKnots, on: Line, at: Ridges, charge: Any, w: Any) -> Float[Array, "s ..."]:
    """The scaled f on sorted samples."""
    f = sums_over_neurons(on, at, w[:, None] * charge.reshape(w.shape[0], -1))
    return integrals.task.scale.factor(w.shape[0]) * f.reshape(-1, *charge.shape[1:])


def _ridges(integrals: BinnedKnots, on: Line, theta: Any) -> tuple[Array, Ridges]:
    charge, a, b = jax.vmap(integrals.unit.ridge)(theta)
    return charge, ridges(on, _pieces(integrals.unit), a, b)


def _dual(integrals: BinnedKnots, on: Line, f: Any, w: Any) -> tuple[Any, Float[Array, "s ..."]]:
    r"""The risk, and $g_j = \mu_j\,\ell'(f_j, y_j)$ with the factor of the output scale, on sorted samples."""
    _, y, mu = integrals.nodes
    cost, slope = jax.vmap(jax.value_and_grad(integrals.task.loss))(f, y[on.order])
    mass = integrals.task.scale.factor(w.shape[0]) * mu[on.order]
    return jnp.dot(mu[on.order], cost), mass.reshape(-1, *(1,) * (slope.ndim - 1)) * slope


# The module is an argument: its arrays are traced, and other samples do not compile anew.


@eqx.filter_jit
def _risk(integrals: BinnedKnots, theta: Any, w: Any) -> Any:
    on = line(integrals.nodes.x[:, 0])
    charge, at = _ridges(integrals, on, theta)
    return _dual(integrals, on, _outputs(integrals, on, at, charge, w), w)[0]


@eqx.filter_jit
def _variation(integrals: BinnedKnots, theta: Any, w: Any) -> Variation:
    on = line(integrals.nodes.x[:, 0])
    (charge, a, b), pull = jax.vjp(jax.vmap(integrals.unit.ridge), theta)
    at = ridges(on, _pieces(integrals.unit), a, b)
    risk, dual = _dual(integrals, on, _outputs(integrals, on, at, charge, w), w)
    sums = sums_over_samples(at, moments(on, dual.reshape(dual.shape[0], -1)))
    each = charge.reshape(sums.whole.shape)
    tilted, flat = jnp.sum(each * sums.tilted, axis=1), jnp.sum(each * sums.flat, axis=1)
    (gradient,) = pull(Ridge(sums.whole.reshape(charge.shape), tilted, flat))
    return Variation(risk, jnp.sum(each * sums.whole, axis=1), gradient)


@eqx.filter_jit
def _potential(integrals: BinnedKnots, theta: Any, w: Any) -> AbstractField:
    on = line(integrals.nodes.x[:, 0])
    charge, at = _ridges(integrals, on, theta)
    _, dual = _dual(integrals, on, _outputs(integrals, on, at, charge, w), w)
    return Binned(integrals.unit, on, moments(on, dual.reshape(dual.shape[0], -1)), dual)


@eqx.filter_jit
def _predict(integrals: BinnedKnots, theta: Any, w: Any, x: Any) -> Any:
    on = line(x[:, 0])
    charge, at = _ridges(integrals, on, theta)
    f = _outputs(integrals, on, at, charge, w)
    return jnp.zeros_like(f).at[on.order].set(f, unique_indices=True)
