"""Progress of a long run, on standard error."""

import sys
import time
from types import TracebackType
from typing import Any

# Shorter runs show nothing.
_PATIENCE = 2.0


class Progress:
    """A line with the time reached, steps a second and the time left; it appears after two seconds.

    `show`: None shows it on a terminal only.
    """

    def __init__(self, t1: float, show: bool | None, label: str) -> None:
        self.t1, self.label = t1, label
        self.show = sys.stderr.isatty() if show is None else show
        self.began = time.monotonic()
        self._bar: Any = None
        self._task: Any = None
        self._first_steps = 0

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, t: float, steps: int) -> None:
        elapsed = time.monotonic() - self.began
        if not self.show or elapsed < _PATIENCE:
            return
        bar = self._bar if self._bar is not None else self._open()
        rate = steps / elapsed
        bar.update(self._task, completed=min(t, self.t1), rate=f"{rate:,.0f} steps/s", t=f"t = {t:.4g}")

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
        console = Console(stderr=True)
        # In a log, where nothing can be redrawn, the line stays when the run ends.
        self._bar = Bar(*columns, console=console, transient=console.is_terminal)
        self._task = self._bar.add_task(self.label, total=self.t1, rate="", t="")
        self._bar.start()
        return self._bar
