"""The first variation of the objective, as a function of any theta."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.measure import Blocks, split
from widelimit.numerics import map_rows

from .integrals._ramps import Residual
from .penalties import AbstractPenalty
from .units import AbstractUnit


class Potential(eqx.Module):
    r"""$\psi(\theta; \rho) = \int R'(f_\rho)(x)\,\phi(\theta, x)\,\mu(dx) + \mathrm{penalty}(\theta)$.

    It holds the dual variable $\mu_q\,\ell'(f_\rho(x_q), y_q)$ on the data nodes, so a query costs one evaluation of
    the unit on the data; or the residual itself, `exact`, for a free-knot spline on an interval (`Problem.spline`).
    Get one from `Problem.potential(measure)`.

    `psi(theta)`: theta [..., D] -> [...], for any theta, on the support of rho or off it.
    `psi.gradient(theta)`: [..., D] -> [..., D]; where a kinked unit or penalty has no gradient, one that
    automatic differentiation picks.
    """

    unit: AbstractUnit
    penalty: AbstractPenalty | None
    x: Float[Array, "Q d"]
    dual: Float[Array, "Q ..."]
    exact: Residual | None
    blocks: Blocks = eqx.field(static=True)
    size: int = eqx.field(static=True)

    def __call__(self, theta: Any) -> Float[Array, "..."]:
        return _on_rows(_value, self, self._rows(theta))

    def gradient(self, theta: Any) -> Float[Array, "... D"]:
        return _on_rows(_gradient, self, self._rows(theta))

    def at(self, theta: Any) -> Float[Array, ""]:
        """psi of one particle given as named blocks; to build on."""
        data = self.exact.psi(theta) if self.exact is not None else self._on_nodes(theta)
        return data if self.penalty is None else data + self.penalty(theta)

    def _on_nodes(self, theta: Any) -> Float[Array, ""]:
        values = jax.vmap(lambda point: self.unit(theta, point))(self.x)
        return jnp.sum(self.dual * values)

    def _rows(self, theta: Any) -> Float[Array, "... D"]:
        rows = jnp.asarray(theta, self.dual.dtype)
        dim = sum(block.size for block in self.blocks)
        if rows.ndim == 0 or rows.shape[-1] != dim:
            raise ValueError(f"potential(theta): expected [..., {dim}], got shape {rows.shape}.")
        return rows


def _value(potential: Potential, row: Float[Array, " D"]) -> Float[Array, ""]:
    return potential.at(split(potential.blocks, row))


# One object for all calls: a new one would compile anew.
_gradient = jax.grad(_value, argnums=1)


@eqx.filter_jit
def _on_rows(function: Any, potential: Potential, rows: Float[Array, "... D"]) -> Float[Array, "..."]:
    flat = rows.reshape(-1, rows.shape[-1])
    chunk = max(1, potential.size // potential.dual.size)
    out = map_rows(lambda row: function(potential, row), flat, chunk)
    return out.reshape(rows.shape[:-1] + out.shape[1:])
