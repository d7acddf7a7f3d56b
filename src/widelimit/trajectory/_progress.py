"""Progress of a long run, on standard error."""

import contextlib
import os
import sys
import time
from typing import Any

# Seconds until something is shown: on a terminal or where it was asked for, and elsewhere.
_PATIENCE = 2.0
_QUIET = 10.0
# Seconds between two lines of a log, at least and at most; between them half of what has passed.
_OFTEN, _SELDOM = 10.0, 600.0
# The share of a run from which on the rest is estimated.
_TELLING = 0.05


class Progress:
    """The time reached, steps a second and the time left: a bar on a terminal, lines in a log or a notebook.

    `show`: None shows lines from ten seconds on; False shows nothing.
    """

    def __init__(self, t1: float, show: bool | None, label: str) -> None:
        self.t1, self.label = t1, label
        self.show = show is not False and not getattr(sys.stderr, "closed", True)
        # A dumb terminal redraws nothing.
        self._redraws = self.show and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._next = _PATIENCE if show or self._redraws else _QUIET
        self.began = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def expect(self, seconds: float) -> None:
        """Say what a long run will take, before it begins."""
        if self.show and seconds > self._next:
            with contextlib.suppress(OSError, ValueError):
                print(f"{self.label}: about {_span(seconds)}", file=sys.stderr, flush=True)

    def update(self, t: float, steps: int) -> None:
        elapsed = time.monotonic() - self.began
        if not self.show or elapsed < self._next:
            return
        speed = steps / max(elapsed, 1e-9)
        rate = f"{speed:,.0f} steps/s" if speed >= 10.0 else f"{speed:.2g} steps/s"
        if self._redraws:
            bar = self._bar if self._bar is not None else self._open()
            bar.update(self._task, completed=min(t, self.t1), rate=rate, t=f"t = {t:.4g}")
            return
        self._next = elapsed + min(max(0.5 * elapsed, _OFTEN), _SELDOM)
        # Before that the steps are still growing, and most of the time went into compilation.
        left = f", about {_span(elapsed * (self.t1 / t - 1.0))} left" if t >= _TELLING * self.t1 else ""
        # A log that cannot be written is no reason to lose a run.
        with contextlib.suppress(OSError, ValueError):
            print(f"{self.label}: t = {t:.4g} of {self.t1:.4g}, {rate}{left}", file=sys.stderr, flush=True)

    def _open(self) -> Any:
        from rich.console import Console
        from rich.progress import BarColumn, Progress as Bar, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[t]} of {task.total:.4g}"),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task(self.label, total=self.t1, rate="", t="")
        self._bar.start()
        return self._bar


def _span(seconds: float) -> str:
    """`40 s`, `12 min`, `3.5 h`."""
    if seconds < 100.0:
        return f"{seconds:.0f} s"
    return f"{seconds / 60.0:.0f} min" if seconds < 6000.0 else f"{seconds / 3600.0:.3g} h"
