"""The data part of psi, for particles anywhere."""

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.numerics import map_rows

from ..units import AbstractUnit


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
