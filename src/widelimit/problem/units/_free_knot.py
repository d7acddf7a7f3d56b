"""A ramp that starts at a knot of its own: the free-knot spline."""

from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array, Float

from widelimit.measure import Block, Blocks
from widelimit.numerics.registry import flag

from ._unit import AbstractUnit, Ramp, registry


class FreeKnot(AbstractUnit):
    r"""$\phi(\theta, x) = c\,(x - h)_+$, or $(x - h)_+$ with `charge=False`; one input (yarotsky2018, A.3).

    Blocks: `c` (the charge, () or (C,), if `charge`), `h` (the knot, ()).
    """

    charge: bool = eqx.field(static=True, default=True)
    free_knot = True
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

    @property
    def linear(self) -> str | None:
        return "c" if self.charge else None

    def lipschitz(self, x: Float[Array, " d"]) -> Float[Array, ""] | None:
        return x[0] * 0.0 + 1.0


registry.add("free_knot", FreeKnot, charge=flag)
