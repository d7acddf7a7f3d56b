r"""Closed forms on the sphere of radius sqrt(d), for a charged exponential or Gaussian and a target of few harmonics.

The risk is an energy of pairs, $R = \mathrm{const} + \int V d\rho + \frac12 \iint U d\rho\,d\rho'$, with

$$V = -2k\,c\,F(y),\qquad U = 2k\,c\,c'\,q(y)\,q(y')\,\kappa(t),\qquad t = y \cdot y' + \tfrac\beta2 (|y|^2 + |y'|^2)$$

for the loss $k (f - y)^2$. The table of t is one matrix product, and so are the two sums over partners: a step costs
n^2 d operations and n^2 values of kappa and its slope (rotskoff2018 (1.4), (2.1), (4.5)).
"""

import abc
import dataclasses
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import Blocks
from widelimit.numerics import Number, entries, sum_chunks

from ..data import AbstractData
from ..units import Exponent
from ._dense import estimate, predict
from ._integrals import AbstractField, AbstractIntegrals, Curvature, Estimate, Supervised, Variation
from ._pairwise import Pairwise


class AbstractForm(eqx.Module):
    """F, kappa and the constant of an energy; `gain`: the factor of the output scale, `factor`: 2k."""

    exponent: eqx.AbstractVar[Exponent]
    data: eqx.AbstractVar[AbstractData]
    gain: eqx.AbstractVar[Number]
    factor: eqx.AbstractVar[Number]
    squares: eqx.AbstractClassVar[float]
    """beta."""

    @abc.abstractmethod
    def pull(self, y: Float[Array, " d"]) -> Float[Array, ""]:
        """F(y): how the target draws a unit charge."""

    @abc.abstractmethod
    def profile(self, t: Float[Array, "..."]) -> Float[Array, "..."]:
        """kappa(t)."""

    @abc.abstractmethod
    def steepness(self, t: Float[Array, "..."], value: Float[Array, "..."]) -> tuple[Number, Float[Array, "..."]]:
        """The slope of kappa at t, where it has this value, as a number times a table: one that is there, at best."""

    @property
    @abc.abstractmethod
    def norm_squared(self) -> Float[Array, ""]:
        """Of the target, in the norm whose square is the risk."""

    @property
    def constant(self) -> Float[Array, ""]:
        return 0.5 * self.factor * self.norm_squared

    def V(self, a: Any) -> Float[Array, ""]:
        return -self.factor * self.gain * a.charge * self.pull(a.center)

    def U(self, a: Any, b: Any) -> Float[Array, ""]:
        sizes = self.half(a.center) + self.half(b.center)
        pair = self.charged(a) * self.charged(b) * self.profile(jnp.dot(a.center, b.center) + sizes)
        return self.factor * pair

    def charged(self, a: Any) -> Float[Array, ""]:
        """The scaled charge times q."""
        return self.gain * a.charge * self.exponent.weight(a.center)

    def half(self, y: Float[Array, " d"]) -> Float[Array, ""]:
        return 0.5 * self.squares * jnp.dot(y, y)


class L2Form(AbstractForm):
    exponent: Exponent
    data: AbstractData
    gain: Number
    factor: Number
    squares: ClassVar[float] = 1.0

    def pull(self, y: Float[Array, " d"]) -> Float[Array, ""]:
        parts = _harmonics(self.data)
        multipliers = self.exponent.multipliers(tuple(part.degree for part in parts), y)
        return sum((m * part.value(y) for m, part in zip(multipliers, parts, strict=True)), jnp.zeros(()))

    def profile(self, t: Float[Array, "..."]) -> Float[Array, "..."]:
        return self.exponent.iterated(self.data.inputs, t)

    def steepness(self, t: Float[Array, "..."], value: Float[Array, "..."]) -> tuple[Number, Float[Array, "..."]]:
        return 1.0, jax.jvp(self.profile, (t,), (jnp.ones_like(t),))[1]

    @property
    def norm_squared(self) -> Float[Array, ""]:
        return sum((part.norm_squared() for part in _harmonics(self.data)), jnp.zeros(()))


class NativeForm(AbstractForm):
    exponent: Exponent
    data: AbstractData
    gain: Number
    factor: Number
    squares: ClassVar[float] = 0.0

    def pull(self, y: Float[Array, " d"]) -> Float[Array, ""]:
        return sum((part.value(y) for part in _harmonics(self.data)), jnp.zeros(()))

    def profile(self, t: Float[Array, "..."]) -> Float[Array, "..."]:
        return self.exponent.value(self.data.inputs, t)

    def steepness(self, t: Float[Array, "..."], value: Float[Array, "..."]) -> tuple[Number, Float[Array, "..."]]:
        return self.exponent.rate, value

    @property
    def norm_squared(self) -> Float[Array, ""]:
        d = self.data.inputs
        parts = [part.norm_squared() / self.exponent.eigenvalue(part.degree, d) for part in _harmonics(self.data)]
        return sum(parts, jnp.zeros(()))


class AbstractOnSphere(AbstractIntegrals):
    """An energy of pairs on the sphere, made from the parts of a problem."""

    task: eqx.AbstractVar[Supervised]
    exact = True
    kinked: ClassVar[bool] = False

    @abc.abstractmethod
    def form(self, w: Float[Array, " N"]) -> AbstractForm:
        """F, kappa and the constant, for so many particles."""

    def __check_init__(self) -> None:
        if not fits(self.task):
            raise ValueError(
                f"{type(self).__name__} needs units.RadialBasis or units.Exponential on data.ThreeSpin under a squared "
                f"loss; got {type(self.task.network.unit or self.task.network).__name__} on "
                f"{type(self.task.data).__name__}, loss {self.task.loss.name!r}."
            )

    def blocks(self) -> Blocks:
        return self.task.blocks

    @property
    def budget(self) -> int | None:
        return self.task.budget

    def with_budget(self, budget: int) -> "AbstractOnSphere":
        return dataclasses.replace(self, task=self.task.with_budget(budget))

    def risk(self, theta: Any, w: Float[Array, " N"]) -> Float[Array, ""]:
        return _risk(self, theta, w)

    def variation(self, theta: Any, w: Float[Array, " N"]) -> Variation:
        form = self.form(w)
        charge, half = jax.vmap(form.charged)(theta), jax.vmap(form.half)(theta.center)
        beta = form.squares

        def piece(y: Any, sizes: Any, mass: Any) -> Any:
            t = theta.center @ y.T + half[:, None] + sizes
            value = form.profile(t)
            rate, slope = form.steepness(t, value)
            drawn = rate * (slope @ (mass[:, None] * y))
            # The slope of t in y_i is y_j + beta y_i.
            return value @ mass, drawn + beta * rate * (slope @ mass)[:, None] * theta.center if beta else drawn

        sums, bends = sum_chunks(piece, (theta.center, half), w * charge, self._piece(w))

        def one(a: Any, total: Any, bend: Any) -> Any:
            def psi(a: Any, total: Any) -> Any:
                return form.V(a) + form.factor * form.charged(a) * total

            value, (own, rate) = jax.value_and_grad(psi, argnums=(0, 1))(a, total)
            return form.V(a), value, own._replace(center=own.center + rate * bend)

        single, psi, gradient = jax.vmap(one)(theta, sums, bends)
        return Variation(form.constant + 0.5 * jnp.dot(w, single + psi), psi, gradient)

    def potential(self, theta: Any, w: Float[Array, " N"]) -> AbstractField:
        return self._pairs(w).potential(theta, w)

    def curvature(self, theta: Any, w: Float[Array, " N"]) -> Curvature:
        return self._pairs(w).curvature(theta, w)

    def predict(self, theta: Any, w: Float[Array, " N"], x: Float[Array, "n d"]) -> Float[Array, "n ..."]:
        return predict(self.task, theta, w, x)

    def estimate(self, theta: Any, w: Float[Array, " N"], samples: int, key: PRNGKeyArray) -> Estimate:
        return estimate(self.task, theta, w, samples, key)

    def _pairs(self, w: Float[Array, " N"]) -> Pairwise:
        form = self.form(w)
        return Pairwise(form.V, form.U, blocks=self.blocks(), kinked=False, budget=self.budget)

    def _piece(self, w: Float[Array, " N"]) -> int:
        return max(1, entries(self.budget) // w.shape[0])


class SphereL2(AbstractOnSphere):
    r"""$k\,|f - f_\rho|^2$ in L2 of the uniform probability on the sphere of radius sqrt(d), in closed form.

    $F = \sum_k \lambda_k(y)\,Y_k(y)$ and kappa the second iterated kernel, $\Gamma(d/2)(2/s)^{d/2-1} I_{d/2-1}(s)$ with
    $s = \alpha\sqrt d\,|y + y'|$ (NOTATION, rotskoff2018): see `units.Exponent`. Right for centres off the sphere too.

    Made from the parts of a problem, and chosen by itself where they allow it. Raises `ValueError` unless the unit is
    an exponential or a Gaussian (`unit.exponent`), the data know their harmonics (`data.harmonics`) and the loss is
    squared.
    """

    task: Supervised

    def form(self, w: Float[Array, " N"]) -> AbstractForm:
        return L2Form(*_parts(self.task, w))


class SphereRKHS(AbstractOnSphere):
    r"""$k\,|f - f_\rho|_H^2$ in the space of the unit's kernel phi~: its gradient flow is rotskoff2018 (4.5).

    F is the target and kappa the kernel itself; $|f|_H^2 = \sum_k |Y_k|^2/\lambda_k$. The charge draws at its own
    centre, so the centres must be on the sphere of radius sqrt(d): give the problem that domain.

    Made from the parts of a problem: give the class itself, `Problem(..., integrals=integrals.SphereRKHS)`. Raises
    `ValueError` as `SphereL2` does.
    """

    task: Supervised

    def form(self, w: Float[Array, " N"]) -> AbstractForm:
        return NativeForm(*_parts(self.task, w))


def fits(task: Supervised) -> bool:
    """Whether the closed forms are known."""
    unit, loss = task.network.unit, task.loss.square_factor
    known = task.data.harmonics is not None and task.data.outputs == () and loss is not None
    if unit is None or task.network.offset is not None:
        return False
    return unit.exponent is not None and known


def _parts(task: Supervised, w: Float[Array, " N"]) -> tuple[Exponent, AbstractData, Number, Number]:
    unit, factor = task.network.unit, task.loss.square_factor
    assert unit is not None
    assert unit.exponent is not None
    assert factor is not None
    return unit.exponent, task.data, task.scale.factor(w.shape[0]), 2.0 * factor


def _harmonics(data: AbstractData) -> Any:
    assert data.harmonics is not None
    return data.harmonics


@eqx.filter_jit
def _risk(integrals: AbstractOnSphere, theta: Any, w: Any) -> Float[Array, ""]:
    form = integrals.form(w)
    charge, half = w * jax.vmap(form.charged)(theta), jax.vmap(form.half)(theta.center)

    @jax.checkpoint
    def piece(y: Any, sizes: Any, mass: Any) -> Any:
        return jnp.dot(charge, form.profile(theta.center @ y.T + half[:, None] + sizes) @ mass)

    double = sum_chunks(piece, (theta.center, half), charge, integrals._piece(w))
    return form.constant + jnp.dot(w, jax.vmap(form.V)(theta)) + 0.5 * form.factor * double
