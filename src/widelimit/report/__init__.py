"""What a run says to its reader: one HTML file with pictures, tables and a sentence on each."""

from ._compare import compare as compare
from ._curves import interpolate as interpolate
from ._function_section import Fit as Fit
from ._risk_section import predicted_words as predicted_words
from ._run import run_report as run_report
from ._summary import (
    Band as Band,
    Checks as Checks,
    ClassShares as ClassShares,
    NetworkRun as NetworkRun,
    RunSummary as RunSummary,
)
from .canvas import Palette as Palette, palette as palette
from .pages import Page as Page, Picture as Picture, Section as Section, Table as Table, make_page as make_page
from .shown import (
    Card as Card,
    Film as Film,
    animate as animate,
    card as card,
    describe as describe,
    knots as knots,
    neuron_paths as neuron_paths,
    neurons as neurons,
    player as player,
    plot as plot,
    uv_plane as uv_plane,
    velocity_field as velocity_field,
)
