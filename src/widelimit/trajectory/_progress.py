"""Progress of a long computation: what is said, and when."""

import contextlib
import sys
import time
from typing import Any

from ._places import place

# Seconds until something is shown: where it is drawn anew in its place or was asked for, and elsewhere.
_PATIENCE = 2.0
_QUIET = 10.0
# Seconds between two lines of a log, at least and at most; between them half of what has passed.
_OFTEN, _SELDOM = 10.0, 600.0
# Seconds between two drawings in one place.
_REDRAWN = 0.25
# The share of a run from which on the rest is estimated.
_TELLING = 0.05


class Progress:
    """The time reached, steps a second and the time left: a bar on a terminal or in a notebook, lines in a log.

    `t1`: the end; None where it is not known, for `tell`. `show`: None shows lines from ten seconds on; False shows
    nothing. What is interrupted says how far it was, in the `KeyboardInterrupt`; `kept`: and what is left of it.
    """

    def __init__(self, t1: float | None, show: bool | None, label: str) -> None:
        self.t1, self.label, self.kept = t1, label, ""
        self.show = show is not False and not getattr(sys.stderr, "closed", True)
        self._place = place() if self.show else None
        self._next = _PATIENCE if show or (self._place is not None and self._place.redraws) else _QUIET
        self.began = time.monotonic()
        self._reached = ""

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind: Any, error: Any, _: object) -> None:
        if self._place is not None:
            self._place.close()
        # Where it was interrupted is a line deep in a library: who pressed the key wants to know how far it was.
        if kind is KeyboardInterrupt and not error.args:
            raise KeyboardInterrupt(f"{self.label} stopped{self._reached}{self.kept}") from None

    def expect(self, seconds: float) -> None:
        """Say what a long run will take, before it begins."""
        if self.show and seconds > self._next:
            self._draw(0.0, f"about {_span(seconds)}")

    def update(self, t: float, steps: int) -> None:
        assert self.t1 is not None
        elapsed = time.monotonic() - self.began
        self._reached = f" at t = {t:.4g} of {self.t1:.4g}, after {steps:,} steps"
        if not self.show or elapsed < self._next:
            return
        speed = steps / max(elapsed, 1e-9)
        rate = f"{speed:,.0f} steps/s" if speed >= 10.0 else f"{speed:.2g} steps/s"
        # Before that the steps are still growing, and most of the time went into compilation.
        left = f", about {_span(elapsed * (self.t1 / t - 1.0))} left" if t >= _TELLING * self.t1 else ""
        self._draw(min(1.0, t / self.t1), f"t = {t:.4g} of {self.t1:.4g}, {rate}{left}")
        again = _REDRAWN if self._place is None or self._place.redraws else min(max(0.5 * elapsed, _OFTEN), _SELDOM)
        self._next = elapsed + again

    def tell(self, words: str) -> None:
        """How far it is, in words, where the end is not known: drawn anew in one place, and nowhere in a log."""
        elapsed = time.monotonic() - self.began
        self._reached = f": {words}"
        if self._place is not None and self._place.redraws and elapsed >= self._next:
            self._draw(None, words)
            self._next = elapsed + _REDRAWN

    def _draw(self, share: float | None, words: str) -> None:
        assert self._place is not None
        # A log that cannot be written is no reason to lose a run.
        with contextlib.suppress(OSError, ValueError):
            self._place.draw(self.label, share, words)


def _span(seconds: float) -> str:
    """`40 s`, `12 min`, `3.5 h`."""
    if seconds < 100.0:
        return f"{seconds:.0f} s"
    return f"{seconds / 60.0:.0f} min" if seconds < 6000.0 else f"{seconds / 3600.0:.3g} h"
