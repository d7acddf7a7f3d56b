"""What a run says to its reader: one HTML file with pictures, tables and a sentence on each."""

from ._compare import compare as compare
from ._curves import interpolate as interpolate
from ._function_section import Fit as Fit
from ._run import run_report as run_report
from ._summary import Checks as Checks, NetworkRun as NetworkRun, RunSummary as RunSummary
from .pages import Page as Page
