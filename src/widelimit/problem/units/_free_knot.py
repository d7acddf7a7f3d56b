"""A ramp that starts at a knot of its own: the free-knot spline."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.measure import Block, Blocks
from widelimit.numerics.registry import flag

from ..activations import relu
from ._unit import AbstractUnit, Plane, Ramp, Ridge, registry


class FreeKnot(AbstractUnit):
    r"""$\phi(\theta, x) = c\,(x - h)_+$, or $(x - h)_+$ with `charge=False`; one input (yarotsky2018, A.3).

    Blocks: `c` (the charge, () or (C,), if `charge`), `h` (the knot, ()).
    """

    charge: bool = eqx.field(static=True, default=True)
    free_knot = True
    pieces = relu.pieces
    ramp = Ramp(None, "h", -1.0, (0.0, 1.0))

    def blocks(self, inputs: int, outputs: tuple[int, ...]) -> Blocks:
        if inputs != 1:
            raise ValueError(f"FreeKnot takes one input, the data has {inputs}.")
        if outputs and not self.charge:
            raise ValueError(f"FreeKnot(charge=False) gives a number, the data's targets have shape {outputs}.")
        return (*((Block("c", outputs),) if self.charge else ()), Block("h", ()))

    def __call__(self, theta: Any, x: Float[Array, " d"]) -> Float[Array, "..."]:
        ramp = jax.nn.relu(x[0] - theta.h)
        return theta.c * ramp if self.charge else ramp

    def ridge(self, theta: Any) -> Ridge:
        one = jnp.ones_like(theta.h)
        return Ridge(theta.c if self.charge else one, one, -theta.h)

    def plane(self, theta: Any, scales: Any) -> Plane | None:
        charge, one, b = self.ridge(theta)
        if jnp.ndim(charge):
            return None
        metric = jnp.diag(jnp.stack([0.0 * one, scales.h * one]))
        return Plane(charge, jnp.stack([one, b]), scales.c if self.charge else 0.0, metric)

    def from_plane(self, theta: Any, charge: Float[Array, ""], w: Float[Array, "2"]) -> Any:
        moved = theta._replace(h=-w[1])
        return moved._replace(c=charge) if self.charge else moved

    @property
    def linear(self) -> str | None:
        return "c" if self.charge else None

    def smooth_between(self, x: Float[Array, " d"]) -> tuple[Float[Array, " m"], Float[Array, ""]] | None:
        return x, 0.0 * x[0]

    def lipschitz(self, x: Float[Array, " d"]) -> Float[Array, ""] | None:
        return x[0] * 0.0 + 1.0


registry.add("free_knot", FreeKnot, charge=flag)
