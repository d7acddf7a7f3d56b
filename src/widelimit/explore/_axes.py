"""The axes of a panel: from numbers to places in pixels, and where the ticks stand."""

import dataclasses
import math
from typing import Any

import numpy as np
from jaxtyping import Float


@dataclasses.dataclass(frozen=True)
class Axis:
    """One axis of a panel: its name with the unit, its ends, and whether it is logarithmic.

    Raises `ValueError` for ends that are not finite and increasing, and for a logarithmic axis that begins at 0 or
    below.
    """

    name: str
    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"Axis({self.name!r}): the ends must be finite and increase, got {self.low}, {self.high}.")
        if self.log and self.low <= 0.0:
            raise ValueError(f"Axis({self.name!r}): a logarithmic axis begins above 0, got {self.low}.")

    def share(self, values: Any) -> Float[np.ndarray, "..."]:
        """Where values stand: 0 at the low end, 1 at the high one. What is not above 0 stands far below a log axis."""
        values = np.asarray(values, float)
        if not self.log:
            return np.asarray((values - self.low) / (self.high - self.low))
        logs = np.log(np.maximum(values, 1e-3 * self.low))
        return np.asarray((logs - math.log(self.low)) / (math.log(self.high) - math.log(self.low)))

    def ticks(self) -> list[float]:
        """A few round numbers between the ends."""
        return _decades(self.low, self.high) if self.log else _round_numbers(self.low, self.high)


def axis(name: str, *values: Any, log: bool = False, room: float = 0.06, least: float | None = None) -> Axis:
    """The axis that shows all of these values, with some room at its ends; `least`: where it begins instead.

    On a logarithmic axis only what is above 0 counts.
    """
    seen = np.concatenate([np.ravel(np.asarray(each, float)) for each in values])
    seen = np.log(seen[seen > 0.0]) if log else seen
    low, high = (float(np.min(seen)), float(np.max(seen))) if len(seen) else (0.0, 1.0)
    # Curves that do not move still get an axis.
    room = room * (high - low) if high > low else 0.1 * max(abs(high), 1.0)
    low, high = low - room, high + room
    if log:
        low, high = math.exp(low), math.exp(high)
    return Axis(name, low if least is None else least, high, log)


def tick_text(value: float) -> str:
    """0.1, 10, 1e-4: as short as it goes."""
    if value != 0.0 and not 1e-3 <= abs(value) < 1e5:
        mantissa, exponent = f"{value:.3g}".split("e") if "e" in f"{value:.3g}" else (f"{value:.0e}").split("e")
        return f"{mantissa}e{int(exponent)}"
    return f"{value:.4g}"


def _round_numbers(low: float, high: float) -> list[float]:
    raw = (high - low) / 5.0
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(m * size for m in (1.0, 2.0, 5.0, 10.0) if m * size >= raw)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def _decades(low: float, high: float) -> list[float]:
    """Powers of ten, not more than six; where there are fewer than two, 1, 2 and 5 times them as well."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    if last - first >= 1:
        return [10.0**k for k in range(first, last + 1, 1 + (last - first) // 6)]
    every = [m * 10.0**k for k in range(first - 1, last + 1) for m in (1.0, 2.0, 5.0)]
    return [value for value in every if low <= value <= high]
