"""A sheet to draw on, the colours and the way to PNG, for the report and for pictures of one's own. Never pyplot:
nothing here changes the state that the caller's own figures depend on.
"""

import io
import textwrap
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Palette(NamedTuple):
    """Colours by what they stand for: the wide `limit`, the neurons at the `start`, and `networks`, one after another.

    Those of Okabe and Ito, distinct for colour-blind readers too.
    """

    limit: str
    start: str
    networks: tuple[str, ...]


palette = Palette("#000000", "#999999", ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"))
LIMIT, BEFORE, COLOURS = palette
# Dashes and markers say the same again.
DASHES: tuple[Any, ...] = ("--", "-.", (0, (5, 1, 1, 1, 1, 1)), ":", (0, (8, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
# At 5.6 inches the text is still read where a telephone shows the picture at its own width.
DPI = 170

_UNDATED: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
STYLE: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "figure.dpi": DPI,
    "font.size": 12,
    "axes.labelsize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "legend.fontsize": 11,
    "legend.framealpha": 0.85,
    "legend.edgecolor": "#CCCCCC",
    "xtick.labelsize": 11.5,
    "ytick.labelsize": 11.5,
}


def to_png(draw: Callable[["Figure"], None], width: float = 5.6, height: float = 4.6) -> bytes:
    """What `draw` puts on an empty figure of so many inches, whatever style the caller has set."""
    return to_image(draw, width, height)


def to_image(draw: Callable[["Figure"], None], width: float = 5.6, height: float = 4.6, *, kind: str = "png") -> bytes:
    """The same as "png", "svg" or "pdf"; the bytes depend on what is drawn alone, not on the day."""
    import matplotlib.style
    from matplotlib.figure import Figure

    style = ["default", {**STYLE, "svg.hashsalt": "widelimit"}]
    with matplotlib.style.context(style), warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes; that is no reason to fail.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure)
        stream = io.BytesIO()
        figure.savefig(stream, format=kind, dpi=DPI, metadata=_UNDATED[kind])
    return stream.getvalue()


def colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def dash(index: int) -> Any:
    return DASHES[index % len(DASHES)]


def marker(index: int) -> str:
    return MARKERS[index % len(MARKERS)]


def plain(text: str) -> str:
    """Text that is drawn as it stands: no mathematics between dollars, no label hidden by an underscore."""
    text = text.replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def add_legend(*axes: "Axes") -> None:
    """One legend below the axes of a figure, where it covers nothing, for what has a label in any of them."""
    found = {label: handle for each in axes for handle, label in zip(*each.get_legend_handles_labels(), strict=True)}
    if found:
        # Two columns where they fit side by side.
        columns = 2 if max(map(len, found)) < 30 else 1
        place = {"loc": "outside lower center", "ncols": columns, "handlelength": 2.8}
        # Ten letters of this size take about 0.8 inches; a line of the legend holds its handle, too.
        sheet: Any = axes[0].figure
        longest = int(10 * sheet.get_figwidth())
        sheet.legend(found.values(), [textwrap.fill(label, longest) for label in found], **place)
