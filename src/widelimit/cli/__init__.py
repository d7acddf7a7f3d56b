"""The command line: parse, call, report. `widelimit --help` imports nothing heavy."""

from ._app import app as app, main as main
