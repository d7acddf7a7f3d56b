"""A picture of panels as SVG: written in a few milliseconds, where matplotlib takes a fifth of a second.

It follows the reader's light or dark scheme by itself, and its neurons move without a script.
"""

import base64
import dataclasses
import html
import math
from collections.abc import Sequence

import numpy as np

from ._axes import Axis, tick_text
from ._items import Frame, Item, Place, Row

# In pixels: at its own size on a desktop, where panels stand side by side; on a telephone one below the other.
_WIDE, _NARROW = (500.0, 400.0), (360.0, 250.0)
_LEFT, _RIGHT, _BOTTOM, _TITLE, _ENTRY = 62.0, 12.0, 46.0, 24.0, 18.0
# Of a letter of the legend, on average and of any usual sans serif; and of all letters, their height.
_LETTER, _FONT = 6.9, 13.0

# Okabe and Ito's colours as in the reports, the limit in black; in the dark their lighter neighbours.
_STYLE = """
svg{--ink:#1a1a1a;--grid:#dddddd;--paper:#ffffff;font:13px system-ui,sans-serif}
.limit{--c:#000000}.network{--c:#0072B2}.other{--c:#D55E00}.target{--c:#009E73}.faint{--c:#8a8a8a}
@media(prefers-color-scheme:dark){svg{--ink:#e8e8e8;--grid:#3c3f42;--paper:#181c1a}
.limit{--c:#ffffff}.network{--c:#56B4E9}.other{--c:#F08A3C}.target{--c:#3CC79A}.faint{--c:#8f8f8f}}
text{fill:var(--ink)}.name{font-weight:600}.grid{stroke:var(--grid)}.edge{stroke:var(--ink);fill:none}
.line{fill:none;stroke:var(--c);stroke-width:2;stroke-linejoin:round}.dashed{stroke-dasharray:7 4}
.behind{opacity:.25}.dot{fill:var(--c);fill-opacity:.8}.ring{fill:var(--paper);stroke:var(--c);stroke-width:1.4}
.area{fill:var(--c);fill-opacity:.22}.line.faint{stroke-width:1}.line.tail{stroke-width:4;stroke-linecap:round}
"""


@dataclasses.dataclass(frozen=True)
class Panel:
    """Axes, what stands in them (the last on top), and a title. Raises `ValueError` for numbers that are not finite."""

    title: str
    x: Axis
    y: Axis
    items: Sequence[Item]

    def __post_init__(self) -> None:
        for item in self.items:
            for name, value in vars(item).items():
                if not isinstance(value, str | bool | float | None) and not np.all(np.isfinite(value)):
                    raise ValueError(f"Panel({self.title!r}): {type(item).__name__}.{name} is not finite everywhere.")


def svg(panels: Sequence[Panel], frame: Frame, *, narrow: bool = False, note: str = "") -> str:
    """The picture. `note`: a comment in it; with another one a browser takes it for another picture."""
    size, across = (_NARROW, 1) if narrow else (_WIDE, len(panels))
    # Three panels in a row are smaller, so that the picture is not wider than a page.
    width = size[0] if len(panels) < 3 or narrow else 350.0
    full = (width * across, size[1] * (len(panels) if narrow else 1))
    parts = [
        _panel(panel, frame, k, (0.0, k * size[1]) if narrow else (k * width, 0.0), (width, size[1]))
        for k, panel in enumerate(panels)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {full[0]:g} {full[1]:g}" width="{full[0]:g}" '
        f'height="{full[1]:g}"><!-- {note} --><style>{_STYLE}</style>{"".join(parts)}</svg>'
    )


def picture(panels: Sequence[Panel], frame: Frame, alt: str, *, note: str = "") -> str:
    """HTML of the picture with its words for who does not see it: the wide one, and the narrow one for telephones."""
    wide, narrow = (_link(svg(panels, frame, narrow=side, note=note)) for side in (False, True))
    return (
        f'<picture class="wl-picture"><source media="(max-width: 760px)" srcset="{narrow}">'
        f'<img src="{wide}" alt="{html.escape(alt, quote=True)}"></picture>'
    )


def _link(text: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(text.encode()).decode()


def _panel(panel: Panel, frame: Frame, k: int, corner: tuple[float, float], size: tuple[float, float]) -> str:
    entries = _legend([item for item in panel.items if item.label], size[0] - _LEFT - _RIGHT)
    top = _TITLE + _ENTRY * (1 + entries[-1][2] if entries else 0) + 8.0
    left, inside, tall = corner[0] + _LEFT, size[0] - _LEFT - _RIGHT, size[1] - top - _BOTTOM
    top += corner[1]

    def x(values: Row) -> np.ndarray:
        return np.asarray(left + inside * np.clip(panel.x.share(values), -9.0, 9.0))

    def y(values: Row) -> np.ndarray:
        return np.asarray(top + tall * (1.0 - np.clip(panel.y.share(values), -9.0, 9.0)))

    place = Place(x, y, left, top, inside, tall, f"p{k}")
    signs = [
        item.sign(left + a, corner[1] + _TITLE + 10.0 + _ENTRY * row)
        + _text(left + a + 28.0, corner[1] + _TITLE + 14.5 + _ENTRY * row, str(item.label))
        for item, a, row in entries
    ]
    content = "".join(item.svg(place, frame, number) for number, item in enumerate(panel.items))
    return (
        f"{_text(left, corner[1] + 16.0, panel.title, look='name', most=inside)}{''.join(signs)}{_ticks(panel, place)}"
        f'<clipPath id="c{k}"><rect x="{left - 1:.1f}" y="{top - 5:.1f}" width="{inside + 6:.1f}" '
        f'height="{tall + 10:.1f}"/></clipPath><g clip-path="url(#c{k})">{content}</g>'
        f'<path class="edge" d="M{left:.1f} {top:.1f}v{tall:.1f}h{inside:.1f}"/>'
    )


def _ticks(panel: Panel, place: Place) -> str:
    """Grid, numbers and names of both axes."""
    low, parts = place.top + place.height, []
    for value in panel.x.ticks():
        at = float(place.x(value))
        parts.append(f'<path class="grid" d="M{at:.1f} {place.top:.1f}v{place.height:.1f}"/>')
        parts.append(_text(at, low + 17.0, tick_text(value), anchor="middle"))
    for value in panel.y.ticks():
        at = float(place.y(value))
        parts.append(f'<path class="grid" d="M{place.left:.1f} {at:.1f}h{place.width:.1f}"/>')
        parts.append(_text(place.left - 6.0, at + 4.5, tick_text(value), anchor="end"))
    parts.append(_text(place.left + place.width / 2, low + 37.0, panel.x.name, anchor="middle", most=place.width))
    side, middle = place.left - 48.0, place.top + place.height / 2
    turned = f' transform="rotate(-90 {side:.1f} {middle:.1f})"'
    # It may stand beside the legend as well.
    most = place.height + 40.0
    parts.append(_text(side, middle, panel.y.name, anchor="middle", more=turned, most=most))
    return "".join(parts)


def _legend(items: Sequence[Item], width: float) -> list[tuple[Item, float, int]]:
    """Each labelled item with where its entry begins, and in which line."""
    found, x, row = [], 0.0, 0
    for item in items:
        length = 44.0 + _LETTER * len(str(item.label))
        if x > 0.0 and x + length > width:
            x, row = 0.0, row + 1
        found.append((item, x, row))
        x += length
    return found


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", look: str = "", more: str = "", most: float = math.inf
) -> str:
    """`most`: pixels that it may take; a longer one is written smaller."""
    kind = f' class="{look}"' if look else ""
    # Names are bold.
    share = most / ((1.2 if look else 1.0) * _LETTER * max(len(text), 1))
    size = f' font-size="{_FONT * share:.1f}"' if share < 1.0 else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}{size}{more}>{html.escape(text)}</text>'
