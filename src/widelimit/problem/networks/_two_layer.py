"""The two-layer mean: the network that this library began with, and the default."""

import math
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from widelimit.measure import Blocks

from ..data import as_numbers
from ..units import AbstractUnit
from ._integrate import integrate
from ._network import AbstractNetwork


def _finite(offset: Any) -> Any:
    return None if offset is None else as_numbers(offset, "TwoLayer(offset=...)")


class TwoLayer(AbstractNetwork):
    r"""$f(x) = \int \phi(\theta, x)\,\rho(d\theta)$, phi = `unit`. All its facts are those of the unit.

    - `offset`: a constant that the problem adds to f, a number or (C,): the output bias of a trained network. It is no
      parameter: nothing moves it.
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
