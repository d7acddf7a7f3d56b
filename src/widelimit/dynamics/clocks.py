"""Clocks of a dynamics: what its steps count, and how that belongs to the time t."""

import abc
import math
from typing import Any, ClassVar

import equinox as eqx
from jaxtyping import Array, Bool, Float, Int

from widelimit.numerics import Module

from . import schedules

# In units of a step: t = k eps in floats is no closer, after 10^9 steps.
_SAME = 1e-6

Reading = float | int | Float[Array, ""] | Int[Array, ""]
"""What a clock shows: tau, or a number of steps."""


class AbstractClock(Module):
    """The end predicate, the same on host and device: a state is before a stop while its reading is less."""

    counts: ClassVar[bool] = False
    """Whether it counts steps: then all runs of one dynamics show the same after as many steps."""

    @abc.abstractmethod
    def reading(self, t: float) -> float | int:
        """What the clock shows at time t; on the host."""

    @abc.abstractmethod
    def of(self, state: Any) -> Array:
        """What it shows at a state."""

    def nearest(self, t: float) -> float:
        """The time of what is shown where that at t is asked."""
        return t

    def end(self, t: float) -> float:
        """The time at which a run to t ends."""
        return t

    def before(self, state: Any, stop: Reading) -> Bool[Array, ""]:
        return self.of(state) < stop


class Tau(AbstractClock):
    r"""$\tau = \int_0^t \xi$, in which a flow is autonomous; a state has it in its field `clock`."""

    schedule: schedules.AbstractSchedule = eqx.field(
        default=1.0, converter=lambda xi: schedules.as_schedule(xi, "Tau(schedule=...)")
    )

    def reading(self, t: float) -> float:
        return math.inf if t == math.inf else self.schedule.integral(t)

    def of(self, state: Any) -> Array:
        return state.clock


class Steps(AbstractClock):
    r"""k steps of eps in t, $s_k = \varepsilon\,\xi(k\varepsilon)$; a state has k in its field `k`.

    What is saved is the state after the step nearest to the time that was asked, under that step's own time; a run ends
    with the first step that reaches its end.
    """

    size: Float[Array, ""]
    counts: ClassVar[bool] = True

    def reading(self, t: float) -> int:
        return round(t / float(self.size))

    def of(self, state: Any) -> Array:
        return state.k

    def nearest(self, t: float) -> float:
        return self._own(self.reading(t), t)

    def end(self, t: float) -> float:
        return self._own(math.ceil(t / float(self.size) - _SAME), t)

    def _own(self, k: int, t: float) -> float:
        """The time of step k; t where they differ by rounding alone."""
        own = k * float(self.size)
        return t if abs(own - t) <= _SAME * float(self.size) else own

    def at(self, schedule: schedules.AbstractSchedule, k: Any) -> Float[Array, ""]:
        """A schedule during step k: its value at the left end, at the right one where xi(0) is infinite."""
        t = k * self.size
        return schedule(t + self.size if schedule.singular else t)
