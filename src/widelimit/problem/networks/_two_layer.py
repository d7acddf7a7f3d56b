"""The two-layer mean: the network that this library began with, and the default."""

import math
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from widelimit.measure import Blocks
from widelimit.numerics.registry import flag, given, number

from ..data import as_numbers
from ..units import AbstractUnit, WithOffset
from ._integrate import integrate
from ._network import AbstractNetwork, registry


def _finite(offset: Any) -> Any:
    return None if offset is None else as_numbers(offset, "TwoLayer(offset=...)")


class TwoLayer(AbstractNetwork):
    r"""$f(x) = \int \phi(\theta, x)\,\rho(d\theta)$, phi = `unit`. All its facts are those of the unit.

    - `offset`: a constant that the problem adds to f, a number or (C,): the output bias of a trained network. It is no
      parameter: nothing moves it. For one that is trained see `units.WithOffset`.
    """

    unit: AbstractUnit = eqx.field()
    offset: Float[Array, "..."] | None = eqx.field(default=None, converter=_finite)

    def __check_init__(self) -> None:
        if not isinstance(self.unit, AbstractUnit):
            raise ValueError(f"TwoLayer(unit=...): expected one of widelimit.units, got {self.unit!r}.")

    def blocks(self, inputs: int, outputs: tuple[int, ...]) -> Blocks:
        return self.unit.blocks(inputs, outputs)

    def __call__(self, theta: Any, w: Float[Array, " N"], x: Float[Array, "q d"]) -> Float[Array, "q ..."]:
        return integrate(self.unit, theta, w, x)

    @property
    def kinked(self) -> bool:
        return self.unit.kinked

    def components(self, outputs: tuple[int, ...]) -> int:
        # With a linear block the table holds phi~, a number.
        return 1 if self.unit.linear is not None else math.prod(outputs)


def _two_layer(unit: AbstractUnit, output_bias: bool = False) -> TwoLayer:
    """The mean of the unit in [unit], times `scale`; with an output bias, the block `offset`."""
    return TwoLayer(WithOffset(unit) if output_bias else unit)


# The scale is a part of the problem, not of the network.
registry.add(
    "two_layer",
    _two_layer,
    unit=given("unit"),
    output_bias=flag,
    scale=number(above=0.0, default=None, argument=False),
)
