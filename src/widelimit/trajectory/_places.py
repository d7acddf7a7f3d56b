"""Where progress is drawn: a terminal, a cell of a notebook, the lines of a log."""

import abc
import html
import os
import sys
from typing import Any


class Place(abc.ABC):
    """`redraws`: whether what is drawn takes the place of what was; then it is gone after `close`."""

    redraws: bool

    @abc.abstractmethod
    def draw(self, label: str, share: float | None, words: str) -> None:
        """`share`: how much is done, in [0, 1]; None where the end is not known."""

    @abc.abstractmethod
    def close(self) -> None: ...


def place() -> Place:
    """The best that there is now."""
    # A notebook has imported what it is made of.
    marimo, ipython = (sys.modules.get(name) for name in ("marimo", "IPython"))
    if marimo is not None and marimo.running_in_notebook():
        return MarimoCell(marimo)
    # At IPython's prompt, on a terminal, there is no kernel.
    if ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None:
        return JupyterCell(ipython)
    # A dumb terminal redraws nothing.
    return Terminal() if sys.stderr.isatty() and os.environ.get("TERM") != "dumb" else Log()


class Log(Place):
    """Lines on standard error."""

    redraws = False

    def draw(self, label: str, share: float | None, words: str) -> None:
        print(f"{label}: {words}", file=sys.stderr, flush=True)

    def close(self) -> None:
        pass


class Terminal(Place):
    """A bar on standard error."""

    redraws = True

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None

    def draw(self, label: str, share: float | None, words: str) -> None:
        bar = self._open(label) if self._bar is None else self._bar
        bar.update(self._task, total=None if share is None else 1.0, completed=share or 0.0, words=words)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _open(self, label: str) -> Any:
        from rich.console import Console
        from rich.progress import BarColumn, Progress as Bar, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[words]}", markup=False),
            TimeElapsedColumn(),
        )
        self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task(label, total=None, words="")
        self._bar.start()
        return self._bar


class JupyterCell(Place):
    """A bar in the output of a cell, all of the cell's in one place.

    Standard error would not do: a notebook that is executed without a browser keeps every state that was written there.
    """

    redraws = True
    # The one output of the cell that is run, by its number.
    _output: tuple[int, Any] | None = None

    def __init__(self, ipython: Any) -> None:
        self._display = ipython.display.display
        self._cell = int(ipython.get_ipython().execution_count)
        self._drawn = False

    def draw(self, label: str, share: float | None, words: str) -> None:
        said = f"{label}: {words}"
        done = "" if share is None else f'value="{share:.3f}"'
        bar = f'<progress {done} style="width:12em;vertical-align:middle"></progress> <code>{html.escape(said)}</code>'
        self._put({"text/plain": said, "text/html": bar})
        self._drawn = True

    def close(self) -> None:
        if self._drawn:
            self._put({"text/plain": ""})

    def _put(self, content: dict[str, str]) -> None:
        known = JupyterCell._output
        if known is not None and known[0] == self._cell:
            known[1].update(content, raw=True)
        else:
            JupyterCell._output = self._cell, self._display(content, raw=True, display_id=True)


class MarimoCell(Place):
    """A spinner in the output of a cell, which goes when all is done."""

    redraws = True

    def __init__(self, marimo: Any) -> None:
        self._make = marimo.status.spinner
        self._spinner: Any = None
        self._shown: Any = None

    def draw(self, label: str, share: float | None, words: str) -> None:
        if self._spinner is None:
            self._spinner = self._make(title=label, subtitle=words, remove_on_exit=True)
            self._shown = self._spinner.__enter__()
        self._shown.update(title=label, subtitle=words)

    def close(self) -> None:
        if self._spinner is not None:
            self._spinner.__exit__(None, None, None)
