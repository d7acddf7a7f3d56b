"""`widelimit explore`: pages in the browser, served until Ctrl-C."""

import contextlib
import os
import pathlib
import sys
from collections.abc import Sequence

import typer

from widelimit.runs.errors import BadInput, Failed, sentence, tell
from widelimit.runs.paths import given


def explore_page(what: str | None, plugins: Sequence[pathlib.Path], *, port: int | None, browser: bool) -> None:
    """Serve the pages, beginning with one of a paper or with a problem file's own."""
    from widelimit.explore import every_page, page_named

    if port is not None and not 1 <= port <= 65535:
        raise BadInput(f"--port: must be a number from 1 to 65535, got {port}.")
    _require_marimo()
    try:
        every = every_page()
        if what is None:
            first = every[0]
        elif _is_file(what):
            from widelimit.explore.files import page_of_file

            first = page_of_file(given(what, "FILE"), plugins)
            every = (first, *every)
        else:
            first = page_named(what)
    except BadInput:
        raise
    except ValueError as error:
        raise BadInput(sentence(error)) from error
    _serve(every, first.name, port, browser)


def _is_file(what: str) -> bool:
    """A problem file, there or not; no page has a name that ends so."""
    return what.endswith(".toml") or pathlib.Path(what).is_file()


def _require_marimo() -> None:
    import importlib.util

    if importlib.util.find_spec("marimo") is None:
        raise Failed("explore needs marimo, which is not installed: pip install 'widelimit[explore]'")


def _serve(pages: tuple, first: str, port: int | None, browser: bool) -> None:
    from widelimit.explore import listen, serve

    try:
        listening = listen(port)
    except OSError as error:
        which = "all ports from 8765 to 8784 are" if port is None else f"port {port} is"
        raise BadInput(f"--port: {which} not free ({error.strerror}); give another one.") from error
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"

    def ready() -> None:
        typer.echo(f"{address}  (Ctrl-C stops)")
        if browser and not _opened(address):
            tell("widelimit: no browser was found here; open the address above in one.")

    with contextlib.suppress(KeyboardInterrupt), listening:
        serve(pages, first, listening, ready)
    tell("widelimit: stopped")
    sys.stdout.flush()
    sys.stderr.flush()
    # Compilations may still run in other threads, and crash an interpreter that shuts down meanwhile.
    os._exit(0)


def _opened(address: str) -> bool:
    import webbrowser

    try:
        return webbrowser.open(address)
    except webbrowser.Error:
        return False
