"""The sheet to draw on, for whoever draws pictures of their own beside the report's."""

from ._canvas import (
    AGES as AGES,
    COLOURS as COLOURS,
    DASHES as DASHES,
    LIMIT as LIMIT,
    MARKERS as MARKERS,
    add_legend as add_legend,
    colour as colour,
    dash as dash,
    marker as marker,
    plain as plain,
    to_png as to_png,
)
