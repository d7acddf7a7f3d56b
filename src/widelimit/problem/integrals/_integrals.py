"""What is learned, and how risk, psi and grad psi are computed of a measure: what every such way can be asked."""

import abc
import dataclasses
from typing import Any, ClassVar, NamedTuple, NoReturn

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import Blocks, row_size
from widelimit.numerics import Module, entries, map_rows

from ..data import AbstractData
from ..losses import AbstractLoss
from ..networks import AbstractNetwork
from ..networks._integrate import evaluate
from ..scales import AbstractScale
from ..units import AbstractUnit
from ._spline import Spline


class Supervised(eqx.Module):
    """R(rho) = INT loss(factor f_rho(x) + offset, y) mu(dx, dy): the parts of a `Problem` that its risk is made of."""

    network: AbstractNetwork
    data: AbstractData
    loss: AbstractLoss
    scale: AbstractScale
    budget: int | None = eqx.field(static=True)

    @property
    def blocks(self) -> Blocks:
        """The named blocks of one particle."""
        return self.network.blocks(self.data.inputs, self.data.outputs)

    def batch_risk(self, theta: Any, w: Any, x: Any, y: Any, mu: Any) -> Float[Array, ""]:
        """SUM_q mu_q loss(f(x_q), y_q): the primitive. Its gradients in theta and w are grad psi and psi."""
        f = self.network.shifted(self.scale.factor(w.shape[0]) * self.network(theta, w, x))
        return jnp.sum(mu * jax.vmap(self.loss)(f, y))

    def outputs(self, theta: Any, w: Any, x: Any) -> Float[Array, "q ..."]:
        """The scaled f at inputs in one piece, with the usual derivatives."""
        return self.network.shifted(self.scale.factor(w.shape[0]) * evaluate(self.network, theta, w, x))

    def with_budget(self, budget: int) -> "Supervised":
        """The same with tables of so many entries."""
        return dataclasses.replace(self, budget=budget)

    def piece(self, particles: int) -> int:
        """How many inputs fit into one table.

        Without a budget at least as many as a particle has parameters: where the particles themselves are larger than
        the table, each piece reads all of them, and with fewer inputs a product of matrices becomes many with vectors
        (of 100,000 particles of 22 numbers three times as slow).
        """
        components = self.network.components(self.data.outputs)
        least = row_size(self.blocks) if self.budget is None else 1
        return max(1, int(least / components), int(entries(self.budget) / (particles * components)))


class Variation(NamedTuple):
    """The first variation at the particles: the risk (), psi [N] and grad psi (blocks of [N, *shape])."""

    risk: Float[Array, ""]
    psi: Float[Array, " N"]
    gradient: Any


class Estimate(NamedTuple):
    """A mean over fresh samples and its standard error."""

    value: Float[Array, ""]
    error: Float[Array, ""]


class Curvature(NamedTuple):
    r"""The second variations of the risk at the particles, D parameters each.

    - `hessian`: $\nabla^2\psi(\theta_i)$ [N, D, D].
    - `kernel`: $K_{ij} = \nabla\nabla'\,\delta^2 R/\delta\rho^2(\theta_i, \theta_j)$ [N, D, N, D].
    - `size`: [N, D], the integral of grad psi with absolute values everywhere: what its zero is compared with.
    """

    hessian: Float[Array, "N D D"]
    kernel: Float[Array, "N D N D"]
    size: Float[Array, "N D"]


class AbstractField(eqx.Module):
    """The data part of psi(.; rho), for any particle; theta has one field a block."""

    @abc.abstractmethod
    def at(self, theta: Any) -> Float[Array, ""]:
        """psi of one particle."""

    @property
    @abc.abstractmethod
    def entries(self) -> int:
        """How many numbers one query holds in memory."""

    def on_nodes(self, who: str) -> "OnNodes":
        """The unit, the nodes and the dual, for what bounds psi by facts of the unit. Raises `ValueError` without."""
        raise ValueError(f"{who} needs the potential of a two-layer mean on the data's nodes.")

    def values(self, theta: Any, budget: int) -> Float[Array, " M"]:
        """psi of M particles, in pieces of at most `budget` numbers."""
        return map_rows(self.at, theta, max(1, budget // self.entries))

    def slopes(self, theta: Any, budget: int) -> Any:
        """grad psi of M particles, in blocks of [M, *shape]."""
        return map_rows(jax.grad(self.at), theta, max(1, budget // self.entries))


class OnNodes(AbstractField):
    r"""$\psi(\theta) = \sum_q g_q\,\phi(\theta, x_q)$ with the dual $g_q = \mu_q\,\ell'(f_\rho(x_q), y_q)$ held."""

    unit: AbstractUnit
    x: Float[Array, "Q d"]
    dual: Float[Array, "Q ..."]

    def at(self, theta: Any) -> Float[Array, ""]:
        values = jax.vmap(lambda point: self.unit(theta, point))(self.x)
        return jnp.sum(self.dual * values)

    @property
    def entries(self) -> int:
        return self.dual.size

    def on_nodes(self, who: str) -> "OnNodes":
        return self


class AbstractIntegrals(Module):
    """Risk, psi and grad psi of a measure (theta, w), theta in blocks of [N, *shape], w [N]; penalties not included.

    A new way of computing them writes `blocks`, `risk` and `variation`. The rest are capabilities, refused with a
    `ValueError` where they are not written, and facts, which make the library careful where they are left out.
    """

    exact: ClassVar[bool] = False
    """Whether no nodes stand for the law of the data: the integrals are right to rounding."""
    kinked: ClassVar[bool] = True
    """Whether what is integrated may have kinks in theta."""
    deterministic: ClassVar[bool] = True
    """Whether risk and variation can be had without drawing samples."""
    budget: ClassVar[int | None] = None
    """How many numbers the tables may hold together; None for the library's own choice."""

    @abc.abstractmethod
    def blocks(self) -> Blocks:
        """The named blocks of one particle."""

    @abc.abstractmethod
    def risk(self, theta: Any, w: Float[Array, " N"]) -> Float[Array, ""]:
        """R(rho), with the usual derivatives in positions and weights."""

    @abc.abstractmethod
    def variation(self, theta: Any, w: Float[Array, " N"]) -> Variation:
        """Risk, psi and grad psi at the particles; no factor w in either, so that particles of no weight count."""

    @property
    def rough(self) -> bool:
        """Whether grad psi may jump where particles cross a kink."""
        return self.kinked

    def with_budget(self, budget: int) -> "AbstractIntegrals":
        """The same with tables of so many entries; itself, where there are none."""
        return self

    def require_deterministic(self, who: str) -> None:
        """Raise `ValueError` where risk and variation need fresh samples."""

    def potential(self, theta: Any, w: Float[Array, " N"]) -> AbstractField:
        """The data part of psi(.; rho) for any particle."""
        self.refuse("potential off the particles")

    def curvature(self, theta: Any, w: Float[Array, " N"]) -> Curvature:
        """The second variations at the particles: Hessian and kernel."""
        self.refuse("second variations (hessian, kernel)")

    def hessian(self, theta: Any, w: Float[Array, " N"]) -> Float[Array, "N D D"]:
        r"""$\nabla^2\psi(\theta_i; \rho)$ at the particles."""
        return self.curvature(theta, w).hessian

    def kernel(self, theta: Any, w: Float[Array, " N"]) -> Float[Array, "N D N D"]:
        r"""$\nabla_i \nabla_j$ of the second variation of the risk: how moving particle j changes grad psi at i."""
        return self.curvature(theta, w).kernel

    def predict(self, theta: Any, w: Float[Array, " N"], x: Float[Array, "n d"]) -> Float[Array, "n ..."]:
        """f at inputs."""
        self.refuse("prediction: there is no network")

    def estimate(self, theta: Any, w: Float[Array, " N"], samples: int, key: PRNGKeyArray) -> Estimate:
        """The risk on fresh samples of the data's law."""
        self.refuse("estimate on fresh samples: there are no data")

    def spline(self, who: str) -> Spline:
        """The exact integrals of a free-knot spline, for what is known of splines alone."""
        raise ValueError(
            f"{who} needs exact integrals of free-knot splines (units.FreeKnot on data.Interval under a squared loss); "
            f"this problem's are integrals.{type(self).__name__}."
        )

    def refuse(self, what: str) -> NoReturn:
        """Raise the `ValueError` of a capability that is not there."""
        raise ValueError(f"integrals.{type(self).__name__} has no {what}.")
