"""The output scale alpha(N): f = (1 / alpha(N)) SUM phi(theta_i, x); the mean-field scale is alpha = N."""

import abc

import equinox as eqx

from widelimit.numerics.registry import Registry, number, positive


class AbstractScale(eqx.Module):
    """The factor between the mean over N particles and the output: f = factor(N) INT phi d rho."""

    @abc.abstractmethod
    def factor(self, n: int) -> float:
        """N / alpha(N)."""

    @property
    def mean_field(self) -> bool:
        """Whether the factor is the same for every N, so that a limit N -> infinity exists; False where not known."""
        return False


class MeanField(AbstractScale):
    """alpha(N) = N: the output is the mean, and a limit N -> infinity exists."""

    def factor(self, n: int) -> float:
        return 1.0

    @property
    def mean_field(self) -> bool:
        return True


class Power(AbstractScale):
    """alpha(N) = scale N^exponent. exponent = 1/2 is the scale of the neural tangent kernel.

    The factor N / alpha(N) depends on N unless exponent = 1, so runs at different N differ.
    Raises `ValueError` unless scale > 0.
    """

    exponent: float = eqx.field(static=True, default=0.5)
    scale: float = eqx.field(static=True, default=1.0)

    def __check_init__(self) -> None:
        if not abs(self.exponent) < float("inf"):
            raise ValueError(f"Power(exponent=...): must be finite, got {self.exponent}.")
        if not 0 < self.scale < float("inf"):
            raise ValueError(f"Power(scale=...): must be positive and finite, got {self.scale}.")

    def factor(self, n: int) -> float:
        return n ** (1.0 - self.exponent) / self.scale

    @property
    def mean_field(self) -> bool:
        return self.exponent == 1.0


registry = Registry("scale")
registry.add("mean_field", MeanField)
registry.add("power", Power, exponent=number(), scale=positive)
