"""What the app's cells do: the page that is asked for, its controls, its picture, coarse at once and finer later."""

import html
import time
from collections.abc import Mapping
from typing import Any

import marimo as mo

from ._first import computed, get_ready, is_ready, stored
from ._items import Frame
from ._page import Arrays, Page
from ._serve import offered
from ._sheet import picture

# Seconds without a new value after which the finer picture is computed.
_REST = 0.25
# What is said under a picture that will be another, or whose sliders answer late.
_FINER, _READY = "finer numbers are being computed …", "the sliders are being made ready …"
# Sets of values whose finest arrays are kept: moving in time computes nothing.
_KEPT = 8


class Store:
    """The finest arrays of a page that are known for some values, by the number of their level."""

    def __init__(self, page: Page) -> None:
        self._found: dict[Any, tuple[int, Arrays]] = {}
        self.plays = 0
        if (first := stored(page)) is not None:
            self.put(page.start, page.levels - 1, first)

    def get(self, values: Mapping[str, float]) -> tuple[int, Arrays] | None:
        return self._found.get(tuple(values.items()))

    def put(self, values: Mapping[str, float], level: int, arrays: Arrays) -> None:
        self._found[tuple(values.items())] = (level, arrays)
        while len(self._found) > _KEPT:
            del self._found[next(iter(self._found))]


def choice() -> Any:
    """The pages to choose from."""
    pages, first = offered()
    asked = mo.query_params().get("page")
    names = [page.name for page in pages]
    name = asked if asked in names else first
    options = {f"{page.name}: {page.title}": page.name for page in pages}
    value = next(label for label, known in options.items() if known == name)
    return mo.ui.dropdown(options, value=value, label="Page", allow_select_none=False, full_width=True)


def header(chosen: Any) -> Any:
    return mo.Html(f'<div class="wl-head">{chosen}</div>')


def page_of(chosen: Any) -> Page:
    pages, _ = offered()
    return next(page for page in pages if page.name == chosen.value)


def title(page: Page) -> Any:
    return mo.Html(f'<div class="wl-title"><h1>{html.escape(page.title)}</h1><p>{html.escape(page.question)}</p></div>')


def controls(page: Page) -> tuple[Any, Any, Any, Store]:
    """The sliders, that of the moment, the button that plays, and the store of what they have shown."""
    sliders = mo.ui.dictionary(
        {
            slider.name: mo.ui.slider(
                steps=list(slider.values), value=slider.start, label=slider.label, show_value=True, full_width=True
            )
            for slider in page.sliders
        }
    )
    label = "moment shown, % of the time"
    moment = mo.ui.slider(start=0, stop=100, step=4, value=100, label=label, show_value=True, full_width=True)
    play = mo.ui.button(value=0, on_click=lambda count: count + 1, label="Play: let the neurons move")
    return sliders, moment, play, Store(page)


def reset_button() -> Any:
    return mo.ui.button(value=0, on_click=lambda count: count + 1, label="Reset all sliders")


def panel(page: Page, sliders: Any, moment: Any, play: Any, reset: Any) -> Any:
    """All controls as a grid."""
    parts = [*(sliders[slider.name] for slider in page.sliders), *([moment] if page.moves else [])]
    buttons = f"{play} {reset}" if page.moves else f"{reset}"
    cells = "".join(f"<div>{part}</div>" for part in parts)
    return mo.Html(
        f'<div class="wl-controls"><div class="wl-grid">{cells}</div><div class="wl-buttons">{buttons}</div></div>'
    )


def explanation(page: Page) -> Any:
    """What to look for, and what the sliders mean."""
    lines = "\n".join(f"- **{slider.label}**: {slider.text}" for slider in page.sliders)
    colours = (
        "Black (white in the dark) is the limit, blue the network. The numbers are computed anew whenever a slider "
        "moves, and once more, finer, when it rests."
    )
    return mo.md(f"### What to look for\n\n{page.text}\n\n### The sliders\n\n{lines}\n\n{colours}").style(
        {"max-width": "60rem", "margin": "0 auto"}
    )


def show(page: Page, values: Mapping[str, float], moment: float, plays: int, store: Store) -> None:
    """Put the picture in the cell's place: at once, and again when the sliders rest and a finer one is there.

    What cannot be computed is said in its place.
    """
    try:
        _show(page, values, moment, plays, store)
    except ValueError as error:
        mo.output.replace(mo.Html(f'<p role="alert">{html.escape(str(error))}</p>'))


def _show(page: Page, values: Mapping[str, float], moment: float, plays: int, store: Store) -> None:
    playing = plays > store.plays
    store.plays = plays
    known = store.get(values)
    if known is None:
        known = 0, computed(page, values, 0)
        store.put(values, *known)
    level, arrays = known
    last = page.levels - 1
    note = _FINER if level < last else "" if is_ready(page) else _READY
    _put(page, arrays, moment, playing, f"{plays}-{level}", note)

    def refine() -> None:
        thread = mo.current_thread()
        time.sleep(_REST)
        if note == _READY and not thread.should_exit:
            get_ready(page)
            if not thread.should_exit:
                _put(page, arrays, moment, playing, f"{plays}-{level}", "")
        for finer in range(level + 1, page.levels):
            if thread.should_exit:
                return
            found = computed(page, values, finer)
            store.put(values, finer, found)
            if not thread.should_exit:
                _put(page, found, moment, playing, f"{plays}-{finer}", _FINER if finer < last else "")

    if note:
        mo.Thread(target=refine, daemon=True).start()


def _put(page: Page, arrays: Arrays, moment: float, playing: bool, note: str, state: str) -> None:
    count = len(arrays["t"])
    frame = Frame(count - 1 if playing else round(moment / 100.0 * (count - 1)), count, playing)
    shown = picture(page.draw(arrays), frame, page.alt(arrays), note=note)
    mo.output.replace(
        mo.Html(
            f'<figure class="wl-figure">{shown}<figcaption>{html.escape(page.caption(arrays))}'
            f'<span class="wl-state" role="status">{state}</span></figcaption></figure>'
        )
    )
