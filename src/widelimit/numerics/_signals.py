"""Signals of a long computation: flags that are read at places where nothing is half done."""

import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, ClassVar


class Signals:
    """While it is open, Ctrl-C sets a flag, which `heed` reads; `keeps`: so do SIGTERM and SIGUSR1.

    An exception that a handler raises comes up wherever Python is at that moment, and where that is a callback of
    JAX's garbage collector it is printed and lost. A second Ctrl-C that comes before the first was read is raised at
    once; a third ends the process whatever it does, but not that of a prompt or a notebook. A signal that is ignored
    stays ignored (nohup).

    Python lets handlers be set in the main thread alone: elsewhere nothing changes. The handlers that were there come
    back at the end. An open one serves for all that is opened inside of it.
    """

    _open: "ClassVar[Signals | None]" = None

    def __init__(self, *, keeps: bool) -> None:
        self._wanted = ["SIGINT", *(["SIGTERM", "SIGUSR1"] if keeps else [])]
        self._old: dict[int, Any] = {}
        self._asked: list[int] = []

    def __enter__(self) -> "Signals":
        if threading.current_thread() is not threading.main_thread():
            return self
        if Signals._open is not None:
            return Signals._open
        Signals._open = self
        for number in (getattr(signal, name) for name in self._wanted if hasattr(signal, name)):
            # None: a handler that was not set from Python, which could not be put back.
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                self._old[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if Signals._open is self:
            for number, handler in self._old.items():
                signal.signal(number, handler)
            Signals._open = None

    def heed(self, keep: Callable[[], None]) -> None:
        """What the signals that have come stand for: `KeyboardInterrupt`, `SystemExit(143)`, or `keep()` for SIGUSR1.

        Where the program has a handler of its own, that is called too.
        """
        while self._asked:
            number = self._asked.pop(0)
            handler = self._old[number]
            if signal.Signals(number).name == "SIGUSR1":
                keep()
            elif number == signal.SIGTERM and not callable(handler):
                raise SystemExit(128 + number)
            if callable(handler):
                handler(number, None)

    def _note(self, number: int, frame: FrameType | None) -> None:
        again = number == signal.SIGINT and number in self._asked
        self._asked.append(number)
        if again:
            # Who sits at a prompt, or in a notebook with a handler of its own, wants it back.
            old, prompt = self._old[number], hasattr(sys, "ps1")
            signal.signal(number, signal.SIG_DFL if old is signal.default_int_handler and not prompt else old)
            raise KeyboardInterrupt
