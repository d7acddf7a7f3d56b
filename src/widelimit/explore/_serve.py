"""Serving the app on this machine alone: no other machine reaches it, and it reaches none."""

import contextlib
import socket
from collections.abc import Callable
from typing import Any

from . import _first
from ._page import Page

HOST = "127.0.0.1"
# Looked for when no port is given.
_FIRST, _TRIED = 8765, 20

_offer: list[tuple[tuple[Page, ...], str]] = []


def offered() -> tuple[tuple[Page, ...], str]:
    """The pages of the app that runs in this process, and the name of the first."""
    return _offer[-1]


def listen(port: int | None) -> socket.socket:
    """A socket of the loopback device, without a port at the first free one. Raises `OSError` where it is taken."""
    tried = range(_FIRST, _FIRST + _TRIED) if port is None else (port,)
    for number in tried:
        open_ = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        # A port whose last connection is just closed is free.
        open_.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            open_.bind((HOST, number))
        except OSError:
            open_.close()
            if number == tried[-1]:
                raise
        else:
            # Who comes before the app is ready waits.
            open_.listen(128)
            return open_
    raise AssertionError("unreachable")


def serve(pages: tuple[Page, ...], first: str, listening: socket.socket, ready: Callable[[], Any]) -> None:
    """Serve until Ctrl-C (`KeyboardInterrupt`). `ready`: called when a browser may come."""
    import threading

    # It may come already, and waits: a browser takes as long to start as what is imported here.
    threading.Timer(0.0, ready).start()
    import marimo
    import uvicorn
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from . import _app, _style

    _offer.append((pages, first))
    app = marimo.create_asgi_app(quiet=True, include_code=False, html_head=_style.HEAD)
    root = str(_app.__file__)
    whole = app.with_app(path="", root=root).build()
    # A page of another site that has its name point here is refused.
    guarded = TrustedHostMiddleware(whole, allowed_hosts=[HOST, "localhost"])  # pyright: ignore[reportArgumentType]
    page = next(page for page in pages if page.name == first)
    if _first.stored(page) is None:
        # What a first picture waits for is compilation: it begins before the browser comes.
        threading.Thread(target=_warm, args=(page,), daemon=True).start()
    config = uvicorn.Config(guarded, log_level="warning", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    server.run(sockets=[listening])


def _warm(page: Page) -> None:
    # What cannot be computed is said when the page is shown.
    with contextlib.suppress(ValueError):
        _first.computed(page, page.start, 0)
