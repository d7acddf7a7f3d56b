"""The output scale alpha(N): f = (1 / alpha(N)) SUM phi(theta_i, x); the mean-field scale is alpha = N."""

import abc
from typing import Any, ClassVar

import equinox as eqx
from jaxtyping import Array, Float

from widelimit.numerics import Module, Number, leaf, real_number
from widelimit.numerics.registry import Registry, number, positive


class AbstractScale(Module):
    """The factor between the mean over N particles and the output: f = factor(N) INT phi d rho."""

    mean_field: ClassVar[bool] = False
    """Whether the factor is the same for every N, so that a limit N -> infinity exists; False where not known."""

    @abc.abstractmethod
    def factor(self, n: int) -> Number:
        """N / alpha(N)."""


class MeanField(AbstractScale):
    """alpha(N) = N: the output is the mean, and a limit N -> infinity exists."""

    mean_field = True

    def factor(self, n: int) -> Number:
        return 1.0


class Power(AbstractScale):
    """alpha(N) = scale N^exponent. exponent = 1/2 is the scale of the neural tangent kernel.

    The factor N / alpha(N) depends on N unless exponent = 1, so runs at different N differ.
    Raises `ValueError` unless scale > 0.
    """

    exponent: float = eqx.field(static=True)
    scale: Float[Array, ""]

    def __init__(self, exponent: float = 0.5, scale: Any = 1.0) -> None:
        self.exponent = real_number(exponent, "Power(exponent=...)")
        self.scale = leaf(scale, "Power(scale=...)", above=0.0)

    def factor(self, n: int) -> Number:
        return n ** (1.0 - self.exponent) / self.scale

    @property
    def mean_field(self) -> bool:
        return self.exponent == 1.0


registry = Registry("scale")
registry.add("mean_field", MeanField)
registry.add("power", Power, exponent=number(), scale=positive)
