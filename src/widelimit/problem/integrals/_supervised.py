"""What is learned from data: a network, targets, a loss, and the factor of the output scale."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.measure import Blocks
from widelimit.numerics import entries

from ..data import AbstractData
from ..losses import AbstractLoss
from ..networks import AbstractNetwork
from ..networks._integrate import evaluate
from ..scales import AbstractScale


class Supervised(eqx.Module):
    """R(rho) = INT loss(factor f_rho(x), y) mu(dx, dy): the parts of a `Problem` that its risk is made of."""

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
        f = self.scale.factor(w.shape[0]) * self.network(theta, w, x)
        return jnp.sum(mu * jax.vmap(self.loss)(f, y))

    def outputs(self, theta: Any, w: Any, x: Any) -> Float[Array, "q ..."]:
        """The scaled f at inputs in one piece, with the usual derivatives."""
        return self.scale.factor(w.shape[0]) * evaluate(self.network, theta, w, x)

    def piece(self, particles: int) -> int:
        """How many inputs fit into one table."""
        components = self.network.components(self.data.outputs)
        return max(1, entries(self.budget) // (particles * components))
