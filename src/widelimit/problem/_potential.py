"""The first variation of the objective, as a function of any theta."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.measure import Blocks, join, split
from widelimit.numerics import jittable, own_array, require_x64

from .integrals import AbstractField
from .penalties import AbstractPenalty
from .units import AbstractUnit


class Potential(eqx.Module):
    r"""$\psi(\theta; \rho) = \frac{\delta R}{\delta\rho}(\theta) + \mathrm{penalty}(\theta)$.

    `field` holds what the data part needs: for a two-layer mean over nodes the dual variable
    $\mu_q\,\ell'(f_\rho(x_q), y_q)$, so that a query costs one evaluation of the unit on the data
    ($\psi = \int R'(f_\rho)\,\phi(\theta, x)\,\mu(dx)$). Get one from `Problem.potential(measure)`.

    `psi(theta)`: theta [..., D] -> [...], for any theta, on the support of rho or off it.
    `psi.gradient(theta)`: [..., D] -> [..., D]; where a kinked unit or penalty has no gradient, one that
    automatic differentiation picks.
    """

    field: AbstractField
    penalty: AbstractPenalty | None
    blocks: Blocks = eqx.field(static=True)
    size: int = eqx.field(static=True)

    # By identity: `jax.jit(psi)` asks for a hash, and arrays have none.
    __hash__ = object.__hash__

    def __call__(self, theta: Any) -> Float[Array, "..."]:
        return _values(self, self._rows(theta))

    @jittable
    def gradient(self, theta: Any) -> Float[Array, "... D"]:
        return _gradients(self, self._rows(theta))

    @jittable
    def at(self, theta: Any) -> Float[Array, ""]:
        """psi of one particle given as named blocks; to build on."""
        data = self.field.at(theta)
        return data if self.penalty is None else data + self.penalty(theta)

    # What the certificates bound psi by, where it is that of a two-layer mean on nodes.

    @property
    def unit(self) -> AbstractUnit:
        return self.field.on_nodes("Potential.unit").unit

    @property
    def x(self) -> Float[Array, "Q d"]:
        return self.field.on_nodes("Potential.x").x

    @property
    def dual(self) -> Float[Array, "Q ..."]:
        return self.field.on_nodes("Potential.dual").dual

    def _rows(self, theta: Any) -> Float[Array, "... D"]:
        require_x64("potential(theta)")
        rows = jnp.asarray(
            own_array(theta, "potential(theta)"),
            jnp.result_type(*jax.tree.leaves(eqx.filter(self.field, eqx.is_inexact_array))),
        )
        dim = sum(block.size for block in self.blocks)
        if rows.ndim == 0 or rows.shape[-1] != dim:
            raise ValueError(f"potential(theta): expected [..., {dim}], got shape {rows.shape}.")
        return rows


@eqx.filter_jit
def _values(potential: Potential, rows: Float[Array, "... D"]) -> Float[Array, "..."]:
    theta = split(potential.blocks, rows.reshape(-1, rows.shape[-1]))
    out = potential.field.values(theta, potential.size)
    out = out if potential.penalty is None else out + jax.vmap(potential.penalty)(theta)
    return out.reshape(rows.shape[:-1])


@eqx.filter_jit
def _gradients(potential: Potential, rows: Float[Array, "... D"]) -> Float[Array, "... D"]:
    theta = split(potential.blocks, rows.reshape(-1, rows.shape[-1]))
    out = potential.field.slopes(theta, potential.size)
    if potential.penalty is not None:
        out = jax.tree.map(jnp.add, out, jax.vmap(jax.grad(potential.penalty))(theta))
    return join(potential.blocks, out).reshape(rows.shape)
